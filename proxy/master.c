#include "base/clock.h"
#include "proxy/master.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "filters/registry.h"
#include "policy/milter_address.h"
#include "proxy/compiler.h"
#include "proxy/control.h"
#include "proxy/listen_sockets.h"
#include "proxy/notify.h"
#include "proxy/stats.h"
#include "proxy/tls.h"
#include "proxy/worker_fds.h"

#define ROWS 64u            /* workers of all generations alive at one time */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 30000
#define STEADY_MS 60000     /* a worker that lived that long is forgiven its death */
#define KILL_GRACE_MS 2000  /* behind the drain time */

struct worker_kind;

struct worker_process {
	struct worker_process *next;
	const struct worker_kind *kind;
	size_t index;            /* of its milter section */
	struct master *master;
	pid_t pid;               /* 0: to be started again */
	unsigned row;
	uint64_t generation;
	int control;
	struct event *readable, *restart;
	bool ready, draining;
	int64_t started_ms;
	int64_t backoff_ms;
};

struct master {
	struct event_base *base;
	struct event *signals[4], *stop_timer;
	const char *path;
	struct arena *arena;     /* of config */
	struct config *config;
	int config_fd;
	int *listen_fds;         /* as config->listens; the set's */
	int *milter_fds;         /* as config->milters; the set's */
	int *tls_fds;            /* certificate and key of each of config->tls */
	struct identity identity;
	struct listen_sockets *sockets;
	struct stats *stats;
	int stats_fd;
	struct control *control;
	struct worker_process *workers;
	uint64_t generation;
	pid_t compiler;
	int compiler_out;
	bool stopping, announced, failed;
	bool reload_again;       /* SIGHUP came while the compiler was reading */
	time_t started;
};

/* ---- workers */

/* What the master keeps running. Each kind is a command of ours. */
struct worker_kind {
	const char *command;
	unsigned (*wanted)(const struct master *m, size_t index);
	/* Descriptors beyond the ones all have (worker_fds.h); out may be NULL to count them. */
	size_t (*fds)(const struct master *m, size_t index, int *out);
};

static unsigned wanted_smtp(const struct master *m, size_t index)
{
	(void)index;
	long n = (long)m->config->top->workers;
	if (m->config->listen_count == 0)
		return 0;
	if (n == 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > (long)ROWS / 2 ? ROWS / 2 : (unsigned)n;
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

static unsigned wanted_milter(const struct master *m, size_t index)
{
	return (unsigned)m->config->milters[index].processes;
}

static size_t milter_fds(const struct master *m, size_t index, int *out)
{
	if (out != NULL)
		out[0] = m->milter_fds[index];
	return 1;
}

static const struct worker_kind smtp_kind = { "worker", wanted_smtp, smtp_fds };
static const struct worker_kind milter_kind = { "milter-worker", wanted_milter, milter_fds };

static unsigned wanted_workers(const struct master *m)
{
	unsigned n = smtp_kind.wanted(m, 0);
	for (size_t i = 0; i < m->config->milter_count; i++)
		n += milter_kind.wanted(m, i);
	return n;
}

static unsigned count_workers(const struct master *m, bool of_this_generation, bool ready)
{
	unsigned n = 0;
	for (const struct worker_process *w = m->workers; w != NULL; w = w->next)
		n += w->pid != 0 && (!of_this_generation || w->generation == m->generation) && (!ready || w->ready);
	return n;
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
	log_info(NULL, "ready", "generation %llu, %u workers", (unsigned long long)m->generation, wanted_workers(m));
	notify_ready();
	m->announced = true;
}

static void on_worker_says(evutil_socket_t fd, short what, void *arg)
{
	struct worker_process *w = arg;
	char word;
	(void)what;
	ssize_t n = recv(fd, &word, 1, MSG_DONTWAIT);
	if (n <= 0) {
		event_del(w->readable); /* SIGCHLD tells the rest */
		return;
	}
	if (word != CONTROL_READY || w->ready)
		return;
	w->ready = true;
	if (w->generation == w->master->generation && count_workers(w->master, true, true) == wanted_workers(w->master))
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
	while (w->row < ROWS && !row_free(m, w->row))
		w->row++;
	if (w->row == ROWS) {
		log_error(NULL, "worker", "more than %u workers: earlier ones still drain", ROWS);
		free(w);
		return;
	}
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

static void worker_died(struct worker_process *w, int status)
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

/* ---- configuration */

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; fds != NULL && i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(fds);
}

struct files { /* sockets and certificates of a configuration */
	int *listens, *milters, *tls;
};

static bool open_milters(struct master *m, struct config *config, int *fds)
{
	char error[200] = "not an address to listen on"; /* config_check has refused that */
	for (size_t i = 0; i < config->milter_count; i++) {
		const struct config_milter *milter = &config->milters[i];
		struct endpoint e;
		fds[i] = -1;
		if (milter_address_parse(config->arena, milter->address, &e))
			fds[i] = listen_sockets_get_for(m->sockets, &e, milter->socket_group,
							(mode_t)milter->socket_mode, error);
		if (fds[i] < 0) {
			log_error(NULL, "milter", "%.*s: %s", SLICE_ARG(milter->title), error);
			return false;
		}
	}
	return true;
}

/* False: said why. */
static bool open_files(struct master *m, struct config *config, struct files *f)
{
	char error[256];
	*f = (struct files){
		.listens = xcalloc(config->listen_count, sizeof(int)),
		.milters = xcalloc(config->milter_count, sizeof(int)),
		.tls = xcalloc(2 * config->tls_count, sizeof(int)),
	};
	for (size_t i = 0; i < config->listen_count; i++) {
		f->listens[i] = listen_sockets_get(m->sockets, &config->listens[i].address, error);
		if (f->listens[i] < 0) {
			log_error(NULL, "listen", "%s", error);
			return false;
		}
	}
	if (!open_milters(m, config, f->milters))
		return false;
	if (tls_files_open(config, f->tls, error))
		return true;
	log_error(NULL, "tls", "%s", error);
	return false;
}

static struct config *read_text(struct arena *arena, int out)
{
	struct config_errors errors = { .arena = arena };
	char *text;
	size_t len;
	if (!read_all(out, &text, &len))
		return NULL;
	struct config *config = config_read(arena, "-", slice_make(text, len), filter_sections(), &errors);
	free(text);
	return config;
}

static void forget_config(struct master *m)
{
	free(m->listen_fds);
	free(m->milter_fds);
	close_all(m->tls_fds, m->config ? 2 * m->config->tls_count : 0);
	arena_destroy(&m->arena);
	if (m->config_fd >= 0)
		close(m->config_fd);
}

/* Takes a checked text as the new generation's. False: the old one stays. */
static bool adopt(struct master *m, int out)
{
	struct arena *arena = arena_create();
	struct config *config = read_text(arena, out);
	struct identity identity;
	struct files files = { 0 };
	bool ok = config != NULL && identity_find(config->top->user, &identity) && open_files(m, config, &files);
	if (!ok) {
		listen_sockets_undo(m->sockets);
		free(files.listens);
		free(files.milters);
		free(files.tls);
		arena_destroy(&arena);
		return false;
	}
	forget_config(m);
	m->arena = arena;
	m->config = config;
	m->config_fd = out;
	m->listen_fds = files.listens;
	m->milter_fds = files.milters;
	m->tls_fds = files.tls;
	m->identity = identity;
	m->generation++;
	listen_sockets_sweep(m->sockets);
	return true;
}

static void add_workers(struct master *m, const struct worker_kind *kind, size_t index)
{
	for (unsigned i = 0, n = kind->wanted(m, index); i < n; i++)
		add_worker(m, kind, index);
}

static void start_generation(struct master *m)
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

static bool reload(struct master *m);

static void compiler_ended(struct master *m, int status)
{
	int out = m->compiler_out;
	m->compiler = 0;
	m->compiler_out = -1;
	if (m->stopping || !compiler_finish(status, out) || !adopt(m, out)) {
		close(out);
		log_error(NULL, "reload", "refused; the old configuration stays in force");
		notify_ready();
	} else {
		start_generation(m);
	}
	if (m->reload_again)
		reload(m);
}

static bool reload(struct master *m)
{
	if (m->stopping || m->compiler != 0)
		return false;
	notify_reloading();
	m->reload_again = false;
	m->compiler = compiler_start(m->path, &m->compiler_out);
	if (m->compiler < 0)
		m->compiler = 0;
	log_info(NULL, "reload", "reading %s", m->path);
	return m->compiler != 0;
}

/* ---- signals and orders */

static void kill_all(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct master *m = arg;
	for (struct worker_process *w = m->workers; w != NULL; w = w->next)
		if (w->pid != 0)
			kill(w->pid, SIGKILL);
	event_base_loopexit(m->base, NULL);
}

static void end_if_empty(struct master *m)
{
	if (m->stopping && count_workers(m, false, false) == 0)
		event_base_loopexit(m->base, NULL);
}

static void stop(struct master *m)
{
	if (m->stopping) {
		kill_all(-1, 0, m);
		return;
	}
	m->stopping = true;
	notify_stopping();
	log_info(NULL, "stop", "draining");
	for (struct worker_process *w = m->workers; w != NULL; w = w->next)
		order(w, CONTROL_STOP);
	/* Who comes now is refused, and turns to another server, instead of waiting for nobody. */
	listen_sockets_destroy(&m->sockets);
	struct timeval tv = timeval_ms(m->config->top->drain_timeout + KILL_GRACE_MS);
	m->stop_timer = event_new(m->base, -1, 0, kill_all, m);
	event_add(m->stop_timer, &tv);
	end_if_empty(m);
}

static void reap(struct master *m)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->compiler) {
			compiler_ended(m, status);
			continue;
		}
		for (struct worker_process *w = m->workers; w != NULL; w = w->next)
			if (w->pid == pid) {
				worker_died(w, status);
				break;
			}
	}
	end_if_empty(m);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct master *m = arg;
	(void)what;
	if (number == SIGCHLD)
		reap(m);
	else if (number == SIGHUP)
		m->reload_again = !reload(m);
	else
		stop(m);
}

static void say_status(struct master *m, bool json, struct buf *out)
{
	unsigned ready = count_workers(m, true, true), all = count_workers(m, false, false);
	long long up = (long long)(time(NULL) - m->started);
	if (json)
		buf_printf(out, "{\"version\":\"%s\",\"generation\":%llu,\"uptime\":%lld,\"workers\":%u,\"draining\":%u",
			   GATEHOUSE_VERSION, (unsigned long long)m->generation, up, ready, all - ready);
	else
		buf_printf(out, "%-20s %s\n%-20s %llu\n%-20s %lld s\n%-20s %u ready, %u others\n", "version",
			   GATEHOUSE_VERSION, "generation", (unsigned long long)m->generation, "uptime", up, "workers",
			   ready, all - ready);
	for (enum counter c = 0; c < STATS; c++)
		buf_printf(out, json ? ",\"%s\":%lld" : "%-20s %lld\n", stat_name(c), (long long)stats_total(m->stats, c));
	buf_add_str(out, json ? "}\n" : "");
}

static void on_order(void *arg, struct slice command, struct buf *out)
{
	struct master *m = arg;
	if (slice_eq(command, SLICE("status")) || slice_eq(command, SLICE("status json")))
		say_status(m, command.len > 6, out);
	else if (slice_eq(command, SLICE("reload")))
		buf_add_str(out, reload(m) ? "reloading\n" : "error: a reload or a stop is under way\n");
	else
		buf_add_str(out, "error: status, status json, reload\n");
}

/* ---- beginning and end */

/* The first configuration is waited for: there is nothing to do without it. */
static int first_config(struct master *m)
{
	int status, out;
	pid_t pid = compiler_start(m->path, &out);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return EX_OSERR;
	if (!compiler_finish(status, out))
		return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
	return adopt(m, out) ? EX_OK : EX_CONFIG;
}

static void watch_signals(struct master *m)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };
	for (size_t i = 0; i < 4; i++) {
		m->signals[i] = evsignal_new(m->base, numbers[i], on_signal, m);
		event_add(m->signals[i], NULL);
	}
	signal(SIGPIPE, SIG_IGN);
}

static void open_control(struct master *m)
{
	char path[108];
	control_path(m->config, path);
	m->control = control_open(m->base, path, on_order, m);
	if (m->control == NULL)
		log_warn(NULL, "control", "%s: %s; `gatehouse status` won't work", path, strerror(errno));
}

static void tear_down(struct master *m)
{
	control_close(&m->control);
	while (m->workers != NULL) {
		struct worker_process *w = m->workers;
		if (w->readable != NULL && w->pid != 0)
			event_free(w->readable);
		if (w->control >= 0)
			close(w->control);
		forget_worker(w);
	}
	for (size_t i = 0; i < 4; i++)
		event_free(m->signals[i]);
	if (m->stop_timer != NULL)
		event_free(m->stop_timer);
	listen_sockets_destroy(&m->sockets);
	event_base_free(m->base);
	stats_destroy(&m->stats);
	forget_config(m);
}

static int run(struct master *m)
{
	m->sockets = listen_sockets_create();
	int status = first_config(m);
	if (status != EX_OK) {
		listen_sockets_destroy(&m->sockets);
		return status;
	}
	const struct config_log *log = m->config->log;
	log_open((enum log_target)log->target, (enum log_format)log->format, (enum log_level)log->level, "master");
	m->base = event_base_new();
	m->stats = stats_create(ROWS, &m->stats_fd);
	if (m->base == NULL || m->stats == NULL)
		return EX_OSERR;
	watch_signals(m);
	open_control(m);
	start_generation(m);
	event_base_dispatch(m->base);
	bool failed = m->failed;
	if (failed)
		kill_all(-1, 0, m);
	tear_down(m);
	return failed ? EX_SOFTWARE : EX_OK;
}

int master_run(const char *path)
{
	struct master m = { .path = path, .config_fd = -1, .compiler_out = -1, .started = time(NULL) };
	return run(&m);
}
