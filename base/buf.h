#ifndef GATEHOUSE_BASE_BUF_H
#define GATEHOUSE_BASE_BUF_H
/*
 * buf: a byte buffer that grows at its end and owns its memory (malloc).
 * Zero-initialised is empty and valid. Growth that fails ends the process.
 * Pointers into it die with the next append.
 */
#include <stdarg.h>

#include "base/slice.h"

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

void buf_free(struct buf *b);
static inline void buf_clear(struct buf *b)
{
	b->len = 0;
}
/* Room for more bytes behind the end; returns where they go. Count them in
 * with b->len += n. */
char *buf_reserve(struct buf *b, size_t more);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_slice(struct buf *b, struct slice s);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_lower(struct buf *b, struct slice s);
/* In decimal digits: much cheaper than printf. places: behind the point, up to 3. */
void buf_add_number(struct buf *b, int64_t value);
void buf_add_decimal(struct buf *b, double value, unsigned places);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Drops n bytes at the front (memmove). */
void buf_consume(struct buf *b, size_t n);
static inline struct slice buf_slice(const struct buf *b)
{
	return slice_make(b->data, b->len);
}
/* A NUL stands behind the end, not counted; never NULL. */
const char *buf_cstr(struct buf *b);

#endif
