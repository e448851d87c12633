#ifndef GATEHOUSE_FILTERS_GREYLIST_H
#define GATEHOUSE_FILTERS_GREYLIST_H
/*
 * greylist: a sender not seen before has to come again (RFC 6647). What is
 * remembered is the sending system (state_who: pools that take turns are one)
 * with the sender's domain, not single addresses. Who came again in time is
 * known for weeks; who has a good reputation, who is ours and mail to role
 * addresses pass at once. Off until enabled.
 */
#include "filters/filter.h"

enum greylist_mode {
	GREYLIST_ALWAYS,         /* refused at RCPT */
	GREYLIST_SCORE,          /* only what reaches the policy's greylist score, at the end */
};

struct greylist_settings {
	struct filter_common common;
	int mode;
	int64_t delay, window, memory; /* ms */
};

extern const struct filter greylist_filter;

#endif
