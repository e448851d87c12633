#ifndef GATEHOUSE_FILTERS_DKIM_HASH_H
#define GATEHOUSE_FILTERS_DKIM_HASH_H
/*
 * dkim_hash: the hashes a signature is checked against. Header fields are
 * found by name in constant time, so that long h= lists over long headers
 * stay linear; equal body hashes are computed once.
 */
#include "filters/dkim_signature.h"

struct field_index;
struct field_index *field_index_new(struct arena *arena, const struct message *message);

/* RFC 6376 3.7, 5.4.2: the hash over the fields of h=, bottom up, and the
 * signature itself without b=. The bytes live in the arena. */
struct slice dkim_header_hash(struct arena *arena, struct field_index *index, const struct dkim_signature *sig);

/* All body hashes a message needs, in one pass. */
struct dkim_bodies;
struct dkim_bodies *dkim_bodies_new(struct arena *arena);
/* Before the first chunk. Returns a number for dkim_bodies_hash. */
size_t dkim_bodies_want(struct dkim_bodies *bodies, const struct dkim_signature *sig);
void dkim_bodies_add(struct dkim_bodies *bodies, struct slice chunk);
/* More than once is fine. */
void dkim_bodies_end(struct dkim_bodies *bodies);
struct slice dkim_bodies_hash(const struct dkim_bodies *bodies, size_t number);
/* Length of the whole canonical body, l= or not. */
uint64_t dkim_bodies_total(const struct dkim_bodies *bodies, size_t number);

#endif
