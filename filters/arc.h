#ifndef GATEHOUSE_FILTERS_ARC_H
#define GATEHOUSE_FILTERS_ARC_H
/*
 * arc: validates the Authenticated Received Chain (RFC 8617): what forwarders
 * and lists say they saw. A chain that holds proves who said it, not that it
 * is true: facts.arc.trusted is for the sealers that the administrator
 * believes.
 */
#include "filters/filter.h"

enum arc_consequence { ARC_SCORE, ARC_REJECT };

/* filter arc { … } */
struct arc_settings {
	struct filter_common common;
	struct slice_list trusted_sealers;
	int64_t min_key_bits;
	int fail;                /* enum arc_consequence */
};

extern const struct filter arc_filter;

#endif
