#ifndef GATEHOUSE_FILTERS_RELAY_H
#define GATEHOUSE_FILTERS_RELAY_H
/*
 * relay: for whom mail is taken. A recipient passes if its domain is ours
 * (relay.domains), or if the client is ours (relay.networks, authenticated).
 * Everything else is 550 5.7.1. A client that isn't ours may not hide a
 * second address in the local part either (user%other@ours, other!user@ours,
 * "user@other"@ours): a backend that dequotes would relay it.
 */
#include "filters/filter.h"
#include "message/envelope.h"
#include "policy/config.h"

enum relay_tricks { RELAY_TRICKS_REFUSE, RELAY_TRICKS_ALLOW };

/* filter relay { … } */
struct relay_settings {
	struct filter_common common;
	int local_tricks;        /* enum relay_tricks: % and ! in local parts of our domains, from strangers */
};

enum relay_decision {
	RELAY_LOCAL,             /* our domain, our literal, or <postmaster> */
	RELAY_CLIENT,            /* another's domain, and the client may relay */
	RELAY_REFUSED,           /* another's domain */
	RELAY_REFUSED_LITERAL,   /* an address literal that is not listed */
	RELAY_REFUSED_TRICK,     /* a second address in the local part */
};

/* Pure; what the filter does. */
enum relay_decision relay_decide(const struct config_relay *relay, enum relay_tricks local_tricks,
				 const struct client *client, const struct mailbox *recipient);

/* The domain is one of ours; canonical (message/address.h). ".x" in the list
 * matches the names below x, not x. */
bool relay_is_our_domain(const struct config_relay *relay, struct slice domain);

/* postmaster or abuse (RFC 5321 4.5.1, RFC 2142) of a domain of ours, or
 * <postmaster>: other filters let it through. */
bool relay_is_role_address(const struct config_relay *relay, const struct mailbox *recipient);

extern const struct filter relay_filter;

#endif
