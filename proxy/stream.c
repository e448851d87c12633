#include "proxy/stream.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"

#define SCRATCH (64u * 1024)
#define ROUNDS 4 /* reads in a row before others get their turn */

enum mode { MODE_CONNECTING, MODE_PLAIN, MODE_HANDSHAKE, MODE_TLS };

struct stream {
	struct event_base *base;
	const struct stream_callbacks *cb;
	void *arg;
	struct event read_event, write_event;
	SSL *ssl;                  /* from the handshake on */
	SSL *next_ssl;             /* wanted, once what is queued has been written */
	struct buf in, out;
	size_t in_at, out_at;      /* taken, written */
	struct slice view;         /* unread bytes in the thread's scratch buffer */
	size_t low_water;
	int fd;
	enum mode mode;
	int depth;                 /* callbacks running */
	bool dead, closed, shut, want_drained, reading;
	bool early;                /* the handshake reads bytes that were there before it */
	enum stream_tls tls;       /* of next_ssl */
	int write_error;
	struct stream *next_soon, **at_soon; /* in the list of those to be flushed; at_soon NULL: not in it */
};

static _Thread_local char scratch[SCRATCH];

/* ---- life */

static bool leave(struct stream *s)
{
	if (--s->depth > 0 || !s->dead)
		return !s->dead;
	stream_destroy(&s);
	return false;
}

/* Each calls back, and is false if the stream went meanwhile. */
static bool call_input(struct stream *s)
{
	s->depth++;
	s->cb->input(s->arg);
	return leave(s);
}

static bool call_closed(struct stream *s, const char *why)
{
	if (s->closed)
		return true;
	s->closed = true;
	event_del(&s->read_event);
	s->reading = false;
	s->depth++;
	s->cb->closed(s->arg, why);
	return leave(s);
}

static bool call_ready(struct stream *s, const char *why)
{
	s->depth++;
	if (s->cb->ready != NULL)
		s->cb->ready(s->arg, why);
	return leave(s);
}

static bool call_drained(struct stream *s)
{
	s->want_drained = false;
	s->depth++;
	if (s->cb->drained != NULL)
		s->cb->drained(s->arg);
	return leave(s);
}

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static struct stream *make(struct event_base *base, int fd, const struct stream_callbacks *cb, void *arg)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	s->base = base;
	s->cb = cb;
	s->arg = arg;
	s->fd = fd;
	event_assign(&s->read_event, base, fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->write_event, base, fd, EV_WRITE, on_writable, s);
	return s;
}

static void read_on(struct stream *s, bool on)
{
	if (on == s->reading || s->closed)
		return;
	s->reading = on;
	if (on)
		event_add(&s->read_event, NULL);
	else
		event_del(&s->read_event);
}

struct stream *stream_create(struct event_base *base, int fd, const struct stream_callbacks *cb, void *arg)
{
	struct stream *s = make(base, fd, cb, arg);
	s->mode = MODE_PLAIN;
	read_on(s, true);
	return s;
}

struct stream *stream_connect(struct event_base *base, int fd, const struct sockaddr *to, socklen_t len,
			      const struct stream_callbacks *cb, void *arg)
{
	/* The kernel would take megabytes, and whether the other side takes them could not be seen for long. */
	int one = 1, lowat = 128 * 1024;
	if (fd < 0)
		fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	if (to->sa_family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
	}
	if (connect(fd, to, len) != 0 && errno != EINPROGRESS) {
		int error = errno;
		close(fd);
		errno = error;
		return NULL;
	}
	struct stream *s = make(base, fd, cb, arg);
	s->mode = MODE_CONNECTING;
	event_add(&s->write_event, NULL);
	return s;
}

void stream_destroy(struct stream **stream)
{
	struct stream *s = *stream;
	*stream = NULL;
	if (s == NULL)
		return;
	if (!s->dead) {
		if (s->at_soon != NULL)
			stream_flush(s);
		event_del(&s->read_event);
		event_del(&s->write_event);
		if (s->ssl != NULL) {
			if (s->mode == MODE_TLS && !s->shut)
				SSL_shutdown(s->ssl);
			SSL_free(s->ssl);
			s->ssl = NULL;
		}
		SSL_free(s->next_ssl);
		close(s->fd);
		s->fd = -1;
		s->dead = s->closed = true;
	}
	if (s->depth > 0)
		return;
	buf_free(&s->in);
	buf_free(&s->out);
	free(s);
}

/* ---- input */

struct slice stream_input(const struct stream *s)
{
	if (s->view.len > 0)
		return s->view;
	return slice_from(buf_slice(&s->in), s->in_at);
}

void stream_take(struct stream *s, size_t octets)
{
	if (s->view.len > 0) {
		s->view = slice_from(s->view, octets);
		return;
	}
	s->in_at += octets;
	if (s->in_at >= s->in.len) {
		s->in_at = 0;
		buf_free(&s->in);
	}
	if (s->mode != MODE_CONNECTING && s->in.len - s->in_at < STREAM_READ_AHEAD)
		read_on(s, true);
}

/* What the user left in the scratch buffer, the next stream will overwrite. */
static void keep_view(struct stream *s)
{
	buf_add_slice(&s->in, s->view);
	s->view = SLICE_EMPTY;
	if (s->in.len - s->in_at >= STREAM_READ_AHEAD)
		read_on(s, false);
}

/* > 0 octets; 0: the end; -1: not now; -2: *why_r. */
static ssize_t receive(struct stream *s, const char **why_r)
{
	ssize_t n;
	if (s->mode == MODE_PLAIN) {
		do
			n = recv(s->fd, scratch, sizeof(scratch), 0);
		while (n < 0 && errno == EINTR);
		if (n >= 0)
			return n;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return -1;
		*why_r = strerror(errno);
		return -2;
	}
	ERR_clear_error();
	n = SSL_read(s->ssl, scratch, sizeof(scratch));
	if (n > 0)
		return n;
	switch (SSL_get_error(s->ssl, (int)n)) {
	case SSL_ERROR_WANT_READ: return -1;
	case SSL_ERROR_WANT_WRITE: event_add(&s->write_event, NULL); return -1;
	case SSL_ERROR_ZERO_RETURN: return 0;
	default: *why_r = "TLS connection broken"; return -2;
	}
}

static bool read_once(struct stream *s, ssize_t *got_r)
{
	const char *why = NULL;
	ssize_t n = receive(s, &why);
	*got_r = n;
	if (n == 0 || n == -2)
		return call_closed(s, n == 0 ? NULL : why);
	if (n < 0)
		return true;
	if (s->in.len > s->in_at) {
		buf_add(&s->in, scratch, (size_t)n);
		if (s->in.len - s->in_at >= STREAM_READ_AHEAD)
			read_on(s, false);
		return call_input(s);
	}
	s->view = slice_make(scratch, (size_t)n);
	s->depth++;
	s->cb->input(s->arg);
	if (!s->dead && s->view.len > 0)
		keep_view(s);
	return leave(s);
}

static void handshake(struct stream *s);

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	ssize_t n = 1;
	(void)fd, (void)what;
	if (s->mode == MODE_HANDSHAKE) {
		handshake(s);
		return;
	}
	if (s->write_error != 0) {
		call_closed(s, strerror(s->write_error));
		return;
	}
	for (int i = 0; i < ROUNDS && n > 0 && s->reading; i++) {
		if (!read_once(s, &n))
			return;
		/* A read that did not fill the buffer emptied the socket; TLS may hold more. */
		if (n > 0 && (size_t)n < sizeof(scratch) && (s->ssl == NULL || SSL_pending(s->ssl) == 0))
			break;
	}
	if (s->ssl != NULL && s->reading && SSL_pending(s->ssl) > 0)
		event_active(&s->read_event, EV_READ, 0);
}

/* ---- output */

void stream_write(struct stream *s, struct slice bytes)
{
	buf_add_slice(&s->out, bytes);
}

size_t stream_unsent(const struct stream *s)
{
	return s->out.len - s->out_at;
}

void stream_low_water(struct stream *s, size_t octets)
{
	s->low_water = octets;
	s->want_drained = true;
	event_add(&s->write_event, NULL);
}

/* Octets written; -1: not now; -2: broken. */
static ssize_t transmit(struct stream *s, const char *data, size_t len)
{
	ssize_t n;
	if (s->ssl == NULL) {
		do
			n = send(s->fd, data, len, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
		if (n >= 0)
			return n;
		return errno == EAGAIN || errno == EWOULDBLOCK ? -1 : -2;
	}
	ERR_clear_error();
	n = SSL_write(s->ssl, data, (int)(len < INT32_MAX ? len : INT32_MAX));
	if (n > 0)
		return n;
	int error = SSL_get_error(s->ssl, (int)n);
	errno = EPIPE;
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1 : -2;
}

static void begin_tls(struct stream *s);

/* ---- flushed at the end of a turn; a thread has one loop */

static _Thread_local struct {
	struct event event;
	struct event_base *base;   /* of the event */
	struct stream *first, **end;
} soon;

static void leave_soon(struct stream *s)
{
	if (s->at_soon == NULL)
		return;
	*s->at_soon = s->next_soon;
	if (s->next_soon != NULL)
		s->next_soon->at_soon = s->at_soon;
	else
		soon.end = s->at_soon;
	s->at_soon = NULL;
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	while (soon.first != NULL)
		stream_flush(soon.first);
}

void stream_flush_soon(struct stream *s)
{
	if (s->at_soon != NULL || s->dead || stream_unsent(s) == 0)
		return;
	if (soon.first == NULL) {
		soon.end = &soon.first;
		if (soon.base != s->base)
			event_assign(&soon.event, s->base, -1, 0, on_soon, NULL);
		soon.base = s->base;
		event_active(&soon.event, EV_TIMEOUT, 1);
	}
	s->next_soon = NULL;
	s->at_soon = soon.end;
	*soon.end = s;
	soon.end = &s->next_soon;
}

static void end_output(struct stream *s)
{
	if (s->mode == MODE_TLS)
		SSL_shutdown(s->ssl);
	shutdown(s->fd, SHUT_WR);
}

void stream_flush(struct stream *s)
{
	leave_soon(s);
	if (s->dead || s->mode == MODE_CONNECTING || s->mode == MODE_HANDSHAKE || s->write_error != 0)
		return;
	while (s->out_at < s->out.len) {
		ssize_t n = transmit(s, s->out.data + s->out_at, s->out.len - s->out_at);
		if (n == -1)
			break;
		if (n < 0) { /* told from the loop, never from within a call */
			s->write_error = errno;
			s->out_at = s->out.len;
			event_active(&s->read_event, EV_READ, 0);
			break;
		}
		s->out_at += (size_t)n;
	}
	if (s->out_at == s->out.len) {
		s->out_at = 0;
		buf_free(&s->out); /* an idle stream holds none */
		if (s->next_ssl != NULL)
			begin_tls(s);
		else if (s->shut)
			end_output(s);
		return;
	}
	buf_consume(&s->out, s->out_at);
	s->out_at = 0;
	s->want_drained = true;
	event_add(&s->write_event, NULL);
}

void stream_discard(struct stream *s)
{
	leave_soon(s);
	buf_clear(&s->out);
	s->out_at = 0;
}

static void connected(struct stream *s)
{
	int error = 0;
	socklen_t len = sizeof(error);
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		s->closed = true;
		call_ready(s, strerror(error));
		return;
	}
	s->mode = MODE_PLAIN;
	read_on(s, true);
	stream_flush(s);
	if (s->mode == MODE_PLAIN) /* else TLS has begun, and will tell */
		call_ready(s, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	(void)fd, (void)what;
	if (s->mode == MODE_CONNECTING) {
		connected(s);
		return;
	}
	if (s->mode == MODE_HANDSHAKE) {
		handshake(s);
		return;
	}
	stream_flush(s);
	if (s->want_drained && stream_unsent(s) <= s->low_water)
		call_drained(s);
}

void stream_shutdown(struct stream *s)
{
	s->shut = true;
	if (stream_unsent(s) == 0)
		end_output(s);
}

/* ---- TLS */

/* The bytes that were there before the handshake, to be read by it. */
static void read_early(struct stream *s, struct slice bytes)
{
	BIO *early = BIO_new(BIO_s_mem());
	BIO_write(early, bytes.data, (int)bytes.len);
	BIO_set_mem_eof_return(early, -1);
	SSL_set0_rbio(s->ssl, early);
	s->early = true;
}

/* From the socket on, when it has had those. More of them than a handshake
 * begins with fail it. Returns as SSL_get_error(). */
static int do_handshake(struct stream *s)
{
	ERR_clear_error();
	int error = SSL_get_error(s->ssl, SSL_do_handshake(s->ssl));
	if (s->early && BIO_pending(SSL_get_rbio(s->ssl)) == 0) {
		s->early = false;
		SSL_set_rfd(s->ssl, s->fd);
	}
	return error;
}

static void handshake(struct stream *s)
{
	int error = do_handshake(s);
	if (error == SSL_ERROR_NONE) {
		s->mode = MODE_TLS;
		if (call_ready(s, NULL) && !s->dead) {
			stream_flush(s);
			if (s->reading && SSL_pending(s->ssl) > 0)
				event_active(&s->read_event, EV_READ, 0);
		}
		return;
	}
	if (error == SSL_ERROR_WANT_READ)
		return;
	if (error == SSL_ERROR_WANT_WRITE) {
		event_add(&s->write_event, NULL);
		return;
	}
	const char *why = ERR_reason_error_string(ERR_peek_error());
	s->closed = true;
	event_del(&s->read_event);
	s->reading = false;
	call_ready(s, why ? why : "TLS handshake failed: connection closed");
}

static void begin_tls(struct stream *s)
{
	s->ssl = s->next_ssl;
	s->next_ssl = NULL;
	s->mode = MODE_HANDSHAKE;
	SSL_set_fd(s->ssl, s->fd);
	if (s->tls == STREAM_TLS_SERVER_FIRST && stream_input(s).len > 0)
		read_early(s, stream_input(s));
	s->in_at = 0;
	buf_free(&s->in);
	s->view = SLICE_EMPTY;
	SSL_set_mode(s->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (s->tls == STREAM_TLS_CLIENT)
		SSL_set_connect_state(s->ssl);
	else
		SSL_set_accept_state(s->ssl);
	read_on(s, true);
	event_active(&s->read_event, EV_READ, 0); /* never calls back from within */
}

void stream_start_tls(struct stream *s, struct ssl_st *ssl, enum stream_tls how)
{
	s->next_ssl = ssl;
	s->tls = how;
	stream_flush(s); /* with nothing queued it begins at once */
}

struct ssl_st *stream_tls(const struct stream *s)
{
	return s->mode == MODE_TLS ? s->ssl : NULL;
}

/* ---- looking */

bool stream_closed(const struct stream *s)
{
	return s->closed;
}

bool stream_quiet(const struct stream *s)
{
	char byte;
	if (s->closed || s->write_error != 0 || stream_input(s).len > 0)
		return false;
	ssize_t n = recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
