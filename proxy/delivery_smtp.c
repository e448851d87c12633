/*
 * Delivery to a server: MAIL and RCPT as our client says them, then DATA.
 *
 * The work is a list of steps done since the connection began: MAIL sent and
 * answered, recipients sent and answered. A new connection begins the list
 * again (replay); a reply that then differs from the first one's class ends
 * the call with 451.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/answered.h"
#include "proxy/delivery_private.h"
#include "proxy/envelope_lines.h"
#include "proxy/smtp_data.h"

enum stage {
	STAGE_IDLE,
	STAGE_CONNECT,
	STAGE_MAIL,      /* MAIL is sent */
	STAGE_REPLAY,    /* an earlier recipient is sent again */
	STAGE_RCPT,      /* the asked recipient is sent */
	STAGE_DATA,      /* DATA is sent */
	STAGE_CONTENT,   /* content goes out */
	STAGE_DOT,       /* the final dot is sent */
	STAGE_RSET,      /* RSET is sent: the content is for fewer than this connection was told */
};

struct smtp {
	struct delivery *d;
	enum stage stage;
	struct backend_wait *wait;
	struct backend_conn *conn;
	bool mail_ok;              /* on this connection */
	bool mail_was_ok;          /* on an earlier one */
	size_t replayed;           /* accepted recipients told to this connection */
	bool want_content;         /* the call under way is for content, else for a recipient */
	bool retried;              /* within this call */
	bool *accepted;            /* by index */
	size_t accepted_cap;
	/* content */
	struct smtp_stuff stuff;
	struct buf out;
	size_t sent;               /* of added + content */
	int64_t content_deadline;  /* for all of it */
	/* a refusal of MAIL answers each RCPT */
	struct answered refused;
	bool pipelined;            /* RCPT went out with MAIL: its reply is due too */
	struct answered_list each; /* of the content, where the backend answers for each recipient */
	size_t each_at;            /* whose answer is due */
};

#define CHUNK (64u * 1024)
#define LOW_WATER (32u * 1024)

static void advance(struct smtp *s);

static struct smtp *smtp_of(struct delivery *d)
{
	if (d->impl == NULL) {
		struct smtp *s = xcalloc(1, sizeof(*s));
		s->d = d;
		d->impl = s;
	}
	return d->impl;
}

/* ---- replies */

static void end_with_reply(struct smtp *s, const struct reply *reply)
{
	struct answered answer = { 0 };
	answered_set(&answer, reply);
	if (answer.cause[0] != '\0')
		delivery_trouble(s->d, answer.outcome.enhanced, DELIVERY_TROUBLE, answer.cause);
	else
		delivery_end(s->d, &answer.outcome);
	answered_clear(&answer);
}

/* ---- losing the connection, and trying once more */

static void lost(struct smtp *s, const char *why)
{
	bool handed_over = s->stage == STAGE_CONTENT || s->stage == STAGE_DOT;
	backend_conn_drop(&s->conn);
	s->stage = STAGE_IDLE;
	s->mail_ok = s->pipelined = false;
	s->replayed = 0;
	if (!s->retried && !handed_over) {
		s->retried = true;
		advance(s);
		return;
	}
	s->d->unreachable = !handed_over && s->accepted == NULL;
	if (s->d->unreachable)
		backend_suspect(s->d->backend);
	delivery_trouble(s->d, "4.4.2", "Connection to the mail server was lost, please try again later", why);
}

static void differs(struct smtp *s, const struct reply *reply)
{
	char cause[96];
	snprintf(cause, sizeof(cause), "answered a replayed command otherwise: %u", reply->code);
	backend_conn_release(&s->conn, false);
	s->stage = STAGE_IDLE;
	s->mail_ok = false;
	s->replayed = 0;
	delivery_trouble(s->d, "4.3.0", DELIVERY_TROUBLE, cause);
}

/* ---- the steps */

static void on_connected(void *arg, struct backend_conn *conn, const char *why)
{
	struct smtp *s = arg;
	s->wait = NULL;
	s->conn = conn;
	s->stage = STAGE_IDLE;
	s->d->unreachable = conn == NULL && !s->mail_was_ok;
	if (conn == NULL)
		delivery_trouble(s->d, "4.4.1", "Mail server can't be reached, please try again later", why);
	else
		advance(s);
}

/* Not where the session's client has authenticated with another backend. */
static bool at_home(const struct smtp *s)
{
	const struct delivery_home *home = s->d->home;
	return !home->authenticated || home->backend == s->d->backend;
}

static void connect_now(struct smtp *s)
{
	struct delivery *d = s->d;
	s->stage = STAGE_CONNECT;
	if (!at_home(s)) {
		s->wait = backend_connect(d->backend, d->client, s->retried, on_connected, s);
		return;
	}
	if (d->home->conn != NULL) {
		struct backend_conn *conn = d->home->conn;
		d->home->conn = NULL;
		if (backend_conn_backend(conn) == d->backend && backend_conn_usable(conn)) {
			on_connected(s, conn, NULL);
			return;
		}
		backend_conn_drop(&conn);
	}
	if (d->home->authenticated) {
		/* Another connection would not be the client's: what he may, it may not. */
		s->stage = STAGE_IDLE;
		delivery_trouble(d, "4.4.2", "Connection to the mail server was lost, please reconnect",
				 "authenticated connection lost");
		return;
	}
	s->wait = backend_connect(d->backend, d->client, s->retried, on_connected, s);
}

static void answer_refused(struct smtp *s)
{
	if (s->refused.cause[0] != '\0')
		delivery_trouble(s->d, s->refused.outcome.enhanced, DELIVERY_TROUBLE, s->refused.cause);
	else
		delivery_end(s->d, &s->refused.outcome);
}

static void on_mail(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	s->stage = s->pipelined ? STAGE_RCPT : STAGE_IDLE;
	if (reply_positive(reply)) {
		s->mail_ok = s->mail_was_ok = true;
		if (!s->pipelined)
			advance(s);
	} else if (s->mail_was_ok) {
		differs(s, reply);
	} else {
		answered_set(&s->refused, reply);
		if (!s->pipelined)
			answer_refused(s);
	}
}

static int64_t reply_timeout(const struct smtp *s)
{
	return backend_config(s->d->backend)->reply_timeout;
}

static void on_rcpt(void *arg, const struct reply *reply, const char *why);

/* What the message needs and this backend lacks; NULL: nothing. EHLO promised
 * it, so another backend of the route had it, or this one has changed. */
static const char *lacking(const struct smtp *s)
{
	const struct envelope *e = s->d->envelope;
	unsigned bits = backend_conn_caps(s->conn)->bits;
	if (e->smtputf8 && !(bits & CAP_SMTPUTF8))
		return "SMTPUTF8 is not offered any more";
	if (e->requiretls && !(bits & CAP_REQUIRETLS))
		return "REQUIRETLS is not offered any more";
	if (e->body_binary && (bits & (CAP_BINARYMIME | CAP_CHUNKING)) != (CAP_BINARYMIME | CAP_CHUNKING))
		return "BINARYMIME is not offered any more";
	return NULL;
}

/* AUTH= is worth what the session is that says it (RFC 4954 5). */
static void add_mail(struct buf *line, const struct smtp *s)
{
	unsigned caps = backend_conn_caps(s->conn)->bits;
	bool own = s->d->home->authenticated && at_home(s);
	envelope_add_mail(line, s->d->envelope, own ? caps : caps & ~(unsigned)CAP_AUTH);
}

static void add_rcpt(struct buf *line, const struct smtp *s, size_t recipient)
{
	envelope_add_rcpt(line, &s->d->envelope->recipients[recipient], backend_conn_caps(s->conn)->bits);
}

/* With the recipient behind it in one go, where nothing has to be replayed. */
static void send_mail(struct smtp *s)
{
	struct buf line = { 0 };
	const char *lack = lacking(s);
	if (lack != NULL) {
		delivery_trouble(s->d, "4.3.0", DELIVERY_TROUBLE, lack);
		return;
	}
	s->stage = STAGE_MAIL;
	s->pipelined = !s->want_content && !s->mail_was_ok && (backend_conn_caps(s->conn)->bits & CAP_PIPELINING);
	add_mail(&line, s);
	if (s->pipelined)
		add_rcpt(&line, s, s->d->recipient);
	backend_send(s->conn, buf_slice(&line), reply_timeout(s), on_mail, s);
	if (s->pipelined)
		backend_send(s->conn, SLICE_EMPTY, reply_timeout(s), on_rcpt, s);
	buf_free(&line);
}

static void remember_accepted(struct smtp *s, size_t recipient)
{
	if (recipient >= s->accepted_cap) {
		size_t cap = s->accepted_cap ? s->accepted_cap * 2 : 8;
		while (cap <= recipient)
			cap *= 2;
		s->accepted = xrealloc(s->accepted, cap * sizeof(bool));
		memset(s->accepted + s->accepted_cap, 0, (cap - s->accepted_cap) * sizeof(bool));
		s->accepted_cap = cap;
	}
	s->accepted[recipient] = true;
}

static void on_rcpt(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	s->stage = STAGE_IDLE;
	if (s->pipelined && !s->mail_ok) { /* its own reply only says that MAIL failed */
		s->pipelined = false;
		answer_refused(s);
		return;
	}
	s->pipelined = false;
	if (reply_positive(reply)) {
		remember_accepted(s, s->d->recipient);
		s->replayed = s->d->recipient + 1;
	}
	end_with_reply(s, reply);
}

static void on_replayed(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL)
		lost(s, why);
	else if (!reply_positive(reply))
		differs(s, reply);
	else {
		s->stage = STAGE_IDLE;
		s->replayed++;
		advance(s);
	}
}

static void send_rcpt(struct smtp *s, size_t recipient, enum stage stage)
{
	struct buf line = { 0 };
	add_rcpt(&line, s, recipient);
	s->stage = stage;
	backend_send(s->conn, buf_slice(&line), reply_timeout(s), stage == STAGE_RCPT ? on_rcpt : on_replayed, s);
	buf_free(&line);
}

/* ---- content */

static void drop(struct smtp *s)
{
	backend_conn_drop(&s->conn);
	s->stage = STAGE_IDLE;
	s->mail_ok = false;
	s->replayed = 0;
}

static void stop(struct smtp *s, const char *enhanced, const char *text, const char *cause)
{
	drop(s);
	delivery_trouble(s->d, enhanced, text, cause);
}

/* Before the content's end: a refusal counts, a success can't be one. */
static void answered_early(struct smtp *s, const struct reply *reply)
{
	if (reply->code < 400) {
		stop(s, "4.3.0", DELIVERY_TROUBLE, "answered before the end of the content");
		return;
	}
	drop(s); /* the reply stays until we return */
	end_with_reply(s, reply);
}

/* ---- the answer to the content: one, or one for each recipient (LMTP, RFC
 * 2033 4.2; PRDR: behind 353, and then one for the message, without whose
 * success nobody has it) */

static bool is_lmtp(const struct smtp *s)
{
	return backend_config(s->d->backend)->protocol == BACKEND_LMTP;
}

/* The content is for that recipient. */
static bool wanted(const struct smtp *s, size_t i)
{
	return i < s->accepted_cap && s->accepted[i] && s->d->envelope->recipients[i].accepted;
}

static size_t next_wanted(const struct smtp *s, size_t from)
{
	while (from < s->accepted_cap && !wanted(s, from))
		from++;
	return from < s->accepted_cap ? from : SIZE_MAX;
}

/* The transaction is over on this connection, but behind a refused chunk it is undefined, and RSET due (RFC 3030 2). */
static void content_answered(struct smtp *s, const struct reply *reply)
{
	s->stage = STAGE_IDLE;
	s->mail_ok = s->d->envelope->body_binary && !reply_positive(reply);
	s->replayed = 0;
}

static void end_with_each(struct smtp *s, const struct reply *reply)
{
	struct answered whole = { 0 };
	content_answered(s, reply);
	for (size_t i = 0; i < s->each.count; i++)
		if (s->each.list[i].cause[0] != '\0')
			delivery_log_trouble(s->d, s->each.list[i].cause);
	answered_set(&whole, reply);
	whole.outcome.each = answered_list_outcomes(&s->each);
	delivery_end(s->d, &whole.outcome);
	answered_clear(&whole);
}

static void on_last(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	if (!reply_positive(reply))
		answered_list_overrule(&s->each, reply);
	end_with_each(s, reply);
}

static void on_each(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	answered_set(&s->each.list[s->each_at], reply);
	s->each_at = next_wanted(s, s->each_at + 1);
	if (s->each_at == SIZE_MAX && is_lmtp(s))
		end_with_each(s, reply);
}

/* So many replies are still to come. */
static void expect_each(struct smtp *s)
{
	int64_t ms = backend_config(s->d->backend)->data_timeout;
	for (size_t i = s->each_at; i != SIZE_MAX; i = next_wanted(s, i + 1))
		backend_expect(s->conn, ms, on_each, s);
	if (!is_lmtp(s))
		backend_expect(s->conn, ms, on_last, s);
}

static void begin_each(struct smtp *s, const struct reply *reply)
{
	answered_list_begin(&s->each, s->d->envelope->recipient_count);
	s->each_at = next_wanted(s, 0);
	if (is_lmtp(s)) {
		answered_set(&s->each.list[s->each_at], reply);
		s->each_at = next_wanted(s, s->each_at + 1);
	}
	expect_each(s);
}

static void on_content(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	if (s->stage == STAGE_CONTENT || backend_unsent(s->conn) > 0) {
		answered_early(s, reply);
		return;
	}
	bool prdr = s->d->envelope->prdr && (backend_conn_caps(s->conn)->bits & CAP_PRDR);
	bool several = next_wanted(s, next_wanted(s, 0) + 1) != SIZE_MAX;
	if (is_lmtp(s) ? several : prdr && reply->code == 353) {
		begin_each(s, reply);
	} else if (reply->code < 400 && !reply_positive(reply)) {
		stop(s, "4.3.0", DELIVERY_TROUBLE, "gave no final reply to the content");
	} else {
		content_answered(s, reply);
		end_with_reply(s, reply);
	}
}

static struct slice piece_at(const struct smtp *s)
{
	const struct delivery *d = s->d;
	if (s->sent < d->added.len)
		return slice_sub(d->added, s->sent, CHUNK);
	return slice_sub(d->content, s->sent - d->added.len, CHUNK);
}

/* BINARYMIME goes as it is, all else with its dots doubled. Returns false: stopped. */
static bool send_piece(struct smtp *s, struct slice piece)
{
	s->sent += piece.len;
	if (s->d->envelope->body_binary) {
		backend_write(s->conn, piece);
		return true;
	}
	buf_clear(&s->out);
	if (!smtp_stuff_feed(&s->stuff, piece, &s->out)) {
		stop(s, "4.3.0", "Internal error", "content is not canonical");
		return false;
	}
	backend_write(s->conn, buf_slice(&s->out));
	return true;
}

/* What makes a mail of it: the final dot, or the last octets of the last chunk. */
static void finish_content(struct smtp *s, struct slice last)
{
	struct delivery *d = s->d;
	if (d->still_there != NULL && !d->still_there(d->arg)) {
		stop(s, "4.4.2", "Client has gone", "client left before the end: taken back");
		return;
	}
	if (!backend_conn_quiet(s->conn)) {
		stop(s, "4.3.0", DELIVERY_TROUBLE, "spoke or closed before the end of the content");
		return;
	}
	if (!send_piece(s, last))
		return;
	buf_clear(&s->out);
	if (!d->envelope->body_binary && !smtp_stuff_end(&s->stuff, &s->out)) {
		stop(s, "4.3.0", "Internal error", "content is not canonical");
		return;
	}
	s->stage = STAGE_DOT;
	backend_write(s->conn, buf_slice(&s->out));
	backend_flush(s->conn);
}

static void stream(void *arg)
{
	struct smtp *s = arg;
	size_t total = s->d->added.len + s->d->content.len;
	if (worker_now_ms(s->d->worker) > s->content_deadline) {
		stop(s, "4.4.2", DELIVERY_TROUBLE, "takes the content too slowly");
		return;
	}
	while (backend_unsent(s->conn) < CHUNK) {
		struct slice piece = piece_at(s);
		if (s->sent + piece.len == total) {
			finish_content(s, piece);
			return;
		}
		if (!send_piece(s, piece))
			return;
	}
	backend_on_drained(s->conn, LOW_WATER, stream, s);
}

#define PATIENCE 10 /* times data-timeout, for all of the content */

/* first: what goes before it. From here on the backend may end, stall or refuse while the content goes out. */
static void begin_content(struct smtp *s, struct slice first)
{
	int64_t ms = backend_config(s->d->backend)->data_timeout;
	s->stage = STAGE_CONTENT;
	s->sent = 0;
	s->content_deadline = worker_now_ms(s->d->worker) + PATIENCE * ms;
	smtp_stuff_init(&s->stuff);
	backend_send(s->conn, first, ms, on_content, s);
	if (backend_conn_usable(s->conn))
		stream(s);
}

static void on_data(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	if (reply->code != 354 && reply->code < 400) {
		stop(s, "4.3.0", DELIVERY_TROUBLE, "took DATA for the content");
		return;
	}
	if (reply->code != 354) {
		s->stage = STAGE_IDLE; /* its transaction stays open: RSET is due */
		end_with_reply(s, reply);
		return;
	}
	begin_content(s, SLICE_EMPTY);
}

/* BINARYMIME: one chunk, untouched (RFC 3030 3). */
static void send_binary(struct smtp *s)
{
	const struct delivery *d = s->d;
	struct buf line = { 0 };
	buf_printf(&line, "BDAT %zu LAST\r\n", d->added.len + d->content.len);
	begin_content(s, buf_slice(&line));
	buf_free(&line);
}

static void send_data(struct smtp *s)
{
	if (s->d->envelope->body_binary) {
		send_binary(s);
		return;
	}
	s->stage = STAGE_DATA;
	backend_send(s->conn, SLICE("DATA\r\n"), reply_timeout(s), on_data, s);
}

/* ---- what comes next */

/* The next accepted recipient this connection hasn't heard of, or SIZE_MAX. */
static size_t next_replay(struct smtp *s)
{
	size_t end = s->want_content ? s->accepted_cap : s->d->recipient;
	while (s->replayed < end && !wanted(s, s->replayed))
		s->replayed++;
	return s->replayed < end ? s->replayed : SIZE_MAX;
}

/* This connection's transaction has recipients that the content is not for, or is a spent one. */
static bool told_others(const struct smtp *s)
{
	for (size_t i = 0; i < s->replayed && i < s->accepted_cap; i++)
		if (s->accepted[i] && !wanted(s, i))
			return true;
	return s->replayed == 0;
}

static void on_taken_back(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
	} else if (!reply_positive(reply)) {
		differs(s, reply);
	} else {
		s->stage = STAGE_IDLE;
		s->mail_ok = false;
		s->replayed = 0;
		advance(s);
	}
}

static void advance(struct smtp *s)
{
	size_t replay;
	if (s->conn == NULL)
		connect_now(s);
	else if (!s->mail_ok)
		send_mail(s);
	else if ((replay = next_replay(s)) != SIZE_MAX)
		send_rcpt(s, replay, STAGE_REPLAY);
	else if (s->want_content)
		send_data(s);
	else
		send_rcpt(s, s->d->recipient, STAGE_RCPT);
}

static void smtp_begin(struct smtp *s, bool want_content)
{
	s->want_content = want_content;
	s->retried = false;
	answered_list_free(&s->each);
	/* Its session may have ended while the client was sending: begin again. */
	if (s->conn != NULL && !backend_conn_usable(s->conn)) {
		backend_conn_drop(&s->conn);
		s->mail_ok = false;
		s->replayed = 0;
	}
	if (want_content && s->conn != NULL && s->mail_ok && told_others(s)) {
		s->stage = STAGE_RSET;
		backend_send(s->conn, SLICE("RSET\r\n"), reply_timeout(s), on_taken_back, s);
		return;
	}
	advance(s);
}

static void smtp_rcpt(struct delivery *d, size_t recipient)
{
	struct smtp *s = smtp_of(d);
	(void)recipient;
	/* What was our trouble may be over; a refusal stays one. */
	if (s->refused.outcome.code != 0 && s->refused.cause[0] == '\0')
		answer_refused(s);
	else
		smtp_begin(s, false);
}

static void smtp_content(struct delivery *d)
{
	smtp_begin(smtp_of(d), true);
}

/* ---- the end */

static void ignore_reply(void *arg, const struct reply *reply, const char *why)
{
	(void)arg, (void)reply, (void)why;
}

/* The client's own connection stays his: what he takes back costs him no login. */
static void rset_and_keep(struct smtp *s)
{
	backend_send(s->conn, SLICE("RSET\r\n"), reply_timeout(s), ignore_reply, NULL);
	s->d->home->conn = s->conn;
}

static void smtp_destroy(struct delivery *d)
{
	struct smtp *s = d->impl;
	if (s == NULL)
		return;
	backend_connect_cancel(&s->wait);
	if (s->conn != NULL && s->stage != STAGE_IDLE)
		backend_conn_drop(&s->conn);
	if (s->conn != NULL && !at_home(s))
		backend_conn_release(&s->conn, !s->mail_ok);
	else if (s->conn != NULL && backend_conn_bound(s->conn) && !s->mail_ok)
		d->home->conn = s->conn;
	else if (s->conn != NULL && s->mail_ok && d->home->authenticated && backend_conn_usable(s->conn))
		rset_and_keep(s);
	else if (s->conn != NULL && s->mail_ok && !backend_conn_bound(s->conn) && backend_conn_usable(s->conn))
		backend_conn_take_back(&s->conn);
	else if (s->conn != NULL)
		backend_conn_release(&s->conn, !s->mail_ok);
	free(s->accepted);
	buf_free(&s->out);
	answered_clear(&s->refused);
	answered_list_free(&s->each);
	free(s);
}

const struct delivery_ops delivery_smtp = { smtp_rcpt, smtp_content, smtp_destroy };
