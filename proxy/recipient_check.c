#include "proxy/recipient_check.h"

#include <stdlib.h>

#include "base/store.h"

struct recipient_check {
	struct transaction *t;
	outcome_fn *fn;
	void *arg;
	struct backend *asked;         /* who knows the recipients */
	struct store_query *query;
	/* The question to another backend than the one that gets the mail: from
	 * nobody, for this recipient, and taken back at once. */
	struct delivery *other;
	struct delivery_home home;
	struct envelope envelope;
};

static const struct recipient *current(const struct transaction *t)
{
	return &t->scan->envelope.recipients[t->scan->recipient];
}

static bool is_other(const struct recipient_check *c)
{
	return c->asked != delivery_backend(c->t->delivery);
}

static struct slice key_of(const struct recipient_check *c)
{
	const struct mailbox *m = &current(c->t)->mailbox;
	return arena_printf(c->t->arena, "rcpt:%.*s %.*s@%.*s", SLICE_ARG(backend_config(c->asked)->title),
			    SLICE_ARG(m->local), SLICE_ARG(m->domain));
}

static int64_t cache_ms(const struct recipient_check *c)
{
	return backend_config(delivery_backend(c->t->delivery))->verify_cache;
}

/* ---- the end */

static void end(struct recipient_check *c, const struct outcome *o)
{
	outcome_fn *fn = c->fn;
	void *arg = c->arg;
	recipient_check_cancel(c->t);
	fn(arg, o);
}

void recipient_check_cancel(struct transaction *t)
{
	struct recipient_check *c = t->check;
	t->check = NULL;
	if (c == NULL)
		return;
	if (c->query != NULL)
		store_cancel(t->session->worker->store, &c->query);
	delivery_destroy(&c->other);
	delivery_home_close(&c->home);
	free(c);
}

/* ---- what is remembered */

/* Said of the address, not of the sender, the client or the moment (RFC 3463 3.2, 3.3). */
static bool is_about_address(const struct outcome *o)
{
	static const char *const codes[] = { "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1" };
	for (size_t i = 0; o->enhanced != NULL && i < sizeof(codes) / sizeof(*codes); i++)
		if (strcmp(o->enhanced, codes[i]) == 0)
			return true;
	return false;
}

static void nothing(void *arg, const struct answer *answer)
{
	(void)arg, (void)answer;
}

static void remember(const struct recipient_check *c, const struct outcome *o)
{
	struct worker *w = c->t->session->worker;
	bool refused = o->from_backend && o->code >= 500 && (is_other(c) || is_about_address(o));
	if (cache_ms(c) == 0 || w->store == NULL || !(refused || (is_other(c) && o->positive)))
		return;
	struct slice value = SLICE("250");
	if (refused)
		value = arena_printf(c->t->arena, "%u %s %.*s", o->code, o->enhanced, SLICE_ARG(slice_head(o->text, 1000)));
	const struct store_request put = {
		.op = STORE_PUT, .key = key_of(c), .value = value, .ttl = (uint32_t)((cache_ms(c) + 999) / 1000),
	};
	store_ask(w->store, &put, worker_now_unix(w), nothing, NULL);
}

/* False: it isn't a reply that we have written. */
static bool read_value(struct arena *arena, struct slice value, struct outcome *o)
{
	struct slice code, enhanced, rest = arena_copy(arena, value);
	uint64_t number;
	if (!slice_split(&rest, ' ', &code) || !slice_u64(code, 599, &number) || number < 200)
		return false;
	*o = (struct outcome){ .positive = number < 300, .code = (unsigned)number, .from_backend = true };
	if (o->positive)
		return true;
	if (!slice_split(&rest, ' ', &enhanced))
		return false;
	o->enhanced = arena_str(arena, enhanced);
	o->text = rest;
	return number >= 500;
}

/* ---- asking */

static void on_delivery(void *arg, const struct outcome *o)
{
	struct recipient_check *c = arg;
	if (!is_other(c))
		remember(c, o);
	end(c, o);
}

static void ask_delivery(struct recipient_check *c)
{
	delivery_rcpt(c->t->delivery, c->t->scan->recipient, on_delivery, c);
}

static void on_other(void *arg, const struct outcome *o)
{
	struct recipient_check *c = arg;
	remember(c, o);
	if (o->positive) {
		delivery_destroy(&c->other);
		ask_delivery(c);
		return;
	}
	/* Unreachable is the one that was asked: no reason to try another for the mail. */
	struct outcome refusal = *o;
	refusal.unreachable = false;
	refusal.text = arena_copy(c->t->arena, o->text);
	refusal.enhanced = arena_str(c->t->arena, slice_str(o->enhanced));
	end(c, &refusal);
}

static void ask_other(struct recipient_check *c)
{
	struct recipient r = *current(c->t);
	r.accepted = false;
	r.params = SLICE_EMPTY;
	c->envelope.smtputf8 = r.mailbox.utf8;
	if (r.mailbox.utf8)
		c->envelope.params = SLICE("SMTPUTF8");
	envelope_add(&c->envelope, &r, c->t->arena);
	c->other = delivery_create(c->asked, NULL, &c->envelope, &c->home);
	delivery_rcpt(c->other, 0, on_other, c);
}

static void ask(struct recipient_check *c)
{
	if (is_other(c))
		ask_other(c);
	else
		ask_delivery(c);
}

static void on_remembered(void *arg, const struct answer *answer)
{
	struct recipient_check *c = arg;
	struct outcome o;
	c->query = NULL;
	if (answer->status != ANSWER_FOUND || !read_value(c->t->arena, answer->value, &o))
		ask(c);
	else if (o.positive)
		ask_delivery(c);
	else
		end(c, &o);
}

static struct backend *find(const struct worker *w, struct slice title)
{
	for (size_t i = 0; i < w->backend_count; i++)
		if (slice_eq(backend_config(w->backends[i])->title, title))
			return w->backends[i];
	return NULL;
}

void recipient_check_ask(struct transaction *t, outcome_fn *fn, void *arg)
{
	struct worker *w = t->session->worker;
	struct backend *to = delivery_backend(t->delivery);
	struct backend *asked = find(w, backend_config(to)->verify_with);
	struct recipient_check *c = xcalloc(1, sizeof(*c));
	recipient_check_cancel(t);
	*c = (struct recipient_check){ .t = t, .fn = fn, .arg = arg, .asked = asked ? asked : to };
	t->check = c;
	if (cache_ms(c) == 0 || w->store == NULL) {
		ask(c);
		return;
	}
	const struct store_request get = { .op = STORE_GET, .key = key_of(c) };
	c->query = store_ask(w->store, &get, worker_now_unix(w), on_remembered, c);
}
