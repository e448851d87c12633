#include "proxy/journal_entry.h"

#include <time.h>

#include "policy/journal.h"
#include "proxy/session_record.h"

#define TEXT_MAX 300u
#define RECORDS_MAX 20u
#define QUESTIONS_MAX 300u
#define HITS_MAX 300u
#define WHAT_IF_MAX 64u

static void add_words(struct buf *out, const char *before, const char *text)
{
	buf_add_str(out, before);
	buf_add_str(out, text);
}

static void add_pair(struct buf *out, const char *key, struct slice value)
{
	if (value.len == 0)
		return;
	add_words(out, " ", key);
	buf_add_char(out, '=');
	journal_add_text(out, value, TEXT_MAX);
}

static void add_first_line(struct buf *out, int64_t now, const char *id, const char *how)
{
	time_t t = (time_t)now;
	struct tm tm;
	char when[32];
	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	add_words(out, "= ", id);
	add_words(out, " ", when);
	add_words(out, " ", how);
	buf_add_char(out, '\n');
}

static void add_client(struct buf *out, const struct client *c)
{
	char ip[IP_TEXT_MAX];
	add_words(out, "client  ", ip_text(&c->ip, ip));
	add_pair(out, "name", c->name);
	add_pair(out, "helo", c->helo);
	add_pair(out, "login", c->login);
	add_pair(out, "tls", c->tls_version);
	add_pair(out, "listener", slice_str(c->listener));
	buf_add_char(out, '\n');
}

void journal_entry_of_session(struct buf *out, const struct client *client, const char *id, int64_t now)
{
	add_first_line(out, now, id, "session");
	add_client(out, client);
}

static void add_session(struct buf *out, const struct scan *scan, const struct journal_entry *e)
{
	const struct envelope *v = &scan->envelope;
	if (e->queue_id.len > 0) {
		buf_add_str(out, JOURNAL_QUEUE);
		journal_add_text(out, e->queue_id, TEXT_MAX);
		buf_add_char(out, '\n');
	}
	add_client(out, &scan->client);
	buf_add_str(out, "sender  <");
	journal_add_text(out, v->sender.text, TEXT_MAX);
	buf_add_str(out, ">\n");
	for (size_t i = 0; e->recipient < 0 && i < v->recipient_count; i++) {
		buf_add_str(out, "rcpt    <");
		journal_add_text(out, v->recipients[i].mailbox.text, TEXT_MAX);
		buf_add_str(out, v->recipients[i].accepted ? "> accepted\n" : "> refused\n");
	}
}

static void add_verdict(struct buf *out, const struct scan *scan, const struct journal_entry *e)
{
	const struct verdict *v = e->verdict;
	if (e->recipient >= 0) {
		buf_add_str(out, "rcpt    <");
		journal_add_text(out, scan->envelope.recipients[e->recipient].mailbox.text, TEXT_MAX);
		buf_add_str(out, ">\n");
	}
	buf_add_str(out, "reply   ");
	journal_add_text(out, e->reply, TEXT_MAX);
	buf_add_char(out, '\n');
	if (v == NULL || v->policy == NULL)
		return;
	add_words(out, "verdict ", action_name(v->action));
	buf_add_str(out, " score=");
	buf_add_decimal(out, v->score, 3);
	buf_add_str(out, " policy=");
	buf_add_slice(out, v->policy->title);
	add_pair(out, "redirect", v->redirect);
	add_pair(out, "because", v->why);
	buf_add_char(out, '\n');
	if (v->shadow_policy != NULL)
		buf_printf(out, "shadow  policy %.*s would have: %s\n", SLICE_ARG(v->shadow_policy->title),
			   action_name(v->would));
	else if (v->shadow_list.len > 0)
		buf_printf(out, "shadow  list %.*s would have: %s\n", SLICE_ARG(v->shadow_list), action_name(v->would));
}

/* In columns. */
static void add_score(struct buf *out, const char *symbol, double score)
{
	size_t start = out->len;
	add_words(out, "hit     ", symbol);
	while (out->len - start < 36)
		buf_add_char(out, ' ');
	struct buf digits = { 0 };
	buf_add_decimal(&digits, score, 3);
	for (size_t i = digits.len; i < 8; i++)
		buf_add_char(out, ' ');
	if (digits.len >= 8)
		buf_add_char(out, ' ');
	buf_add_slice(out, buf_slice(&digits));
	buf_free(&digits);
}

static void add_hits(struct buf *out, const struct scan *scan, const struct journal_entry *e)
{
	for (size_t i = 0; i < scan->hits.count && i < HITS_MAX; i++) {
		const struct hit *h = &scan->hits.list[i];
		if (h->recipient >= 0 && e->recipient >= 0 && h->recipient != e->recipient)
			continue;
		const struct config_policy *policy = e->verdict != NULL ? e->verdict->policy : NULL;
		add_score(out, h->symbol, policy_score(policy, h));
		if (h->action != ACTION_NONE)
			buf_printf(out, " action=%s", action_name(h->action));
		if (h->recipient >= 0)
			buf_printf(out, " rcpt=%d", h->recipient + 1);
		add_words(out, " ", phase_name(h->phase));
		add_words(out, " ", h->filter ? h->filter : "-");
		buf_add_str(out, h->shadow ? " in shadow: " : policy_is_off(policy, h) ? " off for this policy: " : ": ");
		journal_add_text(out, h->evidence.len ? h->evidence : slice_str(h->describe), TEXT_MAX);
		buf_add_char(out, '\n');
	}
}

/* ---- what was asked */

static void add_record(struct buf *out, const struct scan *scan, uint16_t type, struct slice rdata)
{
	struct ip ip = { .family = type == DNS_A ? 4 : 6 };
	char text[IP_TEXT_MAX];
	if ((type == DNS_A && rdata.len == 4) || (type == DNS_AAAA && rdata.len == 16)) {
		memcpy(ip.bytes, rdata.data, rdata.len);
		buf_add_str(out, ip_text(&ip, text));
	} else if (type == DNS_TXT || type == DNS_SPF) {
		buf_add_char(out, '"');
		journal_add_text(out, dns_txt(scan->arena, rdata), TEXT_MAX);
		buf_add_char(out, '"');
	} else if (type == DNS_PTR || type == DNS_NS || type == DNS_CNAME || type == DNS_MX) {
		if (type == DNS_MX)
			buf_printf(out, "%u ", dns_mx_preference(rdata));
		journal_add_text(out, dns_name(scan->arena, rdata, type == DNS_MX ? 2 : 0), TEXT_MAX);
	} else {
		buf_printf(out, "(%zu octets)", rdata.len);
	}
}

static void add_answer(struct buf *out, const struct scan *scan, const struct question *q)
{
	const struct answer *a = q->answer;
	if (a == NULL) {
		buf_add_str(out, "no answer yet\n");
		return;
	}
	buf_add_str(out, answer_status_name(a->status));
	if (a->why != NULL)
		buf_printf(out, " (%s)", a->why);
	for (size_t i = 0; i < a->count && i < RECORDS_MAX; i++) {
		buf_add_str(out, i ? ", " : " ");
		add_record(out, scan, q->type, a->records[i]);
	}
	if (q->kind == QUESTION_STORE && a->status == ANSWER_FOUND)
		buf_printf(out, " %lld", (long long)a->number);
	if (a->status == ANSWER_FOUND && a->ttl > 0)
		buf_printf(out, " ttl=%u", a->ttl);
	buf_add_char(out, '\n');
}

static void add_questions(struct buf *out, const struct scan *scan)
{
	for (uint32_t i = 0; i < questions_count(scan->questions) && i < QUESTIONS_MAX; i++) {
		const struct question *q = questions_at(scan->questions, i);
		if (q->kind == QUESTION_JOB)
			continue;
		add_words(out, "asked   ", q->asker ? q->asker : "-");
		add_words(out, " ", q->kind == QUESTION_DNS ? dns_type_name(q->type) :
			  q->kind == QUESTION_STORE ? "store" : "scanner");
		buf_add_char(out, ' ');
		journal_add_text(out, q->name, TEXT_MAX);
		buf_add_str(out, ": ");
		add_answer(out, scan, q);
	}
}

/* ---- what would have made it different */

static void judge(const struct scan *scan, int recipient, const struct hit *without, const struct hit *with,
		  struct verdict *verdict_r)
{
	const struct verdict_input in = {
		.snapshot = scan->snapshot, .client = &scan->client, .envelope = &scan->envelope, .hits = &scan->hits,
		.arena = scan->arena, .facts = &scan->facts, .without = without, .with = with, .apart = scan->apart,
	};
	if (recipient >= 0)
		verdict_at_rcpt(&in, (size_t)recipient, scan->envelope.recipients[recipient].role, verdict_r);
	else
		verdict_at_end(&in, verdict_r);
}

static void add_threshold(struct buf *out, const char *name, double from, double score)
{
	add_words(out, "level   ", name);
	buf_add_str(out, " from ");
	buf_add_decimal(out, from, 1);
	buf_add_str(out, score >= from ? ": reached by " : ": missed by ");
	buf_add_decimal(out, score >= from ? score - from : from - score, 3);
	buf_add_char(out, '\n');
}

static void add_thresholds(struct buf *out, const struct verdict *v)
{
	const struct config_policy *p = v->policy;
	const struct {
		const char *name;
		double from;
	} steps[] = { { "tag", p->tag }, { "greylist", p->greylist }, { "redirect", p->redirect },
		      { "quarantine", p->quarantine }, { "reject", p->reject }, { "discard", p->discard } };
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (steps[i].from >= 0)
			add_threshold(out, steps[i].name, steps[i].from, v->score);
}

static void add_what_if(struct buf *out, const struct scan *scan, const struct journal_entry *e)
{
	if (e->verdict == NULL || e->verdict->policy == NULL)
		return;
	if (e->recipient < 0)
		add_thresholds(out, e->verdict);
	for (size_t i = 0; i < scan->hits.count && i < WHAT_IF_MAX; i++) {
		const struct hit *h = &scan->hits.list[i];
		struct verdict v;
		judge(scan, e->recipient, h->shadow ? NULL : h, h->shadow ? h : NULL, &v);
		if (v.action != e->verdict->action && h->shadow)
			buf_printf(out, "shadow  symbol %s would have: %s\n", h->symbol, action_name(v.action));
		else if (v.action != e->verdict->action)
			buf_printf(out, "if not  %s: %s\n", h->symbol, action_name(v.action));
	}
}

void journal_entry_write(struct buf *out, const struct scan *scan, const struct journal_entry *entry)
{
	struct journal_entry copy = *entry;
	const struct journal_entry *e = &copy;
	struct verdict of_recipient;
	if (copy.recipient >= 0) {
		judge(scan, copy.recipient, NULL, NULL, &of_recipient);
		copy.verdict = &of_recipient;
	}
	add_first_line(out, scan->now, e->id, e->how);
	if (!e->brief)
		add_session(out, scan, e);
	add_verdict(out, scan, e);
	add_hits(out, scan, e);
	add_what_if(out, scan, e);
	if (!e->brief)
		add_questions(out, scan);
	session_record_write(out, scan, e->verdict, e->recipient, e->brief);
	buf_add_char(out, '\n');
}
