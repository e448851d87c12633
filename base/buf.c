#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define MIN_CAP 64u

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

char *buf_reserve(struct buf *b, size_t more)
{
	if (b->cap - b->len < more || b->data == NULL) {
		size_t cap = b->cap ? b->cap : MIN_CAP;
		while (cap - b->len < more)
			cap *= 2;
		b->data = xrealloc(b->data, cap);
		b->cap = cap;
	}
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(buf_reserve(b, len), data, len);
	b->len += len;
}

void buf_add_slice(struct buf *b, struct slice s)
{
	buf_add(b, s.data, s.len);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

void buf_add_lower(struct buf *b, struct slice s)
{
	char *p = buf_reserve(b, s.len);
	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(s.data[i]);
	b->len += s.len;
}

/* Most of what is printed is short: printing twice, first to measure, would double the work. */
#define PRINT_ROOM 48u

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	buf_reserve(b, PRINT_ROOM);
	size_t room = b->cap - b->len;
	int len = vsnprintf(b->data + b->len, room, fmt, ap);
	if (len > 0 && (size_t)len >= room)
		vsnprintf(buf_reserve(b, (size_t)len + 1), (size_t)len + 1, fmt, again);
	va_end(again);
	if (len > 0)
		b->len += (size_t)len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n > 0 && n < b->len)
		memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

const char *buf_cstr(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->data;
}

void buf_add_number(struct buf *b, int64_t value)
{
	char text[24], *p = text + sizeof(text);
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (value < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

#define DECIMAL_MOST 1e12 /* from there on, printf's digits */

void buf_add_decimal(struct buf *b, double value, unsigned places)
{
	static const double powers[] = { 1, 10, 100, 1000 };
	double scaled = value < 0 ? -value : value;
	if (places >= sizeof(powers) / sizeof(*powers) || !(scaled < DECIMAL_MOST)) {
		buf_printf(b, "%.*f", (int)places, value);
		return;
	}
	uint64_t unit = (uint64_t)powers[places], all = (uint64_t)rint(scaled * powers[places]), part = all % unit;
	if (value < 0 && all > 0)
		buf_add_char(b, '-');
	buf_add_number(b, (int64_t)(all / unit));
	if (places == 0)
		return;
	buf_add_char(b, '.');
	for (unit /= 10; unit > 0; unit /= 10)
		buf_add_char(b, (char)('0' + part / unit % 10));
}
