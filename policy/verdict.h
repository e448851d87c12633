#ifndef GATEHOUSE_POLICY_VERDICT_H
#define GATEHOUSE_POLICY_VERDICT_H
/*
 * verdict: what is to happen, made of all hits so far. Pure: the same hits
 * under the same policy give the same verdict at every door.
 */
#include "message/envelope.h"
#include "message/hit.h"
#include "policy/snapshot.h"

struct verdict {
	enum action action;          /* never ACTION_NONE */
	double score;                /* sum of the enforced hits */
	double required;             /* score at which the policy tags (SpamAssassin's "required") */
	struct refusal refusal;      /* action greylist, defer, reject: code != 0; text without the id */
	const struct hit *decisive;  /* the hit that decided, or NULL: the score did */
	const struct config_policy *policy;
};

struct verdict_input {
	const struct snapshot *snapshot;
	const struct client *client;
	const struct envelope *envelope;
	const struct hits *hits;
	struct arena *arena;         /* for texts */
};

/*
 * At RCPT: may this recipient be accepted? What CONNECT, HELO, MAIL and this
 * RCPT found with an action of its own; scores are not weighed yet.
 * role_address: postmaster or abuse of a domain of ours, which only a relay
 * refusal may keep out (RFC 5321 4.5.1, RFC 2142).
 */
void verdict_at_rcpt(const struct verdict_input *in, size_t recipient, bool role_address,
		     struct verdict *verdict_r);
/* At END: for all accepted recipients. */
void verdict_at_end(const struct verdict_input *in, struct verdict *verdict_r);

/* The policy for this recipient (index, or -1: the strictest of the accepted
 * ones): the most specific section that matches. */
const struct config_policy *policy_for(const struct verdict_input *in, int recipient);

#endif
