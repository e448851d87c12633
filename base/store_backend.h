#ifndef GATEHOUSE_BASE_STORE_BACKEND_H
#define GATEHOUSE_BASE_STORE_BACKEND_H
/* store_backend: for the store_*.c files alone. */
#include "base/store.h"

struct store_backend {
	const char *scheme; /* "lmdb" */
	/* rest: the URL behind "scheme:" */
	struct store *(*open)(struct event_base *base, const struct store_config *config, struct slice rest,
			      char error_r[STORE_ERROR_MAX]);
	void (*close)(struct store *store);
	struct store_query *(*ask)(struct store *store, const struct store_request *request, int64_t now,
				   store_done_fn *done, void *arg);
	void (*cancel)(struct store *store, struct store_query *query);
};

/* A backend's own struct begins with it. */
struct store {
	const struct store_backend *backend;
};

extern const struct store_backend store_memory, store_lmdb, store_redis;

/* What is kept for a key. */
struct store_entry {
	int64_t set_at;
	int64_t expires;    /* unix seconds; INT64_MAX: never */
	int64_t count;
	struct slice value;
};

enum store_change { STORE_UNCHANGED, STORE_WRITE, STORE_REMOVE };

/* What a request does to an entry (NULL: there is none, or it has expired).
 * *answer_r points into the entry or the request. */
enum store_change store_apply(const struct store_request *request, int64_t now, const struct store_entry *old,
			      struct store_entry *entry_r, struct answer *answer_r);

#endif
