#ifndef GATEHOUSE_FILTERS_FORGED_H
#define GATEHOUSE_FILTERS_FORGED_H
/* forged: what the rooms of forged_from share. */
#include "filters/scan.h"
#include "message/mailbox_list.h"

enum forged_consequence { FORGED_SCORE, FORGED_QUARANTINE, FORGED_REJECT };

struct forged_settings {
	struct filter_common common;
	int ambiguous, missing, lookalike, ours_outside; /* enum forged_consequence */
	struct slice_list protected_domains;
	struct slice_list names;          /* "PayPal: paypal.com paypal.de" */
	struct slice text;                /* of a refusal */
};

#define FORGED_FROM_FIELDS 4 /* From fields looked at */

/* The From fields, read. */
struct forged_from {
	struct mailbox_list lists[FORGED_FROM_FIELDS];
	struct slice values[FORGED_FROM_FIELDS];
	size_t count;
	unsigned problems;
	bool odd;                         /* a field name that is not followed by its colon */
	bool spoilt;                      /* one that not every mail reader takes for From */
};

/* A hit that refuses or quarantines if the setting says so. */
void forged_hit(struct scan *scan, int consequence, const char *symbol, struct slice evidence);

/* forged_domain */
bool forged_is_own(const struct scan *scan, struct slice domain);
bool forged_is_protected(const struct forged_settings *s, struct slice domain);
/* The mail comes from outside of our networks, from nobody we know. */
bool forged_from_outside(const struct scan *scan);
/* By the list of public suffixes: near enough for a suspicion. */
bool forged_same_organisation(struct slice a, struct slice b);
/* SPF or DKIM has authenticated a domain of the same organisation. */
bool forged_is_authenticated(const struct scan *scan, struct slice domain);
/* The domain of ours or of the protected ones that this one looks like, but
 * isn't; empty: none. *ours_r: it is one of ours. */
struct slice forged_lookalike(const struct scan *scan, const struct forged_settings *s, struct slice domain,
			      bool *ours_r);
bool forged_looks_like(struct arena *arena, struct slice a, struct slice b);
void forged_domain_check(struct scan *scan, const struct forged_settings *s);
void forged_ours_check(struct scan *scan, const struct forged_settings *s);

/* forged_name */
void forged_name_check(struct scan *scan, const struct forged_settings *s, const struct forged_from *from);

/* forged_fields */
void forged_syntax_check(struct scan *scan, const struct forged_settings *s, const struct forged_from *from);
void forged_fields_check(struct scan *scan, const struct forged_settings *s);

#endif
