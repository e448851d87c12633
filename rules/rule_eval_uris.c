/* Eval functions about links, and the DNS lists of the domains they lead to. */
#include "rules/eval_pattern.h"
#include "rules/rule_eval.h"
#include "rules/rule_network.h"

static double check_uri_truncated(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->decoded->uris.cut;
}

/* A link to an IP address under a text that shows an https: link. */
static double check_https_ip_mismatch(struct rule_scan *s, const struct rule *rule)
{
	for (size_t i = 0; i < s->decoded->html_count; i++) {
		const struct html *html = s->decoded->html[i];
		for (size_t k = 0; k < html->link_count; k++) {
			const struct html_link *link = &html->links[k];
			if (eval_is(s, URI_WITH_IP, link->uri) && !eval_is(s, TEXT_WITH_IP_URI, link->text) &&
			    eval_is(s, TEXT_HTTPS, link->text)) {
				eval_evidence(s, rule, "%.*s", SLICE_ARG(slice_head(link->uri, 200)));
				return 1;
			}
		}
	}
	return 0;
}

static bool link_domain(struct rule_scan *s, enum eval_pattern pattern, struct slice text, struct uri_host *host_r,
			bool *is_ip_r)
{
	struct ip ip;
	if (!eval_is(s, pattern, text))
		return false;
	struct slice host = eval_group(s, text, 1);
	*is_ip_r = ip_parse(host, &ip);
	if (*is_ip_r) {
		host_r->domain = host;
		return true;
	}
	return uri_host(s->arena, arena_printf(s->arena, "http://%.*s/", SLICE_ARG(host)), host_r);
}

/* A link whose text shows an https: link to another domain. */
static double check_https_http_mismatch(struct rule_scan *s, const struct rule *rule)
{
	double min = eval_number(rule, 0, 1), max = eval_number(rule, 1, 1e300);
	for (size_t i = 0; i < s->decoded->html_count; i++) {
		const struct html *html = s->decoded->html[i];
		struct name_map seen = { .count = 0 };
		bool hit = false;
		for (size_t k = 0; k < html->link_count; k++) {
			const struct html_link *link = &html->links[k];
			struct uri_host target, shown;
			bool ip;
			if (link->text.len == 0 || !link_domain(s, LINK_HOST, link->uri, &target, &ip) || ip)
				continue;
			name_map_put(&seen, s->arena, link->uri, 1);
			if (!link_domain(s, TEXT_HTTPS_HOST, link->text, &shown, &ip))
				continue;
			if (!slice_eq_nocase(shown.domain, target.domain)) {
				hit = true;
				eval_evidence(s, rule, "shows %.*s, leads to %.*s", SLICE_ARG(shown.domain),
					      SLICE_ARG(target.domain));
			}
		}
		if (hit && (double)seen.count >= min && (double)seen.count < max)
			return 1;
	}
	return 0;
}

/* A URI that holds another one, of another domain. */
static double check_for_http_redirector(struct rule_scan *s, const struct rule *rule)
{
	const struct uris *uris = &s->decoded->uris;
	for (size_t i = 0; i < uris->count; i++) {
		const struct uri *uri = &uris->list[i];
		size_t at = slice_find_nocase(slice_from(uri->raw, 8), SLICE("http"));
		struct uri_host outer, inner;
		if (at == SLICE_NPOS || !uri_host(s->arena, uri->raw, &outer) ||
		    !uri_host(s->arena, slice_from(uri->raw, at + 8), &inner) ||
		    slice_eq_nocase(outer.domain, inner.domain))
			continue;
		eval_evidence(s, rule, "%.*s leads to %.*s", SLICE_ARG(outer.domain), SLICE_ARG(inner.domain));
		return 1;
	}
	return 0;
}

static double check_uridnsbl(struct rule_scan *s, const struct rule *rule)
{
	const struct rule *listed = rule;
	if (rule->arg_count > 0)
		listed = rule_table_find(s->rules->table, eval_arg(rule, 0));
	return listed != NULL && listed->uribl.zone.len > 0 ? network_uribl(s, listed) : 0;
}

const struct eval_function eval_uris[] = {
	{ .name = "check_uri_truncated", .fn = check_uri_truncated },
	{ .name = "check_https_ip_mismatch", .fn = check_https_ip_mismatch },
	{ .name = "check_https_http_mismatch", .fn = check_https_http_mismatch, .max_args = 2 },
	{ .name = "check_for_http_redirector", .fn = check_for_http_redirector },
	{ .name = "check_uridnsbl", .fn = check_uridnsbl, .max_args = 1, .asks = EVAL_ASKS_AT_END },
	{ .name = NULL },
};
