#include "proxy/transaction_log.h"

#include <stdio.h>

#define FIELDS_MAX 24

struct line {
	struct log_field fields[FIELDS_MAX];
	size_t count;
	struct buf numbers; /* text of figures; reserved, so that it never moves */
};

static void add(struct line *l, const char *key, struct slice value)
{
	if (value.len > 0 && l->count < FIELDS_MAX)
		l->fields[l->count++] = (struct log_field){ key, value };
}

static void add_number(struct line *l, const char *key, int decimals, double value)
{
	size_t start = l->numbers.len;
	l->numbers.len += (size_t)snprintf(l->numbers.data + start, l->numbers.cap - start, "%.*f", decimals, value);
	add(l, key, slice_from(buf_slice(&l->numbers), start));
}

/* From one moment to the next; nothing if either never came. */
static void add_stage(struct line *l, const char *key, int64_t from, int64_t to)
{
	if (from > 0 && to >= from)
		add_number(l, key, 0, (double)(to - from));
}

static void list_recipients(const struct envelope *e, struct buf *out)
{
	for (size_t i = 0; i < e->recipient_count; i++)
		buf_printf(out, "%s%s%.*s", i ? "," : "", e->recipients[i].accepted ? "" : "!",
			   SLICE_ARG(e->recipients[i].mailbox.text));
}

static void list_hits(const struct hits *hits, struct buf *out)
{
	for (size_t i = 0; i < hits->count; i++)
		buf_printf(out, "%s%s(%.2f%s)", i ? "," : "", hits->list[i].symbol, hits->list[i].score,
			   hits->list[i].shadow ? " shadow" : "");
}

void transaction_log(const struct transaction *t, const char *how)
{
	const struct envelope *e = &t->scan->envelope;
	const struct client *c = &t->scan->client;
	struct line l = { .count = 0 };
	struct buf recipients = { 0 }, hits = { 0 };
	buf_reserve(&l.numbers, 512);
	list_recipients(e, &recipients);
	list_hits(&t->scan->hits, &hits);
	add(&l, "id", slice_str(t->id));
	add(&l, "helo", c->helo);
	add(&l, "rdns", c->name);
	add(&l, "user", c->login);
	add(&l, "tls", c->tls_version);
	add(&l, "from", e->sender.text.len ? e->sender.text : SLICE("<>"));
	add(&l, "to", buf_slice(&recipients));
	add_number(&l, "size", 0, (double)t->data.size);
	add(&l, "action", slice_str(how));
	add_number(&l, "score", 2, t->verdict.score);
	add(&l, "policy", t->verdict.policy ? t->verdict.policy->title : SLICE_EMPTY);
	add(&l, "why", t->verdict.why);
	if (t->verdict.shadow_policy != NULL) {
		add(&l, "shadow_policy", t->verdict.shadow_policy->title);
		add(&l, "would", slice_str(action_name(t->verdict.would)));
	}
	add(&l, "hits", buf_slice(&hits));
	add(&l, "reply", slice_str(t->reply));
	if (t->delivery != NULL)
		add(&l, "backend", backend_config(delivery_backend(t->delivery))->title);
	add_stage(&l, "ms_envelope", t->t_mail, t->t_data);
	add_stage(&l, "ms_content", t->t_data, t->t_end);
	add_stage(&l, "ms_filters", t->t_end, t->t_filtered);
	add_stage(&l, "ms_backend", t->t_filtered, t->t_done);
	log_event(LOG_INFO, session_log(t->session), "transaction", l.fields, l.count);
	buf_free(&recipients);
	buf_free(&hits);
	buf_free(&l.numbers);
}
