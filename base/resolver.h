#ifndef GATEHOUSE_BASE_RESOLVER_H
#define GATEHOUSE_BASE_RESOLVER_H
/*
 * resolver: asynchronous DNS on an event loop, with its own cache. It resolves
 * from the root, or forwards, or answers from a zone and never uses the
 * network. libunbound is included by resolver.c only.
 *
 * A resolver belongs to the thread that runs its loop. Everything it needs
 * from the file system is read in resolver_create: after that it only binds,
 * connects and uses UDP and TCP sockets.
 *
 * When no server answers at all, questions are temporary errors at once,
 * "no name server answers", but for what is in the cache (under a flood of
 * them not even that); it notices by itself when one does again. Both turns
 * are logged.
 */
#include "base/answer.h"

struct event_base;
struct zone;
struct resolver;
struct resolver_query;

struct resolver_config {
	const struct slice *forward; /* "192.0.2.53", "127.0.0.1@5353"; none: resolve from the root */
	size_t forward_count;
	const struct zone *zone;     /* answer from it alone; must outlive the resolver. NULL: none */
	int64_t timeout;             /* ms a question may take; 0: 10 s */
	size_t max_questions;        /* in flight; more are temporary errors. 0: 10,000 */
	bool dnssec;                 /* validate; what is bogus is a temporary error */
	struct slice trust_anchor;   /* file with DS or DNSKEY records; empty: the root's of 2017 and 2024 */
};

#define RESOLVER_ERROR_MAX 200
/* NULL: error_r says why, for people. */
struct resolver *resolver_create(struct event_base *base, const struct resolver_config *config,
				 char error_r[RESOLVER_ERROR_MAX]);
/* Questions still open are dropped; their callbacks don't come. */
void resolver_destroy(struct resolver **resolver);

/* The answer lives until done returns. */
typedef void resolver_done_fn(void *arg, const struct answer *answer);

/*
 * Asks; name is text as ask_dns() takes it. done(arg, answer) is called from
 * the loop, once, within the time-out: never before resolver_ask has returned,
 * and not after resolver_cancel. It may ask and cancel. The query is gone when
 * done is called.
 */
struct resolver_query *resolver_ask(struct resolver *resolver, struct slice name, uint16_t type,
				    resolver_done_fn *done, void *arg);
void resolver_cancel(struct resolver *resolver, struct resolver_query **query);
size_t resolver_in_flight(const struct resolver *resolver);

#endif
