#ifndef GATEHOUSE_FILTERS_CLAMD_H
#define GATEHOUSE_FILTERS_CLAMD_H
/*
 * clamd: a virus scanner's word on the whole message. What it finds is
 * refused with 550 5.7.0, or put aside, whatever lists of friends say. Off
 * until enabled. When the scanner doesn't answer, the mail is deferred unless
 * on-error says skip.
 */
#include "base/scanner.h"
#include "filters/filter.h"
#include "policy/snapshot.h"

enum clamd_action { CLAMD_REJECT, CLAMD_QUARANTINE, CLAMD_SCORE };

struct clamd_settings {
	struct filter_common common;
	struct endpoint address;
	int64_t timeout;         /* ms */
	uint64_t max_size;       /* larger mail isn't scanned */
	int found;               /* enum clamd_action */
};

/* For drivers. False: the filter is off. */
bool clamd_scanner(const struct snapshot *snapshot, struct scanner_config *config_r);

extern const struct filter clamd_filter;

#endif
