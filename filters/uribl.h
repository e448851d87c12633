#ifndef GATEHOUSE_FILTERS_URIBL_H
#define GATEHOUSE_FILTERS_URIBL_H
/*
 * uribl: DNS lists (policy/dnslist.h) of the domains that the text links to.
 * Health and hits as in filters/dnsbl.h. Not asked about mail of ours, our
 * own domains and addresses; about the first URIBL_DOMAINS_MAX domains.
 */
#include "filters/filter.h"

#define URIBL_DOMAINS_MAX 20u

extern const struct filter uribl_filter;

#endif
