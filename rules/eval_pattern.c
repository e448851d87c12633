#include "rules/eval_pattern.h"

#include <stdio.h>
#include <stdlib.h>

#include "rules/rule_eval.h"

#define IP4 "(?:\\d{1,3}\\.){3}\\d{1,3}"

static const struct {
	const char *source;
	unsigned flags;
} sources[EVAL_PATTERNS] = {
	[IS_AOL_RELAY] = { " rly-[a-z]{2}\\d{2}\\.", PATTERN_I },
	[IS_AOL_SOFTWARE] = { "/AOL-\\d+\\.\\d+\\.\\d+\\)|ESMTP id (?:RELAY|MAILRELAY|MAILIN)", 0 },
	[IS_EZMLM_LIST] = { "^contact \\S+@\\S+; run by ezmlm$", PATTERN_M },
	[IS_EZMLM_DELIVERED] = { "^mailing list \\S+@\\S+", PATTERN_M },
	[IS_QMAIL_INVOKED] = { "qmail \\d+ invoked (?:from network|by .{3,20})\\); \\d+ ... \\d+", 0 },
	[IS_MSN_GROUPS] = { "from groups\\.msn\\.com \\(\\S+\\.msn\\.com ", 0 },
	[IS_HOTMAIL_PICKUP] = { "from mail pickup service by hotmail\\.com with Microsoft SMTPSVC;", 0 },
	[IS_HOTMAIL_RELAY] = {
		"from (?:\\S*\\.)?hotmail.com \\(\\S+\\.hotmail(?:\\.msn)?\\.com[ )]"
		"|from \\S*\\.hotmail.com \\(\\[" IP4 "\\][ ):]"
		"|from \\S+ by \\S+\\.hotmail(?:\\.msn)?\\.com with HTTP;"
		"|from \\[66\\.218.\\S+\\] by \\S+\\.yahoo\\.com", 0 },
	[IS_OUTLOOK_RELAY] = {
		"from \\S*\\.outbound\\.protection\\.outlook\\.com \\(\\S+\\.outbound\\.protection\\.outlook\\.com[ )]"
		"|from \\S*\\.(?:eur|nam)prd\\d+\\.prod\\.outlook\\.com \\([\\da-fA-F.:]+\\)", 0 },
	[IS_HOTMAIL_CLAIM] = { "(?:from |HELO |helo=)\\S*hotmail\\.com\\b", 0 },
	[IS_HOTMAIL_ORIGINATOR] = { "hotmail\\.com|msonline-outlook", 0 },
	[IS_HOTMAIL_FROM] = { "\\bhotmail\\.com$", PATTERN_I },
	[IS_EUDORAMAIL_FROM] = { "\\beudoramail\\.com$", PATTERN_I },
	[IS_EUDORAMAIL_RELAY] = { "by \\S*whowhere.com;", 0 },
	[IS_YAHOO_FROM] = { "\\byahoo\\.com$", PATTERN_I },
	[IS_YAHOO_RDNS] = { " rdns=\\S+\\.yahoo\\.com ", 0 },
	[IS_YAHOO_FIRST_RDNS] = { "^[^\\]]+ rdns=\\S+\\.yahoo\\.com ", 0 },
	[IS_YAHOO_RELAY] = {
		"by web\\S+\\.mail\\S*\\.yahoo\\.com via HTTP|by sonic\\S+\\.consmr\\.mail\\S*\\.yahoo\\.com with HTTP"
		"|by smtp\\S+\\.yahoo\\.com with SMTP"
		"|from \\[[\\da-fA-F.:]+\\] by \\S+\\.(?:groups|scd|dcn)\\.yahoo\\.com with NNFMP"
		"|by \\w+\\.\\w+\\.yahoo\\.com \\(\\d+\\.\\d+\\.\\d+/\\d+\\.\\d+\\.\\d+\\)(?: with ESMTP)? id \\w+", 0 },
	[IS_YAHOO_BULK] = { "\\bmailer\\d+\\.bulk\\.scd\\.yahoo\\.com\\b", 0 },
	[IS_YAHOO_REPLY] = { "@reply\\.yahoo\\.com$", PATTERN_I },
	[IS_JUNO_FROM] = { "\\bjuno\\.com$", PATTERN_I },
	[IS_JUNO_RELAY] = {
		"from.*\\b(?:juno|untd)\\.com.*[\\[(][\\da-fA-F.:]+[\\])].*by| cookie\\.(?:juno|untd)\\.com ", 0 },
	[IS_MAILCOM_RELAY] = { "from.*\\bmail\\.com.*\\[[\\da-fA-F.:]+\\].*by", 0 },
	[IS_UNTD_WEBMAIL] = { "from (webmail\\S+\\.untd\\.com) \\(\\1 \\[[\\da-fA-F.:]+\\]\\) by", 0 },
	[IS_UNTD_MAILER] = { "^Webmail Version \\d", 0 },
	[IS_GMAIL_FROM] = { "\\bgmail\\.com$", PATTERN_I },
	[IS_GMAIL_X_RECEIVED] = { "by (?:10\\.\\S+|2002:a\\d\\d:\\w+:\\S+) with SMTP id \\S+", 0 },
	[IS_GMAIL_RECEIVED] = { "by smtp\\.googlemail\\.com with ESMTPSA id \\S+", 0 },
	[IS_DOTCOM_HELO] = {
		"(?:\\.|^)(?:lycos\\.com|lycos\\.co\\.uk|hotmail\\.com|localhost\\.com|excite\\.com|caramail\\.com|cs\\.com"
		"|aol\\.com|msn\\.com|yahoo\\.com|drizzle\\.com)$", PATTERN_I },
	[IS_HOST_NAME] = { "^\\w+(?:[\\w.-]+\\.)+\\w+$", 0 },
	[IS_LONG_LABEL] = { "\\S{3,}|ie|fr|de", 0 },
	[HAS_IP] = { "\\b" IP4 "\\b|[\\da-fA-F]*:[\\da-fA-F]*:[\\da-fA-F:]+", 0 },

	[IS_TEMPLATE] = { "%[A-Z][A-Z_-]", 0 },
	[IS_TEMPLATE_EXEMPT] = {
		"^(?:X-VMS-To|X-UIDL|X-Face|To|Cc|From|Subject|References|In-Reply-To"
		"|(?:X-|Resent-|X-Original-)?Message-Id):", PATTERN_I },
	[IS_OUTLOOK_ID] = { "^<[0-9a-f]{4}([0-9a-f]{8})\\$[0-9a-f]{8}\\$[0-9a-f]{8}@", 0 },
	[IS_RATWARE_ID] = { "<[A-Z]{28}\\.([^>]+?)>", 0 },
	[RECEIVED_DATE] = { "\\s.?\\d+ \\S{3} \\d+ \\d+:\\d+:\\d+ \\S+", 0 },
	[IS_LOCAL_RECEIVED] = { "\\bfrom (?:localhost\\s|(?:\\S+ ){1,2}\\S*\\b127\\.0\\.0\\.1\\b)", 0 },
	[IS_QMAIL_LOCAL] = { "qmail \\d+ invoked by uid \\d+", 0 },
	[IS_FETCHMAIL] = { "\\bby localhost with \\w+ \\(fetchmail-[\\d.]+", 0 },
	[IS_CAPS_CHARSET] = {
		"^[-_a-z0-9]*(?:koi|jp|jis|euc|gb|big5|isoir|cp1251|windows-1251|georgianps|pt154|tis)[-_a-z0-9]*$",
		PATTERN_I },
	[REPLY_PREFIX] = { "^(?:(?:Re|Fwd|Fw|Aw|Antwort|WG|SV|VB|VS|VL):\\s*)+", PATTERN_I },
	[IS_LIST_UNSUBSCRIBE] = { "<mailto:(?:leave-\\S+|\\S+-unsubscribe)@\\S+>$", PATTERN_I },
	[IS_UNUSABLE_RELAY] = { "/CWT/DCE\\)|iPlanet Messaging Server", 0 },

	[IS_TWO_WORDS] = { "\\S\\s+\\S", 0 },
	[IS_BASE64_TEXT] = { "^(?:[A-Za-z0-9+/=]{60,76} ){2}", 0 },
	[QP_ENCODED] = { "=(?:09|3[0-9ABCEF]|[2456][0-9A-F]|7[0-9A-E])", 0 },
	[QP_TRAILING] = { "((?:=09|=20)+)\\s*$", 0 },
	[UNICODE_ENTITY] = { "&#x[0-9A-F]{4};", 0 },
	[STOCK_LINE] = { "^\\s*([^:\\s][^:\\n]{2,29})\\s*:\\s*\\S", PATTERN_M },
	[STOCK_WORD] = {
		"(^trad(?:e|ing)date|company(?:name)?|s\\w?(?:t\\w?o\\w?c\\w?k|y\\w?m(?:\\w?b\\w?o\\w?l)?)|t(?:arget|icker)"
		"|(?:opening|current)p(?:rice)?|p(?:rojected|osition)|expectations|weeks?high|marketperformance"
		"|(?:year|week|month|day|price)(?:target|estimates?)|sector|r(?:ecommendation|ating))$", 0 },
	[IS_BOUNCE_RECEIVED] = { "^[> ]*Received:", PATTERN_I },
	[IS_STRANGE_ISO] = { "iso-\\S+-\\S+\\b", PATTERN_I },
	[IS_KNOWN_ISO] = { "iso-(?:8859-\\d{1,2}|2022-(?:jp|kr))\\b", 0 },
	[IS_ASCII_CHARSET] = {
		"us-ascii|ansi_x3\\.4-1968|iso-ir-6|ansi_x3\\.4-1986|iso_646\\.irv:1991|ascii|iso646-us|us|ibm367|cp367"
		"|csascii", 0 },

	[EMAIL] = {
		"(?<![a-z0-9!#$%&'*+/=?^_`{|}~-])(?<![a-z0-9!#$%&'*+/=?^_`{|}~-]\\.)"
		"([a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\\.[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}){0,10}"
		"@(?:[a-z0-9](?:[a-z0-9-]{0,59}[a-z0-9])?\\.){1,4}[a-z][a-z0-9-]{1,20})(?![a-z0-9-])", PATTERN_I },
	[EMAIL_NOISE_URI] = { "<?https?://\\S{0,255}(?:@|%40)\\S{0,255}", PATTERN_I },
	[EMAIL_QUOTED] = {
		"^(?:>|\\s{1,10}(?!(?:fa(?:x|csi)|tel|phone|e?-?mail))[a-z]{2,11}:)", PATTERN_I },
	[IS_BULK_SENDER] = {
		"(?:^(?:post|host|domain)master|^double-bounce|^(?:sentto|owner|return|(?:gr)?bounced?)-.+"
		"|-(?:request|bounces?|admin|owner)|\\b(?:do[._-t]?)?no[._-t]?repl(?:y|ies)|.+=.+)@", PATTERN_I },
	[IS_ROLE_ADDRESS] = {
		"^(?:abuse|support|sales|info|helpdesk|contact|kontakt|(?:post|host|domain)master|undisclosed.*"
		"|request-[a-f0-9]{16}|bounced?-|[a-f0-9]{8}(?:\\.[a-f0-9]{8}|(?:-[a-f0-9]{4}){3}-[a-f0-9]{12})"
		"|.+=.+=.+)@", PATTERN_I },
	[IS_SRS] = { "^SRS\\d[=+-]", PATTERN_I },

	[URI_WITH_IP] = { "^https?:/*(?:[^@/]+@)?" IP4, PATTERN_I },
	[TEXT_WITH_IP_URI] = { "^https:/*(?:[^@/]+@)?" IP4, PATTERN_I },
	[TEXT_HTTPS] = { "https:", PATTERN_I },
	[LINK_HOST] = { "^https?://([^/:?#]+)", PATTERN_I },
	[TEXT_HTTPS_HOST] = { "https://([^\\s/:?#]+)", PATTERN_I },
};

struct eval_patterns {
	struct regex *list[EVAL_PATTERNS];
};

struct eval_patterns *eval_patterns_create(struct arena *arena)
{
	struct eval_patterns *p = arena_new(arena, struct eval_patterns);
	for (size_t i = 0; i < EVAL_PATTERNS; i++) {
		struct pattern pattern = { .source = slice_str(sources[i].source), .flags = sources[i].flags, .set = true };
		const char *error = NULL;
		p->list[i] = regex_compile(arena, &pattern, &error);
		if (p->list[i] == NULL) {
			fprintf(stderr, "fatal: fixed pattern %zu: %s\n", i, error);
			abort();
		}
	}
	return p;
}

static void free_scratch(void *arg)
{
	struct regex_scratch *scratch = arg;
	regex_scratch_free(&scratch);
}

static struct regex_scratch *scratch_of(struct rule_scan *s)
{
	struct regex_scratch *of_run = engine_run_regex(&s->run);
	if (of_run != NULL)
		return of_run;
	if (s->evals->scratch == NULL) {
		s->evals->scratch = regex_scratch_create();
		arena_on_reset(s->arena, free_scratch, s->evals->scratch);
	}
	return s->evals->scratch;
}

bool eval_search(struct rule_scan *s, enum eval_pattern pattern, struct slice text, size_t from,
		 struct regex_match *match_r)
{
	return regex_match(s->rules->patterns->list[pattern], scratch_of(s), text, from, match_r) == REGEX_YES;
}

bool eval_is(struct rule_scan *s, enum eval_pattern pattern, struct slice text)
{
	return eval_search(s, pattern, text, 0, NULL);
}

struct slice eval_group(struct rule_scan *s, struct slice text, size_t n)
{
	return regex_nth_group(scratch_of(s), text, n);
}

bool eval_regex(struct rule_scan *s, const struct regex *regex, struct slice text)
{
	return regex_match(regex, scratch_of(s), text, 0, NULL) == REGEX_YES;
}
