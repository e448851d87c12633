#ifndef GATEHOUSE_FILTERS_ARC_CHAIN_H
#define GATEHOUSE_FILTERS_ARC_CHAIN_H
/*
 * arc_chain: the ARC sets of a message (RFC 8617 4, 5.2), read, checked for
 * their structure, and verified once the keys are there. Pure.
 */
#include "filters/dkim_hash.h"
#include "filters/dkim_key.h"

#define ARC_INSTANCES_MAX 50 /* 5.1.1.2 */

struct arc_set {
	const struct header *results, *message_signature, *seal; /* AAR, AMS, AS */
	struct slice authres;           /* AAR behind "i=…;" */
	struct dkim_signature ams, as;  /* result AUTH_UNKNOWN: to be verified */
	struct slice ams_hash, as_hash; /* of the header fields they sign */
	size_t body;                    /* of the AMS, number in bodies */
	/* Set before arc_chain_verify: */
	struct dkim_keys ams_keys, as_keys;
	bool ams_has_keys;              /* ams_keys is set: for the newest always */
};

struct arc_chain {
	enum auth_result result;  /* NONE: no ARC fields; FAIL: structure; UNKNOWN: to be verified; then PASS or FAIL */
	struct slice reason;      /* of FAIL */
	unsigned count;           /* the newest instance */
	unsigned oldest_pass;     /* of PASS */
	bool temporary;           /* FAIL, because a key could not be looked up now */
	struct arc_set *sets;     /* i=1 first; NULL: there are no ARC fields */
	struct dkim_bodies *bodies;
};

/* Reads the fields and hashes them; the message may go then. Feed the body to
 * chain->bodies if the result is AUTH_UNKNOWN. */
struct arc_chain *arc_chain_read(struct arena *arena, const struct message *message,
				 const struct dkim_policy *policy);
/* With the keys, at the end of the body. */
void arc_chain_verify(struct arena *arena, struct arc_chain *chain);

#endif
