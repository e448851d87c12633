#ifndef GATEHOUSE_MESSAGE_ADDRESS_H
#define GATEHOUSE_MESSAGE_ADDRESS_H
/*
 * address: paths and domains of the SMTP envelope (RFC 5321 4.1.2, 4.1.3,
 * 4.5.3.1; RFC 6531 for UTF-8). Not for header fields.
 */
#include "message/envelope.h"

/* What address_parse is to take beyond a plain mailbox. */
enum address_allow {
	ADDRESS_UTF8 = 1 << 0,       /* SMTPUTF8 was asked for */
	ADDRESS_NULL = 1 << 1,       /* the empty path <> */
	ADDRESS_POSTMASTER = 1 << 2, /* "postmaster" without a domain, RFC 5321 4.5.1 */
	ADDRESS_ROUTE = 1 << 3,      /* a source route, RFC 5321 C: checked and dropped */
	/* What real senders have: dots anywhere in the local part, local parts
	 * over 64 octets, "_" in domain names. */
	ADDRESS_LAX = 1 << 4,
};
/* As a door takes them. */
#define ADDRESS_MAIL (ADDRESS_NULL | ADDRESS_ROUTE | ADDRESS_LAX)
#define ADDRESS_RCPT (ADDRESS_POSTMASTER | ADDRESS_ROUTE | ADDRESS_LAX)

enum address_error {
	ADDRESS_OK,
	ADDRESS_EMPTY,
	ADDRESS_CONTROL,         /* NUL, a control character */
	ADDRESS_8BIT,            /* bytes over 127 without SMTPUTF8 */
	ADDRESS_BAD_UTF8,
	ADDRESS_BAD_ROUTE,
	ADDRESS_NO_LOCAL,
	ADDRESS_BAD_LOCAL,
	ADDRESS_OPEN_QUOTE,
	ADDRESS_LONG_LOCAL,
	ADDRESS_NO_DOMAIN,
	ADDRESS_BAD_DOMAIN,
	ADDRESS_LONG_DOMAIN,
	ADDRESS_BAD_LITERAL,
	ADDRESS_BAD_IDN,
	ADDRESS_TOO_LONG,        /* over 254 octets */
	ADDRESS_ERRORS
};
/* One line for people, without the address. */
const char *address_error_text(enum address_error error);

/*
 * path: what stands between "<" and ">". Sets *mailbox_r (in the arena, text
 * copied, without the route) when the result is ADDRESS_OK, else leaves it
 * zeroed. A final dot of the domain is taken and is not in ->domain. Address
 * literals come out canonical: "[192.0.2.1]", "[ipv6:2001:db8::1]".
 */
enum address_error address_parse(struct arena *arena, struct slice path, unsigned allow,
				 struct mailbox *mailbox_r);

/*
 * The same for addresses that are not ours to refuse. Where it can't be parsed
 * the parts are a guess: what stands before and behind the last "@".
 */
enum address_error address_parse_any(struct arena *arena, struct slice path, unsigned allow,
				     struct mailbox *mailbox_r);

/*
 * A domain name alone to its canonical form: lower case, A-labels, no final
 * dot. UTF-8 is taken if allow has ADDRESS_UTF8, "_" with ADDRESS_LAX. No
 * literals.
 */
enum address_error address_domain(struct arena *arena, struct slice domain, unsigned allow,
				  struct slice *domain_r);

/* The local part as it must be written: quoted only if it needs it. */
struct slice address_quote_local(struct arena *arena, struct slice local);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]". The grammar's general literals (RFC 5321
 * 4.1.3) are none: no further tag was ever registered. ip_r may be NULL. */
bool address_literal(struct slice text, struct ip *ip_r);

#endif
