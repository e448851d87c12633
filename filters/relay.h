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
static inline bool relay_refuses(enum relay_decision decision)
{
	return decision >= RELAY_REFUSED;
}

/* Pure; what the filter does. */
enum relay_decision relay_decide(const struct config_relay *relay, enum relay_tricks local_tricks,
				 const struct client *client, const struct mailbox *recipient);

/* The domain, canonical (message/address.h), is one of ours. ".x" in the list
 * matches the names below x, not x. */
bool relay_is_our_domain(const struct config_relay *relay, struct slice domain);
/* As above; *entry_r is what matches in relay.domains. */
bool relay_domain_entry(const struct config_relay *relay, struct slice domain, struct slice *entry_r);

/* postmaster or abuse (RFC 5321 4.5.1, RFC 2142) of a domain of ours, or
 * <postmaster>: other filters let it through. */
bool relay_is_role_address(const struct config_relay *relay, const struct mailbox *recipient);

/*
 * A path that address_parse refused: does it look like an attempt to relay
 * (a second @, a % or a !)? Then the client is told 550 5.7.1 like for any
 * other trick, and not that it made a mistake.
 */
bool relay_is_trick(struct slice path);

/*
 * Runs at RCPT. Where there is no listener and relay.domains is empty (a
 * milter alone, the command line without a configuration) it has nothing to
 * guard and is silent; so it is where a mail server has decided already.
 */
extern const struct filter relay_filter;

#endif
