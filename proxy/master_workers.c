/* The lives of the workers: begun, ready, told to drain, dead, begun again. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "proxy/master_private.h"
#include "proxy/notify.h"
#include "proxy/transparent.h"
#include "proxy/worker_fds.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 30000
#define WORKERS_MAX (WORKER_ROWS / 2) /* of a generation: a reload has two */
#define STEADY_MS 60000     /* a worker that lived that long is forgiven its death */

/* What the master keeps running. Each kind is a command of ours. */
struct worker_kind {
	const char *command;
	unsigned (*wanted)(const struct config *config, size_t index);
	/* Descriptors beyond the ones all have (worker_fds.h); out may be NULL to count them. */
	size_t (*fds)(const struct master *m, size_t index, int *out);
};

static unsigned wanted_milter(const struct config *config, size_t index)
{
	return (unsigned)config->milters[index].processes;
}

static unsigned wanted_by_milters(const struct config *config)
{
	unsigned n = 0;
	for (size_t i = 0; i < config->milter_count; i++)
		n += wanted_milter(config, i);
	return n;
}

static unsigned wanted_smtp(const struct config *config, size_t index)
{
	(void)index;
	long n = (long)config_workers(config), most = (long)WORKERS_MAX - (long)wanted_by_milters(config);
	if (config->listen_count == 0)
		return 0;
	n = n > most ? most : n;
	return n < 1 ? 1 : (unsigned)n;
}

static size_t smtp_fds(const struct master *m, size_t index, int *out)
{
	(void)index;
	size_t listens = m->config->listen_count, tls = 2 * m->config->tls_count;
	for (size_t i = 0; out != NULL && i < listens; i++)
		out[i] = m->listen_fds[i];
	for (size_t i = 0; out != NULL && i < tls; i++)
		out[listens + i] = m->tls_fds[i];
	return listens + tls;
}

static size_t milter_fds(const struct master *m, size_t index, int *out)
{
	if (out != NULL)
		out[0] = m->milter_fds[index];
	return 1;
}

static const struct worker_kind smtp_kind = { "worker", wanted_smtp, smtp_fds };
static const struct worker_kind milter_kind = { "milter-worker", wanted_milter, milter_fds };

static unsigned wanted_workers(const struct config *config)
{
	return wanted_smtp(config, 0) + wanted_by_milters(config);
}

static unsigned alive_workers(const struct master *m)
{
	unsigned n = 0;
	for (const struct worker_process *w = m->workers; w != NULL; w = w->next)
		n += w->pid != 0;
	return n;
}

bool workers_fit(const struct master *m, const struct config *config)
{
	unsigned wanted = wanted_workers(config), alive = alive_workers(m);
	if (wanted > WORKERS_MAX)
		log_error(NULL, "worker", "%u processes are asked for, and %u are the most", wanted, WORKERS_MAX);
	else if (wanted + alive > WORKER_ROWS)
		log_error(NULL, "worker", "%u processes still run, and %u more would be over %u: earlier generations "
			  "have not drained yet", alive, wanted, WORKER_ROWS);
	return wanted <= WORKERS_MAX && wanted + alive <= WORKER_ROWS;
}

void workers_count(const struct master *m, unsigned *ready_r, unsigned *all_r)
{
	*ready_r = 0;
	for (const struct worker_process *w = m->workers; w != NULL; w = w->next)
		*ready_r += w->pid != 0 && w->generation == m->generation && w->ready;
	*all_r = alive_workers(m);
}

static bool all_are_ready(const struct master *m)
{
	unsigned ready, all;
	workers_count(m, &ready, &all);
	return ready == wanted_workers(m->config);
}

static bool row_free(const struct master *m, unsigned row)
{
	for (const struct worker_process *w = m->workers; w != NULL; w = w->next)
		if (w->row == row)
			return false;
	return true;
}

static void order(struct worker_process *w, char what)
{
	if (w->control >= 0)
		send(w->control, &what, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	w->draining = true;
}

/* The new generation accepts: the old one may go. */
static void all_ready(struct master *m)
{
	for (struct worker_process *w = m->workers; w != NULL; w = w->next)
		if (w->generation != m->generation && !w->draining)
			order(w, CONTROL_DRAIN);
	log_info(NULL, "ready", "generation %llu, %u workers", (unsigned long long)m->generation, wanted_workers(m->config));
	notify_ready();
	m->announced = true;
	images_start(m);
}

static void on_worker_says(evutil_socket_t fd, short what, void *arg)
{
	struct worker_process *w = arg;
	union {
		char word;
		struct transparent_request socket;
	} m;
	(void)what;
	ssize_t n = recv(fd, &m, sizeof(m), MSG_DONTWAIT);
	if (n <= 0) {
		event_del(w->readable); /* SIGCHLD tells the rest */
		return;
	}
	if (m.word == CONTROL_TRANSPARENT && (size_t)n == sizeof(m.socket) && w->transparent)
		transparent_serve(fd, &m.socket);
	if (m.word != CONTROL_READY || w->ready)
		return;
	w->ready = true;
	if (w->generation == w->master->generation && all_are_ready(w->master))
		all_ready(w->master);
}

static pid_t spawn_worker(const struct worker_process *w, int control)
{
	const struct master *m = w->master;
	char row[16], generation[24], index[24];
	size_t count = WORKER_FD_FIRST - WORKER_FD_CONTROL, more = w->kind->fds(m, w->index, NULL);
	int *fds = xcalloc(count + more, sizeof(*fds));
	fds[0] = control;
	fds[1] = m->stats_fd;
	fds[2] = m->config_fd;
	w->kind->fds(m, w->index, fds + count);
	snprintf(row, sizeof(row), "%u", w->row);
	snprintf(generation, sizeof(generation), "%llu", (unsigned long long)w->generation);
	snprintf(index, sizeof(index), "%zu", w->index);
	char *argv[] = { (char *)"gatehouse", (char *)(uintptr_t)w->kind->command, row, generation, index, NULL };
	pid_t pid = spawn_self(&m->identity, argv, fds, count + more);
	free(fds);
	return pid;
}

static bool has_transparent(const struct config *config)
{
	for (size_t i = 0; i < config->backend_count; i++)
		if (config->backends[i].transparent)
			return true;
	return false;
}

static bool start_worker(struct worker_process *w)
{
	struct master *m = w->master;
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
		return false;
	w->pid = spawn_worker(w, pair[1]);
	close(pair[1]);
	if (w->pid < 0) {
		w->pid = 0;
		close(pair[0]);
		return false;
	}
	w->control = pair[0];
	w->ready = false;
	w->transparent = has_transparent(m->config);
	w->started_ms = clock_ms();
	w->readable = event_new(m->base, w->control, EV_READ | EV_PERSIST, on_worker_says, w);
	event_add(w->readable, NULL);
	return true;
}

static void start_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct worker_process *w = arg;
	if (w->master->stopping)
		return;
	if (!start_worker(w)) {
		log_error(NULL, "worker", "can't be started: %s", strerror(errno));
		struct timeval tv = timeval_ms(BACKOFF_MAX_MS);
		event_add(w->restart, &tv);
	}
}

static void add_worker(struct master *m, const struct worker_kind *kind, size_t index)
{
	struct worker_process *w = xcalloc(1, sizeof(*w));
	w->master = m;
	w->kind = kind;
	w->index = index;
	w->generation = m->generation;
	w->control = -1;
	while (!row_free(m, w->row)) /* workers_fit has seen to it that one is */
		w->row++;
	stats_clear_now(m->stats, w->row);
	w->restart = event_new(m->base, -1, 0, start_again, w);
	w->next = m->workers;
	m->workers = w;
	if (!start_worker(w))
		start_again(-1, 0, w);
}

static void forget_worker(struct worker_process *w)
{
	for (struct worker_process **at = &w->master->workers; *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	event_free(w->restart);
	free(w);
}

static void describe_end(int status, char out[64])
{
	if (WIFSIGNALED(status))
		snprintf(out, 64, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(out, 64, "ended with status %d", WEXITSTATUS(status));
}

static void died(struct worker_process *w, int status)
{
	struct master *m = w->master;
	char how[64];
	pid_t pid = w->pid;
	event_free(w->readable);
	close(w->control);
	w->control = -1;
	w->pid = 0;
	w->ready = false;
	stats_clear_now(m->stats, w->row);
	bool expected = w->draining || m->stopping || w->generation != m->generation;
	describe_end(status, how);
	if (expected) {
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			log_warn(NULL, "worker", "pid %d %s while draining", (int)pid, how);
		forget_worker(w);
		return;
	}
	if (!m->announced && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
		log_error(NULL, "worker", "pid %d %s before it was ready", (int)pid, how);
		m->failed = true;
		event_base_loopexit(m->base, NULL);
		return;
	}
	bool steady = clock_ms() - w->started_ms >= STEADY_MS;
	w->backoff_ms = steady || w->backoff_ms == 0 ? BACKOFF_MIN_MS : w->backoff_ms * 2;
	if (w->backoff_ms > BACKOFF_MAX_MS)
		w->backoff_ms = BACKOFF_MAX_MS;
	log_error(NULL, "worker", "pid %d %s; another in %lld ms", (int)pid, how, (long long)w->backoff_ms);
	struct timeval tv = timeval_ms(w->backoff_ms);
	event_add(w->restart, &tv);
}

static void add_workers(struct master *m, const struct worker_kind *kind, size_t index)
{
	for (unsigned i = 0, n = kind->wanted(m->config, index); i < n; i++)
		add_worker(m, kind, index);
}

void workers_start(struct master *m)
{
	/* Those of the old generation that wait for their next start never get it. */
	for (struct worker_process *w = m->workers, *next; w != NULL; w = next) {
		next = w->next;
		if (w->pid == 0)
			forget_worker(w);
	}
	add_workers(m, &smtp_kind, 0);
	for (size_t i = 0; i < m->config->milter_count; i++)
		add_workers(m, &milter_kind, i);
}


void workers_stop(struct master *m)
{
	for (struct worker_process *w = m->workers; w != NULL; w = w->next)
		order(w, CONTROL_STOP);
}

void workers_kill(struct master *m)
{
	for (struct worker_process *w = m->workers; w != NULL; w = w->next)
		if (w->pid != 0)
			kill(w->pid, SIGKILL);
}

void workers_reap(struct master *m, pid_t pid, int status)
{
	struct worker_process *w = m->workers;
	while (w != NULL && w->pid != pid)
		w = w->next;
	if (w != NULL)
		died(w, status);
}

void workers_forget(struct master *m)
{
	while (m->workers != NULL) {
		struct worker_process *w = m->workers;
		if (w->readable != NULL && w->pid != 0)
			event_free(w->readable);
		if (w->control >= 0)
			close(w->control);
		forget_worker(w);
	}
}
