#include "proxy/transaction_each.h"

#include "proxy/judgement.h"
#include "proxy/trace.h"
#include "proxy/transaction_log.h"
#include "proxy/transaction_quarantine.h"
#include "proxy/transaction_redirect.h"

struct each {
	struct transaction *t;
	struct verdict *verdicts;    /* all by recipient index */
	struct refusal *answers;     /* code 0: none yet */
	bool *left;                  /* waits for its delivery */
	bool *in_group;              /* of the delivery under way */
	struct verdict strictest;
	void (*done)(struct transaction *t, const char *how, const struct refusal *last);
};

static const struct refusal taken = { 250, "2.0.0", { "Ok", 2 } };

bool transaction_each_due(const struct transaction *t)
{
	return t->scan->envelope.prdr && t->accepted > 1;
}

static bool positive(const struct refusal *answer)
{
	return answer->code >= 200 && answer->code < 300;
}

/* What it is made of lives as long as a callback. */
static void answer(struct each *e, size_t i, unsigned code, const char *enhanced, struct slice text)
{
	struct arena *arena = e->t->arena;
	e->answers[i] = (struct refusal){
		(uint16_t)code, arena_str(arena, slice_str(enhanced)),
		judgement_text(arena, arena_copy(arena, text), e->t->id),
	};
}

/* ---- the end: 353, each, and the message's own */

static void say_and_note(struct each *e, size_t i)
{
	struct transaction *t = e->t;
	const struct refusal *a = &e->answers[i];
	session_reply(t->session, a->code, a->enhanced, a->text);
	t->scan->envelope.recipients[i].accepted = positive(a);
	if (positive(a))
		return;
	log_line(LOG_INFO, session_log(t->session), "recipient refused", "%s to <%.*s>: %u %s %.*s", t->id,
		 SLICE_ARG(t->scan->envelope.recipients[i].mailbox.text), a->code, a->enhanced, SLICE_ARG(a->text));
	t->scan->recipient = i;
	transaction_log_recipient(t->scan, t->id, a);
}

/* One has it: success. None: it is worth to come again if that holds for any of them. */
static const struct refusal *last_reply(const struct each *e)
{
	const struct refusal *last = NULL;
	for (size_t i = 0; i < e->t->scan->envelope.recipient_count; i++) {
		const struct refusal *a = &e->answers[i];
		if (positive(a))
			return &taken;
		if (a->code != 0 && (last == NULL || (last->code >= 500 && a->code < 500)))
			last = a;
	}
	return last;
}

static const char *describe(const struct each *e, const struct refusal *last)
{
	for (size_t i = 0; i < e->t->scan->envelope.recipient_count; i++)
		if (e->answers[i].code != 0 && (positive(&e->answers[i]) != positive(last) ||
						e->verdicts[i].action != e->strictest.action))
			return "split";
	if (positive(last) || e->strictest.refusal.code != 0)
		return action_name(e->strictest.action);
	return last->code >= 500 ? "backend-reject" : "backend-defer";
}

static void conclude(struct each *e)
{
	struct transaction *t = e->t;
	const struct refusal *last = last_reply(e);
	bool all = true;
	session_reply(t->session, 353, NULL, SLICE("A reply for each recipient follows"));
	for (size_t i = 0; i < t->scan->envelope.recipient_count; i++)
		if (e->answers[i].code != 0) {
			say_and_note(e, i);
			all = all && positive(&e->answers[i]);
		}
	t->verdict = e->strictest;
	if (positive(last))
		stats_add(t->session->worker->stats, t->session->worker->row, STAT_ACCEPTED, 1);
	if (all && t->verdict.action == ACTION_ACCEPT)
		session_remember_good(t->session);
	e->done(t, describe(e, last), last);
}

/* ---- delivery, group by group */

static void next_group(struct each *e);

static void on_delivered(void *arg, const struct outcome *o)
{
	struct each *e = arg;
	for (size_t i = 0; i < e->t->scan->envelope.recipient_count; i++) {
		const struct outcome *own = o->each != NULL && o->each[i].code != 0 ? &o->each[i] : o;
		if (e->in_group[i])
			answer(e, i, own->code, own->enhanced, own->text);
	}
	next_group(e);
}

static void on_quarantined(struct transaction *t, bool ok)
{
	const struct outcome held = { .code = 250, .enhanced = "2.0.0", .text = SLICE("Ok: held for inspection") };
	const struct outcome failed = {
		.code = 451, .enhanced = "4.3.0", .text = SLICE("Mail can't be stored now, please try again later"),
	};
	on_delivered(t->each, ok ? &held : &failed);
}

static bool still_there(void *arg)
{
	const struct each *e = arg;
	return session_still_there(e->t->session);
}

/* They get the very same message. What is held is held once. */
static bool same_message(const struct verdict *a, const struct verdict *b)
{
	return a->action == b->action && (a->action == ACTION_QUARANTINE || a->policy == b->policy);
}

/* For the time of its delivery the group is all that is accepted. */
static void choose_group(struct each *e, size_t first)
{
	struct envelope *envelope = &e->t->scan->envelope;
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		e->in_group[i] = e->left[i] && same_message(&e->verdicts[first], &e->verdicts[i]);
		envelope->recipients[i].accepted = e->in_group[i];
	}
	for (size_t i = 0; i < envelope->recipient_count; i++)
		e->left[i] = e->left[i] && !e->in_group[i];
}

/* Behind a redirection the backend knows nothing of the others any more: those come last. */
static size_t next_left(const struct each *e, bool redirected)
{
	size_t i = 0, count = e->t->scan->envelope.recipient_count;
	while (i < count && !(e->left[i] && (e->verdicts[i].action == ACTION_REDIRECT) == redirected))
		i++;
	return i;
}

static void next_group(struct each *e)
{
	struct transaction *t = e->t;
	size_t count = t->scan->envelope.recipient_count;
	size_t first = next_left(e, false) < count ? next_left(e, false) : next_left(e, true);
	if (first == count) {
		conclude(e);
		return;
	}
	choose_group(e, first);
	t->verdict = e->verdicts[first];
	buf_clear(&t->added);
	trace_header_section(&t->added, t->scan, &t->verdict, t->id);
	if (t->verdict.action == ACTION_QUARANTINE)
		transaction_quarantine(t, on_quarantined);
	else if (t->verdict.action == ACTION_REDIRECT)
		transaction_redirect(t, still_there, on_delivered, e);
	else
		delivery_content(t->delivery, buf_slice(&t->added),
				 slice_from(t->scan->message.raw, t->scan->message.head.len), still_there, on_delivered, e);
}

void transaction_each(struct transaction *t,
		      void (*done)(struct transaction *t, const char *how, const struct refusal *last))
{
	size_t count = t->scan->envelope.recipient_count;
	struct each *e = arena_array(t->arena, struct each, 1);
	*e = (struct each){
		.t = t, .done = done, .strictest = t->verdict,
		.verdicts = arena_array(t->arena, struct verdict, count),
		.answers = arena_array(t->arena, struct refusal, count),
		.left = arena_array(t->arena, bool, count), .in_group = arena_array(t->arena, bool, count),
	};
	t->each = e;
	for (size_t i = 0; i < count; i++) {
		struct verdict *v = &e->verdicts[i];
		if (!t->scan->envelope.recipients[i].accepted)
			continue;
		judgement_for(t->scan, t->id, i, v);
		if (v->refusal.code != 0)
			answer(e, i, v->refusal.code, v->refusal.enhanced, v->refusal.text);
		else if (v->action == ACTION_DISCARD) /* the administrator's express wish */
			answer(e, i, taken.code, taken.enhanced, taken.text);
		else
			e->left[i] = true;
	}
	next_group(e);
}
