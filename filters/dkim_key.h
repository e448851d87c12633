#ifndef GATEHOUSE_FILTERS_DKIM_KEY_H
#define GATEHOUSE_FILTERS_DKIM_KEY_H
/*
 * dkim_key: the public key of a signature, out of the answer to its look-up
 * (RFC 6376 3.6.1, 3.6.2, 6.1.2). Pure.
 */
#include "filters/dkim_signature.h"
#include "message/question.h"

#define DKIM_KEYS_MAX 4 /* records of one name that are tried */

struct dkim_key {
	struct dkim_public_key *key;
	unsigned bits;
	bool testing;            /* t=y */
};

/* What came of the look-up, for one signature. */
struct dkim_keys {
	enum auth_result result; /* AUTH_UNKNOWN: keys[] are to be tried; else temperror, permerror, policy */
	const char *reason;
	enum dkim_flaw flaw;
	struct dkim_key keys[DKIM_KEYS_MAX];
	size_t count;
	unsigned bits;           /* of the key found, also of one that is refused */
	bool testing;            /* the record says t=y, also of one that is refused */
	struct slice record;     /* that keys[0] was made of */
};

/*
 * answer: to a TXT question for sig->query. Several records: those that are
 * keys fit for the signature are kept, and the signature may be verified by
 * any of them; if none is, the first one's trouble is the result.
 */
void dkim_keys_find(struct arena *arena, const struct answer *answer, const struct dkim_signature *sig,
		    const struct dkim_policy *policy, struct dkim_keys *keys_r);

#endif
