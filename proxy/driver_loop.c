/*
 * What is under way for a scan is an errand; it names the scan by id. A job
 * works on the scan's memory: while one runs, answers that come are kept aside
 * (their errands hold copies), and the scan goes on when the job has ended.
 */
#include "proxy/driver_loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/jobs.h"
#include "base/resolver.h"
#include "base/scanner.h"
#include "base/store.h"

#define BUCKETS 4096u /* a power of two */

struct errand {
	TAILQ_ENTRY(errand) next;     /* of its scan */
	struct driver *driver;
	uint64_t scan_id;
	uint32_t question;            /* its index */
	struct resolver_query *dns;
	struct store_query *store;
	struct scanner_query *scanner;
	struct job_request job;
	struct arena *held;           /* of a held answer; NULL: none has come */
	struct answer answer;
};
TAILQ_HEAD(errand_list, errand);

struct live {
	LIST_ENTRY(live) same_bucket;
	TAILQ_ENTRY(live) ready;      /* answers came: to be advanced */
	bool is_ready;
	struct driver *driver;
	struct scan *scan;
	uint64_t id;
	struct errand_list errands;   /* DNS and store */
	struct errand_list jobs;      /* asked for, not begun */
	struct errand *job;           /* running, or about to */
	struct arena *orphan;         /* the scan was dropped: goes when the job has ended */
	/* of driver_run */
	bool running;
	bool late;                    /* the deadline came while a job ran */
	enum phase upto;
	struct event *deadline;
	void (*done)(void *arg);
	void *arg;
};

struct driver {
	struct driver_parts parts;
	uint64_t last_id;
	LIST_HEAD(live_list, live) buckets[BUCKETS];
	TAILQ_HEAD(ready_list, live) ready;
	struct event *timer;
};

static struct live *find(const struct driver *driver, uint64_t id)
{
	struct live *live = LIST_FIRST(&driver->buckets[id & (BUCKETS - 1)]);
	while (live != NULL && live->id != id)
		live = LIST_NEXT(live, same_bucket);
	return live;
}

static void set_ready(struct live *live)
{
	struct driver *driver = live->driver;
	if (live->is_ready)
		return;
	if (TAILQ_EMPTY(&driver->ready)) /* in this turn of the loop, after what is due in it */
		event_active(driver->timer, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&driver->ready, live, ready);
	live->is_ready = true;
}

static void unset_ready(struct live *live)
{
	if (live->is_ready)
		TAILQ_REMOVE(&live->driver->ready, live, ready);
	live->is_ready = false;
}

/* --- errands --- */

static void free_errand(struct errand *e)
{
	arena_destroy(&e->held);
	free(e);
}

static void cancel_errand(struct errand *e)
{
	if (e->dns != NULL)
		resolver_cancel(e->driver->parts.resolver, &e->dns);
	if (e->store != NULL)
		store_cancel(e->driver->parts.store, &e->store);
	scanner_cancel(&e->scanner);
	free_errand(e);
}

static void cancel_list(struct errand_list *list)
{
	struct errand *e;
	while ((e = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, e, next);
		cancel_errand(e);
	}
}

static struct answer *copy_answer(struct arena *arena, const struct answer *a)
{
	struct answer *copy = arena_new(arena, struct answer);
	*copy = *a;
	copy->value = arena_copy(arena, a->value);
	copy->records = arena_array(arena, struct slice, a->count);
	for (size_t i = 0; i < a->count; i++)
		copy->records[i] = arena_copy(arena, a->records[i]);
	if (a->why != NULL)
		copy->why = arena_str(arena, slice_str(a->why));
	return copy;
}

static void on_answer(struct errand *e, const struct answer *answer)
{
	struct live *live = find(e->driver, e->scan_id);
	if (live == NULL) {
		free_errand(e);
		return;
	}
	if (live->job != NULL) {
		e->held = arena_create();
		e->answer = *copy_answer(e->held, answer);
		return;
	}
	question_answer(live->scan->questions, e->question, answer);
	TAILQ_REMOVE(&live->errands, e, next);
	free_errand(e);
	set_ready(live);
}

static void on_dns(void *arg, const struct answer *answer)
{
	struct errand *e = arg;
	e->dns = NULL;
	on_answer(e, answer);
}

static void on_store(void *arg, const struct answer *answer)
{
	struct errand *e = arg;
	e->store = NULL;
	on_answer(e, answer);
}

static void on_scanner(void *arg, const struct answer *answer)
{
	struct errand *e = arg;
	e->scanner = NULL;
	on_answer(e, answer);
}

/* Hands in what came while a job ran. */
static void hand_in_held(struct live *live)
{
	struct errand *e, *next;
	for (e = TAILQ_FIRST(&live->errands); e != NULL; e = next) {
		next = TAILQ_NEXT(e, next);
		if (e->held == NULL)
			continue;
		question_answer(live->scan->questions, e->question, &e->answer);
		TAILQ_REMOVE(&live->errands, e, next);
		free_errand(e);
	}
}

static void temperror(struct live *live, const struct question *q, const char *why)
{
	const struct answer answer = { .status = ANSWER_TEMPERROR, .why = why };
	question_answer(live->scan->questions, q->index, &answer);
}

static void run_here(struct live *live, const struct question *q)
{
	const struct answer ran = { .status = ANSWER_FOUND };
	q->job.run(q->job.arg);
	question_answer(live->scan->questions, q->index, &ran);
}

/* Sends a question off, or answers it here and now: then true. */
static bool send_question(struct live *live, const struct question *q)
{
	const struct driver_parts *parts = &live->driver->parts;
	struct errand *e = xcalloc(1, sizeof(*e));
	*e = (struct errand){ .driver = live->driver, .scan_id = live->id, .question = q->index, .job = q->job };
	if (q->kind == QUESTION_DNS && parts->resolver != NULL) {
		TAILQ_INSERT_TAIL(&live->errands, e, next);
		e->dns = resolver_ask(parts->resolver, q->name, q->type, on_dns, e);
		return false;
	}
	if (q->kind == QUESTION_STORE && parts->store != NULL) {
		TAILQ_INSERT_TAIL(&live->errands, e, next);
		e->store = store_ask(parts->store, &q->store, live->scan->now, on_store, e);
		return false;
	}
	if (q->kind == QUESTION_SCANNER && parts->scanner != NULL) {
		TAILQ_INSERT_TAIL(&live->errands, e, next);
		e->scanner = scanner_ask(parts->base, parts->scanner, q->content, on_scanner, e);
		return false;
	}
	if (q->kind == QUESTION_JOB && parts->jobs != NULL) {
		TAILQ_INSERT_TAIL(&live->jobs, e, next);
		return false;
	}
	free_errand(e);
	if (q->kind == QUESTION_JOB)
		run_here(live, q);
	else
		temperror(live, q, "not configured");
	return true;
}

static bool send_questions(struct live *live)
{
	bool answered = false;
	const struct question *q;
	while ((q = questions_next(live->scan->questions)) != NULL)
		if (send_question(live, q))
			answered = true;
	return answered;
}

/* --- jobs --- */

static void advance(struct live *live);
static void give_up(struct live *live);
static void forget(struct live *live);

static void on_job(void *arg)
{
	struct errand *e = arg;
	const struct answer ran = { .status = ANSWER_FOUND };
	struct live *live = find(e->driver, e->scan_id);
	live->job = NULL;
	if (live->orphan != NULL) {
		free_errand(e);
		forget(live);
		return;
	}
	question_answer(live->scan->questions, e->question, &ran);
	free_errand(e);
	hand_in_held(live);
	if (live->late)
		give_up(live);
	else
		advance(live);
}

/* On a thread. */
static void run_job(void *arg)
{
	const struct errand *e = arg;
	e->job.run(e->job.arg);
}

/* One at a time: they share the scan's memory. Only what this phase needs. */
static void start_job(struct live *live)
{
	struct errand *e = TAILQ_FIRST(&live->jobs);
	while (e != NULL && questions_at(live->scan->questions, e->question)->needed > live->upto)
		e = TAILQ_NEXT(e, next);
	if (e == NULL)
		return;
	TAILQ_REMOVE(&live->jobs, e, next);
	live->job = e;
	jobs_add(live->driver->parts.jobs, run_job, on_job, e);
}

/* --- running --- */

static void finish(struct live *live)
{
	live->running = live->late = false;
	event_del(live->deadline);
	live->done(live->arg); /* may drop the scan */
}

/* Runs what can run; true: the phase is DONE. */
static bool go_on(struct live *live)
{
	enum pipeline_state state;
	do
		state = pipeline_advance(live->scan, live->upto);
	while (send_questions(live));
	if (state == PIPELINE_NEED && live->running)
		start_job(live);
	return state == PIPELINE_DONE;
}

static void advance(struct live *live)
{
	if (go_on(live) && live->running)
		finish(live);
}

static void give_up(struct live *live)
{
	cancel_list(&live->errands);
	cancel_list(&live->jobs);
	pipeline_give_up(live->scan, live->upto, "deadline");
	send_questions(live);
	finish(live);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct live *live = arg;
	(void)fd, (void)what;
	if (live->job != NULL && jobs_cancel(live->driver->parts.jobs, on_job, live->job)) {
		free_errand(live->job);
		live->job = NULL;
		hand_in_held(live);
	}
	if (live->job != NULL)
		live->late = true;
	else
		give_up(live);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct driver *driver = arg;
	struct live *live;
	(void)fd, (void)what;
	while ((live = TAILQ_FIRST(&driver->ready)) != NULL) {
		unset_ready(live);
		if (live->job == NULL)
			advance(live);
	}
}

bool driver_run(struct driver *driver, struct scan *scan, enum phase upto, int64_t deadline_ms,
		void (*done)(void *arg), void *arg)
{
	struct live *live = find(driver, scan->id);
	deadline_ms = deadline_ms > 0 ? deadline_ms : 0;
	const struct timeval deadline = timeval_ms(deadline_ms);
	live->upto = upto;
	live->running = true;
	if (go_on(live)) {
		live->running = false;
		return true;
	}
	live->done = done;
	live->arg = arg;
	event_add(live->deadline, &deadline);
	return false;
}

/* --- scans and drivers --- */

void driver_add(struct driver *driver, struct scan *scan)
{
	struct live *live = xcalloc(1, sizeof(*live));
	scan->id = ++driver->last_id;
	live->driver = driver;
	live->scan = scan;
	live->id = scan->id;
	live->deadline = evtimer_new(driver->parts.base, on_deadline, live);
	TAILQ_INIT(&live->errands);
	TAILQ_INIT(&live->jobs);
	LIST_INSERT_HEAD(&driver->buckets[live->id & (BUCKETS - 1)], live, same_bucket);
}

/* No job runs on it any more. */
static void forget(struct live *live)
{
	LIST_REMOVE(live, same_bucket);
	unset_ready(live);
	cancel_list(&live->errands);
	cancel_list(&live->jobs);
	event_free(live->deadline);
	arena_destroy(&live->orphan);
	free(live);
}

static void end_job(struct live *live)
{
	if (live->job == NULL)
		return;
	jobs_wait(live->driver->parts.jobs, on_job, live->job);
	free_errand(live->job);
	live->job = NULL;
}

bool driver_has_job(const struct driver *driver, const struct scan *scan)
{
	const struct live *live = find(driver, scan->id);
	return live != NULL && live->job != NULL;
}

void driver_drop(struct driver *driver, struct scan *scan)
{
	struct live *live = find(driver, scan->id);
	if (live == NULL)
		return;
	end_job(live);
	forget(live);
}

void driver_drop_arena(struct driver *driver, struct scan *scan, struct arena **arena)
{
	struct live *live = find(driver, scan->id);
	if (live != NULL && live->job != NULL && jobs_cancel(driver->parts.jobs, on_job, live->job)) {
		free_errand(live->job);
		live->job = NULL;
	}
	if (live == NULL || live->job == NULL) {
		if (live != NULL)
			forget(live);
		arena_destroy(arena);
		return;
	}
	live->orphan = *arena;
	*arena = NULL;
	live->running = false;
	event_del(live->deadline);
	unset_ready(live);
	cancel_list(&live->errands);
	cancel_list(&live->jobs);
}

struct driver *driver_create(const struct driver_parts *parts)
{
	struct driver *driver = xcalloc(1, sizeof(*driver));
	driver->parts = *parts;
	TAILQ_INIT(&driver->ready);
	driver->timer = evtimer_new(parts->base, on_ready, driver);
	return driver;
}

void driver_destroy(struct driver **driver)
{
	struct driver *d = *driver;
	struct live *live;
	*driver = NULL;
	if (d == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while ((live = LIST_FIRST(&d->buckets[i])) != NULL) {
			end_job(live); /* NOLINT: clang doesn't follow the queue's back pointers */
			forget(live);
		}
	event_free(d->timer);
	free(d);
}
