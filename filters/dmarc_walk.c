#include "filters/dmarc_walk.h"

/* From a name of this many labels or more the walk goes straight to one
 * label less than it (RFC 9989 4.10, step 4). */
#define LONG_NAME 8

size_t dmarc_labels(struct slice domain)
{
	size_t labels = domain.len > 0;
	for (size_t i = 0; i < domain.len; i++)
		labels += domain.data[i] == '.';
	return labels;
}

struct slice dmarc_last_labels(struct slice domain, size_t labels)
{
	size_t at = domain.len;
	while (at > 0) {
		if (domain.data[at - 1] == '.' && --labels == 0)
			break;
		at--;
	}
	return slice_from(domain, at);
}

bool dmarc_is_below(struct slice domain, struct slice parent)
{
	return slice_ends_nocase(domain, parent) &&
	       (domain.len == parent.len || domain.data[domain.len - parent.len - 1] == '.');
}

static void add_target(struct dmarc_walk *walk, struct slice domain)
{
	walk->targets[walk->count++] = (struct dmarc_target){ .domain = domain };
}

void dmarc_walk_begin(struct dmarc_walk *walk, struct slice domain)
{
	size_t labels = dmarc_labels(domain);
	walk->count = 0;
	add_target(walk, domain);
	for (size_t n = labels < LONG_NAME ? labels - 1 : LONG_NAME - 1; n > 0; n--)
		add_target(walk, dmarc_last_labels(domain, n));
}

void dmarc_walk_begin_pair(struct dmarc_walk *walk, struct slice domain, struct slice organisational)
{
	walk->count = 0;
	add_target(walk, domain);
	if (!slice_eq(domain, organisational))
		add_target(walk, organisational);
}

enum dmarc_found dmarc_read_answer(struct arena *arena, const struct answer *answer,
				   struct dmarc_record *record_r)
{
	size_t found = 0;
	if (answer == NULL)
		return DMARC_PENDING;
	if (answer->status == ANSWER_TEMPERROR)
		return DMARC_UNKNOWN;
	for (size_t i = 0; answer->status == ANSWER_FOUND && i < answer->count; i++) {
		struct dmarc_record record;
		if (!dmarc_record_parse(dns_txt(arena, answer->records[i]), &record))
			continue;
		if (found++ == 0)
			*record_r = record;
	}
	return found == 1 ? DMARC_RECORD : DMARC_NO_RECORD;
}

void dmarc_walk_ask(struct dmarc_walk *walk, struct arena *arena, struct questions *questions,
		    enum phase needed)
{
	for (size_t i = 0; i < walk->count; i++) {
		struct dmarc_target *t = &walk->targets[i];
		if (t->found != DMARC_PENDING)
			continue;
		struct slice name = arena_printf(arena, "_dmarc.%.*s", SLICE_ARG(t->domain));
		const struct answer *answer = ask_dns(questions, name, DNS_TXT, needed);
		t->found = dmarc_read_answer(arena, answer, &t->record);
		if (t->found == DMARC_UNKNOWN)
			t->why = answer->why ? answer->why : "temporary error";
	}
}

/* A target that is not known, or not yet, keeps the walk from ending. */
static enum dmarc_walk_state not_known(const struct dmarc_target *t, struct dmarc_outcome *outcome_r)
{
	outcome_r->why = t->why;
	outcome_r->unknown = t->domain;
	return t->found == DMARC_PENDING ? DMARC_WALK_NEED : DMARC_WALK_UNKNOWN;
}

/*
 * RFC 9989 4.10.2: psd=n is it; one label below a psd=y that isn't where the
 * walk began is it; else the record with the fewest labels; else the start.
 */
enum dmarc_walk_state dmarc_walk_conclude(const struct dmarc_walk *walk, struct dmarc_outcome *outcome_r)
{
	const struct dmarc_target *start = &walk->targets[0], *organisational = NULL, *suffix = NULL;
	*outcome_r = (struct dmarc_outcome){ 0 };
	for (size_t i = 0; i < walk->count; i++) {
		const struct dmarc_target *t = &walk->targets[i];
		if (t->found == DMARC_PENDING || t->found == DMARC_UNKNOWN)
			return not_known(t, outcome_r);
		if (t->found == DMARC_NO_RECORD)
			continue;
		if (t->record.psd == DMARC_PSD_YES && t != start)
			suffix = t;
		else
			organisational = t;
		if (t->record.psd != DMARC_PSD_UNKNOWN)
			break;
	}
	if (suffix != NULL) {
		struct slice below = dmarc_last_labels(start->domain, dmarc_labels(suffix->domain) + 1);
		outcome_r->organisational = below;
		if (organisational != NULL && !slice_eq(organisational->domain, below))
			organisational = NULL;
	} else {
		outcome_r->organisational = organisational ? organisational->domain : start->domain;
	}
	outcome_r->policy = start->found == DMARC_RECORD ? start : organisational ? organisational : suffix;
	return DMARC_WALK_DONE;
}

enum dmarc_walk_state dmarc_pair_conclude(const struct dmarc_walk *walk, struct dmarc_outcome *outcome_r)
{
	const struct dmarc_target *last = &walk->targets[walk->count - 1];
	*outcome_r = (struct dmarc_outcome){ .organisational = last->domain };
	for (const struct dmarc_target *t = walk->targets; t <= last; t++) {
		if (t->found == DMARC_PENDING || t->found == DMARC_UNKNOWN)
			return not_known(t, outcome_r);
		if (t->found == DMARC_RECORD) {
			outcome_r->policy = t;
			return DMARC_WALK_DONE;
		}
	}
	return DMARC_WALK_DONE;
}
