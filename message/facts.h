#ifndef GATEHOUSE_MESSAGE_FACTS_H
#define GATEHOUSE_MESSAGE_FACTS_H
/*
 * facts: what filters found out, for other filters, rules, policy and the
 * headers we write. Each part is written by the one filter named; zeroed
 * means "not known (yet)". Slices live in the transaction's arena.
 */
#include "base/arena.h"

/* RFC 8601 2.7 result words. One list for all methods; each uses its own part. */
enum auth_result {
	AUTH_UNKNOWN,   /* not evaluated */
	AUTH_NONE,
	AUTH_PASS,
	AUTH_FAIL,
	AUTH_SOFTFAIL,
	AUTH_NEUTRAL,
	AUTH_POLICY,
	AUTH_TEMPERROR,
	AUTH_PERMERROR,
};
const char *auth_result_name(enum auth_result result); /* "pass"; "unknown" */

struct spf_fact {                /* filters/spf */
	enum auth_result result;
	struct slice domain;         /* checked */
	struct slice sender;         /* the identity: "user@domain" or "postmaster@helo" */
	bool helo;                   /* the identity was HELO */
	struct slice explanation;    /* of fail: the domain's own text, or empty */
	struct slice mechanism;      /* that matched: "ip4:192.0.2.0/24", "-all" */
	struct slice problem;        /* of temperror, permerror: why */
};

struct dkim_fact {               /* filters/dkim: one per DKIM-Signature, top first */
	enum auth_result result;
	struct slice domain;         /* d=, lower case */
	struct slice selector;       /* s= */
	struct slice identity;       /* i= */
	struct slice algorithm;      /* a= */
	struct slice reason;         /* for people: "body hash did not verify" */
	struct slice header_b;       /* first 8+ characters of b=, unique: RFC 6008 */
	unsigned key_bits;
	bool testing;                /* key has t=y */
	bool body_cut;               /* l= leaves text unsigned */
};

struct arc_fact {                /* filters/arc */
	enum auth_result result;     /* none, pass, fail */
	struct slice sealer;         /* d= of the newest seal */
	unsigned instances;
	unsigned oldest_pass;        /* RFC 8617 5.2 step 5: lowest instance whose message signature still holds, 0: all */
	struct slice reason;
	struct slice authres;        /* the newest set's ARC-Authentication-Results value, when result is pass */
	bool trusted;                /* sealer is on the trusted list, and all is well */
};

enum dmarc_policy { DMARC_POLICY_UNSET, DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
const char *dmarc_policy_name(enum dmarc_policy policy); /* "none" … */

struct dmarc_fact {              /* filters/dmarc */
	enum auth_result result;     /* none, pass, fail, temperror, permerror */
	struct slice domain;         /* the author domain */
	struct slice policy_domain;  /* where the record was found */
	enum dmarc_policy policy;    /* published: p, sp or np as applies, before t= */
	enum dmarc_policy disposition; /* what is to be done after overrides */
	struct slice organisational; /* of the author domain */
	bool spf_aligned, dkim_aligned, arc_override, local_override, testing;
	struct slice reason;
};

struct author_fact {             /* filters/author: the one author domain */
	struct slice domain;         /* lower case, A-labels; empty: there is none */
	struct slice address;        /* the mailbox, as text */
	struct slice display;        /* its display name, decoded UTF-8 */
	struct slice reason;         /* why there is none, or why it is doubtful */
	size_t mailboxes;            /* in all From fields */
	size_t fields;               /* From fields */
};

struct iprev_fact {              /* filters/iprev, RFC 8601 3 */
	enum auth_result result;     /* pass, fail, temperror, permerror */
	struct slice name;           /* confirmed name, or the first PTR */
};

struct facts {
	struct spf_fact spf;         /* of MAIL FROM, or of HELO for the null reverse-path */
	struct spf_fact spf_helo;
	struct dkim_fact *dkim;
	size_t dkim_count;
	bool dkim_known;             /* evaluated, at END; before that only what the fields say is known */
	size_t dkim_ignored;         /* signatures over the cap */
	struct arc_fact arc;
	struct dmarc_fact dmarc;
	struct author_fact author;
	struct iprev_fact iprev;
};

#endif
