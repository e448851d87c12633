/*
 * An errand goes from the waiting thread to the loop's (by the inbox, where
 * that is another thread) and comes back with its answer. A wait that ends cuts
 * its errands off; the loop's thread frees them when their answers come. But the
 * scanner reads the message itself: the wait's end calls it off, and waits for that.
 */
#include "proxy/driver_wait.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/answer_cache.h"
#include "base/clock.h"
#include "base/scanner.h"
#include "base/zone.h"

/* Of answers, beside the resolver's own: it is the way to its thread and back that costs. */
#define CACHE_ENTRIES 16384u
#define CACHE_BYTES (16u << 20)

struct errand {
	LIST_ENTRY(errand) of_driver;
	STAILQ_ENTRY(errand) of_inbox;
	TAILQ_ENTRY(errand) of_wait;  /* under_way or back */
	struct wait_driver *driver;
	struct wait *wait;            /* NULL: it has ended */
	bool unattended;              /* there never was one */
	bool queued;                  /* in the inbox */
	bool called_off;
	struct arena *arena;          /* the question's and the answer's bytes */
	enum question_kind kind;
	uint32_t question;            /* its index */
	struct slice name;
	uint16_t type;
	struct store_request store;
	struct slice content;         /* the wait's */
	struct scanner_query *scanner; /* the loop's side's */
	int64_t now;
	struct answer answer;
};
TAILQ_HEAD(errand_list, errand);

struct wait {
	struct wait_driver *driver;
	struct questions *questions;
	int64_t now;
	struct errand_list under_way, back;
	pthread_cond_t came;          /* something is back */
};

struct wait_driver {
	pthread_mutex_t lock;         /* of all lists */
	const struct zone *zone;
	struct event_base *base;
	struct resolver *resolver;
	struct store *store;
	const struct scanner_config *scanner;
	int64_t tell_ms;
	bool (*recorded)(void *arg, const struct question *question, struct answer *answer_r);
	void *recorded_arg;
	LIST_HEAD(all_errands, errand) errands;
	/* alone */
	struct event *deadline;
	/* threaded */
	struct answer_cache *cache;   /* NULL: no resolver */
	bool threaded, stopping;
	STAILQ_HEAD(inbox, errand) inbox;
	int wake;                     /* eventfd: look into the inbox */
	struct event *wake_event;
	pthread_t thread;
};

/* --- the loop's side --- */

/* With the lock held, or after the loop's end. */
static void free_errand(struct errand *e)
{
	LIST_REMOVE(e, of_driver);
	arena_destroy(&e->arena);
	free(e);
}

static void copy_answer(struct errand *e, const struct answer *a)
{
	e->answer = *a;
	e->answer.value = arena_copy(e->arena, a->value);
	e->answer.records = arena_array(e->arena, struct slice, a->count);
	for (size_t i = 0; i < a->count; i++)
		e->answer.records[i] = arena_copy(e->arena, a->records[i]);
	if (a->why != NULL)
		e->answer.why = arena_str(e->arena, slice_str(a->why));
}

static void on_answer(void *arg, const struct answer *answer)
{
	struct errand *e = arg;
	struct wait_driver *d = e->driver;
	if (e->kind == QUESTION_DNS && d->cache != NULL)
		answer_cache_keep(d->cache, e->name, e->type, answer, clock_ms());
	copy_answer(e, answer);
	pthread_mutex_lock(&d->lock);
	if (e->wait == NULL) {
		free_errand(e);
	} else {
		TAILQ_REMOVE(&e->wait->under_way, e, of_wait);
		TAILQ_INSERT_TAIL(&e->wait->back, e, of_wait);
		pthread_cond_signal(&e->wait->came);
	}
	pthread_mutex_unlock(&d->lock);
}

static void on_scanner(void *arg, const struct answer *answer)
{
	struct errand *e = arg;
	e->scanner = NULL;
	on_answer(e, answer);
}

static void ask(struct errand *e)
{
	struct wait_driver *d = e->driver;
	if (e->kind == QUESTION_DNS)
		resolver_ask(d->resolver, e->name, e->type, on_answer, e);
	else if (e->kind == QUESTION_SCANNER)
		e->scanner = scanner_ask(d->base, d->scanner, e->content, on_scanner, e);
	else
		store_ask(d->store, &e->store, e->now, on_answer, e);
}

/* Its wait stands still until this has been done; the answer may have come before. */
static void call_off(struct errand *e)
{
	struct wait_driver *d = e->driver;
	bool under_way = e->scanner != NULL;
	scanner_cancel(&e->scanner);
	pthread_mutex_lock(&d->lock);
	pthread_cond_signal(&e->wait->came);
	e->queued = e->called_off = false;
	if (under_way) {
		TAILQ_REMOVE(&e->wait->under_way, e, of_wait);
		free_errand(e);
	}
	pthread_mutex_unlock(&d->lock);
}

/* The next whose wait has not ended. One that is called off counts as queued until that is done. */
static struct errand *next_in_inbox(struct wait_driver *d, bool *called_off_r)
{
	struct errand *e;
	pthread_mutex_lock(&d->lock);
	while ((e = STAILQ_FIRST(&d->inbox)) != NULL) {
		STAILQ_REMOVE_HEAD(&d->inbox, of_inbox);
		*called_off_r = e->called_off;
		e->queued = e->called_off;
		if (e->wait != NULL || e->unattended)
			break;
		free_errand(e);
	}
	pthread_mutex_unlock(&d->lock);
	return e;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct wait_driver *d = arg;
	struct errand *e;
	bool called_off;
	uint64_t count;
	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	while ((e = next_in_inbox(d, &called_off)) != NULL)
		called_off ? call_off(e) : ask(e);
	pthread_mutex_lock(&d->lock);
	if (d->stopping)
		event_base_loopbreak(d->base);
	pthread_mutex_unlock(&d->lock);
}

static void wake(struct wait_driver *d)
{
	uint64_t one = 1;
	while (write(d->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *run_loop(void *arg)
{
	struct wait_driver *d = arg;
	event_base_dispatch(d->base);
	return NULL;
}

/* --- the waiting side --- */

static struct errand *errand_create(struct wait_driver *d, enum question_kind kind, struct slice name, int64_t now)
{
	struct errand *e = xcalloc(1, sizeof(*e));
	e->driver = d;
	e->arena = arena_create();
	e->kind = kind;
	e->name = arena_copy(e->arena, name);
	e->now = now;
	return e;
}

static void take_request(struct errand *e, const struct store_request *request)
{
	e->store = *request;
	e->store.key = e->name;
	e->store.value = arena_copy(e->arena, request->value);
}

/* With the lock held. */
static void put_into_inbox(struct errand *e)
{
	struct wait_driver *d = e->driver;
	if (STAILQ_EMPTY(&d->inbox))
		wake(d);
	STAILQ_INSERT_TAIL(&d->inbox, e, of_inbox);
	e->queued = true;
}

static void send_errand(struct errand *e)
{
	struct wait_driver *d = e->driver;
	pthread_mutex_lock(&d->lock);
	LIST_INSERT_HEAD(&d->errands, e, of_driver);
	if (e->wait != NULL)
		TAILQ_INSERT_TAIL(&e->wait->under_way, e, of_wait);
	if (d->threaded)
		put_into_inbox(e);
	pthread_mutex_unlock(&d->lock);
	if (!d->threaded)
		ask(e);
}

static void send_as_errand(struct wait *w, const struct question *q)
{
	struct errand *e = errand_create(w->driver, q->kind, q->name, w->now);
	e->wait = w;
	e->question = q->index;
	e->type = q->type;
	e->content = q->content;
	take_request(e, &q->store);
	send_errand(e);
}

void wait_driver_store(struct wait_driver *d, const struct store_request *request, int64_t now)
{
	if (d->store == NULL)
		return;
	struct errand *e = errand_create(d, QUESTION_STORE, request->key, now);
	e->unattended = true;
	take_request(e, request);
	send_errand(e);
}

struct asked {
	struct questions *questions;
	uint32_t index;
};

static void use_kept(void *arg, const struct answer *answer)
{
	const struct asked *asked = arg;
	question_answer(asked->questions, asked->index, answer);
}

/* Known by now: no other thread is asked. */
static bool is_kept(struct wait *w, const struct question *q)
{
	struct asked asked = { w->questions, q->index };
	return q->kind == QUESTION_DNS && w->driver->cache != NULL &&
	       answer_cache_find(w->driver->cache, q->name, q->type, clock_ms(), use_kept, &asked);
}

/* Sends a question off (false), or answers it here (true). */
static bool send_question(struct wait *w, const struct question *q)
{
	const struct wait_driver *d = w->driver;
	struct answer answer = { .status = ANSWER_TEMPERROR, .why = "not configured" };
	if (q->kind != QUESTION_JOB && d->recorded != NULL && d->recorded(d->recorded_arg, q, &answer)) {
		question_answer(w->questions, q->index, &answer);
		return true;
	}
	if (is_kept(w, q))
		return true;
	if (q->kind == QUESTION_DNS && d->zone != NULL) {
		answer = zone_lookup(d->zone, q->name, q->type);
	} else if (q->kind == QUESTION_JOB) {
		q->job.run(q->job.arg);
		answer = (struct answer){ .status = ANSWER_FOUND };
	} else if ((q->kind == QUESTION_DNS && d->resolver != NULL) ||
		   (q->kind == QUESTION_STORE && d->store != NULL) ||
		   (q->kind == QUESTION_SCANNER && d->scanner != NULL)) {
		send_as_errand(w, q);
		return false;
	}
	question_answer(w->questions, q->index, &answer);
	return true;
}

/* Those that go elsewhere first: they are under way while jobs run here. */
static bool send_questions(struct wait *w)
{
	struct question *q;
	bool answered = false;
	size_t first_job = SIZE_MAX, last_job = 0;
	while ((q = questions_next(w->questions)) != NULL) {
		if (q->kind != QUESTION_JOB) {
			answered |= send_question(w, q);
			continue;
		}
		first_job = q->index < first_job ? q->index : first_job;
		last_job = q->index;
	}
	for (size_t i = first_job; i <= last_job; i++) {
		q = questions_at(w->questions, (uint32_t)i);
		if (q->kind == QUESTION_JOB && q->answer == NULL)
			answered |= send_question(w, q);
	}
	return answered;
}

static bool take_back(struct wait *w)
{
	bool any = false;
	struct errand *e;
	while ((e = TAILQ_FIRST(&w->back)) != NULL) {
		TAILQ_REMOVE(&w->back, e, of_wait);
		question_answer(w->questions, e->question, &e->answer);
		free_errand(e);
		any = true;
	}
	return any;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg; /* it only ends event_base_loop */
}

static void run_until_back(struct wait *w, int64_t deadline)
{
	struct wait_driver *d = w->driver;
	int64_t left;
	while (TAILQ_EMPTY(&w->back) && (left = deadline - clock_ms()) > 0) {
		const struct timeval tv = timeval_ms(left);
		event_add(d->deadline, &tv);
		event_base_loop(d->base, EVLOOP_ONCE);
	}
	event_del(d->deadline);
}

static void sleep_until_back(struct wait *w, int64_t deadline)
{
	const struct timespec until = { deadline / 1000, deadline % 1000 * 1000000 };
	int error = 0;
	while (TAILQ_EMPTY(&w->back) && error == 0)
		error = pthread_cond_timedwait(&w->came, &w->driver->lock, &until);
}

bool wait_answers(struct wait *w, int64_t deadline_ms)
{
	struct wait_driver *d = w->driver;
	int64_t deadline = clock_ms() + (deadline_ms > 0 ? deadline_ms : 0);
	bool answered = send_questions(w);
	pthread_mutex_lock(&d->lock);
	if (!answered && !TAILQ_EMPTY(&w->under_way) && d->threaded)
		sleep_until_back(w, deadline);
	bool run = !answered && !TAILQ_EMPTY(&w->under_way) && !d->threaded;
	pthread_mutex_unlock(&d->lock);
	if (run)
		run_until_back(w, deadline);
	pthread_mutex_lock(&d->lock);
	answered |= take_back(w);
	pthread_mutex_unlock(&d->lock);
	return answered;
}

/* Waits in pieces. False: as wait_answers. */
static bool wait_telling(struct wait *w, int64_t deadline, void (*tell)(void *arg), void *arg)
{
	const int64_t piece = w->driver->tell_ms;
	for (;;) {
		int64_t before = clock_ms(), left = deadline - before;
		if (wait_answers(w, left < piece ? left : piece))
			return true;
		if (left <= piece || clock_ms() - before < piece)
			return false; /* the deadline, or nothing is under way */
		tell(arg);
	}
}

static void tell_nobody(void *arg)
{
	(void)arg;
}

void wait_run_telling(struct wait *w, struct scan *scan, enum phase upto, int64_t deadline_ms,
		      void (*tell)(void *arg), void *arg)
{
	int64_t deadline = clock_ms() + deadline_ms;
	while (pipeline_advance(scan, upto) == PIPELINE_NEED)
		if (!wait_telling(w, deadline, tell, arg)) {
			pipeline_give_up(scan, upto, "deadline");
			break;
		}
	/* What was asked for later phases. */
	send_questions(w);
}

void wait_run(struct wait *w, struct scan *scan, enum phase upto, int64_t deadline_ms)
{
	wait_run_telling(w, scan, upto, deadline_ms, tell_nobody, NULL);
}

bool wait_start(struct wait *w, struct scan *scan, enum phase upto)
{
	enum pipeline_state state;
	pthread_mutex_lock(&w->driver->lock);
	take_back(w);
	pthread_mutex_unlock(&w->driver->lock);
	do
		state = pipeline_advance(scan, upto);
	while (send_questions(w));
	return state == PIPELINE_DONE;
}

struct wait *wait_begin(struct wait_driver *driver, struct questions *questions, int64_t now)
{
	struct wait *w = xcalloc(1, sizeof(*w));
	pthread_condattr_t monotonic;
	w->driver = driver;
	w->questions = questions;
	w->now = now;
	TAILQ_INIT(&w->under_way);
	TAILQ_INIT(&w->back);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->came, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return w;
}

/* With the lock held. Does the scanner still read this wait's message? */
static bool scanner_reads(const struct wait *w)
{
	const struct errand *e;
	TAILQ_FOREACH(e, &w->under_way, of_wait)
		if (e->called_off)
			return true;
	TAILQ_FOREACH(e, &w->back, of_wait)
		if (e->called_off)
			return true;
	return false;
}

/* With the lock held. Those that still stand in the inbox are never asked. */
static void end_scanner(struct wait *w)
{
	struct wait_driver *d = w->driver;
	struct errand *e, *next;
	for (e = TAILQ_FIRST(&w->under_way); e != NULL; e = next) {
		next = TAILQ_NEXT(e, of_wait);
		if (e->kind != QUESTION_SCANNER || e->queued)
			continue;
		if (d->threaded) {
			e->called_off = true;
			put_into_inbox(e);
			continue;
		}
		TAILQ_REMOVE(&w->under_way, e, of_wait);
		scanner_cancel(&e->scanner);
		free_errand(e);
	}
	while (scanner_reads(w))
		pthread_cond_wait(&w->came, &d->lock);
}

void wait_end(struct wait **wait)
{
	struct wait *w = *wait;
	struct errand *e;
	*wait = NULL;
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->driver->lock);
	end_scanner(w);
	while ((e = TAILQ_FIRST(&w->back)) != NULL) {
		TAILQ_REMOVE(&w->back, e, of_wait);
		free_errand(e);
	}
	for (e = TAILQ_FIRST(&w->under_way); e != NULL; e = TAILQ_NEXT(e, of_wait))
		e->wait = NULL;
	pthread_mutex_unlock(&w->driver->lock);
	pthread_cond_destroy(&w->came);
	free(w);
}

/* --- making one --- */

static bool open_parts(struct wait_driver *d, const struct wait_driver_config *config,
		       char error_r[WAIT_ERROR_MAX])
{
	if (!config->no_resolver && d->zone == NULL) {
		d->resolver = resolver_create(d->base, &config->resolver, error_r);
		if (d->resolver == NULL)
			return false;
	}
	if (config->store != NULL)
		d->store = store_open(d->base, config->store, error_r);
	return config->store == NULL || d->store != NULL;
}

static bool start_thread(struct wait_driver *d, char error_r[WAIT_ERROR_MAX])
{
	sigset_t all, old;
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int error = d->wake < 0 ? errno : 0;
	if (error == 0) {
		d->wake_event = event_new(d->base, d->wake, EV_READ | EV_PERSIST, on_wake, d);
		event_add(d->wake_event, NULL);
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		error = pthread_create(&d->thread, NULL, run_loop, d);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	d->threaded = error == 0;
	if (error != 0)
		snprintf(error_r, WAIT_ERROR_MAX, "resolver thread: %s", strerror(error));
	return d->threaded;
}

struct wait_driver *wait_driver_create(const struct wait_driver_config *config, char error_r[WAIT_ERROR_MAX])
{
	struct wait_driver *d = xcalloc(1, sizeof(*d));
	d->wake = -1;
	d->scanner = config->scanner;
	d->tell_ms = config->tell_ms > 0 ? config->tell_ms : WAIT_TELL_MS;
	d->recorded = config->recorded;
	d->recorded_arg = config->recorded_arg;
	d->zone = config->no_resolver ? NULL : config->resolver.zone;
	pthread_mutex_init(&d->lock, NULL);
	STAILQ_INIT(&d->inbox);
	LIST_INIT(&d->errands);
	d->base = event_base_new();
	d->deadline = evtimer_new(d->base, on_deadline, d);
	if (config->threaded && !config->no_resolver && d->zone == NULL)
		d->cache = answer_cache_create(CACHE_ENTRIES, CACHE_BYTES);
	if (!open_parts(d, config, error_r) || (config->threaded && !start_thread(d, error_r)))
		wait_driver_destroy(&d);
	return d;
}

void wait_driver_destroy(struct wait_driver **driver)
{
	struct wait_driver *d = *driver;
	struct errand *e;
	*driver = NULL;
	if (d == NULL)
		return;
	if (d->threaded) {
		pthread_mutex_lock(&d->lock);
		d->stopping = true;
		wake(d);
		pthread_mutex_unlock(&d->lock);
		pthread_join(d->thread, NULL);
	}
	resolver_destroy(&d->resolver);
	store_close(&d->store);
	answer_cache_destroy(&d->cache);
	while ((e = LIST_FIRST(&d->errands)) != NULL)
		free_errand(e); /* NOLINT: clang doesn't follow the queue's back pointers */
	if (d->wake_event != NULL)
		event_free(d->wake_event);
	if (d->wake >= 0)
		close(d->wake);
	event_free(d->deadline);
	event_base_free(d->base);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
