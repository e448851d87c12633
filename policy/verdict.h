#ifndef GATEHOUSE_POLICY_VERDICT_H
#define GATEHOUSE_POLICY_VERDICT_H
/*
 * verdict: what is to happen, made of all hits so far. Pure: the same hits
 * under the same policy give the same verdict at every door.
 *
 * The sum of the scores of all hits that count, and the strongest action of a
 * hit of its own, are weighed: the stronger of what each asks for is done. A
 * hit in shadow does not count, nor one of a filter that the policy skips.
 * Who stands in a list of policy.allow is accepted whatever the hits say, but
 * not what relay, rate, sender_login and clamd refuse; who stands in one of
 * policy.deny is refused.
 *
 * Greylisting by score asks only senders to come again of whom the filter
 * greylist says that they are not known yet (GREYLIST_WAIT); likewise where the
 * action of a symbol is greylist.
 */
#include "message/envelope.h"
#include "message/facts.h"
#include "message/hit.h"
#include "policy/snapshot.h"

struct verdict {
	enum action action;          /* never ACTION_NONE */
	double score;                /* sum of the enforced hits */
	double required;             /* score at which the policy tags (SpamAssassin's "required") */
	struct refusal refusal;      /* action greylist, defer, reject: code != 0 */
	struct slice redirect;       /* action redirect: the address that gets it instead; else empty */
	const struct hit *decisive;  /* the hit that decided, or NULL: the score did */
	const struct config_policy *policy;
	struct slice why;            /* for people: "score 13.1, reject from 12", "SPF_FAIL", "list vip: example.org" */
	bool disagreement;           /* the recipients' policies differ: they have to come one by one */
	/* What a policy in shadow, or a list in shadow, would have done; NULL, empty: there is none, or no difference. */
	const struct config_policy *shadow_policy;
	struct slice shadow_list;
	enum action would;
};

struct verdict_input {
	const struct snapshot *snapshot;
	const struct client *client;
	const struct envelope *envelope;
	const struct hits *hits;
	struct arena *arena;         /* for texts */
	const struct facts *facts;   /* NULL: nobody is vouched for */
	const char *id;              /* for {id} in texts, or NULL */
	const struct hit *without;   /* left out: what if it had not been found; or NULL */
	const struct hit *with;      /* counted though it is in shadow: what if; or NULL */
	bool with_lists;             /* lists in shadow count: what if */
	bool apart;                  /* this sender's recipients disagreed before: no sharing at all */
};

/*
 * At RCPT: may this recipient be accepted? What CONNECT, HELO, MAIL and this
 * RCPT found with an action of its own; scores are not weighed yet.
 * role_address: postmaster or abuse of a domain of ours, which only a relay
 * refusal may keep out (RFC 5321 4.5.1, RFC 2142).
 */
void verdict_at_rcpt(const struct verdict_input *in, size_t recipient, bool role_address,
		     struct verdict *verdict_r);
/* At RCPT: this recipient may be in one transaction with those accepted
 * before. False: 452 4.5.3, it has to come in another (DESIGN 4). */
bool verdict_can_share(const struct verdict_input *in, size_t recipient);
/* What is said then. */
struct refusal verdict_other_message(const struct verdict_input *in, size_t recipient);

/*
 * At END, for all accepted recipients, or for the envelope as such if there
 * are none. One answer has to be true for each of them: where their policies
 * want different things, it is 451 and disagreement is set; on submission the
 * strictest is done.
 */
void verdict_at_end(const struct verdict_input *in, struct verdict *verdict_r);
/* At END, for one of them (-1: for the envelope as such). */
void verdict_for(const struct verdict_input *in, int recipient, struct verdict *verdict_r);

/* The policy for this recipient (index, or -1: whatever the recipient). */
const struct config_policy *policy_for(const struct verdict_input *in, int recipient);
/* The score that a hit has under a policy; its own under none (NULL). */
double policy_score(const struct config_policy *policy, const struct hit *hit);
/* It doesn't count there, for its filter is off. */
bool policy_is_off(const struct config_policy *policy, const struct hit *hit);

#endif
