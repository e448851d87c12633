#ifndef GATEHOUSE_BASE_JOBS_H
#define GATEHOUSE_BASE_JOBS_H
/*
 * jobs: a small pool of threads for work that would stall an event loop (a
 * long parse, an fsync). done() runs on the loop that made the pool.
 */
#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct jobs;

/* threads >= 1. NULL: errno. */
struct jobs *jobs_create(struct event_base *base, unsigned threads);
/* Waits for what is running; what is queued is run too, but no done() is called. */
void jobs_destroy(struct jobs **jobs);
/* run(arg) on a thread, then done(arg) on the loop. Never refuses: the queue
 * is bounded by what its users have in flight. */
void jobs_add(struct jobs *jobs, void (*run)(void *arg), void (*done)(void *arg), void *arg);
/* Takes a job that has not begun out of the queue. False: it has (done() is still to come). */
bool jobs_cancel(struct jobs *jobs, void (*done)(void *arg), void *arg);
/* Waits until a job that is still to be done() has run, or takes it out of the
 * queue. done() does not come then. */
void jobs_wait(struct jobs *jobs, void (*done)(void *arg), void *arg);

#endif
