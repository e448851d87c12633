#include "tests/lib/json_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

struct reader {
	struct arena *arena;
	struct slice in;
	size_t at;
};

static void die(const struct reader *r, const char *what)
{
	fprintf(stderr, "json_read: %s at %zu\n", what, r->at);
	abort();
}

static char peek(struct reader *r)
{
	while (r->at < r->in.len && ascii_is_space(r->in.data[r->at]))
		r->at++;
	return r->at < r->in.len ? r->in.data[r->at] : '\0';
}

static void expect(struct reader *r, char c)
{
	if (peek(r) != c)
		die(r, "unexpected character");
	r->at++;
}

static unsigned hex4(struct reader *r)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		int digit = r->at < r->in.len ? ascii_hex(r->in.data[r->at++]) : -1;
		if (digit < 0)
			die(r, "bad \\u");
		value = value * 16 + (unsigned)digit;
	}
	return value;
}

static void add_utf8(struct buf *b, unsigned c)
{
	if (c >= 0x10000) {
		buf_add_char(b, (char)(0xf0 | c >> 18));
		buf_add_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
	} else if (c >= 0x800) {
		buf_add_char(b, (char)(0xe0 | c >> 12));
	}
	if (c >= 0x800)
		buf_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
	else if (c >= 0x80)
		buf_add_char(b, (char)(0xc0 | c >> 6));
	buf_add_char(b, c >= 0x80 ? (char)(0x80 | (c & 0x3f)) : (char)c);
}

static void escape(struct reader *r, struct buf *b)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	char c = r->at < r->in.len ? r->in.data[r->at++] : '\0';
	const char *at = c != '\0' ? strchr(from, c) : NULL;
	if (at != NULL) {
		buf_add_char(b, to[at - from]);
		return;
	}
	if (c != 'u')
		die(r, "bad escape");
	unsigned code = hex4(r);
	if (code >= 0xd800 && code < 0xdc00 && slice_starts(slice_from(r->in, r->at), SLICE("\\u"))) {
		r->at += 2;
		code = 0x10000 + ((code - 0xd800) << 10) + (hex4(r) - 0xdc00);
	}
	add_utf8(b, code);
}

static struct slice string(struct reader *r)
{
	struct buf b = { 0 };
	expect(r, '"');
	while (r->at < r->in.len && r->in.data[r->at] != '"') {
		char c = r->in.data[r->at++];
		if (c == '\\')
			escape(r, &b);
		else
			buf_add_char(&b, c);
	}
	if (r->at == r->in.len)
		die(r, "unclosed string");
	r->at++;
	struct slice s = arena_copy(r->arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

static struct json_value *value(struct reader *r, unsigned depth);

static void members(struct reader *r, struct json_value *v, char close, unsigned depth)
{
	struct json_value **end = &v->first;
	r->at++;
	while (peek(r) != close) {
		struct slice key = SLICE_EMPTY;
		if (v->first != NULL)
			expect(r, ',');
		if (v->kind == JSON_OBJECT) {
			key = (peek(r), string(r));
			expect(r, ':');
		}
		*end = value(r, depth + 1);
		(*end)->key = key;
		end = &(*end)->next;
	}
	r->at++;
}

static void word(struct reader *r, struct json_value *v)
{
	static const struct {
		const char *text;
		enum json_kind kind;
		bool truth;
	} words[] = { { "null", JSON_NULL, false },
		      { "true", JSON_BOOL, true },
		      { "false", JSON_BOOL, false } };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_starts(slice_from(r->in, r->at), slice_str(words[i].text))) {
			v->kind = words[i].kind;
			v->truth = words[i].truth;
			r->at += strlen(words[i].text);
			return;
		}
	char *end;
	v->kind = JSON_NUMBER;
	v->number = strtod(r->in.data + r->at, &end); /* the file ends in a NUL */
	if (end == r->in.data + r->at)
		die(r, "bad value");
	r->at = (size_t)(end - r->in.data);
}

static struct json_value *value(struct reader *r, unsigned depth)
{
	struct json_value *v = arena_new(r->arena, struct json_value);
	if (depth > 64)
		die(r, "too deep");
	switch (peek(r)) {
	case '{':
		v->kind = JSON_OBJECT;
		members(r, v, '}', depth);
		break;
	case '[':
		v->kind = JSON_ARRAY;
		members(r, v, ']', depth);
		break;
	case '"':
		v->kind = JSON_STRING;
		v->text = string(r);
		break;
	default:
		word(r, v);
	}
	return v;
}

const struct json_value *json_read(struct arena *arena, struct slice text)
{
	struct reader r = { arena, text, 0 };
	return value(&r, 0);
}

const struct json_value *json_get(const struct json_value *object, const char *key)
{
	static const struct json_value none;
	for (const struct json_value *m = object->first; m != NULL; m = m->next)
		if (slice_eq(m->key, slice_str(key)))
			return m;
	return &none;
}

struct slice json_text(const struct json_value *object, const char *key)
{
	return json_get(object, key)->text;
}
