/* One connection to a backend: bytes out, replies in, in order. */
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

#include "proxy/backend_private.h"

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

void conn_free(struct backend_conn *conn)
{
	if (conn->depth > 0) {
		conn->released = true;
		return;
	}
	if (conn->bev != NULL)
		bufferevent_free(conn->bev);
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

/* The oldest expectation's time. Writing counts too: a backend that takes no
 * bytes is as stalled as one that says nothing. */
static void set_timeout(struct backend_conn *conn)
{
	if (conn->count == 0) {
		bufferevent_set_timeouts(conn->bev, NULL, NULL);
		return;
	}
	int64_t ms = conn->queue[conn->head].timeout_ms;
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (int)(ms % 1000) * 1000 };
	bufferevent_set_timeouts(conn->bev, &tv, &tv);
}

void conn_fail(struct backend_conn *conn, const char *why)
{
	struct expectation e;
	conn->closed = true;
	bufferevent_disable(conn->bev, EV_READ | EV_WRITE);
	bufferevent_set_timeouts(conn->bev, NULL, NULL);
	enter(conn);
	if (conn->drained != NULL && conn->count == 0)
		conn->drained = NULL;
	while (!conn->released && pop(conn, &e))
		e.fn(e.arg, NULL, why);
	leave(conn);
}

/* An idle connection that speaks or ends is of no use any more. */
static void drop_idle(struct backend_conn *conn)
{
	struct backend *b = conn->backend;
	for (struct backend_conn **at = &b->idle; *at != NULL; at = &(*at)->next)
		if (*at == conn) {
			*at = conn->next;
			b->idle_count--;
			break;
		}
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

static void on_read(struct bufferevent *bev, void *arg)
{
	struct backend_conn *conn = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	if (conn->idle) {
		drop_idle(conn);
		return;
	}
	while (evbuffer_get_length(in) > 0) {
		struct evbuffer_iovec v;
		size_t used;
		if (evbuffer_peek(in, -1, NULL, &v, 1) < 1)
			break;
		enum reply_status status = reply_parse(&conn->parser, slice_make(v.iov_base, v.iov_len), &used);
		evbuffer_drain(in, used);
		if (status == REPLY_NONSENSE) {
			conn_fail(conn, conn->parser.problem);
			return;
		}
		if (status == REPLY_DONE && !deliver_reply(conn))
			return;
	}
}

static void on_write(struct bufferevent *bev, void *arg)
{
	(void)bev;
	struct backend_conn *conn = arg;
	void (*fn)(void *) = conn->drained;
	conn->drained = NULL;
	if (fn == NULL)
		return;
	enter(conn);
	fn(conn->drained_arg);
	leave(conn);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct backend_conn *conn = arg;
	char why[160];
	if (what & BEV_EVENT_CONNECTED) {
		int one = 1;
		setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		return;
	}
	if (conn->idle) {
		drop_idle(conn);
		return;
	}
	if (what & BEV_EVENT_TIMEOUT)
		snprintf(why, sizeof(why), "time-out waiting for the backend");
	else if (what & BEV_EVENT_EOF)
		snprintf(why, sizeof(why), "backend closed the connection");
	else
		snprintf(why, sizeof(why), "backend: %s", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	conn_fail(conn, why);
}

struct backend_conn *conn_open(struct backend *backend, const char **why_r)
{
	struct backend_conn *conn = xcalloc(1, sizeof(*conn));
	conn->backend = backend;
	reply_parser_init(&conn->parser, NULL);
	conn->bev = bufferevent_socket_new(backend->worker->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (conn->bev == NULL) {
		*why_r = "no bufferevent";
		conn_free(conn);
		return NULL;
	}
	bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
	bufferevent_enable(conn->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(conn->bev, (struct sockaddr *)&backend->address,
				       (int)backend->address_len) != 0) {
		*why_r = strerror(errno);
		conn_free(conn);
		return NULL;
	}
	return conn;
}

void backend_send(struct backend_conn *conn, struct slice bytes, int64_t timeout_ms, backend_reply_fn *fn, void *arg)
{
	const struct expectation e = { fn, arg, timeout_ms };
	bool first = conn->count == 0;
	push(conn, &e);
	if (bytes.len > 0)
		bufferevent_write(conn->bev, bytes.data, bytes.len);
	if (first)
		set_timeout(conn);
	if (conn->closed) /* fails from the loop, never before we return */
		bufferevent_trigger_event(conn->bev, BEV_EVENT_EOF, BEV_TRIG_DEFER_CALLBACKS);
}

void backend_write(struct backend_conn *conn, struct slice bytes)
{
	bufferevent_write(conn->bev, bytes.data, bytes.len);
}

size_t backend_unsent(const struct backend_conn *conn)
{
	return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

void backend_on_drained(struct backend_conn *conn, size_t low, void (*fn)(void *arg), void *arg)
{
	conn->drained = fn;
	conn->drained_arg = arg;
	bufferevent_setwatermark(conn->bev, EV_WRITE, low, 0);
}

bool backend_conn_usable(const struct backend_conn *conn)
{
	char byte;
	if (conn->closed)
		return false;
	ssize_t n = recv(bufferevent_getfd(conn->bev), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool backend_conn_reused(const struct backend_conn *conn)
{
	return conn->reused;
}

const struct backend_caps *backend_conn_caps(const struct backend_conn *conn)
{
	return &conn->caps;
}

struct backend *backend_conn_backend(const struct backend_conn *conn)
{
	return conn->backend;
}

const char *backend_conn_peer(const struct backend_conn *conn)
{
	return conn->backend->peer;
}

void backend_conn_bind(struct backend_conn *conn)
{
	conn->bound = true;
}

bool backend_conn_bound(const struct backend_conn *conn)
{
	return conn->bound;
}
