#include "proxy/backend.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/clock.h"
#include "proxy/backend_private.h"
#include "proxy/transparent.h"

#define IDLE_MS 60000
/* Those above `connections`: under load they are wanted again at once, and a
 * new one costs more than a mail does. */
#define SURPLUS_MS 1000
#define PROBE_RETRY_MS 5000

/* ---- a backend */

/* A name is looked up once for each generation of workers. */
static void look_up(struct backend *b)
{
	const struct endpoint *e = &b->config->address;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char port[8], *host = xcalloc(1, e->host.len + 1);
	memcpy(host, e->host.data, e->host.len);
	snprintf(port, sizeof(port), "%u", e->port);
	int error = getaddrinfo(host, port, &hints, &found);
	free(host);
	if (error != 0)
		return;
	for (const struct addrinfo *a = found; a != NULL && b->address_count < ADDRESSES_MAX; a = a->ai_next) {
		memcpy(&b->addresses[b->address_count], a->ai_addr, a->ai_addrlen);
		b->address_lens[b->address_count++] = a->ai_addrlen;
	}
	freeaddrinfo(found);
}

static void find_addresses(struct backend *b)
{
	const struct endpoint *e = &b->config->address;
	struct sockaddr_un *un = (struct sockaddr_un *)b->addresses;
	if (e->path.len > 0 && e->path.len < sizeof(un->sun_path)) {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, e->path.data, e->path.len);
		b->address_lens[b->address_count++] = sizeof(*un);
	} else if (e->path.len == 0 && e->ip.family != 0) {
		b->address_lens[b->address_count++] = (socklen_t)ip_to_sockaddr(&e->ip, e->port, b->addresses);
	} else if (e->path.len == 0) {
		look_up(b);
	}
}

struct backend *backend_create(struct worker *worker, const struct config_backend *config)
{
	struct backend *b = xcalloc(1, sizeof(*b));
	b->worker = worker;
	b->config = config;
	snprintf(b->peer, sizeof(b->peer), "%.*s", SLICE_ARG(config->maildir.len ? config->maildir
										: config->address.text));
	if (config->maildir.len > 0)
		b->caps = (struct backend_caps){ .known = true,
			.bits = CAP_8BITMIME | CAP_SMTPUTF8 };
	else
		find_addresses(b);
	if (config->maildir.len == 0 && b->address_count == 0)
		log_error(&worker->log, "backend", "%s: no such address", b->peer);
	return b;
}

void backend_destroy(struct backend **backend)
{
	struct backend *b = *backend;
	if (b == NULL)
		return;
	while (b->idle != NULL) {
		struct backend_conn *conn = b->idle;
		b->idle = conn->next;
		conn_free(conn);
	}
	while (b->leaving != NULL)
		conn_free(b->leaving);
	if (b->probe != NULL)
		backend_connect_cancel(&b->probe);
	if (b->probe_timer != NULL)
		event_free(b->probe_timer);
	if (b->room != NULL)
		event_free(b->room);
	free(b);
	*backend = NULL;
}

struct worker *backend_worker(const struct backend *b)
{
	return b->worker;
}

const struct config_backend *backend_config(const struct backend *b)
{
	return b->config;
}

const struct backend_caps *backend_caps(const struct backend *b)
{
	return &b->caps;
}

bool backend_is_maildir(const struct backend *b)
{
	return b->config->maildir.len > 0;
}

bool backend_healthy(const struct backend *b)
{
	return !b->failed;
}

/* ---- connecting */

static void probe_later(struct backend *b, int64_t ms);

static void note_health(struct backend *b, bool failed)
{
	if (failed && !b->failed && b->probe == NULL)
		probe_later(b, PROBE_RETRY_MS);
	b->failed = failed;
	if (!failed)
		b->heard_ms = worker_now_ms(b->worker);
	else
		stats_add(b->worker->stats, b->worker->row, STAT_BACKEND_FAILURES, 1);
}

/* ---- bounds: who comes when all connections are in use waits for one of them */

static void leave_queue(struct backend_wait *wait)
{
	struct backend_wait **at = &wait->backend->queue;
	if (!wait->queued)
		return;
	wait->queued = false;
	while (*at != wait)
		at = &(*at)->next;
	*at = wait->next;
}

/* Its connection counts by itself from here on, or there will be none. */
static void give_place_back(struct backend_wait *wait)
{
	if (!wait->counted)
		return;
	wait->counted = false;
	wait->backend->open_count--;
}

static void wait_free(struct backend_wait *wait)
{
	leave_queue(wait);
	if (wait->counted) {
		give_place_back(wait);
		backend_has_room(wait->backend);
	}
	if (wait->later != NULL)
		event_free(wait->later);
	transparent_cancel(&wait->socket);
	arena_destroy(&wait->arena);
	free(wait);
}

static bool begin(struct backend_wait *wait);
static void enqueue(struct backend_wait *wait);

/* An idle connection may end whenever the server likes: it says nothing of a
 * new one. Nor does a handshake of what can be had without it. */
static void begin_afresh(struct backend_wait *wait)
{
	if (wait->clear_then)
		log_warn(&wait->backend->worker->log, "backend", "%s: %s: going on without TLS", wait->backend->peer,
			 wait->failure);
	wait->no_tls = wait->clear_then;
	if (wait->conn != NULL)
		conn_free(wait->conn);
	wait->conn = NULL;
	wait->failure = NULL;
	wait->fresh = true;
	wait->identity_told = wait->encrypted = wait->plain_helo = wait->clear_then = false;
	if (!begin(wait))
		enqueue(wait);
}

/* A name may have more addresses than one that works: "localhost" is ::1 too. False: all have been tried. */
static bool next_address(struct backend_wait *wait)
{
	struct backend *b = wait->backend;
	if (wait->crowded || wait->addresses_tried + 1 >= b->address_count)
		return false;
	wait->addresses_tried++;
	if (b->address_at == wait->address_at) /* else somebody has gone on already */
		b->address_at = (b->address_at + 1) % b->address_count;
	return true;
}

/* Runs from the loop, so the callback never comes before backend_connect()
 * has returned. */
static void call_back(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct backend_wait *wait = arg;
	struct backend_conn *conn = wait->conn;
	backend_connected_fn *fn = wait->fn;
	void *fn_arg = wait->arg;
	char why[sizeof(wait->failure_text)];
	bool failed = wait->failure != NULL, crowded = wait->crowded;
	snprintf(why, sizeof(why), "%s", failed ? wait->failure : "");
	if (conn != NULL)
		conn->wait = NULL;
	if (failed && ((conn != NULL && (conn->reused || wait->clear_then)) || next_address(wait))) {
		begin_afresh(wait);
		return;
	}
	if (failed && conn != NULL) {
		conn_free(conn);
		conn = NULL;
	}
	if (!crowded)
		note_health(wait->backend, failed);
	wait_free(wait);
	fn(fn_arg, conn, failed ? why : NULL);
}

void greet_done(struct backend_wait *wait, const char *why)
{
	wait->failure = why;
	event_active(wait->later, EV_TIMEOUT, 1);
}

static struct backend_conn *take_idle(struct backend *b)
{
	while (b->idle != NULL) {
		struct backend_conn *conn = b->idle;
		b->idle = conn->next;
		b->idle_count--;
		conn->idle = false;
		evtimer_del(&conn->timer);
		if (!conn->closed && stream_quiet(conn->stream)) {
			conn->reused = true;
			return conn;
		}
		conn_free(conn);
	}
	return NULL;
}

static void copy_client(struct backend_wait *wait, const struct client *client)
{
	wait->arena = arena_create();
	client_copy(&wait->client, client, wait->arena);
}

static void fail(struct backend_wait *wait, const char *stage, const char *why)
{
	snprintf(wait->failure_text, sizeof(wait->failure_text), "%s: %s", stage, why);
	greet_done(wait, wait->failure_text);
}

static void open_with(struct backend_wait *wait, int fd)
{
	const char *why = "failed";
	wait->address_at = wait->backend->address_at;
	wait->conn = conn_open(wait->backend, fd, &why);
	if (wait->conn == NULL) {
		fail(wait, "connect", why);
		return;
	}
	wait->conn->wait = wait;
	greet_begin(wait);
}

static void on_socket(void *arg, int fd, int error)
{
	struct backend_wait *wait = arg;
	wait->socket = NULL;
	give_place_back(wait);
	wait->failure = NULL;
	event_del(wait->later);
	if (fd < 0)
		fail(wait, "transparent", strerror(error));
	else
		open_with(wait, fd);
}

/* As ourselves the server would take us for the client, and we may do more. */
static void open_transparent(struct backend_wait *wait, const struct ip *ip)
{
	struct backend *b = wait->backend;
	const struct timeval limit = timeval_ms(b->config->connect_timeout);
	if (ip->family != (b->addresses[0].ss_family == AF_INET6 ? 6 : 4)) {
		fail(wait, "transparent", "the client's address is of another family than the backend's");
	} else if (b->worker->transparent == NULL) {
		int fd = transparent_socket(ip);
		on_socket(wait, fd, errno);
	} else if ((wait->socket = transparent_ask(b->worker->transparent, ip, on_socket, wait)) == NULL) {
		fail(wait, "transparent", strerror(errno));
	} else {
		wait->failure = "transparent: no socket in time";
		wait->counted = true;
		b->open_count++;
		event_add(wait->later, &limit);
	}
}

/* An idle one is of no use to who must not have it. */
static bool has_room(struct backend *b)
{
	int64_t all = b->config->max_connections;
	size_t most = all > 0 ? (size_t)worker_share(b->worker, all) : 0;
	while (most > 0 && b->open_count >= most && b->idle != NULL) {
		struct backend_conn *conn = b->idle;
		b->idle = conn->next;
		b->idle_count--;
		conn->idle = false;
		conn_free(conn);
	}
	return most == 0 || b->open_count < most;
}

static void enqueue(struct backend_wait *wait)
{
	struct backend *b = wait->backend;
	struct backend_wait **at = &b->queue;
	const struct timeval limit = timeval_ms(b->config->connect_timeout);
	while (*at != NULL)
		at = &(*at)->next;
	*at = wait;
	wait->next = NULL;
	wait->queued = wait->crowded = true;
	wait->failure = "all connections to it are in use";
	event_add(wait->later, &limit);
}

/* False: there is no room. */
static bool begin(struct backend_wait *wait)
{
	struct backend *b = wait->backend;
	bool by_client = b->config->transparent;
	wait->conn = wait->fresh || by_client ? NULL : take_idle(b);
	if (wait->conn != NULL) {
		wait->conn->wait = wait;
		greet_begin_idle(wait);
	} else if (b->address_count == 0) {
		fail(wait, "connect", "no such address");
	} else if (!has_room(b)) {
		return false;
	} else if (by_client && wait->client.ip.family != 0) {
		open_transparent(wait, &wait->client.ip);
	} else {
		open_with(wait, -1);
	}
	return true;
}

static void on_room(evutil_socket_t fd, short what, void *arg)
{
	struct backend *b = arg;
	(void)fd, (void)what;
	while (b->queue != NULL && (b->idle != NULL || has_room(b))) {
		struct backend_wait *wait = b->queue;
		leave_queue(wait);
		event_del(wait->later);
		wait->failure = NULL;
		wait->crowded = false;
		if (!begin(wait))
			enqueue(wait);
	}
}

void backend_has_room(struct backend *b)
{
	if (b->queue == NULL)
		return;
	if (b->room == NULL)
		b->room = event_new(b->worker->base, -1, 0, on_room, b);
	event_active(b->room, EV_TIMEOUT, 1);
}

struct backend_wait *backend_connect(struct backend *b, const struct client *client, bool fresh,
				     backend_connected_fn *fn, void *arg)
{
	struct backend_wait *wait = xcalloc(1, sizeof(*wait));
	wait->backend = b;
	wait->fn = fn;
	wait->arg = arg;
	wait->later = event_new(b->worker->base, -1, 0, call_back, wait);
	if ((b->config->client_info != CLIENT_INFO_NONE || b->config->transparent) && client != NULL)
		copy_client(wait, client);
	wait->fresh = fresh;
	if (b->queue != NULL || !begin(wait))
		enqueue(wait);
	return wait;
}

void backend_connect_cancel(struct backend_wait **wait)
{
	struct backend_wait *w = *wait;
	if (w == NULL)
		return;
	if (w->conn != NULL)
		conn_free(w->conn);
	wait_free(w);
	*wait = NULL;
}

void backend_suspect(struct backend *b)
{
	note_health(b, true);
}

/* ---- letting go */

static void swallow(void *arg, const struct reply *reply, const char *why)
{
	(void)reply, (void)why;
	conn_free(arg);
}

void conn_quit(struct backend_conn *conn)
{
	const int64_t quit_ms = 5000;
	if (conn->closed || conn->count > 0) {
		conn_free(conn);
		return;
	}
	conn_leaves(conn, true);
	backend_send(conn, SLICE("QUIT\r\n"), quit_ms, swallow, conn);
}

static void on_reset(void *arg, const struct reply *reply, const char *why)
{
	struct backend_conn *conn = arg;
	(void)why;
	conn_leaves(conn, false);
	backend_conn_release(&conn, reply != NULL && reply_positive(reply));
}

void backend_conn_take_back(struct backend_conn **conn)
{
	const int64_t rset_ms = 10000;
	struct backend_conn *c = *conn;
	*conn = NULL;
	c->drained = NULL;
	conn_leaves(c, true);
	backend_send(c, SLICE("RSET\r\n"), rset_ms, on_reset, c);
}

void backend_conn_release(struct backend_conn **conn_p, bool clean)
{
	struct backend_conn *conn = *conn_p;
	*conn_p = NULL;
	if (conn == NULL)
		return;
	struct backend *b = conn->backend;
	conn->drained = NULL;
	bool keep = clean && !conn->bound && !conn->closed && !conn->released && conn->count == 0 &&
		    b->config->connections > 0 && !b->worker->draining;
	if (!keep) {
		if (clean && !conn->released)
			conn_quit(conn);
		else
			conn_free(conn);
		return;
	}
	const struct timeval idle = timeval_ms(b->idle_count < (size_t)b->config->connections ? IDLE_MS : SURPLUS_MS);
	conn->idle = true;
	conn->next = b->idle;
	b->idle = conn;
	b->idle_count++;
	backend_has_room(b);
	evtimer_add(&conn->timer, &idle);
}

void backend_conn_drop(struct backend_conn **conn)
{
	struct backend_conn *c = *conn;
	*conn = NULL;
	if (c == NULL)
		return;
	stream_discard(c->stream); /* nobody waits for an answer to it */
	conn_free(c);
}

/* ---- learning what it can do */

static void probe_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	backend_probe(arg);
}

static void probe_later(struct backend *b, int64_t ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (int)(ms % 1000) * 1000 };
	if (b->probe_timer == NULL)
		b->probe_timer = event_new(b->worker->base, -1, 0, probe_again, b);
	event_add(b->probe_timer, &tv);
}

static void probed(void *arg, struct backend_conn *conn, const char *why)
{
	struct backend *b = arg;
	b->probe = NULL;
	if (conn == NULL) {
		log_warn(&b->worker->log, "backend", "%s: %s", b->peer, why);
		probe_later(b, PROBE_RETRY_MS);
		return;
	}
	backend_conn_release(&conn, true);
	if (b->config->health_check > 0)
		probe_later(b, b->config->health_check);
}

void backend_probe(struct backend *b)
{
	int64_t ms = b->config->health_check, due = b->heard_ms + ms - worker_now_ms(b->worker);
	bool works = b->caps.known && !b->failed;
	if (backend_is_maildir(b) || b->probe != NULL || b->worker->draining || (works && ms == 0))
		return;
	if (works && due > 0) /* mail has told meanwhile */
		probe_later(b, due);
	else
		b->probe = backend_connect(b, NULL, true, probed, b);
}

bool backend_is_probing(const struct backend *b)
{
	return b->probe != NULL && !b->caps.known;
}
