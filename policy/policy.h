#ifndef GATEHOUSE_POLICY_POLICY_H
#define GATEHOUSE_POLICY_POLICY_H
/*
 * policy: which policy section is for a recipient, and what it says of single
 * symbols.
 *
 * A section matches when each of its conditions does (recipients, users,
 * senders, clients, listeners); a condition with several values is met by
 * any of them. Of the sections that match, the most specific one counts. They
 * are compared condition by condition in this order; the first that differs
 * decides, and at last the one written first wins:
 *   1. recipients: an address before @domain before *.domain (more labels
 *      first) before no condition
 *   2. users: a login before "*"
 *   3. senders: as recipients
 *   4. clients: the longer prefix
 *   5. listeners
 * The section "default" is for what no other matches; without one it has the
 * defaults of all settings.
 */
#include "message/envelope.h"
#include "message/hit.h"
#include "policy/config.h"

/* What a policy says of one symbol, or of "reject", "deny", "defer", "greylist",
 * "other-message", "disagree". */
struct policy_symbol {
	struct slice name;
	bool has_score, has_action;
	double score;
	enum action action;
	struct refusal reply;    /* code 0: none; text is a template (reply_text.h) */
};

struct policy_made {
	struct policy_symbol *symbols; /* sorted by name */
	size_t symbol_count;
	const struct config_list **allow, **deny; /* NULL-terminated */
	struct slice_list off;   /* filters that their own sections switch off, and use doesn't switch on */
};

/* Reads scores, actions, replies, allow, deny, skip, use of all policies. */
void policies_make(struct config *config, struct config_errors *errors);

/* NULL: nothing is said of it. */
const struct policy_symbol *policy_symbol(const struct config_policy *policy, struct slice name);
/* The filter is off for this policy's mail. filter NULL: false. */
bool policy_skips(const struct config_policy *policy, const char *filter);

/* recipient NULL: sections with recipients don't match. shadow: sections that
 * are in shadow may be it too. Never NULL. */
const struct config_policy *policy_find(const struct config *config, const struct client *client,
					const struct mailbox *sender, const struct mailbox *recipient, bool shadow);

/* One reply can be true for recipients of both: only thresholds, scores and
 * texts differ. */
bool policy_can_share(const struct config_policy *a, const struct config_policy *b);

#endif
