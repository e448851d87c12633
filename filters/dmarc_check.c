#include "filters/dmarc_check.h"

#include "base/psl.h"

/* Identifiers that can have a walk of their own: a mail seldom has more than
 * two below the author's organisational domain. */
#define WALKS_MAX 12

struct dmarc_check {
	struct arena *arena;
	struct questions *questions;
	struct dmarc_request request;
	struct dmarc_walk author;
	struct dmarc_walk *walks[WALKS_MAX];
	size_t walk_count;
};

enum alignment { NOT_ALIGNED, ALIGNED, ALIGNMENT_UNKNOWN, ALIGNMENT_NEED };

static void ask(struct dmarc_check *c, struct dmarc_walk *walk)
{
	dmarc_walk_ask(walk, c->arena, c->questions, c->request.needed);
}

static const struct answer *ask_existence(struct dmarc_check *c)
{
	return ask_dns(c->questions, c->request.author, DNS_A, c->request.needed);
}

struct dmarc_check *dmarc_check_begin(struct arena *arena, struct questions *questions,
				      const struct dmarc_request *request)
{
	struct dmarc_check *c = arena_new(arena, struct dmarc_check);
	c->arena = arena;
	c->questions = questions;
	c->request = *request;
	if (request->method == DMARC_PSL)
		dmarc_walk_begin_pair(&c->author, request->author,
				      psl_organisational_or_self(request->author));
	else
		dmarc_walk_begin(&c->author, request->author);
	ask(c, &c->author);
	ask_existence(c);
	return c;
}

/* NULL: there are too many. */
static struct dmarc_walk *walk_for(struct dmarc_check *c, struct slice domain)
{
	for (size_t i = 0; i < c->walk_count; i++)
		if (slice_eq(c->walks[i]->targets[0].domain, domain))
			return c->walks[i];
	if (c->walk_count == WALKS_MAX)
		return NULL;
	struct dmarc_walk *walk = c->walks[c->walk_count++] = arena_new(c->arena, struct dmarc_walk);
	dmarc_walk_begin(walk, domain);
	return walk;
}

/* Two names of the same last two labels may have one organisational domain;
 * those that share only a top-level domain hardly ever do. */
static bool may_align(struct slice a, struct slice b)
{
	return !slice_eq(a, b) && slice_eq(dmarc_last_labels(a, 2), dmarc_last_labels(b, 2));
}

void dmarc_check_expect(struct dmarc_check *c, struct slice domain)
{
	struct dmarc_walk *walk = NULL;
	if (c->request.method == DMARC_TREE_WALK && may_align(domain, c->request.author))
		walk = walk_for(c, domain);
	if (walk != NULL)
		ask(c, walk);
}

static enum alignment organisational_alignment(struct dmarc_check *c, struct slice domain,
					       struct slice organisational)
{
	struct dmarc_outcome outcome;
	/* An organisational domain is the domain itself or above it. Where the
	 * author's is not known, it may be as short as the top-level domain. */
	bool known = organisational.len > 0;
	if (!dmarc_is_below(domain, known ? organisational : dmarc_last_labels(c->request.author, 1)))
		return NOT_ALIGNED;
	if (!known)
		return ALIGNMENT_UNKNOWN;
	if (c->request.method == DMARC_PSL)
		return slice_eq(psl_organisational_or_self(domain), organisational) ? ALIGNED : NOT_ALIGNED;
	struct dmarc_walk *walk = walk_for(c, domain);
	if (walk == NULL)
		return NOT_ALIGNED;
	ask(c, walk);
	switch (dmarc_walk_conclude(walk, &outcome)) {
	case DMARC_WALK_NEED:
		return ALIGNMENT_NEED;
	case DMARC_WALK_UNKNOWN:
		return ALIGNMENT_UNKNOWN;
	default:
		return slice_eq(outcome.organisational, organisational) ? ALIGNED : NOT_ALIGNED;
	}
}

static enum alignment alignment(struct dmarc_check *c, const struct dmarc_identifier *id,
				const struct dmarc_record *record, struct slice organisational)
{
	if (slice_eq(id->domain, c->request.author))
		return ALIGNED;
	if (id->dkim ? record->strict_dkim : record->strict_spf)
		return NOT_ALIGNED;
	return organisational_alignment(c, id->domain, organisational);
}

static struct slice look_up_problem(struct arena *arena, const struct dmarc_outcome *outcome)
{
	return arena_printf(arena, "_dmarc.%.*s: %s", SLICE_ARG(outcome->unknown),
			    outcome->why ? outcome->why : "temporary error");
}

/* All identifiers looked at: what they come to. */
struct tally {
	bool need, unknown;
	const struct dmarc_identifier *failed; /* an aligned one that could not be checked */
};

static struct tally align_all(struct dmarc_check *c, const struct dmarc_identifier *ids, size_t count,
			      const struct dmarc_record *record, struct dmarc_fact *fact)
{
	struct tally tally = { 0 };
	for (size_t i = 0; i < count; i++) {
		switch (alignment(c, &ids[i], record, fact->organisational)) {
		case ALIGNED:
			if (ids[i].unknown)
				tally.failed = &ids[i];
			else if (ids[i].dkim)
				fact->dkim_aligned = true;
			else
				fact->spf_aligned = true;
			break;
		case ALIGNMENT_NEED:
			tally.need = true;
			break;
		case ALIGNMENT_UNKNOWN:
			tally.unknown = true;
			break;
		case NOT_ALIGNED:
			break;
		}
	}
	return tally;
}

/* The published policy, and what it comes to in this mail. False: an answer
 * is needed first. */
static bool find_policy(struct dmarc_check *c, const struct dmarc_record *record, struct dmarc_fact *fact)
{
	enum dmarc_name name = DMARC_SUBDOMAIN;
	if (slice_eq(fact->policy_domain, fact->domain)) {
		name = DMARC_OWN;
	} else if (record->np != DMARC_POLICY_UNSET) {
		const struct answer *answer = ask_existence(c);
		if (answer == NULL)
			return false;
		if (answer->status == ANSWER_NXDOMAIN)
			name = DMARC_NONEXISTENT;
	}
	fact->policy = fact->disposition = dmarc_record_policy(record, name);
	fact->testing = record->testing;
	if (record->testing || (c->request.method == DMARC_PSL && c->request.sample >= record->percent))
		fact->disposition = dmarc_policy_lower(fact->policy);
	return true;
}

static enum step end(struct dmarc_fact *fact, enum auth_result result, struct slice reason)
{
	fact->result = result;
	fact->reason = reason;
	if (result != AUTH_FAIL)
		fact->disposition = DMARC_POLICY_NONE;
	return STEP_DONE;
}

static enum step judge(struct dmarc_check *c, const struct dmarc_identifier *ids, size_t count,
		       const struct dmarc_record *record, struct dmarc_fact *fact)
{
	bool known = find_policy(c, record, fact);
	struct tally tally = align_all(c, ids, count, record, fact);
	if (!known)
		return STEP_NEED;
	if (fact->dkim_aligned || fact->spf_aligned)
		return end(fact, AUTH_PASS, SLICE_EMPTY);
	if (tally.need)
		return STEP_NEED;
	if (tally.failed != NULL)
		return end(fact, AUTH_TEMPERROR,
			   arena_printf(c->arena, "%s of %.*s could not be checked",
					tally.failed->dkim ? "DKIM" : "SPF",
					SLICE_ARG(tally.failed->domain)));
	if (tally.unknown)
		return end(fact, AUTH_TEMPERROR, SLICE("an organisational domain could not be looked up"));
	return end(fact, AUTH_FAIL, SLICE("no aligned identifier"));
}

enum step dmarc_check_step(struct dmarc_check *c, const struct dmarc_identifier *ids, size_t count,
			   struct dmarc_fact *fact_r)
{
	struct dmarc_outcome outcome;
	const char *why;
	*fact_r = (struct dmarc_fact){ .domain = c->request.author };
	ask(c, &c->author);
	enum dmarc_walk_state walked = c->request.method == DMARC_PSL ?
					       dmarc_pair_conclude(&c->author, &outcome) :
					       dmarc_walk_conclude(&c->author, &outcome);
	if (walked == DMARC_WALK_NEED)
		return STEP_NEED;
	/* The author domain's own record says what to do without the rest. */
	if (walked == DMARC_WALK_UNKNOWN && c->author.targets[0].found == DMARC_RECORD)
		outcome.policy = &c->author.targets[0];
	else if (walked == DMARC_WALK_UNKNOWN)
		return end(fact_r, AUTH_TEMPERROR, look_up_problem(c->arena, &outcome));
	fact_r->organisational = outcome.organisational;
	if (outcome.policy == NULL)
		return end(fact_r, AUTH_NONE, SLICE("no record"));
	fact_r->policy_domain = outcome.policy->domain;
	struct dmarc_record record = outcome.policy->record;
	if (!dmarc_record_settle(&record, &why))
		return end(fact_r, AUTH_PERMERROR, slice_str(why));
	return judge(c, ids, count, &record, fact_r);
}
