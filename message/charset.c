/*
 * The only module that includes iconv.h. Charsets of one octet a character
 * become tables at start; for the others each thread opens its own iconv
 * handle. The handles that charset_preload() opens stay open for the life of
 * the process, so that no module is unloaded and looked for on disk again.
 */
#include "message/charset.h"

#include <errno.h>
#include <iconv.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "message/charset_tables.h"

#define MAX_CHARSETS 128u
#define LABEL_SLOTS 1024u  /* power of two, over twice the labels there are */
#define LONGEST_LABEL 48u
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define REPLACEMENT_CODE 0xfffdu

static struct {
	uint16_t single[MAX_CHARSETS][256];
	bool present[MAX_CHARSETS];
	iconv_t kept[MAX_CHARSETS]; /* never closed, never used */
	const char *label[LABEL_SLOTS];
	uint8_t target[LABEL_SLOTS];
	size_t count;
	pthread_key_t key;
} made;

static size_t squeeze(struct slice label, char out[LONGEST_LABEL])
{
	size_t len = 0;
	for (size_t i = 0; i < label.len && label.data[i] != '*'; i++) {
		if (!ascii_is_alnum(label.data[i]))
			continue;
		if (len == LONGEST_LABEL)
			return 0;
		out[len++] = ascii_lower(label.data[i]);
	}
	return len;
}

static size_t label_slot(struct slice squeezed)
{
	size_t slot = slice_hash(squeezed) & (LABEL_SLOTS - 1);
	while (made.label[slot] != NULL && !slice_eq(slice_str(made.label[slot]), squeezed))
		slot = (slot + 1) & (LABEL_SLOTS - 1);
	return slot;
}

static void add_label(const char *label, size_t target)
{
	size_t slot = label_slot(slice_str(label));
	made.label[slot] = label;
	made.target[slot] = (uint8_t)target;
}

size_t charset_index(const char *name)
{
	size_t i = 0;
	while (i < charset_count && strcmp(charset_list[i].name, name) != 0)
		i++;
	return i;
}

/* The one code point that an octet is, 0xfffd if none. */
static uint16_t single_code(iconv_t cd, unsigned char octet)
{
	char in = (char)octet, out[8], *from = &in, *to = out;
	size_t from_len = 1, to_len = sizeof(out);
	uint32_t code;
	iconv(cd, NULL, NULL, NULL, NULL);
	if (iconv(cd, &from, &from_len, &to, &to_len) == (size_t)-1)
		return REPLACEMENT_CODE;
	iconv(cd, NULL, NULL, &to, &to_len);
	struct slice made_of = slice_make(out, sizeof(out) - to_len);
	if (utf8_next(made_of, &code) != made_of.len || made_of.len == 0 || code > 0xffff)
		return REPLACEMENT_CODE;
	return (uint16_t)code;
}

static bool is_iconv(enum charset_kind kind)
{
	return kind == CHARSET_SINGLE || kind == CHARSET_ICONV;
}

static void open_one(size_t i)
{
	made.present[i] = true;
	if (!is_iconv(charset_list[i].kind))
		return;
	iconv_t cd = iconv_open("UTF-8", charset_list[i].name);
	made.present[i] = cd != (iconv_t)-1;
	if (!made.present[i])
		return;
	if (charset_list[i].kind == CHARSET_ICONV) {
		made.kept[i] = cd;
		return;
	}
	for (unsigned octet = 0; octet < 256; octet++)
		made.single[i][octet] = single_code(cd, (unsigned char)octet);
	iconv_close(cd);
}

static void close_handles(void *arg)
{
	iconv_t *handles = arg;
	for (size_t i = 0; i < charset_count; i++)
		if (handles[i] != (iconv_t)0)
			iconv_close(handles[i]);
	free(handles);
}

static void make_all(void)
{
	static char squeezed[MAX_CHARSETS][LONGEST_LABEL + 1];
	if (charset_count > MAX_CHARSETS || charset_alias_count * 2 > LABEL_SLOTS)
		abort(); /* the tables outgrew their room */
	pthread_key_create(&made.key, close_handles);
	for (size_t i = 0; i < charset_count; i++) {
		open_one(i);
		if (!made.present[i])
			continue;
		made.count++;
		squeezed[i][squeeze(slice_str(charset_list[i].name), squeezed[i])] = '\0';
		add_label(squeezed[i], i);
	}
	for (size_t i = 0; i < charset_alias_count; i++) {
		size_t target = charset_index(charset_aliases[i].name);
		if (target < charset_count && made.present[target])
			add_label(charset_aliases[i].label, target);
	}
}

static void make_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_all);
}

size_t charset_preload(void)
{
	make_once();
	return made.count;
}

const uint16_t *charset_single_map(size_t index)
{
	make_once();
	return index < charset_count && charset_list[index].kind == CHARSET_SINGLE ? made.single[index] : NULL;
}

static bool find_label(struct slice label, size_t *index_r)
{
	char buf[LONGEST_LABEL];
	make_once();
	size_t len = squeeze(label, buf);
	size_t slot = label_slot(slice_make(buf, len));
	if (len == 0 || made.label[slot] == NULL)
		return false;
	*index_r = made.target[slot];
	return true;
}

const char *charset_find(struct slice label)
{
	size_t index;
	return find_label(label, &index) ? charset_list[index].name : NULL;
}

/* Converters: each makes UTF-8 of in, sets *bad when something was replaced. */

static size_t put_code(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 63));
		out[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 63));
	out[2] = (char)(0x80 | (code >> 6 & 63));
	out[3] = (char)(0x80 | (code & 63));
	return 4;
}

/* Octets up to the first with its high bit set. */
static size_t ascii_run(struct slice s)
{
	size_t i = 0;
	uint64_t word;
	for (; i + sizeof(word) <= s.len; i += sizeof(word)) {
		memcpy(&word, s.data + i, sizeof(word));
		if (word & 0x8080808080808080u)
			break;
	}
	while (i < s.len && !((unsigned char)s.data[i] & 0x80))
		i++;
	return i;
}

static struct slice from_single(struct arena *arena, struct slice in, const uint16_t map[256], bool *bad)
{
	size_t high = 0;
	for (size_t i = 0; i < in.len; i++)
		high += map[(unsigned char)in.data[i]] >= 0x80;
	char *out = arena_alloc(arena, in.len + 2 * high + 1);
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		uint16_t code = map[(unsigned char)in.data[i]];
		*bad = *bad || code == REPLACEMENT_CODE;
		len += put_code(out + len, code);
	}
	return slice_make(out, len);
}

static struct slice repair_utf8(struct arena *arena, struct slice in, bool *bad)
{
	char *out = arena_alloc(arena, in.len * 3 + 1);
	size_t len = 0;
	while (in.len > 0) {
		size_t n = ascii_run(in);
		if (n == 0)
			n = utf8_next(in, NULL);
		if (n == 0) {
			memcpy(out + len, REPLACEMENT, 3);
			len += 3;
			*bad = true;
			n = 1;
		} else {
			memcpy(out + len, in.data, n);
			len += n;
		}
		in = slice_from(in, n);
	}
	return slice_make(out, len);
}

static uint32_t utf16_unit(struct slice in, size_t at, bool big)
{
	uint32_t a = (unsigned char)in.data[at], b = (unsigned char)in.data[at + 1];
	return big ? a << 8 | b : b << 8 | a;
}

static struct slice from_utf16(struct arena *arena, struct slice in, bool big, bool *bad)
{
	char *out = arena_alloc(arena, in.len / 2 * 3 + 4);
	size_t len = 0, i = 0;
	for (; i + 2 <= in.len; i += 2) {
		uint32_t code = utf16_unit(in, i, big);
		if (code >= 0xd800 && code < 0xdc00 && i + 4 <= in.len) {
			uint32_t low = utf16_unit(in, i + 2, big);
			if (low >= 0xdc00 && low < 0xe000) {
				code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
				i += 2;
			}
		}
		if (code >= 0xd800 && code < 0xe000) {
			code = REPLACEMENT_CODE;
			*bad = true;
		}
		if (code != 0xfeff || i > 1)
			len += put_code(out + len, code);
	}
	*bad = *bad || i < in.len;
	return slice_make(out, len);
}

static struct slice from_utf32(struct arena *arena, struct slice in, bool *bad)
{
	char *out = arena_alloc(arena, in.len + 4);
	size_t len = 0, zeros[2] = { 0, 0 };
	for (size_t i = 0; i + 4 <= in.len; i += 4) {
		zeros[0] += in.data[i] == 0;
		zeros[1] += in.data[i + 3] == 0;
	}
	bool big = zeros[0] >= zeros[1];
	for (size_t i = 0; i + 4 <= in.len; i += 4) {
		uint32_t high = utf16_unit(in, i, big), low = utf16_unit(in, i + 2, big);
		uint32_t code = big ? high << 16 | low : low << 16 | high;
		if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
			code = REPLACEMENT_CODE;
			*bad = true;
		}
		if (code != 0xfeff || i > 0)
			len += put_code(out + len, code);
	}
	return slice_make(out, len);
}

static iconv_t thread_handle(size_t index)
{
	iconv_t *handles = pthread_getspecific(made.key);
	if (handles == NULL) {
		handles = xcalloc(charset_count, sizeof(*handles));
		pthread_setspecific(made.key, handles);
	}
	if (handles[index] == (iconv_t)0)
		handles[index] = iconv_open("UTF-8", charset_list[index].name);
	iconv(handles[index], NULL, NULL, NULL, NULL);
	return handles[index];
}

/* Of all these charsets no octet makes more than three. */
#define ICONV_GROWTH 3u

static struct slice from_iconv(struct arena *arena, struct slice in, size_t index, bool *bad)
{
	size_t room = in.len * ICONV_GROWTH + 16;
	char *out = arena_alloc(arena, room), *to = out, *from = (char *)(uintptr_t)in.data;
	size_t from_len = in.len, to_len = room;
	iconv_t cd = thread_handle(index);
	while (from_len > 0) {
		if (iconv(cd, &from, &from_len, &to, &to_len) != (size_t)-1)
			break;
		if (errno == E2BIG || to_len < 3)
			break;
		*bad = true;
		memcpy(to, REPLACEMENT, 3);
		to += 3;
		to_len -= 3;
		if (errno == EINVAL || from_len == 0) /* 0: it took a bad octet, and says so behind it */
			break;
		from++;
		from_len--;
	}
	iconv(cd, NULL, NULL, &to, &to_len);
	return slice_make(out, room - to_len);
}

/* RFC 1843: "~{" and "~}" switch to and from GB 2312 in seven bits. */
static struct slice from_hz(struct arena *arena, struct slice in, bool *bad)
{
	char *gb = arena_alloc(arena, in.len + 1);
	size_t len = 0;
	bool shifted = false;
	for (size_t i = 0; i < in.len; i++) {
		char c = in.data[i], next = i + 1 < in.len ? in.data[i + 1] : '\0';
		if (c == '~' && (next == '{' || next == '}')) {
			shifted = next == '{';
			i++;
		} else if (c == '~' && next == '~') {
			gb[len++] = '~';
			i++;
		} else if (c == '~' && next == '\n') {
			i++;
		} else if (c == '\n' || c == '\r' || !shifted) {
			shifted = shifted && c != '\n';
			gb[len++] = c;
		} else {
			gb[len++] = (char)(c | 0x80);
		}
	}
	return from_iconv(arena, slice_make(gb, len), charset_index("GB18030"), bad);
}

/* Escape sequences of ISO-2022-JP and what a character is after each. */
static const struct {
	struct slice escape;
	char set; /* B: ASCII, I: half-width katakana, 0: JIS X 0208, 2: JIS X 0212 */
} jp_escapes[] = {
	{ { "\x1b(B", 3 }, 'B' }, { { "\x1b(J", 3 }, 'B' }, { { "\x1b(H", 3 }, 'B' }, { { "\x1b(I", 3 }, 'I' },
	{ { "\x1b$@", 3 }, '0' }, { { "\x1b$B", 3 }, '0' }, { { "\x1b$(@", 4 }, '0' }, { { "\x1b$(B", 4 }, '0' },
	{ { "\x1b$(D", 4 }, '2' },
};

static size_t jp_escape(struct slice at, char *set)
{
	for (size_t i = 0; i < sizeof(jp_escapes) / sizeof(*jp_escapes); i++)
		if (slice_starts(at, jp_escapes[i].escape)) {
			*set = jp_escapes[i].set;
			return jp_escapes[i].escape.len;
		}
	return 0;
}

static struct slice from_iso2022jp(struct arena *arena, struct slice in, bool *bad)
{
	char *euc = arena_alloc(arena, in.len * 2 + 1), set = 'B';
	size_t len = 0;
	for (size_t i = 0; i < in.len; i++) {
		char c = in.data[i];
		size_t escape = c == '\x1b' ? jp_escape(slice_from(in, i), &set) : 0;
		if (escape > 0) {
			i += escape - 1;
			continue;
		}
		if (c == '\n' || c == '\r')
			set = 'B'; /* RFC 1468: a line ends in ASCII, escape or not */
		if (set == 'B' || (unsigned char)c <= ' ' || (unsigned char)c >= 0x7f) {
			euc[len++] = c;
		} else if (set == 'I') {
			euc[len++] = '\x8e';
			euc[len++] = (char)(c | 0x80);
		} else if (i + 1 < in.len && in.data[i + 1] > ' ') {
			if (set == '2')
				euc[len++] = '\x8f';
			euc[len++] = (char)(c | 0x80);
			euc[len++] = (char)(in.data[++i] | 0x80);
		} else {
			*bad = true;
		}
	}
	return from_iconv(arena, slice_make(euc, len), charset_index("EUC-JP-MS"), bad);
}

static bool utf16_is_big(struct slice in)
{
	size_t zero[2] = { 0, 0 };
	if (in.len >= 2 && utf16_unit(in, 0, true) == 0xfeff)
		return true;
	if (in.len >= 2 && utf16_unit(in, 0, false) == 0xfeff)
		return false;
	for (size_t i = 0; i + 2 <= in.len; i += 2) {
		zero[0] += in.data[i] == 0;
		zero[1] += in.data[i + 1] == 0;
	}
	return zero[0] >= zero[1];
}

static bool utf16_marked(struct slice in)
{
	return in.len >= 2 && (utf16_unit(in, 0, true) == 0xfeff || utf16_unit(in, 0, false) == 0xfeff);
}

static struct slice convert(struct arena *arena, struct slice in, size_t index, bool *bad)
{
	switch (charset_list[index].kind) {
	case CHARSET_SINGLE:
		return from_single(arena, in, made.single[index], bad);
	case CHARSET_ICONV:
		return from_iconv(arena, in, index, bad);
	case CHARSET_UTF16:
		return from_utf16(arena, in, utf16_is_big(in), bad);
	case CHARSET_UTF16LE:
	case CHARSET_UTF16BE:
		if (utf16_marked(in))
			return from_utf16(arena, in, utf16_is_big(in), bad);
		return from_utf16(arena, in, charset_list[index].kind == CHARSET_UTF16BE, bad);
	case CHARSET_UTF32:
		return from_utf32(arena, in, bad);
	case CHARSET_HZ:
		return from_hz(arena, in, bad);
	case CHARSET_ISO2022JP:
		return from_iso2022jp(arena, in, bad);
	case CHARSET_ASCII:
	case CHARSET_UTF8:
		break;
	}
	return repair_utf8(arena, in, bad);
}

/* How the octets of 8 bits in s look as UTF-8. */
struct utf8_look {
	size_t good; /* characters of several octets */
	size_t longer; /* of three or four */
	size_t bad;  /* octets that are in none */
	bool cut;    /* the only bad ones are a character cut off at the end */
};

static struct utf8_look look_utf8(struct slice s)
{
	struct utf8_look look = { 0 };
	while (s.len > 0) {
		size_t n = ascii_run(s);
		s = slice_from(s, n);
		if (s.len == 0)
			break;
		n = utf8_next(s, NULL);
		look.good += n > 0;
		look.longer += n > 2;
		if (n == 0) {
			look.cut = look.bad == 0 && s.len < 4;
			look.bad++;
		}
		s = slice_from(s, n > 0 ? n : 1);
	}
	return look;
}

static bool is_utf8(const struct utf8_look *look)
{
	return look->good > 0 && (look->bad == 0 || look->cut);
}

/* Mostly UTF-8, damaged: the label and the majority of the octets agree. */
static bool is_damaged_utf8(const struct utf8_look *look)
{
	return look->good >= look->bad * 4 || (look->good > 0 && look->longer >= look->bad * 2);
}

/* Chinese, Japanese and Korean without a space or a line's end have no zero octet in UTF-16. */
static bool all_east_asian(struct slice in, enum charset_kind kind)
{
	bool big = kind == CHARSET_UTF16 ? utf16_is_big(in) : kind == CHARSET_UTF16BE;
	if (in.len == 0 || in.len % 2 != 0)
		return false;
	for (size_t i = 0; i < in.len; i += 2) {
		uint32_t unit = utf16_unit(in, i, big);
		if (!(unit >= 0x3000 && unit <= 0x9fff) && !(unit >= 0xac00 && unit <= 0xd7a3) &&
		    !(unit >= 0xff00 && unit <= 0xffef))
			return false;
	}
	return true;
}

/* The charset by label and bytes. in holds something that is not ASCII, or
 * the label is of a charset that ASCII bytes can't be taken for granted in. */
static size_t choose(struct slice in, size_t labelled, bool known, bool obey, struct charset_info *info)
{
	const size_t utf8 = 1;
	enum charset_kind kind = known ? charset_list[labelled].kind : CHARSET_ASCII;
	struct utf8_look look = look_utf8(in);
	if (known && charset_list[labelled].not_ascii) {
		bool utf16 = kind == CHARSET_UTF16 || kind == CHARSET_UTF16LE || kind == CHARSET_UTF16BE;
		if (!utf16 || utf16_marked(in) || slice_chr(in, '\0') != SLICE_NPOS || obey)
			return labelled;
		if (look.bad > 0 && all_east_asian(in, kind))
			return labelled;
		known = false; /* UTF-16 without a zero octet: a wrong label */
	}
	if (known && kind == CHARSET_UTF8 && (look.bad == 0 || look.cut || is_damaged_utf8(&look)))
		return utf8;
	if (known && kind != CHARSET_ASCII && kind != CHARSET_UTF8) {
		/* Two-octet charsets make valid UTF-8 by chance, hardly several longer characters. */
		if (obey || !is_utf8(&look) || (kind == CHARSET_ICONV && look.longer < 3))
			return labelled;
	}
	info->guessed = true;
	if (is_utf8(&look))
		return utf8;
	size_t guess = charset_guess(in);
	return look.bad == 0 && !charset_list[guess].not_ascii ? 0 : guess;
}

static struct slice to_utf8(struct arena *arena, struct slice in, struct slice label, bool obey,
			    struct charset_info *info)
{
	size_t index = 0;
	*info = (struct charset_info){ .used = "US-ASCII" };
	bool labelled = label.len > 0;
	bool known = labelled && find_label(label, &index);
	info->unknown_label = labelled && !known;
	bool plain = ascii_run(in) == in.len;
	bool odd = plain && !labelled && (slice_chr(in, '\x1b') != SLICE_NPOS || slice_chr(in, '\0') != SLICE_NPOS);
	if (in.len == 0 || (plain && !(known && charset_list[index].not_ascii) && !odd)) {
		info->guessed = info->unknown_label;
		return in;
	}
	make_once();
	index = choose(in, index, known, obey, info);
	info->used = charset_list[index].name;
	bool bad = false;
	if (charset_list[index].kind == CHARSET_UTF8 && utf8_valid(in))
		return slice_starts(in, SLICE("\xef\xbb\xbf")) ? slice_from(in, 3) : in;
	struct slice out = convert(arena, in, index, &bad);
	info->invalid = bad;
	return out;
}

struct slice charset_to_utf8(struct arena *arena, struct slice bytes, struct slice label,
			     struct charset_info *info_r)
{
	struct charset_info info;
	return to_utf8(arena, bytes, label, false, info_r ? info_r : &info);
}

struct slice charset_to_utf8_as_said(struct arena *arena, struct slice bytes, struct slice label,
				     struct charset_info *info_r)
{
	struct charset_info info;
	return to_utf8(arena, bytes, label, true, info_r ? info_r : &info);
}
