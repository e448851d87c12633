#ifndef GATEHOUSE_BASE_WIRE_NAME_H
#define GATEHOUSE_BASE_WIRE_NAME_H
/*
 * wire_name: domain names in wire form (RFC 1035 3.1): labels, each after its
 * length, ended by the root's zero.
 */
#include "base/slice.h"

#define WIRE_NAME_MAX 255
#define WIRE_LABEL_MAX 63

/*
 * From text with RFC 1035 5.1's escapes ("\." and "\032"). A name without a
 * final dot is followed by origin, itself in wire form (empty: the root).
 * Letters keep their case. Returns the length written to out; 0: not a name.
 */
size_t wire_name_from_text(struct slice text, struct slice origin, uint8_t out[WIRE_NAME_MAX]);
/* To text, escaped as above, without a final dot; the root is ".". Returns out. */
#define WIRE_NAME_TEXT_MAX (4 * WIRE_NAME_MAX + 1)
const char *wire_name_text(struct slice name, char out[WIRE_NAME_TEXT_MAX]);

/* Octets of the uncompressed name that data begins with; 0: malformed. */
size_t wire_name_len(struct slice data);
/*
 * Reads the name at offset of a DNS message, following compression pointers
 * (only backwards ones: so it ends). *end_r is where the message goes on.
 * Returns the length written to out; 0: malformed.
 */
size_t wire_name_unpack(struct slice packet, size_t offset, uint8_t out[WIRE_NAME_MAX], size_t *end_r);

/* Without the first label; the empty slice for the root. */
struct slice wire_name_parent(struct slice name);
/* To lower case in place: labels' lengths are below 'A'. */
void wire_name_lower(uint8_t *name, size_t len);

#endif
