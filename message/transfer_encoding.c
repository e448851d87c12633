#include "message/transfer_encoding.h"

struct encoding_name {
	struct slice name;
	enum transfer_encoding encoding;
};

static const struct encoding_name encoding_names[] = {
	{ { "7bit", 4 }, ENCODING_IDENTITY },
	{ { "8bit", 4 }, ENCODING_IDENTITY },
	{ { "binary", 6 }, ENCODING_IDENTITY },
	{ { "base64", 6 }, ENCODING_BASE64 },
	{ { "quoted-printable", 16 }, ENCODING_QUOTED_PRINTABLE },
	{ { "x-uuencode", 10 }, ENCODING_UUENCODE },
	{ { "x-uue", 5 }, ENCODING_UUENCODE },
	{ { "x-uu", 4 }, ENCODING_UUENCODE },
	{ { "uuencode", 8 }, ENCODING_UUENCODE },
	{ { "uue", 3 }, ENCODING_UUENCODE },
	{ { "mac-binhex40", 12 }, ENCODING_BINHEX },
	{ { "mac-binhex", 10 }, ENCODING_BINHEX },
	{ { "x-binhex40", 10 }, ENCODING_BINHEX },
	/* Written by people who meant one of the above. */
	{ { "7-bit", 5 }, ENCODING_IDENTITY },
	{ { "8-bit", 5 }, ENCODING_IDENTITY },
	{ { "base-64", 7 }, ENCODING_BASE64 },
	{ { "x-base64", 8 }, ENCODING_BASE64 },
	{ { "b64", 3 }, ENCODING_BASE64 },
	{ { "quotedprintable", 15 }, ENCODING_QUOTED_PRINTABLE },
	{ { "x-quoted-printable", 18 }, ENCODING_QUOTED_PRINTABLE },
	{ { "qp", 2 }, ENCODING_QUOTED_PRINTABLE },
};
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define LONGEST_ENCODING 32u

/* The token in value: comments and quotes skipped, cut at ";" or ",". */
static struct slice encoding_token(struct slice value, char out[LONGEST_ENCODING])
{
	size_t len = 0;
	unsigned comment = 0;
	for (size_t i = 0; i < value.len && len < LONGEST_ENCODING; i++) {
		char c = value.data[i];
		if (c == '(')
			comment++;
		else if (c == ')' && comment > 0)
			comment--;
		else if (comment > 0 || c == '"' || c == '\'' || c == '\r' || c == '\n')
			continue;
		else if (c == ';' || c == ',' || (ascii_is_space(c) && len > 0))
			break;
		else if (!ascii_is_space(c))
			out[len++] = ascii_lower(c);
	}
	return slice_make(out, len);
}

enum transfer_encoding transfer_encoding_of(struct slice value)
{
	char lower[LONGEST_ENCODING];
	struct slice token = encoding_token(value, lower);
	for (size_t i = 0; i < COUNT(encoding_names); i++)
		if (slice_eq(token, encoding_names[i].name))
			return encoding_names[i].encoding;
	return token.len == 0 ? ENCODING_IDENTITY : ENCODING_UNKNOWN;
}

const char *transfer_encoding_name(enum transfer_encoding encoding)
{
	static const char *const names[] = {
		[ENCODING_IDENTITY] = "identity", [ENCODING_BASE64] = "base64",
		[ENCODING_QUOTED_PRINTABLE] = "quoted-printable", [ENCODING_UUENCODE] = "uuencode",
		[ENCODING_BINHEX] = "binhex", [ENCODING_UNKNOWN] = "unknown",
	};
	return encoding < COUNT(names) ? names[encoding] : "unknown";
}

struct decoded_bytes transfer_decode(struct arena *arena, struct slice body, enum transfer_encoding encoding)
{
	switch (encoding) {
	case ENCODING_BASE64:
		return base64_decode(arena, body);
	case ENCODING_QUOTED_PRINTABLE:
		return qp_decode(arena, body, false);
	case ENCODING_UUENCODE:
		return uu_decode(arena, body);
	case ENCODING_BINHEX:
		return binhex_decode(arena, body);
	case ENCODING_IDENTITY:
	case ENCODING_UNKNOWN:
		break;
	}
	return (struct decoded_bytes){ .bytes = body };
}

/* RFC 4648 4. */
enum { B64_FOREIGN, B64_SPACE, B64_PAD, B64_DIGIT = 0x80 };
#define B64(v) (B64_DIGIT | (v))
static const unsigned char base64_value[256] = {
	['A'] = B64(0), ['B'] = B64(1), ['C'] = B64(2), ['D'] = B64(3), ['E'] = B64(4), ['F'] = B64(5),
	['G'] = B64(6), ['H'] = B64(7), ['I'] = B64(8), ['J'] = B64(9), ['K'] = B64(10), ['L'] = B64(11),
	['M'] = B64(12), ['N'] = B64(13), ['O'] = B64(14), ['P'] = B64(15), ['Q'] = B64(16), ['R'] = B64(17),
	['S'] = B64(18), ['T'] = B64(19), ['U'] = B64(20), ['V'] = B64(21), ['W'] = B64(22), ['X'] = B64(23),
	['Y'] = B64(24), ['Z'] = B64(25), ['a'] = B64(26), ['b'] = B64(27), ['c'] = B64(28), ['d'] = B64(29),
	['e'] = B64(30), ['f'] = B64(31), ['g'] = B64(32), ['h'] = B64(33), ['i'] = B64(34), ['j'] = B64(35),
	['k'] = B64(36), ['l'] = B64(37), ['m'] = B64(38), ['n'] = B64(39), ['o'] = B64(40), ['p'] = B64(41),
	['q'] = B64(42), ['r'] = B64(43), ['s'] = B64(44), ['t'] = B64(45), ['u'] = B64(46), ['v'] = B64(47),
	['w'] = B64(48), ['x'] = B64(49), ['y'] = B64(50), ['z'] = B64(51), ['0'] = B64(52), ['1'] = B64(53),
	['2'] = B64(54), ['3'] = B64(55), ['4'] = B64(56), ['5'] = B64(57), ['6'] = B64(58), ['7'] = B64(59),
	['8'] = B64(60), ['9'] = B64(61), ['+'] = B64(62), ['/'] = B64(63), [' '] = B64_SPACE,
	['\t'] = B64_SPACE, ['\n'] = B64_SPACE, ['\v'] = B64_SPACE, ['\f'] = B64_SPACE, ['\r'] = B64_SPACE,
	['='] = B64_PAD,
};

/* Bytes that a quantum of n characters holds, cut off or padded. */
static size_t put_quantum(unsigned char *out, uint32_t bits, unsigned n)
{
	bits <<= 6 * (4 - n);
	size_t bytes = n == 0 ? 0 : n - 1;
	for (size_t i = 0; i < bytes; i++)
		out[i] = (unsigned char)(bits >> (16 - 8 * i));
	return bytes;
}

struct decoded_bytes base64_decode(struct arena *arena, struct slice text)
{
	unsigned char *out = arena_alloc(arena, text.len / 4 * 3 + 4);
	const unsigned char *p = (const unsigned char *)text.data, *end = p + text.len;
	struct decoded_bytes r = { 0 };
	size_t len = 0;
	uint32_t bits = 0;
	unsigned n = 0;
	bool padded = false;
	while (p < end) {
		if (n == 0) { /* whole quanta, as nearly all of a body is */
			while (end - p >= 4) {
				unsigned a = base64_value[p[0]], b = base64_value[p[1]];
				unsigned c = base64_value[p[2]], d = base64_value[p[3]];
				if (!(a & b & c & d & B64_DIGIT))
					break;
				uint32_t q = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
				out[len] = (unsigned char)(q >> 16);
				out[len + 1] = (unsigned char)(q >> 8);
				out[len + 2] = (unsigned char)q;
				len += 3;
				p += 4;
				r.dirty = r.dirty || padded;
			}
			if (p == end)
				break;
		}
		unsigned v = base64_value[*p++];
		if (v & B64_DIGIT) {
			r.dirty = r.dirty || (padded && n == 0);
			bits = bits << 6 | (v & 63);
			if (++n == 4) {
				len += put_quantum(out + len, bits, 4);
				n = 0;
				bits = 0;
			}
		} else if (v == B64_PAD) {
			r.dirty = r.dirty || n == 1 || (n == 0 && !padded);
			len += put_quantum(out + len, bits, n);
			n = 0;
			bits = 0;
			padded = true;
		} else if (v == B64_FOREIGN) {
			r.dirty = true;
		}
	}
	r.dirty = r.dirty || n > 0;
	len += put_quantum(out + len, bits, n);
	r.bytes = slice_make(out, len);
	return r;
}

/* Length of white space, then line end, at p; 0: p is not at such a place. */
static size_t trailing_space(const char *p, const char *end)
{
	const char *q = p;
	while (q < end && (*q == ' ' || *q == '\t'))
		q++;
	if (q + 1 < end && q[0] == '\r' && q[1] == '\n')
		return (size_t)(q - p);
	return q < end && *q == '\n' ? (size_t)(q - p) : 0;
}

/* Length of what follows "=" at a soft line break, 0 if it is none. */
static size_t soft_break(const char *p, const char *end)
{
	const char *q = p;
	while (q < end && (*q == ' ' || *q == '\t'))
		q++;
	if (q == end)
		return (size_t)(q - p);
	if (q + 1 < end && q[0] == '\r' && q[1] == '\n')
		return (size_t)(q - p) + 2;
	return *q == '\n' ? (size_t)(q - p) + 1 : 0;
}

struct decoded_bytes qp_decode(struct arena *arena, struct slice text, bool header)
{
	char *out = arena_alloc(arena, text.len + 1);
	const char *p = text.data, *end = p + text.len;
	struct decoded_bytes r = { 0 };
	size_t len = 0;
	while (p < end) {
		size_t skip;
		if (*p == '=' && end - p >= 3 && ascii_hex(p[1]) >= 0 && ascii_hex(p[2]) >= 0) {
			out[len++] = (char)(ascii_hex(p[1]) << 4 | ascii_hex(p[2]));
			p += 3;
		} else if (*p == '=' && ((skip = soft_break(p + 1, end)) > 0 || p + 1 == end)) {
			p += 1 + skip;
		} else if ((*p == ' ' || *p == '\t') && !header) {
			skip = trailing_space(p, end);
			if (skip > 0) {
				p += skip;
				continue;
			}
			/* The whole run, lest a long one be looked at from each of its places. */
			while (p < end && (*p == ' ' || *p == '\t'))
				out[len++] = *p++;
		} else {
			r.dirty = r.dirty || *p == '=';
			out[len++] = header && *p == '_' ? ' ' : *p;
			p++;
		}
	}
	r.bytes = slice_make(out, len);
	return r;
}

static struct slice take_line(struct slice *rest)
{
	size_t lf = slice_chr(*rest, '\n');
	struct slice line = lf == SLICE_NPOS ? *rest : slice_head(*rest, lf);
	*rest = lf == SLICE_NPOS ? SLICE_EMPTY : slice_from(*rest, lf + 1);
	return slice_trim_right(line);
}

/* "begin 644 name" */
static bool is_begin(struct slice line, struct slice *name_r)
{
	if (!slice_starts(line, SLICE("begin ")))
		return false;
	struct slice rest = slice_trim_left(slice_from(line, 6));
	size_t digits = 0;
	while (digits < rest.len && rest.data[digits] >= '0' && rest.data[digits] <= '7')
		digits++;
	if (digits < 3 || digits > 4 || digits >= rest.len || rest.data[digits] != ' ')
		return false;
	*name_r = slice_trim(slice_from(rest, digits));
	return name_r->len > 0;
}

bool uu_find(struct slice text, size_t *begin_r, struct slice *file_r, struct slice *name_r)
{
	struct slice rest = text;
	while (rest.len > 0) {
		struct slice here = rest, line = take_line(&rest);
		if (line.len > 0 && line.data[0] == 'b' && is_begin(line, name_r)) {
			*begin_r = (size_t)(here.data - text.data);
			*file_r = here;
			return true;
		}
	}
	return false;
}

static size_t uu_line(struct slice line, char *out, bool *dirty)
{
	size_t want = ((unsigned char)line.data[0] - 32) & 63, len = 0;
	for (size_t i = 1; i < line.len && len < want; i += 4) {
		uint32_t bits = 0;
		for (size_t j = 0; j < 4; j++) {
			unsigned char c = i + j < line.len ? (unsigned char)line.data[i + j] : ' ';
			*dirty = *dirty || c < 32 || c > 96;
			bits = bits << 6 | ((c - 32u) & 63);
		}
		for (int shift = 16; shift >= 0 && len < want; shift -= 8)
			out[len++] = (char)(bits >> shift);
	}
	*dirty = *dirty || len < want;
	return len;
}

struct decoded_bytes uu_decode(struct arena *arena, struct slice text)
{
	/* Short lines may claim 63 bytes, but give no more than they hold. */
	char *out = arena_alloc(arena, text.len + 4);
	struct decoded_bytes r = { 0 };
	struct slice rest = text, name;
	size_t begin, len = 0;
	if (uu_find(text, &begin, &rest, &name))
		take_line(&rest);
	while (rest.len > 0) {
		struct slice line = take_line(&rest);
		if (slice_eq(line, SLICE("end")))
			break;
		if (line.len > 1)
			len += uu_line(line, out + len, &r.dirty);
	}
	r.bytes = slice_make(out, len);
	return r;
}

/* RFC 1741: the alphabet, then runs (0x90 N), then a header with both forks' lengths. */
static const char binhex_alphabet[] = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

static size_t binhex_bits(struct slice text, unsigned char *out)
{
	unsigned char value[256];
	memset(value, 255, sizeof(value));
	for (unsigned char i = 0; i < 64; i++)
		value[(unsigned char)binhex_alphabet[i]] = i;
	uint32_t bits = 0;
	unsigned n = 0;
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned v = value[(unsigned char)text.data[i]];
		if (v == 255)
			continue;
		bits = bits << 6 | v;
		n += 6;
		if (n >= 8) {
			n -= 8;
			out[len++] = (unsigned char)(bits >> n);
		}
	}
	return len;
}

#define BINHEX_RUN 0x90
#define BINHEX_HEAD_TAIL 21u /* NUL, type, creator, flags, two lengths, CRC */

static size_t binhex_runs_len(const unsigned char *in, size_t len)
{
	size_t total = 0;
	for (size_t i = 0; i < len; i++) {
		if (in[i] != BINHEX_RUN)
			total++;
		else if (++i < len)
			total += in[i] == 0 ? 1 : in[i] - 1u;
	}
	return total;
}

static size_t binhex_runs(const unsigned char *in, size_t len, unsigned char *out)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (in[i] != BINHEX_RUN) {
			out[n++] = in[i];
		} else if (++i < len) {
			unsigned char last = n > 0 ? out[n - 1] : 0;
			if (in[i] == 0)
				out[n++] = BINHEX_RUN;
			for (unsigned k = 1; k < in[i]; k++)
				out[n++] = last;
		}
	}
	return n;
}

struct decoded_bytes binhex_decode(struct arena *arena, struct slice text)
{
	size_t colon = slice_find(text, SLICE("(This file"));
	struct slice data = slice_from(text, colon == SLICE_NPOS ? 0 : colon);
	colon = slice_chr(data, ':');
	data = slice_from(data, colon == SLICE_NPOS ? 0 : colon + 1);
	data = slice_head(data, slice_chr(data, ':'));
	unsigned char *packed = arena_alloc(arena, data.len + 1);
	size_t len = binhex_bits(data, packed);
	/* A run is at most 255 of two bytes: bounded by 128 times the text; files of runs are cut. */
	size_t total = binhex_runs_len(packed, len);
	if (total > text.len * 16 + 4096)
		return (struct decoded_bytes){ .bytes = slice_make(packed, len), .dirty = true };
	unsigned char *out = arena_alloc(arena, total + 1);
	len = binhex_runs(packed, len, out);
	if (len < 1 + out[0] + BINHEX_HEAD_TAIL)
		return (struct decoded_bytes){ .bytes = slice_make(out, len), .dirty = true };
	const unsigned char *lengths = out + 1 + out[0] + 1 + 4 + 4 + 2;
	size_t fork = (size_t)lengths[0] << 24 | (size_t)lengths[1] << 16 | (size_t)lengths[2] << 8 | lengths[3];
	struct slice bytes = slice_from(slice_make(out, len), 1 + out[0] + BINHEX_HEAD_TAIL);
	return (struct decoded_bytes){ .bytes = slice_head(bytes, fork), .dirty = fork > bytes.len };
}
