#ifndef GATEHOUSE_FILTERS_DMARC_ARC_H
#define GATEHOUSE_FILTERS_DMARC_ARC_H
/* dmarc_arc: what a trusted sealer says about a mail whose author domain we
 * could not authenticate any more (RFC 8617 7.2.1). */
#include "base/arena.h"

/*
 * authres: the ARC-Authentication-Results value behind "i=…;". True: it has
 * dmarc=pass for this author domain; or, where it says nothing of DMARC, a
 * passed DKIM or SPF of a domain of the same organisation.
 */
bool dmarc_arc_vouches(struct arena *arena, struct slice authres, struct slice author);

#endif
