/*
 * The store in Redis (the one module that includes hiredis), shared by
 * gateways. A key is a hash: e (expires), s (set at), c (count), v (value);
 * Redis' own expiry clears it away later. Each request is one run of one
 * script, which does what store_apply() does, with the asker's clock: so all
 * gateways need the right time.
 *
 * A connection that fails, or leaves a request unanswered for the time-out, is
 * closed and tried again, with back-off. Meanwhile requests fail at once.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/store_backend.h"

#define DEFAULT_PORT 6379
#define DEFAULT_TIMEOUT_MS 3000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define QUEUE_MAX 10000u
#define PREFIX "gatehouse:"
#define NEVER "9223372036854775807"

/*
 * KEYS[1]; ARGV: op, now, expires, touch, amount, value. Returns status ("F"
 * or "N"), number, expires, value. Numbers go as text: Lua's are doubles.
 */
static const char script[] =
	"local k,op,now=KEYS[1],ARGV[1],tonumber(ARGV[2])\n"
	"local h=redis.call('HMGET',k,'e','s','c','v')\n"
	"local e,s,c,v=h[1],h[2],h[3] or '0',h[4] or ''\n"
	"local old=e and tonumber(e)>now\n"
	"if op=='D' then\n"
	"  redis.call('DEL',k)\n"
	"  return {old and 'F' or 'N','0','0',''}\n"
	"end\n"
	"local write=false\n"
	"if not old then e,s,c,v=ARGV[3],ARGV[2],'0','' end\n"
	"if op=='A' then\n"
	"  if ARGV[5]~='0' then\n"
	"    if not old then redis.call('DEL',k) end\n"
	"    redis.call('HMSET',k,'e',e,'s',s)\n"
	"    c=string.format('%.0f',redis.call('HINCRBY',k,'c',ARGV[5]))\n"
	"    if not old and e~='" NEVER "' then redis.call('EXPIRE',k,e-now+1) end\n"
	"  end\n"
	"  return {'F',c,e,''}\n"
	"end\n"
	"if op=='P' then v=ARGV[6] write=true e=ARGV[3]\n"
	"elseif old then if ARGV[4]=='1' then e=ARGV[3] write=true end\n"
	"elseif op=='S' then v=ARGV[6] write=true end\n"
	"if write then\n"
	"  redis.call('HMSET',k,'e',e,'s',s,'c',c,'v',v)\n"
	"  if e=='" NEVER "' then redis.call('PERSIST',k) else redis.call('EXPIRE',k,e-now+1) end\n"
	"end\n"
	"if op=='P' or old then return {'F',s,e,v} end\n"
	"if op=='G' then return {'N','0','0',''} end\n"
	"return {'N',s,e,''}\n";

struct store_query {
	TAILQ_ENTRY(store_query) next; /* of waiting, by deadline; once told: of none */
	struct redis *redis;
	bool waiting;                  /* the asker is to be told */
	bool sent;                     /* hiredis will call */
	const char *refused;
	int64_t deadline, now;
	store_done_fn *done;
	void *arg;
};
TAILQ_HEAD(query_list, store_query);

struct redis {
	struct store store;
	struct event_base *base;
	char *path;                    /* of a unix socket, or NULL */
	char address[INET6_ADDRSTRLEN];
	int port;
	char *user, *password;         /* NULL: none */
	char *db;
	int64_t timeout;
	redisAsyncContext *connection; /* NULL: down, till the back-off ends */
	bool up;                       /* as last logged */
	int64_t backoff;
	struct query_list waiting;
	size_t sent;
	struct event *timer, *connect_timer;
};

static void set_timer(struct event *timer, int64_t ms)
{
	const struct timeval tv = timeval_ms(ms);
	event_add(timer, &tv);
}

static void log_state(struct redis *r, bool up, const char *why)
{
	if (up && !r->up)
		log_info(NULL, "store connected", "Redis at %s", r->path ? r->path : r->address);
	else if (!up && r->up)
		log_error(NULL, "store lost", "Redis at %s: %s", r->path ? r->path : r->address, why);
	r->up = up;
}

/* --- answers --- */

/* Tells the asker, if he still waits. */
static void tell(struct store_query *q, const struct answer *answer)
{
	if (!q->waiting)
		return;
	TAILQ_REMOVE(&q->redis->waiting, q, next);
	q->waiting = false;
	q->done(q->arg, answer);
}

static struct answer temperror(const char *why)
{
	return (struct answer){ .status = ANSWER_TEMPERROR, .why = why };
}

static bool is_text(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_STRING;
}

static struct answer read_reply(struct redis *r, const redisReply *reply, int64_t now)
{
	if (reply->type == REDIS_REPLY_ERROR) {
		log_state(r, false, reply->str);
		return temperror("store: error");
	}
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4 || !is_text(reply->element[0]) ||
	    !is_text(reply->element[1]) || !is_text(reply->element[2]) || !is_text(reply->element[3]))
		return temperror("store: error");
	log_state(r, true, NULL);
	long long expires = strtoll(reply->element[2]->str, NULL, 10);
	struct answer answer = {
		.status = reply->element[0]->str[0] == 'F' ? ANSWER_FOUND : ANSWER_NODATA,
		.number = strtoll(reply->element[1]->str, NULL, 10),
		.value = slice_make(reply->element[3]->str, (size_t)reply->element[3]->len),
	};
	if (expires > now && expires != INT64_MAX)
		answer.ttl = expires - now > INT32_MAX ? INT32_MAX : (uint32_t)(expires - now);
	return answer;
}

static void on_reply(redisAsyncContext *connection, void *reply, void *arg)
{
	struct store_query *q = arg;
	(void)connection;
	q->redis->sent--;
	struct answer answer = reply ? read_reply(q->redis, reply, q->now) : temperror("store: connection lost");
	tell(q, &answer);
	free(q);
}

/* --- the connection --- */

static void retry_later(struct redis *r)
{
	set_timer(r->connect_timer, r->backoff);
	r->backoff = r->backoff * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : r->backoff * 2;
}

/* hiredis frees the connection itself after these two. */
static void on_disconnect(const redisAsyncContext *connection, int status)
{
	struct redis *r = connection->data;
	if (r->connection != connection)
		return;
	r->connection = NULL;
	log_state(r, false, status == REDIS_OK ? "closed" : connection->errstr);
	retry_later(r);
}

static void on_connect(const redisAsyncContext *connection, int status)
{
	struct redis *r = connection->data;
	if (status != REDIS_OK) {
		on_disconnect(connection, status);
		return;
	}
	event_del(r->connect_timer);
	r->backoff = BACKOFF_FIRST_MS;
}

/* What a fresh connection is told first; errors show in the requests'. */
static void greet(struct redis *r)
{
	if (r->password != NULL && r->user != NULL)
		redisAsyncCommand(r->connection, NULL, NULL, "AUTH %s %s", r->user, r->password);
	else if (r->password != NULL)
		redisAsyncCommand(r->connection, NULL, NULL, "AUTH %s", r->password);
	if (r->db != NULL)
		redisAsyncCommand(r->connection, NULL, NULL, "SELECT %s", r->db);
}

static void connect_now(struct redis *r)
{
	redisAsyncContext *c = r->path ? redisAsyncConnectUnix(r->path) : redisAsyncConnect(r->address, r->port);
	if (c == NULL || c->err != 0) {
		log_state(r, false, c ? c->errstr : "out of memory");
		if (c != NULL)
			redisAsyncFree(c);
		retry_later(r);
		return;
	}
	c->data = r;
	r->connection = c;
	redisLibeventAttach(c, r->base);
	redisAsyncSetConnectCallback(c, on_connect);
	redisAsyncSetDisconnectCallback(c, on_disconnect);
	greet(r);
	set_timer(r->connect_timer, r->timeout);
}

/* Its requests are answered as lost. */
static void drop_connection(struct redis *r, const char *why)
{
	redisAsyncContext *c = r->connection;
	if (c == NULL)
		return;
	log_state(r, false, why);
	r->connection = NULL;
	redisAsyncFree(c);
}

/* The back-off is over, or connecting took too long. */
static void on_connect_timer(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	(void)fd, (void)what;
	if (r->connection != NULL) {
		drop_connection(r, "connecting takes too long");
		retry_later(r);
	} else {
		connect_now(r);
	}
}

/* The first in the list has waited too long, or was refused at once. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct redis *r = arg;
	struct store_query *q;
	int64_t now = clock_ms();
	bool stuck = false;
	(void)fd, (void)what;
	while ((q = TAILQ_FIRST(&r->waiting)) != NULL && q->deadline <= now) {
		/* NOLINTNEXTLINE: clang doesn't follow the queue's back pointers */
		const struct answer answer = temperror(q->refused ? q->refused : "store: timeout");
		stuck |= q->sent;
		tell(q, &answer);
		if (!q->sent)
			free(q);
	}
	if (stuck && r->connection != NULL) {
		drop_connection(r, "no answer in time");
		retry_later(r);
	}
	if ((q = TAILQ_FIRST(&r->waiting)) != NULL)
		set_timer(r->timer, q->deadline - now);
}

/* --- asking --- */

static const char *const op_names[] = {
	[STORE_GET] = "G", [STORE_PUT] = "P", [STORE_GET_OR_SET] = "S", [STORE_ADD] = "A", [STORE_DELETE] = "D",
};

static bool send_request(struct redis *r, struct store_query *q, const struct store_request *request)
{
	char now[24], expires[24], amount[24];
	char *key = xmalloc(sizeof(PREFIX) + request->key.len);
	size_t prefix = sizeof(PREFIX) - 1;
	memcpy(key, PREFIX, prefix);
	if (request->key.len > 0)
		memcpy(key + prefix, request->key.data, request->key.len);
	snprintf(now, sizeof(now), "%lld", (long long)q->now);
	snprintf(expires, sizeof(expires), "%lld",
		 request->ttl ? (long long)(q->now + request->ttl) : (long long)INT64_MAX);
	snprintf(amount, sizeof(amount), "%lld", (long long)request->amount);
	const char *argv[] = { "EVAL", script, "1", key, op_names[request->op], now, expires,
			       request->touch ? "1" : "0", amount,
			       request->value.data ? request->value.data : "" };
	const size_t lens[] = { 4, sizeof(script) - 1, 1, prefix + request->key.len, 1, strlen(now),
				strlen(expires), 1, strlen(amount), request->value.len };
	bool sent = redisAsyncCommandArgv(r->connection, on_reply, q, 10, argv, lens) == REDIS_OK;
	free(key);
	return sent;
}

static struct store_query *redis_ask(struct store *store, const struct store_request *request, int64_t now,
				     store_done_fn *done, void *arg)
{
	struct redis *r = (struct redis *)store;
	struct store_query *q = xcalloc(1, sizeof(*q));
	*q = (struct store_query){ .redis = r, .waiting = true, .now = now, .done = done, .arg = arg };
	if (r->connection == NULL)
		q->refused = "store: not connected";
	else if (r->sent >= QUEUE_MAX)
		q->refused = "store: overloaded";
	else if (!send_request(r, q, request))
		q->refused = "store: not connected";
	if (q->refused != NULL) {
		q->deadline = clock_ms() + 1; /* at the loop's next turn, not in this one */
		TAILQ_INSERT_HEAD(&r->waiting, q, next);
		set_timer(r->timer, 1);
		return q;
	}
	q->sent = true;
	r->sent++;
	q->deadline = clock_ms() + r->timeout;
	if (TAILQ_EMPTY(&r->waiting))
		set_timer(r->timer, r->timeout);
	TAILQ_INSERT_TAIL(&r->waiting, q, next);
	return q;
}

static void redis_cancel(struct store *store, struct store_query *q)
{
	struct redis *r = (struct redis *)store;
	TAILQ_REMOVE(&r->waiting, q, next);
	q->waiting = false;
	if (!q->sent)
		free(q);
}

/* --- making one --- */

static char *dup_slice(struct slice s)
{
	return s.len > 0 ? strndup(s.data, s.len) : NULL;
}

/* Names are looked up once, here: later would block. */
static const char *look_up(struct redis *r, struct slice host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	char *name = strndup(host.data ? host.data : "", host.len);
	int error = getaddrinfo(name, NULL, &hints, &list);
	free(name);
	if (error != 0)
		return gai_strerror(error);
	getnameinfo(list->ai_addr, list->ai_addrlen, r->address, sizeof(r->address), NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	return NULL;
}

/* host, host:port, [v6]:port */
static const char *parse_host(struct redis *r, struct slice text)
{
	uint64_t port = DEFAULT_PORT;
	struct slice host = text, port_text = SLICE_EMPTY;
	size_t bracket = slice_chr(text, ']'), colon = slice_rchr(text, ':');
	if (slice_starts(text, SLICE("[")) && bracket != SLICE_NPOS) {
		host = slice_sub(text, 1, bracket - 1);
		port_text = slice_from(text, bracket + 1);
		if (port_text.len > 0 && port_text.data[0] != ':')
			return "malformed address";
		port_text = slice_from(port_text, 1);
	} else if (colon != SLICE_NPOS) {
		host = slice_head(text, colon);
		port_text = slice_from(text, colon + 1);
	}
	if ((port_text.len > 0 && !slice_u64(port_text, 65535, &port)) || port == 0)
		return "malformed port";
	r->port = (int)port;
	return look_up(r, host);
}

/* //[user:password@]host[:port][/db], or /path of a unix socket. */
static const char *parse_url(struct redis *r, struct slice rest)
{
	if (!slice_starts(rest, SLICE("//"))) {
		r->path = dup_slice(rest);
		return r->path != NULL ? NULL : "neither host nor path";
	}
	rest = slice_from(rest, 2);
	size_t at = slice_rchr(rest, '@');
	if (at != SLICE_NPOS) {
		struct slice login = slice_head(rest, at);
		size_t colon = slice_chr(login, ':');
		if (colon == SLICE_NPOS)
			return "user without password";
		r->user = dup_slice(slice_head(login, colon));
		r->password = dup_slice(slice_from(login, colon + 1));
		rest = slice_from(rest, at + 1);
	}
	size_t slash = slice_chr(rest, '/');
	uint64_t db;
	if (slash != SLICE_NPOS) {
		struct slice number = slice_from(rest, slash + 1);
		if (number.len > 0 && !slice_u64(number, 65535, &db))
			return "the database is not a number";
		r->db = dup_slice(number);
		rest = slice_head(rest, slash);
	}
	return parse_host(r, rest);
}

static void redis_close(struct store *store)
{
	struct redis *r = (struct redis *)store;
	struct store_query *q, *next;
	/* Those sent are freed by hiredis' last calls; nobody is told any more. */
	for (q = TAILQ_FIRST(&r->waiting); q != NULL; q = next) {
		next = TAILQ_NEXT(q, next);
		redis_cancel(store, q);
	}
	r->up = false;
	drop_connection(r, "");
	event_free(r->timer);
	event_free(r->connect_timer);
	free(r->path);
	free(r->user);
	free(r->password);
	free(r->db);
	free(r);
}

static struct store *redis_open(struct event_base *base, const struct store_config *config, struct slice rest,
				char error_r[STORE_ERROR_MAX])
{
	struct redis *r = xcalloc(1, sizeof(*r));
	r->store.backend = &store_redis;
	r->base = base;
	r->timeout = config->timeout > 0 ? config->timeout : DEFAULT_TIMEOUT_MS;
	r->backoff = BACKOFF_FIRST_MS;
	r->up = true; /* so that the first failure is logged */
	TAILQ_INIT(&r->waiting);
	r->timer = evtimer_new(base, on_timer, r);
	r->connect_timer = evtimer_new(base, on_connect_timer, r);
	const char *error = parse_url(r, rest);
	if (error != NULL) {
		snprintf(error_r, STORE_ERROR_MAX, "store redis: %s", error); /* the URL may hold a password */
		redis_close(&r->store);
		return NULL;
	}
	connect_now(r);
	return &r->store;
}

const struct store_backend store_redis = {
	.scheme = "redis", .open = redis_open, .close = redis_close, .ask = redis_ask, .cancel = redis_cancel,
};
