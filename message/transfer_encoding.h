#ifndef GATEHOUSE_MESSAGE_TRANSFER_ENCODING_H
#define GATEHOUSE_MESSAGE_TRANSFER_ENCODING_H
/*
 * transfer_encoding: bodies undone as mail readers undo them (RFC 2045 6),
 * not as the strict would: what a reader shows must be what is scanned.
 */
#include "base/arena.h"

enum transfer_encoding {
	ENCODING_IDENTITY,         /* 7bit, 8bit, binary, or none given */
	ENCODING_BASE64,
	ENCODING_QUOTED_PRINTABLE,
	ENCODING_UUENCODE,         /* x-uuencode, x-uue, uuencode */
	ENCODING_BINHEX,           /* mac-binhex40, RFC 1741 */
	ENCODING_UNKNOWN,          /* a name nobody knows: taken as identity */
};

/* What a Content-Transfer-Encoding value says; white space, comments, quotes,
 * a trailing ";" and case don't matter. */
enum transfer_encoding transfer_encoding_of(struct slice value);
const char *transfer_encoding_name(enum transfer_encoding encoding);

struct decoded_bytes {
	struct slice bytes;   /* the input itself for identity, else in the arena */
	bool dirty;           /* the encoding was not clean: foreign characters, padding inside, bad escapes, cut off */
};

struct decoded_bytes transfer_decode(struct arena *arena, struct slice body, enum transfer_encoding encoding);

/* Padding ends a quantum wherever it stands, and more may follow; characters
 * outside the alphabet are passed over; missing padding is fine. */
struct decoded_bytes base64_decode(struct arena *arena, struct slice text);
/* Lower-case digits are fine, "=" before anything else stays as it is, white
 * space before a line end goes. header: RFC 2047's Q, "_" is a space. */
struct decoded_bytes qp_decode(struct arena *arena, struct slice text, bool header);
/* From "begin MODE NAME" to "end", both optional. */
struct decoded_bytes uu_decode(struct arena *arena, struct slice text);
/* The data fork. */
struct decoded_bytes binhex_decode(struct arena *arena, struct slice text);

/* The first uuencoded file in a text: a line "begin MODE NAME" and what
 * follows up to "end". False: none. *file_r goes from "begin" on. */
bool uu_find(struct slice text, size_t *begin_r, struct slice *file_r, struct slice *name_r);

#endif
