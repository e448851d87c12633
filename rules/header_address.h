#ifndef GATEHOUSE_RULES_HEADER_ADDRESS_H
#define GATEHOUSE_RULES_HEADER_ADDRESS_H
/*
 * header_address: the mailboxes of From, To, Reply-To … as leniently as rules
 * have to take them: what is in angle brackets, or looks like an address, is
 * one; the rest before it is its name. Who the author is for authentication is
 * not decided here. Linear time.
 */
#include "base/arena.h"

struct header_mailbox {
	struct slice address;     /* "local@domain" as written; empty: none that looks like one */
	struct slice phrase;      /* display name or else comment; quotes undone, encoded words not */
	bool has_phrase;
};

/* At most max of them; value is unfolded or not. Returns how many. */
size_t header_addresses(struct arena *arena, struct slice value, struct header_mailbox *list, size_t max);

/* Behind the last "@"; empty: none. */
struct slice address_domain_part(struct slice address);

#endif
