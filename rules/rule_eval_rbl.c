/* Eval functions that ask DNS lists about relays and sender domains. */
#include "rules/eval_pattern.h"
#include "rules/header_address.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"
#include "rules/rule_network.h"

/* Addresses of one mail that a list is asked about. */
#define ADDRESSES_MAX 9u

/* The part of a set's name behind its last "-" says which relays are meant. */
static bool set_is(struct slice set, const char *suffix)
{
	return slice_ends(set, slice_str(suffix));
}

struct addresses {
	struct ip list[ADDRESSES_MAX];
	size_t count;
};

static void add_public(struct addresses *a, const struct ip *ip)
{
	if (ip->family == 0 || ip_is_private(ip) || a->count == ADDRESSES_MAX)
		return;
	for (size_t i = 0; i < a->count; i++)
		if (ip_eq(&a->list[i], ip))
			return;
	a->list[a->count++] = *ip;
}

static void add_relays(const struct rule_scan *s, struct addresses *a, bool external)
{
	const struct relays *r = s->relays;
	for (size_t i = 0; i < r->count; i++)
		if (external ? i >= r->trusted_count || !r->list[i].internal : i >= r->trusted_count)
			add_public(a, &r->list[i].ip);
}

/* Web mailers name the browser's address. */
static void add_originating(struct rule_scan *s, struct addresses *a)
{
	static const char *const names[] = { "X-Yahoo-Post-IP", "X-Originating-IP", "X-Apparently-From", "X-SenderIP" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct slice text = slice_trim(rule_header_text(s, names[i]));
		struct ip ip;
		if (text.len > 2 && text.data[0] == '[')
			text = slice_sub(text, 1, text.len - 2);
		if (ip_parse(text, &ip) && !cidr_list_has(s->in.trusted, s->in.trusted_count, &ip))
			add_public(a, &ip);
	}
}

static void keep_only(struct addresses *a, size_t from, size_t count)
{
	if (from >= a->count) {
		a->count = 0;
		return;
	}
	if (count > a->count - from)
		count = a->count - from;
	memmove(a->list, a->list + from, count * sizeof(*a->list));
	a->count = count;
}

static void addresses_of_set(struct rule_scan *s, struct slice set, struct addresses *a)
{
	a->count = 0;
	if (set_is(set, "-lastexternal") || set_is(set, "-notfirsthop")) {
		add_relays(s, a, true);
		if (set_is(set, "-lastexternal"))
			keep_only(a, 0, 1);
		else if (a->count > 1)
			a->count--;
		return;
	}
	add_relays(s, a, false);
	add_originating(s, a);
	if (set_is(set, "-firsttrusted"))
		keep_only(a, 0, 1);
	else if (set_is(set, "-untrusted"))
		keep_only(a, 1, ADDRESSES_MAX);
}

/* ---- answers ---- */

static struct slice address_text(struct rule_scan *s, struct slice rdata)
{
	const unsigned char *p = (const unsigned char *)rdata.data;
	return rdata.len == 4 ? arena_printf(s->arena, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]) : SLICE_EMPTY;
}

static bool is_number(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_digit(text.data[i]) && text.data[i] != '.')
			return false;
	return text.len > 0;
}

/* A whole address, a bit mask, or a pattern of the answer's text. */
static bool answer_fits(struct rule_scan *s, const struct rule *rule, struct slice subtest, uint16_t type,
			struct slice rdata)
{
	struct slice text = type == DNS_TXT ? dns_txt(s->arena, rdata) : address_text(s, rdata);
	if (type == DNS_A && !slice_starts(text, SLICE("127.")))
		return false;
	if (subtest.len == 0)
		return true;
	if (is_number(subtest))
		return type == DNS_A && dnsbl_subtest(subtest, rdata);
	return rule->regex != NULL && eval_regex(s, rule->regex, text);
}

static double judge(struct rule_scan *s, const struct rule *rule, struct slice subtest, struct slice name,
		    enum dns_type type)
{
	const struct answer *answer = ask_dns(s->in.questions, name, type, PHASE_END);
	if (answer == NULL)
		return EXPR_UNKNOWN;
	for (size_t i = 0; answer->status == ANSWER_FOUND && i < answer->count; i++)
		if (answer_fits(s, rule, subtest, type, answer->records[i])) {
			eval_evidence(s, rule, "%.*s %.*s", SLICE_ARG(name), SLICE_ARG(type == DNS_TXT ?
				dns_txt(s->arena, answer->records[i]) : address_text(s, answer->records[i])));
			return 1;
		}
	return 0;
}

/* One hit is certain whatever else comes. */
static double either(double so_far, double now)
{
	if (so_far == 1 || now == 1)
		return 1;
	return expr_known(so_far) && expr_known(now) ? 0 : EXPR_UNKNOWN;
}

static struct slice zone_of(struct slice zone)
{
	while (zone.len > 0 && zone.data[zone.len - 1] == '.')
		zone.len--;
	return zone;
}

/* The list that `asking` names, for the rule that wants to know. */
static double ask_list(struct rule_scan *s, const struct rule *rule, const struct rule *asking, struct slice subtest,
		       enum dns_type type)
{
	struct addresses a;
	double value = 0;
	if (s->in.questions == NULL)
		return 0;
	addresses_of_set(s, eval_arg(asking, 0), &a);
	for (size_t i = 0; i < a.count; i++) {
		struct slice zone = zone_of(eval_arg(asking, 1));
		if (!(asking->tflags & TFLAG_NICE) && cidr_list_has(s->in.trusted, s->in.trusted_count, &a.list[i]))
			continue;
		struct slice name = dns_reverse_name(s->arena, ip_slice(&a.list[i]), zone);
		value = either(value, judge(s, rule, subtest, name, type));
	}
	return value;
}

static double check_rbl(struct rule_scan *s, const struct rule *rule)
{
	return ask_list(s, rule, rule, eval_arg(rule, 2), DNS_A);
}

static double check_rbl_txt(struct rule_scan *s, const struct rule *rule)
{
	return ask_list(s, rule, rule, eval_arg(rule, 2), DNS_TXT);
}

/* Another look at the answers of the rule that asked for that set. */
static double check_rbl_sub(struct rule_scan *s, const struct rule *rule)
{
	double value = 0;
	for (size_t i = 0; i < s->rules->eval_count; i++) {
		const struct rule *asking = s->rules->table->list[s->rules->evals[i]];
		enum dns_type type = asking->eval->fn == check_rbl_txt ? DNS_TXT : DNS_A;
		if ((asking->eval->fn == check_rbl || asking->eval->fn == check_rbl_txt) &&
		    slice_eq(eval_arg(asking, 0), eval_arg(rule, 0)))
			value = either(value, ask_list(s, rule, asking, eval_arg(rule, 1), type));
	}
	return value;
}

/* ---- names instead of addresses ---- */

static double ask_name(struct rule_scan *s, const struct rule *rule, struct slice host)
{
	struct ip ip;
	struct slice zone = zone_of(eval_arg(rule, 1)), name;
	if (s->in.questions == NULL || host.len == 0)
		return 0;
	if (ip_parse(host, &ip)) {
		if (rule->tflags & TFLAG_DOMAINS_ONLY)
			return 0;
		name = dns_reverse_name(s->arena, ip_slice(&ip), zone);
	} else {
		struct uri_host valid;
		if ((rule->tflags & TFLAG_IPS_ONLY) ||
		    !uri_host(s->arena, arena_printf(s->arena, "http://%.*s/", SLICE_ARG(host)), &valid))
			return 0;
		name = arena_printf(s->arena, "%.*s.%.*s", SLICE_ARG(host), SLICE_ARG(zone));
	}
	return judge(s, rule, eval_arg(rule, 2), name, DNS_A);
}

static double check_rbl_from_host(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_addresses *from = eval_from_addresses(s);
	double value = 0;
	for (size_t i = 0; i < from->count; i++)
		value = either(value, ask_name(s, rule, address_domain_part(from->list[i])));
	return value;
}

static double check_rbl_from_domain(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_addresses *from = eval_from_addresses(s);
	double value = 0;
	for (size_t i = 0; i < from->count; i++)
		value = either(value, ask_name(s, rule, eval_domain(s, address_domain_part(from->list[i]))));
	return value;
}

static double check_rbl_envfrom(struct rule_scan *s, const struct rule *rule)
{
	return ask_name(s, rule, address_domain_part(s->envelope_from));
}

static double check_rbl_rcvd(struct rule_scan *s, const struct rule *rule)
{
	if (s->relays->trusted_count >= s->relays->count)
		return 0;
	const struct relay *last = &s->relays->list[s->relays->count - 1];
	const struct slice names[] = { last->ip_text, last->by, last->helo, last->rdns };
	double value = 0;
	for (size_t i = 0; i < 4; i++)
		value = either(value, ask_name(s, rule, names[i]));
	return value;
}

static double check_rbl_headers(struct rule_scan *s, const struct rule *rule)
{
	struct slice names = eval_arg(rule, 3), name;
	const struct rule_settings *set = rule_table_get(s->rules->table, "rbl_headers");
	double value = 0;
	if (names.len == 0 && set != NULL)
		names = set->last->value;
	while (names.len > 0 && names.data != NULL && slice_split(&names, ',', &name)) {
		struct slice selector = arena_printf(s->arena, "%.*s:addr", SLICE_ARG(slice_trim(name)));
		struct slice address = rule_header_text(s, selector.data);
		struct slice plain = rule_header_text(s, arena_str(s->arena, slice_trim(name)));
		value = either(value, ask_name(s, rule, address.len > 0 ? address_domain_part(address) : plain));
	}
	return value;
}

/* The sender's domain has neither address nor mail exchanger. */
static double check_dns_sender(struct rule_scan *s, const struct rule *rule)
{
	struct slice domain = address_domain_part(s->envelope_from);
	if (s->in.questions == NULL || slice_chr(domain, '.') == SLICE_NPOS)
		return 0;
	const struct answer *a = ask_dns(s->in.questions, domain, DNS_A, PHASE_END);
	const struct answer *mx = ask_dns(s->in.questions, domain, DNS_MX, PHASE_END);
	if (a == NULL || mx == NULL)
		return EXPR_UNKNOWN;
	if (a->status != ANSWER_NXDOMAIN || mx->status != ANSWER_NXDOMAIN)
		return 0;
	eval_evidence(s, rule, "%.*s does not exist", SLICE_ARG(domain));
	return 1;
}

const struct eval_function eval_rbl[] = {
	{ .name = "check_rbl", .fn = check_rbl, .min_args = 2, .max_args = 3, .asks = EVAL_ASKS_EARLY,
	  .pattern = 3 },
	{ .name = "check_rbl_txt", .fn = check_rbl_txt, .min_args = 2, .max_args = 3, .asks = EVAL_ASKS_EARLY,
	  .pattern = 3 },
	{ .name = "check_rbl_sub", .fn = check_rbl_sub, .min_args = 2, .max_args = 2, .asks = EVAL_ASKS_AT_END,
	  .pattern = 2 },
	{ .name = "check_rbl_from_host", .fn = check_rbl_from_host, .min_args = 2, .max_args = 3, .asks = EVAL_ASKS_EARLY,
	  .pattern = 3 },
	{ .name = "check_rbl_from_domain", .fn = check_rbl_from_domain, .min_args = 2, .max_args = 3, .asks = EVAL_ASKS_EARLY,
	  .pattern = 3 },
	{ .name = "check_rbl_envfrom", .fn = check_rbl_envfrom, .min_args = 2, .max_args = 3, .asks = EVAL_ASKS_EARLY,
	  .pattern = 3 },
	{ .name = "check_rbl_rcvd", .fn = check_rbl_rcvd, .min_args = 2, .max_args = 3, .asks = EVAL_ASKS_EARLY,
	  .pattern = 3 },
	{ .name = "check_rbl_headers", .fn = check_rbl_headers, .min_args = 2, .max_args = 4, .asks = EVAL_ASKS_EARLY,
	  .pattern = 3 },
	{ .name = "check_dns_sender", .fn = check_dns_sender, .asks = EVAL_ASKS_EARLY },
	{ .name = NULL },
};
