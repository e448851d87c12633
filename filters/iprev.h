#ifndef GATEHOUSE_FILTERS_IPREV_H
#define GATEHOUSE_FILTERS_IPREV_H
/*
 * iprev: forward-confirmed reverse DNS of the client (RFC 8601 3), and whether
 * its HELO name makes sense. Writes facts.iprev; sets client.name to the
 * confirmed name unless the door brought one.
 */
#include "filters/filter.h"

enum iprev_consequence { IPREV_SCORE, IPREV_REJECT, IPREV_IGNORE };

struct iprev_settings {
	struct filter_common common;
	int fail;            /* enum iprev_consequence: names that don't lead back */
	int no_name;         /* no name at all */
	int helo_ours;       /* HELO by our own name */
	int helo_bad;        /* other HELO symbols */
	int64_t names;       /* PTR records looked at */
};

extern const struct filter iprev_filter;

#endif
