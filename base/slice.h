#ifndef GATEHOUSE_BASE_SLICE_H
#define GATEHOUSE_BASE_SLICE_H
/*
 * slice: bytes that somebody else owns, with their length.
 *
 * Bytes from outside are a slice, never a C string: a NUL is data. A slice
 * is valid as long as its owner says. The empty slice may have data == NULL.
 * "Case-insensitive" here is ASCII only, whatever the locale.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *data;
	size_t len;
};

/* printf("%.*s", SLICE_ARG(s)) */
#define SLICE_ARG(s) (int)(s).len, (s).data ? (s).data : ""
#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_EMPTY ((struct slice){ NULL, 0 })
#define SLICE_NPOS SIZE_MAX

static inline struct slice slice_make(const void *data, size_t len)
{
	return (struct slice){ data, len };
}

static inline struct slice slice_str(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}

/* From offset on; the empty slice when offset is past the end. */
static inline struct slice slice_from(struct slice s, size_t offset)
{
	if (offset >= s.len)
		return (struct slice){ s.data ? s.data + s.len : NULL, 0 };
	return (struct slice){ s.data + offset, s.len - offset };
}

/* At most len bytes from offset on; cut to what is there. */
static inline struct slice slice_sub(struct slice s, size_t offset, size_t len)
{
	s = slice_from(s, offset);
	if (s.len > len)
		s.len = len;
	return s;
}

static inline struct slice slice_head(struct slice s, size_t len)
{
	return slice_sub(s, 0, len);
}

static inline char ascii_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c;
}

static inline char ascii_upper(char c)
{
	return (c >= 'a' && c <= 'z') ? (char)(c - ('a' - 'A')) : c;
}

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
	c = ascii_lower(c);
	return c >= 'a' && c <= 'z';
}

static inline bool ascii_is_alnum(char c)
{
	return ascii_is_digit(c) || ascii_is_alpha(c);
}

static inline bool ascii_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* 0..15, or -1 when c is no hexadecimal digit. */
static inline int ascii_hex(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool slice_eq(struct slice a, struct slice b);
bool slice_eq_nocase(struct slice a, struct slice b);
/* <0, 0, >0 by bytes, then by length. */
int slice_cmp(struct slice a, struct slice b);
int slice_cmp_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
bool slice_ends_nocase(struct slice s, struct slice suffix);

/* Offset of the first match, or SLICE_NPOS. */
size_t slice_find(struct slice s, struct slice needle);
size_t slice_find_nocase(struct slice s, struct slice needle);
size_t slice_chr(struct slice s, char c);
size_t slice_rchr(struct slice s, char c);

/* All of text against a pattern of * (any text) and ? (any octet), whatever the case. Time is at most the product of
 * their lengths. */
bool slice_glob(struct slice pattern, struct slice text);

/* Without white space (as ascii_is_space) at either or one end. */
struct slice slice_trim(struct slice s);
struct slice slice_trim_left(struct slice s);
struct slice slice_trim_right(struct slice s);

/*
 * Splits at each sep: takes the next piece off *rest into *piece_r and
 * returns true; false when nothing is left. "a,,b" has three pieces and ""
 * one; start with rest->data != NULL. After the last piece rest->data is NULL.
 */
bool slice_split(struct slice *rest, char sep, struct slice *piece_r);

/*
 * The whole slice as an unsigned decimal number of at most max: digits only,
 * no sign, no white space. False on anything else; *value_r is then untouched.
 */
bool slice_u64(struct slice s, uint64_t max, uint64_t *value_r);

/* FNV-1a over the bytes; the _nocase one over the lower-cased bytes. */
uint64_t slice_hash(struct slice s);
uint64_t slice_hash_nocase(struct slice s);

#endif
