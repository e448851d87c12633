#ifndef GATEHOUSE_PROXY_STREAM_H
#define GATEHOUSE_PROXY_STREAM_H
/*
 * stream: a connection's bytes, in the clear or under TLS, on the event loop.
 *
 * Why not libevent's bufferevent: it reads at most 4 KB at a time, asks the
 * kernel for the length before each read, and turns to epoll before and after
 * each write: measured, two thirds of all the system calls of a message. Here
 * a read goes straight from one buffer of the thread to its user, and a write
 * straight to the socket; an idle stream holds no buffer.
 *
 * Callbacks come from the loop, one at a time, and may destroy the stream.
 */
#include <sys/socket.h>

#include "base/buf.h"

struct event_base;
struct ssl_st;
struct stream;

struct stream_callbacks {
	/* Bytes are there: stream_input(). What isn't taken is kept, and comes
	 * again with the next ones. */
	void (*input)(void *arg);
	/* No more bytes will come. why NULL: the other side ended in order. What
	 * is unread stays readable; writing may still work. Comes once. */
	void (*closed)(void *arg, const char *why);
	/* All is written that stream_flush could not write at once; or what
	 * stream_low_water asked for. */
	void (*drained)(void *arg);
	/* Connected, or TLS is on; why: it failed. */
	void (*ready)(void *arg, const char *why);
};

/* Takes a connected socket over. */
struct stream *stream_create(struct event_base *base, int fd, const struct stream_callbacks *callbacks, void *arg);
/* Connects; ready() tells. NULL: errno. fd: a socket of ours to do it with,
 * taken over even then; -1: a new one. */
struct stream *stream_connect(struct event_base *base, int fd, const struct sockaddr *to, socklen_t len,
			      const struct stream_callbacks *callbacks, void *arg);
/* Closes at once; what the socket doesn't take now is lost. */
void stream_destroy(struct stream **stream);

struct slice stream_input(const struct stream *stream);
void stream_take(struct stream *stream, size_t octets);
/* Octets of input kept at most while nobody takes them; then reading stops. */
#define STREAM_READ_AHEAD (64u * 1024)

/* Queues bytes; stream_flush() writes them. */
void stream_write(struct stream *stream, struct slice bytes);
/* Writes what it can now; the rest as the socket takes it. */
void stream_flush(struct stream *stream);
/* The same, once all that is ready in this turn of the loop has been handled:
 * many sends in a row wake who gets them up less often. */
void stream_flush_soon(struct stream *stream);
/* What is queued is not to be written after all. */
void stream_discard(struct stream *stream);
size_t stream_unsent(const struct stream *stream);
/* drained() comes, from the loop, when no more than this is unsent. */
void stream_low_water(struct stream *stream, size_t octets);
/* No more will be written: the other side sees the end. */
void stream_shutdown(struct stream *stream);

enum stream_tls {
	STREAM_TLS_CLIENT,
	STREAM_TLS_SERVER,
	STREAM_TLS_SERVER_FIRST, /* nothing was said in the clear: unread bytes are the client's handshake */
};

/*
 * TLS from here on, once what is queued has been written. Takes the SSL over.
 * Unread plain bytes are thrown away: nothing said in the clear counts
 * (RFC 3207 4.2). ready() tells.
 */
void stream_start_tls(struct stream *stream, struct ssl_st *ssl, enum stream_tls how);
struct ssl_st *stream_tls(const struct stream *stream); /* NULL: in the clear */

bool stream_closed(const struct stream *stream);
/* Nothing unread, not closed: asks the kernel. */
bool stream_quiet(const struct stream *stream);

#endif
