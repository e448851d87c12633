/*
 * A minimal SMTP sink for measuring: takes everything, keeps nothing, does no
 * more work than it must, so that what is before it is the limit. One thread,
 * epoll. usage: sink PORT [no-pipelining]
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn {
	int fd;
	bool data;
	size_t len;
	char tail[5]; /* the last bytes of content */
	char line[65536];
};

static void say(struct conn *c, const char *text)
{
	if (write(c->fd, text, strlen(text)) < 0)
		c->len = 0;
}

/* False: close. */
static bool command(struct conn *c, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		say(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 100000000\r\n250 ENHANCEDSTATUSCODES\r\n");
	else if (strncasecmp(line, "DATA", 4) == 0) {
		c->data = true;
		memcpy(c->tail, "\r\n", 3);
		say(c, "354 go\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		say(c, "221 bye\r\n");
		return false;
	} else
		say(c, "250 2.0.0 Ok\r\n");
	return true;
}

/* Octets of content up to and with its end; all of them if it isn't there. */
static size_t content(struct conn *c, char *p, size_t n)
{
	static const char end[] = "\r\n.\r\n";
	char joint[10];
	size_t t = strlen(c->tail), m = n < 4 ? n : 4;
	memcpy(joint, c->tail, t);
	memcpy(joint + t, p, m);
	char *at = memmem(joint, t + m, end, 5);
	if (at != NULL) {
		c->data = false;
		say(c, "250 2.0.0 Ok\r\n");
		return (size_t)(at - joint) + 5 - t;
	}
	at = memmem(p, n, end, 5);
	if (at != NULL) {
		c->data = false;
		say(c, "250 2.0.0 Ok\r\n");
		return (size_t)(at - p) + 5;
	}
	char last[10];
	size_t k = n < 4 ? n : 4, l = t + k;
	memcpy(last, c->tail, t);
	memcpy(last + t, p + n - k, k);
	if (n >= 4)
		memcpy(c->tail, p + n - 4, 4), c->tail[4] = '\0';
	else {
		size_t from = l > 4 ? l - 4 : 0;
		memcpy(c->tail, last + from, l - from);
		c->tail[l - from] = '\0';
	}
	return n;
}

static bool take(struct conn *c)
{
	size_t at = 0;
	while (at < c->len) {
		if (c->data) {
			at += content(c, c->line + at, c->len - at);
			continue;
		}
		char *eol = memchr(c->line + at, '\n', c->len - at);
		if (eol == NULL)
			break;
		*eol = '\0';
		if (!command(c, c->line + at))
			return false;
		at = (size_t)(eol - c->line) + 1;
	}
	memmove(c->line, c->line + at, c->len - at);
	c->len -= at;
	return c->len < sizeof(c->line);
}

int main(int argc, char **argv)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "0")),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(listener, 1024) != 0) {
		perror("sink");
		return 1;
	}
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL }, evs[64];
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(ep, evs, 64, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = evs[i].data.ptr;
			if (c == NULL) {
				int fd = accept(listener, NULL, NULL);
				if (fd < 0)
					continue;
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
				c = calloc(1, sizeof(*c));
				c->fd = fd;
				ev.data.ptr = c;
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
				say(c, "220 sink ESMTP\r\n");
				continue;
			}
			ssize_t got = read(c->fd, c->line + c->len, sizeof(c->line) - c->len);
			if (got > 0)
				c->len += (size_t)got;
			if (got <= 0 || !take(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
}
