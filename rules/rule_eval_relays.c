/* Eval functions about the relays that Received fields tell of. */
#include "rules/eval_pattern.h"
#include "rules/header_address.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

static size_t untrusted_count(const struct rule_scan *s)
{
	return s->relays->count - s->relays->trusted_count;
}

static const struct relay *untrusted(const struct rule_scan *s, size_t i)
{
	return &s->relays->list[s->relays->trusted_count + i];
}

static double check_all_trusted(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->relays->trusted_count > 0 && untrusted_count(s) == 0 && s->relays->unparseable == 0;
}

static double check_no_relays(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->relays->count == 0 && s->relays->unparseable == 0;
}

static double check_relays_unparseable(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->relays->unparseable > 0;
}

static bool public_ip4(struct slice text, struct ip *ip_r)
{
	return ip_parse(text, ip_r) && ip_r->family == 4 && !ip_is_private(ip_r);
}

static double check_for_numeric_helo(struct rule_scan *s, const struct rule *rule)
{
	struct ip ip;
	for (size_t i = 0; i < untrusted_count(s); i++)
		if (public_ip4(untrusted(s, i)->helo, &ip)) {
			eval_evidence(s, rule, "HELO %.*s", SLICE_ARG(untrusted(s, i)->helo));
			return 1;
		}
	return 0;
}

static double helo_ip_mismatch(struct rule_scan *s, const struct rule *rule)
{
	for (size_t i = 0; i < untrusted_count(s); i++) {
		const struct relay *r = untrusted(s, i);
		struct ip helo;
		if (!public_ip4(r->helo, &helo) || r->ip.family != 4 || ip_is_private(&r->ip))
			continue;
		if (memcmp(helo.bytes, r->ip.bytes, 3) != 0) {
			eval_evidence(s, rule, "HELO %.*s from %.*s", SLICE_ARG(r->helo), SLICE_ARG(r->ip_text));
			return 1;
		}
	}
	return 0;
}

static double check_for_sender_no_reverse(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	if (untrusted_count(s) == 0)
		return 0;
	const struct relay *last = untrusted(s, untrusted_count(s) - 1);
	return slice_chr(last->rdns, '.') != SLICE_NPOS && !last->private_ip;
}

static double check_for_no_rdns_dotcom_helo(struct rule_scan *s, const struct rule *rule)
{
	double found = 0;
	(void)rule;
	for (size_t i = 0; i < untrusted_count(s); i++) {
		const struct relay *r = untrusted(s, i);
		if (!r->private_ip)
			found = r->rdns.len == 0 && eval_is(s, IS_DOTCOM_HELO, r->helo);
	}
	return found;
}

/* The last two labels, three where the last is short: "example.co.uk". */
static struct slice to_domain(struct rule_scan *s, struct slice host)
{
	size_t dots[3], n = 0;
	bool letters = false;
	for (size_t i = host.len; i-- > 0;) {
		letters = letters || ascii_is_alpha(host.data[i]);
		if (host.data[i] == '.' && n < 3)
			dots[n++] = i;
	}
	if (!letters || n == 0)
		return host;
	if (eval_is(s, IS_LONG_LABEL, slice_from(host, dots[0] + 1)))
		return n > 1 ? slice_from(host, dots[1] + 1) : host;
	return n > 2 ? slice_from(host, dots[2] + 1) : host;
}

static bool is_local_name(const struct relay *r, struct slice name)
{
	return (slice_eq(name, SLICE("localhost")) || slice_eq(name, SLICE("localhost.localdomain"))) &&
	       slice_eq(r->ip_text, SLICE("127.0.0.1"));
}

/* A relay says it is another host than the one that the relay before spoke to. */
static double check_for_forged_received_trail(struct rule_scan *s, const struct rule *rule)
{
	unsigned mismatches = 0;
	struct slice previous = SLICE_EMPTY;
	for (size_t i = 0; i < untrusted_count(s); i++) {
		const struct relay *r = untrusted(s, i);
		struct slice by = to_domain(s, arena_lower(s->arena, r->by));
		struct slice from = to_domain(s, arena_lower(s->arena, r->rdns));
		bool usable = eval_is(s, IS_HOST_NAME, by);
		bool exempt = slice_eq(by, SLICE("msn.com")) && slice_eq(previous, SLICE("hotmail.com"));
		if (usable && i > 0 && eval_is(s, IS_HOST_NAME, previous) && !slice_eq(by, previous) && !exempt)
			mismatches++;
		previous = usable && is_local_name(r, from) ? SLICE_EMPTY : from;
	}
	if (mismatches > 1)
		eval_evidence(s, rule, "%u relays are not the hosts they were handed over from", mismatches);
	return mismatches > 1;
}

static double check_for_forged_received_ip_helo(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	for (size_t i = 0; i < untrusted_count(s); i++) {
		const struct relay *r = untrusted(s, i);
		struct ip helo;
		if (public_ip4(r->helo, &helo) && r->ip.family == 4 && memcmp(helo.bytes, r->ip.bytes, 2) != 0 &&
		    eval_is(s, IS_HOST_NAME, r->by))
			return 1;
	}
	return 0;
}

static double check_for_from_domain_in_received_headers(struct rule_scan *s, const struct rule *rule)
{
	struct slice domain = eval_arg(rule, 0), from = rule_header_text(s, "From:addr");
	bool desired = slice_eq(eval_arg(rule, 1), SLICE("true")), found = false;
	if (slice_find_nocase(from, domain) == SLICE_NPOS)
		return 0;
	for (size_t i = 0; i < s->relays->count && !found; i++)
		found = slice_ends_nocase(s->relays->list[i].rdns, domain) &&
			slice_ends_nocase(s->relays->list[i].by, domain);
	return found == desired;
}

/* The sender's domain is that of the relay's verified name. */
static double check_mailfrom_matches_rcvd(struct rule_scan *s, const struct rule *rule)
{
	struct slice domain = address_domain_part(rule_header_text(s, "EnvelopeFrom:addr"));
	(void)rule;
	if (slice_chr(domain, '.') == SLICE_NPOS)
		return 0;
	domain = eval_domain(s, arena_lower(s->arena, domain));
	size_t first = untrusted_count(s) > 0 ? s->relays->trusted_count : 0;
	size_t last = untrusted_count(s) > 0 ? first + 1 : s->relays->trusted_count;
	for (size_t i = first; i < last; i++) {
		struct slice rdns = s->relays->list[i].rdns;
		if (rdns.len > 0 && slice_eq_nocase(eval_domain(s, rdns), domain))
			return 1;
	}
	return 0;
}

const struct eval_function eval_relays[] = {
	{ .name = "check_all_trusted", .fn = check_all_trusted },
	{ .name = "check_no_relays", .fn = check_no_relays },
	{ .name = "check_relays_unparseable", .fn = check_relays_unparseable },
	{ .name = "check_for_numeric_helo", .fn = check_for_numeric_helo },
	{ .name = "helo_ip_mismatch", .fn = helo_ip_mismatch },
	{ .name = "check_for_sender_no_reverse", .fn = check_for_sender_no_reverse },
	{ .name = "check_for_no_rdns_dotcom_helo", .fn = check_for_no_rdns_dotcom_helo },
	{ .name = "check_for_forged_received_trail", .fn = check_for_forged_received_trail },
	{ .name = "check_for_forged_received_ip_helo", .fn = check_for_forged_received_ip_helo },
	{ .name = "check_for_from_domain_in_received_headers", .fn = check_for_from_domain_in_received_headers,
	  .min_args = 2, .max_args = 2 },
	{ .name = "check_mailfrom_matches_rcvd", .fn = check_mailfrom_matches_rcvd },
	{ .name = NULL },
};
