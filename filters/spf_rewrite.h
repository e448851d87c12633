#ifndef GATEHOUSE_FILTERS_SPF_REWRITE_H
#define GATEHOUSE_FILTERS_SPF_REWRITE_H
/*
 * spf_rewrite: a record in words that libspf2 understands, with the same
 * meaning for one client. Pure.
 */
#include "filters/spf_record.h"

struct spf_rewriting {
	const struct ip *client;
	/* Put before the name of an a or mx whose prefix length is 0: any address
	 * that is found there is to be taken for the client's. */
	struct slice mark;
	bool networks;          /* decide ip4 and ip6 here: for records that are too long */
};

/*
 * The whole record, a checked one. Gone are modifiers nobody knows, what stands
 * behind "all", and prefix lengths of 0, which libspf2 takes for errors.
 */
struct slice spf_rewrite(struct arena *arena, const struct spf_record *record, const struct spf_rewriting *rewriting);

#endif
