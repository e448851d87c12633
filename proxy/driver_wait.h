#ifndef GATEHOUSE_PROXY_DRIVER_WAIT_H
#define GATEHOUSE_PROXY_DRIVER_WAIT_H
/*
 * driver_wait: answers questions while the caller waits. Two ways:
 *  - alone: the caller's thread runs the event loop while it waits. One
 *    thread only (command line).
 *  - threaded: a thread of its own runs the loop with the one resolver and
 *    the store; any number of threads wait for it (milter).
 * With a zone, DNS is answered at once, without loop or thread. Threaded, so is
 * what was answered before, while its ttl lasts.
 *
 * Jobs run in the thread that waits.
 */
#include "base/resolver.h"
#include "base/store.h"
#include "filters/pipeline.h"

struct wait_driver;
struct wait;
struct scanner_config;

struct wait_driver_config {
	struct resolver_config resolver;
	bool no_resolver;               /* DNS questions are temporary errors */
	const struct store_config *store; /* NULL: store questions are temporary errors */
	const struct scanner_config *scanner; /* NULL: its word is a temporary error; stays */
	bool threaded;
	int64_t tell_ms;                /* see wait_run_telling; 0: WAIT_TELL_MS */
	/* Asked first of each question but jobs: true if it has the answer. NULL: nobody. */
	bool (*recorded)(void *arg, const struct question *question, struct answer *answer_r);
	void *recorded_arg;
};

#define WAIT_ERROR_MAX STORE_ERROR_MAX
/* NULL: error_r says why. Signals are blocked in the thread. */
struct wait_driver *wait_driver_create(const struct wait_driver_config *config, char error_r[WAIT_ERROR_MAX]);
/* After all its waits have ended. */
void wait_driver_destroy(struct wait_driver **driver);

/* Carries a store request out without anybody waiting for its answer. Nothing
 * is done without a store. */
void wait_driver_store(struct wait_driver *driver, const struct store_request *request, int64_t now);

/* For the life of the questions, by one thread at a time. */
struct wait *wait_begin(struct wait_driver *driver, struct questions *questions, int64_t now);
/* Answers that are still to come are thrown away. Before the questions' arena goes. */
void wait_end(struct wait **wait);

/*
 * Sends off what has been asked, and waits until at least one question is
 * answered, and hands in all answers there are. False: nothing is under way,
 * or deadline_ms have passed.
 */
bool wait_answers(struct wait *wait, int64_t deadline_ms);

/* Advances the scan, whose questions the wait was begun with, until it is
 * DONE with `upto`; after deadline_ms by pipeline_give_up. What is under way
 * for later phases stays so. */
void wait_run(struct wait *wait, struct scan *scan, enum phase upto, int64_t deadline_ms);
/* As wait_run; while it takes long, tell(arg) is called now and again. */
#define WAIT_TELL_MS 5000 /* Sendmail is patient for 10 s, unless told otherwise */
void wait_run_telling(struct wait *wait, struct scan *scan, enum phase upto, int64_t deadline_ms,
		      void (*tell)(void *arg), void *arg);
/* Advances the scan as far as it goes without waiting, with the answers that
 * have come; what it asks is under way then. True: DONE with `upto`. */
bool wait_start(struct wait *wait, struct scan *scan, enum phase upto);

#endif
