/* The syntax of From, and the other fields that say whose mail it is. */
#include "filters/author.h"
#include "filters/forged.h"

static bool holds_address(const struct mailbox_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].mailbox.domain.len > 0)
			return true;
	return false;
}

/* Why there is no author: the one symbol that says it best. */
static void note_no_author(struct scan *scan, const struct forged_settings *s, const struct forged_from *from)
{
	const struct author_fact *author = &scan->facts.author;
	struct slice reason = author->reason;
	if (scan->message.head_cut)
		forged_hit(scan, s->ambiguous, "FROM_AMBIGUOUS", reason);
	else if (from->count == 0)
		forged_hit(scan, s->missing, "FROM_MISSING", SLICE_EMPTY);
	else if (from->count > 1)
		forged_hit(scan, s->ambiguous, "FROM_SEVERAL", reason);
	else if (from->spoilt)
		forged_hit(scan, s->ambiguous, "FROM_AMBIGUOUS", reason);
	else if (!holds_address(&from->lists[0]) && !(from->problems & MAILBOX_ENCODED_ADDRESS))
		forged_hit(scan, s->missing, "FROM_NO_ADDRESS", slice_trim(from->values[0]));
	else if (from->problems & MAILBOX_DOUBTFUL)
		forged_hit(scan, s->ambiguous, "FROM_AMBIGUOUS", reason);
	else if (from->problems & MAILBOX_LITERAL)
		forged_hit(scan, s->missing, "FROM_NO_ADDRESS", reason);
	else
		forged_hit(scan, s->ambiguous, "FROM_DOMAINS", slice_trim(from->values[0]));
}

void forged_syntax_check(struct scan *scan, const struct forged_settings *s, const struct forged_from *from)
{
	if (from->odd)
		scan_hit(scan, "FROM_ODD_FIELD", NULL);
	if (scan->facts.author.domain.len == 0)
		note_no_author(scan, s, from);
	if (from->count == 0 || !holds_address(&from->lists[0]))
		return;
	if (from->problems & MAILBOX_NO_ADDRESS)
		scan_hit(scan, "FROM_STRAY_NAME", "%.*s", SLICE_ARG(slice_trim(from->values[0])));
	else if (scan->facts.author.domain.len > 0 && (from->problems & MAILBOX_DOUBTFUL))
		scan_hit(scan, "FROM_MALFORMED", "%s", mailbox_problem_text(from->problems));
}

/* The only mailbox of the field's list with a domain; NULL: none, or more. */
static const struct list_mailbox *only_mailbox(const struct mailbox_list *list)
{
	return list->count == 1 && list->items[0].mailbox.domain.len > 0 ? &list->items[0] : NULL;
}

static void check_sender(struct scan *scan, struct slice author)
{
	struct mailbox_list list;
	enum author_spelling spelling;
	const struct header *h = author_field(&scan->message, SLICE("Sender"), 0, &spelling);
	if (h == NULL)
		return;
	mailbox_list_parse(scan->arena, author_field_value(h), &list);
	const struct list_mailbox *m = only_mailbox(&list);
	if (m == NULL || spelling != AUTHOR_PLAIN ||
	    author_field(&scan->message, SLICE("Sender"), 1, &spelling) != NULL ||
	    (list.problems & MAILBOX_DOUBTFUL))
		scan_hit(scan, "SENDER_MALFORMED", "%.*s", SLICE_ARG(slice_trim(h->value)));
	if (m == NULL)
		return;
	if (author.len > 0 && !forged_same_organisation(m->mailbox.domain, author))
		scan_hit(scan, "SENDER_OTHER", "%.*s, From %.*s", SLICE_ARG(m->mailbox.domain),
			 SLICE_ARG(author));
	if (forged_is_own(scan, m->mailbox.domain) && !forged_is_own(scan, author) &&
	    forged_from_outside(scan))
		scan_hit(scan, "SENDER_OURS", "%.*s", SLICE_ARG(m->mailbox.text));
}

static void check_reply_to(struct scan *scan, const struct forged_settings *s, struct slice author)
{
	struct mailbox_list list;
	bool ours;
	enum author_spelling spelling;
	const struct header *h = author_field(&scan->message, SLICE("Reply-To"), 0, &spelling);
	if (h == NULL)
		return;
	mailbox_list_parse(scan->arena, author_field_value(h), &list);
	if (author_field(&scan->message, SLICE("Reply-To"), 1, &spelling) != NULL ||
	    (list.problems & MAILBOX_DOUBTFUL))
		scan_hit(scan, "REPLY_TO_MALFORMED", "%.*s", SLICE_ARG(slice_trim(h->value)));
	if (list.count == 0 || author.len == 0 || list.items[0].mailbox.domain.len == 0)
		return;
	struct slice domain = list.items[0].mailbox.domain;
	if (forged_same_organisation(domain, author))
		return;
	if (forged_looks_like(scan->arena, domain, author) ||
	    forged_lookalike(scan, s, domain, &ours).len > 0)
		scan_hit(scan, "REPLY_TO_LOOKALIKE", "%.*s, From %.*s", SLICE_ARG(domain), SLICE_ARG(author));
	else
		scan_hit(scan, "REPLY_TO_OTHER", "%.*s, From %.*s", SLICE_ARG(domain), SLICE_ARG(author));
}

void forged_fields_check(struct scan *scan, const struct forged_settings *s)
{
	struct slice author = scan->facts.author.domain, sender = scan->envelope.sender.domain;
	check_sender(scan, author);
	check_reply_to(scan, s, author);
	if (author.len > 0 && sender.len > 0 && !forged_same_organisation(sender, author))
		scan_hit(scan, "RETURN_PATH_OTHER", "%.*s, From %.*s", SLICE_ARG(sender), SLICE_ARG(author));
}
