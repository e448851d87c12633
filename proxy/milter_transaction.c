/* A message through the milter: what transaction.c is for the SMTP door. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "filters/pipeline.h"
#include "filters/state.h"
#include "proxy/held_mail.h"
#include "proxy/judgement.h"
#include "proxy/milter_private.h"
#include "proxy/trace.h"
#include "proxy/transaction_log.h"

static const struct config_limits *limits_of(const struct milter *m)
{
	return m->server->snapshot->config->limits;
}

/* ---- beginning and end */

static void drop_content(void *arg)
{
	struct content *content = arg;
	content_destroy(&content);
}

static void destroy(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	m->transaction = NULL;
	wait_end(&t->wait);
	judgement_count_asked(t->scan, m->server->stats, m->server->row);
	arena_destroy(&t->arena);
	buf_free(&t->chunk);
	free(t);
	atomic_fetch_sub(&m->server->transactions, 1);
}

static void log_it(struct milter *m, const char *how)
{
	struct milter_transaction *t = m->transaction;
	char ip[IP_TEXT_MAX];
	const struct log_field fields[] = {
		{ "session", slice_str(m->id) }, { "client", slice_str(ip_text(&m->client.ip, ip)) },
		{ "milter", m->server->config->title },
	};
	const struct log_context context = { .fields = fields, .count = sizeof(fields) / sizeof(*fields) };
	t->t_done = clock_ms();
	const struct transaction_record record = {
		.log = &context, .scan = t->scan, .verdict = &t->verdict, .id = t->id, .action = how,
		.reply = t->reply, .size = t->data.size, .queue_id = milter_macro(m, "i"), .t_mail = t->t_mail,
		.t_data = t->t_data, .t_end = t->t_end, .t_filtered = t->t_filtered, .t_done = t->t_done,
	};
	transaction_log(&record);
}

static bool any_accepted(const struct envelope *e)
{
	for (size_t i = 0; i < e->recipient_count; i++)
		if (e->recipients[i].accepted)
			return true;
	return false;
}

void milter_abort(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	if (t == NULL)
		return;
	if (any_accepted(&t->scan->envelope)) {
		snprintf(t->reply, sizeof(t->reply), "the mail server gave it up");
		log_it(m, "abort");
	}
	destroy(m);
}

/* ---- MAIL */

/* First counted, then looked: who closes looks at the count afterwards. */
static bool begin(struct milter_server *s)
{
	atomic_fetch_add(&s->transactions, 1);
	if (!atomic_load(&s->closed))
		return true;
	atomic_fetch_sub(&s->transactions, 1);
	return false;
}

void milter_mail(struct milter *m, char *const *args)
{
	struct client client;
	milter_abort(m);
	if (!begin(m->server))
		return; /* RCPT is deferred */
	struct milter_transaction *t = xcalloc(1, sizeof(*t));
	m->transaction = t;
	t->arena = arena_create();
	t->scan = scan_create(t->arena, m->server->snapshot, time(NULL));
	t->wait = wait_begin(m->server->driver, t->scan->questions, t->scan->now);
	t->t_mail = clock_ms();
	trace_id_new(&m->server->ids, t->id);
	milter_client(m, &client);
	client_copy(&t->scan->client, &client, t->arena);
	milter_sender(t->arena, args, &t->scan->envelope);
	pipeline_begin(t->scan);
	pipeline_enter(t->scan, PHASE_CONNECT);
	pipeline_enter(t->scan, PHASE_HELO);
	pipeline_enter(t->scan, PHASE_MAIL);
	/* What these find is said at RCPT. */
	wait_start(t->wait, t->scan, PHASE_MAIL);
}

/* ---- RCPT */

/* Text the client is told, for the server and for the log. */
static enum milter_reply refuse(struct milter *m, const struct refusal *r)
{
	struct milter_transaction *t = m->transaction;
	struct slice text = judgement_text(t->arena, r->text, t->id);
	snprintf(t->reply, sizeof(t->reply), "%u %s %.*s", r->code, r->enhanced ? r->enhanced : "",
		 (int)(text.len < 200 ? text.len : 200), text.data ? text.data : "");
	m->mta->set_reply(m->arg, r->code, r->enhanced, text);
	return r->code >= 500 ? MILTER_REJECT : MILTER_TEMPFAIL;
}

static void log_recipient(const struct milter *m, const struct recipient *r)
{
	const struct milter_transaction *t = m->transaction;
	log_line(LOG_INFO, NULL, "recipient refused", "%s <%.*s> to <%.*s>: %s", t->id,
		 SLICE_ARG(t->scan->envelope.sender.text), SLICE_ARG(r->mailbox.text), t->reply);
}

enum milter_reply milter_rcpt(struct milter *m, char *const *args)
{
	struct milter_transaction *t = m->transaction;
	struct recipient recipient;
	struct refusal refusal;
	/* One the server itself has refused. */
	if (slice_eq(milter_macro(m, "{rcpt_mailer}"), SLICE("error")))
		return MILTER_CONTINUE;
	if (t == NULL)
		return MILTER_TEMPFAIL;
	milter_recipient(t->arena, args, &recipient);
	t->paths = milter_more_paths(t->arena, t->paths, t->scan->envelope.recipient_count);
	t->paths[t->scan->envelope.recipient_count] = arena_str(t->arena, slice_str(args[0] ? args[0] : ""));
	struct recipient *r = envelope_add(&t->scan->envelope, &recipient, t->arena);
	t->scan->recipient = t->scan->envelope.recipient_count - 1;
	wait_run(t->wait, t->scan, PHASE_MAIL, limits_of(m)->end_deadline);
	pipeline_enter(t->scan, PHASE_RCPT);
	wait_run(t->wait, t->scan, PHASE_RCPT, limits_of(m)->end_deadline);
	r->accepted = judgement_recipient(t->scan, t->id, &refusal);
	if (r->accepted)
		return MILTER_CONTINUE;
	enum milter_reply reply = refuse(m, &refusal);
	judgement_count_refused(t->scan, m->server->stats, m->server->row);
	log_recipient(m, r);
	transaction_log_recipient(t->scan, t->id, &refusal);
	return reply;
}

/* ---- content */

static void open_content(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	const struct config_limits *limits = limits_of(m);
	const struct smtp_data_limits data_limits = {
		.bare_lf = (enum bare_lf)limits->bare_lf, .line = limits->text_line, .size = limits->message_size,
	};
	t->content = content_create(m->server->spool, limits->memory_per_message);
	arena_on_reset(t->arena, drop_content, t->content);
	smtp_data_init(&t->data, SMTP_DATA_CHUNKS, &data_limits);
	t->t_data = clock_ms();
}

/* What is canonical of bytes goes into the content and stays in t->chunk. */
static void take(struct milter_transaction *t, struct slice bytes)
{
	bool end;
	buf_clear(&t->chunk);
	smtp_data_feed(&t->data, bytes, &t->chunk, &end);
	t->storage_failed = t->storage_failed || !content_append(t->content, buf_slice(&t->chunk));
}

/* A value as servers give it has folds by "\n" alone, and what can't be part
 * of a field ends up as a space. */
static void add_value(struct buf *out, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i], next = i + 1 < value.len ? value.data[i + 1] : '\0';
		bool folds = c == '\n' && (next == ' ' || next == '\t');
		if (folds)
			buf_add_str(out, "\r\n");
		else if (c == '\n' || (c == '\r' && next != '\n'))
			buf_add_char(out, ' ');
		else if (c != '\r')
			buf_add_char(out, c);
	}
}

void milter_header(struct milter *m, const char *name, const char *value)
{
	struct milter_transaction *t = m->transaction;
	struct buf field = { 0 };
	if (t == NULL)
		return;
	if (t->content == NULL)
		open_content(m);
	buf_printf(&field, "%s:%s", name, m->offers.leading_space ? "" : " ");
	add_value(&field, slice_str(value));
	buf_add_str(&field, "\r\n");
	take(t, buf_slice(&field));
	buf_free(&field);
}

/* Nothing is waited for: a server takes no word that we are still at it before the end of the message. */
void milter_end_of_header(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	struct slice all;
	if (t == NULL)
		return;
	if (t->content == NULL)
		open_content(m);
	take(t, SLICE("\r\n"));
	if (t->storage_failed || !content_map(t->content, &all))
		return;
	/* A copy: the content's memory moves as it grows. */
	message_parse(&t->scan->message, t->arena, arena_copy(t->arena, all), (size_t)limits_of(m)->headers);
	t->body_fed = all.len;
	pipeline_enter(t->scan, PHASE_HEADERS);
	t->headers_entered = true;
	t->headers_done = wait_start(t->wait, t->scan, PHASE_HEADERS);
	t->lost = t->scan->message.head_cut || trace_hops(&t->scan->message) > (size_t)limits_of(m)->received_headers;
}

/* The filters get what they have not had, once they are through with the header section. */
static void feed_body(struct milter_transaction *t)
{
	struct slice fresh = buf_slice(&t->chunk), all;
	uint64_t size = content_size(t->content);
	if (!t->headers_done || t->storage_failed || size <= t->body_fed)
		return;
	if (t->body_fed + fresh.len == size)
		pipeline_body(t->scan, fresh);
	else if (content_map(t->content, &all))
		pipeline_body(t->scan, slice_from(all, t->body_fed));
	t->body_fed = (size_t)size;
}

/* It will be refused, whatever the filters say. */
static bool is_lost(const struct milter_transaction *t)
{
	return t->lost || t->storage_failed || smtp_data_refusal(&t->data) != NULL;
}

enum milter_reply milter_body(struct milter *m, struct slice chunk)
{
	struct milter_transaction *t = m->transaction;
	if (t == NULL || t->content == NULL)
		return MILTER_CONTINUE;
	take(t, chunk);
	if (t->headers_entered && !t->headers_done)
		t->headers_done = wait_start(t->wait, t->scan, PHASE_HEADERS);
	feed_body(t);
	return is_lost(t) && m->offers.skip ? MILTER_SKIP : MILTER_CONTINUE;
}

/* ---- the end */

static const struct refusal *unacceptable(struct milter_transaction *t)
{
	static const struct refusal storage = { 452, "4.3.1", { "Out of storage, please try again later", 38 } };
	const struct refusal *bad = smtp_data_refusal(&t->data);
	struct slice all;
	if (bad != NULL)
		return bad;
	if (t->storage_failed || !content_map(t->content, &all))
		return &storage;
	return judgement_message(t->scan, &t->data, all);
}

static void tell_progress(void *arg)
{
	struct milter *m = arg;
	m->mta->progress(m->arg);
}

/* Nobody waits for it: what is lost with the store is a hint less. */
static void remember(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	struct store_request requests[STATE_LEARN_MAX];
	size_t n = state_learn(t->scan, &t->verdict, requests);
	for (size_t i = 0; i < n; i++)
		wait_driver_store(m->server->driver, &requests[i], t->scan->now);
}

static void finish_headers(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	if (!t->headers_entered || is_lost(t))
		return;
	if (!t->headers_done)
		wait_run_telling(t->wait, t->scan, PHASE_HEADERS, limits_of(m)->end_deadline, tell_progress, m);
	t->headers_done = true;
	feed_body(t);
}

static void run_filters(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	if (!t->headers_entered)
		pipeline_enter(t->scan, PHASE_HEADERS);
	pipeline_enter(t->scan, PHASE_END);
	wait_run_telling(t->wait, t->scan, PHASE_END, limits_of(m)->end_deadline, tell_progress, m);
	t->t_filtered = clock_ms();
	judgement_end(t->scan, t->id, &t->verdict, m->server->stats, m->server->row);
	remember(m);
	if (held_mail_is_kept(t->scan, t->verdict.refusal.code != 0))
		held_mail_keep(t->scan, t->id);
}

/* In our own quarantine. */
static bool hold(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	struct held_mail held;
	struct buf added = { 0 };
	trace_header_section(&added, t->scan, &t->verdict, t->id);
	held_mail_prepare(&held, t->scan, &t->verdict, t->id, buf_slice(&added));
	bool ok = held_mail_store(&held);
	if (!ok)
		log_error(NULL, "quarantine", "%s", held.error);
	buf_free(&added);
	return ok;
}

/* The mail server holds it: it is let go there. */
static bool quarantine(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	struct slice reason = arena_printf(t->arena, "Gatehouse %s: %.*s", t->id, SLICE_ARG(t->verdict.why));
	return m->offers.quarantine && m->mta->quarantine(m->arg, arena_str(t->arena, reason));
}

static enum milter_reply carry_out(struct milter *m)
{
	static const struct refusal storage = {
		451, "4.3.0", { "Mail can't be stored now, please try again later", 48 },
	};
	static const struct refusal unable = { 451, "4.3.0", { "The mail server refused the filter's changes", 44 } };
	struct milter_transaction *t = m->transaction;
	const struct verdict *v = &t->verdict;
	if (v->refusal.code != 0)
		return refuse(m, &v->refusal);
	bool held = v->action == ACTION_QUARANTINE && m->server->config->quarantine == MILTER_QUARANTINE_OWN;
	if (v->action == ACTION_DISCARD || (held && hold(m))) {
		snprintf(t->reply, sizeof(t->reply), "discard");
		return MILTER_DISCARD;
	}
	if (held)
		return refuse(m, &storage);
	if (!milter_edit(m, t->scan, v) || (v->action == ACTION_QUARANTINE && !quarantine(m)) ||
	    (v->action == ACTION_REDIRECT && !milter_redirect(m, &t->scan->envelope, t->paths, v->redirect)))
		return refuse(m, &unable);
	snprintf(t->reply, sizeof(t->reply), "continue");
	stats_add(m->server->stats, m->server->row, STAT_ACCEPTED, 1);
	return MILTER_CONTINUE;
}

enum milter_reply milter_end(struct milter *m)
{
	struct milter_transaction *t = m->transaction;
	const char *how;
	enum milter_reply reply;
	if (t == NULL)
		return MILTER_TEMPFAIL;
	if (t->content == NULL)
		milter_end_of_header(m);
	buf_clear(&t->chunk);
	smtp_data_finish(&t->data, &t->chunk);
	t->storage_failed = t->storage_failed || !content_append(t->content, buf_slice(&t->chunk));
	t->t_end = clock_ms();
	stats_add(m->server->stats, m->server->row, STAT_BYTES_IN, (int64_t)t->data.size);
	finish_headers(m);
	const struct refusal *bad = unacceptable(t);
	if (bad != NULL) {
		reply = refuse(m, bad);
		how = bad->code >= 500 ? "reject" : "defer";
	} else {
		run_filters(m);
		if (held_mail_is_kept(t->scan, t->verdict.refusal.code != 0))
			held_mail_keep(t->scan, t->id);
		reply = carry_out(m);
		how = action_name(t->verdict.action);
	}
	log_it(m, how);
	destroy(m);
	return reply;
}
