#ifndef GATEHOUSE_FILTERS_DMARC_RECORD_H
#define GATEHOUSE_FILTERS_DMARC_RECORD_H
/* dmarc_record: a DMARC policy record (RFC 9989 4.7, 4.8). Pure. */
#include "base/arena.h"
#include "message/facts.h"

enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO }; /* psd=u, y, n */

struct dmarc_record {
	enum dmarc_policy p, sp, np;  /* DMARC_POLICY_UNSET: the tag is missing or bad */
	bool bad_p, bad_sp, bad_np;   /* the tag is there with a value that is none */
	bool strict_dkim, strict_spf; /* adkim=s, aspf=s */
	enum dmarc_psd psd;
	bool testing;                 /* t=y */
	unsigned percent;             /* pct of RFC 7489, 0..100; 100 if missing or bad */
	bool has_rua;                 /* at least one valid reporting URI */
	struct slice rua, ruf, fo;    /* as published; empty: missing */
};

/*
 * txt is the TXT record joined to one string. False: not a DMARC record (its
 * first tag is not v=DMARC1), to be ignored as a whole. What is wrong in the
 * rest is ignored tag by tag; of a tag that comes twice the first counts.
 */
bool dmarc_record_parse(struct slice txt, struct dmarc_record *record_r);

/*
 * Whether the record can be applied (RFC 9989 4.10.1). A bad or missing p, or
 * a bad sp or np, makes the whole record p=none where reports are asked for;
 * a record that is only without p is p=none too (4.7). False: DMARC is not
 * applied; *why_r says what is wrong.
 */
bool dmarc_record_settle(struct dmarc_record *record, const char **why_r);

/* What the record asks for: of its own domain, of a subdomain that exists,
 * of one that doesn't. Only for a record that is settled. */
enum dmarc_name { DMARC_OWN, DMARC_SUBDOMAIN, DMARC_NONEXISTENT };
enum dmarc_policy dmarc_record_policy(const struct dmarc_record *record, enum dmarc_name name);

/* One step milder: t=y, and pct for those not in the sample. */
enum dmarc_policy dmarc_policy_lower(enum dmarc_policy policy);

#endif
