#ifndef GATEHOUSE_FILTERS_SPF_H
#define GATEHOUSE_FILTERS_SPF_H
/*
 * spf: checks the sender's SPF record (RFC 7208), for MAIL FROM and for HELO.
 * Writes facts.spf and facts.spf_helo. Clients of ours and trusted forwarders
 * are passed over: the facts stay unknown.
 */
#include "filters/filter.h"
#include "filters/spf_check.h"

/* What follows from a result. */
enum spf_consequence { SPF_SCORE, SPF_REJECT, SPF_IGNORE };

struct spf_settings {
	struct filter_common common;
	int engine;                     /* index into spf_engines */
	int fail, softfail, permerror;  /* enum spf_consequence; of MAIL FROM */
	int helo_fail;                  /* enum spf_consequence; of HELO */
	bool helo;                      /* check HELO beside MAIL FROM */
	struct cidr_list trusted_forwarders;
	int64_t lookups, void_lookups, mx_names, ptr_names;
	struct slice text;              /* of a refusal; SPF macros (RFC 7208 7) */
};

struct spf_limits spf_settings_limits(const struct spf_settings *settings);
const struct spf_engine *spf_settings_engine(const struct spf_settings *settings);

/* The Received-SPF field (message/received_spf.h) of facts.spf, folded, without
 * the final CRLF, in the scan's arena; empty if SPF was not checked. For whoever
 * writes our header fields. */
struct slice spf_received_field(const struct scan *scan);

extern const struct filter spf_filter;

#endif
