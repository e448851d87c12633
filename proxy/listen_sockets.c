#include "proxy/listen_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/notify.h"

#define BACKLOG 4096 /* the kernel cuts it to somaxconn */
#define FIRST_ACTIVATION_FD 3 /* sd_listen_fds(3) */
#define PATIENCE_MS 2000
#define LOOK_MS 50

struct held {
	struct held *next;
	struct sockaddr_storage address;
	socklen_t len;
	int fd;
	bool wanted;
	bool fresh;  /* opened since the last sweep or undo */
};

struct listen_sockets {
	struct held *first;
	/* At the start: workers of a master that was killed let go of its ports in a moment. */
	int patience_ms;
};

static void add(struct listen_sockets *set, int fd, const struct sockaddr_storage *sa, socklen_t len, bool wanted)
{
	struct held *h = xcalloc(1, sizeof(*h));
	h->fd = fd;
	h->address = *sa;
	h->len = len;
	h->wanted = wanted;
	h->next = set->first;
	set->first = h;
}

struct listen_sockets *listen_sockets_create(void)
{
	struct listen_sockets *set = xcalloc(1, sizeof(*set));
	set->patience_ms = PATIENCE_MS;
	int count = notify_activation_fds();
	for (int fd = FIRST_ACTIVATION_FD; fd < FIRST_ACTIVATION_FD + count; fd++) {
		struct sockaddr_storage sa = { 0 };
		socklen_t len = sizeof(sa);
		/* Off the low numbers, which are the workers'. */
		int high = fcntl(fd, F_DUPFD_CLOEXEC, 64);
		close(fd);
		if (high >= 0 && getsockname(high, (struct sockaddr *)&sa, &len) == 0)
			add(set, high, &sa, len, false);
	}
	return set;
}

void listen_sockets_destroy(struct listen_sockets **set)
{
	if (*set == NULL)
		return;
	for (struct held *h = (*set)->first, *next; h != NULL; h = next) {
		next = h->next;
		close(h->fd);
		free(h);
	}
	free(*set);
	*set = NULL;
}

static socklen_t sockaddr_of(const struct endpoint *e, struct sockaddr_storage *sa)
{
	memset(sa, 0, sizeof(*sa));
	if (e->path.len == 0)
		return (socklen_t)ip_to_sockaddr(&e->ip, e->port, sa);
	struct sockaddr_un *un = (struct sockaddr_un *)sa;
	if (e->path.len >= sizeof(un->sun_path))
		return 0;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, e->path.data, e->path.len);
	return sizeof(*un);
}

static bool same(const struct held *h, const struct sockaddr_storage *sa)
{
	struct ip a, b;
	uint16_t port_a, port_b;
	if (h->address.ss_family != sa->ss_family)
		return false;
	if (sa->ss_family == AF_UNIX)
		return strcmp(((const struct sockaddr_un *)&h->address)->sun_path,
			      ((const struct sockaddr_un *)sa)->sun_path) == 0;
	return ip_from_sockaddr((const struct sockaddr *)&h->address, &a, &port_a) &&
	       ip_from_sockaddr((const struct sockaddr *)sa, &b, &port_b) && ip_eq(&a, &b) && port_a == port_b;
}

/* A socket of that name, of an earlier run. Any other file stays, and is in the way. */
static void remove_stale(const char *path)
{
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
}

static int bind_new(const struct sockaddr_storage *sa, socklen_t len)
{
	int one = 1, fd = socket(sa->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sa->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (sa->ss_family == AF_UNIX)
		remove_stale(((const struct sockaddr_un *)sa)->sun_path);
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* connections inherit it */
	if (bind(fd, (const struct sockaddr *)sa, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

int listen_sockets_get(struct listen_sockets *set, const struct endpoint *address, char error[200])
{
	struct sockaddr_storage sa;
	socklen_t len = sockaddr_of(address, &sa);
	if (len == 0) {
		snprintf(error, 200, "%.*s: not an address to listen on", SLICE_ARG(address->text));
		return -1;
	}
	for (struct held *h = set->first; h != NULL; h = h->next)
		if (same(h, &sa)) {
			h->wanted = true;
			return h->fd;
		}
	int fd = bind_new(&sa, len);
	for (; fd < 0 && errno == EADDRINUSE && set->patience_ms > 0; set->patience_ms -= LOOK_MS) {
		usleep(LOOK_MS * 1000);
		fd = bind_new(&sa, len);
	}
	if (fd < 0) {
		snprintf(error, 200, "%.*s: %s", SLICE_ARG(address->text), strerror(errno));
		return -1;
	}
	add(set, fd, &sa, len, true);
	set->first->fresh = true;
	return fd;
}

static bool give_to_group(const char *path, struct slice name, char error[200])
{
	const struct group *group = name.len > 0 ? getgrnam(name.data) : NULL;
	if (name.len == 0)
		return true;
	if (group == NULL)
		snprintf(error, 200, "there is no group %s", name.data);
	else if (chown(path, (uid_t)-1, group->gr_gid) != 0)
		snprintf(error, 200, "%s: group %s: %s", path, name.data, strerror(errno));
	else
		return true;
	return false;
}

/*
 * A mail server writes a mail to its milter in pieces of some KB, with Nagle's
 * algorithm on: the last piece waits until we have acknowledged those before.
 * The kernel does so at once for two full segments, else within 40 ms. Over
 * loopback a segment is 64 KB; with those of Ethernet a piece is more than two.
 */
static int small_segments(int fd)
{
	const int octets = 1448;
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &octets, sizeof(octets));
	return fd;
}

int listen_sockets_get_for(struct listen_sockets *set, const struct endpoint *address, struct slice group,
			   mode_t mode, char error[200])
{
	if (address->path.len == 0)
		return small_segments(listen_sockets_get(set, address, error));
	mode_t before = umask(0777 & ~mode);
	int fd = listen_sockets_get(set, address, error);
	umask(before);
	if (fd < 0 || !give_to_group(address->path.data, group, error))
		return -1;
	/* One that was open already: the mode may be another now. */
	if (chmod(address->path.data, mode) == 0)
		return fd;
	snprintf(error, 200, "%s: %s", address->path.data, strerror(errno));
	return -1;
}

void listen_sockets_undo(struct listen_sockets *set)
{
	for (struct held *h = set->first; h != NULL; h = h->next)
		h->wanted = !h->fresh;
	listen_sockets_sweep(set);
}

void listen_sockets_sweep(struct listen_sockets *set)
{
	set->patience_ms = 0;
	for (struct held **at = &set->first; *at != NULL;) {
		struct held *h = *at;
		if (h->wanted) {
			h->wanted = h->fresh = false;
			at = &h->next;
			continue;
		}
		*at = h->next;
		close(h->fd);
		free(h);
	}
}
