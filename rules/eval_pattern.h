#ifndef GATEHOUSE_RULES_EVAL_PATTERN_H
#define GATEHOUSE_RULES_EVAL_PATTERN_H
/*
 * eval_pattern: the fixed patterns that eval functions need, compiled once
 * with the rule set. That all of them compile is tested.
 */
#include "rules/rule_scan.h"

enum eval_pattern {
	/* trace fields; white space of a kind is one space there */
	IS_AOL_RELAY, IS_AOL_SOFTWARE,
	IS_EZMLM_LIST, IS_EZMLM_DELIVERED, IS_QMAIL_INVOKED, IS_MSN_GROUPS,
	IS_HOTMAIL_PICKUP, IS_HOTMAIL_RELAY, IS_OUTLOOK_RELAY, IS_HOTMAIL_CLAIM, IS_HOTMAIL_ORIGINATOR,
	IS_HOTMAIL_FROM, IS_EUDORAMAIL_FROM, IS_EUDORAMAIL_RELAY, IS_YAHOO_FROM, IS_YAHOO_RDNS, IS_YAHOO_FIRST_RDNS,
	IS_YAHOO_RELAY, IS_YAHOO_BULK, IS_YAHOO_REPLY, IS_JUNO_FROM, IS_JUNO_RELAY, IS_MAILCOM_RELAY,
	IS_UNTD_WEBMAIL, IS_UNTD_MAILER, IS_GMAIL_FROM, IS_GMAIL_X_RECEIVED, IS_GMAIL_RECEIVED,
	IS_DOTCOM_HELO, IS_HOST_NAME, IS_LONG_LABEL, HAS_IP,
	/* other headers */
	IS_TEMPLATE, IS_TEMPLATE_EXEMPT, IS_OUTLOOK_ID, IS_RATWARE_ID, RECEIVED_DATE, IS_LOCAL_RECEIVED,
	IS_QMAIL_LOCAL, IS_FETCHMAIL, IS_CAPS_CHARSET, REPLY_PREFIX, IS_LIST_UNSUBSCRIBE, IS_UNUSABLE_RELAY,
	/* bodies */
	IS_TWO_WORDS, IS_BASE64_TEXT, QP_ENCODED, QP_TRAILING, UNICODE_ENTITY, STOCK_LINE, STOCK_WORD,
	IS_BOUNCE_RECEIVED, IS_STRANGE_ISO, IS_KNOWN_ISO, IS_ASCII_CHARSET,
	/* addresses */
	EMAIL, EMAIL_NOISE_URI, EMAIL_QUOTED, IS_BULK_SENDER, IS_ROLE_ADDRESS, IS_SRS,
	/* links */
	URI_WITH_IP, TEXT_WITH_IP_URI, TEXT_HTTPS, LINK_HOST, TEXT_HTTPS_HOST,
	EVAL_PATTERNS
};

struct eval_patterns;

struct eval_patterns *eval_patterns_create(struct arena *arena);
bool eval_is(struct rule_scan *scan, enum eval_pattern pattern, struct slice text);
/* From offset on; *match_r and, for eval_group(), the groups are of this match. */
bool eval_search(struct rule_scan *scan, enum eval_pattern pattern, struct slice text, size_t from,
		 struct regex_match *match_r);
struct slice eval_group(struct rule_scan *scan, struct slice text, size_t n);
bool eval_regex(struct rule_scan *scan, const struct regex *regex, struct slice text);

#endif
