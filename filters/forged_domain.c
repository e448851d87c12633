#include "filters/forged.h"
#include "filters/judged.h"
#include "base/psl.h"
#include "message/skeleton.h"

/* An entry ".x" stands for what is below x. */
static struct slice listed_name(struct slice entry)
{
	return entry.len > 0 && entry.data[0] == '.' ? slice_from(entry, 1) : entry;
}

static bool is_below(struct slice domain, struct slice parent)
{
	return slice_ends(domain, parent) &&
	       (domain.len == parent.len || domain.data[domain.len - parent.len - 1] == '.');
}

static bool listed(const struct slice_list *list, struct slice domain)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_below(domain, listed_name(list->items[i])))
			return true;
	return false;
}

bool forged_is_own(const struct scan *scan, struct slice domain)
{
	return domain.len > 0 && listed(&scan->snapshot->config->relay->domains, domain);
}

bool forged_is_protected(const struct forged_settings *s, struct slice domain)
{
	return domain.len > 0 && listed(&s->protected_domains, domain);
}

bool forged_from_outside(const struct scan *scan)
{
	const struct config_networks *n = scan->snapshot->config->networks;
	if (client_is_ours(&scan->client))
		return false;
	struct ip ip = judged_host(scan).ip;
	return ip.family != 0 && !cidr_list_has(n->internal.items, n->internal.count, &ip) &&
	       !cidr_list_has(n->trusted.items, n->trusted.count, &ip);
}

bool forged_same_organisation(struct slice a, struct slice b)
{
	return slice_eq(psl_organisational_or_self(a), psl_organisational_or_self(b));
}

bool forged_is_authenticated(const struct scan *scan, struct slice domain)
{
	const struct facts *f = &scan->facts;
	if (f->spf.result == AUTH_PASS && forged_same_organisation(f->spf.domain, domain))
		return true;
	for (size_t i = 0; i < f->dkim_count; i++)
		if (f->dkim[i].result == AUTH_PASS && forged_same_organisation(f->dkim[i].domain, domain))
			return true;
	return false;
}

static struct slice look_of(struct arena *arena, struct slice domain)
{
	return skeleton_confusable(arena, skeleton_domain(arena, domain));
}

bool forged_looks_like(struct arena *arena, struct slice a, struct slice b)
{
	return !slice_eq(a, b) && slice_eq(look_of(arena, a), look_of(arena, b));
}

/* "www.paypal.com.evil.example", "paypal.com-login.example": the name in front
 * of another's domain. But not "paypal.com.au", which is a domain by itself. */
static bool stands_before(struct slice name, struct slice whole, struct slice organisational)
{
	size_t at = 0, found;
	while (slice_chr(name, '.') != SLICE_NPOS &&
	       (found = slice_find(slice_from(whole, at), name)) != SLICE_NPOS) {
		size_t begin = at + found, end = begin + name.len;
		bool starts_label = begin == 0 || whole.data[begin - 1] == '.';
		char behind = end < whole.len ? whole.data[end] : '\0';
		if (starts_label &&
		    (behind == '-' || (behind == '.' && whole.len - end - 1 >= organisational.len)))
			return true;
		at = begin + 1;
	}
	return false;
}

static struct slice find_look(struct arena *arena, const struct slice_list *list, struct slice domain)
{
	struct slice organisational = look_of(arena, psl_organisational_or_self(domain));
	struct slice whole = look_of(arena, domain);
	for (size_t i = 0; i < list->count; i++) {
		struct slice name = listed_name(list->items[i]), its = look_of(arena, name);
		if (slice_eq(its, organisational) || slice_eq(its, whole) ||
		    stands_before(its, whole, organisational))
			return name;
	}
	return SLICE_EMPTY;
}

struct slice forged_lookalike(const struct scan *scan, const struct forged_settings *s, struct slice domain,
			      bool *ours_r)
{
	const struct slice_list *own = &scan->snapshot->config->relay->domains;
	*ours_r = false;
	if (domain.len == 0 || listed(own, domain) || forged_is_protected(s, domain))
		return SLICE_EMPTY;
	struct slice like = find_look(scan->arena, own, domain);
	*ours_r = like.len > 0;
	return like.len > 0 ? like : find_look(scan->arena, &s->protected_domains, domain);
}

void forged_domain_check(struct scan *scan, const struct forged_settings *s)
{
	struct slice domain = scan->facts.author.domain;
	bool ours;
	struct slice like = forged_lookalike(scan, s, domain, &ours);
	if (like.len > 0)
		forged_hit(scan, s->lookalike, ours ? "FROM_LOOKALIKE_OURS" : "FROM_LOOKALIKE",
			   arena_printf(scan->arena, "%.*s for %.*s", SLICE_ARG(domain), SLICE_ARG(like)));
	struct slice shown = skeleton_domain(scan->arena, domain);
	if (skeleton_signs(shown) != 0)
		scan_hit(scan, "FROM_DOMAIN_MIXED", "%.*s (%.*s)", SLICE_ARG(shown), SLICE_ARG(domain));
}

/* At END: DMARC has spoken, and SPF and DKIM. */
void forged_ours_check(struct scan *scan, const struct forged_settings *s)
{
	struct slice domain = scan->facts.author.domain;
	if (!forged_is_own(scan, domain) || !forged_from_outside(scan) ||
	    forged_is_authenticated(scan, domain))
		return;
	const struct dmarc_fact *dmarc = &scan->facts.dmarc;
	if (dmarc->result == AUTH_PASS || dmarc->arc_override || dmarc->local_override)
		return;
	forged_hit(scan, s->ours_outside, "FROM_OURS_OUTSIDE", domain);
}
