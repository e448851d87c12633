#include "proxy/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define LINE_MAX_LEN 128
#define CLIENT_SECONDS 5
#define ANSWER_SECONDS 10
#define ACCEPT_PAUSE_MS 100

struct control {
	struct evconnlistener *listener;
	struct event *resume;
	control_fn *fn;
	void *arg;
	struct sockaddr_un address;
};

static bool address_of(const char *path, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(un->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(un->sun_path, path, strlen(path) + 1);
	return true;
}

static void on_gone(struct bufferevent *bev, short what, void *arg)
{
	(void)what, (void)arg;
	bufferevent_free(bev);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)arg;
	bufferevent_free(bev);
}

/* Reads no more: whether the client has closed its half or not, it gets its answer. */
static void answer(struct bufferevent *bev, struct control *c, struct slice command)
{
	struct buf out = { 0 };
	c->fn(c->arg, command, &out);
	bufferevent_disable(bev, EV_READ);
	bufferevent_setcb(bev, NULL, on_written, on_gone, c);
	bufferevent_write(bev, out.data, out.len);
	buf_free(&out);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	size_t len;
	char *line = evbuffer_readln(bufferevent_get_input(bev), &len, EVBUFFER_EOL_CRLF);
	if (line != NULL)
		answer(bev, arg, slice_make(line, len));
	else if (evbuffer_get_length(bufferevent_get_input(bev)) > LINE_MAX_LEN)
		bufferevent_free(bev);
	free(line);
}

/* A line may end with what the client has to say. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in);
	if ((what & BEV_EVENT_EOF) && len > 0)
		answer(bev, arg, slice_make((const char *)evbuffer_pullup(in, -1), len));
	else
		bufferevent_free(bev);
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	(void)fd, (void)what;
	evconnlistener_enable(c->listener);
}

/* Out of descriptors: wait a little instead of spinning on the ready socket. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct control *c = arg;
	const struct timeval pause = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };
	evconnlistener_disable(listener);
	event_add(c->resume, &pause);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	const struct timeval limit = { .tv_sec = CLIENT_SECONDS };
	(void)sa, (void)len;
	struct bufferevent *bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(bev, on_read, NULL, on_event, arg);
	bufferevent_set_timeouts(bev, &limit, &limit);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

struct control *control_open(struct event_base *base, const char *path, control_fn *fn, void *arg)
{
	struct control *c = xcalloc(1, sizeof(*c));
	c->fn = fn;
	c->arg = arg;
	if (address_of(path, &c->address)) {
		mode_t old = umask(0177);
		unlink(path);
		c->listener = evconnlistener_new_bind(base, on_accept, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						      16, (struct sockaddr *)&c->address, sizeof(c->address));
		umask(old);
	}
	if (c->listener == NULL) {
		free(c);
		return NULL;
	}
	c->resume = event_new(base, -1, 0, accept_again, c);
	evconnlistener_set_error_cb(c->listener, on_accept_error);
	return c;
}

void control_close(struct control **control)
{
	struct control *c = *control;
	if (c == NULL)
		return;
	evconnlistener_free(c->listener);
	event_free(c->resume);
	unlink(c->address.sun_path);
	free(c);
	*control = NULL;
}

void control_path(const struct config *config, char out[CONTROL_PATH_MAX])
{
	struct slice dir = config->top->runtime.len ? config->top->runtime : config->state->directory;
	snprintf(out, CONTROL_PATH_MAX, "%.*s/gatehouse.sock", SLICE_ARG(dir.len ? dir : SLICE("/run")));
}

int control_ask(const char *path, const char *command)
{
	struct sockaddr_un un;
	const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	char text[4096];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !address_of(path, &un) || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0) {
		fprintf(stderr, "gatehouse: %s: %s (does gatehouse run?)\n", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return EX_UNAVAILABLE;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (dprintf(fd, "%s\n", command) < 0)
		return EX_IOERR;
	bool failed = false, first = true;
	for (ssize_t n; (n = read(fd, text, sizeof(text))) > 0; first = false) {
		failed |= first && n >= 5 && memcmp(text, "error", 5) == 0;
		fwrite(text, 1, (size_t)n, stdout);
	}
	close(fd);
	if (first)
		fprintf(stderr, "gatehouse: %s: no answer\n", path);
	return first ? EX_UNAVAILABLE : failed ? EX_CONFIG : EX_OK;
}
