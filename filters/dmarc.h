#ifndef GATEHOUSE_FILTERS_DMARC_H
#define GATEHOUSE_FILTERS_DMARC_H
/*
 * dmarc: what the author domain asks to be done with mail in its name that is
 * not authenticated as its own (RFC 9989). Goes by facts.author, facts.spf,
 * facts.dkim and facts.arc; writes facts.dmarc. Clients of ours, and mail that
 * comes from within the trusted networks, are passed over: the facts stay
 * unknown. SPF's trusted forwarders are forwarders here too.
 */
#include "filters/filter.h"

/* What follows when a domain asks for a policy. */
enum dmarc_consequence { DMARC_SCORE, DMARC_DO_QUARANTINE, DMARC_DO_REJECT };

struct dmarc_settings {
	struct filter_common common;
	int method;                      /* enum dmarc_method */
	int reject, quarantine;          /* enum dmarc_consequence; of p=reject, p=quarantine */
	bool arc;                        /* a trusted ARC chain mends a failure */
	struct slice_list local_override; /* author domains whose policy is not enforced */
	struct slice_list forwarders;    /* authenticated domains that may forward others' mail */
	struct cidr_list forwarder_hosts;
	struct slice text;               /* of a refusal; %{d}: the author domain, %{p}: the record's */
};

extern const struct filter dmarc_filter;

#endif
