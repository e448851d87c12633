#ifndef GATEHOUSE_RULES_RULE_NETWORK_H
#define GATEHOUSE_RULES_RULE_NETWORK_H
/*
 * rule_network: askdns, uri_detail, and the DNS lists of URIs (urirhssub and
 * its like). Values as those of eval functions (rules/rule_eval.h).
 */
#include "rules/rule_scan.h"

double network_askdns(struct rule_scan *scan, const struct rule *rule);
double network_uri_detail(struct rule_scan *scan, const struct rule *rule);
/* The rule's own list, for check_uridnsbl. */
double network_uribl(struct rule_scan *scan, const struct rule *rule);

/* A DNS answer against a subtest: "127.0.0.2", a bit mask "0x04" or "8", a
 * range "127.0.0.10-127.0.0.12", "n/mask". addresses: the A rdata. */
bool dnsbl_subtest(struct slice subtest, struct slice rdata);

#endif
