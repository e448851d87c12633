#ifndef GATEHOUSE_FILTERS_SENDER_DOMAIN_H
#define GATEHOUSE_FILTERS_SENDER_DOMAIN_H
/*
 * sender_domain: can mail go back to the sender's domain? One that says by a
 * null MX that it takes none (RFC 7505) has no senders either: 550 5.7.27
 * (RFC 7505 4.2). Not asked for clients of ours.
 */
#include "filters/filter.h"

enum sender_domain_consequence { SENDER_DOMAIN_SCORE, SENDER_DOMAIN_REJECT, SENDER_DOMAIN_IGNORE };

struct sender_domain_settings {
	struct filter_common common;
	int null_mx;             /* enum sender_domain_consequence */
};

extern const struct filter sender_domain_filter;

#endif
