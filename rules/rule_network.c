#include "rules/rule_network.h"

#include <stdlib.h>

#include "base/buf.h"
#include "rules/eval_pattern.h"
#include "rules/header_address.h"
#include "rules/rule_eval.h"

#define NAMES_MAX 20u

/* ---- subtests ---- */

/* "8", "0x08"; the whole slice. */
static bool read_number(struct slice text, uint32_t *value_r)
{
	uint64_t value = 0;
	if (slice_starts_nocase(text, SLICE("0x"))) {
		text = slice_from(text, 2);
		for (size_t i = 0; i < text.len; i++) {
			int digit = ascii_hex(text.data[i]);
			if (digit < 0 || i >= 8)
				return false;
			value = value * 16 + (unsigned)digit;
		}
		*value_r = (uint32_t)value;
		return text.len > 0;
	}
	struct ip ip;
	if (slice_chr(text, '.') != SLICE_NPOS) {
		if (!ip_parse(text, &ip) || ip.family != 4)
			return false;
		for (size_t i = 0; i < 4; i++)
			value = value << 8 | ip.bytes[i];
	} else if (!slice_u64(text, UINT32_MAX, &value)) {
		return false;
	}
	*value_r = (uint32_t)value;
	return true;
}

bool dnsbl_subtest(struct slice subtest, struct slice rdata)
{
	const unsigned char *p = (const unsigned char *)rdata.data;
	uint32_t value, first, second;
	if (rdata.len != 4)
		return false;
	value = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	size_t mark = slice_chr(subtest, '-');
	bool range = mark != SLICE_NPOS;
	if (!range)
		mark = slice_chr(subtest, '/');
	if (mark == SLICE_NPOS) {
		if (!read_number(subtest, &first))
			return false;
		if (slice_chr(subtest, '.') != SLICE_NPOS)
			return value == first;
		return (value & first) != 0 && value >> 24 == 127;
	}
	if (!read_number(slice_head(subtest, mark), &first) || !read_number(slice_from(subtest, mark + 1), &second))
		return false;
	return range ? value >= first && value <= second : (value & second) == (first & second);
}

/* ---- DNS lists of URIs ---- */

struct names {
	struct slice list[NAMES_MAX];
	size_t count;
};

static void add_name(struct names *n, struct slice name)
{
	for (size_t i = 0; i < n->count; i++)
		if (slice_eq_nocase(n->list[i], name))
			return;
	if (n->count < NAMES_MAX && name.len > 0)
		n->list[n->count++] = name;
}

static bool is_address(struct slice host)
{
	struct ip ip;
	return ip_parse(host, &ip);
}

/* Hosts that the rule wants to know of: domain or host, with addresses or without. */
static void names_of(struct rule_scan *s, const struct rule *rule, bool full, struct names *out)
{
	const struct uris *uris = &s->decoded->uris;
	bool mailto = rule_table_number(s->rules->table, "uridnsbl_skip_mailto", 1) == 0;
	size_t most = (size_t)rule_table_number(s->rules->table, "uridnsbl_max_domains", NAMES_MAX);
	for (size_t i = 0; i < uris->count && out->count < most; i++) {
		const struct uri *uri = &uris->list[i];
		if (!mailto && slice_starts_nocase(uri->raw, SLICE("mailto:")))
			continue;
		for (size_t k = 0; k < uri->host_count; k++) {
			const struct uri_host *h = &uri->hosts[k];
			bool address = is_address(h->host);
			if ((address && (rule->tflags & TFLAG_DOMAINS_ONLY)) || (!address && (rule->tflags & TFLAG_IPS_ONLY)) ||
			    name_map_has_domain(&s->rules->lists->uri_skip, h->domain))
				continue;
			add_name(out, full || (rule->tflags & TFLAG_NOTRIM) ? h->host : h->domain);
		}
	}
}

static bool record_fits(struct rule_scan *s, const struct rule_uribl *u, uint16_t type, struct slice rdata)
{
	if (type == DNS_TXT)
		return u->subtest.len == 0 || slice_eq(u->subtest, dns_txt(s->arena, rdata));
	if (u->subtest.len == 0)
		return rdata.len == 4 && (unsigned char)rdata.data[0] == 127;
	return dnsbl_subtest(u->subtest, rdata);
}

static double ask_zone(struct rule_scan *s, const struct rule *rule, struct slice name, struct slice about)
{
	enum dns_type type = slice_eq_nocase(rule->uribl.record, SLICE("TXT")) ? DNS_TXT : DNS_A;
	const struct answer *answer = ask_dns(s->in.questions, name, type, PHASE_END);
	if (answer == NULL)
		return EXPR_UNKNOWN;
	for (size_t i = 0; answer->status == ANSWER_FOUND && i < answer->count; i++)
		if (record_fits(s, &rule->uribl, type, answer->records[i])) {
			eval_evidence(s, rule, "%.*s in %.*s", SLICE_ARG(about), SLICE_ARG(rule->uribl.zone));
			return 1;
		}
	return 0;
}

static double either(double so_far, double now)
{
	if (so_far == 1 || now == 1)
		return 1;
	return expr_known(so_far) && expr_known(now) ? 0 : EXPR_UNKNOWN;
}

static double ask_address_zone(struct rule_scan *s, const struct rule *rule, struct slice address, struct slice about)
{
	return ask_zone(s, rule, dns_reverse_name(s->arena, address, rule->uribl.zone), about);
}

/* The addresses of a host, each in the zone. */
static double ask_host(struct rule_scan *s, const struct rule *rule, struct slice host, struct slice about)
{
	const struct answer *answer = ask_dns(s->in.questions, host, DNS_A, PHASE_END);
	double value = 0;
	if (answer == NULL)
		return EXPR_UNKNOWN;
	for (size_t i = 0; answer->status == ANSWER_FOUND && i < answer->count && i < 4; i++)
		value = either(value, ask_address_zone(s, rule, answer->records[i], about));
	return value;
}

static double ask_servers(struct rule_scan *s, const struct rule *rule, struct slice domain)
{
	const struct answer *answer = ask_dns(s->in.questions, domain, DNS_NS, PHASE_END);
	double value = 0;
	if (answer == NULL)
		return EXPR_UNKNOWN;
	for (size_t i = 0; answer->status == ANSWER_FOUND && i < answer->count && i < 4; i++) {
		struct slice server = dns_name(s->arena, answer->records[i], 0);
		if (!(rule->uribl.kind & URIBL_RHSBL)) {
			value = either(value, ask_host(s, rule, server, domain));
			continue;
		}
		struct slice name = rule->uribl.kind & URIBL_FULL ? server : eval_domain(s, server);
		value = either(value, ask_zone(s, rule, arena_printf(s->arena, "%.*s.%.*s", SLICE_ARG(name),
								     SLICE_ARG(rule->uribl.zone)), domain));
	}
	return value;
}

static double ask_one(struct rule_scan *s, const struct rule *rule, struct slice name)
{
	struct ip ip;
	bool address = ip_parse(name, &ip);
	if (rule->uribl.kind & URIBL_NS)
		return address ? 0 : ask_servers(s, rule, name);
	if (rule->uribl.kind & URIBL_RHSBL) {
		if (address)
			return ask_address_zone(s, rule, ip_slice(&ip), name);
		return ask_zone(s, rule, arena_printf(s->arena, "%.*s.%.*s", SLICE_ARG(name), SLICE_ARG(rule->uribl.zone)),
				name);
	}
	if (address)
		return 0;
	/* `tflags a`: of the host itself; else, or with `ns`: of its name servers. */
	double value = 0;
	if (rule->tflags & TFLAG_A)
		value = ask_host(s, rule, name, name);
	if (!(rule->tflags & TFLAG_A) || (rule->tflags & TFLAG_NS))
		value = either(value, ask_servers(s, rule, name));
	return value;
}

double network_uribl(struct rule_scan *s, const struct rule *rule)
{
	struct names names = { .count = 0 };
	double value = 0;
	if (s->in.questions == NULL)
		return 0;
	names_of(s, rule, (rule->tflags & TFLAG_A) && !(rule->uribl.kind & URIBL_RHSBL), &names);
	for (size_t i = 0; i < names.count; i++)
		value = either(value, ask_one(s, rule, names.list[i]));
	return value;
}

/* ---- askdns ---- */

static void tag_values(struct rule_scan *s, struct slice tag, struct names *out)
{
	const struct facts *f = s->in.facts;
	const struct relay *external = s->relays->internal_count < s->relays->count ?
		&s->relays->list[s->relays->internal_count] : NULL;
	if (slice_eq(tag, SLICE("AUTHORDOMAIN"))) {
		add_name(out, f->author.domain);
	} else if (slice_eq(tag, SLICE("SENDERDOMAIN"))) {
		add_name(out, address_domain_part(s->envelope_from));
	} else if (slice_eq(tag, SLICE("DKIMDOMAIN"))) {
		for (size_t i = 0; i < f->dkim_count; i++)
			if (f->dkim[i].result == AUTH_PASS)
				add_name(out, f->dkim[i].domain);
	} else if (slice_eq(tag, SLICE("URIDOMAINS")) || slice_eq(tag, SLICE("URIHOSTS"))) {
		for (size_t i = 0; i < s->decoded->uris.count; i++)
			for (size_t k = 0; k < s->decoded->uris.list[i].host_count; k++)
				add_name(out, slice_eq(tag, SLICE("URIHOSTS")) ? s->decoded->uris.list[i].hosts[k].host :
									       s->decoded->uris.list[i].hosts[k].domain);
	} else if (external != NULL && slice_eq(tag, SLICE("LASTEXTERNALHELO"))) {
		add_name(out, external->helo);
	} else if (external != NULL && slice_eq(tag, SLICE("LASTEXTERNALRDNS"))) {
		add_name(out, external->rdns);
	} else if (external != NULL && slice_eq(tag, SLICE("LASTEXTERNALIP"))) {
		add_name(out, external->ip_text);
	} else if (external != NULL && slice_eq(tag, SLICE("LASTEXTERNALREVIP"))) {
		struct slice reversed = dns_reverse_name(s->arena, ip_slice(&external->ip), SLICE("x"));
		add_name(out, slice_head(reversed, reversed.len - 2));
	}
}

/* "_TAG_" at the start of text; its length. */
static size_t tag_length(struct slice text)
{
	size_t n = 1;
	if (text.len < 3 || text.data[0] != '_')
		return 0;
	while (n < text.len && ((text.data[n] >= 'A' && text.data[n] <= 'Z') || ascii_is_digit(text.data[n])))
		n++;
	return n > 1 && n < text.len && text.data[n] == '_' ? n + 1 : 0;
}

/* The template with each tag's values in its place; a tag without any: nothing. */
static void fill_names(struct rule_scan *s, struct slice template, struct names *out)
{
	size_t at = 0, n = 0;
	while (at < template.len && (n = tag_length(slice_from(template, at))) == 0)
		at++;
	if (at >= template.len) {
		add_name(out, template);
		return;
	}
	struct names values = { .count = 0 };
	tag_values(s, slice_sub(template, at + 1, n - 2), &values);
	/* Only one tag in a name is filled more than once. */
	for (size_t i = 0; i < values.count; i++) {
		struct slice filled = arena_printf(s->arena, "%.*s%.*s%.*s", SLICE_ARG(slice_head(template, at)),
						   SLICE_ARG(values.list[i]), SLICE_ARG(slice_from(template, at + n)));
		bool again = false;
		for (size_t k = 0; k < filled.len && !again; k++)
			again = tag_length(slice_from(filled, k)) > 0;
		if (!again)
			add_name(out, filled);
	}
}

static const struct {
	const char *name;
	enum dns_type type;
} record_types[] = {
	{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "TXT", DNS_TXT }, { "MX", DNS_MX }, { "NS", DNS_NS },
	{ "PTR", DNS_PTR }, { "CNAME", DNS_CNAME }, { "SOA", DNS_SOA }, { "SPF", DNS_SPF },
};

static enum dns_type record_type(struct slice name)
{
	for (size_t i = 0; i < sizeof(record_types) / sizeof(*record_types); i++)
		if (slice_eq_nocase(name, slice_str(record_types[i].name)))
			return record_types[i].type;
	return DNS_A;
}

static struct slice record_text(struct rule_scan *s, enum dns_type type, struct slice rdata)
{
	struct ip ip = { .family = rdata.len == 4 ? 4 : 6 };
	char text[IP_TEXT_MAX];
	switch (type) {
	case DNS_A: case DNS_AAAA:
		if (rdata.len != 4 && rdata.len != 16)
			return SLICE_EMPTY;
		memcpy(ip.bytes, rdata.data, rdata.len);
		return arena_copy(s->arena, slice_str(ip_text(&ip, text)));
	case DNS_TXT: case DNS_SPF:
		return dns_txt(s->arena, rdata);
	case DNS_MX:
		return arena_printf(s->arena, "%u %.*s", dns_mx_preference(rdata),
				    SLICE_ARG(dns_name(s->arena, rdata, 2)));
	default:
		return dns_name(s->arena, rdata, 0);
	}
}

static bool askdns_fits(struct rule_scan *s, const struct rule *rule, enum dns_type type, struct slice rdata)
{
	const struct rule_askdns *a = &rule->askdns;
	struct slice text = record_text(s, type, rdata);
	if (a->regex != NULL)
		return eval_regex(s, a->regex, text);
	if (a->subtest.len == 0 || slice_eq(a->subtest, text))
		return true;
	return type == DNS_A && dnsbl_subtest(a->subtest, rdata);
}

/* "[NXDOMAIN,SERVFAIL]" */
static bool wants_status(struct slice subtest, const struct answer *answer)
{
	static const char *const names[] = { "NOERROR", "NOERROR", "NXDOMAIN", "SERVFAIL" };
	return slice_find(subtest, slice_str(names[answer->status])) != SLICE_NPOS;
}

double network_askdns(struct rule_scan *s, const struct rule *rule)
{
	struct names names = { .count = 0 };
	enum dns_type type = record_type(rule->askdns.record);
	bool by_status = slice_starts(rule->askdns.subtest, SLICE("["));
	double value = 0;
	if (s->in.questions == NULL)
		return 0;
	fill_names(s, rule->askdns.name, &names);
	for (size_t i = 0; i < names.count; i++) {
		const struct answer *answer = ask_dns(s->in.questions, names.list[i], type, PHASE_END);
		double now = 0;
		if (answer == NULL)
			now = EXPR_UNKNOWN;
		else if (by_status)
			now = wants_status(rule->askdns.subtest, answer);
		for (size_t k = 0; answer != NULL && answer->status == ANSWER_FOUND && k < answer->count && now == 0; k++)
			now = !by_status && askdns_fits(s, rule, type, answer->records[k]);
		if (now == 1)
			eval_evidence(s, rule, "%.*s %s", SLICE_ARG(names.list[i]), dns_type_name((uint16_t)type));
		value = either(value, now);
	}
	return value;
}

/* ---- uri_detail ---- */

static const struct {
	unsigned type;
	const char *name;
} uri_types[] = {
	{ URI_PARSED, "parsed" }, { URI_A, "a" }, { URI_IMG, "img" }, { URI_FORM, "form" }, { URI_LINK, "link" },
	{ URI_FRAME, "iframe" }, { URI_SCRIPT, "script" }, { URI_UNLINKED, "unlinked" }, { URI_SCHEMELESS, "schemeless" },
};

static bool try_text(struct rule_scan *s, const struct rule_condition *c, struct slice text)
{
	return c->regex != NULL && eval_regex(s, c->regex, text) != c->negated;
}

static bool try_list(struct rule_scan *s, const struct rule_condition *c, const struct slice *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (try_text(s, c, list[i]))
			return true;
	return false;
}

static bool condition_holds(struct rule_scan *s, const struct rule_condition *c, const struct uri *uri)
{
	if (slice_eq(c->field, SLICE("raw")))
		return try_text(s, c, uri->raw);
	if (slice_eq(c->field, SLICE("cleaned")))
		return try_list(s, c, uri->cleaned, uri->cleaned_count);
	if (slice_eq(c->field, SLICE("text")))
		return try_list(s, c, uri->anchors, uri->anchor_count);
	if (slice_eq(c->field, SLICE("type"))) {
		for (size_t i = 0; i < sizeof(uri_types) / sizeof(*uri_types); i++)
			if ((uri->types & uri_types[i].type) && try_text(s, c, slice_str(uri_types[i].name)))
				return true;
		for (size_t i = 0; i < uri->tag_count; i++)
			if (try_text(s, c, slice_str(uri->tags[i])))
				return true;
		return false;
	}
	for (size_t i = 0; i < uri->host_count; i++)
		if (try_text(s, c, slice_eq(c->field, SLICE("domain")) ? uri->hosts[i].domain : uri->hosts[i].host))
			return true;
	return false;
}

double network_uri_detail(struct rule_scan *s, const struct rule *rule)
{
	const struct uris *uris = &s->decoded->uris;
	for (size_t i = 0; i < uris->count; i++) {
		size_t held = 0;
		while (held < rule->condition_count && condition_holds(s, &rule->conditions[held], &uris->list[i]))
			held++;
		if (held == rule->condition_count) {
			eval_evidence(s, rule, "%.*s", SLICE_ARG(slice_head(uris->list[i].raw, 200)));
			return 1;
		}
	}
	return 0;
}
