#include "base/scanner.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/arena.h"
#include "base/clock.h"

#define CHUNK (1u << 20)
#define REPLY_MAX 4096u
#define NAME_MAX_LEN 255u

struct scanner_query {
	struct event_base *base;
	struct bufferevent *bev;
	struct event *timer;     /* the deadline; at once, where there was nothing to wait for */
	const char *trouble;     /* known before anything was sent */
	scanner_done_fn *done;
	void *arg;
};

static void free_query(struct scanner_query *q)
{
	if (q->bev != NULL)
		bufferevent_free(q->bev);
	event_free(q->timer);
	free(q);
}

static void conclude(struct scanner_query *q, const struct answer *answer)
{
	scanner_done_fn *done = q->done;
	void *arg = q->arg;
	struct scanner_query *dead = q;
	done(arg, answer);
	free_query(dead);
}

static void fail(struct scanner_query *q, const char *why)
{
	const struct answer answer = { .status = ANSWER_TEMPERROR, .why = why };
	conclude(q, &answer);
}

/* "stream: NAME FOUND", "stream: OK", "… ERROR" */
static void read_reply(struct scanner_query *q, struct slice reply)
{
	struct answer answer = { .status = ANSWER_TEMPERROR, .why = "the scanner answers strangely" };
	reply = slice_trim(reply);
	if (slice_starts(reply, SLICE("stream: ")) && slice_ends(reply, SLICE(" FOUND"))) {
		struct slice name = slice_trim(slice_sub(reply, 8, reply.len - 8 - 6));
		answer = (struct answer){ .status = ANSWER_FOUND, .value = slice_head(name, NAME_MAX_LEN) };
	} else if (slice_eq(reply, SLICE("stream: OK"))) {
		answer = (struct answer){ .status = ANSWER_NODATA };
	} else if (slice_ends(reply, SLICE("ERROR"))) {
		answer.why = slice_find(reply, SLICE("size limit")) != SLICE_NPOS ? "too large for the scanner" :
										     "the scanner reports an error";
	}
	conclude(q, &answer);
}

/* True: a whole reply was there, and the query has gone. */
static bool take_reply(struct scanner_query *q, bool at_end)
{
	struct evbuffer *in = bufferevent_get_input(q->bev);
	size_t len = evbuffer_get_length(in);
	char text[REPLY_MAX];
	if (len == 0)
		return false;
	len = (size_t)evbuffer_copyout(in, text, len < sizeof(text) ? len : sizeof(text));
	size_t end = slice_chr(slice_make(text, len), '\0');
	if (end == SLICE_NPOS && !at_end && len < sizeof(text))
		return false;
	read_reply(q, slice_head(slice_make(text, len), end));
	return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	take_reply(arg, false);
}

/* A scanner that has heard enough answers, and closes while we still write. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct scanner_query *q = arg;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
		return;
	if ((what & BEV_EVENT_WRITING) && (what & BEV_EVENT_ERROR)) {
		evbuffer_read(bufferevent_get_input(bev), bufferevent_getfd(bev), REPLY_MAX);
	}
	if (!take_reply(q, true))
		fail(q, "the scanner can't be reached, or hung up");
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct scanner_query *q = arg;
	(void)fd, (void)what;
	fail(q, q->trouble ? q->trouble : "the scanner is too slow");
}

static socklen_t socket_address(const struct endpoint *e, struct sockaddr_storage *out)
{
	struct sockaddr_un *un = (struct sockaddr_un *)out;
	memset(out, 0, sizeof(*out));
	if (e->path.len == 0)
		return e->ip.family ? (socklen_t)ip_to_sockaddr(&e->ip, e->port, out) : 0;
	if (e->path.len >= sizeof(un->sun_path))
		return 0;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, e->path.data, e->path.len);
	return sizeof(*un);
}

static void write_all(struct bufferevent *bev, struct slice content)
{
	struct evbuffer *out = bufferevent_get_output(bev);
	evbuffer_add(out, "zINSTREAM", sizeof("zINSTREAM"));
	while (content.len > 0) {
		struct slice piece = slice_head(content, CHUNK);
		uint32_t len = htonl((uint32_t)piece.len);
		evbuffer_add(out, &len, sizeof(len));
		evbuffer_add_reference(out, piece.data, piece.len, NULL, NULL);
		content = slice_from(content, piece.len);
	}
	evbuffer_add(out, "\0\0\0\0", 4);
}

static bool start(struct scanner_query *q, const struct scanner_config *config, struct slice content)
{
	struct sockaddr_storage address;
	socklen_t len = socket_address(&config->address, &address);
	if (len == 0)
		return false;
	q->bev = bufferevent_socket_new(q->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (q->bev == NULL)
		return false;
	bufferevent_setcb(q->bev, on_read, NULL, on_event, q);
	bufferevent_enable(q->bev, EV_READ | EV_WRITE);
	write_all(q->bev, content);
	return bufferevent_socket_connect(q->bev, (struct sockaddr *)&address, (int)len) == 0;
}

struct scanner_query *scanner_ask(struct event_base *base, const struct scanner_config *config, struct slice content,
				  scanner_done_fn *done, void *arg)
{
	struct scanner_query *q = xcalloc(1, sizeof(*q));
	struct timeval wait = timeval_ms(config->timeout);
	*q = (struct scanner_query){ .base = base, .done = done, .arg = arg };
	q->timer = evtimer_new(base, on_timer, q);
	if (!start(q, config, content)) {
		q->trouble = "the scanner can't be reached";
		if (q->bev != NULL)
			bufferevent_free(q->bev);
		q->bev = NULL;
		wait = (struct timeval){ 0, 0 };
	}
	event_add(q->timer, &wait);
	return q;
}

void scanner_cancel(struct scanner_query **query)
{
	if (*query != NULL)
		free_query(*query);
	*query = NULL;
}
