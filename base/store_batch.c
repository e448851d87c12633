#include "base/store_batch.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/jobs.h"

#define QUEUE_MAX 10000u
#define TIDY_MS 10000

/* It belongs to the loop, but for op, which is the thread's while it runs. */
struct store_query {
	struct batch_op op;
	TAILQ_ENTRY(store_query) in_queue;
	TAILQ_ENTRY(store_query) in_waiting;
	bool queued, running, waiting; /* waiting: the asker is to be told */
	const char *refused;           /* why it is in no queue */
	int64_t deadline;
	store_done_fn *done;
	void *arg;
	char bytes[];                  /* key, value */
};
TAILQ_HEAD(query_list, store_query);

struct batch {
	struct jobs *jobs;
	batch_run_fn *run;
	void *context;
	int64_t timeout;
	struct query_list queue;
	size_t queued;
	struct query_list waiting;     /* by deadline */
	struct event *timer, *tidy_timer;
	bool running;
	struct store_query *current[BATCH_MAX];
	struct batch_op *ops[BATCH_MAX];
	size_t count;
};

static void set_timer(struct event *timer, int64_t ms)
{
	const struct timeval tv = timeval_ms(ms);
	event_add(timer, &tv);
}

void batch_op_answer(struct batch_op *op, const struct answer *answer)
{
	free(op->value);
	op->value = NULL;
	op->answer = *answer;
	if (answer->value.len > 0) {
		op->value = xmalloc(answer->value.len);
		memcpy(op->value, answer->value.data, answer->value.len);
	}
	op->answer.value.data = op->value;
}

static void free_query(struct store_query *q)
{
	free(q->op.value);
	free(q);
}

/* --- the loop --- */

static void start(struct batch *b);

static void run_on_thread(void *arg)
{
	struct batch *b = arg;
	b->run(b->context, b->ops, b->count);
}

static void tell(struct batch *b, struct store_query *q, const struct answer *answer)
{
	TAILQ_REMOVE(&b->waiting, q, in_waiting);
	q->waiting = false;
	q->done(q->arg, answer);
}

static void on_run(void *arg)
{
	struct batch *b = arg;
	/* Still "running": done() may ask, but no batch may begin here. */
	for (size_t i = 0; i < b->count; i++) {
		struct store_query *q = b->current[i];
		q->running = false;
		if (q->waiting)
			tell(b, q, &q->op.answer);
		free_query(q);
	}
	b->running = false;
	start(b);
}

static void start(struct batch *b)
{
	struct store_query *q;
	if (b->running || TAILQ_EMPTY(&b->queue))
		return;
	for (b->count = 0; b->count < BATCH_MAX && (q = TAILQ_FIRST(&b->queue)) != NULL; b->count++) {
		TAILQ_REMOVE(&b->queue, q, in_queue);
		b->queued--;
		q->queued = false;
		q->running = true;
		b->current[b->count] = q;
		b->ops[b->count] = &q->op;
	}
	b->running = true;
	jobs_add(b->jobs, run_on_thread, on_run, b);
}

/* Those told too late: what is queued is taken out, what runs is left alone. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct batch *b = arg;
	struct store_query *q;
	int64_t now = clock_ms();
	(void)fd, (void)what;
	while ((q = TAILQ_FIRST(&b->waiting)) != NULL && q->deadline <= now) {
		/* NOLINTNEXTLINE: clang doesn't follow the queue's back pointers */
		const struct answer late = { .status = ANSWER_TEMPERROR,
					     .why = q->refused ? q->refused : "store: timeout" };
		if (q->queued) {
			TAILQ_REMOVE(&b->queue, q, in_queue);
			b->queued--;
			q->queued = false;
		}
		tell(b, q, &late);
		if (!q->running)
			free_query(q);
	}
	if (q != NULL)
		set_timer(b->timer, q->deadline - now);
}

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
	struct batch *b = arg;
	(void)fd, (void)what;
	if (!b->running && TAILQ_EMPTY(&b->queue)) {
		b->count = 0;
		b->running = true;
		jobs_add(b->jobs, run_on_thread, on_run, b);
	}
	set_timer(b->tidy_timer, TIDY_MS);
}

static struct store_query *new_query(const struct store_request *r, int64_t now, store_done_fn *done, void *arg)
{
	struct store_query *q = xmalloc(sizeof(*q) + r->key.len + r->value.len);
	*q = (struct store_query){ .op = { .request = *r, .now = now }, .done = done, .arg = arg };
	if (r->key.len > 0)
		memcpy(q->bytes, r->key.data, r->key.len);
	if (r->value.len > 0)
		memcpy(q->bytes + r->key.len, r->value.data, r->value.len);
	q->op.request.key.data = q->bytes;
	q->op.request.value.data = q->bytes + r->key.len;
	return q;
}

struct store_query *batch_ask(struct batch *b, const struct store_request *request, int64_t now,
			      store_done_fn *done, void *arg)
{
	struct store_query *q = new_query(request, now, done, arg);
	q->waiting = true;
	if (b->queued >= QUEUE_MAX) {
		q->refused = "store: overloaded";
		q->deadline = clock_ms() + 1; /* at the loop's next turn, not in this one */
		TAILQ_INSERT_HEAD(&b->waiting, q, in_waiting);
		set_timer(b->timer, 1);
		return q;
	}
	q->deadline = clock_ms() + b->timeout;
	if (TAILQ_EMPTY(&b->waiting))
		set_timer(b->timer, b->timeout);
	TAILQ_INSERT_TAIL(&b->waiting, q, in_waiting);
	TAILQ_INSERT_TAIL(&b->queue, q, in_queue);
	q->queued = true;
	b->queued++;
	start(b);
	return q;
}

void batch_cancel(struct batch *b, struct store_query *q)
{
	TAILQ_REMOVE(&b->waiting, q, in_waiting);
	q->waiting = false;
	/* The request itself is still carried out. */
	if (q->refused != NULL)
		free_query(q);
}

struct batch *batch_create(struct event_base *base, int64_t timeout, batch_run_fn *run, void *context)
{
	struct jobs *jobs = jobs_create(base, 1);
	if (jobs == NULL)
		return NULL;
	struct batch *b = xcalloc(1, sizeof(*b));
	b->jobs = jobs;
	b->run = run;
	b->context = context;
	b->timeout = timeout;
	TAILQ_INIT(&b->queue);
	TAILQ_INIT(&b->waiting);
	b->timer = evtimer_new(base, on_timer, b);
	b->tidy_timer = evtimer_new(base, on_tidy, b);
	set_timer(b->tidy_timer, TIDY_MS);
	return b;
}

/* The rest of the queue, here: the thread has ended. */
static void drain(struct batch *b)
{
	struct store_query *q;
	while ((q = TAILQ_FIRST(&b->queue)) != NULL) {
		struct batch_op *op = &q->op;
		TAILQ_REMOVE(&b->queue, q, in_queue);
		b->run(b->context, &op, 1);
		if (q->waiting)
			TAILQ_REMOVE(&b->waiting, q, in_waiting);
		free_query(q);
	}
}

void batch_destroy(struct batch **batch)
{
	struct batch *b = *batch;
	struct store_query *q;
	*batch = NULL;
	if (b == NULL)
		return;
	jobs_destroy(&b->jobs);
	for (size_t i = 0; b->running && i < b->count; i++) {
		if (b->current[i]->waiting)
			TAILQ_REMOVE(&b->waiting, b->current[i], in_waiting);
		free_query(b->current[i]);
	}
	drain(b);
	while ((q = TAILQ_FIRST(&b->waiting)) != NULL) { /* refused ones */
		TAILQ_REMOVE(&b->waiting, q, in_waiting);
		free_query(q);
	}
	event_free(b->timer);
	event_free(b->tidy_timer);
	free(b);
}
