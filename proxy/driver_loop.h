#ifndef GATEHOUSE_PROXY_DRIVER_LOOP_H
#define GATEHOUSE_PROXY_DRIVER_LOOP_H
/*
 * driver_loop: answers a scan's questions asynchronously on the event loop
 * (resolver, store, job pool, scanner), and runs the pipeline on. Answers find
 * their scan by its id; those of a scan that has been dropped are thrown away.
 */
#include "filters/pipeline.h"

struct event_base;
struct scanner_config;
struct resolver;
struct jobs;
struct store;
struct driver;

struct driver_parts {
	struct event_base *base;
	struct resolver *resolver; /* NULL: DNS questions are temporary errors */
	struct jobs *jobs;         /* NULL: jobs run where they stand */
	struct store *store;       /* NULL: store questions are temporary errors */
	const struct scanner_config *scanner; /* likewise; stays */
};

struct driver *driver_create(const struct driver_parts *parts);
/* Before its parts. Drops all scans; waits for jobs that run on them. */
void driver_destroy(struct driver **driver);

/* Registers the scan under a fresh scan->id. The scan must stay until driver_drop. */
void driver_add(struct driver *driver, struct scan *scan);
/* Forgets the scan: no callback comes any more. What is under way for it is
 * cancelled or its answer thrown away. A job that runs on the scan's memory
 * is waited for, and the loop with it: driver_drop_arena doesn't wait. */
void driver_drop(struct driver *driver, struct scan *scan);
/* A job runs on the scan's memory, or is about to: its arena is not to be touched. */
bool driver_has_job(const struct driver *driver, const struct scan *scan);
/* As driver_drop, and destroys the arena: now, or once no job runs on it. */
void driver_drop_arena(struct driver *driver, struct scan *scan, struct arena **arena);

/*
 * Advances the pipeline up to that phase. True: DONE already, done() is not
 * called. False: done(arg) is called from the loop, once, when it is DONE or
 * deadline_ms have passed (pipeline_give_up then). One call at a time for
 * each scan; with upto rising. Questions asked along the way for later phases
 * are sent too and stay under way after done().
 *
 * Jobs run only between driver_run and done(), one at a time for each scan, and
 * the caller must not touch the scan then. So a deadline is late by what the
 * job that runs still takes; jobs that wait for a thread are dropped.
 */
bool driver_run(struct driver *driver, struct scan *scan, enum phase upto, int64_t deadline_ms,
		void (*done)(void *arg), void *arg);

#endif
