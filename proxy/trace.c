#include "proxy/trace.h"

#include <time.h>

#include "base/utf8.h"
#include "filters/judged.h"
#include "filters/spf.h"
#include "message/authres.h"
#include "message/encoded_word.h"
#include "policy/reply_text.h"

static const char *protocol(const struct client *c, bool utf8)
{
	/* RFC 3848, RFC 6531 4.3 */
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};
	if (!c->esmtp)
		return "SMTP";
	return names[utf8][c->tls_version.len > 0][c->login.len > 0];
}

/* What a client said of itself, as a word of a Received field: what could be
 * read as syntax there becomes "?". */
static void add_word(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len && i < 255; i++) {
		char c = s.data[i];
		bool ok = (unsigned char)c > 0x7f || ascii_is_alnum(c) || (c != '\0' && strchr(".-_:[]+/=", c) != NULL);
		buf_add_char(out, ok ? c : '?');
	}
}

static void add_date(struct buf *out, int64_t now)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)now;
	struct tm tm;
	gmtime_r(&t, &tm);
	buf_printf(out, "%.3s, %d %.3s %d %02d:%02d:%02d +0000", days + tm.tm_wday * 3, tm.tm_mday,
		   months + tm.tm_mon * 3, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static const struct recipient *only_recipient(const struct envelope *e)
{
	const struct recipient *only = NULL;
	for (size_t i = 0; i < e->recipient_count; i++) {
		if (!e->recipients[i].accepted)
			continue;
		if (only != NULL)
			return NULL;
		only = &e->recipients[i];
	}
	return only;
}

void trace_received(struct buf *out, const struct scan *scan, const char *id)
{
	const struct client *c = &scan->client;
	char ip[IP_TEXT_MAX];
	buf_add_str(out, "Received: from ");
	add_word(out, c->helo.len ? c->helo : SLICE("unknown"));
	buf_add_str(out, " (");
	add_word(out, c->name.len ? c->name : SLICE("unknown"));
	buf_printf(out, " [%s%s])\r\n", c->ip.family == 6 ? "IPv6:" : "", ip_text(&c->ip, ip));
	if (c->tls_version.len > 0)
		buf_printf(out, "\t(using %.*s with cipher %.*s (%u bits))\r\n", SLICE_ARG(c->tls_version),
			   SLICE_ARG(c->tls_cipher), c->tls_bits);
	buf_printf(out, "\tby %.*s (Gatehouse) with %s id %s", SLICE_ARG(scan->snapshot->config->top->hostname),
		   protocol(c, scan->envelope.smtputf8), id);
	const struct recipient *only = only_recipient(&scan->envelope);
	if (only != NULL)
		buf_printf(out, "\r\n\tfor <%.*s>", SLICE_ARG(only->mailbox.text));
	buf_add_str(out, ";\r\n\t");
	add_date(out, scan->now);
	buf_add_str(out, "\r\n");
}

bool trace_removes(const struct scan *scan, const struct header *header)
{
	return authres_must_remove(header, scan->snapshot->config->top->hostname);
}

/* What counts, for whoever gets the mail. */
static bool is_told(const struct verdict *v, const struct hit *h)
{
	return !h->shadow && h->recipient < 0 && !policy_is_off(v->policy, h);
}

static void add_status(struct buf *out, const struct scan *scan, const struct verdict *v)
{
	size_t line = out->len;
	buf_add_str(out, v->action >= ACTION_TAG ? "X-Spam-Status: Yes, score=" : "X-Spam-Status: No, score=");
	buf_add_decimal(out, v->score, 1);
	buf_add_str(out, " required=");
	buf_add_decimal(out, v->required, 1);
	buf_add_str(out, " tests=");
	bool any = false;
	for (size_t i = 0; i < scan->hits.count; i++) {
		const struct hit *h = &scan->hits.list[i];
		if (!is_told(v, h))
			continue;
		if (any)
			buf_add_char(out, ',');
		if (out->len - line + strlen(h->symbol) > 76) {
			buf_add_str(out, "\r\n\t");
			line = out->len - 1;
		}
		buf_add_str(out, h->symbol);
		any = true;
	}
	buf_add_str(out, any ? "\r\n" : "none\r\n");
}

#define LEVEL_MAX 50 /* stars; SpamAssassin's bound */

#define REPORT_LINE 76

/* A line's end, after so much of text as has its place there. */
static void add_report_text(struct buf *out, const char *before, struct slice text, const char *after)
{
	struct buf all = { 0 }, line = { 0 };
	utf8_add_printable(&all, text);
	buf_add_str(&line, before);
	buf_add_slice(&line, utf8_cut(buf_slice(&all), REPORT_LINE));
	buf_add_str(&line, after);
	encoded_word_add(out, buf_slice(&line), "\r\n\t");
	buf_add_str(out, "\r\n");
	buf_free(&all);
	buf_free(&line);
}

/* SpamAssassin's form: a line for each finding, its evidence below it. */
static void add_report(struct buf *out, const struct scan *scan, const struct verdict *v)
{
	buf_add_str(out, "X-Spam-Report:\r\n");
	for (size_t i = 0; i < scan->hits.count; i++) {
		const struct hit *h = &scan->hits.list[i];
		if (!is_told(v, h))
			continue;
		buf_printf(out, "\t* %4.1f %s ", policy_score(v->policy, h), h->symbol);
		add_report_text(out, "", slice_str(h->describe), "");
		if (h->evidence.len > 0) {
			buf_add_str(out, "\t*      ");
			add_report_text(out, "[", h->evidence, "]");
		}
	}
}

struct slice trace_subject(const struct scan *scan, const struct verdict *v)
{
	const struct header *subject = message_header(&scan->message, SLICE("Subject"), 0);
	struct slice value = subject ? subject->value : SLICE_EMPTY;
	if (v->action < ACTION_TAG || v->policy == NULL || v->policy->subject_tag.len == 0)
		return SLICE_EMPTY;
	const struct reply_value values[] = {
		{ "score", arena_printf(scan->arena, "%.1f", v->score) }, { NULL, SLICE_EMPTY },
	};
	struct slice tag = reply_text(scan->arena, v->policy->subject_tag, values);
	bool space = value.len > 0 && !ascii_is_space(value.data[0]);
	struct buf out = { 0 };
	encoded_word_add(&out, tag, " ");
	/* White space between two encoded words isn't shown: it has to be in one. */
	if (slice_starts(buf_slice(&out), SLICE("=?")) && slice_starts(slice_trim_left(value), SLICE("=?"))) {
		buf_clear(&out);
		encoded_word_add(&out, arena_printf(scan->arena, "%.*s ", SLICE_ARG(tag)), " ");
	}
	tag = arena_copy(scan->arena, buf_slice(&out));
	buf_free(&out);
	return arena_printf(scan->arena, " %.*s%s%.*s", SLICE_ARG(tag), space ? " " : "", SLICE_ARG(value));
}

/* Whom it was for. */
static void add_original_recipients(struct buf *out, const struct scan *scan)
{
	for (size_t i = 0; i < scan->envelope.recipient_count; i++) {
		const struct recipient *r = &scan->envelope.recipients[i];
		if (r->accepted)
			buf_printf(out, "X-Gatehouse-Original-To: <%.*s>\r\n", SLICE_ARG(r->mailbox.text));
	}
}

void trace_added(struct buf *out, const struct scan *scan, const struct verdict *v)
{
	struct judged judged = judged_host(scan);
	struct slice spf = spf_received_field(scan);
	if (spf.len > 0) {
		buf_add_slice(out, spf);
		buf_add_str(out, "\r\n");
	}
	authres_write(out, scan->snapshot->config->top->hostname, &scan->facts, &scan->client, &judged.ip);
	if (v->redirect.len > 0)
		add_original_recipients(out, scan);
	if (v->action >= ACTION_TAG)
		buf_add_str(out, "X-Spam-Flag: YES\r\n");
	buf_add_str(out, "X-Spam-Score: ");
	buf_add_decimal(out, v->score, 1);
	buf_add_str(out, "\r\n");
	if (v->score >= 1) {
		buf_add_str(out, "X-Spam-Level: ");
		for (int i = 0; i < LEVEL_MAX && i < (int)v->score; i++)
			buf_add_char(out, '*');
		buf_add_str(out, "\r\n");
	}
	add_status(out, scan, v);
	if (v->action >= ACTION_TAG && v->policy != NULL && v->policy->report && scan->hits.count > 0)
		add_report(out, scan, v);
}

void trace_header_section(struct buf *out, const struct scan *scan, const struct verdict *v, const char *id)
{
	const struct message *m = &scan->message;
	trace_received(out, scan, id);
	trace_added(out, scan, v);
	/* A message that begins with a fold would be read as part of our last field. */
	if (m->head.len > 0 && (m->head.data[0] == ' ' || m->head.data[0] == '\t'))
		buf_add_str(out, "X-Broken-Header:");
	const struct header *subject = message_header(m, SLICE("Subject"), 0);
	struct slice rewritten = trace_subject(scan, v);
	if (rewritten.len > 0 && subject == NULL)
		buf_printf(out, "Subject:%.*s\r\n", SLICE_ARG(rewritten));
	for (size_t i = 0; i < m->header_count; i++) {
		if (rewritten.len > 0 && &m->headers[i] == subject)
			buf_printf(out, "Subject:%.*s\r\n", SLICE_ARG(rewritten));
		else if (!trace_removes(scan, &m->headers[i]))
			buf_add_slice(out, m->headers[i].field);
	}
}

size_t trace_hops(const struct message *m)
{
	return message_header_count(m, SLICE("Received"));
}
