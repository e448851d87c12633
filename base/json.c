#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

struct json json_begin(struct buf *out)
{
	return (struct json){ .out = out };
}

static uint64_t level(const struct json *j)
{
	return UINT64_C(1) << j->depth;
}

/* What stands before a value: a comma, unless it is the first or has a key. */
static void before_value(struct json *j)
{
	if (j->keyed) {
		j->keyed = false;
		return;
	}
	assert(j->depth == 0 || (j->arrays & level(j)));
	if (j->depth > 0 && (j->filled & level(j)))
		buf_add_char(j->out, ',');
	j->filled |= level(j);
}

static void open_level(struct json *j, char c, bool array)
{
	before_value(j);
	assert(j->depth < JSON_DEPTH);
	j->depth++;
	j->arrays = array ? j->arrays | level(j) : j->arrays & ~level(j);
	j->filled &= ~level(j);
	buf_add_char(j->out, c);
}

static void close_level(struct json *j, char c, bool array)
{
	assert(j->depth > 0 && !j->keyed && array == !!(j->arrays & level(j)));
	j->depth--;
	buf_add_char(j->out, c);
}

void json_open_object(struct json *j)
{
	open_level(j, '{', false);
}

void json_close_object(struct json *j)
{
	close_level(j, '}', false);
}

void json_open_array(struct json *j)
{
	open_level(j, '[', true);
}

void json_close_array(struct json *j)
{
	close_level(j, ']', true);
}

static char short_escape(uint32_t code)
{
	switch (code) {
	case '"': return '"';
	case '\\': return '\\';
	case '\b': return 'b';
	case '\f': return 'f';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	default: return 0;
	}
}

static void add_character(struct buf *out, struct slice octets, uint32_t code)
{
	char c = short_escape(code);
	if (c != 0)
		buf_printf(out, "\\%c", c);
	else if (utf8_is_control(code))
		buf_printf(out, "\\u%04" PRIx32, code);
	else
		buf_add_slice(out, octets);
}

void json_add_quoted(struct buf *out, struct slice s)
{
	buf_add_char(out, '"');
	while (s.len > 0) {
		uint32_t code = 0;
		size_t len = utf8_next(s, &code);
		if (len > 0)
			add_character(out, slice_head(s, len), code);
		else
			buf_printf(out, "\\\\x%02x", (unsigned char)s.data[0]);
		s = slice_from(s, len ? len : 1);
	}
	buf_add_char(out, '"');
}

void json_key_slice(struct json *j, struct slice key)
{
	assert(j->depth > 0 && !(j->arrays & level(j)) && !j->keyed);
	if (j->filled & level(j))
		buf_add_char(j->out, ',');
	j->filled |= level(j);
	json_add_quoted(j->out, key);
	buf_add_char(j->out, ':');
	j->keyed = true;
}

void json_key(struct json *j, const char *key)
{
	json_key_slice(j, slice_str(key));
}

void json_string(struct json *j, struct slice s)
{
	before_value(j);
	json_add_quoted(j->out, s);
}

void json_int(struct json *j, int64_t n)
{
	before_value(j);
	buf_printf(j->out, "%" PRId64, n);
}

void json_uint(struct json *j, uint64_t n)
{
	before_value(j);
	buf_printf(j->out, "%" PRIu64, n);
}

void json_double(struct json *j, double d)
{
	char text[32];
	if (!isfinite(d)) {
		json_null(j);
		return;
	}
	before_value(j);
	snprintf(text, sizeof(text), "%.15g", d);
	if (strtod(text, NULL) != d)
		snprintf(text, sizeof(text), "%.17g", d);
	buf_add_str(j->out, text);
}

void json_bool(struct json *j, bool b)
{
	before_value(j);
	buf_add_str(j->out, b ? "true" : "false");
}

void json_null(struct json *j)
{
	before_value(j);
	buf_add_str(j->out, "null");
}

void json_str(struct json *j, const char *key, struct slice value)
{
	json_key(j, key);
	json_string(j, value);
}

void json_num(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	json_int(j, value);
}

void json_real(struct json *j, const char *key, double value)
{
	json_key(j, key);
	json_double(j, value);
}

void json_flag(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}
