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

#include "proxy/delivery_private.h"
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
	/* a refusal of MAIL answers each RCPT */
	unsigned refused_code;
	char refused_enhanced[16];
	struct buf refused_text;
	bool pipelined;            /* RCPT went out with MAIL: its reply is due too */
	char trouble[200];         /* MAIL failed by our own trouble: the cause */
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

static const char *enhanced_text(const struct reply *reply, char out[16])
{
	if (reply->enhanced.class == 0)
		return reply_enhanced_default(reply->code);
	snprintf(out, 16, "%u.%u.%u", reply->enhanced.class, reply->enhanced.subject, reply->enhanced.detail);
	return out;
}

/* The reply's words without the enhanced codes that stand before each line. */
static struct slice plain_text(const struct reply *reply, struct buf *out)
{
	struct slice line, rest = reply->text;
	while (slice_split(&rest, '\n', &line)) {
		struct enhanced_code code;
		size_t len = 0;
		if (enhanced_code_parse(line, &code, &len))
			line = slice_from(line, len);
		if (out->len > 0)
			buf_add_char(out, '\n');
		buf_add_slice(out, line);
	}
	return buf_slice(out);
}

/* Replies that tell of our own trouble with the backend, not of the mail:
 * they must not bounce it (DESIGN 4). */
static bool is_our_trouble(const struct reply *reply)
{
	return reply->code == 421 || (reply->code >= 500 && reply->code <= 504) || reply->code == 530 ||
	       reply->code == 535 || reply->code < 200 || (reply->code >= 300 && reply->code < 400);
}

#define TROUBLE "Mail server has trouble, please try again later"

static void describe_trouble(const struct reply *reply, char cause[200])
{
	snprintf(cause, 200, "said %u %.*s", reply->code, (int)(reply->text.len < 150 ? reply->text.len : 150),
		 reply->text.data);
}

static void end_with_reply(struct smtp *s, const struct reply *reply)
{
	char enhanced[16];
	struct buf text = { 0 };
	if (is_our_trouble(reply)) {
		char cause[200];
		describe_trouble(reply, cause);
		delivery_trouble(s->d, "4.3.0", TROUBLE, cause);
		return;
	}
	const struct outcome outcome = {
		.positive = reply_positive(reply), .code = reply->code, .from_backend = true,
		.enhanced = enhanced_text(reply, enhanced), .text = plain_text(reply, &text),
	};
	delivery_end(s->d, &outcome);
	buf_free(&text);
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
	delivery_trouble(s->d, "4.3.0", TROUBLE, cause);
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

static void connect_now(struct smtp *s)
{
	struct delivery *d = s->d;
	s->stage = STAGE_CONNECT;
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

static void remember_refusal(struct smtp *s, const struct reply *reply)
{
	char enhanced[16];
	if (is_our_trouble(reply)) {
		describe_trouble(reply, s->trouble);
		return;
	}
	s->refused_code = reply->code;
	buf_clear(&s->refused_text);
	plain_text(reply, &s->refused_text);
	snprintf(s->refused_enhanced, sizeof(s->refused_enhanced), "%s", enhanced_text(reply, enhanced));
}

static void answer_refused(struct smtp *s)
{
	const struct outcome outcome = {
		.code = s->refused_code, .enhanced = s->refused_enhanced, .from_backend = true,
		.text = buf_slice(&s->refused_text),
	};
	if (s->refused_code != 0)
		delivery_end(s->d, &outcome);
	else
		delivery_trouble(s->d, "4.3.0", TROUBLE, s->trouble);
}

static void on_mail(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	s->stage = s->pipelined ? STAGE_RCPT : STAGE_IDLE;
	s->trouble[0] = '\0';
	if (reply_positive(reply)) {
		s->mail_ok = s->mail_was_ok = true;
		if (!s->pipelined)
			advance(s);
	} else if (s->mail_was_ok) {
		differs(s, reply);
	} else {
		remember_refusal(s, reply);
		if (!s->pipelined)
			answer_refused(s);
	}
}

/* Which capability a parameter of MAIL or RCPT needs. */
static const struct {
	const char *keyword;
	unsigned cap;
} params[] = {
	{ "SIZE", CAP_SIZE },       { "BODY", CAP_8BITMIME }, { "SMTPUTF8", CAP_SMTPUTF8 }, { "RET", CAP_DSN },
	{ "ENVID", CAP_DSN },       { "NOTIFY", CAP_DSN },    { "ORCPT", CAP_DSN },         { "AUTH", CAP_AUTH },
	{ "REQUIRETLS", CAP_REQUIRETLS },
};

static unsigned cap_of(struct slice keyword)
{
	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++)
		if (slice_eq_nocase(keyword, slice_str(params[i].keyword)))
			return params[i].cap;
	return 0;
}

/* Parameters the backend doesn't know are left out: it would refuse them. */
static void add_params(struct buf *line, struct slice text, unsigned caps)
{
	struct slice word;
	if (text.len == 0)
		return;
	while (slice_split(&text, ' ', &word)) {
		size_t eq = slice_chr(word, '=');
		if (word.len > 0 && (cap_of(slice_head(word, eq == SLICE_NPOS ? word.len : eq)) & caps))
			buf_printf(line, " %.*s", SLICE_ARG(word));
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

static void add_mail(struct buf *line, const struct smtp *s)
{
	const struct envelope *e = s->d->envelope;
	unsigned caps = backend_conn_caps(s->conn)->bits;
	buf_printf(line, "MAIL FROM:<%.*s>", SLICE_ARG(e->sender.text));
	add_params(line, e->params, s->d->home->authenticated ? caps : caps & ~(unsigned)CAP_AUTH);
	buf_add_str(line, "\r\n");
}

static void add_rcpt(struct buf *line, const struct smtp *s, size_t recipient)
{
	const struct recipient *r = &s->d->envelope->recipients[recipient];
	buf_printf(line, "RCPT TO:<%.*s>", SLICE_ARG(r->mailbox.text));
	add_params(line, r->params, backend_conn_caps(s->conn)->bits);
	buf_add_str(line, "\r\n");
}

/* With the recipient behind it in one go, where nothing has to be replayed. */
static void send_mail(struct smtp *s)
{
	struct buf line = { 0 };
	const char *lack = lacking(s);
	if (lack != NULL) {
		delivery_trouble(s->d, "4.3.0", TROUBLE, lack);
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
		stop(s, "4.3.0", TROUBLE, "answered before the end of the content");
		return;
	}
	drop(s); /* the reply stays until we return */
	end_with_reply(s, reply);
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
	s->stage = STAGE_IDLE;
	/* The transaction is over, but behind a refused chunk it is undefined, and RSET due (RFC 3030 2). */
	s->mail_ok = s->d->envelope->body_binary && !reply_positive(reply);
	s->replayed = 0;
	end_with_reply(s, reply);
}

static struct slice piece_at(const struct smtp *s)
{
	const struct delivery *d = s->d;
	if (s->sent < d->added.len)
		return slice_sub(d->added, s->sent, CHUNK);
	return slice_sub(d->content, s->sent - d->added.len, CHUNK);
}

static void finish_content(struct smtp *s)
{
	struct delivery *d = s->d;
	if (d->still_there != NULL && !d->still_there(d->arg)) {
		stop(s, "4.4.2", "Client has gone", "client left before the end: taken back");
		return;
	}
	if (!backend_conn_quiet(s->conn)) {
		stop(s, "4.3.0", TROUBLE, "spoke or closed before the end of the content");
		return;
	}
	buf_clear(&s->out);
	if (!smtp_stuff_end(&s->stuff, &s->out)) {
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
	while (s->sent < total && backend_unsent(s->conn) < CHUNK) {
		struct slice piece = piece_at(s);
		buf_clear(&s->out);
		if (!smtp_stuff_feed(&s->stuff, piece, &s->out)) {
			stop(s, "4.3.0", "Internal error", "content is not canonical");
			return;
		}
		backend_write(s->conn, buf_slice(&s->out));
		s->sent += piece.len;
	}
	if (s->sent < total)
		backend_on_drained(s->conn, LOW_WATER, stream, s);
	else
		finish_content(s);
}

static void on_data(void *arg, const struct reply *reply, const char *why)
{
	struct smtp *s = arg;
	if (reply == NULL) {
		lost(s, why);
		return;
	}
	if (reply->code != 354 && reply->code < 400) {
		stop(s, "4.3.0", TROUBLE, "took DATA for the content");
		return;
	}
	if (reply->code != 354) {
		s->stage = STAGE_IDLE; /* its transaction stays open: RSET is due */
		end_with_reply(s, reply);
		return;
	}
	s->stage = STAGE_CONTENT;
	s->sent = 0;
	smtp_stuff_init(&s->stuff);
	/* From here on: it may end, stall or refuse while the content goes out. */
	backend_send(s->conn, SLICE_EMPTY, backend_config(s->d->backend)->data_timeout, on_content, s);
	if (backend_conn_usable(s->conn))
		stream(s);
}

/* BINARYMIME: one chunk, untouched (RFC 3030 3). */
static void send_binary(struct smtp *s)
{
	const struct delivery *d = s->d;
	struct buf line = { 0 };
	if (d->still_there != NULL && !d->still_there(d->arg)) {
		stop(s, "4.4.2", "Client has gone", "client left before the end: taken back");
		return;
	}
	s->stage = STAGE_DOT;
	buf_printf(&line, "BDAT %zu LAST\r\n", d->added.len + d->content.len);
	buf_add_slice(&line, d->added);
	buf_add_slice(&line, d->content);
	backend_send(s->conn, buf_slice(&line), backend_config(d->backend)->data_timeout, on_content, s);
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
	for (; s->replayed < end; s->replayed++)
		if (s->replayed < s->accepted_cap && s->accepted[s->replayed])
			return s->replayed;
	return SIZE_MAX;
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
	/* Its session may have ended while the client was sending: begin again. */
	if (s->conn != NULL && !backend_conn_usable(s->conn)) {
		backend_conn_drop(&s->conn);
		s->mail_ok = false;
		s->replayed = 0;
	}
	advance(s);
}

static void smtp_rcpt(struct delivery *d, size_t recipient)
{
	struct smtp *s = smtp_of(d);
	(void)recipient;
	if (s->refused_code != 0)
		answer_refused(s);
	else
		smtp_begin(s, false);
}

static void smtp_content(struct delivery *d)
{
	smtp_begin(smtp_of(d), true);
}

/* ---- the end */

struct farewell {
	struct backend_conn *conn;
};

static void on_rset(void *arg, const struct reply *reply, const char *why)
{
	struct farewell *f = arg;
	(void)why;
	backend_conn_release(&f->conn, reply != NULL && reply_positive(reply));
	free(f);
}

/* Takes a transaction back, and the connection to the idle ones. */
static void rset_and_release(struct backend_conn **conn)
{
	struct farewell *f = xcalloc(1, sizeof(*f));
	const int64_t rset_ms = 10000;
	f->conn = *conn;
	*conn = NULL;
	backend_send(f->conn, SLICE("RSET\r\n"), rset_ms, on_rset, f);
}

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
	if (s->conn != NULL && backend_conn_bound(s->conn) && !s->mail_ok)
		d->home->conn = s->conn;
	else if (s->conn != NULL && s->mail_ok && d->home->authenticated && backend_conn_usable(s->conn))
		rset_and_keep(s);
	else if (s->conn != NULL && s->mail_ok && !backend_conn_bound(s->conn) && backend_conn_usable(s->conn))
		rset_and_release(&s->conn);
	else if (s->conn != NULL)
		backend_conn_release(&s->conn, !s->mail_ok);
	free(s->accepted);
	buf_free(&s->out);
	buf_free(&s->refused_text);
	free(s);
}

const struct delivery_ops delivery_smtp = { smtp_rcpt, smtp_content, smtp_destroy };
