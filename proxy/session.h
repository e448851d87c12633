#ifndef GATEHOUSE_PROXY_SESSION_H
#define GATEHOUSE_PROXY_SESSION_H
/*
 * session: one client's connection, from its greeting to its end.
 *
 * Bytes come in on the loop. In SESSION_COMMAND each line goes to
 * command_dispatch(); in SESSION_DATA they go to the transaction. A command
 * that must wait sets SESSION_BUSY (session_wait) and session_resume() goes on
 * with what the client has pipelined behind it. Replies are written in order.
 *
 * A session pins the snapshot it began with.
 */
#include <event2/event_struct.h>

#include "message/envelope.h"
#include "proxy/delivery.h"
#include "proxy/stream.h"
#include "proxy/worker.h"

struct auth;
struct transaction;

enum session_state {
	SESSION_PROXY,   /* reads a balancer's header */
	SESSION_DELAY,   /* the greeting is held back */
	SESSION_COMMAND, /* reads command lines */
	SESSION_AUTH,    /* reads a response to a challenge */
	SESSION_BUSY,    /* waits for an answer; reads nothing on */
	SESSION_DATA,    /* reads content up to its end */
	SESSION_TARPIT,  /* the next command waits, for there were errors */
	SESSION_CLOSING, /* the last reply is being written */
};

struct session {
	struct worker *worker;
	struct session *prev, *next;
	const struct snapshot *snapshot;
	const struct config_listen *listen;
	struct stream *stream;
	struct event timer;
	struct client client;        /* strings: session_keep() */
	struct transaction *transaction; /* NULL between mails */
	struct auth *auth;           /* while AUTH is under way */
	struct delivery_home home;
	struct store_query *known;   /* is it a client known as good? */
	struct arena *arena;         /* of the client's strings; NULL until the first */
	enum session_state state;
	bool eof;                    /* the client sends no more */
	bool running;                /* session_run is on the stack */
	bool greeted, handshaking;
	bool slow;                   /* an error was answered: the next command may have to wait */
	uint64_t skip;               /* octets of a refused chunk, to be read and thrown away */
	uint32_t commands, errors, unknown, messages, refusals;
	int64_t started, deadline;   /* monotonic ms */
	int64_t armed;               /* where the timer stands; 0: nowhere yet */
	char id[TRACE_ID_LEN + 1];
};

/* Takes the socket over. */
void session_accept(struct worker *worker, const struct config_listen *listen, int fd, const struct ip *ip,
		    uint16_t port);
/* Ends it as it stands, with all that belongs to it. */
void session_destroy(struct session *session);

/* Writes a reply. text: "\n" parts lines. */
void session_reply(struct session *s, unsigned code, const char *enhanced, struct slice text);
void session_printf(struct session *s, unsigned code, const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* As session_printf for a client's mistake: counted, and over the limit the
 * session ends with 421. */
void session_error(struct session *s, unsigned code, const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Bytes of a reply that is formatted already. */
void session_write(struct session *s, struct slice bytes);
/* The last reply: closes when it is written. */
void session_close(struct session *s, unsigned code, const char *enhanced, const char *text);

/* The command waits: no further line is read until session_resume(). */
void session_wait(struct session *s);
void session_resume(struct session *s);
/* Everything the client has sent behind is content now. */
void session_read_data(struct session *s);
/* That many octets are a chunk that was refused: read them to the last. */
void session_skip(struct session *s, uint64_t octets);
/* The next line is a response for auth_on_line(). */
void session_read_auth(struct session *s);
/* STARTTLS: says 220 and begins. False: can't; nothing was said. */
bool session_start_tls(struct session *s);
/* The client can still hear us (DESIGN 4: asked before the final dot). */
bool session_still_there(const struct session *s);

/* A copy that lives as long as the session. */
struct slice session_keep(struct session *s, struct slice bytes);
const struct config_limits *session_limits(const struct session *s);
/* What the session is in every log line: id, client. Valid until the next call. */
const struct log_context *session_log(const struct session *s);
/* A clean mail of it was delivered: it needn't wait for the greeting next time. */
void session_remember_good(struct session *s);
/* The worker stops: say 421 to whoever is between two commands. */
void session_shut_down(struct session *s);

#endif
