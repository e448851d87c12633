#ifndef GATEHOUSE_FILTERS_DNSBL_H
#define GATEHOUSE_FILTERS_DNSBL_H
/*
 * dnsbl: DNS lists (policy/dnslist.h) of the judged client's address, of the
 * sender's domain, and of the other relays that Received names. Not asked for
 * clients of ours and for private addresses.
 *
 * With each look-up the list's health is looked up (the resolver keeps the
 * answers): a list that lists 127.0.0.1, or the domain "invalid", lists all
 * the world (RFC 5782 5), one that doesn't list 127.0.0.2, or "test", is dead,
 * and one that answers 127.255.255.x refuses us. Its answers then don't count until it is well again; both turns are logged.
 */
#include "filters/scan.h"
#include "policy/dnslist.h"

/* What is asked about: an address, or a domain. */
struct dnsbl_asked {
	struct ip ip;             /* family 0: the domain */
	struct slice domain;
};

/* All lists of a type, asked together by the running filter. False: not all
 * answers are there. With conclusions, which are drawn only where they are. */
bool dnsbl_look_up(struct scan *scan, enum dnslist_type type, const struct dnsbl_asked *about, enum phase needed,
		   bool conclusions);

/* Lists that this process holds for ill now. Thread-safe. */
unsigned dnsbl_suspended(void);

extern const struct filter dnsbl_filter;

#endif
