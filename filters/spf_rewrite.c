#include "filters/spf_rewrite.h"

#include "base/buf.h"

struct writer {
	struct buf out;
	const struct spf_rewriting *how;
	bool ended;              /* by a term that matches whatever comes */
};

static void add(struct writer *w, struct slice text)
{
	buf_add_char(&w->out, ' ');
	buf_add_slice(&w->out, text);
}

static void add_as_is(struct writer *w, const struct spf_term *term)
{
	add(w, term->text);
}

static void add_nothing(struct writer *w, const struct spf_term *term)
{
	(void)w;
	(void)term;
}

static void add_all(struct writer *w, const struct spf_term *term)
{
	const char text[] = { term->qualifier, 'a', 'l', 'l' };
	add(w, slice_make(text, sizeof(text)));
	w->ended = true;
}

static void add_network(struct writer *w, const struct spf_term *term)
{
	const struct ip *client = w->how->client;
	unsigned bits = term->kind == SPF_IP4 ? term->bits4 : term->bits6;
	if (bits > 0 && !w->how->networks)
		add_as_is(w, term);
	else if (term->network.family == client->family && spf_prefix_match(client, term->network.bytes, bits))
		add_all(w, term);
}

/* Only the prefix length of the client's family is written. */
static void add_named(struct writer *w, const struct spf_term *term)
{
	bool v6 = w->how->client->family == 6;
	unsigned bits = v6 ? term->bits6 : term->bits4;
	if (term->bits4 > 0 && term->bits6 > 0) {
		add_as_is(w, term);
		return;
	}
	buf_printf(&w->out, " %c%s:", term->qualifier, spf_term_name(term->kind));
	if (bits == 0)
		buf_add_slice(&w->out, w->how->mark);
	buf_add_slice(&w->out, term->domain.len > 0 ? term->domain : SLICE("%{d}"));
	if (bits > 0)
		buf_printf(&w->out, "%s%u", v6 ? "//" : "/", bits);
}

static void (*const writers[])(struct writer *w, const struct spf_term *term) = {
	[SPF_ALL] = add_all,      [SPF_INCLUDE] = add_as_is, [SPF_A] = add_named,
	[SPF_MX] = add_named,     [SPF_PTR] = add_as_is,     [SPF_IP4] = add_network,
	[SPF_IP6] = add_network,  [SPF_EXISTS] = add_as_is,  [SPF_REDIRECT] = add_nothing,
	[SPF_EXP] = add_as_is,    [SPF_OTHER_MODIFIER] = add_nothing,
};

struct slice spf_rewrite(struct arena *arena, const struct spf_record *record, const struct spf_rewriting *rewriting)
{
	struct writer w = { .how = rewriting };
	struct slice rest = record->terms;
	struct spf_term term;
	buf_add_str(&w.out, "v=spf1");
	while (spf_term_next(&rest, &term))
		if (!w.ended || term.kind == SPF_EXP)
			writers[term.kind](&w, &term);
	if (!w.ended && record->redirect.len > 0) /* in front of "all" it would count for libspf2 */
		buf_printf(&w.out, " redirect=%.*s", SLICE_ARG(record->redirect));
	struct slice text = arena_copy(arena, buf_slice(&w.out));
	buf_free(&w.out);
	return text;
}
