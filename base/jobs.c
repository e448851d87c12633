/*
 * Two lists under one lock: jobs to be run, jobs that ran. An eventfd tells
 * the loop that the second is not empty. Threads take no signals: these are
 * the loop's.
 */
#include "base/jobs.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/arena.h"

struct job {
	STAILQ_ENTRY(job) next;
	void (*run)(void *arg);
	void (*done)(void *arg);
	void *arg;
};
STAILQ_HEAD(job_list, job);

struct jobs {
	pthread_mutex_t lock;
	pthread_cond_t more, ended; /* a job was queued; one has run */
	struct job_list queue, finished;
	size_t finished_count;
	bool stopping;
	int wake;             /* eventfd */
	struct event *event;
	unsigned thread_count;
	pthread_t *threads;
};

static void wake_loop(struct jobs *jobs)
{
	uint64_t one = 1;
	while (write(jobs->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *work(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job;
	pthread_mutex_lock(&jobs->lock);
	for (;;) {
		while ((job = STAILQ_FIRST(&jobs->queue)) == NULL && !jobs->stopping)
			pthread_cond_wait(&jobs->more, &jobs->lock);
		if (job == NULL)
			break;
		STAILQ_REMOVE_HEAD(&jobs->queue, next);
		pthread_mutex_unlock(&jobs->lock);
		job->run(job->arg);
		pthread_mutex_lock(&jobs->lock);
		if (STAILQ_EMPTY(&jobs->finished))
			wake_loop(jobs);
		STAILQ_INSERT_TAIL(&jobs->finished, job, next);
		jobs->finished_count++;
		pthread_cond_broadcast(&jobs->ended);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

static struct job *next_finished(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	struct job *job = STAILQ_FIRST(&jobs->finished);
	if (job != NULL) {
		STAILQ_REMOVE_HEAD(&jobs->finished, next);
		jobs->finished_count--;
	}
	pthread_mutex_unlock(&jobs->lock);
	return job;
}

/* On the loop. done() may add jobs and wait for others: so one by one, and no
 * more than there are now. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct jobs *jobs = arg;
	struct job *job;
	uint64_t count;
	(void)what;
	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&jobs->lock);
	size_t n = jobs->finished_count;
	pthread_mutex_unlock(&jobs->lock);
	for (; n > 0 && (job = next_finished(jobs)) != NULL; n--) {
		job->done(job->arg);
		free(job);
	}
	pthread_mutex_lock(&jobs->lock);
	if (!STAILQ_EMPTY(&jobs->finished))
		wake_loop(jobs);
	pthread_mutex_unlock(&jobs->lock);
}

static int start_threads(struct jobs *jobs, unsigned count)
{
	sigset_t all, old;
	int error = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (error == 0 && jobs->thread_count < count) {
		error = pthread_create(&jobs->threads[jobs->thread_count], NULL, work, jobs);
		if (error == 0)
			jobs->thread_count++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

struct jobs *jobs_create(struct event_base *base, unsigned threads)
{
	struct jobs *jobs = xcalloc(1, sizeof(*jobs));
	int error;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->more, NULL);
	pthread_cond_init(&jobs->ended, NULL);
	STAILQ_INIT(&jobs->queue);
	STAILQ_INIT(&jobs->finished);
	jobs->threads = xcalloc(threads, sizeof(*jobs->threads));
	jobs->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = jobs->wake < 0 ? errno : 0;
	if (error == 0) {
		jobs->event = event_new(base, jobs->wake, EV_READ | EV_PERSIST, on_wake, jobs);
		error = jobs->event == NULL || event_add(jobs->event, NULL) != 0 ? ENOMEM : 0;
	}
	if (error == 0)
		error = start_threads(jobs, threads);
	if (error != 0) {
		jobs_destroy(&jobs);
		errno = error;
	}
	return jobs;
}

static void free_list(struct job_list *list)
{
	struct job *job;
	while ((job = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, next);
		free(job);
	}
}

void jobs_destroy(struct jobs **jobs)
{
	struct jobs *j = *jobs;
	*jobs = NULL;
	if (j == NULL)
		return;
	pthread_mutex_lock(&j->lock);
	j->stopping = true;
	pthread_cond_broadcast(&j->more);
	pthread_mutex_unlock(&j->lock);
	for (unsigned i = 0; i < j->thread_count; i++)
		pthread_join(j->threads[i], NULL);
	free_list(&j->queue);
	free_list(&j->finished);
	if (j->event != NULL)
		event_free(j->event);
	if (j->wake >= 0)
		close(j->wake);
	pthread_cond_destroy(&j->more);
	pthread_cond_destroy(&j->ended);
	pthread_mutex_destroy(&j->lock);
	free(j->threads);
	free(j);
}

void jobs_add(struct jobs *jobs, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
	struct job *job = xcalloc(1, sizeof(*job));
	job->run = run;
	job->done = done;
	job->arg = arg;
	pthread_mutex_lock(&jobs->lock);
	STAILQ_INSERT_TAIL(&jobs->queue, job, next);
	pthread_cond_signal(&jobs->more);
	pthread_mutex_unlock(&jobs->lock);
}

/* With the lock held: the job out of the list, or NULL. */
static struct job *take_out(struct job_list *list, void (*done)(void *arg), void *arg)
{
	for (struct job *job = STAILQ_FIRST(list); job != NULL; job = STAILQ_NEXT(job, next)) {
		if (job->done != done || job->arg != arg)
			continue;
		STAILQ_REMOVE(list, job, job, next);
		return job;
	}
	return NULL;
}

bool jobs_cancel(struct jobs *jobs, void (*done)(void *arg), void *arg)
{
	pthread_mutex_lock(&jobs->lock);
	struct job *job = take_out(&jobs->queue, done, arg);
	pthread_mutex_unlock(&jobs->lock);
	free(job);
	return job != NULL;
}

void jobs_wait(struct jobs *jobs, void (*done)(void *arg), void *arg)
{
	pthread_mutex_lock(&jobs->lock);
	struct job *job = take_out(&jobs->queue, done, arg);
	while (job == NULL) {
		job = take_out(&jobs->finished, done, arg);
		if (job != NULL)
			jobs->finished_count--;
		else
			pthread_cond_wait(&jobs->ended, &jobs->lock);
	}
	pthread_mutex_unlock(&jobs->lock);
	free(job);
}
