#include "proxy/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "proxy/compiler.h"
#include "proxy/master_private.h"
#include "proxy/notify.h"

#define KILL_GRACE_MS 2000  /* behind the drain time */

/* ---- reload */

enum reload_answer { RELOAD_BEGUN, RELOAD_BUSY, RELOAD_FAILED };
static const char *const reload_answers[] = {
	[RELOAD_BEGUN] = "reloading\n",
	[RELOAD_BUSY] = "error: a reload or a stop is under way\n",
	[RELOAD_FAILED] = "error: the configuration can't be read now; the log says why\n",
};

static enum reload_answer reload(struct master *m);

/* Service managers wait for the end of a reload, refused or not. */
static void refuse_reload(const struct master *m)
{
	log_error(NULL, "reload", "refused; the old configuration stays in force");
	if (m->announced && !m->stopping)
		notify_ready();
}

static void compiler_ended(struct master *m, int status)
{
	int out = m->compiler_out;
	m->compiler = 0;
	m->compiler_out = -1;
	if (m->stopping || !compiler_finish(status, out) || !master_adopt(m, out)) {
		close(out);
		refuse_reload(m);
	} else {
		workers_start(m);
	}
	if (m->reload_again)
		reload(m);
}

static enum reload_answer reload(struct master *m)
{
	if (m->stopping || m->compiler != 0)
		return RELOAD_BUSY;
	if (m->announced)
		notify_reloading();
	m->reload_again = false;
	m->compiler = compiler_start(m->path, false, &m->compiler_out);
	if (m->compiler > 0) {
		log_info(NULL, "reload", "reading %s", m->path);
		return RELOAD_BEGUN;
	}
	m->compiler = 0;
	log_error(NULL, "reload", "the compiler can't be started: %s", strerror(errno));
	refuse_reload(m);
	return RELOAD_FAILED;
}

/* ---- rule images */

void images_start(struct master *m)
{
	if (!m->images_wanted || m->stopping)
		return;
	if (m->images != 0) {
		kill(m->images, SIGKILL); /* of an earlier configuration: its end begins ours */
		return;
	}
	m->images_wanted = false;
	m->images_generation = m->generation;
	m->images = compiler_images_start(m->config_fd, &m->identity);
	if (m->images < 0) {
		log_warn(NULL, "rules", "the compiler of rule images can't be started: %s", strerror(errno));
		m->images = 0;
	}
}

/* New images: workers of the same configuration take them up, and the old ones drain. */
static void images_ended(struct master *m, int status)
{
	m->images = 0;
	bool made = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool current = m->images_generation == m->generation && m->compiler == 0;
	if (made && current && !m->stopping && workers_fit(m, m->config)) {
		log_info(NULL, "rules", "faster images of the rules are ready");
		m->generation++;
		workers_start(m);
	}
	images_start(m);
}

/* ---- signals and orders */

static void kill_all(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct master *m = arg;
	workers_kill(m);
	event_base_loopexit(m->base, NULL);
}

static void end_if_empty(struct master *m)
{
	unsigned ready, all;
	workers_count(m, &ready, &all);
	if (m->stopping && all == 0)
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
	workers_stop(m);
	if (m->compiler != 0)
		kill(m->compiler, SIGKILL);
	if (m->images != 0)
		kill(m->images, SIGKILL);
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
		if (pid == m->images)
			images_ended(m, status);
		else
			workers_reap(m, pid, status);
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
		m->reload_again = reload(m) == RELOAD_BUSY;
	else
		stop(m);
}

static void say_status(struct master *m, bool json, struct buf *out)
{
	unsigned ready, all;
	workers_count(m, &ready, &all);
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
		buf_add_str(out, reload_answers[reload(m)]);
	else
		buf_add_str(out, "error: status, status json, reload\n");
}

/* ---- beginning and end */

/* The first configuration is waited for: there is nothing to do without it. */
static int first_config(struct master *m)
{
	int status, out;
	pid_t pid = compiler_start(m->path, true, &out);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return EX_OSERR;
	if (!compiler_finish(status, out))
		return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
	return master_adopt(m, out) ? EX_OK : EX_CONFIG;
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
	char path[CONTROL_PATH_MAX];
	control_path(m->config, path);
	m->control = control_open(m->base, path, on_order, m);
	if (m->control == NULL)
		log_warn(NULL, "control", "%s: %s; `gatehouse status` won't work", path, strerror(errno));
}

static void tear_down(struct master *m)
{
	control_close(&m->control);
	workers_forget(m);
	for (size_t i = 0; i < 4; i++)
		event_free(m->signals[i]);
	if (m->stop_timer != NULL)
		event_free(m->stop_timer);
	listen_sockets_destroy(&m->sockets);
	event_base_free(m->base);
	stats_destroy(&m->stats);
	master_forget_config(m);
}

static int run(struct master *m)
{
	m->sockets = listen_sockets_create();
	int status = first_config(m);
	if (status != EX_OK) {
		listen_sockets_destroy(&m->sockets);
		return status;
	}
	m->base = event_base_new();
	m->stats = stats_create(WORKER_ROWS, &m->stats_fd);
	if (m->base == NULL || m->stats == NULL)
		return EX_OSERR;
	watch_signals(m);
	open_control(m);
	workers_start(m);
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
