#ifndef GATEHOUSE_FILTERS_SPF_RECORD_H
#define GATEHOUSE_FILTERS_SPF_RECORD_H
/*
 * spf_record: the text of an SPF record (RFC 7208 4.5, 4.6, 12). A record is
 * checked whole first; then its terms are read one by one, so that a record of
 * any length takes no memory.
 */
#include "base/arena.h"
#include "base/cidr.h"

enum spf_term_kind {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
	SPF_EXP,
	SPF_OTHER_MODIFIER,
};

struct spf_term {
	enum spf_term_kind kind;
	char qualifier;            /* + - ~ ?; of a modifier: 0 */
	struct slice text;         /* as written */
	struct slice domain;       /* domain-spec; empty: the current domain */
	struct ip network;         /* of ip4, ip6; host bits as written */
	uint8_t bits4, bits6;      /* prefix lengths; of ip4 and ip6 the one that fits */
};

struct spf_record {
	struct slice terms;        /* all behind the version */
	struct slice redirect;     /* domain-spec, or empty */
	struct slice exp;          /* domain-spec, or empty */
};

/* A term that is wrong, and why. */
struct spf_syntax_error {
	struct slice term;
	const char *why;
};

/* This TXT record is an SPF record: version and a space or the end (4.5). */
bool spf_record_is(struct slice txt);
/* Checks the syntax of the whole record. The record points into txt. */
bool spf_record_check(struct slice txt, struct spf_record *record_r, struct spf_syntax_error *error_r);
/* Takes the next term off *rest; false at the end. Of a checked record only. */
bool spf_term_next(struct slice *rest, struct spf_term *term_r);
/* The mechanism's address and prefix hold the client's. */
bool spf_prefix_match(const struct ip *client, const void *address, unsigned bits);

/* "a", "ip4", "redirect" … */
const char *spf_term_name(enum spf_term_kind kind);

#endif
