#ifndef GATEHOUSE_RULES_RULE_HEADER_H
#define GATEHOUSE_RULES_RULE_HEADER_H
/*
 * rule_header: what a header rule looks at: fields, decoded or raw, the parts
 * that modifiers ask for (:addr :name :host :domain :ip :revip :first :last),
 * and the pseudo-headers (ALL, ALL-TRUSTED …, ToCc, MESSAGEID, EnvelopeFrom,
 * X-Spam-Relays-…), as SpamAssassin puts them together.
 */
#include "rules/rule_scan.h"

/* False: there is no such header. Several fields stand one behind the other,
 * each with its line end. In the scan's arena. */
bool rule_header_get(struct rule_scan *scan, const struct header_selector *selector, struct slice *value_r);
/* "From:addr" and the like: the first value, without line end; empty: none. */
struct slice rule_header_text(struct rule_scan *scan, const char *selector);
bool rule_header_exists(struct rule_scan *scan, const char *name);
/* Values of a part one by one ("From:addr"); returns how many. */
size_t rule_header_list(struct rule_scan *scan, const char *selector, struct slice *list, size_t max);

#endif
