#ifndef GATEHOUSE_PROXY_BACKEND_H
#define GATEHOUSE_PROXY_BACKEND_H
/*
 * backend: a mail server behind us, as one worker sees it: what it can do,
 * and the connections to it.
 *
 * A connection is had by backend_connect(): an idle one that nobody's
 * identity rides on, or a new one, greeted (EHLO, else HELO; LHLO for LMTP)
 * and told who the client is where the settings say so. Its user sends
 * commands and gets one callback for each, in order. When the connection
 * fails, every callback outstanding gets NULL and a reason, and then nothing
 * more is called.
 */
#include "message/envelope.h"
#include "proxy/reply.h"
#include "proxy/worker.h"

enum backend_cap {
	CAP_PIPELINING = 1 << 0,
	CAP_8BITMIME = 1 << 1,
	CAP_SIZE = 1 << 2,
	CAP_ENHANCED = 1 << 3,
	CAP_SMTPUTF8 = 1 << 4,
	CAP_DSN = 1 << 5,
	CAP_CHUNKING = 1 << 6,
	CAP_BINARYMIME = 1 << 7,
	CAP_REQUIRETLS = 1 << 8,
	CAP_PRDR = 1 << 9,
	CAP_STARTTLS = 1 << 10,
	CAP_AUTH = 1 << 11,
	CAP_XCLIENT = 1 << 12,
	CAP_XFORWARD = 1 << 13,
};

struct backend_caps {
	bool known;          /* it has answered EHLO at least once */
	unsigned bits;
	uint64_t size;       /* of SIZE; 0: no bound said */
	char auth[256];      /* mechanisms, in upper case, a space between; filtered of what can't be relayed */
	char xclient[256], xforward[256]; /* attribute names */
};

struct backend;
struct backend_conn;

struct backend *backend_create(struct worker *worker, const struct config_backend *config);
/* Closes idle connections. Those in use must be gone. */
void backend_destroy(struct backend **backend);
const struct config_backend *backend_config(const struct backend *backend);
const struct backend_caps *backend_caps(const struct backend *backend);
struct worker *backend_worker(const struct backend *backend);
bool backend_is_maildir(const struct backend *backend);
/* The last connection to it was greeted. One that wasn't is probed until it
 * answers again; meanwhile others are to be used, if there are others. */
bool backend_healthy(const struct backend *backend);
/* A session with it was lost where none should be: not healthy until it is
 * greeted again. */
void backend_suspect(struct backend *backend);
/* Connects once to learn what it can do; goes on trying until it has answered. */
void backend_probe(struct backend *backend);
/* The first probe has had no answer yet. */
bool backend_is_probing(const struct backend *backend);

/* conn NULL: failed, with why. A connection got is the callback's. */
typedef void backend_connected_fn(void *arg, struct backend_conn *conn, const char *why);
struct backend_wait;
/* client: told to the backend by XCLIENT, XFORWARD or PROXY as configured;
 * copied. fresh: no idle connection, please. The callback never runs before
 * this returns; the handle is valid until it has. */
struct backend_wait *backend_connect(struct backend *backend, const struct client *client, bool fresh,
				     backend_connected_fn *fn, void *arg);
void backend_connect_cancel(struct backend_wait **wait);

/* reply NULL: the connection failed, with why. It stays its user's, to be dropped. */
typedef void backend_reply_fn(void *arg, const struct reply *reply, const char *why);

/* Sends bytes (one command line with its CRLF, or none) and expects one reply
 * to them within timeout_ms. Input that is there already can't be that reply:
 * the connection fails then. */
void backend_send(struct backend_conn *conn, struct slice bytes, int64_t timeout_ms, backend_reply_fn *fn, void *arg);
/* One more reply to what was sent last (PRDR, LMTP); from a reply's callback, or right behind backend_send(). */
void backend_expect(struct backend_conn *conn, int64_t timeout_ms, backend_reply_fn *fn, void *arg);
/* More bytes that no reply of its own belongs to (content). */
void backend_write(struct backend_conn *conn, struct slice bytes);
/* Writes what is queued; the time-out of the oldest reply begins again, as it
 * does when the backend has taken bytes (drained). */
void backend_flush(struct backend_conn *conn);
/* Octets not yet taken by the kernel; fn(arg) is called when they fall to low. */
size_t backend_unsent(const struct backend_conn *conn);
void backend_on_drained(struct backend_conn *conn, size_t low, void (*fn)(void *arg), void *arg);

bool backend_conn_usable(const struct backend_conn *conn); /* not known to be closed by the other side */
bool backend_conn_quiet(const struct backend_conn *conn);  /* usable, and nothing has come from it: asks the kernel */
const struct backend_caps *backend_conn_caps(const struct backend_conn *conn);
struct backend *backend_conn_backend(const struct backend_conn *conn);

/* The user is done with it: after RSET or a finished transaction (clean) it
 * may go to the idle ones; else, or where an identity rides on it, it gets
 * QUIT and is closed. No callback comes any more. */
void backend_conn_release(struct backend_conn **conn, bool clean);
/* As released clean, once RSET has taken its transaction back. */
void backend_conn_take_back(struct backend_conn **conn);
/* Closed at once, as it stands. No callback comes any more. */
void backend_conn_drop(struct backend_conn **conn);
/* What the client authenticated as rides on it now: never idle again. */
void backend_conn_bind(struct backend_conn *conn);
bool backend_conn_bound(const struct backend_conn *conn);

#endif
