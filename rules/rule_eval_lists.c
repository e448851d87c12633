/* Eval functions that ask lists of addresses and host names in the files. */
#include "rules/header_address.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

static double addresses_in(struct rule_scan *s, const struct rule *rule, const char *key, bool from)
{
	const struct eval_addresses *a = from ? eval_from_addresses(s) : eval_to_addresses(s);
	for (size_t i = 0; i < a->count; i++)
		if (rule_lists_address(s->rules->lists, key, a->list[i])) {
			eval_evidence(s, rule, "%.*s in %s", SLICE_ARG(a->list[i]), key);
			return 1;
		}
	return 0;
}

static double check_from_in_blocklist(struct rule_scan *s, const struct rule *rule)
{
	return addresses_in(s, rule, "blocklist_from", true);
}

static double check_to_in_blocklist(struct rule_scan *s, const struct rule *rule)
{
	return addresses_in(s, rule, "blocklist_to", false);
}

static double check_to_in_welcomelist(struct rule_scan *s, const struct rule *rule)
{
	return addresses_in(s, rule, "welcomelist_to", false);
}

static double check_to_in_more_spam(struct rule_scan *s, const struct rule *rule)
{
	return addresses_in(s, rule, "more_spam_to", false);
}

static double check_to_in_all_spam(struct rule_scan *s, const struct rule *rule)
{
	return addresses_in(s, rule, "all_spam_to", false);
}

/* ---- welcomelist_from_rcvd: an address, and the relay it must come from ---- */

static bool relay_fits(const struct relay *relay, struct slice wanted)
{
	struct cidr net;
	if (wanted.len > 2 && wanted.data[0] == '[') {
		size_t end = slice_chr(wanted, ']');
		if (end == SLICE_NPOS)
			return false;
		char text[80];
		struct slice ip = slice_sub(wanted, 1, end - 1), bits = slice_from(wanted, end + 1);
		if (ip.len + bits.len >= sizeof(text))
			return false;
		memcpy(text, ip.data, ip.len);
		if (bits.len > 0)
			memcpy(text + ip.len, bits.data, bits.len);
		return cidr_parse(slice_make(text, ip.len + bits.len), &net) && cidr_has(&net, &relay->ip);
	}
	return slice_eq_nocase(relay->rdns, wanted) ||
	       (slice_ends_nocase(relay->rdns, wanted) && relay->rdns.len > wanted.len &&
		relay->rdns.data[relay->rdns.len - wanted.len - 1] == '.');
}

/* 1: listed and from such a relay; -1: listed, but from another one. */
static int listed_by_relay(struct rule_scan *s, const char *key, struct slice address)
{
	const struct glob_list *list = rule_lists_globs(s->rules->lists, key);
	const struct relays *r = s->relays;
	size_t first = r->trusted_count < r->count ? r->trusted_count : 0;
	size_t last = r->trusted_count < r->count ? first + 1 : r->count;
	int found = 0;
	for (size_t i = 0; list != NULL && i < list->count && r->count > 0; i++) {
		if (!slice_glob(list->list[i].text, address))
			continue;
		for (size_t k = first; k < last; k++)
			if (relay_fits(&r->list[k], list->list[i].domain))
				return 1;
		found = -1;
	}
	return found;
}

static int from_listed(struct rule_scan *s, const char *plain_key, const char *relay_key)
{
	const struct eval_addresses *from = eval_from_addresses(s);
	const struct slice *list = from->list;
	int found = 0;
	for (size_t i = 0; i < from->count; i++) {
		if (plain_key != NULL && rule_lists_address(s->rules->lists, plain_key, list[i]) &&
		    !rule_lists_address(s->rules->lists, "unwelcomelist_from", list[i]))
			return 1;
		int listed = listed_by_relay(s, relay_key, list[i]);
		if (listed > 0)
			return 1;
		if (listed < 0)
			found = -1;
	}
	return found;
}

static double check_from_in_welcomelist(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return from_listed(s, "welcomelist_from", "welcomelist_from_rcvd") > 0;
}

static double check_from_in_default_welcomelist(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return from_listed(s, NULL, "def_welcomelist_from_rcvd") > 0;
}

static double check_forged_in_welcomelist(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return from_listed(s, "welcomelist_from", "welcomelist_from_rcvd") < 0 &&
	       from_listed(s, NULL, "def_welcomelist_from_rcvd") == 0;
}

static double check_forged_in_default_welcomelist(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return from_listed(s, NULL, "def_welcomelist_from_rcvd") < 0 &&
	       from_listed(s, "welcomelist_from", "welcomelist_from_rcvd") == 0;
}

/* ---- enlist_addrlist ---- */

static double any_in_named(struct rule_scan *s, const struct rule *rule, const struct slice *list, size_t n)
{
	const struct named_list *named = rule_lists_named(s->rules->lists, true, eval_arg(rule, 0));
	for (size_t i = 0; named != NULL && i < n; i++)
		if (named_list_has(named, list[i])) {
			eval_evidence(s, rule, "%.*s in %.*s", SLICE_ARG(list[i]), SLICE_ARG(named->name));
			return 1;
		}
	return 0;
}

static double check_from_in_list(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_addresses *from = eval_from_addresses(s);
	return any_in_named(s, rule, from->list, from->count);
}

static double check_to_in_list(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_addresses *to = eval_to_addresses(s);
	return any_in_named(s, rule, to->list, to->count);
}

static double check_replyto_in_list(struct rule_scan *s, const struct rule *rule)
{
	struct slice address = rule_header_text(s, "Reply-To:addr");
	return address.len > 0 ? any_in_named(s, rule, &address, 1) : 0;
}

/* ---- welcomelist_subject: anywhere in the subject ---- */

static double subject_in(struct rule_scan *s, const char *key)
{
	const struct glob_list *list = rule_lists_globs(s->rules->lists, key);
	struct slice subject = rule_header_text(s, "Subject");
	for (size_t i = 0; list != NULL && subject.len > 0 && i < list->count; i++) {
		struct slice around = arena_printf(s->arena, "*%.*s*", SLICE_ARG(list->list[i].text));
		if (slice_glob(around, subject))
			return 1;
	}
	return 0;
}

static double check_subject_in_welcomelist(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return subject_in(s, "welcomelist_subject");
}

static double check_subject_in_blocklist(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return subject_in(s, "blocklist_subject");
}

/* ---- hosts of URIs ---- */

static double hosts_in(struct rule_scan *s, const struct rule *rule, struct slice name)
{
	const struct named_list *named = rule_lists_named(s->rules->lists, false, name);
	const struct uris *uris = &s->decoded->uris;
	for (size_t i = 0; named != NULL && i < uris->count; i++) {
		const struct uri *uri = &uris->list[i];
		if (slice_starts_nocase(uri->raw, SLICE("mailto:")))
			continue;
		for (size_t k = 0; k < uri->host_count; k++)
			if (name_map_has_domain(&named->names, uri->hosts[k].host)) {
				eval_evidence(s, rule, "%.*s", SLICE_ARG(uri->hosts[k].host));
				return 1;
			}
	}
	return 0;
}

static double check_uri_host_listed(struct rule_scan *s, const struct rule *rule)
{
	return hosts_in(s, rule, eval_arg(rule, 0));
}

static double check_uri_host_in_blocklist(struct rule_scan *s, const struct rule *rule)
{
	return hosts_in(s, rule, SLICE("BLOCK"));
}

static double check_uri_host_in_welcomelist(struct rule_scan *s, const struct rule *rule)
{
	return hosts_in(s, rule, SLICE("WELCOME"));
}

/* ---- bounces of our own mail ---- */

static double have_any_bounce_relays(struct rule_scan *s, const struct rule *rule)
{
	const struct glob_list *list = rule_lists_globs(s->rules->lists, "welcomelist_bounce_relays");
	(void)rule;
	return list != NULL && list->count > 0;
}

static bool line_names_relay(struct rule_scan *s, struct slice line)
{
	while (line.len > 0) {
		size_t from = 0, to;
		while (from < line.len && ascii_is_space(line.data[from]))
			from++;
		for (to = from; to < line.len && !ascii_is_space(line.data[to]); to++)
			;
		struct slice word = slice_sub(line, from, to - from);
		if (slice_chr(word, '.') != SLICE_NPOS &&
		    rule_lists_address(s->rules->lists, "welcomelist_bounce_relays", word))
			return true;
		line = slice_from(line, to);
	}
	return false;
}

/* Received fields quoted in the body, with the lines that continue them. */
static double check_welcomelist_bounce_relays(struct rule_scan *s, const struct rule *rule)
{
	struct slice rest = s->in.message->body, line;
	bool received = false;
	if (have_any_bounce_relays(s, rule) == 0)
		return 0;
	while (rest.data != NULL && slice_split(&rest, '\n', &line)) {
		struct slice text = line;
		while (text.len > 0 && (text.data[0] == '>' || text.data[0] == ' '))
			text = slice_from(text, 1);
		bool continues = received && line.len > 0 && (line.data[0] == ' ' || line.data[0] == '\t');
		received = continues || slice_starts_nocase(text, SLICE("Received:"));
		if (received && line_names_relay(s, text))
			return 1;
	}
	return 0;
}

const struct eval_function eval_lists[] = {
	{ .name = "check_from_in_blocklist", .fn = check_from_in_blocklist },
	{ .name = "check_from_in_blacklist", .fn = check_from_in_blocklist },
	{ .name = "check_to_in_blocklist", .fn = check_to_in_blocklist },
	{ .name = "check_to_in_blacklist", .fn = check_to_in_blocklist },
	{ .name = "check_to_in_welcomelist", .fn = check_to_in_welcomelist },
	{ .name = "check_to_in_whitelist", .fn = check_to_in_welcomelist },
	{ .name = "check_to_in_more_spam", .fn = check_to_in_more_spam },
	{ .name = "check_to_in_all_spam", .fn = check_to_in_all_spam },
	{ .name = "check_from_in_welcomelist", .fn = check_from_in_welcomelist },
	{ .name = "check_from_in_whitelist", .fn = check_from_in_welcomelist },
	{ .name = "check_from_in_default_welcomelist", .fn = check_from_in_default_welcomelist },
	{ .name = "check_from_in_default_whitelist", .fn = check_from_in_default_welcomelist },
	{ .name = "check_forged_in_welcomelist", .fn = check_forged_in_welcomelist },
	{ .name = "check_forged_in_whitelist", .fn = check_forged_in_welcomelist },
	{ .name = "check_forged_in_default_welcomelist", .fn = check_forged_in_default_welcomelist },
	{ .name = "check_forged_in_default_whitelist", .fn = check_forged_in_default_welcomelist },
	{ .name = "check_from_in_list", .fn = check_from_in_list, .min_args = 1, .max_args = 1 },
	{ .name = "check_to_in_list", .fn = check_to_in_list, .min_args = 1, .max_args = 1 },
	{ .name = "check_replyto_in_list", .fn = check_replyto_in_list, .min_args = 1, .max_args = 1 },
	{ .name = "check_subject_in_welcomelist", .fn = check_subject_in_welcomelist },
	{ .name = "check_subject_in_whitelist", .fn = check_subject_in_welcomelist },
	{ .name = "check_subject_in_blocklist", .fn = check_subject_in_blocklist },
	{ .name = "check_subject_in_blacklist", .fn = check_subject_in_blocklist },
	{ .name = "check_uri_host_listed", .fn = check_uri_host_listed, .min_args = 1, .max_args = 1 },
	{ .name = "check_uri_host_in_blocklist", .fn = check_uri_host_in_blocklist },
	{ .name = "check_uri_host_in_blacklist", .fn = check_uri_host_in_blocklist },
	{ .name = "check_uri_host_in_welcomelist", .fn = check_uri_host_in_welcomelist },
	{ .name = "check_uri_host_in_whitelist", .fn = check_uri_host_in_welcomelist },
	{ .name = "have_any_bounce_relays", .fn = have_any_bounce_relays },
	{ .name = "check_welcomelist_bounce_relays", .fn = check_welcomelist_bounce_relays },
	{ .name = "check_whitelist_bounce_relays", .fn = check_welcomelist_bounce_relays },
	{ .name = NULL },
};
