#include "base/answer_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/arena.h"

#define BUCKETS 4096u /* a power of two */

/* In one piece with its name, records and their bytes. */
struct kept {
	LIST_ENTRY(kept) same_bucket;
	TAILQ_ENTRY(kept) by_use;
	uint64_t hash;
	struct slice name;
	uint16_t type;
	int64_t expires;          /* ms, monotonic */
	size_t size;
	struct answer answer;
	struct slice records[];
};

struct answer_cache {
	pthread_mutex_t lock;
	size_t entries_max, bytes_max, count, bytes;
	TAILQ_HEAD(use_list, kept) by_use; /* the one used last at its end */
	LIST_HEAD(bucket, kept) buckets[BUCKETS];
};

struct answer_cache *answer_cache_create(size_t entries_max, size_t bytes_max)
{
	struct answer_cache *c = xcalloc(1, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	c->entries_max = entries_max;
	c->bytes_max = bytes_max;
	TAILQ_INIT(&c->by_use);
	return c;
}

static void drop(struct answer_cache *c, struct kept *k)
{
	LIST_REMOVE(k, same_bucket);
	TAILQ_REMOVE(&c->by_use, k, by_use);
	c->count--;
	c->bytes -= k->size;
	free(k);
}

void answer_cache_destroy(struct answer_cache **cache)
{
	struct answer_cache *c = *cache;
	struct kept *k;
	*cache = NULL;
	if (c == NULL)
		return;
	while ((k = TAILQ_FIRST(&c->by_use)) != NULL)
		drop(c, k);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static uint64_t hash_of(struct slice name, uint16_t type)
{
	return slice_hash(name) * 31 + type;
}

/* With the lock held. */
static struct kept *look_up(struct answer_cache *c, struct slice name, uint16_t type, uint64_t hash)
{
	struct kept *k;
	LIST_FOREACH(k, &c->buckets[hash % BUCKETS], same_bucket)
		if (k->hash == hash && k->type == type && slice_eq(k->name, name))
			return k;
	return NULL;
}

static struct slice put(char **at, struct slice s)
{
	struct slice copy = { *at, s.len };
	if (s.len > 0)
		memcpy(*at, s.data, s.len);
	*at += s.len;
	return copy;
}

static struct kept *make(struct slice name, const struct answer *a)
{
	size_t size = sizeof(struct kept) + a->count * sizeof(struct slice), bytes = name.len;
	for (size_t i = 0; i < a->count; i++)
		bytes += a->records[i].len;
	struct kept *k = xcalloc(1, size + bytes);
	char *at = (char *)k + size;
	k->size = size + bytes;
	k->name = put(&at, name);
	k->answer = (struct answer){
		.status = a->status, .count = a->count, .ttl = a->ttl, .secure = a->secure, .records = k->records,
	};
	for (size_t i = 0; i < a->count; i++)
		k->records[i] = put(&at, a->records[i]);
	return k;
}

void answer_cache_keep(struct answer_cache *c, struct slice name, uint16_t type, const struct answer *answer, int64_t now)
{
	uint64_t hash = hash_of(name, type);
	if (answer->status == ANSWER_TEMPERROR || answer->ttl == 0)
		return;
	struct kept *k = make(name, answer), *old;
	k->hash = hash;
	k->type = type;
	k->expires = now + (int64_t)answer->ttl * 1000;
	pthread_mutex_lock(&c->lock);
	if ((old = look_up(c, name, type, hash)) != NULL)
		drop(c, old);
	LIST_INSERT_HEAD(&c->buckets[hash % BUCKETS], k, same_bucket);
	TAILQ_INSERT_TAIL(&c->by_use, k, by_use);
	c->count++;
	c->bytes += k->size;
	while (c->count > c->entries_max || c->bytes > c->bytes_max)
		drop(c, TAILQ_FIRST(&c->by_use));
	pthread_mutex_unlock(&c->lock);
}

bool answer_cache_find(struct answer_cache *c, struct slice name, uint16_t type, int64_t now,
		       void (*use)(void *arg, const struct answer *answer), void *arg)
{
	uint64_t hash = hash_of(name, type);
	pthread_mutex_lock(&c->lock);
	struct kept *k = look_up(c, name, type, hash);
	if (k != NULL && k->expires <= now) {
		drop(c, k);
		k = NULL;
	}
	if (k != NULL) {
		struct answer answer = k->answer;
		TAILQ_REMOVE(&c->by_use, k, by_use);
		TAILQ_INSERT_TAIL(&c->by_use, k, by_use);
		answer.ttl = (uint32_t)((k->expires - now + 999) / 1000);
		use(arg, &answer);
	}
	pthread_mutex_unlock(&c->lock);
	return k != NULL;
}
