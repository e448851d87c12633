#include "base/slice.h"

bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static bool eq_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	return a.len == b.len && eq_nocase(a.data, b.data, a.len);
}

static int cmp_len(struct slice a, struct slice b)
{
	return a.len < b.len ? -1 : a.len > b.len;
}

int slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n == 0 ? 0 : memcmp(a.data, b.data, n);
	return c != 0 ? c : cmp_len(a, b);
}

int slice_cmp_nocase(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)ascii_lower(a.data[i]) - (unsigned char)ascii_lower(b.data[i]);
		if (c != 0)
			return c;
	}
	return cmp_len(a, b);
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq(slice_head(s, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq_nocase(slice_head(s, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len && slice_eq(slice_from(s, s.len - suffix.len), suffix);
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len && slice_eq_nocase(slice_from(s, s.len - suffix.len), suffix);
}

size_t slice_find(struct slice s, struct slice needle)
{
	if (needle.len == 0)
		return 0;
	if (s.len < needle.len)
		return SLICE_NPOS;
	const char *at = memmem(s.data, s.len, needle.data, needle.len);
	return at ? (size_t)(at - s.data) : SLICE_NPOS;
}

size_t slice_find_nocase(struct slice s, struct slice needle)
{
	for (size_t i = 0; i + needle.len <= s.len; i++)
		if (eq_nocase(s.data + i, needle.data, needle.len))
			return i;
	return SLICE_NPOS;
}

size_t slice_chr(struct slice s, char c)
{
	const char *at = s.len ? memchr(s.data, c, s.len) : NULL;
	return at ? (size_t)(at - s.data) : SLICE_NPOS;
}

size_t slice_rchr(struct slice s, char c)
{
	const char *at = s.len ? memrchr(s.data, c, s.len) : NULL;
	return at ? (size_t)(at - s.data) : SLICE_NPOS;
}

struct slice slice_trim_left(struct slice s)
{
	while (s.len > 0 && ascii_is_space(s.data[0]))
		s = slice_from(s, 1);
	return s;
}

struct slice slice_trim_right(struct slice s)
{
	while (s.len > 0 && ascii_is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

struct slice slice_trim(struct slice s)
{
	return slice_trim_left(slice_trim_right(s));
}

bool slice_split(struct slice *rest, char sep, struct slice *piece_r)
{
	if (rest->data == NULL)
		return false;
	size_t at = slice_chr(*rest, sep);
	if (at == SLICE_NPOS) {
		*piece_r = *rest;
		*rest = SLICE_EMPTY;
	} else {
		*piece_r = slice_head(*rest, at);
		*rest = slice_from(*rest, at + 1);
	}
	return true;
}

bool slice_u64(struct slice s, uint64_t max, uint64_t *value_r)
{
	uint64_t value = 0;
	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!ascii_is_digit(s.data[i]))
			return false;
		uint64_t digit = (uint64_t)(s.data[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*value_r = value;
	return true;
}

#define FNV_OFFSET 0xcbf29ce484222325u /* draft-eastlake-fnv, 64 bits */
#define FNV_PRIME 0x100000001b3u

uint64_t slice_hash(struct slice s)
{
	uint64_t h = FNV_OFFSET;
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.data[i]) * FNV_PRIME;
	return h;
}

uint64_t slice_hash_nocase(struct slice s)
{
	uint64_t h = FNV_OFFSET;
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)ascii_lower(s.data[i])) * FNV_PRIME;
	return h;
}

/* Goes back to the last star only. */
bool slice_glob(struct slice pattern, struct slice text)
{
	size_t p = 0, t = 0, star = SLICE_NPOS, from = 0;
	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len && (pattern.data[p] == '?' ||
					       ascii_lower(pattern.data[p]) == ascii_lower(text.data[t]))) {
			p++;
			t++;
		} else if (star != SLICE_NPOS) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}
