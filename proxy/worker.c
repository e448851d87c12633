#include "proxy/worker.h"

#include <errno.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/store.h"
#include "base/zone.h"
#include "filters/clamd.h"
#include "proxy/backend.h"
#include "proxy/commands.h"
#include "proxy/resolver_setup.h"
#include "proxy/session.h"
#include "proxy/tls.h"
#include "proxy/transaction_log.h"
#include "proxy/transparent.h"
#include "proxy/worker_setup.h"
#include "proxy/worker_fds.h"

#define JOB_THREADS 2u
#define STALL_US 20000 /* what holds the loop longer belongs to the job pool */
#define BEAT_US 250000
#define ACCEPT_PAUSE_MS 100

struct gate { /* one listening socket */
	struct worker *worker;
	const struct config_listen *config;
	struct evconnlistener *listener;
	struct event *resume;
};

struct running {
	struct worker w;
	struct gate *gates;
	size_t gate_count;
	struct event *control, *drain_timer;
	struct zone *zone;
	struct event *look;
	int looks;
	struct event *beat;
	int64_t beat_due_us;
};

/* ---- small things */

int64_t worker_now_ms(const struct worker *w)
{
	(void)w;
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t worker_share(const struct worker *w, int64_t all)
{
	int64_t share = w->workers > 0 ? all / w->workers : all;
	return share > 0 ? share : 1;
}

int64_t worker_now_unix(const struct worker *w)
{
	struct timeval tv;
	event_base_gettimeofday_cached(w->base, &tv);
	return tv.tv_sec;
}

void worker_session_gone(struct worker *w)
{
	if (w->draining && w->session_count == 0)
		event_base_loopexit(w->base, NULL);
}

/* ---- accepting */

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct gate *g = arg;
	if (g->listener != NULL)
		evconnlistener_enable(g->listener);
}

/* Out of descriptors: wait a little instead of spinning on the ready socket. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct gate *g = arg;
	const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };
	log_error(&g->worker->log, "accept", "%s", strerror(errno));
	evconnlistener_disable(listener);
	event_add(g->resume, &pause);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct gate *g = arg;
	struct ip ip = { 0 };
	uint16_t port = 0;
	int one = 1;
	(void)listener, (void)len;
	ip_from_sockaddr(sa, &ip, &port);
	if (sa->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	session_accept(g->worker, g->config, fd, &ip, port);
}

static bool open_gates(struct running *r)
{
	const struct config *config = r->w.snapshot->config;
	r->gate_count = config->listen_count;
	r->gates = xcalloc(r->gate_count, sizeof(*r->gates));
	for (size_t i = 0; i < r->gate_count; i++) {
		struct gate *g = &r->gates[i];
		int fd = WORKER_FD_FIRST + (int)i;
		g->worker = &r->w;
		g->config = &config->listens[i];
		evutil_make_socket_nonblocking(fd);
		evutil_make_socket_closeonexec(fd);
		g->listener = evconnlistener_new(r->w.base, on_accept, g,
						 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
		if (g->listener == NULL)
			return false;
		evconnlistener_set_error_cb(g->listener, on_accept_error);
		g->resume = event_new(r->w.base, -1, 0, accept_again, g);
	}
	return true;
}

static void close_gates(struct running *r)
{
	for (size_t i = 0; i < r->gate_count; i++) {
		if (r->gates[i].listener != NULL)
			evconnlistener_free(r->gates[i].listener);
		r->gates[i].listener = NULL;
		if (r->gates[i].resume != NULL)
			event_free(r->gates[i].resume);
		r->gates[i].resume = NULL;
	}
}

/* ---- draining */

static void end_now(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct running *r = arg;
	log_warn(&r->w.log, "drain", "time is over with %lld sessions", (long long)r->w.session_count);
	event_base_loopexit(r->w.base, NULL);
}

static void drain(struct running *r, bool stop)
{
	if (!r->w.draining) {
		int64_t ms = r->w.snapshot->config->top->drain_timeout;
		const struct timeval limit = timeval_ms(ms);
		r->w.draining = true;
		close_gates(r);
		r->drain_timer = event_new(r->w.base, -1, 0, end_now, r);
		event_add(r->drain_timer, &limit);
	}
	r->w.stopping |= stop;
	struct session *next;
	for (struct session *s = r->w.sessions; stop && s != NULL; s = next) {
		next = s->next;
		session_shut_down(s);
	}
	if (r->w.session_count == 0)
		event_base_loopexit(r->w.base, NULL);
}

union control_message {
	char order;
	struct transparent_answer answer;
};

/* As recv(2). *fd_r: what came with it, or -1. */
static ssize_t receive(int control, union control_message *m, int *fd_r)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} space;
	struct iovec part = { m, sizeof(*m) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof(space.bytes),
	};
	*fd_r = -1;
	ssize_t n = recvmsg(control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd_r, CMSG_DATA(c), sizeof(int));
	return n;
}

static void on_control(evutil_socket_t fd, short what, void *arg)
{
	struct running *r = arg;
	union control_message m;
	int with;
	(void)what;
	ssize_t n = receive(fd, &m, &with);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* the master has gone */
		event_del(r->control);
		drain(r, true);
	} else if (m.order == CONTROL_TRANSPARENT && (size_t)n == sizeof(m.answer)) {
		transparent_answered(r->w.transparent, &m.answer, with);
	} else if (m.order == CONTROL_DRAIN || m.order == CONTROL_STOP) {
		drain(r, m.order == CONTROL_STOP);
	}
}

/* ---- setting up */

static bool make_tls(struct worker *w)
{
	const struct config *config = w->snapshot->config;
	char error[256];
	int *fds = xcalloc(2 * config->tls_count, sizeof(*fds));
	for (size_t i = 0; i < 2 * config->tls_count; i++)
		fds[i] = WORKER_FD_FIRST + (int)(config->listen_count + i);
	w->tls = tls_set_create(config, fds, error);
	for (size_t i = 0; i < 2 * config->tls_count; i++)
		close(fds[i]);
	free(fds);
	if (w->tls == NULL)
		log_error(&w->log, "tls", "%s", error);
	return w->tls != NULL;
}

/* Without a store we work on: what asks it gets a temporary error, and the
 * filter's on-error setting decides. */
static struct store *open_store(struct worker *w)
{
	const struct config_state *state = w->snapshot->config->state;
	const struct store_config config = { state->store, state->store_timeout, state->store_size };
	char error[STORE_ERROR_MAX];
	if (state->store.len == 0)
		return NULL;
	struct store *store = store_open(w->base, &config, error);
	if (store == NULL)
		log_error(&w->log, "store", "%s", error);
	return store;
}

static bool make_parts(struct running *r)
{
	struct worker *w = &r->w;
	const struct config *config = w->snapshot->config;
	w->base = event_base_new();
	w->jobs = w->base ? jobs_create(w->base, JOB_THREADS) : NULL;
	if (w->jobs == NULL)
		return false;
	char why[RESOLVER_ERROR_MAX];
	w->resolver = resolver_setup(w->base, config, &r->zone, why);
	if (w->resolver == NULL) {
		log_error(&w->log, "resolver", "%s", why);
		return false;
	}
	if (!make_tls(w))
		return false;
	w->store = open_store(w);
	transaction_log_open(config, w->row);
	const struct driver_parts parts = {
		.base = w->base, .resolver = w->resolver, .jobs = w->jobs, .store = w->store,
		.scanner = clamd_scanner(w->snapshot, &w->scanner) ? &w->scanner : NULL,
	};
	w->driver = driver_create(&parts);
	struct backend **list = xcalloc(config->backend_count, sizeof(*list));
	for (size_t i = 0; i < config->backend_count; i++)
		list[i] = backend_create(w, &config->backends[i]);
	w->backends = list;
	w->backend_count = config->backend_count;
	w->spool = worker_spool(config);
	return true;
}

static void tear_down(struct running *r)
{
	struct worker *w = &r->w;
	while (w->sessions != NULL)
		session_destroy(w->sessions);
	close_gates(r);
	for (size_t i = 0; i < w->backend_count; i++)
		backend_destroy((struct backend **)&w->backends[i]);
	free((void *)w->backends);
	driver_destroy(&w->driver);
	if (w->store != NULL)
		store_close(&w->store);
	transaction_log_close();
	jobs_destroy(&w->jobs);
	resolver_destroy(&w->resolver);
	zone_destroy(&r->zone);
	if (r->look != NULL)
		event_free(r->look);
	if (r->beat != NULL)
		event_free(r->beat);
	if (r->control != NULL)
		event_free(r->control);
	if (r->drain_timer != NULL)
		event_free(r->drain_timer);
	event_base_free(w->base);
	free(r->gates);
	buf_free(&w->line);
	tls_set_destroy(&w->tls);
	transparent_destroy(&w->transparent);
	stats_destroy(&w->stats);
	snapshot_release((struct snapshot **)&w->snapshot);
}

/* A timer that comes late says that something held the loop that long. */
static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct running *r = arg;
	int64_t now = clock_us(), late = now - r->beat_due_us;
	if (late > STALL_US)
		stats_add(r->w.stats, r->w.row, STAT_LOOP_STALLS, 1);
	stats_max(r->w.stats, r->w.row, STAT_LOOP_WORST_US, late);
	r->beat_due_us = now + BEAT_US;
	const struct timeval tv = { .tv_usec = BEAT_US };
	event_add(r->beat, &tv);
}

static void start_beat(struct running *r)
{
	const struct timeval tv = { .tv_usec = BEAT_US };
	r->beat = event_new(r->w.base, -1, 0, on_beat, r);
	r->beat_due_us = clock_us() + BEAT_US;
	event_add(r->beat, &tv);
}

/* ---- the beginning: what EHLO offers depends on what the backends offer, so
 * nobody is let in before they have answered, or have had their time. */

#define LOOK_MS 10
#define LOOKS 150

static bool backends_have_answered(const struct worker *w)
{
	for (size_t i = 0; i < w->backend_count; i++)
		if (backend_is_probing(w->backends[i]))
			return false;
	return true;
}

static void look_at_backends(evutil_socket_t fd, short what, void *arg)
{
	struct running *r = arg;
	const struct timeval soon = { .tv_usec = LOOK_MS * 1000 };
	(void)fd, (void)what;
	if (!backends_have_answered(&r->w) && r->looks++ < LOOKS) {
		event_add(r->look, &soon);
		return;
	}
	for (size_t i = 0; i < r->gate_count; i++)
		if (r->gates[i].listener != NULL)
			evconnlistener_enable(r->gates[i].listener);
	worker_say_ready();
}

/* Each mail takes some blocks of tens of KB and gives them back: the heap's
 * end would go to the kernel and come again with each of them. */
static void keep_heap(void)
{
	mallopt(M_TRIM_THRESHOLD, 8 << 20);
	mallopt(M_TOP_PAD, 256 << 10);
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

int worker_main(int argc, char **argv)
{
	struct running r = { 0 };
	if (argc < 3) {
		fputs("gatehouse worker is started by gatehouse run\n", stderr);
		return EX_USAGE;
	}
	worker_ignore_signals();
	keep_heap();
	r.w.row = r.w.ids.row = (unsigned)atoi(argv[1]);
	r.w.stats = stats_attach(WORKER_FD_STATS);
	r.w.snapshot = worker_snapshot((uint64_t)atoll(argv[2]));
	if (r.w.snapshot == NULL)
		return EX_CONFIG;
	const struct config_log *log = r.w.snapshot->config->log;
	log_open((enum log_target)log->target, (enum log_format)log->format, (enum log_level)log->level, "smtp");
	r.w.workers = config_workers(r.w.snapshot->config);
	worker_enter_sandbox(r.w.snapshot->config, true);
	if (!make_parts(&r) || !open_gates(&r))
		return EX_OSERR;
	r.w.transparent = transparent_create(WORKER_FD_CONTROL);
	r.control = event_new(r.w.base, WORKER_FD_CONTROL, EV_READ | EV_PERSIST, on_control, &r);
	event_add(r.control, NULL);
	for (size_t i = 0; i < r.w.backend_count; i++)
		backend_probe(r.w.backends[i]);
	start_beat(&r);
	r.look = event_new(r.w.base, -1, 0, look_at_backends, &r);
	event_active(r.look, EV_TIMEOUT, 0);
	event_base_dispatch(r.w.base);
	tear_down(&r);
	return 0;
}
