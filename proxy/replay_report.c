#include "proxy/replay_report.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/json.h"
#include "base/utf8.h"

void replay_report_new_question(struct replay_report *report, const struct question *q)
{
	const char *kind = q->kind == QUESTION_DNS ? dns_type_name(q->type) :
			   q->kind == QUESTION_STORE ? "store" : "scanner";
	if (report->question_count < REPORT_QUESTIONS_MAX)
		report->questions[report->question_count++] =
			arena_printf(report->arena, "%s %.*s", kind, SLICE_ARG(q->name));
}

/* ---- what differs */

enum difference { GAINED, LOST, CHANGED };
static const char *const difference_names[] = { "gained", "lost", "changed" };

struct row {
	enum difference what;
	const char *symbol;
	double then, now;
	struct slice evidence;
};

/* All findings of a symbol together: of one that hits twice, the sum. */
static double sum_then(const struct session_record *record, const char *symbol, bool *found_r)
{
	double sum = 0;
	for (size_t i = 0; i < record->hit_count; i++)
		if (strcmp(record->hits[i].hit.symbol, symbol) == 0) {
			*found_r = true;
			sum += record->hits[i].hit.shadow ? 0 : record->hits[i].score;
		}
	return sum;
}

static double sum_now(const struct replay_result *result, const char *symbol, bool *found_r)
{
	const struct hits *hits = &result->scan->hits;
	double sum = 0;
	for (size_t i = 0; i < hits->count; i++)
		if (strcmp(hits->list[i].symbol, symbol) == 0) {
			*found_r = true;
			sum += hits->list[i].shadow ? 0 : policy_score(result->verdict.policy, &hits->list[i]);
		}
	return sum;
}

static bool has_row(const struct row *rows, size_t count, const char *symbol)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].symbol, symbol) == 0)
			return true;
	return false;
}

static void compare(const struct replay_report *report, const struct replay_result *result, const struct hit *hit,
		    struct row *rows, size_t *count)
{
	bool then = false, now = false;
	struct row row = { .symbol = hit->symbol, .evidence = hit->evidence };
	row.then = sum_then(report->record, hit->symbol, &then);
	row.now = sum_now(result, hit->symbol, &now);
	if (then && now && fabs(row.then - row.now) < 0.0005)
		return;
	row.what = then && now ? CHANGED : now ? GAINED : LOST;
	if (!has_row(rows, *count, hit->symbol))
		rows[(*count)++] = row;
}

static int by_weight(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	double p = fabs(x->now - x->then), q = fabs(y->now - y->then);
	return p != q ? (p < q ? 1 : -1) : strcmp(x->symbol, y->symbol);
}

static struct row *differences(const struct replay_report *report, const struct replay_result *result, size_t *count_r)
{
	const struct hits *now = &result->scan->hits;
	struct row *rows = arena_array(report->arena, struct row, now->count + report->record->hit_count + 1);
	*count_r = 0;
	for (size_t i = 0; i < now->count; i++)
		compare(report, result, &now->list[i], rows, count_r);
	for (size_t i = 0; i < report->record->hit_count; i++)
		compare(report, result, &report->record->hits[i].hit, rows, count_r);
	if (*count_r > 1)
		qsort(rows, *count_r, sizeof(*rows), by_weight);
	return rows;
}

/* Of the n-th recipient of the scan. */
static bool was_accepted(const struct replay_report *report, const struct replay_result *result, size_t n)
{
	return report->record->fates[result->recipients[n]] == FATE_ACCEPTED;
}

static bool recipients_same(const struct replay_report *report, const struct replay_result *result)
{
	for (size_t i = 0; i < result->scan->envelope.recipient_count; i++)
		if (was_accepted(report, result, i) != result->scan->envelope.recipients[i].accepted)
			return false;
	return true;
}

static bool is_same(const struct replay_report *report, const struct replay_result *result)
{
	enum action then = report->record->action;
	return recipients_same(report, result) && (then == ACTION_NONE || then == result->verdict.action);
}

static const char *action_then(const struct replay_report *report)
{
	return report->record->action == ACTION_NONE ? "none" : action_name(report->record->action);
}

/* ---- JSON */

static void json_side(struct json *j, const char *key, const char *action, double score, struct slice reply)
{
	json_key(j, key);
	json_open_object(j);
	json_str(j, "action", slice_str(action));
	json_real(j, "score", round(score * 1000) / 1000);
	json_str(j, "reply", reply);
	json_close_object(j);
}

static void json_rows(struct json *j, const struct row *rows, size_t count)
{
	json_key(j, "symbols");
	json_open_array(j);
	for (size_t i = 0; i < count; i++) {
		json_open_object(j);
		json_str(j, "symbol", slice_str(rows[i].symbol));
		json_str(j, "difference", slice_str(difference_names[rows[i].what]));
		json_real(j, "then", round(rows[i].then * 1000) / 1000);
		json_real(j, "now", round(rows[i].now * 1000) / 1000);
		json_str(j, "evidence", rows[i].evidence);
		json_close_object(j);
	}
	json_close_array(j);
}

static void json_recipients(struct json *j, const struct replay_report *report, const struct replay_result *result)
{
	json_key(j, "recipients");
	json_open_array(j);
	for (size_t i = 0; i < result->scan->envelope.recipient_count; i++) {
		json_open_object(j);
		json_str(j, "recipient", result->scan->envelope.recipients[i].mailbox.text);
		json_flag(j, "then", was_accepted(report, result, i));
		json_flag(j, "now", result->scan->envelope.recipients[i].accepted);
		json_close_object(j);
	}
	json_close_array(j);
}

static void write_json(struct buf *out, const struct replay_report *report, const struct replay_result *result,
		       const struct row *rows, size_t count)
{
	struct json j = json_begin(out);
	json_open_object(&j);
	json_str(&j, "id", report->id);
	json_flag(&j, "same", is_same(report, result));
	json_str(&j, "mail", slice_str(report->mail_from));
	json_side(&j, "then", action_then(report), report->record->score, report->record->reply);
	json_side(&j, "now", action_name(result->verdict.action), result->verdict.score, result->reply);
	json_recipients(&j, report, result);
	json_rows(&j, rows, count);
	json_key(&j, "not_recorded");
	json_open_array(&j);
	for (size_t i = 0; i < report->question_count; i++)
		json_string(&j, report->questions[i]);
	json_close_array(&j);
	json_close_object(&j);
	buf_add_char(out, '\n');
}

/* ---- text */

static void add_value(struct buf *out, struct slice value)
{
	utf8_add_printable(out, value);
	buf_add_char(out, '\n');
}

static void add_head(struct buf *out, const struct replay_report *report)
{
	const struct session_record *r = report->record;
	time_t when = (time_t)r->now;
	struct tm tm;
	char time_text[32], ip[IP_TEXT_MAX];
	gmtime_r(&when, &tm);
	strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_printf(out, "%.*s  %s  client %s  sender <", SLICE_ARG(report->id), time_text, ip_text(&r->client.ip, ip));
	utf8_add_printable(out, r->envelope.sender.text);
	buf_printf(out, ">\nmail    %s%s\n", report->mail_from,
		   report->mail_missing ? ": what was found in it then is taken as it was" : "");
	if (r->cut)
		buf_add_str(out, "note    it had more answers than the journal keeps\n");
}

static void add_recipients(struct buf *out, const struct replay_report *report, const struct replay_result *result)
{
	for (size_t i = 0; i < result->scan->envelope.recipient_count; i++) {
		const struct recipient *r = &result->scan->envelope.recipients[i];
		bool then = was_accepted(report, result, i);
		buf_add_str(out, "rcpt    <");
		utf8_add_printable(out, r->mailbox.text);
		buf_printf(out, "> then %s, now %s\n", then ? "accepted" : "refused", r->accepted ? "accepted" : "refused");
	}
}

static void add_rows(struct buf *out, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		if (row->what == CHANGED)
			buf_printf(out, "changed %-28s %7.3f -> %.3f ", row->symbol, row->then, row->now);
		else
			buf_printf(out, "%-7s %-28s %7.3f ", difference_names[row->what], row->symbol,
				   row->what == LOST ? row->then : row->now);
		add_value(out, row->evidence);
	}
	if (count == 0)
		buf_add_str(out, "the same findings\n");
}

static void write_text(struct buf *out, const struct replay_report *report, const struct replay_result *result,
		       const struct row *rows, size_t count)
{
	const struct verdict *v = &result->verdict;
	add_head(out, report);
	add_recipients(out, report, result);
	buf_printf(out, "then    %-10s %7.3f  ", action_then(report), report->record->score);
	add_value(out, report->record->reply);
	buf_printf(out, "now     %-10s %7.3f  ", action_name(v->action), v->score);
	add_value(out, result->reply.len > 0 ? result->reply : SLICE("no refusal"));
	buf_printf(out, "policy  %.*s", SLICE_ARG(v->policy->title));
	if (v->why.len > 0)
		buf_printf(out, ", because: %.*s", SLICE_ARG(v->why));
	buf_add_char(out, '\n');
	add_rows(out, rows, count);
	for (size_t i = 0; i < report->question_count; i++) {
		buf_add_str(out, "not recorded: ");
		add_value(out, report->questions[i]);
	}
	buf_add_str(out, is_same(report, result) ? "the same outcome\n" : "ANOTHER OUTCOME\n");
}

bool replay_report_write(struct buf *out, const struct replay_report *report, const struct replay_result *result,
			 bool json)
{
	size_t count;
	const struct row *rows = differences(report, result, &count);
	if (json)
		write_json(out, report, result, rows, count);
	else
		write_text(out, report, result, rows, count);
	return is_same(report, result);
}
