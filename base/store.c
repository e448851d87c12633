#include "base/store.h"

#include <stdio.h>

#include "base/store_backend.h"

static const struct store_backend *const backends[] = { &store_memory, &store_lmdb, &store_redis };

struct store *store_open(struct event_base *base, const struct store_config *config,
			 char error_r[STORE_ERROR_MAX])
{
	size_t colon = slice_chr(config->url, ':');
	struct slice scheme = slice_head(config->url, colon);
	for (size_t i = 0; colon != SLICE_NPOS && i < sizeof(backends) / sizeof(backends[0]); i++)
		if (slice_eq(scheme, slice_str(backends[i]->scheme)))
			return backends[i]->open(base, config, slice_from(config->url, colon + 1), error_r);
	snprintf(error_r, STORE_ERROR_MAX, "\"%.*s\" is no store: memory:, lmdb:FOLDER or redis://host:port/db",
		 SLICE_ARG(slice_head(config->url, 100)));
	return NULL;
}

void store_close(struct store **store)
{
	if (*store != NULL)
		(*store)->backend->close(*store);
	*store = NULL;
}

struct store_query *store_ask(struct store *store, const struct store_request *request, int64_t now,
			      store_done_fn *done, void *arg)
{
	return store->backend->ask(store, request, now, done, arg);
}

void store_cancel(struct store *store, struct store_query **query)
{
	if (*query != NULL)
		store->backend->cancel(store, *query);
	*query = NULL;
}

static int64_t expiry(int64_t now, uint32_t ttl)
{
	return ttl == 0 ? INT64_MAX : now + ttl;
}

static uint32_t time_left(int64_t now, int64_t expires)
{
	if (expires == INT64_MAX)
		return 0;
	return expires - now > INT32_MAX ? INT32_MAX : (uint32_t)(expires - now);
}

static int64_t add_saturated(int64_t a, int64_t b)
{
	int64_t sum;
	if (__builtin_add_overflow(a, b, &sum))
		sum = b > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

static enum store_change apply_add(const struct store_request *request, int64_t now,
				   const struct store_entry *old, struct store_entry *entry,
				   struct answer *answer)
{
	entry->count = add_saturated(entry->count, request->amount);
	answer->status = ANSWER_FOUND;
	answer->number = entry->count;
	if (old == NULL)
		entry->expires = expiry(now, request->ttl);
	return request->amount != 0 ? STORE_WRITE : STORE_UNCHANGED;
}

static enum store_change apply_get(const struct store_request *request, int64_t now,
				   const struct store_entry *old, struct store_entry *entry,
				   struct answer *answer)
{
	if (old == NULL && request->op == STORE_GET)
		return STORE_UNCHANGED;
	answer->number = entry->set_at;
	if (old == NULL) {
		entry->value = request->value;
		entry->expires = expiry(now, request->ttl);
		return STORE_WRITE;
	}
	answer->status = ANSWER_FOUND;
	answer->value = entry->value;
	if (!request->touch)
		return STORE_UNCHANGED;
	entry->expires = expiry(now, request->ttl);
	return STORE_WRITE;
}

enum store_change store_apply(const struct store_request *request, int64_t now, const struct store_entry *old,
			      struct store_entry *entry, struct answer *answer)
{
	enum store_change change;
	*entry = old != NULL ? *old : (struct store_entry){ .set_at = now, .expires = now };
	*answer = (struct answer){ .status = ANSWER_NODATA };
	switch (request->op) {
	case STORE_ADD:
		change = apply_add(request, now, old, entry, answer);
		break;
	case STORE_PUT:
		entry->value = request->value;
		entry->expires = expiry(now, request->ttl);
		*answer = (struct answer){ .status = ANSWER_FOUND, .value = entry->value, .number = entry->set_at };
		change = STORE_WRITE;
		break;
	case STORE_DELETE:
		answer->status = old != NULL ? ANSWER_FOUND : ANSWER_NODATA;
		return old != NULL ? STORE_REMOVE : STORE_UNCHANGED;
	default:
		change = apply_get(request, now, old, entry, answer);
		break;
	}
	answer->ttl = time_left(now, entry->expires);
	return change;
}
