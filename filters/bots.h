#ifndef GATEHOUSE_FILTERS_BOTS_H
#define GATEHOUSE_FILTERS_BOTS_H
/*
 * bots: how a client speaks SMTP. Programs that spread spam are often in a
 * hurry, and know the protocol badly; mail servers wait and know it well. The
 * door notes what it saw (client.manners); here each is a symbol, with a score
 * or a refusal. Clients of our own networks and who has authenticated are
 * passed over: mail programs and printers have manners of their own.
 */
#include "filters/scan.h"

enum bots_consequence { BOTS_SCORE, BOTS_REJECT, BOTS_IGNORE };

struct bots_settings {
	struct filter_common common;
	int early_talker, early_pipelining, bare_lf, unknown_command, helo_changed, auth_unoffered,
		http; /* enum bots_consequence */
};

extern const struct filter bots_filter;

#endif
