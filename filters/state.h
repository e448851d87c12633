#ifndef GATEHOUSE_FILTERS_STATE_H
#define GATEHOUSE_FILTERS_STATE_H
/*
 * state: what the filters that remember share: by which name a sender is
 * remembered, and what is to be remembered of a message once it is judged.
 *
 * Keys of the store, each with its asker's name in front:
 *     grey:WHO DOMAIN     first seen; greyok:WHO DOMAIN  came again in time
 *     rate:KIND NAME      count in a window
 *     rep:h:WHO rep:s:WHO counts of ham and spam
 *     apart:WHO SENDER    recipients disagreed
 */
#include "filters/scan.h"
#include "policy/verdict.h"

/*
 * WHO: the sending system. A pool of hosts that takes turns is one: the
 * domain that passed SPF; else the organisational domain of the client's
 * confirmed name if the sender's domain belongs to it; else its network (/24,
 * /64). Complete after the MAIL phase of spf and iprev. Empty: the client has
 * no address.
 */
struct slice state_who(const struct scan *scan);
/* The network alone, as text. Empty: no address. */
struct slice state_network(struct arena *arena, const struct ip *ip);

/* At RCPT: the recipient is refused already; nothing is to be remembered of it. */
bool state_is_refused(const struct scan *scan);

/* The store didn't answer: as scan_on_error, and state.on-error defers too. */
void state_on_error(struct scan *scan, const char *symbol, const char *why);

#define STATE_LEARN_MAX 4
/*
 * After the verdict at END: what is to be written, by the door, without
 * waiting for answers. Returns how many requests; their bytes live in the
 * scan's arena.
 */
size_t state_learn(const struct scan *scan, const struct verdict *verdict,
		   struct store_request requests[STATE_LEARN_MAX]);

/* Remembers senders whose recipients disagreed: scan->apart for their retry. */
extern const struct filter apart_filter;

#endif
