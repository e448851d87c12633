/*
 * A hash table of entries, and a heap's worth of order that is not worth
 * keeping: when the table is full, a sweep takes out what has expired, and if
 * that isn't a quarter of it, what expires soonest.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/store_backend.h"

#define BUCKETS 16384u /* a power of two */
#define DEFAULT_MAX_SIZE (64u << 20)

struct item {
	struct item *next;
	struct store_entry entry; /* value points behind the key */
	uint64_t hash;
	size_t key_len;
	char bytes[]; /* key, value */
};

struct store_query {
	TAILQ_ENTRY(store_query) next;
	struct answer answer;
	char *value; /* its copy */
	store_done_fn *done;
	void *arg;
};

struct memory {
	struct store store;
	struct item *buckets[BUCKETS];
	size_t count;
	uint64_t size, max_size;
	TAILQ_HEAD(query_list, store_query) ready;
	size_t ready_count;
	struct event *timer;
};

static uint64_t item_size(const struct item *item)
{
	return sizeof(*item) + item->key_len + item->entry.value.len;
}

static struct item **find(struct memory *m, struct slice key, uint64_t hash)
{
	struct item **at = &m->buckets[hash & (BUCKETS - 1)];
	while (*at != NULL && ((*at)->hash != hash || !slice_eq(slice_make((*at)->bytes, (*at)->key_len), key)))
		at = &(*at)->next;
	return at;
}

static void take_out(struct memory *m, struct item **at)
{
	struct item *item = *at;
	*at = item->next;
	m->size -= item_size(item);
	m->count--;
	free(item);
}

static int by_expiry(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* The time by which a quarter of the entries will have expired. */
static int64_t quarter_expiry(const struct memory *m)
{
	int64_t *times = xcalloc(m->count, sizeof(*times)), quarter;
	size_t n = 0;
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct item *item = m->buckets[i]; item != NULL; item = item->next)
			times[n++] = item->entry.expires;
	qsort(times, n, sizeof(*times), by_expiry);
	quarter = n > 0 ? times[n / 4] : 0;
	free(times);
	return quarter;
}

static void sweep(struct memory *m, int64_t now)
{
	int64_t quarter = quarter_expiry(m);
	if (quarter < now)
		quarter = now;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct item **at = &m->buckets[i]; *at != NULL;)
			if ((*at)->entry.expires < quarter ||
			    ((*at)->entry.expires == quarter && m->size > m->max_size / 4 * 3))
				take_out(m, at);
			else
				at = &(*at)->next;
}

static void put(struct memory *m, struct slice key, uint64_t hash, const struct store_entry *entry)
{
	struct item *item = xmalloc(sizeof(*item) + key.len + entry->value.len);
	*item = (struct item){ .entry = *entry, .hash = hash, .key_len = key.len };
	if (key.len > 0)
		memcpy(item->bytes, key.data, key.len);
	if (entry->value.len > 0)
		memcpy(item->bytes + key.len, entry->value.data, entry->value.len);
	item->entry.value.data = item->bytes + key.len;
	struct item **at = find(m, key, hash);
	if (*at != NULL)
		take_out(m, at);
	item->next = *at;
	*at = item;
	m->count++;
	m->size += item_size(item);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct memory *m = arg;
	struct store_query *q;
	const struct timeval now = { 0, 0 };
	(void)fd, (void)what;
	for (size_t n = m->ready_count; n > 0 && (q = TAILQ_FIRST(&m->ready)) != NULL; n--) {
		TAILQ_REMOVE(&m->ready, q, next);
		m->ready_count--;
		q->done(q->arg, &q->answer);
		free(q->value);
		free(q);
	}
	if (!TAILQ_EMPTY(&m->ready))
		event_add(m->timer, &now);
}

static struct store_query *memory_ask(struct store *store, const struct store_request *request, int64_t now,
				      store_done_fn *done, void *arg)
{
	struct memory *m = (struct memory *)store;
	struct store_query *q = xcalloc(1, sizeof(*q));
	struct store_entry entry;
	uint64_t hash = slice_hash(request->key);
	struct item **at = find(m, request->key, hash);
	if (*at != NULL && (*at)->entry.expires <= now)
		take_out(m, at), at = find(m, request->key, hash);
	enum store_change change = store_apply(request, now, *at ? &(*at)->entry : NULL, &entry, &q->answer);
	q->value = xmalloc(q->answer.value.len);
	if (q->answer.value.len > 0)
		memcpy(q->value, q->answer.value.data, q->answer.value.len);
	q->answer.value.data = q->value;
	if (change == STORE_WRITE)
		put(m, request->key, hash, &entry);
	else if (change == STORE_REMOVE && *at != NULL)
		take_out(m, at);
	if (m->size > m->max_size)
		sweep(m, now);
	q->done = done;
	q->arg = arg;
	TAILQ_INSERT_TAIL(&m->ready, q, next);
	m->ready_count++;
	event_active(m->timer, EV_TIMEOUT, 0);
	return q;
}

static void memory_cancel(struct store *store, struct store_query *q)
{
	struct memory *m = (struct memory *)store;
	TAILQ_REMOVE(&m->ready, q, next);
	m->ready_count--;
	free(q->value);
	free(q);
}

static struct store *memory_open(struct event_base *base, const struct store_config *config, struct slice rest,
				 char error_r[STORE_ERROR_MAX])
{
	if (rest.len > 0) {
		snprintf(error_r, STORE_ERROR_MAX, "nothing may follow \"memory:\"");
		return NULL;
	}
	struct memory *m = xcalloc(1, sizeof(*m));
	m->store.backend = &store_memory;
	m->max_size = config->max_size ? config->max_size : DEFAULT_MAX_SIZE;
	TAILQ_INIT(&m->ready);
	m->timer = evtimer_new(base, on_ready, m);
	return &m->store;
}

static void memory_close(struct store *store)
{
	struct memory *m = (struct memory *)store;
	struct store_query *q;
	while ((q = TAILQ_FIRST(&m->ready)) != NULL)
		memory_cancel(store, q); /* NOLINT: clang doesn't follow the queue's back pointers */
	for (size_t i = 0; i < BUCKETS; i++)
		while (m->buckets[i] != NULL)
			take_out(m, &m->buckets[i]);
	event_free(m->timer);
	free(m);
}

const struct store_backend store_memory = {
	.scheme = "memory", .open = memory_open, .close = memory_close,
	.ask = memory_ask, .cancel = memory_cancel,
};
