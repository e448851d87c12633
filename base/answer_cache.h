#ifndef GATEHOUSE_BASE_ANSWER_CACHE_H
#define GATEHOUSE_BASE_ANSWER_CACHE_H
/*
 * answer_cache: DNS answers for as long as their ttl says, for many threads at
 * a time: who finds one needn't go to the resolver's thread. Bounded: what was
 * used longest ago goes first. Temporary errors and what has no ttl are not
 * kept.
 */
#include "base/answer.h"

struct answer_cache;

struct answer_cache *answer_cache_create(size_t entries_max, size_t bytes_max);
void answer_cache_destroy(struct answer_cache **cache);

/* name: as questions have it, in lower case. now: ms, monotonic. */
void answer_cache_keep(struct answer_cache *cache, struct slice name, uint16_t type, const struct answer *answer,
		       int64_t now);
/* True: it was there, and use(arg, answer) was called, with the cache locked;
 * the answer lives until use returns. Its ttl is what is left of it. */
bool answer_cache_find(struct answer_cache *cache, struct slice name, uint16_t type, int64_t now,
		       void (*use)(void *arg, const struct answer *answer), void *arg);

#endif
