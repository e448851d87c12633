#include "filters/author.h"

#include "filters/scan.h"

/* From fields that are read; that there are more is enough to know. */
#define FIELDS_MAX 8

/* "From :", "From\r\n :", " From:" in the first line, "From\x01:". */
static bool is_spoilt_name(struct slice field, struct slice name)
{
	size_t at = 0;
	while (at < field.len && !ascii_is_alnum(field.data[at]) && field.data[at] != ':')
		at++;
	struct slice rest = slice_from(field, at);
	if (!slice_starts_nocase(rest, name))
		return false;
	for (size_t i = name.len; i < rest.len; i++) {
		char c = rest.data[i];
		if (c == ':')
			return true;
		if (ascii_is_alnum(c) || c == '-')
			return false;
	}
	return false;
}

static enum author_spelling spelling_of(const struct header *h, size_t name_len)
{
	if (h->broken)
		return AUTHOR_SPOILT;
	for (size_t i = name_len; h->field.data[i] != ':'; i++)
		if (h->field.data[i] != ' ' && h->field.data[i] != '\t')
			return AUTHOR_SPOILT;
	return h->field.data[name_len] == ':' ? AUTHOR_PLAIN : AUTHOR_SPACED;
}

const struct header *author_field(const struct message *message, struct slice name, size_t nth,
				  enum author_spelling *spelling_r)
{
	for (size_t i = 0; i < message->header_count; i++) {
		const struct header *h = &message->headers[i];
		if (h->broken ? !is_spoilt_name(h->field, name) : !slice_eq_nocase(h->name, name))
			continue;
		*spelling_r = spelling_of(h, name.len);
		if (nth-- == 0)
			return h;
	}
	return NULL;
}

/* message_parse makes the whole of a broken field its value. */
struct slice author_field_value(const struct header *h)
{
	size_t colon = h->broken ? slice_chr(h->field, ':') : SLICE_NPOS;
	return colon == SLICE_NPOS ? h->value : slice_from(h->field, colon + 1);
}

struct reading {
	struct slice domain;    /* of the mailboxes */
	bool several;
	bool spoilt;            /* a field that not every mail reader sees */
	struct slice other;     /* what the careless reading found beside it */
};

static void careless(void *arg, struct slice local, struct slice domain)
{
	struct reading *r = arg;
	(void)local;
	if (!slice_eq(domain, r->domain) && r->other.len == 0)
		r->other = domain;
}

static void read_list(struct author_fact *fact, struct reading *r, const struct mailbox_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct list_mailbox *m = &list->items[i];
		if (fact->mailboxes++ == 0 || (fact->address.len == 0 && m->mailbox.text.len > 0)) {
			fact->address = m->mailbox.text;
			fact->display = m->display;
		}
		if (m->mailbox.text.len == 0)
			continue;
		if (r->domain.data == NULL)
			r->domain = m->mailbox.domain;
		else if (!slice_eq(r->domain, m->mailbox.domain))
			r->several = true;
	}
}

static const char *why_none(const struct message *message, const struct author_fact *fact,
			    const struct reading *r, unsigned problems)
{
	if (message->head_cut)
		return "more header fields than are read";
	if (fact->fields == 0)
		return "no From field";
	if (fact->fields > 1)
		return "several From fields";
	if (fact->mailboxes == 0)
		return "no mailbox in From";
	if (r->spoilt)
		return "a From field that not every mail reader sees";
	if (r->several)
		return "mailboxes of several domains in From";
	if (r->domain.len == 0 || (problems & MAILBOX_LITERAL))
		return mailbox_problem_text(problems & ~(unsigned)MAILBOX_CONTROL);
	return NULL;
}

struct author_fact author_decide(struct arena *arena, const struct message *message)
{
	struct author_fact fact = { 0 };
	struct reading reading = { 0 };
	struct slice value = SLICE_EMPTY;
	unsigned problems = 0;
	const struct header *h;
	enum author_spelling spelling;
	while (fact.fields < FIELDS_MAX &&
	       (h = author_field(message, SLICE("From"), fact.fields, &spelling)) != NULL) {
		struct mailbox_list list;
		value = author_field_value(h);
		mailbox_list_parse(arena, value, &list);
		reading.spoilt |= spelling == AUTHOR_SPOILT;
		read_list(&fact, &reading, &list);
		problems |= list.problems;
		fact.fields++;
	}
	const char *why = why_none(message, &fact, &reading, problems);
	if (why == NULL && (problems & MAILBOX_DOUBTFUL))
		mailbox_list_careless(arena, value, careless, &reading);
	if (why != NULL) {
		fact.reason = slice_str(why);
	} else if (reading.other.len > 0 || (problems & MAILBOX_ENCODED_ADDRESS)) {
		fact.reason = arena_printf(arena, "mail readers may find another author in From: %s",
					   mailbox_problem_text(problems));
	} else {
		fact.domain = reading.domain;
		fact.reason = slice_str(mailbox_problem_text(problems & MAILBOX_DOUBTFUL));
	}
	return fact;
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	(void)state;
	(void)phase;
	scan->facts.author = author_decide(scan->arena, &scan->message);
	return STEP_DONE;
}

const struct filter author_filter = {
	.name = "author",
	.phases = PHASE_BIT(PHASE_HEADERS),
	.step = step,
	.always = true,
};
