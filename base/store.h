#ifndef GATEHOUSE_BASE_STORE_H
#define GATEHOUSE_BASE_STORE_H
/*
 * store: what is remembered between messages, by key, for a time. One
 * asynchronous interface over
 *     memory:                   this process alone; gone with it
 *     lmdb:FOLDER               shared by all processes of one gateway
 *     redis://host[:port][/db]  shared by several gateways; redis:/path for a unix socket
 *
 * Each request is atomic: of two GET_OR_SET at once one sets, the other finds.
 * What has outlived its ttl is not there. A store that fails, or is lost,
 * answers ANSWER_TEMPERROR within the time-out; a request that was under way
 * may then have been carried out.
 *
 * A store belongs to the thread that runs its loop. It forgets under pressure:
 * when it is full, what expires soonest goes first. After a crash of the
 * machine the last seconds may be missing; what is there is whole.
 */
#include "base/answer.h"

enum store_op {
	STORE_GET,        /* FOUND: value, and number: when it was first set; NODATA */
	STORE_PUT,        /* FOUND: value is set for ttl; number as with GET */
	STORE_GET_OR_SET, /* FOUND: what was there; NODATA: was absent, is set now. number: when it was set, unix seconds */
	STORE_ADD,        /* adds amount to a counter in a window of ttl seconds from its first use; number: the sum */
	STORE_DELETE,     /* FOUND: was there; NODATA */
};

struct store_request {
	enum store_op op;
	struct slice key;   /* bytes; the asker's name comes first: "grey:…" */
	struct slice value; /* up to 64 KiB */
	int64_t amount;     /* ADD: 0 reads the counter and begins none */
	uint32_t ttl;       /* seconds from now; 0: for good */
	bool touch;         /* GET, GET_OR_SET: a hit starts the ttl again */
};
/* In each answer that is FOUND, or set now, ttl is the seconds left (0: for good). */

struct event_base;
struct store;
struct store_query;

struct store_config {
	struct slice url;
	int64_t timeout;    /* ms a request may take; 0: 3 s */
	uint64_t max_size;  /* bytes; 0: 1 GiB (memory: 64 MiB). Redis has its own */
};

#define STORE_ERROR_MAX 300
/* Reads and writes no file later than this (LMDB keeps its own open). NULL:
 * error_r says why. A Redis that can't be reached is no error: it may come. */
struct store *store_open(struct event_base *base, const struct store_config *config,
			 char error_r[STORE_ERROR_MAX]);
/* Requests still open are dropped; their callbacks don't come. */
void store_close(struct store **store);

/* The answer lives until done returns. */
typedef void store_done_fn(void *arg, const struct answer *answer);

/*
 * now: unix seconds. done(arg, answer) is called from the loop, once: never
 * before store_ask has returned, and not after store_cancel (which does not
 * undo the request). The request's bytes are copied.
 */
struct store_query *store_ask(struct store *store, const struct store_request *request, int64_t now,
			      store_done_fn *done, void *arg);
void store_cancel(struct store *store, struct store_query **query);

#endif
