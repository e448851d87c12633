#include "policy/verdict.h"

#include <math.h>

#define DEFAULT_TAG 5.0    /* SpamAssassin's required_score */
#define DEFAULT_REJECT 12.0

static const struct config_policy default_policy = {
	.title = { "default", 7 }, .tag = DEFAULT_TAG, .quarantine = -1, .reject = DEFAULT_REJECT, .greylist = -1,
};

const struct config_policy *policy_for(const struct verdict_input *in, int recipient)
{
	const struct config *config = in->snapshot->config;
	(void)recipient;
	for (size_t i = 0; i < config->policy_count; i++)
		if (slice_eq(config->policies[i].title, SLICE("default")))
			return &config->policies[i];
	return &default_policy;
}

static bool concerns(const struct hit *hit, int recipient)
{
	return hit->recipient == -1 || hit->recipient == recipient;
}

static const struct hit *strongest(const struct verdict_input *in, int recipient, enum phase upto)
{
	const struct hit *best = NULL;
	for (size_t i = 0; i < in->hits->count; i++) {
		const struct hit *h = &in->hits->list[i];
		if (h->shadow || h->phase > upto || !concerns(h, recipient) || h->action <= ACTION_ACCEPT)
			continue;
		if (best == NULL || h->action > best->action)
			best = h;
	}
	return best;
}

/* What a client is told when nobody said it better (RFC 3463, RFC 7372). */
static const struct refusal fallback[ACTIONS] = {
	[ACTION_GREYLIST] = { 451, "4.7.1", { "Greylisted, please try again later", 34 } },
	[ACTION_DEFER] = { 451, "4.7.1", { "Please try again later", 22 } },
	[ACTION_REJECT] = { 554, "5.7.1", { "Message refused as spam", 23 } },
};

static void conclude(struct verdict *v, enum action action, const struct hit *hit)
{
	v->action = action;
	v->decisive = hit;
	v->refusal = fallback[action];
	if (hit != NULL && hit->refusal.code != 0)
		v->refusal = hit->refusal;
}

/* Decided at RCPT: what refuses before the content is sent. */
static bool refuses(enum action action)
{
	return action == ACTION_GREYLIST || action == ACTION_DEFER || action == ACTION_REJECT;
}

void verdict_at_rcpt(const struct verdict_input *in, size_t recipient, bool role_address,
		     struct verdict *verdict_r)
{
	*verdict_r = (struct verdict){ .action = ACTION_ACCEPT, .policy = policy_for(in, (int)recipient) };
	verdict_r->required = verdict_r->policy->tag;
	const struct hit *best = NULL;
	for (size_t i = 0; i < in->hits->count; i++) {
		const struct hit *h = &in->hits->list[i];
		bool spared = role_address && h->phase != PHASE_RCPT;
		if (h->shadow || h->phase > PHASE_RCPT || !concerns(h, (int)recipient) || spared)
			continue;
		verdict_r->score += h->score;
		if (refuses(h->action) && (best == NULL || h->action > best->action))
			best = h;
	}
	if (best != NULL)
		conclude(verdict_r, best->action, best);
}

static enum action by_score(const struct config_policy *p, double score)
{
	if (p->reject >= 0 && score >= p->reject)
		return ACTION_REJECT;
	if (p->quarantine >= 0 && score >= p->quarantine)
		return ACTION_QUARANTINE;
	if (p->greylist >= 0 && score >= p->greylist)
		return ACTION_GREYLIST;
	if (p->tag >= 0 && score >= p->tag)
		return ACTION_TAG;
	return ACTION_ACCEPT;
}

/* A recipient's own hits count for it at RCPT; those of a refused one not at all. */
static double total_score(const struct hits *hits)
{
	double score = 0;
	for (size_t i = 0; i < hits->count; i++)
		if (!hits->list[i].shadow && hits->list[i].recipient == -1)
			score += hits->list[i].score;
	return round(score * 1000) / 1000;
}

void verdict_at_end(const struct verdict_input *in, struct verdict *verdict_r)
{
	const struct config_policy *policy = policy_for(in, -1);
	*verdict_r = (struct verdict){ .policy = policy, .score = total_score(in->hits), .required = policy->tag };
	enum action action = by_score(policy, verdict_r->score);
	const struct hit *hit = strongest(in, -1, PHASE_END);
	if (hit != NULL && hit->action >= action)
		conclude(verdict_r, hit->action, hit);
	else
		conclude(verdict_r, action, NULL);
}
