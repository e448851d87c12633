#ifndef GATEHOUSE_PROXY_BACKEND_PRIVATE_H
#define GATEHOUSE_PROXY_BACKEND_PRIVATE_H
/* What backend*.c share. Nobody else includes this. */
#include <event2/event_struct.h>
#include <sys/socket.h>

#include "proxy/backend.h"
#include "proxy/stream.h"

#define ADDRESSES_MAX 8 /* of a name */

struct backend {
	struct worker *worker;
	const struct config_backend *config;
	struct backend_caps caps;
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	socklen_t address_lens[ADDRESSES_MAX];
	size_t address_count;       /* 0: its name has none */
	size_t address_at;          /* which is used: the last that worked */
	char peer[128];             /* for the log */
	struct backend_conn *idle;  /* newest first */
	size_t idle_count;
	struct backend_conn *leaving; /* nobody's any more; a last reply is due */
	size_t open_count;          /* connections of all kinds, and sockets asked for */
	struct backend_wait *queue; /* who waits for one to end; oldest first */
	struct event *room;         /* there may be room for the oldest of them */
	bool failed;                /* the last connection was */
	int64_t heard_ms;           /* when it was last known to work */
	struct event *probe_timer;
	struct backend_wait *probe;
};

struct expectation {
	backend_reply_fn *fn;
	void *arg;
	int64_t timeout_ms;
};

struct backend_conn {
	struct backend *backend;
	struct stream *stream;
	struct event timer;         /* of the oldest expectation */
	struct reply_parser parser;
	struct backend_caps caps;
	struct expectation *queue;  /* oldest at head */
	size_t head, count, cap;
	struct backend_wait *wait;  /* while it is being greeted */
	struct backend_conn *next;  /* in the list of idle ones, or of those leaving */
	void (*drained)(void *arg);
	void *drained_arg;
	bool reused, bound, idle, leaving;
	bool closed;                /* by the other side, or after an error */
	bool confused;              /* bytes came before what they could answer was sent */
	bool released;              /* its user has let go: free when no callback runs */
	int depth;                  /* callbacks running */
};

struct backend_wait {
	struct backend *backend;
	backend_connected_fn *fn;
	void *arg;
	struct backend_conn *conn;
	struct event *later;        /* calls back from the loop */
	struct transparent_wait *socket; /* the master is asked for it */
	const char *failure;
	char failure_text[256];
	/* what the identity commands say, copied */
	struct client client;
	struct arena *arena;
	struct backend_wait *next;  /* in the queue */
	bool queued, counted;       /* counted: it holds the place of a connection to come */
	bool fresh;
	size_t address_at;          /* which is tried */
	size_t addresses_tried;     /* in vain */
	bool crowded;               /* it failed for want of room: the server is none the worse */
	bool handshaking, encrypted;
	bool clear_then;            /* the handshake failed, and TLS need not be: once more, without */
	bool no_tls;                /* STARTTLS is not to be tried (again) */
	bool identity_told;
	bool plain_helo;            /* EHLO was refused */
};

/* backend_greet.c: the connection, or TLS on it, is ready. why: it is not. */
void greet_ready(struct backend_wait *wait, const char *why);


/* backend_conn.c */
/* fd: a client's socket to connect with (transparent), or -1. */
struct backend_conn *conn_open(struct backend *backend, int fd, const char **why_r);
void conn_free(struct backend_conn *conn);
/* A connection has ended, or can be had again. */
void backend_has_room(struct backend *backend);
/* From here on it is ours alone: freed with the backend at the latest. */
void conn_leaves(struct backend_conn *conn, bool leaves);
/* Fails all expectations, with why. */
void conn_fail(struct backend_conn *conn, const char *why);

/* backend.c: says QUIT and closes. */
void conn_quit(struct backend_conn *conn);

/* backend_greet.c: from the banner, or from where an idle one stands, to
 * ready; ends with greet_done(). */
void greet_begin(struct backend_wait *wait);
void greet_begin_idle(struct backend_wait *wait);
/* What goes before everything else (the PROXY header), into the buffer. */
void greet_preamble(struct backend_wait *wait);
/* backend.c: the greeting is over; why NULL: well. */
void greet_done(struct backend_wait *wait, const char *why);

#endif
