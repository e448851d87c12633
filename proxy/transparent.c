#include "proxy/transparent.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24 /* linux/in.h: the port is chosen when it connects, so that they don't run out */
#endif

int transparent_socket(const struct ip *address)
{
	struct sockaddr_storage from;
	socklen_t len = (socklen_t)ip_to_sockaddr(address, 0, &from);
	bool v6 = address->family == 6;
	int one = 1, fd = len > 0 ? socket(from.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	if (len == 0)
		errno = EAFNOSUPPORT;
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &one, sizeof(one)) == 0 &&
	    bind(fd, (const struct sockaddr *)&from, len) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* ---- the master */

void transparent_serve(int control, const struct transparent_request *request)
{
	int fd = transparent_socket(&request->address);
	struct transparent_answer answer;
	memset(&answer, 0, sizeof(answer)); /* the padding goes along */
	answer.what = CONTROL_TRANSPARENT;
	answer.number = request->number;
	answer.error = fd < 0 ? errno : 0;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} space;
	memset(&space, 0, sizeof(space));
	struct iovec part = { &answer, sizeof(answer) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fd >= 0) {
		message.msg_control = space.bytes;
		message.msg_controllen = sizeof(space.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT); /* lost: the worker's time-out */
	if (fd >= 0)
		close(fd);
}

/* ---- the worker */

struct transparent_wait {
	struct transparent *asker;
	struct transparent_wait *next;
	uint32_t number;
	transparent_fn *fn;
	void *arg;
};

struct transparent {
	int control;
	uint32_t last;
	struct transparent_wait *open;
};

struct transparent *transparent_create(int control)
{
	struct transparent *t = xcalloc(1, sizeof(*t));
	t->control = control;
	return t;
}

void transparent_destroy(struct transparent **asker)
{
	struct transparent *t = *asker;
	*asker = NULL;
	while (t != NULL && t->open != NULL) {
		struct transparent_wait *w = t->open;
		transparent_cancel(&w);
	}
	free(t);
}

struct transparent_wait *transparent_ask(struct transparent *t, const struct ip *address, transparent_fn *fn, void *arg)
{
	struct transparent_request request;
	memset(&request, 0, sizeof(request));
	request.what = CONTROL_TRANSPARENT;
	request.number = ++t->last;
	request.address = *address;
	if (send(t->control, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(request))
		return NULL;
	struct transparent_wait *w = xcalloc(1, sizeof(*w));
	*w = (struct transparent_wait){ .asker = t, .next = t->open, .number = request.number, .fn = fn, .arg = arg };
	t->open = w;
	return w;
}

void transparent_cancel(struct transparent_wait **wait)
{
	struct transparent_wait *w = *wait;
	*wait = NULL;
	if (w == NULL)
		return;
	struct transparent_wait **at = &w->asker->open;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	free(w);
}

void transparent_answered(struct transparent *t, const struct transparent_answer *answer, int fd)
{
	struct transparent_wait *w = t != NULL ? t->open : NULL;
	while (w != NULL && w->number != answer->number)
		w = w->next;
	if (w == NULL) { /* cancelled meanwhile */
		if (fd >= 0)
			close(fd);
		return;
	}
	transparent_fn *fn = w->fn;
	void *arg = w->arg;
	transparent_cancel(&w);
	fn(arg, fd, fd >= 0 ? 0 : answer->error ? answer->error : EPROTO);
}
