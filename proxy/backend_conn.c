/* One connection to a backend: bytes out, replies in, in order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proxy/backend_private.h"

#define FLUSH_AT (32u * 1024) /* content waits for this much, or for its end */

static void enter(struct backend_conn *conn)
{
	conn->depth++;
}

/* False: the user let go of the connection meanwhile; it is freed. */
static bool leave(struct backend_conn *conn)
{
	conn->depth--;
	if (!conn->released || conn->depth > 0)
		return !conn->released;
	conn_free(conn);
	return false;
}

void conn_leaves(struct backend_conn *conn, bool leaves)
{
	struct backend_conn **at = &conn->backend->leaving;
	if (conn->leaving == leaves)
		return;
	conn->leaving = leaves;
	if (leaves) {
		conn->next = *at;
		*at = conn;
		return;
	}
	while (*at != conn)
		at = &(*at)->next;
	*at = conn->next;
}

void conn_free(struct backend_conn *conn)
{
	conn_leaves(conn, false);
	if (conn->depth > 0) {
		conn->released = true;
		return;
	}
	conn->backend->open_count--;
	backend_has_room(conn->backend);
	stream_destroy(&conn->stream);
	evtimer_del(&conn->timer);
	reply_parser_free(&conn->parser);
	free(conn->queue);
	free(conn);
}

static bool pop(struct backend_conn *conn, struct expectation *e)
{
	if (conn->count == 0)
		return false;
	*e = conn->queue[conn->head];
	conn->head = (conn->head + 1) % conn->cap;
	conn->count--;
	return true;
}

static void push(struct backend_conn *conn, const struct expectation *e)
{
	if (conn->count == conn->cap) {
		size_t cap = conn->cap ? conn->cap * 2 : 4;
		struct expectation *queue = xcalloc(cap, sizeof(*queue));
		for (size_t i = 0; i < conn->count; i++)
			queue[i] = conn->queue[(conn->head + i) % conn->cap];
		free(conn->queue);
		conn->queue = queue;
		conn->head = 0;
		conn->cap = cap;
	}
	conn->queue[(conn->head + conn->count++) % conn->cap] = *e;
}

/* The oldest expectation's time. */
static void set_timeout(struct backend_conn *conn)
{
	if (conn->count == 0) {
		evtimer_del(&conn->timer);
		return;
	}
	int64_t ms = conn->queue[conn->head].timeout_ms;
	const struct timeval tv = timeval_ms(ms);
	evtimer_add(&conn->timer, &tv);
}

void conn_fail(struct backend_conn *conn, const char *why)
{
	struct expectation e;
	conn->closed = true;
	evtimer_del(&conn->timer);
	enter(conn);
	conn->drained = NULL;
	while (!conn->released && pop(conn, &e))
		e.fn(e.arg, NULL, why);
	leave(conn);
}

static void leave_idle(struct backend_conn *conn)
{
	struct backend *b = conn->backend;
	for (struct backend_conn **at = &b->idle; *at != NULL; at = &(*at)->next)
		if (*at == conn) {
			*at = conn->next;
			b->idle_count--;
			break;
		}
	conn->idle = false;
}

/* An idle connection that speaks or ends is of no use any more. */
static void drop_idle(struct backend_conn *conn)
{
	leave_idle(conn);
	conn_free(conn);
}

static bool deliver_reply(struct backend_conn *conn)
{
	struct expectation e;
	if (!pop(conn, &e)) {
		conn_fail(conn, conn->parser.reply.code == 421 ? "backend closed the session (421)"
							       : "reply nobody asked for");
		return false;
	}
	/* Behind 421 the server closes (RFC 5321 3.8): nothing more is answered. */
	if (conn->parser.reply.code == 421)
		conn->closed = true;
	enter(conn);
	set_timeout(conn);
	e.fn(e.arg, &conn->parser.reply, NULL);
	return leave(conn);
}

static void on_input(void *arg)
{
	struct backend_conn *conn = arg;
	struct slice in;
	if (conn->idle) {
		drop_idle(conn);
		return;
	}
	while (!conn->confused && (in = stream_input(conn->stream)).len > 0) {
		size_t used;
		enum reply_status status = reply_parse(&conn->parser, in, &used);
		stream_take(conn->stream, used);
		if (status == REPLY_NONSENSE) {
			conn_fail(conn, conn->parser.problem);
			return;
		}
		if (status == REPLY_DONE && !deliver_reply(conn))
			return;
	}
	stream_flush(conn->stream);
}

static void on_drained(void *arg)
{
	struct backend_conn *conn = arg;
	void (*fn)(void *) = conn->drained;
	conn->drained = NULL;
	if (fn == NULL)
		return;
	set_timeout(conn);
	enter(conn);
	fn(conn->drained_arg);
	leave(conn);
}

static void on_closed(void *arg, const char *why)
{
	struct backend_conn *conn = arg;
	char text[160];
	if (conn->idle) {
		drop_idle(conn);
		return;
	}
	snprintf(text, sizeof(text), "backend: %s", why ? why : "closed the connection");
	conn_fail(conn, text);
}

static void on_ready(void *arg, const char *why)
{
	struct backend_conn *conn = arg;
	if (conn->wait != NULL && conn->wait->handshaking)
		greet_ready(conn->wait, why);
	else if (why != NULL)
		on_closed(arg, why);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct backend_conn *conn = arg;
	(void)fd, (void)what;
	if (conn->idle) {
		leave_idle(conn);
		conn_quit(conn);
	} else if (conn->wait != NULL && conn->wait->handshaking) {
		greet_ready(conn->wait, "time-out in the handshake");
	} else {
		conn_fail(conn, conn->confused ? "reply nobody asked for" : conn->closed ? "connection is closed"
								  : "time-out waiting for the backend");
	}
}

static const struct stream_callbacks callbacks = {
	.input = on_input, .closed = on_closed, .drained = on_drained, .ready = on_ready,
};

struct backend_conn *conn_open(struct backend *backend, int fd, const char **why_r)
{
	struct backend_conn *conn = xcalloc(1, sizeof(*conn));
	conn->backend = backend;
	conn->bound = fd >= 0;
	backend->open_count++;
	reply_parser_init(&conn->parser, NULL);
	evtimer_assign(&conn->timer, backend->worker->base, on_timer, conn);
	size_t at = backend->address_at;
	conn->stream = stream_connect(backend->worker->base, fd, (struct sockaddr *)&backend->addresses[at],
				      backend->address_lens[at], &callbacks, conn);
	if (conn->stream == NULL) {
		*why_r = strerror(errno);
		conn_free(conn);
		return NULL;
	}
	return conn;
}

void backend_send(struct backend_conn *conn, struct slice bytes, int64_t timeout_ms, backend_reply_fn *fn, void *arg)
{
	bool first = conn->count == 0;
	if (first && !conn->closed && stream_input(conn->stream).len > 0)
		conn->confused = conn->closed = true;
	const struct expectation e = { fn, arg, conn->closed ? 0 : timeout_ms };
	push(conn, &e);
	if (first)
		set_timeout(conn); /* a closed one fails from the loop, never before we return */
	if (conn->closed)
		return;
	stream_write(conn->stream, bytes);
	stream_flush_soon(conn->stream);
}

void backend_expect(struct backend_conn *conn, int64_t timeout_ms, backend_reply_fn *fn, void *arg)
{
	const struct expectation e = { fn, arg, conn->closed ? 0 : timeout_ms };
	push(conn, &e);
	if (conn->count == 1)
		set_timeout(conn);
}

void backend_write(struct backend_conn *conn, struct slice bytes)
{
	stream_write(conn->stream, bytes);
	if (stream_unsent(conn->stream) >= FLUSH_AT)
		stream_flush(conn->stream);
}

void backend_flush(struct backend_conn *conn)
{
	stream_flush_soon(conn->stream);
	if (!conn->closed)
		set_timeout(conn);
}

size_t backend_unsent(const struct backend_conn *conn)
{
	return stream_unsent(conn->stream);
}

void backend_on_drained(struct backend_conn *conn, size_t low, void (*fn)(void *arg), void *arg)
{
	conn->drained = fn;
	conn->drained_arg = arg;
	stream_flush(conn->stream);
	stream_low_water(conn->stream, low);
}

bool backend_conn_usable(const struct backend_conn *conn)
{
	return !conn->closed && !stream_closed(conn->stream);
}

bool backend_conn_quiet(const struct backend_conn *conn)
{
	return !conn->closed && stream_quiet(conn->stream);
}

const struct backend_caps *backend_conn_caps(const struct backend_conn *conn)
{
	return &conn->caps;
}

struct backend *backend_conn_backend(const struct backend_conn *conn)
{
	return conn->backend;
}

void backend_conn_bind(struct backend_conn *conn)
{
	conn->bound = true;
}

bool backend_conn_bound(const struct backend_conn *conn)
{
	return conn->bound;
}
