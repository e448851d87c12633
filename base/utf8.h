#ifndef GATEHOUSE_BASE_UTF8_H
#define GATEHOUSE_BASE_UTF8_H
/* utf8: well-formed UTF-8 (RFC 3629) and printing bytes that may not be. */
#include "base/buf.h"

/* Octets of the well-formed character at the start of s, 1..4; 0 if there is
 * none (empty, overlong, a surrogate, over U+10FFFF, cut off). *code_r, unless
 * NULL, is then its code point. */
size_t utf8_next(struct slice s, uint32_t *code_r);
bool utf8_valid(struct slice s);
/* The longest well-formed prefix of at most max octets. */
struct slice utf8_cut(struct slice s, size_t max);
/* C0, DEL, C1: what must not reach a terminal or a log as it is. */
static inline bool utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}
/* Appends s with control characters and octets that are not UTF-8 as \xNN. */
void utf8_add_printable(struct buf *out, struct slice s);

#endif
