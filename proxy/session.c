#include "proxy/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/store.h"
#include "policy/place.h"
#include "proxy/auth.h"
#include "proxy/command.h"
#include "proxy/proxy_protocol.h"
#include "proxy/smtp_syntax.h"
#include "proxy/tls.h"
#include "proxy/transaction.h"
#include "proxy/transaction_log.h"

static void session_run(struct session *s);
static void say_the_end(struct session *s);
static void greet(struct session *s);
static void leave_tarpit(struct session *s);

const struct config_limits *session_limits(const struct session *s)
{
	return s->snapshot->config->limits;
}

struct slice session_keep(struct session *s, struct slice bytes)
{
	if (s->arena == NULL)
		s->arena = arena_create();
	return arena_copy(s->arena, bytes);
}

const struct log_context *session_log(const struct session *s)
{
	static char ip[IP_TEXT_MAX];
	static struct log_field fields[2];
	static struct log_context context;
	fields[0] = (struct log_field){ "session", slice_str(s->id) };
	fields[1] = (struct log_field){ "client", slice_str(ip_text(&s->client.ip, ip)) };
	context = (struct log_context){ &s->worker->log, fields, 2 };
	return &context;
}

/* ---- time */

static void arm_timer(struct session *s)
{
	int64_t ms = s->deadline - worker_now_ms(s->worker);
	if (ms < 1)
		ms = 1;
	const struct timeval tv = timeval_ms(ms);
	evtimer_add(&s->timer, &tv);
	s->armed = s->deadline;
}

/* The timer isn't moved back with each command: it fires where it was set,
 * and then looks whether the deadline has moved. */
static void set_deadline(struct session *s, int64_t ms)
{
	int64_t now = worker_now_ms(s->worker), end = s->started + session_limits(s)->session_timeout;
	s->deadline = now + ms < end ? now + ms : end;
	if (s->deadline < s->armed)
		arm_timer(s);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct session *s = arg;
	if (worker_now_ms(s->worker) < s->deadline) {
		arm_timer(s);
	} else if (s->state == SESSION_CLOSING || s->state == SESSION_PROXY || s->handshaking) {
		session_destroy(s);
	} else if (s->state == SESSION_DELAY || s->state == SESSION_TARPIT) {
		set_deadline(s, session_limits(s)->command_timeout);
		arm_timer(s);
		if (s->state == SESSION_DELAY)
			greet(s);
		else
			leave_tarpit(s);
	} else if (s->state == SESSION_BUSY) {
		/* What it waits for has deadlines of its own, and ends sooner than lost mail would. */
		s->deadline = worker_now_ms(s->worker) + session_limits(s)->command_timeout;
		arm_timer(s);
	} else {
		bool over = worker_now_ms(s->worker) >= s->started + session_limits(s)->session_timeout;
		session_close(s, 421, "4.4.2", over ? "Session took too long, closing" : "Timed out, closing");
	}
}

static void change_client(struct session *s, const struct proxy_header *h);
static void welcome(struct session *s);
static void hold_greeting(struct session *s);

/* ---- replies */

void session_write(struct session *s, struct slice bytes)
{
	stream_write(s->stream, bytes);
	if (!s->running)
		stream_flush_soon(s->stream);
}

#define REFUSALS_KEPT 3 /* of a session, in the journal */

/* Transactions say theirs; what is refused outside of one bears the session's. */
static bool has_id(const struct session *s, struct slice text)
{
	size_t open = slice_rchr(text, '(');
	if (s->transaction != NULL && slice_find(text, slice_str(s->transaction->id)) != SLICE_NPOS)
		return true; /* where an administrator's text has it */
	return open != SLICE_NPOS && slice_ends(text, SLICE(")")) && text.len - open == TRACE_ID_LEN + 2;
}

void session_reply(struct session *s, unsigned code, const char *enhanced, struct slice text)
{
	struct buf out = { 0 }, named = { 0 };
	if (code >= 400 && !has_id(s, text)) {
		/* Who makes mistake after mistake doesn't fill the journal. */
		if (s->refusals++ < REFUSALS_KEPT && s->commands > 0)
			transaction_log_session(&s->client, s->id, worker_now_unix(s->worker), code, enhanced, text);
		buf_printf(&named, "%.*s (%s)", SLICE_ARG(text), s->id);
		text = buf_slice(&named);
	}
	reply_format(&out, code, enhanced, text);
	session_write(s, buf_slice(&out));
	buf_free(&out);
	buf_free(&named);
}

void session_printf(struct session *s, unsigned code, const char *enhanced, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	session_reply(s, code, enhanced, buf_slice(&text));
	buf_free(&text);
}

void session_error(struct session *s, unsigned code, const char *enhanced, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	s->slow = true;
	if (++s->errors > session_limits(s)->errors)
		session_close(s, 421, "4.7.0", "Too many errors, closing");
	else
		session_reply(s, code, enhanced, buf_slice(&text));
	buf_free(&text);
}

/* ---- input */

void session_wait(struct session *s)
{
	s->state = SESSION_BUSY;
}

void session_resume(struct session *s)
{
	if (s->state == SESSION_CLOSING)
		return;
	s->state = SESSION_COMMAND;
	set_deadline(s, session_limits(s)->command_timeout);
	if (s->worker->stopping)
		session_shut_down(s);
	if (!s->running)
		session_run(s);
}

void session_read_data(struct session *s)
{
	s->state = SESSION_DATA;
	set_deadline(s, session_limits(s)->data_timeout);
}

void session_read_auth(struct session *s)
{
	s->state = SESSION_AUTH;
	set_deadline(s, session_limits(s)->command_timeout);
	if (!s->running)
		session_run(s);
}

#define AUTH_LINE_MAX 12290u /* RFC 4954 4, with its end */

/* False: no whole line is there yet. */
static bool session_on_line(struct session *s, struct slice in)
{
	struct smtp_line line;
	size_t most = (size_t)session_limits(s)->command_line;
	/* An initial response may stand in the command line of AUTH. */
	if (s->state == SESSION_AUTH || slice_starts_nocase(in, SLICE("AUTH ")))
		most = most > AUTH_LINE_MAX ? most : AUTH_LINE_MAX;
	enum smtp_line_status status = smtp_line_next(in, most, &line);
	if (status == SMTP_LINE_MORE)
		return false;
	if (line.bare_lf && status == SMTP_LINE_OK)
		s->client.manners |= MANNER_BARE_LF;
	if (++s->commands > session_limits(s)->commands) {
		session_close(s, 421, "4.7.0", "Too many commands, closing");
	} else if (status == SMTP_LINE_TOO_LONG) {
		/* Its rest would be read as commands: what can't be read is not obeyed. */
		session_close(s, 500, "5.5.2", "Line too long, closing");
	} else if (line.bare_lf && session_limits(s)->bare_lf == BARE_LF_REFUSE) {
		session_close(s, 500, "5.5.2", "Line ends in a bare LF, closing");
	} else {
		/* Copied and taken: a command may throw the rest away (STARTTLS). */
		struct buf *copy = &s->worker->line;
		buf_clear(copy);
		buf_add_slice(copy, line.text);
		stream_take(s->stream, line.consumed);
		set_deadline(s, session_limits(s)->command_timeout);
		if (s->state == SESSION_AUTH)
			auth_on_line(s, buf_slice(copy));
		else
			command_dispatch(s, buf_slice(copy));
	}
	return true;
}

void session_skip(struct session *s, uint64_t octets)
{
	s->skip = octets;
}

static bool session_on_skip(struct session *s, struct slice in)
{
	size_t n = s->skip < in.len ? (size_t)s->skip : in.len;
	set_deadline(s, session_limits(s)->data_timeout);
	stream_take(s->stream, n);
	s->skip -= n;
	return true;
}

static bool session_on_data(struct session *s, struct slice in)
{
	set_deadline(s, session_limits(s)->data_timeout);
	transaction_feed(s, in);
	return true;
}

/* A balancer says who its client is. */
static bool session_on_proxy(struct session *s, struct slice in)
{
	struct proxy_header h;
	enum proxy_status status = proxy_header_parse(in, &h);
	if (status == PROXY_MORE)
		return false;
	if (status == PROXY_BAD) {
		log_warn(session_log(s), "proxy protocol", "no header from a listed balancer");
		session_close(s, 421, "4.7.0", "Expected the PROXY protocol");
		return true;
	}
	stream_take(s->stream, h.consumed);
	if (!h.local)
		change_client(s, &h);
	welcome(s);
	return true;
}

/* ---- the tarpit: whoever makes errors waits. One in ten sessions at most, so
 * that many of them can't take the places of others. */

static bool enter_tarpit(struct session *s)
{
	const struct config_limits *limits = session_limits(s);
	bool wait = s->slow && limits->tarpit > 0 && !client_is_ours(&s->client) &&
		    s->worker->tarpit_count < worker_share(s->worker, limits->sessions / 10 + 1);
	s->slow = false;
	if (!wait)
		return false;
	s->state = SESSION_TARPIT;
	s->worker->tarpit_count++;
	s->deadline = worker_now_ms(s->worker) + limits->tarpit;
	arm_timer(s);
	return true;
}

static void leave_tarpit(struct session *s)
{
	s->worker->tarpit_count--;
	session_resume(s);
}

#define BACKLOG_MAX (32u * 1024)

/* Who asks on and doesn't read our answers would have us keep them all. */
static bool client_reads(struct session *s)
{
	if (stream_unsent(s->stream) <= BACKLOG_MAX)
		return true;
	stream_flush(s->stream);
	if (stream_unsent(s->stream) <= BACKLOG_MAX)
		return true;
	stream_low_water(s->stream, 0);
	return false;
}

static void session_run(struct session *s)
{
	struct slice in;
	bool more = true, reads = true;
	s->running = true;
	while (more && (in = stream_input(s->stream)).len > 0 && (reads = client_reads(s))) {
		if (s->worker->stopping)
			session_shut_down(s);
		if (s->state == SESSION_COMMAND && s->skip > 0)
			more = session_on_skip(s, in);
		else if (s->state == SESSION_COMMAND && enter_tarpit(s))
			break;
		else if (s->state == SESSION_COMMAND || s->state == SESSION_AUTH)
			more = session_on_line(s, in);
		else if (s->state == SESSION_PROXY)
			more = session_on_proxy(s, in);
		else if (s->state == SESSION_DATA)
			more = session_on_data(s, in);
		else
			break;
	}
	s->running = false;
	if (s->state == SESSION_CLOSING || s->eof)
		stream_flush(s->stream);
	else
		stream_flush_soon(s->stream);
	if (s->state == SESSION_CLOSING)
		say_the_end(s);
	else if (s->eof && s->state != SESSION_BUSY && reads)
		session_destroy(s);
}

static void throw_away_input(struct session *s)
{
	stream_take(s->stream, stream_input(s->stream).len);
}

/* The last reply goes out: say so, and wait for the client to close. Closing
 * first, with bytes of his unread, would be a reset that can take our reply
 * with it. The timer bounds it. */
static void say_the_end(struct session *s)
{
	throw_away_input(s);
	if (s->eof && stream_unsent(s->stream) == 0)
		session_destroy(s);
}

static void on_input(void *arg)
{
	struct session *s = arg;
	if (s->state == SESSION_CLOSING)
		throw_away_input(s);
	else if (s->state == SESSION_DELAY)
		s->client.manners |= MANNER_EARLY_TALKER;
	else if (s->state != SESSION_BUSY)
		session_run(s);
}

static void on_drained(void *arg)
{
	struct session *s = arg;
	if (s->state == SESSION_CLOSING && s->eof)
		session_destroy(s);
	else if (s->state != SESSION_CLOSING && !s->handshaking && stream_input(s->stream).len > 0)
		on_input(s); /* what client_reads() has put off */
}

static void on_closed(void *arg, const char *why)
{
	struct session *s = arg;
	s->eof = true;
	if (why != NULL || s->state == SESSION_CLOSING)
		session_destroy(s);
	else if (s->state != SESSION_BUSY)
		session_run(s);
}

bool session_still_there(const struct session *s)
{
	/* It closed its side only, if a QUIT stands pipelined behind. */
	return !s->eof || slice_chr(stream_input(s->stream), '\n') != SLICE_NPOS;
}

/* ---- TLS */

/* What was said in the clear is forgotten (RFC 3207 4.2). */
static void forget_the_clear(struct session *s)
{
	s->client.helo = SLICE_EMPTY;
	s->client.esmtp = false;
	s->client.login = s->client.auth_mechanism = SLICE_EMPTY;
	delivery_home_close(&s->home);
	s->home.authenticated = false;
}

static void on_ready(void *arg, const char *why)
{
	struct session *s = arg;
	s->handshaking = false;
	if (why != NULL) {
		log_info(session_log(s), "tls", "handshake failed: %s", why);
		session_destroy(s);
		return;
	}
	if (s->arena == NULL)
		s->arena = arena_create();
	tls_describe(stream_tls(s->stream), s->arena, &s->client);
	if (tls_fingerprint_listed(s->snapshot->config, s->listen->certificate, s->client.tls_fingerprint))
		s->client.login = s->client.tls_fingerprint;
	if (!s->greeted)
		hold_greeting(s);
	else
		session_resume(s);
}

static bool begin_handshake(struct session *s)
{
	struct ssl_st *ssl = s->worker->tls ? tls_server_new(s->worker->tls, s->listen->certificate) : NULL;
	if (ssl == NULL)
		return false;
	s->handshaking = true;
	s->state = SESSION_BUSY;
	set_deadline(s, session_limits(s)->command_timeout);
	stream_start_tls(s->stream, ssl, s->greeted ? STREAM_TLS_SERVER : STREAM_TLS_SERVER_FIRST);
	return true;
}

bool session_start_tls(struct session *s)
{
	if (s->worker->tls == NULL)
		return false;
	session_reply(s, 220, "2.0.0", SLICE("Go ahead"));
	forget_the_clear(s);
	return begin_handshake(s);
}

static const struct stream_callbacks stream_callbacks = {
	.input = on_input, .closed = on_closed, .drained = on_drained, .ready = on_ready,
};

/* ---- beginning and end */

static void fill_client(struct session *s, const struct ip *ip, uint16_t port)
{
	struct client *c = &s->client;
	c->ip = *ip;
	c->port = port;
	c->listener = s->listen->title.data;
	c->submission = s->listen->role == ROLE_SUBMISSION;
	client_place(c, s->snapshot->config);
}

/* Where it has come to. */
static void fill_local(struct session *s, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
		ip_from_sockaddr((struct sockaddr *)&sa, &s->client.local_ip, &s->client.local_port);
}

static void greet(struct session *s)
{
	const struct config_top *top = s->snapshot->config->top;
	struct buf text = { 0 };
	if (s->known != NULL)
		store_cancel(s->worker->store, &s->known);
	/* 220 has no enhanced code (RFC 2034 4). */
	buf_printf(&text, "220 %.*s %.*s\r\n", SLICE_ARG(top->hostname), SLICE_ARG(top->greeting));
	session_write(s, buf_slice(&text));
	buf_free(&text);
	s->greeted = true;
	session_resume(s);
}

/* ---- holding the greeting: who can't wait for it is no mail server */

#define GOOD_SECONDS (30u * 86400) /* a good client is known that long */

/* False: it has no address to be known by. */
static bool good_key(const struct session *s, char key[IP_TEXT_MAX + 8])
{
	char ip[IP_TEXT_MAX];
	snprintf(key, IP_TEXT_MAX + 8, "bots:%s", ip_text(&s->client.ip, ip));
	return s->client.ip.family != 0 && s->worker->store != NULL;
}

static void on_known(void *arg, const struct answer *answer)
{
	struct session *s = arg;
	s->known = NULL;
	if (answer->status == ANSWER_FOUND && s->state == SESSION_DELAY && !(s->client.manners & MANNER_EARLY_TALKER))
		greet(s);
}

static void ask_known(struct session *s)
{
	char key[IP_TEXT_MAX + 8];
	if (!good_key(s, key))
		return;
	const struct store_request get = { .op = STORE_GET, .key = slice_str(key), .touch = true, .ttl = GOOD_SECONDS };
	s->known = store_ask(s->worker->store, &get, worker_now_unix(s->worker), on_known, s);
}

static void nothing(void *arg, const struct answer *answer)
{
	(void)arg, (void)answer;
}

void session_remember_good(struct session *s)
{
	char key[IP_TEXT_MAX + 8];
	if (s->listen->greeting_delay == 0 || s->client.manners != 0 || client_is_ours(&s->client) || !good_key(s, key))
		return;
	const struct store_request put = {
		.op = STORE_PUT, .key = slice_str(key), .value = SLICE("1"), .ttl = GOOD_SECONDS,
	};
	store_ask(s->worker->store, &put, worker_now_unix(s->worker), nothing, NULL);
}

/* The first line of the greeting goes out at once: who takes it for the whole
 * speaks too early. */
static void hold_greeting(struct session *s)
{
	const struct config_top *top = s->snapshot->config->top;
	int64_t delay = s->listen->greeting_delay;
	if (delay == 0 || client_is_ours(&s->client) || s->client.trusted) {
		greet(s);
		return;
	}
	if (stream_input(s->stream).len > 0)
		s->client.manners |= MANNER_EARLY_TALKER;
	struct buf text = { 0 };
	buf_printf(&text, "220-%.*s %.*s\r\n", SLICE_ARG(top->hostname), SLICE_ARG(top->greeting));
	s->state = SESSION_DELAY;
	session_write(s, buf_slice(&text));
	buf_free(&text);
	s->deadline = worker_now_ms(s->worker) + delay;
	arm_timer(s);
	ask_known(s);
}

static void change_client(struct session *s, const struct proxy_header *h)
{
	struct worker *w = s->worker;
	stats_client(w->stats, w->row, &s->client.ip, -1);
	fill_client(s, &h->ip, h->port);
	s->client.local_ip = h->to;
	s->client.local_port = h->to_port;
	stats_client(w->stats, w->row, &h->ip, +1);
}

/* NULL: let it in. */
static const char *refused_at_door(struct session *s)
{
	const struct config_limits *limits = session_limits(s);
	struct worker *w = s->worker;
	unsigned of_client = stats_client(w->stats, w->row, &s->client.ip, 0);
	int64_t total = w->stats ? stats_total(w->stats, STAT_SESSIONS_NOW) : w->session_count;
	if (total > limits->sessions)
		return "Too many sessions, please try again later";
	if (of_client > limits->sessions_per_client && !s->client.relay_network)
		return "Too many sessions from your address";
	return NULL;
}

/* The client's address is known. */
static void welcome(struct session *s)
{
	struct worker *w = s->worker;
	const char *why = refused_at_door(s);
	s->state = SESSION_BUSY;
	if (why != NULL) {
		stats_add(w->stats, w->row, STAT_SESSIONS_REFUSED, 1);
		session_close(s, 421, "4.7.0", why);
	} else if (s->listen->tls == TLS_IMPLICIT) {
		if (!begin_handshake(s))
			session_close(s, 421, "4.3.0", "TLS is not available");
	} else {
		hold_greeting(s);
	}
}

#define PROXY_MS 10000 /* for a balancer's header */

static void link_session(struct session *s)
{
	struct worker *w = s->worker;
	s->next = w->sessions;
	if (s->next != NULL)
		s->next->prev = s;
	w->sessions = s;
	w->session_count++;
	stats_client(w->stats, w->row, &s->client.ip, +1);
	stats_add(w->stats, w->row, STAT_SESSIONS, 1);
	stats_add(w->stats, w->row, STAT_SESSIONS_NOW, 1);
}

/* Who comes by a unix socket is on this machine. */
static bool speaks_proxy(const struct config_listen *listen, const struct ip *ip)
{
	static const struct ip local = { .family = 4, .bytes = { 127, 0, 0, 1 } };
	return cidr_list_has(listen->proxy_from.items, listen->proxy_from.count, ip->family != 0 ? ip : &local);
}

void session_accept(struct worker *worker, const struct config_listen *listen, int fd, const struct ip *ip,
		    uint16_t port)
{
	struct session *s = xcalloc(1, sizeof(*s));
	s->worker = worker;
	s->snapshot = snapshot_retain(worker->snapshot);
	s->listen = listen;
	s->started = worker_now_ms(worker);
	trace_id_new(&worker->ids, s->id);
	s->stream = stream_create(worker->base, fd, &stream_callbacks, s);
	fill_client(s, ip, port);
	fill_local(s, fd);
	evtimer_assign(&s->timer, worker->base, on_timer, s);
	link_session(s);
	set_deadline(s, session_limits(s)->command_timeout);
	if (speaks_proxy(listen, ip)) {
		s->state = SESSION_PROXY;
		set_deadline(s, PROXY_MS);
	} else {
		welcome(s);
	}
	arm_timer(s);
}

#define CLOSE_MS 5000 /* for the last reply to be taken */

void session_close(struct session *s, unsigned code, const char *enhanced, const char *text)
{
	if (s->state == SESSION_CLOSING)
		return;
	if (code != 221)
		log_info(session_log(s), "session closed", "%u %s %s", code, enhanced, text);
	transaction_abort(s, "session closed");
	session_reply(s, code, enhanced, slice_str(text));
	s->state = SESSION_CLOSING;
	s->deadline = worker_now_ms(s->worker) + CLOSE_MS;
	stream_shutdown(s->stream);
	if (!s->running)
		throw_away_input(s);
	arm_timer(s);
}

void session_destroy(struct session *s)
{
	struct worker *w = s->worker;
	if (s->state == SESSION_TARPIT)
		w->tarpit_count--;
	if (s->known != NULL)
		store_cancel(w->store, &s->known);
	s->state = SESSION_CLOSING;
	transaction_abort(s, "client has gone");
	auth_destroy(&s->auth);
	delivery_home_close(&s->home);
	evtimer_del(&s->timer);
	stream_destroy(&s->stream);
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		w->sessions = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	w->session_count--;
	stats_add(w->stats, w->row, STAT_SESSIONS_NOW, -1);
	stats_client(w->stats, w->row, &s->client.ip, -1);
	snapshot_release((struct snapshot **)&s->snapshot);
	arena_destroy(&s->arena);
	free(s);
	worker_session_gone(w);
}

void session_shut_down(struct session *s)
{
	if (s->state == SESSION_COMMAND && s->transaction == NULL)
		session_close(s, 421, "4.3.2", "Service is shutting down, please try again later");
}
