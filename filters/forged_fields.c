/* The syntax of From, and the other fields that say whose mail it is. */
#include "filters/author.h"
#include "filters/forged.h"
#include "message/skeleton.h"

static bool holds_address(const struct mailbox_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].mailbox.domain.len > 0)
			return true;
	return false;
}

static void found(void *arg, struct slice local, struct slice domain)
{
	bool *any = arg;
	*any = *any || (local.len > 0 && slice_chr(domain, '.') != SLICE_NPOS);
}

/* There is no address, but a mail reader shows what looks like one: in a name
 * that stands alone, with a wide @, in a domain that is none. */
static bool shows_address(struct scan *scan, const struct forged_from *from)
{
	bool any = false;
	struct slice value = from->values[0];
	mailbox_list_careless(scan->arena, value, found, &any);
	if (!any)
		mailbox_list_careless(scan->arena, skeleton_text(scan->arena, value), found, &any);
	return any;
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
	else if (!holds_address(&from->lists[0]) && !(from->problems & MAILBOX_ENCODED_ADDRESS) &&
		 !shows_address(scan, from))
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

#define FIELDS_MAX 8   /* of one name, looked at */
#define ENTRIES_MAX 16 /* of a field */

/* All fields of a name, read one after the other. */
struct fields {
	struct mailbox_list lists[FIELDS_MAX];
	size_t count;
	bool malformed;
	struct slice first;   /* the first one's value */
};

static void read_fields(struct scan *scan, struct slice name, struct fields *fields)
{
	const struct header *h;
	enum author_spelling spelling;
	*fields = (struct fields){ 0 };
	while (fields->count < FIELDS_MAX &&
	       (h = author_field(&scan->message, name, fields->count, &spelling)) != NULL) {
		struct slice value = author_field_value(h);
		struct mailbox_list *list = &fields->lists[fields->count++];
		mailbox_list_parse(scan->arena, value, list);
		fields->malformed |= spelling != AUTHOR_PLAIN || (list->problems & MAILBOX_DOUBTFUL);
		if (fields->count == 1)
			fields->first = slice_trim(value);
	}
	fields->malformed |= fields->count > 1;
}

/* Whom the mail claims to be from, beside its author. */
struct other {
	struct slice domain;      /* the first one of another organisation; empty: none */
	struct slice lookalike;   /* the first one that looks like From, ours or a protected one */
	struct mailbox ours;      /* the first one of ours */
};

static void judge_mailbox(struct scan *scan, const struct forged_settings *s, const struct mailbox *m,
			  struct other *other)
{
	struct slice author = scan->facts.author.domain;
	bool ours;
	if (m->domain.len == 0)
		return;
	if (other->ours.domain.len == 0 && forged_is_own(scan, m->domain))
		other->ours = *m;
	if (author.len == 0 || forged_same_organisation(m->domain, author))
		return;
	if (other->domain.len == 0)
		other->domain = m->domain;
	if (other->lookalike.len == 0 && (forged_looks_like(scan->arena, m->domain, author) ||
					  forged_lookalike(scan, s, m->domain, &ours).len > 0))
		other->lookalike = m->domain;
}

static struct other judge_fields(struct scan *scan, const struct forged_settings *s, const struct fields *fields)
{
	struct other other = { 0 };
	size_t seen = 0;
	for (size_t f = 0; f < fields->count; f++)
		for (size_t i = 0; i < fields->lists[f].count && seen < ENTRIES_MAX; i++, seen++)
			judge_mailbox(scan, s, &fields->lists[f].items[i].mailbox, &other);
	return other;
}

static void note_other(struct scan *scan, const char *lookalike, const char *symbol, const struct other *other)
{
	struct slice author = scan->facts.author.domain;
	bool looks = other->lookalike.len > 0;
	if (other->domain.len > 0)
		scan_hit(scan, looks ? lookalike : symbol, "%.*s, From %.*s",
			 SLICE_ARG(looks ? other->lookalike : other->domain), SLICE_ARG(author));
}

static void check_sender(struct scan *scan, const struct forged_settings *s)
{
	struct fields fields;
	read_fields(scan, SLICE("Sender"), &fields);
	if (fields.count == 0)
		return;
	struct other other = judge_fields(scan, s, &fields);
	if (fields.malformed || fields.lists[0].count != 1 || fields.lists[0].items[0].mailbox.domain.len == 0)
		scan_hit(scan, "SENDER_MALFORMED", "%.*s", SLICE_ARG(fields.first));
	note_other(scan, "SENDER_LOOKALIKE", "SENDER_OTHER", &other);
	if (other.ours.domain.len > 0 && !forged_is_own(scan, scan->facts.author.domain) &&
	    forged_from_outside(scan))
		scan_hit(scan, "SENDER_OURS", "%.*s", SLICE_ARG(other.ours.text));
}

static void check_reply_to(struct scan *scan, const struct forged_settings *s)
{
	struct fields fields;
	read_fields(scan, SLICE("Reply-To"), &fields);
	struct other other = judge_fields(scan, s, &fields);
	if (fields.malformed)
		scan_hit(scan, "REPLY_TO_MALFORMED", "%.*s", SLICE_ARG(fields.first));
	note_other(scan, "REPLY_TO_LOOKALIKE", "REPLY_TO_OTHER", &other);
}

void forged_fields_check(struct scan *scan, const struct forged_settings *s)
{
	struct slice author = scan->facts.author.domain, sender = scan->envelope.sender.domain;
	check_sender(scan, s);
	check_reply_to(scan, s);
	if (author.len > 0 && sender.len > 0 && !forged_same_organisation(sender, author))
		scan_hit(scan, "RETURN_PATH_OTHER", "%.*s, From %.*s", SLICE_ARG(sender), SLICE_ARG(author));
}
