#ifndef GATEHOUSE_BASE_STORE_BATCH_H
#define GATEHOUSE_BASE_STORE_BATCH_H
/*
 * store_batch: requests of a store whose work blocks (a commit). What is asked
 * while one batch is worked on, on a thread, makes the next: so a commit
 * serves many. For the store_*.c files alone.
 */
#include "base/store.h"

#define BATCH_MAX 256

struct batch;

/* The worker's view of a request. */
struct batch_op {
	struct store_request request;
	int64_t now;
	struct answer answer;   /* why must be static */
	char *value;            /* answer.value's memory (malloc), or NULL */
};
/* Sets op->answer, with a copy of its value. */
void batch_op_answer(struct batch_op *op, const struct answer *answer);

/* On the thread: answers all ops. count is 0 when there was nothing to do for
 * a while: time to tidy up. */
typedef void batch_run_fn(void *context, struct batch_op *const *ops, size_t count);

/* NULL: errno. timeout in ms: what takes longer is a temporary error for the asker. */
struct batch *batch_create(struct event_base *base, int64_t timeout, batch_run_fn *run, void *context);
/* Waits for the batch that runs, and runs what is queued. */
void batch_destroy(struct batch **batch);
struct store_query *batch_ask(struct batch *batch, const struct store_request *request, int64_t now,
			      store_done_fn *done, void *arg);
void batch_cancel(struct batch *batch, struct store_query *query);

#endif
