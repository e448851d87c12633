#include "proxy/transaction_redirect.h"

#include "message/address.h"
#include "proxy/route.h"

struct redirecting {
	struct transaction *t;
	struct envelope envelope; /* the same sender, one recipient */
	bool (*still_there)(void *arg);
	outcome_fn *done;
	void *arg;                /* of these two */
};

static void not_taken(const struct redirecting *r, struct slice why)
{
	const struct transaction *t = r->t;
	const struct outcome outcome = {
		.code = 451, .enhanced = "4.3.5", .text = SLICE("Mail can't be delivered now, please try again later"),
	};
	log_error(session_log(t->session), "redirect", "%s: %.*s is not taken: %.*s", t->id,
		  SLICE_ARG(t->verdict.redirect), SLICE_ARG(why));
	r->done(r->arg, &outcome);
}

static bool is_there(void *arg)
{
	const struct redirecting *r = arg;
	return r->still_there(r->arg);
}

static void on_content(void *arg, const struct outcome *o)
{
	const struct redirecting *r = arg;
	struct outcome one = o->each != NULL && o->each[0].code != 0 ? o->each[0] : *o;
	one.each = NULL; /* its recipient is none of the transaction's */
	r->done(r->arg, &one);
}

static void on_recipient(void *arg, const struct outcome *o)
{
	struct redirecting *r = arg;
	struct transaction *t = r->t;
	if (!o->positive) {
		not_taken(r, o->text);
		return;
	}
	r->envelope.recipients[0].accepted = true;
	delivery_content(t->delivery, buf_slice(&t->added),
			 slice_from(t->scan->message.raw, t->scan->message.head.len), is_there, on_content, r);
}

void transaction_redirect(struct transaction *t, bool (*still_there)(void *arg), outcome_fn *done, void *arg)
{
	struct redirecting *r = arena_new(t->arena, struct redirecting);
	struct session *s = t->session;
	const struct recipient none = { .accepted = false };
	struct backend *backend = delivery_backend(t->delivery), *routed;
	*r = (struct redirecting){
		.t = t, .envelope = t->scan->envelope, .still_there = still_there, .done = done, .arg = arg,
	};
	r->envelope.prdr = false;
	r->envelope.recipients = NULL;
	r->envelope.recipient_count = r->envelope.recipient_cap = 0;
	struct recipient *to = envelope_add(&r->envelope, &none, t->arena);
	if (address_parse(t->arena, t->verdict.redirect, ADDRESS_RCPT, &to->mailbox) != ADDRESS_OK) {
		not_taken(r, SLICE("no address")); /* checked when the configuration was read */
		return;
	}
	delivery_destroy(&t->delivery); /* RSET */
	routed = route_choose(s, &to->mailbox);
	t->delivery = delivery_create(routed ? routed : backend, &t->scan->client, &r->envelope, &s->home);
	delivery_rcpt(t->delivery, 0, on_recipient, r);
}
