#ifndef GATEHOUSE_MESSAGE_RECEIVED_H
#define GATEHOUSE_MESSAGE_RECEIVED_H
/*
 * received: trace fields (RFC 5321 4.4) taken apart into relays, and the
 * relays parted into those we trust and those we don't.
 *
 * A relay is a host that handed the mail on, as the host that wrote the field
 * saw it. Trust goes from the top down: the first relay outside the trusted
 * networks ends it, and nothing below it is believed.
 */
#include "base/cidr.h"
#include "message/message.h"

struct relay {
	struct ip ip;
	struct slice ip_text;    /* "192.0.2.1" */
	struct slice rdns;       /* lower case; empty: none given, or unknown */
	struct slice helo, by, ident, envfrom, id;
	struct slice auth;       /* how it authenticated: "ESMTPA", "ASMTP" …; empty: did not */
	struct slice with;       /* protocol */
	struct slice tls;        /* as told, "TLSv1.3"; empty: none */
	bool private_ip;         /* RFC 1918, loopback, link-local … */
	bool internal;           /* in the internal networks, with all above it */
	bool msa;                /* handed in by an authenticated or MSA client */
	bool trusted;
	size_t header;           /* index into message->headers; SIZE_MAX: the connection itself */
};

struct received_networks {
	const struct cidr *trusted, *internal, *msa;
	size_t trusted_count, internal_count, msa_count;
	/* Both of trusted and internal empty: guessed, as SpamAssassin does:
	 * private addresses and the first public "by" host's network. */
};

struct relays {
	struct relay *list;      /* top first */
	size_t count;
	size_t trusted_count;    /* list[0 … n-1]; the rest is untrusted */
	size_t internal_count;   /* list[0 … n-1]; the rest is external */
	size_t unparseable;      /* fields that are no relay and not known to be harmless */
	/* SpamAssassin's pseudo-headers X-Spam-Relays-*; once relays_tell() was called. */
	struct slice trusted, untrusted, internal, external;
};

/* One field's value. False: no relay in it; *harmless_r says that is as it
 * should be (a local hand-over). relay_r->header is not set. */
bool received_parse(struct arena *arena, struct slice value, struct relay *relay_r, bool *harmless_r);

/*
 * All Received fields of m. client, unless NULL: the connection the mail came
 * by, put on top as the field we would write. In m's arena.
 */
struct relays *message_relays(const struct message *m, const struct received_networks *networks,
			      const struct relay *client);

/* "[ ip=… rdns=… helo=… by=… ident=… envfrom=… intl=0 id=… auth=… msa=0 ]" */
struct slice relay_as_string(struct arena *arena, const struct relay *relay);
/* Fills in the pseudo-headers, which only rules read. */
void relays_tell(struct arena *arena, struct relays *relays);
bool ip_is_private(const struct ip *ip);

#endif
