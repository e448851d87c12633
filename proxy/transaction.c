#include "proxy/transaction.h"

#include <stdio.h>
#include <stdlib.h>

#include "filters/pipeline.h"
#include "filters/state.h"
#include "proxy/command.h"
#include "proxy/judgement.h"
#include "proxy/recipient_check.h"
#include "proxy/route.h"
#include "proxy/trace.h"
#include "proxy/transaction_each.h"
#include "proxy/transaction_log.h"
#include "proxy/transaction_quarantine.h"
#include "proxy/transaction_redirect.h"

static void start_recipient(struct transaction *t);
static void conclude(struct transaction *t);
static void feed_body(struct transaction *t, struct slice chunk);

static int64_t now_ms(const struct transaction *t)
{
	return worker_now_ms(t->session->worker);
}

/* ---- beginning and end */

static void destroy(struct transaction *t)
{
	struct session *s = t->session;
	s->transaction = NULL;
	transaction_quarantine_wait(t);
	recipient_check_cancel(t);
	delivery_destroy(&t->delivery);
	if (!driver_has_job(s->worker->driver, t->scan))
		judgement_count_asked(t->scan, s->worker->stats, s->worker->row);
	driver_drop_arena(s->worker->driver, t->scan, &t->arena);
	buf_free(&t->chunk);
	buf_free(&t->added);
	free(t);
}

static void drop_content(void *arg)
{
	struct content *content = arg;
	content_destroy(&content);
}

static void log_it(struct transaction *t, const char *how)
{
	const struct transaction_record record = {
		.log = session_log(t->session), .scan = t->scan, .verdict = &t->verdict, .id = t->id, .action = how,
		.reply = t->reply, .size = t->data.size, .in_use = driver_has_job(t->session->worker->driver, t->scan),
		.backend = t->delivery ? backend_config(delivery_backend(t->delivery))->title : SLICE_EMPTY,
		.t_mail = t->t_mail, .t_data = t->t_data, .t_end = t->t_end, .t_filtered = t->t_filtered,
		.t_done = t->t_done,
	};
	transaction_log(&record);
}

/* The client is told, the log too, and the next command may come. */
static void finish(struct transaction *t, const char *how, unsigned code, const char *enhanced, struct slice text)
{
	struct session *s = t->session;
	t->t_done = now_ms(t);
	snprintf(t->reply, sizeof(t->reply), "%u %s %.*s", code, enhanced ? enhanced : "",
		 (int)(text.len < 200 ? text.len : 200), text.data ? text.data : "");
	session_reply(s, code, enhanced, judgement_text(t->arena, text, t->id));
	log_it(t, how);
	destroy(t);
	session_resume(s);
}

void transaction_abort(struct session *s, const char *why)
{
	struct transaction *t = s->transaction;
	if (t == NULL)
		return;
	if (t->accepted > 0) {
		snprintf(t->reply, sizeof(t->reply), "%s", why);
		log_it(t, "abort");
	}
	destroy(t);
}

/* ---- MAIL */

static void after_mail(void *arg)
{
	struct transaction *t = arg;
	t->filters_running = false;
	if (t->wants_recipient)
		start_recipient(t);
}

static int64_t deadline(const struct transaction *t)
{
	return session_limits(t->session)->end_deadline;
}

void transaction_begin(struct session *s, const struct envelope *envelope)
{
	struct transaction *t = xcalloc(1, sizeof(*t));
	t->session = s;
	t->arena = arena_create();
	t->scan = scan_create(t->arena, s->snapshot, worker_now_unix(s->worker));
	trace_id_new(&s->worker->ids, t->id);
	/* A job may outlive the session: its strings go along. */
	client_copy(&t->scan->client, &s->client, t->arena);
	t->scan->client.ident = slice_str(t->id);
	t->scan->envelope = *envelope;
	t->scan->envelope.params = arena_copy(t->arena, envelope->params);
	mailbox_copy(&t->scan->envelope.sender, &envelope->sender, t->arena);
	t->t_mail = now_ms(t);
	s->transaction = t;
	s->messages++;
	pipeline_begin(t->scan);
	driver_add(s->worker->driver, t->scan);
	pipeline_enter(t->scan, PHASE_CONNECT);
	pipeline_enter(t->scan, PHASE_HELO);
	pipeline_enter(t->scan, PHASE_MAIL);
	/* Answered at once: what these found is said at RCPT. */
	t->filters_running = !driver_run(s->worker->driver, t->scan, PHASE_MAIL, deadline(t), after_mail, t);
	session_reply(s, 250, "2.1.0", SLICE("Ok"));
}

/* ---- RCPT */

static struct recipient *current(const struct transaction *t)
{
	return &t->scan->envelope.recipients[t->scan->recipient];
}

static void refuse_recipient(struct transaction *t, const struct refusal *r)
{
	struct session *s = t->session;
	judgement_count_refused(t->scan, s->worker->stats, s->worker->row);
	log_line(LOG_INFO, session_log(s), "recipient refused", "%s <%.*s> to <%.*s>: %u %s %.*s", t->id,
		 SLICE_ARG(t->scan->envelope.sender.text), SLICE_ARG(current(t)->mailbox.text), r->code, r->enhanced,
		 SLICE_ARG(r->text));
	transaction_log_recipient(t->scan, t->id, r);
	struct slice text = judgement_text(t->arena, r->text, t->id);
	if (r->code == 421) { /* RFC 5321 3.8 */
		char last[512]; /* the transaction goes first */
		snprintf(last, sizeof(last), "%.*s", SLICE_ARG(slice_head(text, sizeof(last) - 1)));
		session_close(s, r->code, r->enhanced, last);
		return;
	}
	session_error(s, r->code, r->enhanced, "%.*s", SLICE_ARG(text));
	session_resume(s);
}

static void on_recipient(void *arg, const struct outcome *o);

/* Nothing is committed yet: another backend of the route takes it. */
static bool try_another(struct transaction *t)
{
	struct backend *failed = delivery_backend(t->delivery);
	struct backend *next = route_choose(t->session, &current(t)->mailbox);
	if (t->accepted > 0 || next == NULL || next == failed || !backend_healthy(next) || t->session->home.authenticated)
		return false;
	delivery_destroy(&t->delivery);
	t->delivery = delivery_create(next, &t->scan->client, &t->scan->envelope, &t->session->home);
	recipient_check_ask(t, on_recipient, t);
	return true;
}

static void on_recipient(void *arg, const struct outcome *o)
{
	struct transaction *t = arg;
	struct session *s = t->session;
	const struct refusal refusal = { (uint16_t)o->code, o->enhanced, o->text };
	if (o->unreachable && try_another(t))
		return;
	if (!o->positive) {
		refuse_recipient(t, &refusal);
		return;
	}
	current(t)->accepted = true;
	t->accepted++;
	session_reply(s, o->code, o->enhanced, o->text);
	session_resume(s);
}

/* A backend for this recipient and for those before it. */
static bool choose_backend(struct transaction *t)
{
	static const struct refusal none = { 451, "4.3.5", { "No mail server for this recipient", 33 } };
	const struct mailbox *mailbox = &current(t)->mailbox;
	if (t->delivery != NULL && t->accepted == 0 && !route_takes(t->session, delivery_backend(t->delivery), mailbox))
		delivery_destroy(&t->delivery); /* it has refused all it was asked for */
	struct backend *backend = t->delivery ? delivery_backend(t->delivery) : route_choose(t->session, mailbox);
	if (backend == NULL) {
		refuse_recipient(t, &none);
		return false;
	}
	if (t->delivery == NULL) {
		t->delivery = delivery_create(backend, &t->scan->client, &t->scan->envelope, &t->session->home);
		return true;
	}
	/* One reply can't say that some have it and some not: with another backend,
	 * or with LMTP (and no PRDR), each recipient comes in a message of its own. */
	bool apart = !route_takes(t->session, backend, mailbox) ||
		     (backend_config(backend)->protocol == BACKEND_LMTP && t->accepted > 0 && !t->scan->envelope.prdr);
	if (apart) {
		const struct refusal another = judgement_other_message(t->scan, t->id);
		refuse_recipient(t, &another);
	}
	return !apart;
}

static void recipient_judged(void *arg)
{
	struct transaction *t = arg;
	struct refusal refusal;
	t->filters_running = false;
	if (!judgement_recipient(t->scan, t->id, &refusal))
		refuse_recipient(t, &refusal);
	else if (choose_backend(t))
		recipient_check_ask(t, on_recipient, t);
}

static void start_recipient(struct transaction *t)
{
	t->wants_recipient = false;
	t->scan->client.manners = t->session->client.manners;
	pipeline_enter(t->scan, PHASE_RCPT);
	t->filters_running = true;
	if (driver_run(t->session->worker->driver, t->scan, PHASE_RCPT, deadline(t), recipient_judged, t))
		recipient_judged(t);
}

void transaction_recipient(struct session *s, const struct recipient *recipient)
{
	struct transaction *t = s->transaction;
	envelope_add(&t->scan->envelope, recipient, t->arena);
	t->scan->recipient = t->scan->envelope.recipient_count - 1;
	t->t_rcpt = now_ms(t);
	session_wait(s);
	if (t->filters_running)
		t->wants_recipient = true;
	else
		start_recipient(t);
}

/* ---- DATA, BDAT */

static void open_content(struct transaction *t, enum smtp_data_mode mode)
{
	struct session *s = t->session;
	const struct config_limits *limits = session_limits(s);
	const struct smtp_data_limits data_limits = {
		.bare_lf = (enum bare_lf)limits->bare_lf, .line = limits->text_line,
		.size = command_offered(s).size, /* as EHLO said */
	};
	t->content = content_create(s->worker->spool, limits->memory_per_message);
	arena_on_reset(t->arena, drop_content, t->content);
	smtp_data_init(&t->data, mode, &data_limits);
	t->t_data = now_ms(t);
}

void transaction_data(struct session *s)
{
	open_content(s->transaction, SMTP_DATA_DOT);
	session_reply(s, 354, NULL, SLICE("End data with <CR><LF>.<CR><LF>"));
	session_read_data(s);
}

static void end_of_chunk(struct transaction *t);

void transaction_chunk(struct session *s, uint64_t size, bool last)
{
	struct transaction *t = s->transaction;
	if (!t->in_chunks)
		open_content(t, t->scan->envelope.body_binary ? SMTP_DATA_BINARY : SMTP_DATA_CHUNKS);
	t->in_chunks = true;
	t->chunk_last = last;
	t->chunk_size = t->chunk_left = size;
	session_read_data(s);
	if (size == 0)
		end_of_chunk(t);
}

static void headers_judged(void *arg)
{
	struct transaction *t = arg;
	struct slice all;
	t->filters_running = false;
	t->headers_done = true;
	if (content_size(t->content) > t->body_fed && content_map(t->content, &all)) {
		pipeline_body(t->scan, slice_from(all, t->body_fed));
		t->body_fed = all.len;
	}
	if (t->t_end != 0)
		conclude(t);
}

/* Offset behind the blank line that ends the header section, or 0. seen:
 * octets searched before. */
static size_t find_header_end(struct slice all, size_t seen)
{
	if (slice_starts(all, SLICE("\r\n")))
		return 2;
	size_t from = seen > 3 ? seen - 3 : 0;
	size_t at = slice_find(slice_from(all, from), SLICE("\r\n\r\n"));
	return at == SLICE_NPOS ? 0 : from + at + 4;
}

static void headers_complete(struct transaction *t, struct slice all)
{
	/* A copy: the content's memory moves as it grows. */
	struct slice section = arena_copy(t->arena, slice_head(all, t->header_len));
	message_parse(&t->scan->message, t->arena, section, (size_t)session_limits(t->session)->headers);
	t->body_fed = t->header_len;
	pipeline_enter(t->scan, PHASE_HEADERS);
	t->filters_running = true;
	if (driver_run(t->session->worker->driver, t->scan, PHASE_HEADERS, deadline(t), headers_judged, t))
		headers_judged(t);
}

static void take_chunk(struct transaction *t)
{
	size_t before = (size_t)content_size(t->content);
	struct slice chunk = buf_slice(&t->chunk), all;
	if (chunk.len == 0 || t->storage_failed)
		return;
	if (!content_append(t->content, chunk)) {
		t->storage_failed = true;
		return;
	}
	if (t->header_len == 0) {
		if (!content_map(t->content, &all)) {
			t->storage_failed = true;
			return;
		}
		t->header_len = find_header_end(all, before);
		if (t->header_len > 0)
			headers_complete(t, all);
	} else if (t->headers_done && t->body_fed == before) {
		feed_body(t, chunk);
	}
}

static void feed_body(struct transaction *t, struct slice chunk)
{
	pipeline_body(t->scan, chunk);
	t->body_fed += chunk.len;
}

/* ---- the end */

/* Where the backend answers for each though there is but one recipient. */
static const struct outcome *only_one(const struct transaction *t, const struct outcome *o)
{
	const struct envelope *e = &t->scan->envelope;
	for (size_t i = 0; o->each != NULL && i < e->recipient_count; i++)
		if (e->recipients[i].accepted && o->each[i].code != 0)
			return &o->each[i];
	return o;
}

static void on_delivered(void *arg, const struct outcome *outcome)
{
	struct transaction *t = arg;
	const struct outcome *o = only_one(t, outcome);
	struct worker *w = t->session->worker;
	if (o->positive)
		stats_add(w->stats, w->row, STAT_ACCEPTED, 1);
	if (o->positive && t->verdict.action == ACTION_ACCEPT)
		session_remember_good(t->session);
	const char *how = o->positive ? action_name(t->verdict.action) : o->code >= 500 ? "backend-reject" : "backend-defer";
	finish(t, how, o->code, o->enhanced, o->text);
}

static bool still_there(void *arg)
{
	struct transaction *t = arg;
	return session_still_there(t->session);
}

static void nothing_to_do(void *arg, const struct answer *answer)
{
	(void)arg, (void)answer;
}

/* Nobody waits for it: what is lost with the store is a hint less. */
static void remember(struct transaction *t)
{
	struct store_request requests[STATE_LEARN_MAX];
	struct worker *w = t->session->worker;
	size_t n = w->store != NULL ? state_learn(t->scan, &t->verdict, requests) : 0;
	for (size_t i = 0; i < n; i++)
		store_ask(w->store, &requests[i], t->scan->now, nothing_to_do, NULL);
}

static void on_quarantined(struct transaction *t, bool ok)
{
	if (ok)
		finish(t, "quarantine", 250, "2.0.0", SLICE("Ok: held for inspection"));
	else
		finish(t, "defer", 451, "4.3.0", SLICE("Mail can't be stored now, please try again later"));
}

static void each_answered(struct transaction *t, const char *how, const struct refusal *last)
{
	finish(t, how, last->code, last->enhanced, last->text);
}

static void carry_out(struct transaction *t)
{
	if (transaction_each_due(t)) {
		transaction_each(t, each_answered);
		return;
	}
	if (t->verdict.refusal.code != 0) {
		const struct refusal *r = &t->verdict.refusal;
		finish(t, action_name(t->verdict.action), r->code, r->enhanced, r->text);
		return;
	}
	if (t->verdict.action == ACTION_DISCARD) { /* the administrator's express wish */
		finish(t, "discard", 250, "2.0.0", SLICE("Ok"));
		return;
	}
	trace_header_section(&t->added, t->scan, &t->verdict, t->id);
	if (t->verdict.action == ACTION_QUARANTINE) {
		transaction_quarantine(t, on_quarantined);
		return;
	}
	if (t->verdict.action == ACTION_REDIRECT) {
		transaction_redirect(t, still_there, on_delivered, t);
		return;
	}
	delivery_content(t->delivery, buf_slice(&t->added), slice_from(t->scan->message.raw, t->scan->message.head.len),
			 still_there, on_delivered, t);
}

static void judged(void *arg)
{
	struct transaction *t = arg;
	struct worker *w = t->session->worker;
	t->filters_running = false;
	t->t_filtered = now_ms(t);
	if (transaction_each_due(t))
		judgement_end_each(t->scan, t->id, &t->verdict, w->stats, w->row);
	else
		judgement_end(t->scan, t->id, &t->verdict, w->stats, w->row);
	remember(t);
	if (!transaction_keep(t, t->verdict.refusal.code != 0, carry_out))
		carry_out(t);
}

static void start_end(struct transaction *t)
{
	t->filters_running = true;
	t->scan->client.manners = t->session->client.manners;
	if (t->header_len == 0)
		pipeline_enter(t->scan, PHASE_HEADERS);
	pipeline_enter(t->scan, PHASE_END);
	if (driver_run(t->session->worker->driver, t->scan, PHASE_END, deadline(t), judged, t))
		judged(t);
}

/* What is wrong with the message as such; NULL: nothing. */
static const struct refusal *unacceptable(struct transaction *t)
{
	struct slice all;
	static const struct refusal storage = { 452, "4.3.1", { "Out of storage, please try again later", 38 } };
	const struct refusal *bad = smtp_data_refusal(&t->data);
	if (bad != NULL)
		return bad;
	if (t->storage_failed || !content_map(t->content, &all))
		return &storage;
	return judgement_message(t->scan, &t->data, all);
}

/* No job runs on the scan now: it may be touched. */
static void conclude(struct transaction *t)
{
	const struct refusal *bad = unacceptable(t);
	if (bad != NULL)
		finish(t, bad->code >= 500 ? "reject" : "defer", bad->code, bad->enhanced, bad->text);
	else
		start_end(t);
}

static void end_of_data(struct transaction *t)
{
	struct session *s = t->session;
	t->t_end = now_ms(t);
	session_wait(s);
	stats_add(s->worker->stats, s->worker->row, STAT_BYTES_IN, (int64_t)t->data.size);
	if (!t->filters_running) /* else headers_judged goes on here */
		conclude(t);
}

/* Each chunk has a reply; the last one's is the message's (RFC 3030 2). */
static void end_of_chunk(struct transaction *t)
{
	struct session *s = t->session;
	if (t->chunk_last) {
		buf_clear(&t->chunk);
		smtp_data_finish(&t->data, &t->chunk);
		take_chunk(t);
		end_of_data(t);
		return;
	}
	session_printf(s, 250, "2.0.0", "%llu octets received", (unsigned long long)t->chunk_size);
	session_resume(s);
}

static size_t feed_chunk(struct transaction *t, struct slice in)
{
	bool end;
	in = slice_head(in, (size_t)(t->chunk_left < in.len ? t->chunk_left : in.len));
	smtp_data_feed(&t->data, in, &t->chunk, &end);
	take_chunk(t);
	t->chunk_left -= in.len;
	return in.len;
}

void transaction_feed(struct session *s, struct slice in)
{
	struct transaction *t = s->transaction;
	bool end = false;
	size_t used;
	buf_clear(&t->chunk);
	if (t->in_chunks) {
		used = feed_chunk(t, in);
		end = t->chunk_left == 0;
	} else {
		used = smtp_data_feed(&t->data, in, &t->chunk, &end);
		take_chunk(t);
	}
	/* What is taken must be off the stream before anything else reads on. */
	stream_take(s->stream, used);
	if (end && t->in_chunks)
		end_of_chunk(t);
	else if (end)
		end_of_data(t);
}
