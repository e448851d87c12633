#ifndef GATEHOUSE_PROXY_DELIVERY_H
#define GATEHOUSE_PROXY_DELIVERY_H
/*
 * delivery: one transaction's way to its backend, a server or a folder.
 *
 * The backend is asked for each recipient as our client names it. If its
 * session is lost before it got the content, the transaction is replayed on
 * a new one, and any reply that differs is a 451. Only its 2xx to the content
 * is ours. Each call has one outcome, which may come before the call returns;
 * one call at a time.
 */
#include "message/envelope.h"
#include "proxy/backend.h"

struct outcome {
	bool positive;            /* the backend has it */
	unsigned code;            /* for our client */
	const char *enhanced;     /* static, or as long as the callback */
	struct slice text;        /* "\n" between lines; as long as the callback */
	bool from_backend;        /* its own words, passed on */
	bool unreachable;         /* no session with it, nothing accepted: another backend may do */
	/* Of the content: by recipient index, where the backend has answered for
	 * each (code 0: it was not for that one). NULL: one answer for all. */
	const struct outcome *each;
};

typedef void outcome_fn(void *arg, const struct outcome *outcome);

struct delivery;

/* A connection that a client's identity rides on, kept between the
 * transactions of its session. Zeroed: none. */
struct delivery_home {
	struct backend_conn *conn;
	bool authenticated;       /* as the session's client, with it */
	struct backend *backend;  /* with which one, once authenticated */
};
void delivery_home_close(struct delivery_home *home);

/* envelope: its sender and params must stay; recipients are read as they are
 * accepted. client: stays. log: inherited fields. */
struct delivery *delivery_create(struct backend *backend, const struct client *client,
				 const struct envelope *envelope, struct delivery_home *home);
struct backend *delivery_backend(const struct delivery *delivery);
/* Asks for the recipient of that index. */
void delivery_rcpt(struct delivery *delivery, size_t recipient, outcome_fn *fn, void *arg);
/*
 * Hands over the message for the recipients that the envelope says are
 * accepted: those the backend has accepted, or some of them; then again for
 * others, if their answers are to differ. added (header lines of
 * ours) and content, both canonical and to stay until the outcome.
 * still_there(arg) is asked right before the final dot: false stops it.
 */
void delivery_content(struct delivery *delivery, struct slice added, struct slice content,
		      bool (*still_there)(void *arg), outcome_fn *fn, void *arg);
/* Nothing more is called. What was not handed over is taken back (RSET). */
void delivery_destroy(struct delivery **delivery);

/* What a kind of backend does. delivery.c has the table. */
struct delivery_ops {
	void (*rcpt)(struct delivery *delivery, size_t recipient);
	void (*content)(struct delivery *delivery);
	void (*destroy)(struct delivery *delivery);
};

#endif
