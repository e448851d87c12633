#ifndef GATEHOUSE_FILTERS_DKIM_H
#define GATEHOUSE_FILTERS_DKIM_H
/*
 * dkim: verifies DKIM signatures (RFC 6376, 8301, 8463, 8616), each with a
 * result of its own in facts.dkim:
 *
 *   pass       header and body verified
 *   fail       well-formed, but the body or the header is not what was signed
 *   policy     would do, but not for us: a short key, l= where refused
 *   permerror  can't be verified, now or later: malformed, expired, no key,
 *              revoked, rsa-sha1 (RFC 8301)
 *   temperror  the key could not be looked up now
 *
 * Keys are asked for after the header section and needed at END; the body is
 * hashed as it comes.
 */
#include "filters/filter.h"

enum dkim_engine_choice { DKIM_ENGINE_NATIVE, DKIM_ENGINE_OPENDKIM };
enum dkim_consequence { DKIM_SCORE, DKIM_QUARANTINE, DKIM_REJECT };

/* filter dkim { … } */
struct dkim_settings {
	struct filter_common common;
	int engine;              /* enum dkim_engine_choice */
	int64_t max_signatures;
	int64_t min_key_bits;    /* RSA */
	bool sha1;
	bool obsolete;           /* what RFC 6376 dropped: signatures without v=, g= of keys */
	bool partial_body;       /* l= that leaves text unsigned may pass */
	int64_t clock_drift;     /* ms */
	int fail, none;          /* enum dkim_consequence: no signature passed; there is none */
	struct slice_list required; /* author domains that always sign */
};

extern const struct filter dkim_filter;

#endif
