#include "rules/rule_cond.h"

#include "rules/rule_expr.h"

#define PLUGIN_PREFIX "Mail::SpamAssassin::Plugin::"

/* Plugins of SpamAssassin whose rules and settings mean the same here. */
static const char *const plugins[] = {
	"AskDNS", "BodyEval", "Check", "DKIM", "DMARC", "DNSEval", "FreeMail", "HTMLEval", "HTTPSMismatch",
	"HeaderEval", "ImageInfo", "MIMEEval", "MIMEHeader", "RelayEval", "ReplaceTags", "SPF", "URIDNSBL",
	"URIDetail", "URIEval", "VBounce", "WLBLEval", "WelcomeListSubject",
};

/* What `can(…)` and `has(…)` find. Without the common prefix of conf features. */
static const char *const features[] = {
	"Mail::SpamAssassin::Conf::feature_blocklist_welcomelist",
	"Mail::SpamAssassin::Conf::feature_bug6558_free",
	"Mail::SpamAssassin::Conf::feature_capture_rules",
	"Mail::SpamAssassin::Conf::feature_compile_regexp",
	"Mail::SpamAssassin::Conf::feature_dns_block_rule",
	"Mail::SpamAssassin::Conf::feature_dns_local_ports_permit_avoid",
	"Mail::SpamAssassin::Conf::feature_dns_query_restriction",
	"Mail::SpamAssassin::Conf::feature_edns",
	"Mail::SpamAssassin::Conf::feature_get_host",
	"Mail::SpamAssassin::Conf::feature_header_address_parser",
	"Mail::SpamAssassin::Conf::feature_header_first_last",
	"Mail::SpamAssassin::Conf::feature_header_match_many",
	"Mail::SpamAssassin::Conf::feature_local_tests_only",
	"Mail::SpamAssassin::Conf::feature_meta_rules_matching",
	"Mail::SpamAssassin::Conf::feature_originating_ip_headers",
	"Mail::SpamAssassin::Conf::feature_registryboundaries",
	"Mail::SpamAssassin::Conf::feature_subjprefix",
	"Mail::SpamAssassin::Conf::feature_uri_host_listed",
	"Mail::SpamAssassin::Conf::feature_welcomelist_blocklist",
	"Mail::SpamAssassin::Conf::feature_yesno_takes_args",
	"Mail::SpamAssassin::Conf::perl_min_version_5010000",
	"Mail::SpamAssassin::Plugin::BodyEval::has_check_body_length",
	"Mail::SpamAssassin::Plugin::DKIM::has_arc",
	"Mail::SpamAssassin::Plugin::MIMEEval::has_check_abundant_unicode_ratio",
	"Mail::SpamAssassin::Plugin::MIMEEval::has_check_for_ascii_text_illegal",
	"Mail::SpamAssassin::Plugin::MIMEEval::has_check_qp_ratio",
	"Mail::SpamAssassin::Plugin::MIMEHeader::has_all_header",
	"Mail::SpamAssassin::Plugin::MIMEHeader::has_tflags_concat",
	"Mail::SpamAssassin::Plugin::MIMEHeader::has_tflags_multiple",
	"Mail::SpamAssassin::Plugin::MIMEHeader::has_tflags_range",
	"Mail::SpamAssassin::Plugin::SPF::has_check_for_spf_errors",
	"Mail::SpamAssassin::Plugin::URIDNSBL::has_subtest_for_ranges",
	"Mail::SpamAssassin::Plugin::URIDNSBL::has_tflags_domains_only",
	"Mail::SpamAssassin::Plugin::URIDNSBL::has_tflags_ips_only",
	"Mail::SpamAssassin::Plugin::URIDNSBL::has_uridnsbl_a_ns",
	"Mail::SpamAssassin::Plugin::URIDNSBL::has_uridnsbl_for_a",
	"Mail::SpamAssassin::Plugin::URIDetail::has_host_key",
	"Gatehouse::action",
	"Gatehouse::shadow",
	"Gatehouse::skeleton",
	"Gatehouse::symbols",
};

bool rule_plugin_loaded(struct slice name)
{
	struct slice prefix = SLICE(PLUGIN_PREFIX);
	if (!slice_starts(name, prefix))
		return false;
	name = slice_from(name, prefix.len);
	if (slice_eq(name, SLICE("Dmarc")))
		name = SLICE("DMARC");
	if (slice_eq(name, SLICE("WhiteListSubject")))
		name = SLICE("WelcomeListSubject");
	for (size_t i = 0; i < sizeof(plugins) / sizeof(*plugins); i++)
		if (slice_eq(name, slice_str(plugins[i])))
			return true;
	return false;
}

static bool feature_known(struct slice name)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(*features); i++)
		if (slice_eq(name, slice_str(features[i])))
			return true;
	return false;
}

static bool condition_name(void *context, struct expr_builder *b, struct slice name, struct slice argument,
			   const char **error_r)
{
	const bool *net = context;
	bool call = argument.data != NULL;
	if (call && slice_eq(name, SLICE("plugin")))
		expr_push_number(b, rule_plugin_loaded(argument));
	else if (call && (slice_eq(name, SLICE("can")) || slice_eq(name, SLICE("has"))))
		expr_push_number(b, feature_known(argument));
	else if (!call && slice_eq(name, SLICE("version")))
		expr_push_number(b, SPAMASSASSIN_VERSION_NUMBER);
	else if (!call && slice_eq(name, SLICE("perl_version")))
		expr_push_number(b, PERL_VERSION_NUMBER);
	else if (!call && slice_eq(name, SLICE("local_tests_only")))
		expr_push_number(b, !*net);
	else {
		*error_r = "unknown word in the condition";
		return false;
	}
	return true;
}

bool rule_condition_eval(struct arena *arena, struct slice text, bool net, bool *value_r, const char **error_r)
{
	struct rule_expr *expr = rule_expr_parse(arena, text, condition_name, &net, error_r);
	if (expr == NULL)
		return false;
	*value_r = rule_expr_eval(expr, NULL, NULL) != 0;
	return true;
}
