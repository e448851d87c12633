/*
 * The milter worker: libmilter's threads, one thread for the resolver and the
 * store, and this one, which listens to the master.
 *
 * libmilter can't stop accepting and go on with its sessions: smfi_stop() ends
 * them. So to drain, the listening socket is exchanged below it for one that
 * nobody connects to, and the process ends with its last session.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "filters/clamd.h"
#include "proxy/commands.h"
#include "proxy/milter_library.h"
#include "proxy/resolver_setup.h"
#include "proxy/transaction_log.h"
#include "proxy/worker_fds.h"
#include "proxy/worker_setup.h"

#define LOOK_MS 50         /* while draining: how often the sessions are counted */
#define GRACE_MS 500       /* for a connection that was accepted, and has said nothing yet */

static void *run_library(void *arg)
{
	milter_library_run(arg, WORKER_FD_FIRST);
	_exit(EX_SOFTWARE); /* the master starts another */
}

/* No signal may come to libmilter's thread: this one, the process' first, ignores
 * them, which counts for the process as long as it doesn't block them. */
static bool start_library(struct milter_server *server)
{
	pthread_t thread;
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int error = pthread_create(&thread, NULL, run_library, server);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error == 0)
		pthread_detach(thread);
	else
		log_error(NULL, "milter", "thread: %s", strerror(error));
	return error == 0;
}

static bool make_driver(struct milter_server *s)
{
	static struct scanner_config scanner;
	struct wait_driver_config config = { .threaded = true };
	struct zone *zone;
	char why[WAIT_ERROR_MAX];
	config.scanner = clamd_scanner(s->snapshot, &scanner) ? &scanner : NULL;
	const struct config_state *state = s->snapshot->config->state;
	const struct store_config store = { state->store, state->store_timeout, state->store_size };
	if (!resolver_settings(s->snapshot->config, &zone, &config.resolver, why)) {
		log_error(NULL, "resolver", "%s", why);
		return false;
	}
	if (store.url.len > 0) {
		config.store = &store;
		if ((s->driver = wait_driver_create(&config, why)) != NULL)
			return true;
		/* Without it we work on: each filter's on-error setting decides. */
		log_error(NULL, "store", "%s", why);
		config.store = NULL;
	}
	if ((s->driver = wait_driver_create(&config, why)) == NULL)
		log_error(NULL, "resolver", "%s", why);
	return s->driver != NULL;
}

/* Connections that wait in the queue of the shared socket are another worker's now. */
static void stop_accepting(void)
{
	const struct sockaddr_un nowhere = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* An address of the family alone: the kernel makes up a name. */
	if (fd < 0 || bind(fd, (const struct sockaddr *)&nowhere, sizeof(sa_family_t)) != 0 || listen(fd, 1) != 0 ||
	    dup2(fd, WORKER_FD_FIRST) < 0)
		log_error(NULL, "drain", "%s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Waits for an order. timeout_ms -1: for ever. '\0': none came. */
static char next_order(int timeout_ms)
{
	struct pollfd p = { .fd = WORKER_FD_CONTROL, .events = POLLIN };
	char order;
	if (poll(&p, 1, timeout_ms) <= 0)
		return '\0';
	ssize_t n = recv(WORKER_FD_CONTROL, &order, 1, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return '\0';
	return n <= 0 ? CONTROL_STOP : order; /* the master has gone */
}

/* Stopping, a session between two mails is let go of: the server's next
 * question fails, and its client is told to come again. */
static bool is_idle(const struct milter_server *s, bool stopping)
{
	return atomic_load(stopping ? &s->transactions : &s->sessions) == 0;
}

/* From here on nothing begins. False: something has begun just now. */
static bool close_door(struct milter_server *s)
{
	atomic_store(&s->closed, true);
	if (atomic_load(&s->transactions) == 0)
		return true;
	atomic_store(&s->closed, false);
	return false;
}

/* True: no mail is under way any more. */
static bool drain(struct milter_server *s, bool stopping)
{
	int64_t start = clock_ms(), end = start + s->snapshot->config->top->drain_timeout, idle = start;
	stop_accepting();
	while (clock_ms() < end) {
		if (clock_ms() - idle >= GRACE_MS && close_door(s))
			return true;
		if (!stopping && next_order(LOOK_MS) == CONTROL_STOP)
			stopping = true;
		else if (stopping)
			usleep(LOOK_MS * 1000);
		if (!is_idle(s, stopping))
			idle = clock_ms();
	}
	log_warn(NULL, "drain", "time is over with %ld sessions", atomic_load(&s->sessions));
	return close_door(s);
}

static bool set_up(struct milter_server *s, char **argv)
{
	s->row = s->ids.row = (unsigned)atoi(argv[1]);
	s->stats = stats_attach(WORKER_FD_STATS);
	s->snapshot = worker_snapshot((uint64_t)atoll(argv[2]));
	if (s->snapshot == NULL)
		return false;
	const struct config *config = s->snapshot->config;
	size_t index = (size_t)atoi(argv[3]);
	log_open((enum log_target)config->log->target, (enum log_format)config->log->format,
		 (enum log_level)config->log->level, "milter");
	transaction_log_open(config, s->row);
	s->config = index < config->milter_count ? &config->milters[index] : NULL;
	s->spool = worker_spool(config);
	worker_enter_sandbox(config, false);
	return s->config != NULL;
}

int milter_worker_main(int argc, char **argv)
{
	static struct milter_server server; /* threads outlive this function */
	char order;
	if (argc < 4) {
		fputs("gatehouse milter-worker is started by gatehouse run\n", stderr);
		return EX_USAGE;
	}
	worker_ignore_signals();
	if (!set_up(&server, argv))
		return EX_CONFIG;
	if (!make_driver(&server) || !start_library(&server))
		return EX_OSERR;
	worker_say_ready();
	do
		order = next_order(-1);
	while (order != CONTROL_DRAIN && order != CONTROL_STOP);
	/* What was to be remembered of the last mails is written. */
	if (drain(&server, order == CONTROL_STOP)) {
		wait_driver_destroy(&server.driver);
		transaction_log_close();
	}
	_exit(EX_OK); /* libmilter's threads run on: there is no joining them */
}
