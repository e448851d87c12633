#ifndef GATEHOUSE_FILTERS_RELAY_SELFTEST_H
#define GATEHOUSE_FILTERS_RELAY_SELFTEST_H
/*
 * relay_selftest: would this configuration relay for strangers? Runs the
 * catalogue of relaying tricks, made for each domain, host name and address
 * of ours, through the address parser and the relay filter. Offline.
 */
#include "policy/config.h"

struct relay_leak {
	struct slice client;     /* address of the stranger */
	struct slice sender, recipient; /* without <> */
	struct slice trick;      /* the catalogue's name for it */
	struct slice reason;     /* what lets it through: "relay.domains has .com" */
};

struct relay_report {
	size_t probes;
	struct relay_leak *leaks;
	size_t leak_count;       /* at most RELAY_LEAKS_MAX are listed … */
	size_t leaks_seen;       /* … of so many */
};
#define RELAY_LEAKS_MAX 50

/* local_tricks: enum relay_tricks, the filter's setting. */
void relay_selftest(struct arena *arena, const struct config *config, int local_tricks,
		    struct relay_report *report_r);

#endif
