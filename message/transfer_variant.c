#include "message/transfer_variant.h"

#define LOOK_HEAD 65536u
#define LOOK_TAIL 2048u

static bool is_base64_char(char c)
{
	return ascii_is_alnum(c) || c == '+' || c == '/';
}

static bool is_clean_char(char c)
{
	return is_base64_char(c) || c == '=' || ascii_is_space(c);
}

/* Foreign characters, or padding anywhere but at the end. */
static bool base64_is_dirty(struct slice s)
{
	bool padded = false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_clean_char(s.data[i]) || (padded && is_base64_char(s.data[i])))
			return true;
		padded = padded || s.data[i] == '=';
	}
	return false;
}

static bool qp_is_dirty(struct slice s)
{
	for (size_t i = 0; i + 2 < s.len; i++) {
		if (s.data[i] != '=' || (ascii_hex(s.data[i + 1]) >= 0 && ascii_hex(s.data[i + 2]) >= 0))
			continue;
		size_t k = i + 1;
		while (k < s.len && (s.data[k] == ' ' || s.data[k] == '\t'))
			k++;
		if (k < s.len && s.data[k] != '\r' && s.data[k] != '\n')
			return true;
	}
	return false;
}

bool transfer_is_dirty(struct slice body, enum transfer_encoding encoding)
{
	struct slice head = slice_head(body, LOOK_HEAD);
	struct slice tail = slice_from(body, body.len > LOOK_TAIL ? body.len - LOOK_TAIL : 0);
	if (encoding == ENCODING_BASE64)
		return base64_is_dirty(head) || base64_is_dirty(tail);
	return encoding == ENCODING_QUOTED_PRINTABLE && qp_is_dirty(head);
}

/* Each line treated by keep(), which says how much of it stays. */
static struct slice keep_of_lines(struct arena *arena, struct slice body, size_t (*keep)(struct slice))
{
	char *out = arena_alloc(arena, body.len + 1);
	size_t len = 0;
	while (body.len > 0) {
		size_t lf = slice_chr(body, '\n');
		struct slice line = slice_head(body, lf);
		size_t n = keep(line);
		memcpy(out + len, line.data, n);
		len += n;
		body = slice_from(body, lf == SLICE_NPOS ? body.len : lf + 1);
	}
	return slice_make(out, len);
}

static size_t up_to_foreign(struct slice line)
{
	size_t i = 0;
	while (i < line.len && is_clean_char(line.data[i]))
		i++;
	return i;
}

static size_t if_all_clean(struct slice line)
{
	return up_to_foreign(line) == line.len ? line.len : 0;
}

static struct slice replace_padding(struct arena *arena, struct slice body, char by)
{
	struct slice body_end = slice_trim_right(body);
	while (body_end.len > 0 && body_end.data[body_end.len - 1] == '=')
		body_end.len--;
	char *out = arena_alloc(arena, body_end.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < body_end.len; i++) {
		if (body_end.data[i] != '=')
			out[len++] = body_end.data[i];
		else if (by != '\0')
			out[len++] = by;
	}
	return slice_make(out, len);
}

/* Four characters are a quantum, padding among them counted: put it at the quantum's end. */
static struct slice pad_last(struct arena *arena, struct slice body)
{
	char *out = arena_alloc(arena, body.len + 4), quad[4];
	size_t len = 0, n = 0, pads = 0;
	for (size_t i = 0; i < body.len; i++) {
		if (body.data[i] == '=')
			pads++;
		else if (is_base64_char(body.data[i]))
			quad[n++] = body.data[i];
		if (n + pads < 4)
			continue;
		memcpy(out + len, quad, n);
		len += n;
		memset(out + len, '=', pads);
		len += pads;
		n = pads = 0;
	}
	memcpy(out + len, quad, n);
	return slice_make(out, len + n);
}

static struct slice up_to_padding(struct slice body)
{
	size_t pad = slice_chr(body, '=');
	if (pad == SLICE_NPOS)
		return body;
	return slice_head(body, pad);
}

/* Without the escapes that are none, and what seems to belong to them. */
static struct slice drop_bad_escapes(struct arena *arena, struct slice body)
{
	char *out = arena_alloc(arena, body.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < body.len; i++) {
		char a = i + 1 < body.len ? body.data[i + 1] : '\n', b = i + 2 < body.len ? body.data[i + 2] : '\n';
		bool good = ascii_hex(a) >= 0 && ascii_hex(b) >= 0;
		if (body.data[i] != '=' || good || a == '\r' || a == '\n') {
			out[len++] = body.data[i];
		} else if (ascii_hex(a) >= 0) {
			i++;
		} else if (a == ' ' || a == '\t') {
			size_t k = i + 1;
			while (k < body.len && (body.data[k] == ' ' || body.data[k] == '\t'))
				k++;
			if (k == body.len || body.data[k] == '\r' || body.data[k] == '\n')
				out[len++] = '=';
			i = k - 1;
		}
	}
	return slice_make(out, len);
}

struct variants {
	struct slice first; /* the likeliest reading */
	struct slice *list;
	size_t count;
};

static void add_variant(struct variants *v, struct slice bytes)
{
	if (slice_eq(bytes, v->first) || v->count == TRANSFER_VARIANTS_MAX)
		return;
	for (size_t i = 0; i < v->count; i++)
		if (slice_eq(v->list[i], bytes))
			return;
	v->list[v->count++] = bytes;
}

size_t transfer_variants(struct arena *arena, struct slice body, enum transfer_encoding encoding,
			 struct slice list[TRANSFER_VARIANTS_MAX])
{
	struct variants v = { .list = list };
	if (encoding == ENCODING_QUOTED_PRINTABLE) {
		v.first = qp_decode(arena, body, false).bytes;
		add_variant(&v, qp_decode(arena, drop_bad_escapes(arena, body), false).bytes);
	}
	if (encoding == ENCODING_BASE64) {
		v.first = base64_decode(arena, body).bytes;
		struct slice whole_lines = keep_of_lines(arena, body, if_all_clean);
		add_variant(&v, base64_decode(arena, whole_lines).bytes);
		add_variant(&v, base64_decode(arena, keep_of_lines(arena, body, up_to_foreign)).bytes);
		add_variant(&v, base64_decode(arena, up_to_padding(whole_lines)).bytes);
		add_variant(&v, base64_decode(arena, pad_last(arena, body)).bytes);
		add_variant(&v, base64_decode(arena, replace_padding(arena, body, 'A')).bytes);
		add_variant(&v, base64_decode(arena, replace_padding(arena, body, '\0')).bytes);
	}
	return v.count;
}
