#include "proxy/transaction_log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "policy/journal.h"
#include "proxy/journal_entry.h"

#include "base/buf.h"

#define FIELDS_MAX 24
#define NUMBERS_MAX 6
#define NUMBER_LEN 40u

struct line {
	struct log_field fields[FIELDS_MAX];
	size_t count;
	char numbers[NUMBERS_MAX][NUMBER_LEN]; /* text of figures */
	size_t number_count;
};

static void add(struct line *l, const char *key, struct slice value)
{
	if (value.len > 0 && l->count < FIELDS_MAX)
		l->fields[l->count++] = (struct log_field){ key, value };
}

static void add_number(struct line *l, const char *key, unsigned places, double value)
{
	struct buf text = { 0 };
	if (l->number_count == NUMBERS_MAX)
		return;
	char *to = l->numbers[l->number_count++];
	buf_add_decimal(&text, value, places);
	struct slice digits = slice_head(buf_slice(&text), NUMBER_LEN);
	memcpy(to, digits.data, digits.len);
	add(l, key, slice_make(to, digits.len));
	buf_free(&text);
}

/* From one moment to the next; nothing if either never came. */
static void add_stage(struct line *l, const char *key, int64_t from, int64_t to)
{
	if (from > 0 && to >= from)
		add_number(l, key, 0, (double)(to - from));
}

static void list_recipients(const struct envelope *e, struct buf *out)
{
	for (size_t i = 0; i < e->recipient_count; i++) {
		buf_add_str(out, i ? "," : "");
		buf_add_str(out, e->recipients[i].accepted ? "" : "!");
		buf_add_slice(out, e->recipients[i].mailbox.text);
	}
}

static void list_hits(const struct hits *hits, const struct config_policy *policy, struct buf *out)
{
	for (size_t i = 0; i < hits->count; i++) {
		const struct hit *h = &hits->list[i];
		buf_add_str(out, i ? "," : "");
		buf_add_str(out, h->symbol);
		buf_add_char(out, '(');
		buf_add_decimal(out, policy_score(policy, h), 2);
		buf_add_str(out, h->shadow ? " shadow)" : policy_is_off(policy, h) ? " off)" : ")");
	}
}

static void add_shadow(struct line *l, const struct verdict *v)
{
	if (v->shadow_policy == NULL && v->shadow_list.len == 0)
		return;
	add(l, "shadow_policy", v->shadow_policy ? v->shadow_policy->title : SLICE_EMPTY);
	add(l, "shadow_list", v->shadow_list);
	add(l, "would", slice_str(action_name(v->would)));
}

static void add_envelope(struct line *l, const struct transaction_record *r, struct buf *recipients)
{
	const struct envelope *e = &r->scan->envelope;
	const struct client *c = &r->scan->client;
	list_recipients(e, recipients);
	add(l, "id", slice_str(r->id));
	add(l, "queue_id", r->queue_id);
	add(l, "helo", c->helo);
	add(l, "rdns", c->name);
	add(l, "user", c->login);
	add(l, "tls", c->tls_version);
	add(l, "from", e->sender.text.len ? e->sender.text : SLICE("<>"));
	add(l, "to", buf_slice(recipients));
}

/* ---- the journal */

static struct journal *journal;

#define JOURNAL_MIN (64u << 10)
#define ROWS_MAX 64

void transaction_log_open(const struct config *config, unsigned row)
{
	const struct config_state *state = config->state;
	char folder[1100];
	if (state->journal_size == 0 || state->directory.len == 0 || access(state->directory.data, W_OK | X_OK) != 0)
		return;
	unsigned workers = config_workers(config);
	workers = workers > ROWS_MAX ? ROWS_MAX : workers;
	uint64_t share = state->journal_size / (2 * (uint64_t)workers); /* two files each */
	snprintf(folder, sizeof(folder), "%.*s/journal", SLICE_ARG(slice_head(state->directory, 1000)));
	journal = journal_open(slice_str(folder), row, share > JOURNAL_MIN ? share : JOURNAL_MIN);
	if (journal == NULL)
		log_error(NULL, "journal", "%s: %s", folder, strerror(errno));
}

void transaction_log_close(void)
{
	journal_close(&journal);
}

static void write_entry(const struct scan *scan, const struct journal_entry *entry)
{
	struct buf text = { 0 };
	journal_entry_write(&text, scan, entry);
	journal_append(journal, buf_slice(&text));
	buf_free(&text);
}

static void add_to_journal(const struct transaction_record *r)
{
	const struct journal_entry entry = {
		.id = r->id, .how = r->action, .reply = slice_str(r->reply), .verdict = r->verdict, .recipient = -1,
		.queue_id = r->queue_id,
	};
	if (journal != NULL && !r->in_use)
		write_entry(r->scan, &entry);
}

void transaction_log_recipient(const struct scan *scan, const char *id, const struct refusal *reply)
{
	char text[300];
	bool first = true;
	if (journal == NULL)
		return;
	for (size_t i = 0; i < scan->envelope.recipient_count; i++)
		first = first && (i == scan->recipient || scan->envelope.recipients[i].accepted);
	snprintf(text, sizeof(text), "%u %s %.*s", reply->code, reply->enhanced ? reply->enhanced : "",
		 SLICE_ARG(slice_head(reply->text, 200)));
	const struct journal_entry entry = {
		.id = id, .how = "recipient refused", .reply = slice_str(text), .recipient = (int)scan->recipient,
		.brief = !first,
	};
	write_entry(scan, &entry);
}

void transaction_log_session(const struct client *client, const char *id, int64_t now, unsigned code,
			     const char *enhanced, struct slice text)
{
	struct buf out = { 0 };
	if (journal == NULL)
		return;
	journal_entry_of_session(&out, client, id, now);
	buf_printf(&out, "reply   %u %s ", code, enhanced ? enhanced : "");
	journal_add_text(&out, text, 200);
	buf_add_str(&out, "\n\n");
	journal_append(journal, buf_slice(&out));
	buf_free(&out);
}

void transaction_log(const struct transaction_record *r)
{
	struct line l;
	struct buf recipients = { 0 }, hits = { 0 };
	l.count = l.number_count = 0;
	list_hits(&r->scan->hits, r->verdict->policy, &hits);
	add_envelope(&l, r, &recipients);
	add_number(&l, "size", 0, (double)r->size);
	add(&l, "action", slice_str(r->action));
	add_number(&l, "score", 2, r->verdict->score);
	add(&l, "policy", r->verdict->policy ? r->verdict->policy->title : SLICE_EMPTY);
	add(&l, "why", r->verdict->why);
	add(&l, "redirect", r->verdict->redirect);
	add_shadow(&l, r->verdict);
	add(&l, "hits", buf_slice(&hits));
	add(&l, "reply", slice_str(r->reply));
	add(&l, "backend", r->backend);
	add_stage(&l, "ms_envelope", r->t_mail, r->t_data);
	add_stage(&l, "ms_content", r->t_data, r->t_end);
	add_stage(&l, "ms_filters", r->t_end, r->t_filtered);
	add_stage(&l, "ms_backend", r->t_filtered, r->t_done);
	log_event(LOG_INFO, r->log, "transaction", l.fields, l.count);
	buf_free(&recipients);
	buf_free(&hits);
	add_to_journal(r);
}
