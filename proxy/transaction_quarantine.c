#include "proxy/transaction_quarantine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "message/message.h"
#include "policy/quarantine.h"

#define EXPIRE_EVERY 64u /* stored mails of a worker */

struct quarantining {
	struct transaction *t;
	struct jobs *jobs;
	char dir[1100];
	struct quarantine_entry entry;  /* in the transaction's arena */
	struct slice added, content;
	int64_t keep;
	uint64_t max_size;
	bool ok;
	char error[QUARANTINE_ERROR_MAX];
	void (*done)(struct transaction *t, bool ok);
};

/* On a thread. */
static void run(void *arg)
{
	static atomic_uint stored;
	struct quarantining *q = arg;
	q->ok = quarantine_store(q->dir, &q->entry, q->added, q->content, q->error);
	if (atomic_fetch_add(&stored, 1) % EXPIRE_EVERY == 0)
		quarantine_expire(q->dir, q->entry.time - q->keep / 1000, q->max_size);
}

static void on_stored(void *arg)
{
	struct quarantining *q = arg;
	struct transaction *t = q->t;
	bool ok = q->ok;
	void (*done)(struct transaction *t, bool ok) = q->done;
	if (!ok)
		log_error(session_log(t->session), "quarantine", "%s", q->error);
	t->quarantining = NULL;
	free(q);
	done(t, ok);
}

static void take_recipients(struct quarantine_entry *e, const struct envelope *envelope, struct arena *arena)
{
	e->recipients = arena_array(arena, struct slice, envelope->recipient_count);
	e->recipient_params = arena_array(arena, struct slice, envelope->recipient_count);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (!envelope->recipients[i].accepted)
			continue;
		e->recipients[e->recipient_count] = envelope->recipients[i].mailbox.text;
		e->recipient_params[e->recipient_count++] = envelope->recipients[i].params;
	}
}

static void fill_entry(struct quarantine_entry *e, struct transaction *t)
{
	const struct envelope *envelope = &t->scan->envelope;
	const struct header *subject = message_header(&t->scan->message, SLICE("Subject"), 0);
	*e = (struct quarantine_entry){
		.id = slice_str(t->id), .time = t->scan->now, .client = t->scan->client, .sender = envelope->sender.text,
		.sender_params = envelope->params, .body_8bit = envelope->body_8bit, .smtputf8 = envelope->smtputf8,
		.score = t->verdict.score, .policy = t->verdict.policy->title, .why = t->verdict.why,
		.subject = subject ? slice_head(header_unfold(t->arena, subject->value), 200) : SLICE_EMPTY,
	};
	take_recipients(e, envelope, t->arena);
}

void transaction_quarantine(struct transaction *t, void (*done)(struct transaction *t, bool ok))
{
	const struct config_state *state = t->scan->snapshot->config->state;
	struct quarantining *q = xcalloc(1, sizeof(*q));
	q->t = t;
	q->jobs = t->session->worker->jobs;
	q->done = done;
	q->keep = state->quarantine_keep;
	q->max_size = state->quarantine_size;
	snprintf(q->dir, sizeof(q->dir), "%.*s/quarantine", SLICE_ARG(slice_head(state->directory, 1000)));
	q->added = buf_slice(&t->added);
	q->content = slice_from(t->scan->message.raw, t->scan->message.head.len);
	fill_entry(&q->entry, t);
	q->entry.size = q->added.len + q->content.len;
	t->quarantining = q;
	jobs_add(q->jobs, run, on_stored, q);
}

void transaction_quarantine_wait(struct transaction *t)
{
	struct quarantining *q = t->quarantining;
	if (q == NULL)
		return;
	jobs_wait(q->jobs, on_stored, q);
	t->quarantining = NULL;
	free(q);
}
