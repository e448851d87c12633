#ifndef GATEHOUSE_PROXY_WORKER_H
#define GATEHOUSE_PROXY_WORKER_H
/*
 * worker: one process with one event loop: listeners, sessions, backends. It
 * is executed by the master (worker_fds.h) with a checked configuration.
 */
#include <event2/event.h>

#include "base/buf.h"
#include "base/jobs.h"
#include "base/log.h"
#include "base/scanner.h"
#include "policy/snapshot.h"
#include "proxy/driver_loop.h"
#include "proxy/stats.h"
#include "proxy/trace_id.h"

struct session;
struct backend;
struct tls_set;
struct transparent;

struct worker {
	struct event_base *base;
	const struct snapshot *snapshot;
	struct driver *driver;
	struct jobs *jobs;
	struct resolver *resolver;
	struct store *store;
	struct scanner_config scanner; /* where the filter clamd is on */
	struct stats *stats;
	struct tls_set *tls;           /* proxy/tls.h; NULL: no TLS */
	struct transparent *transparent; /* the master makes such sockets; NULL: we do */
	unsigned row;                  /* in stats */
	unsigned workers;              /* how many we are */
	struct backend *const *backends; /* as config->backends */
	size_t backend_count;
	struct session *sessions;      /* all of them, newest first */
	int64_t session_count;
	int64_t tarpit_count;          /* sessions that are made to wait */
	bool draining;                 /* accepts no more; ends with its last session */
	bool stopping;                 /* sessions get 421 between two mails */
	struct trace_ids ids;
	struct log_context log;
	struct slice spool;            /* folder for big content */
	struct buf line;               /* session.c: the command line being obeyed */
};

/* A session has ended: a draining worker ends with its last. */
void worker_session_gone(struct worker *worker);
/* Its share of what all workers together may have. At least 1. */
int64_t worker_share(const struct worker *worker, int64_t all);
/* Monotonic milliseconds, a few behind at most; unix seconds. */
int64_t worker_now_ms(const struct worker *worker);
int64_t worker_now_unix(const struct worker *worker);

#endif
