#include "policy/verdict.h"

#include <math.h>

#include "policy/listed.h"
#include "policy/policy.h"
#include "policy/reply_text.h"

static const struct mailbox *mailbox_of(const struct verdict_input *in, int recipient)
{
	return recipient < 0 ? NULL : &in->envelope->recipients[recipient].mailbox;
}

static const struct config_policy *find_policy(const struct verdict_input *in, int recipient, bool shadow)
{
	return policy_find(in->snapshot->config, in->client, &in->envelope->sender, mailbox_of(in, recipient), shadow);
}

const struct config_policy *policy_for(const struct verdict_input *in, int recipient)
{
	return find_policy(in, recipient, false);
}

/* ---- weighing */

/* What no list of friends outweighs. */
static bool is_firm(const struct hit *hit)
{
	static const char *const firm[] = { "relay", "rate", "sender_login", "clamd" };
	for (size_t i = 0; hit->filter != NULL && i < sizeof(firm) / sizeof(*firm); i++)
		if (strcmp(hit->filter, firm[i]) == 0)
			return true;
	return false;
}

static bool is_relay(const struct hit *hit)
{
	return hit->filter != NULL && strcmp(hit->filter, "relay") == 0;
}

double policy_score(const struct config_policy *policy, const struct hit *hit)
{
	const struct policy_symbol *s = policy != NULL ? policy_symbol(policy, slice_str(hit->symbol)) : NULL;
	return s != NULL && s->has_score ? s->score : hit->score;
}

bool policy_is_off(const struct config_policy *policy, const struct hit *hit)
{
	return policy != NULL && policy_skips(policy, hit->filter);
}

static enum action own_action(const struct config_policy *policy, const struct hit *hit)
{
	const struct policy_symbol *s = is_relay(hit) ? NULL : policy_symbol(policy, slice_str(hit->symbol));
	if (s != NULL && s->has_action)
		return s->action;
	/* Thrown away is only what the policy names so. */
	return hit->action == ACTION_DISCARD ? ACTION_QUARANTINE : hit->action;
}

struct weighed {
	double score;
	enum action action;       /* the strongest of a hit's own */
	const struct hit *hit;    /* whose it is */
	const struct hit *wait;   /* GREYLIST_WAIT */
	const struct hit *asks;   /* whose action is greylist: of senders that wait */
};

struct weighing {
	const struct config_policy *policy;
	int recipient;
	enum phase upto;
	bool role;                /* what was found before HEADERS doesn't refuse it, nor help to */
	bool allowed;             /* only firm actions count */
};

static bool counts(const struct verdict_input *in, const struct weighing *w, const struct hit *h)
{
	return (!h->shadow || h == in->with) && h != in->without && h->phase <= w->upto &&
	       (h->recipient == -1 || h->recipient == w->recipient) && !policy_skips(w->policy, h->filter);
}

static struct weighed weigh(const struct verdict_input *in, const struct weighing *w)
{
	struct weighed sum = { 0 };
	for (size_t i = 0; i < in->hits->count; i++) {
		const struct hit *h = &in->hits->list[i];
		if (!counts(in, w, h))
			continue;
		double score = policy_score(w->policy, h);
		bool early = w->role && h->phase < PHASE_HEADERS && h->recipient == -1 && !is_relay(h);
		if (!early || score < 0)
			sum.score += score;
		if (strcmp(h->symbol, "GREYLIST_WAIT") == 0)
			sum.wait = h;
		enum action action = own_action(w->policy, h);
		bool spared = early || (w->allowed && !is_firm(h));
		if (!spared && action == ACTION_GREYLIST && h != sum.wait) {
			sum.asks = h;
		} else if (!spared && action > ACTION_ACCEPT && action > sum.action) {
			sum.action = action;
			sum.hit = h;
		}
	}
	if (sum.asks != NULL && sum.wait != NULL && sum.action < ACTION_GREYLIST) {
		sum.action = ACTION_GREYLIST;
		sum.hit = sum.wait;
	}
	sum.score = round(sum.score * 1000) / 1000;
	return sum;
}

/* ---- words */

/* What a client is told when nobody said it better (RFC 3463, RFC 7372). */
static const struct {
	const char *key;
	struct refusal reply;
} usual[ACTIONS] = {
	[ACTION_GREYLIST] = { "greylist", { 451, "4.7.1", { "Greylisted, please try again later", 34 } } },
	[ACTION_DEFER] = { "defer", { 451, "4.7.1", { "Please try again later", 22 } } },
	[ACTION_REJECT] = { "reject", { 554, "5.7.1", { "Message refused as spam", 23 } } },
};
static const struct refusal denied = { 550, "5.7.1", { "Sender refused by local policy", 30 } };

/* Where a policy makes a refusal of a finding that has no words of its own
 * (RFC 7372, RFC 7505, RFC 3463): for now with 451 4.…, for good with 550 5.… */
static const struct {
	const char *prefix, *later, *never;
	struct slice text;
} by_method[] = {
	{ "SPF_TEMPERROR", "4.7.24", "5.7.24", { "SPF can't be checked", 20 } },
	{ "SPF_PERMERROR", "4.7.24", "5.7.24", { "The SPF record can't be read", 28 } },
	{ "SPF_", "4.7.23", "5.7.23", { "SPF does not permit this client", 31 } },
	{ "DKIM_", "4.7.20", "5.7.20", { "No passing DKIM signature", 25 } },
	{ "DMARC_", "4.7.26", "5.7.26", { "Refused by the policy of the author's domain", 44 } },
	{ "IPREV_", "4.7.25", "5.7.25", { "The client's reverse DNS name is not right", 42 } },
	{ "ARC_", "4.7.29", "5.7.29", { "The chain of forwarders does not verify", 39 } },
	{ "SENDER_NULL_MX", "4.7.27", "5.7.27", { "The sender's domain takes no mail", 33 } },
	{ "CLAMD_FOUND", "4.7.0", "5.7.0", { "Message contains malware", 24 } },
};

static struct refusal usual_for(const struct verdict *v, const struct refusal *fallback)
{
	bool later = v->action == ACTION_DEFER;
	for (size_t i = 0; v->decisive != NULL && i < sizeof(by_method) / sizeof(*by_method); i++)
		if ((later || v->action == ACTION_REJECT) &&
		    slice_starts(slice_str(v->decisive->symbol), slice_str(by_method[i].prefix)))
			return (struct refusal){ later ? 451 : 550, later ? by_method[i].later : by_method[i].never,
						 by_method[i].text };
	return *fallback;
}

static struct slice number(const struct verdict_input *in, double n)
{
	return arena_printf(in->arena, "%.1f", n);
}

static struct refusal fill_in(const struct verdict_input *in, const struct verdict *v, const struct refusal *reply,
			      int recipient)
{
	char ip[IP_TEXT_MAX];
	const struct mailbox *to = mailbox_of(in, recipient);
	const struct hit *hit = v->decisive;
	const struct reply_value values[] = {
		{ "id", slice_str(in->id) }, { "symbol", slice_str(hit ? hit->symbol : NULL) },
		{ "describe", slice_str(hit ? hit->describe : NULL) }, { "evidence", hit ? hit->evidence : SLICE_EMPTY },
		{ "score", number(in, v->score) }, { "required", number(in, v->required) },
		{ "policy", v->policy->title }, { "sender", in->envelope->sender.text },
		{ "recipient", to ? to->text : SLICE_EMPTY },
		{ "client", slice_str(ip_text(&in->client->ip, ip)) },
		{ "hostname", in->snapshot->config->top ? in->snapshot->config->top->hostname : SLICE_EMPTY },
		{ NULL, SLICE_EMPTY },
	};
	return (struct refusal){ reply->code, reply->enhanced, reply_text(in->arena, reply->text, values) };
}

static bool fits(const struct refusal *reply, enum action action)
{
	return reply->code != 0 && (reply->code >= 500) == (action == ACTION_REJECT);
}

/* The policy's words for the symbol, the hit's own, the policy's for the
 * action, the usual ones: the first there are. */
static void word(const struct verdict_input *in, struct verdict *v, const char *key, const struct refusal *fallback,
		 int recipient)
{
	const struct policy_symbol *s = NULL;
	if (v->decisive != NULL)
		s = policy_symbol(v->policy, slice_str(v->decisive->symbol));
	if (s != NULL && fits(&s->reply, v->action)) {
		v->refusal = fill_in(in, v, &s->reply, recipient);
		return;
	}
	if (v->decisive != NULL && fits(&v->decisive->refusal, v->action)) {
		v->refusal = v->decisive->refusal;
		return;
	}
	s = policy_symbol(v->policy, slice_str(key));
	v->refusal = s != NULL && s->reply.code != 0 ? fill_in(in, v, &s->reply, recipient) :
		     usual_for(v, fallback);
}

static void conclude(const struct verdict_input *in, struct verdict *v, enum action action, const struct hit *hit,
		     int recipient)
{
	v->action = action;
	v->decisive = hit;
	v->redirect = action == ACTION_REDIRECT ? v->policy->redirect_to : SLICE_EMPTY;
	if (usual[action].key != NULL)
		word(in, v, usual[action].key, &usual[action].reply, recipient);
}

/* ---- for one recipient */

static bool refuses(enum action action)
{
	return action == ACTION_GREYLIST || action == ACTION_DEFER || action == ACTION_REJECT;
}

static void deny(const struct verdict_input *in, struct verdict *v, const struct listed *l, int recipient)
{
	v->action = ACTION_REJECT;
	v->why = arena_printf(in->arena, "list %.*s: %.*s", SLICE_ARG(l->list), SLICE_ARG(l->entry));
	word(in, v, "deny", &denied, recipient);
}

static struct slice symbol_why(const struct verdict_input *in, const struct weighed *sum)
{
	const struct hit *hit = sum->hit == sum->wait && sum->asks != NULL ? sum->asks : sum->hit;
	return arena_copy(in->arena, slice_str(hit->symbol));
}

/* What this policy does at RCPT. */
static void rcpt_under(const struct verdict_input *in, const struct config_policy *policy, int recipient, bool role,
		       struct verdict *v)
{
	*v = (struct verdict){ .action = ACTION_ACCEPT, .policy = policy, .required = policy->tag };
	struct listed list = listed_in(in, policy);
	const struct weighing w = { policy, recipient, PHASE_RCPT, role, list.allowed };
	struct weighed sum = weigh(in, &w);
	v->score = sum.score;
	if (refuses(sum.action)) {
		conclude(in, v, sum.action, sum.hit, recipient);
		v->why = symbol_why(in, &sum);
	} else if (list.denied && !role) {
		deny(in, v, &list, recipient);
	}
}

/* Under a policy that is not enforced only relaying is still refused. */
static void unenforced(const struct verdict_input *in, struct verdict *v, int recipient, enum phase upto)
{
	const struct weighing w = { v->policy, recipient, upto, false, true };
	struct weighed sum = weigh(in, &w);
	if (sum.hit != NULL && is_relay(sum.hit))
		return;
	v->shadow_policy = v->policy;
	v->would = v->action;
	v->action = ACTION_ACCEPT;
	v->decisive = NULL;
	v->refusal = (struct refusal){ 0 };
	v->redirect = SLICE_EMPTY;
	v->why = SLICE_EMPTY;
}

/* What a policy in shadow, narrower than the one that decides, would have done. */
static void note_shadow(struct verdict *v, const struct verdict *would)
{
	if (would->action == v->action)
		return;
	v->shadow_policy = would->policy;
	v->would = would->action;
}

static enum action by_score(const struct config_policy *p, const struct weighed *sum)
{
	const struct {
		double from;
		enum action action;
	} steps[] = {
		{ p->discard, ACTION_DISCARD }, { p->reject, ACTION_REJECT }, { p->quarantine, ACTION_QUARANTINE },
		{ p->redirect, ACTION_REDIRECT },
		{ sum->wait != NULL ? p->greylist : -1, ACTION_GREYLIST }, { p->tag, ACTION_TAG },
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (steps[i].from >= 0 && sum->score >= steps[i].from)
			return steps[i].action;
	return ACTION_ACCEPT;
}

static double from_score(const struct config_policy *p, enum action action)
{
	const double from[ACTIONS] = {
		[ACTION_TAG] = p->tag, [ACTION_GREYLIST] = p->greylist, [ACTION_REDIRECT] = p->redirect,
		[ACTION_QUARANTINE] = p->quarantine, [ACTION_REJECT] = p->reject, [ACTION_DISCARD] = p->discard,
	};
	return from[action];
}

static void end_under(const struct verdict_input *in, const struct config_policy *policy, int recipient, bool role,
		      struct verdict *v)
{
	*v = (struct verdict){ .action = ACTION_ACCEPT, .policy = policy, .required = policy->tag };
	struct listed list = listed_in(in, policy);
	const struct weighing w = { policy, recipient, PHASE_END, role, list.allowed };
	struct weighed sum = weigh(in, &w);
	enum action scored = list.allowed ? ACTION_ACCEPT : by_score(policy, &sum);
	v->score = sum.score;
	if (list.allowed && sum.action <= ACTION_ACCEPT) {
		v->why = arena_printf(in->arena, "list %.*s: %.*s", SLICE_ARG(list.list), SLICE_ARG(list.entry));
	} else if (list.denied && !role && sum.action < ACTION_REJECT) {
		deny(in, v, &list, recipient);
	} else if (sum.hit != NULL && sum.action >= scored) {
		conclude(in, v, sum.action, sum.hit, recipient);
		v->why = symbol_why(in, &sum);
	} else if (scored != ACTION_ACCEPT) {
		conclude(in, v, scored, scored == ACTION_GREYLIST ? sum.wait : NULL, recipient);
		v->why = arena_printf(in->arena, "score %.1f, %s from %.1f", v->score, action_name(scored),
				      from_score(policy, scored));
	}
}

/* ---- what is done, and what shadows would do */

typedef void under_fn(const struct verdict_input *in, const struct config_policy *policy, int recipient, bool role,
		      struct verdict *v);

static const struct config_list *shadow_list(const struct config_list *const *lists)
{
	while (lists != NULL && *lists != NULL && !(*lists)->shadow)
		lists++;
	return lists != NULL ? *lists : NULL;
}

/* What the policy's lists in shadow would have changed. */
static void note_lists(const struct verdict_input *in, const struct config_policy *policy, int recipient, bool role,
		       under_fn *under, struct verdict *v)
{
	const struct policy_made *made = policy->made;
	struct verdict_input what_if = *in;
	struct verdict would;
	if (made == NULL || (shadow_list(made->allow) == NULL && shadow_list(made->deny) == NULL))
		return;
	what_if.with_lists = true;
	struct listed list = listed_in(&what_if, policy);
	under(&what_if, policy, recipient, role, &would);
	if (would.action == v->action || list.list.len == 0)
		return;
	v->shadow_list = list.list;
	v->would = would.action;
}

static void decide(const struct verdict_input *in, int recipient, bool role, enum phase upto, under_fn *under,
		   struct verdict *v)
{
	const struct config_policy *policy = policy_for(in, recipient);
	const struct config_policy *shadow = find_policy(in, recipient, true);
	struct verdict would;
	under(in, policy, recipient, role, v);
	if (policy->shadow) {
		unenforced(in, v, recipient, upto);
		return;
	}
	if (shadow != policy) {
		under(in, shadow, recipient, role, &would);
		note_shadow(v, &would);
	}
	if (v->shadow_policy == NULL)
		note_lists(in, policy, recipient, role, under, v);
}

void verdict_at_rcpt(const struct verdict_input *in, size_t recipient, bool role_address, struct verdict *verdict_r)
{
	decide(in, (int)recipient, role_address, PHASE_RCPT, rcpt_under, verdict_r);
}

void verdict_for(const struct verdict_input *in, int recipient, struct verdict *verdict_r)
{
	bool role = recipient >= 0 && in->envelope->recipients[recipient].role;
	decide(in, recipient, role, PHASE_END, end_under, verdict_r);
}

/* ---- for all of them */

bool verdict_can_share(const struct verdict_input *in, size_t recipient)
{
	const struct config_policy *policy = policy_for(in, (int)recipient);
	for (size_t i = 0; i < in->envelope->recipient_count; i++) {
		if (i == recipient || !in->envelope->recipients[i].accepted || in->client->submission)
			continue;
		const struct config_policy *other = policy_for(in, (int)i);
		if (in->apart ? other != policy : !policy_can_share(policy, other))
			return false;
	}
	return true;
}

/* The policy's words, or the usual ones. */
static struct refusal worded(const struct verdict_input *in, const struct verdict *v, const char *key,
			     const struct refusal *fallback, int recipient)
{
	const struct policy_symbol *s = policy_symbol(v->policy, slice_str(key));
	return s != NULL && s->reply.code != 0 ? fill_in(in, v, &s->reply, recipient) : *fallback;
}

struct refusal verdict_other_message(const struct verdict_input *in, size_t recipient)
{
	static const struct refusal usual_words = { 452, "4.5.3", { "Send to this recipient in another message", 41 } };
	const struct config_policy *policy = policy_for(in, (int)recipient);
	const struct verdict v = { .action = ACTION_DEFER, .policy = policy, .required = policy->tag };
	return worded(in, &v, "other-message", &usual_words, (int)recipient);
}

static const struct refusal apart = { 451, "4.5.3", { "Recipients' policies differ, please try again", 45 } };

void verdict_at_end(const struct verdict_input *in, struct verdict *verdict_r)
{
	struct verdict one;
	bool any = false, differ = false;
	for (size_t i = 0; i < in->envelope->recipient_count; i++) {
		if (!in->envelope->recipients[i].accepted)
			continue;
		verdict_for(in, (int)i, &one);
		differ = differ || (any && one.action != verdict_r->action);
		if (!any || one.action > verdict_r->action)
			*verdict_r = one;
		any = true;
	}
	if (!any)
		verdict_for(in, -1, verdict_r);
	if (!differ || in->client->submission)
		return;
	verdict_r->action = ACTION_DEFER;
	verdict_r->decisive = NULL;
	verdict_r->redirect = SLICE_EMPTY;
	verdict_r->refusal = worded(in, verdict_r, "disagree", &apart, -1);
	verdict_r->disagreement = true;
	verdict_r->why = SLICE("the recipients' policies differ");
}
