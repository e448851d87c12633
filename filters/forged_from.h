#ifndef GATEHOUSE_FILTERS_FORGED_FROM_H
#define GATEHOUSE_FILTERS_FORGED_FROM_H
/*
 * forged_from: what a reader is shown as the sender, against what is known
 * about it. Beyond DMARC: malformed and ambiguous From, names that hold an
 * address, look-alike domains, our own domains from outside, Sender, Reply-To
 * and the reverse-path against From. Rooms: forged_name, forged_domain,
 * forged_fields.
 */
#include "filters/filter.h"

extern const struct filter forged_from_filter;

#endif
