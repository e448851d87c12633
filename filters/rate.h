#ifndef GATEHOUSE_FILTERS_RATE_H
#define GATEHOUSE_FILTERS_RATE_H
/*
 * rate: how many messages a client, its network, a sender, a user may send,
 * and a recipient get, within a window; over it 450 4.7.1,
 * or 421 4.7.0 and the session ends. Counted in the
 * state store, at RCPT. Clients of relay.networks and trusted relays have no
 * limits of client and network; role addresses can always be reached. A limit
 * of 0 is off, and all are until set.
 */
#include "filters/filter.h"

struct rate_settings {
	struct filter_common common;
	int64_t client, network, sender, recipient, user; /* messages in a window; 0: any number */
	int64_t window;                                   /* ms */
	bool close;              /* over a limit the session ends: 421 */
};

extern const struct filter rate_filter;

#endif
