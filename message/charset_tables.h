#ifndef GATEHOUSE_MESSAGE_CHARSET_TABLES_H
#define GATEHOUSE_MESSAGE_CHARSET_TABLES_H
/* charset_tables: which charsets there are and what mails call them. Private to charset. */
#include "base/slice.h"

enum charset_kind {
	CHARSET_ASCII,
	CHARSET_UTF8,
	CHARSET_SINGLE,      /* a byte is a character: a table made at start */
	CHARSET_ICONV,       /* multi-byte or stateful */
	CHARSET_UTF16,       /* byte order from the mark, or from the zeros */
	CHARSET_UTF16LE,
	CHARSET_UTF16BE,
	CHARSET_UTF32,
	CHARSET_HZ,          /* RFC 1843, by way of GB18030 */
	CHARSET_ISO2022JP,   /* RFC 1468 and its vendors' extensions, by way of EUC-JP */
};

struct charset {
	const char *name;    /* as iconv knows it, where it is iconv's */
	enum charset_kind kind;
	bool not_ascii;      /* octets below 0x80 are not ASCII, or switch states */
};

extern const struct charset charset_list[];
extern const size_t charset_count;

struct charset_alias {
	const char *label;   /* lower case, letters and digits only */
	const char *name;    /* in charset_list */
};
extern const struct charset_alias charset_aliases[];
extern const size_t charset_alias_count;

/* Index into charset_list by exact name; charset_count if there is none. */
size_t charset_index(const char *name);

/* Of a CHARSET_SINGLE: code point of each octet, 0xfffd where undefined. */
const uint16_t *charset_single_map(size_t index);

/* What unlabelled bytes that hold 8-bit octets and are not UTF-8 are taken
 * for (charset_guess.c). */
size_t charset_guess(struct slice bytes);

#endif
