#include "base/utf8.h"

/* Length and least code point of a sequence by its first octet; 0: can't begin one. */
static size_t sequence(unsigned char first, uint32_t *least_r, uint32_t *bits_r)
{
	if (first < 0x80) {
		*least_r = 0;
		*bits_r = first;
		return 1;
	}
	if (first >= 0xc2 && first < 0xe0) {
		*least_r = 0x80;
		*bits_r = first & 0x1f;
		return 2;
	}
	if (first >= 0xe0 && first < 0xf0) {
		*least_r = 0x800;
		*bits_r = first & 0x0f;
		return 3;
	}
	if (first >= 0xf0 && first < 0xf5) {
		*least_r = 0x10000;
		*bits_r = first & 0x07;
		return 4;
	}
	return 0;
}

size_t utf8_next(struct slice s, uint32_t *code_r)
{
	uint32_t least, code;
	size_t len = s.len == 0 ? 0 : sequence((unsigned char)s.data[0], &least, &code);
	if (len == 0 || s.len < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c & 0x3f);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	if (code_r != NULL)
		*code_r = code;
	return len;
}

bool utf8_valid(struct slice s)
{
	while (s.len > 0) {
		size_t len = utf8_next(s, NULL);
		if (len == 0)
			return false;
		s = slice_from(s, len);
	}
	return true;
}

struct slice utf8_cut(struct slice s, size_t max)
{
	size_t at = 0;
	for (;;) {
		size_t len = utf8_next(slice_from(s, at), NULL);
		if (len == 0 || at + len > max)
			return slice_head(s, at);
		at += len;
	}
}

void utf8_add_printable(struct buf *out, struct slice s)
{
	while (s.len > 0) {
		uint32_t code = 0;
		size_t len = utf8_next(s, &code);
		if (len > 0 && !utf8_is_control(code)) {
			buf_add(out, s.data, len);
		} else {
			len = len ? len : 1;
			for (size_t i = 0; i < len; i++)
				buf_printf(out, "\\x%02x", (unsigned char)s.data[i]);
		}
		s = slice_from(s, len);
	}
}
