#ifndef GATEHOUSE_POLICY_LISTED_H
#define GATEHOUSE_POLICY_LISTED_H
/*
 * listed: does a policy's allow or deny list name this client or sender?
 *
 * deny goes by what is claimed: client address, envelope sender, author
 * domain. allow goes by what is proven: the client address; a domain that
 * passed SPF for the envelope sender, or that signed with a DKIM signature
 * that verified; a sender address in such a domain. A From field alone never
 * does.
 */
#include "policy/verdict.h"

struct listed {
	bool allowed, denied;    /* never both: allow goes first */
	struct slice list, entry; /* what matched */
};

struct listed listed_in(const struct verdict_input *in, const struct config_policy *policy);

#endif
