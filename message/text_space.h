#ifndef GATEHOUSE_MESSAGE_TEXT_SPACE_H
#define GATEHOUSE_MESSAGE_TEXT_SPACE_H
/* text_space: white space as Unicode has it (White_Space in PropList.txt). */
#include "base/utf8.h"

/* Octets of the white space character at the start of s; 0: there is none. */
static inline size_t text_space_len(struct slice s)
{
	unsigned char c = s.len > 0 ? (unsigned char)s.data[0] : 'x';
	uint32_t code;
	if (c < 0x80)
		return ascii_is_space((char)c) ? 1 : 0;
	if (c != 0xc2 && c != 0xe1 && c != 0xe2 && c != 0xe3)
		return 0;
	size_t n = utf8_next(s, &code);
	bool space = code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
		code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
	return n > 0 && space ? n : 0;
}

#endif
