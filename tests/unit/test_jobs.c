/* jobs: run() on threads, done() on the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/jobs.h"

struct work {
	struct event_base *base;
	struct jobs *jobs;
	pthread_t ran_on, done_on;
	int ran, done;
	int *left;
	int again; /* jobs to add from done() */
	sem_t *gate;
	atomic_bool started;
};

static void run(void *arg)
{
	struct work *w = arg;
	w->started = true;
	if (w->gate != NULL) {
		sem_wait(w->gate);
		sem_post(w->gate);
	}
	w->ran_on = pthread_self();
	w->ran++;
}

static void done(void *arg)
{
	struct work *w = arg;
	w->done_on = pthread_self();
	w->done++;
	if (w->again > 0) {
		w->again--;
		jobs_add(w->jobs, run, done, w);
	} else if (--*w->left == 0) {
		event_base_loopbreak(w->base);
	}
}

static void test_many(void **state)
{
	(void)state;
	enum { N = 500 };
	static struct work works[N];
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_create(base, 3);
	int left = N;
	assert_non_null(jobs);
	for (int i = 0; i < N; i++) {
		works[i] = (struct work){ .base = base, .jobs = jobs, .left = &left, .again = i % 3 };
		jobs_add(jobs, run, done, &works[i]);
	}
	event_base_dispatch(base);
	assert_int_equal(left, 0);
	for (int i = 0; i < N; i++) {
		assert_int_equal(works[i].ran, 1 + i % 3);
		assert_int_equal(works[i].done, 1 + i % 3);
		assert_true(pthread_equal(works[i].done_on, pthread_self()));
		assert_false(pthread_equal(works[i].ran_on, pthread_self()));
	}
	jobs_destroy(&jobs);
	assert_null(jobs);
	jobs_destroy(&jobs);
	event_base_free(base);
}

static void test_destroy_waits(void **state)
{
	(void)state;
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_create(base, 1);
	struct work works[20] = { { 0 } };
	int left = 20;
	for (int i = 0; i < 20; i++) {
		works[i].left = &left;
		jobs_add(jobs, run, done, &works[i]);
	}
	jobs_destroy(&jobs);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(works[i].ran, 1);
		assert_int_equal(works[i].done, 0);
	}
	event_base_free(base);
}

static void test_cancel(void **state)
{
	(void)state;
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_create(base, 1);
	sem_t gate;
	int left = 2;
	struct work first = { .base = base, .jobs = jobs, .left = &left, .gate = &gate };
	struct work second = { .base = base, .jobs = jobs, .left = &left };
	struct work third = { .base = base, .jobs = jobs, .left = &left };
	sem_init(&gate, 0, 0);
	jobs_add(jobs, run, done, &first);
	jobs_add(jobs, run, done, &second);
	jobs_add(jobs, run, done, &third);
	assert_true(jobs_cancel(jobs, done, &second));
	assert_false(jobs_cancel(jobs, done, &second));
	sem_post(&gate);
	event_base_dispatch(base);
	assert_false(jobs_cancel(jobs, done, &third));
	assert_int_equal(first.done, 1);
	assert_int_equal(second.ran, 0);
	assert_int_equal(third.done, 1);
	jobs_destroy(&jobs);
	event_base_free(base);
}

static void *open_gate(void *arg)
{
	usleep(20000);
	sem_post(arg);
	return NULL;
}

/* Waits for one that runs, one that is queued, one that has run; from done() too. */
static void test_wait(void **state)
{
	(void)state;
	struct event_base *base = event_base_new();
	struct jobs *jobs = jobs_create(base, 1);
	sem_t gate;
	pthread_t opener;
	int left = 1;
	struct work first = { .base = base, .jobs = jobs, .left = &left, .gate = &gate };
	struct work second = { .base = base, .jobs = jobs, .left = &left };
	struct work third = { .base = base, .jobs = jobs, .left = &left };
	struct work last = { .base = base, .jobs = jobs, .left = &left };
	sem_init(&gate, 0, 0);
	jobs_add(jobs, run, done, &first);
	jobs_add(jobs, run, done, &second);
	jobs_add(jobs, run, done, &third);
	jobs_add(jobs, run, done, &last);
	jobs_wait(jobs, done, &second);
	while (!first.started)
		usleep(1000);
	pthread_create(&opener, NULL, open_gate, &gate);
	jobs_wait(jobs, done, &first);
	assert_int_equal(first.ran, 1);
	usleep(5000);
	jobs_wait(jobs, done, &third);
	event_base_dispatch(base);
	assert_int_equal(first.done + second.done + third.done, 0);
	assert_int_equal(last.done, 1);
	pthread_join(opener, NULL);
	jobs_destroy(&jobs);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many), cmocka_unit_test(test_destroy_waits), cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
