/*
 * Changes to a message that the mail server holds: by name and place among
 * those of that name. Fields are taken away from the bottom up and before any
 * are added, because servers count differently: Postfix counts what is left,
 * Sendmail what was there.
 */
#include <limits.h>

#include "message/message.h"
#include "proxy/milter_private.h"
#include "proxy/trace.h"

/* Which of its name a field is, the topmost being 1. */
static int place_of(const struct message *msg, const struct header *h)
{
	int place = 0;
	for (const struct header *k = msg->headers; k <= h; k++)
		place += slice_eq_nocase(k->name, h->name);
	return place;
}

/* A value for the server: "\n" for each line end, white space in front if it
 * wants it. */
static char *server_value(const struct milter *m, struct arena *arena, struct slice value)
{
	struct buf out = { 0 };
	if (!m->offers.leading_space)
		while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
			value = slice_from(value, 1);
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] != '\r')
			buf_add_char(&out, value.data[i]);
	char *text = arena_str(arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

static bool remove_forged(struct milter *m, const struct scan *scan)
{
	const struct message *msg = &scan->message;
	for (size_t i = msg->header_count; i-- > 0;) {
		const struct header *h = &msg->headers[i];
		if (!trace_removes(scan, h))
			continue;
		if (!m->offers.change_headers ||
		    !m->mta->change_header(m->arg, arena_str(scan->arena, h->name), place_of(msg, h), NULL))
			return false;
	}
	return true;
}

static bool rewrite_subject(struct milter *m, const struct scan *scan, const struct verdict *v)
{
	struct slice value = trace_subject(scan, v);
	if (value.len == 0)
		return true;
	char *text = server_value(m, scan->arena, value);
	if (message_header(&scan->message, SLICE("Subject"), 0) == NULL)
		return m->offers.add_headers && m->mta->insert_header(m->arg, "Subject", text);
	return m->offers.change_headers && m->mta->change_header(m->arg, "Subject", 1, text);
}

/* Each goes above all others: so the last one first. */
static bool insert_ours(struct milter *m, const struct scan *scan, const struct verdict *v)
{
	struct buf text = { 0 };
	struct message ours = { 0 };
	bool ok = true;
	trace_added(&text, scan, v);
	message_parse(&ours, scan->arena, buf_slice(&text), SIZE_MAX);
	for (size_t i = ours.header_count; ok && i-- > 0;)
		ok = m->offers.add_headers &&
		     m->mta->insert_header(m->arg, arena_str(scan->arena, ours.headers[i].name),
					   server_value(m, scan->arena, ours.headers[i].value));
	buf_free(&text);
	return ok;
}

bool milter_edit(struct milter *m, const struct scan *scan, const struct verdict *v)
{
	return remove_forged(m, scan) && rewrite_subject(m, scan, v) && insert_ours(m, scan, v);
}

bool milter_redirect(struct milter *m, const struct envelope *e, char *const *paths, struct slice address)
{
	if (!m->offers.change_recipients)
		return false;
	/* Those that were refused are not there. */
	for (size_t i = 0; i < e->recipient_count; i++)
		if (e->recipients[i].accepted && !m->mta->remove_recipient(m->arg, paths[i]))
			return false;
	char *path = arena_str(m->transaction->arena, arena_printf(m->transaction->arena, "<%.*s>", SLICE_ARG(address)));
	return m->mta->add_recipient(m->arg, path);
}

/* Grows by doubling. */
char **milter_more_paths(struct arena *arena, char **paths, size_t count)
{
	if (count > 0 && (count & (count - 1)) != 0)
		return paths;
	char **more = arena_array(arena, char *, count > 0 ? 2 * count : 1);
	for (size_t i = 0; i < count; i++)
		more[i] = paths[i];
	return more;
}
