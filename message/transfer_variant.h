#ifndef GATEHOUSE_MESSAGE_TRANSFER_VARIANT_H
#define GATEHOUSE_MESSAGE_TRANSFER_VARIANT_H
/*
 * transfer_variant: what else a body may be decoded to that is not clean in
 * its encoding. Readers differ on padding in the middle, foreign characters
 * and escapes that are none; transfer_encoding.h has the likeliest reading,
 * here are the others.
 */
#include "message/transfer_encoding.h"

#define TRANSFER_VARIANTS_MAX 6u

/* Is the body, as far as its begin and end tell, unclean? Base64 and quoted-printable only. */
bool transfer_is_dirty(struct slice body, enum transfer_encoding encoding);
/* The other readings, each once. Returns how many. */
size_t transfer_variants(struct arena *arena, struct slice body, enum transfer_encoding encoding,
			 struct slice list[TRANSFER_VARIANTS_MAX]);

#endif
