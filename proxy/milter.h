#ifndef GATEHOUSE_PROXY_MILTER_H
#define GATEHOUSE_PROXY_MILTER_H
/*
 * milter: a mail server's session as it tells us of it: the same pipeline, in
 * the same order, as a session of our own.
 *
 *   milter_open      the server connected
 *   milter_connect   its client did
 *   milter_helo
 *   milter_mail      MAIL: the transaction begins; nothing is waited for
 *   milter_rcpt      RCPT: filters, verdict
 *   milter_header, milter_end_of_header, milter_body
 *   milter_end       the end of the message: verdict, changes to the header
 *   milter_abort     no message comes of the transaction
 *   milter_close
 *
 * A mail that is asked about without a transaction is deferred: nothing passes unseen.
 *
 * The calls of one session come one after the other, on any thread; those of
 * many sessions come at the same time. Nothing of libmilter shows here: it is
 * milter_library.c that knows it.
 */
#include <stdatomic.h>

#include "base/log.h"
#include "policy/snapshot.h"
#include "proxy/driver_wait.h"
#include "proxy/stats.h"
#include "proxy/trace_id.h"

/* What all sessions of a worker share. */
struct milter_server {
	const struct snapshot *snapshot;
	const struct config_milter *config;
	struct wait_driver *driver;
	struct stats *stats;
	unsigned row;
	struct trace_ids ids;
	struct slice spool;
	atomic_long sessions, transactions; /* open now */
	atomic_bool closed;                 /* no transaction begins any more */
};

enum milter_reply {
	MILTER_CONTINUE,
	MILTER_SKIP,      /* no more of the body is wanted */
	MILTER_REJECT,    /* with what set_reply said */
	MILTER_TEMPFAIL,
	MILTER_DISCARD,
};

/* What the mail server was found to offer. */
struct milter_offers {
	bool add_headers, change_headers, change_recipients, quarantine, skip;
	bool leading_space;  /* header values come, and are given, with the white space behind the colon */
};

/* What a session may ask of the mail server. The functions but macro and
 * set_reply are for milter_end alone. */
struct milter_mta {
	/* NULL: not defined. Valid until the call into milter.c returns. */
	const char *(*macro)(void *arg, const char *name);
	/* text: "\n" parts lines. */
	void (*set_reply)(void *arg, unsigned code, const char *enhanced, struct slice text);
	/* Above all others; value as the server's offers want it, lines parted by "\n". */
	bool (*insert_header)(void *arg, const char *name, const char *value);
	/* index: 1 is the topmost of that name; value NULL: removes it. */
	bool (*change_header)(void *arg, const char *name, int index, const char *value);
	/* Paths with their angle brackets; one to be removed as RCPT had it. */
	bool (*add_recipient)(void *arg, const char *path);
	bool (*remove_recipient)(void *arg, const char *path);
	bool (*quarantine)(void *arg, const char *reason);
	/* "Still at it": the server waits longer. */
	void (*progress)(void *arg);
};

struct milter;

struct milter *milter_open(struct milter_server *server, const struct milter_mta *mta, void *arg,
			   const struct milter_offers *offers);
/* ip family 0: a local client without an address. */
void milter_connect(struct milter *m, const char *host, const struct ip *ip, uint16_t port);
void milter_helo(struct milter *m, const char *name);
/* args: the path, then its ESMTP parameters; ends with NULL. */
void milter_mail(struct milter *m, char *const *args);
enum milter_reply milter_rcpt(struct milter *m, char *const *args);
void milter_header(struct milter *m, const char *name, const char *value);
void milter_end_of_header(struct milter *m);
enum milter_reply milter_body(struct milter *m, struct slice chunk);
enum milter_reply milter_end(struct milter *m);
void milter_abort(struct milter *m);
void milter_close(struct milter **m);

#endif
