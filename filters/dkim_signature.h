#ifndef GATEHOUSE_FILTERS_DKIM_SIGNATURE_H
#define GATEHOUSE_FILTERS_DKIM_SIGNATURE_H
/*
 * dkim_signature: a DKIM-Signature (RFC 6376 3.5, RFC 8301, RFC 8463), an
 * ARC-Message-Signature or an ARC-Seal (RFC 8617 4.1), read and checked for
 * all that can be said without its key. Pure.
 */
#include "filters/dkim_canon.h"
#include "filters/dkim_crypto.h"
#include "message/facts.h"
#include "message/message.h"

enum dkim_kind { DKIM_SIGNATURE, ARC_MESSAGE_SIGNATURE, ARC_SEAL };

/* What is ours to decide. */
struct dkim_policy {
	int64_t now;             /* unix seconds */
	int64_t drift;           /* seconds the signer's clock may be ahead or behind */
	bool sha1;               /* rsa-sha1 is verified (RFC 8301 forbids it) */
	bool obsolete;           /* v= may be missing, as in drafts; g= of a key counts (RFC 4871 3.6.1) */
	unsigned min_key_bits;   /* RSA */
};

/* Classes of trouble that have a symbol of their own. */
enum dkim_flaw {
	DKIM_FLAW_NONE,
	DKIM_FLAW_ODD_DOMAIN,    /* bytes in d= or s= that no domain name has */
	DKIM_FLAW_SHA1,
	DKIM_FLAW_EXPIRED,
	DKIM_FLAW_WEAK_KEY,
	DKIM_FLAW_REVOKED,
};

enum arc_cv { ARC_CV_NONE, ARC_CV_FAIL, ARC_CV_PASS };

struct dkim_signature {
	enum auth_result result; /* AUTH_UNKNOWN: well-formed, to be verified */
	const char *reason;      /* of any other result */
	enum dkim_flaw flaw;
	const struct header *header;
	/* As far as they could be read; empty if not. For people unless result is AUTH_UNKNOWN. */
	struct slice domain;     /* d=, lower case, A-labels */
	struct slice selector;   /* s=, lower case, A-labels */
	struct slice identity;   /* i=, decoded; "@domain" if left out */
	struct slice algorithm;  /* a= */
	struct slice b;          /* b= without white space, its beginning */
	struct slice query;      /* s._domainkey.d: a name fit for DNS when result is AUTH_UNKNOWN */
	bool draft;              /* has no v=; only if the policy lets it */
	enum dkim_key_type key_type;
	enum dkim_hash hash;
	enum dkim_canon header_canon, body_canon;
	bool has_length;
	uint64_t length;         /* l= */
	struct slice fields;     /* h= */
	uint64_t signed_at, expires; /* t=, x=; 0: not given */
	struct slice signature, body_hash; /* decoded */
	unsigned instance;       /* ARC: i= */
	enum arc_cv cv;          /* ARC-Seal */
};

/* Slices of *sig_r are in the arena; `fields` and `header` live as the message does. */
void dkim_signature_parse(struct arena *arena, const struct header *header, enum dkim_kind kind,
			  const struct dkim_policy *policy, struct dkim_signature *sig_r);

/* i= is d= or below it; strict (t=s of the key): is d=. */
bool dkim_identity_ok(const struct dkim_signature *sig, bool strict);

#endif
