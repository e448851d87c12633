#ifndef GATEHOUSE_FILTERS_JUDGED_H
#define GATEHOUSE_FILTERS_JUDGED_H
/*
 * judged: the host that filters judge (DESIGN 4, trust boundary): the client,
 * or, where the client is one of networks.trusted, the first relay outside of
 * them that the Received fields name.
 */
#include "filters/scan.h"

struct judged {
	struct ip ip;            /* family 0: there is none to judge */
	struct slice helo;
	struct slice name;       /* by reverse DNS, confirmed by us or told by the trusted relay; may be empty */
	bool received;           /* known from a Received field */
};

/* True: known already in this phase. Before PHASE_HEADERS it is not if the
 * client is trusted or has no address. */
bool judged_known(const struct scan *scan, enum phase phase);
/* When known. */
struct judged judged_host(const struct scan *scan);

#endif
