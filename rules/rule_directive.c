/*
 * The table of directives, and those that say something of rules: scores,
 * descriptions, flags, settings that rules read.
 */
#include <stdlib.h>

#include "base/nearest.h"
#include "rules/rule_define.h"

struct slice rule_line_word(struct slice *rest)
{
	struct slice s = slice_trim_left(*rest);
	size_t n = 0;
	while (n < s.len && !ascii_is_space(s.data[n]))
		n++;
	*rest = slice_trim(slice_from(s, n));
	return slice_head(s, n);
}

static bool parse_number(struct slice word, double *value_r)
{
	char text[40];
	if (word.len == 0 || word.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_digit(word.data[i]) && strchr("+-.", word.data[i]) == NULL)
			return false;
	memcpy(text, word.data, word.len);
	text[word.len] = '\0';
	char *end;
	*value_r = strtod(text, &end);
	return *end == '\0';
}

struct rule *rule_line_rule(const struct rule_line *l, struct slice *rest_r)
{
	*rest_r = l->value;
	struct slice name = rule_line_word(rest_r);
	if (!rule_name_ok(name)) {
		line_error(l, "\"%.*s\" is not the name of a rule", SLICE_ARG(name));
		return NULL;
	}
	return rule_table_need(l->table, name);
}

static void on_describe(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = rule_line_rule(l, &rest);
	if (rule != NULL)
		rule->describe = arena_str(l->table->arena, rest);
}

static bool parse_score(struct slice word, double old, double *value_r)
{
	bool relative = word.len > 2 && word.data[0] == '(' && word.data[word.len - 1] == ')';
	if (relative)
		word = slice_sub(word, 1, word.len - 2);
	if (!parse_number(word, value_r))
		return false;
	if (relative)
		*value_r += old;
	return true;
}

static void on_score(const struct rule_line *l)
{
	struct slice rest, words[4];
	struct rule *rule = rule_line_rule(l, &rest);
	double values[4];
	size_t n = 0;
	if (rule == NULL)
		return;
	while (rest.len > 0 && n < 4)
		words[n++] = rule_line_word(&rest);
	bool ok = (n == 1 || n == 4) && rest.len == 0;
	for (size_t i = 0; ok && i < 4; i++)
		ok = parse_score(words[n == 4 ? i : 0], rule->scores[i], &values[i]);
	if (!ok) {
		line_error(l, "score %s: one or four numbers expected", rule->name.data);
		return;
	}
	memcpy(rule->scores, values, sizeof(values));
	rule->scored = true;
}

static const struct {
	const char *name;
	unsigned flag;
} tflag_names[] = {
	{ "net", TFLAG_NET }, { "nice", TFLAG_NICE }, { "learn", TFLAG_LEARN },
	{ "multiple", TFLAG_MULTIPLE }, { "nosubject", TFLAG_NOSUBJECT }, { "userconf", TFLAG_USERCONF },
	{ "domains_only", TFLAG_DOMAINS_ONLY }, { "ips_only", TFLAG_IPS_ONLY }, { "a", TFLAG_A },
	{ "ns", TFLAG_NS }, { "notrim", TFLAG_NOTRIM }, { "concat", TFLAG_CONCAT }, { "range", TFLAG_RANGE },
};

static void on_tflags(const struct rule_line *l)
{
	struct slice rest, word;
	struct rule *rule = rule_line_rule(l, &rest);
	if (rule == NULL)
		return;
	while ((word = rule_line_word(&rest)).len > 0) {
		uint64_t max;
		for (size_t i = 0; i < sizeof(tflag_names) / sizeof(*tflag_names); i++)
			if (slice_eq(word, slice_str(tflag_names[i].name)))
				rule->tflags |= tflag_names[i].flag;
		if (slice_starts(word, SLICE("maxhits=")) && slice_u64(slice_from(word, 8), 1000000, &max))
			rule->maxhits = (unsigned)max;
	}
}

static void on_priority(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = rule_line_rule(l, &rest);
	double value;
	if (rule == NULL)
		return;
	if (!parse_number(rule_line_word(&rest), &value) || value < -1000000 || value > 1000000)
		line_error(l, "priority %s: a number expected", rule->name.data);
	else
		rule->priority = (int)value;
}

static void on_test(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = rule_line_rule(l, &rest);
	if (rule == NULL)
		return;
	struct slice word = rule_line_word(&rest);
	if (!slice_eq(word, SLICE("ok")) && !slice_eq(word, SLICE("fail"))) {
		line_error(l, "test %s: ok or fail expected", rule->name.data);
		return;
	}
	if (rule->test_count == rule->test_cap) {
		size_t cap = rule->test_cap ? rule->test_cap * 2 : 4;
		struct rule_test *tests = arena_array(l->table->arena, struct rule_test, cap);
		if (rule->test_count > 0)
			memcpy(tests, rule->tests, rule->test_count * sizeof(*tests));
		rule->tests = tests;
		rule->test_cap = cap;
	}
	rule->tests[rule->test_count++] = (struct rule_test){ slice_eq(word, SLICE("ok")), rest };
}

static void on_replace_rules(const struct rule_line *l)
{
	struct slice rest = l->value, word;
	while ((word = rule_line_word(&rest)).len > 0)
		if (rule_name_ok(word))
			rule_table_need(l->table, word)->replace_tags = true;
}

/* ---- ours ---- */

static void on_shadow(const struct rule_line *l)
{
	struct slice rest = l->value, word;
	while ((word = rule_line_word(&rest)).len > 0) {
		if (rule_name_ok(word))
			rule_table_need(l->table, word)->shadow = true;
		else
			line_error(l, "\"%.*s\" is not the name of a rule", SLICE_ARG(word));
	}
}

/* "text", or text without quotes. */
static struct slice unquote(struct slice text)
{
	if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
		return slice_sub(text, 1, text.len - 2);
	return text;
}

static void on_action(const struct rule_line *l)
{
	static const struct {
		const char *name;
		enum action action;
		uint16_t code;
		const char *enhanced;
	} actions[] = {
		{ "reject", ACTION_REJECT, 554, "5.7.1" },
		{ "defer", ACTION_DEFER, 451, "4.7.1" },
		{ "quarantine", ACTION_QUARANTINE, 0, NULL },
	};
	struct slice rest;
	struct rule *rule = rule_line_rule(l, &rest);
	if (rule == NULL)
		return;
	struct slice word = rule_line_word(&rest);
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (!slice_eq(word, slice_str(actions[i].name)))
			continue;
		rule->action = actions[i].action;
		rule->refusal = (struct refusal){ actions[i].code, actions[i].enhanced, unquote(rest) };
		return;
	}
	line_error(l, "action %s: reject, defer or quarantine expected", rule->name.data);
}

/* ---- settings that rules read, and those that nothing here reads ---- */

static void on_setting(const struct rule_line *l)
{
	rule_table_set(l->table, l->key, l->value, l->file, l->line);
}

/* SpamAssassin 4.0 says welcomelist and blocklist; both words mean the same. */
static void on_list(const struct rule_line *l)
{
	static const char *const words[][2] = { { "whitelist", "welcomelist" }, { "blacklist", "blocklist" } };
	struct slice key = l->key;
	for (size_t i = 0; i < 2; i++) {
		size_t at = slice_find(key, slice_str(words[i][0]));
		if (at != SLICE_NPOS)
			key = arena_printf(l->table->arena, "%.*s%s%.*s", SLICE_ARG(slice_head(key, at)), words[i][1],
					   SLICE_ARG(slice_from(key, at + strlen(words[i][0]))));
	}
	rule_table_set(l->table, key, l->value, l->file, l->line);
}

static const struct directive {
	const char *key;
	void (*fn)(const struct rule_line *);
	enum rule_type type;       /* of the rule that it defines */
} directives[] = {
	{ "header", rule_on_header, RULE_HEADER },
	{ "body", rule_on_body, RULE_BODY },
	{ "rawbody", rule_on_rawbody, RULE_RAWBODY },
	{ "full", rule_on_full, RULE_FULL },
	{ "uri", rule_on_uri, RULE_URI },
	{ "skeleton", rule_on_skeleton, RULE_SKELETON },
	{ "mimeheader", rule_on_mimeheader, RULE_MIMEHEADER },
	{ "uri_detail", rule_on_uri_detail, RULE_URI_DETAIL },
	{ "meta", rule_on_meta, RULE_META },
	{ "askdns", rule_on_askdns, RULE_ASKDNS },
	{ "uridnsbl", rule_on_uribl, RULE_NONE },
	{ "uridnssub", rule_on_uribl, RULE_NONE },
	{ "urirhsbl", rule_on_uribl, RULE_NONE },
	{ "urirhssub", rule_on_uribl, RULE_NONE },
	{ "urinsrhsbl", rule_on_uribl, RULE_NONE },
	{ "urinsrhssub", rule_on_uribl, RULE_NONE },
	{ "urifullnsrhsbl", rule_on_uribl, RULE_NONE },
	{ "urifullnsrhssub", rule_on_uribl, RULE_NONE },
	{ "describe", on_describe, RULE_NONE },
	{ "score", on_score, RULE_NONE },
	{ "tflags", on_tflags, RULE_NONE },
	{ "priority", on_priority, RULE_NONE },
	{ "test", on_test, RULE_NONE },
	{ "replace_rules", on_replace_rules, RULE_NONE },
	{ "shadow", on_shadow, RULE_NONE },
	{ "action", on_action, RULE_NONE },
};

/* Settings kept for eval functions and for the pattern's compiler. */
static const char *const settings[] = {
	"replace_tag", "replace_pre", "replace_inter", "replace_post", "replace_start", "replace_end",
	"util_rb_tld", "util_rb_2tld", "util_rb_3tld", "clear_util_rb",
	"redirector_pattern", "url_shortener", "clear_url_shortener",
	"freemail_domains", "freemail_max_body_emails", "freemail_max_body_freemails",
	"freemail_skip_when_over_max", "freemail_skip_bulk_envfrom",
	"enlist_uri_host", "delist_uri_host", "enlist_addrlist", "adsp_override",
	"uridnsbl_skip_domain", "clear_uridnsbl_skip_domain", "uridnsbl_max_domains", "uridnsbl_skip_mailto",
	"trusted_networks", "internal_networks", "msa_networks", "clear_trusted_networks",
	"clear_internal_networks", "clear_msa_networks", "originating_ip_headers", "clear_originating_ip_headers",
	"dns_query_restriction", "envelope_sender_header", "dns_block_rule", "ok_locales", "ok_languages",
	"rbl_headers", "required_score", "all_spam_to", "more_spam_to", "dkim_minimum_key_bits",
};

static const char *const list_settings[] = {
	"freemail_welcomelist", "freemail_whitelist", "welcomelist_bounce_relays", "whitelist_bounce_relays",
};

/* Prefixes of the address and URI lists. */
static const char *const list_prefixes[] = {
	"welcomelist_", "whitelist_", "blocklist_", "blacklist_", "def_welcomelist_", "def_whitelist_",
	"unwelcomelist_", "unwhitelist_", "unblocklist_", "unblacklist_",
};

/* Words of SpamAssassin that administrators' files hold and that have no
 * meaning for a rule set. A final "*" stands for any end. */
static const char *const ignored[] = {
	"add_header", "allow_user_rules", "always_trust_envelope_sender", "asn_*", "authres_*",
	"auto_welcomelist_*", "auto_whitelist_*", "bayes_*", "body_part_scan_size", "clear_asn_lookups",
	"clear_dns_query_restriction", "clear_dns_query_restrictions", "clear_dns_servers", "clear_headers",
	"clear_report_template", "clear_unsafe_report_template", "country_db_*", "dcc_*", "dccifd_*",
	"dkim_timeout", "dmarc_*", "dns_available", "dns_block_time", "dns_local_ports_*", "dns_options",
	"dns_server", "dns_test_interval", "do_not_use_mail_spf*", "enable_compat", "extracttext_*", "fns_*",
	"fold_headers", "freemail_add_describe_email", "freemail_import_*", "geodb_*", "hashbl_*",
	"ignore_always_matching_regexps", "ignore_received_spf_header", "inactive_languages", "loadplugin",
	"tryplugin", "lock_method", "max_short_url_redirections", "max_short_urls", "mbox_format_from_regex",
	"normalize_charset", "olemacro_*", "parse_dkim_uris", "phishing_*", "pyzor_*", "rawbody_part_scan_size",
	"razor_*", "rbl_timeout", "remove_header", "report", "report_*", "required_hits", "resource_limit_*",
	"reuse", "rewrite_header", "run_reuse_tests_only", "shortcircuit", "shortcircuit_*", "skip_rbl_checks",
	"skip_uribl_checks", "spamcop_*", "spf_timeout", "subjprefix", "textcat_*", "time_limit",
	"trigger_*", "txrep_*", "unsafe_report", "unsafe_report_template", "uri_block_*", "uri_country_db_*",
	"uridnsbl_timeout", "url_shortener_*", "use_*", "user_awl_*", "user_scores_*", "version_tag",
	"ifplugin", "score_set", "full_text", "file",
};

static bool in_list(const char *const *list, size_t count, struct slice key)
{
	for (size_t i = 0; i < count; i++) {
		struct slice name = slice_str(list[i]);
		if (name.data[name.len - 1] == '*' ? slice_starts(key, slice_head(name, name.len - 1)) :
						     slice_eq(key, name))
			return true;
	}
	return false;
}
#define IN(list, key) in_list(list, sizeof(list) / sizeof(*(list)), key)

static bool has_list_prefix(struct slice key)
{
	for (size_t i = 0; i < sizeof(list_prefixes) / sizeof(*list_prefixes); i++)
		if (slice_starts(key, slice_str(list_prefixes[i])))
			return true;
	return false;
}

/* A rule behind a plugin that we don't have: reported, unless a definition
 * outside of it exists. */
static void note_skipped(const struct rule_line *l, const struct directive *d)
{
	struct slice rest = l->value, name = rule_line_word(&rest);
	if (d->type == RULE_NONE || !rule_name_ok(name))
		return;
	struct rule *rule = rule_table_find(l->table, name);
	if (rule != NULL && rule->type != RULE_NONE)
		return;
	rule = rule_table_need(l->table, name);
	rule->type = d->type;
	if (d->type <= RULE_FULL && slice_starts(rest, SLICE("eval:")))
		rule->type = d->type == RULE_HEADER ? RULE_HEADER_EVAL : d->type == RULE_BODY ? RULE_BODY_EVAL :
			     d->type == RULE_RAWBODY ? RULE_RAWBODY_EVAL : RULE_FULL_EVAL;
	rule->file = l->file;
	rule->line = l->line;
	rule->text = rest;
	rule->skipped = true;
	rule->status = RULE_UNSUPPORTED;
	rule->reason = l->why;
}

static void unknown_directive(const struct rule_line *l)
{
	struct nearest near = nearest_begin(l->key);
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++)
		nearest_try(&near, slice_str(directives[i].key));
	if (near.best.len > 0)
		line_error(l, "unknown directive \"%.*s\": did you mean \"%.*s\"?", SLICE_ARG(l->key), SLICE_ARG(near.best));
	else
		line_error(l, "unknown directive \"%.*s\"", SLICE_ARG(l->key));
}

void rule_directive(const struct rule_line *l)
{
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
		if (!slice_eq(l->key, slice_str(directives[i].key)))
			continue;
		if (l->skipped)
			note_skipped(l, &directives[i]);
		else if (l->value.len == 0)
			line_error(l, "%s needs a value", directives[i].key);
		else
			directives[i].fn(l);
		return;
	}
	if (l->skipped)
		return;
	if (IN(settings, l->key))
		on_setting(l);
	else if (IN(list_settings, l->key) || has_list_prefix(l->key))
		on_list(l);
	else if (IN(ignored, l->key))
		l->table->ignored++;
	else
		unknown_directive(l);
}
