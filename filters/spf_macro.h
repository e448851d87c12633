#ifndef GATEHOUSE_FILTERS_SPF_MACRO_H
#define GATEHOUSE_FILTERS_SPF_MACRO_H
/*
 * spf_macro: macro-string and domain-spec of SPF (RFC 7208 7). Pure text: the
 * syntax stands apart from the expansion, because a record is checked whole
 * before any of it is used.
 */
#include "base/arena.h"
#include "base/cidr.h"

/* What the letters stand for (RFC 7208 7.2). */
struct spf_macro_values {
	struct slice sender;        /* s: local-part@domain */
	struct slice local;         /* l */
	struct slice sender_domain; /* o */
	struct slice domain;        /* d: the one being evaluated, without final dot */
	struct ip client;           /* i, c, v */
	struct slice validated;     /* p; empty: "unknown" */
	struct slice helo;          /* h */
	struct slice receiver;      /* r; empty: "unknown" */
	int64_t now;                /* t */
};

/* Spaces belong to explain-string only; so do the letters c, r and t, which
 * a domain-spec may not use either. */
enum spf_macro_use { SPF_MACRO_DOMAIN, SPF_MACRO_MODIFIER, SPF_MACRO_EXPLANATION };

bool spf_macro_ok(struct slice text, enum spf_macro_use use);
/* domain-spec: a macro-string that ends in a macro or in "." toplabel ["."]. */
bool spf_domain_spec_ok(struct slice text);
/* %{p} costs look-ups: text, which is well-formed, asks for it. */
bool spf_macro_uses_p(struct slice text);

/*
 * The name that a well-formed domain-spec stands for, without final dot; of a
 * name over 253 octets, whole labels are cut off at its left (RFC 7208 7.3).
 * Raw octets, and maybe no name that can be asked: see spf_dns_escape().
 */
struct slice spf_macro_domain(struct arena *arena, struct slice text, const struct spf_macro_values *values);

/* Longer explanations than this are not given. */
#define SPF_EXPLANATION_MAX 2048u

/* False, if text is no explain-string or becomes too long. What comes of it
 * is printable ASCII. */
bool spf_macro_explanation(struct arena *arena, struct slice text, const struct spf_macro_values *values,
			   struct slice *explanation_r);

/* As ask_dns() reads names: its octets are those of name, dots separate labels.
 * Returns name itself where nothing is to be escaped; the empty slice, which
 * can't be asked, for what is not ASCII: such terms match nothing (RFC 8616 4). */
struct slice spf_dns_escape(struct arena *arena, struct slice name);

/* Without its final dot, and without its first labels while it is over 253
 * octets (RFC 7208 7.3). */
struct slice spf_domain_cut(struct slice name);

#endif
