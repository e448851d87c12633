#ifndef GATEHOUSE_FILTERS_DMARC_CHECK_H
#define GATEHOUSE_FILTERS_DMARC_CHECK_H
/*
 * dmarc_check: the DMARC mechanism (RFC 9989 4.10, 5.3) for one author domain
 * and the identifiers that were authenticated. A pure step: it asks DNS, and
 * is called again when answers have come.
 */
#include "filters/dmarc_walk.h"
#include "filters/filter.h"
#include "message/facts.h"

enum dmarc_method {
	DMARC_TREE_WALK, /* RFC 9989 */
	DMARC_PSL,       /* RFC 7489: a list of public suffixes; pct counts */
};

/* What SPF or DKIM has authenticated, or could not because of a temporary error. */
struct dmarc_identifier {
	struct slice domain;     /* lower case, A-labels */
	bool dkim;               /* else SPF */
	bool unknown;            /* a temporary error */
};

struct dmarc_request {
	struct slice author;     /* the author domain */
	enum dmarc_method method;
	unsigned sample;         /* 0..99: of this mail, for pct (RFC 7489 6.6.4) */
	enum phase needed;       /* when the answers are */
};

struct dmarc_check;

/* Asks for all names that are known now. All lives in the arena. */
struct dmarc_check *dmarc_check_begin(struct arena *arena, struct questions *questions,
				      const struct dmarc_request *request);
/* A domain that may turn out to be an identifier: its names are asked for too,
 * where it could align at all. */
void dmarc_check_expect(struct dmarc_check *check, struct slice domain);

/*
 * With all identifiers. STEP_DONE: *fact_r is complete but for the overrides,
 * which are the filter's: its disposition is what the domain asks for.
 */
enum step dmarc_check_step(struct dmarc_check *check, const struct dmarc_identifier *identifiers,
			   size_t count, struct dmarc_fact *fact_r);

#endif
