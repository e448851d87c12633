#include "proxy/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
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

struct control {
	struct evconnlistener *listener;
	control_fn *fn;
	void *arg;
	char path[108];
};

static bool address_of(const char *path, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(un->sun_path))
		return false;
	memcpy(un->sun_path, path, strlen(path) + 1);
	return true;
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)what, (void)arg;
	bufferevent_free(bev);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)arg;
	bufferevent_free(bev);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct control *c = arg;
	struct buf out = { 0 };
	size_t len;
	char *line = evbuffer_readln(bufferevent_get_input(bev), &len, EVBUFFER_EOL_LF);
	if (line == NULL) {
		if (evbuffer_get_length(bufferevent_get_input(bev)) > LINE_MAX_LEN)
			bufferevent_free(bev);
		return;
	}
	c->fn(c->arg, slice_make(line, len), &out);
	free(line);
	bufferevent_setcb(bev, NULL, on_written, on_event, c);
	bufferevent_write(bev, out.data, out.len);
	buf_free(&out);
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
	struct sockaddr_un un;
	struct control *c = xcalloc(1, sizeof(*c));
	c->fn = fn;
	c->arg = arg;
	snprintf(c->path, sizeof(c->path), "%s", path);
	if (address_of(path, &un)) {
		mode_t old = umask(0177);
		unlink(path);
		c->listener = evconnlistener_new_bind(base, on_accept, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						      16, (struct sockaddr *)&un, sizeof(un));
		umask(old);
	}
	if (c->listener == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

void control_close(struct control **control)
{
	struct control *c = *control;
	if (c == NULL)
		return;
	evconnlistener_free(c->listener);
	unlink(c->path);
	free(c);
	*control = NULL;
}

void control_path(const struct config *config, char out[108])
{
	struct slice dir = config->top->runtime.len ? config->top->runtime : config->state->directory;
	snprintf(out, 108, "%.*s/gatehouse.sock", SLICE_ARG(dir.len ? dir : SLICE("/run")));
}

int control_ask(const char *path, const char *command)
{
	struct sockaddr_un un;
	char answer[4096];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !address_of(path, &un) || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0) {
		fprintf(stderr, "gatehouse: %s: %s (does gatehouse run?)\n", path, strerror(errno));
		return EX_UNAVAILABLE;
	}
	if (dprintf(fd, "%s\n", command) < 0)
		return EX_IOERR;
	bool failed = false, first = true;
	for (ssize_t n; (n = read(fd, answer, sizeof(answer))) > 0; first = false) {
		failed |= first && n >= 5 && memcmp(answer, "error", 5) == 0;
		fwrite(answer, 1, (size_t)n, stdout);
	}
	close(fd);
	return failed ? EX_CONFIG : EX_OK;
}
