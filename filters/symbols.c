#include "filters/symbols.h"

#include "filters/pipeline.h"
#include "filters/registry.h"
#include "policy/dnslist.h"

/* Rules of SpamAssassin's files and of the shipped ones that tell what a symbol tells. */
static const struct {
	const char *rule, *symbol;
} same[] = {
	{ "ARC_INVALID", "ARC_FAIL" },
	{ "ARC_VALID", "ARC_PASS" },
	{ "DKIM_INVALID", "DKIM_FAIL" },
	{ "DKIM_INVALID", "DKIM_PERMERROR" },
	{ "DKIM_INVALID", "DKIM_POLICY" },
	{ "DKIM_VALID", "DKIM_PASS" },
	{ "DMARC_MISSING", "DMARC_NONE" },
	{ "DMARC_NONE", "DMARC_FAIL_NONE" },
	{ "DMARC_QUAR", "DMARC_FAIL_QUARANTINE" },
	{ "DMARC_REJECT", "DMARC_FAIL_REJECT" },
	{ "GH_FROM_NAME_MIXED", "FROM_MIXED_SCRIPTS" },
	{ "GH_FROM_NO_ADDRESS", "FROM_NO_ADDRESS" },
	{ "GH_HELO_ADDRESS", "HELO_BARE_IP" },
	{ "GH_NO_FROM", "FROM_MISSING" },
	{ "HELO_NO_DOMAIN", "HELO_NO_DOT" },
	{ "MISSING_FROM", "FROM_MISSING" },
	{ "RDNS_NONE", "IPREV_NONE" },
	{ "T_SPF_HELO_PERMERROR", "SPF_HELO_PERMERROR" },
	{ "T_SPF_HELO_TEMPERROR", "SPF_HELO_TEMPERROR" },
	{ "T_SPF_PERMERROR", "SPF_PERMERROR" },
	{ "T_SPF_TEMPERROR", "SPF_TEMPERROR" },
};

static size_t symbol_count(const struct filter *filter)
{
	size_t n = 0;
	while (filter->symbols != NULL && filter->symbols[n].name != NULL)
		n++;
	return n;
}

const char *const *symbol_names(struct arena *arena, const struct config *config)
{
	size_t most = config->dnslist_count, n = 0;
	for (size_t i = 0; filter_table[i] != NULL; i++)
		most += symbol_count(filter_table[i]);
	const char **names = arena_array(arena, const char *, most + 1);
	for (size_t i = 0; filter_table[i] != NULL; i++)
		for (size_t k = 0; filter_is_on(config, filter_table[i]->name) && k < symbol_count(filter_table[i]); k++)
			names[n++] = filter_table[i]->symbols[k].name;
	for (size_t i = 0; filter_is_on(config, "dnsbl") && i < config->dnslist_count; i++)
		names[n++] = config->dnslists[i].symbol;
	return names;
}

const struct filter *symbol_filter(const char *name, const struct filter_symbol **symbol_r)
{
	for (size_t i = 0; filter_table[i] != NULL; i++)
		for (size_t k = 0; k < symbol_count(filter_table[i]); k++)
			if (strcmp(filter_table[i]->symbols[k].name, name) == 0) {
				*symbol_r = &filter_table[i]->symbols[k];
				return filter_table[i];
			}
	return NULL;
}

static bool tells_same(const struct rule *rule, const char *symbol)
{
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		if (strcmp(same[i].symbol, symbol) == 0 && slice_eq(rule->name, slice_str(same[i].rule)))
			return true;
	return false;
}

static const struct rule_hit *hit_of(const struct rule *rule, const struct rule_hit *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].rule == rule)
			return &list[i];
	return NULL;
}

static const struct rule_hit *other_name(const char *symbol, const struct rule_hit *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!list[i].rule->shadow && tells_same(list[i].rule, symbol))
			return &list[i];
	return NULL;
}

/* The rule's words, the filter's evidence. */
static void take_words(struct hit *hit, const struct rule *rule)
{
	hit->score = rule->score;
	hit->shadow = hit->shadow || rule->shadow;
	if (rule->describe != NULL)
		hit->describe = rule->describe;
	if (rule->action > hit->action) {
		hit->action = rule->action;
		hit->refusal = rule->refusal;
	}
}

static void discount(struct hits *hits, struct hit *hit, const char *why)
{
	hit->score = 0;
	hit->describe = arena_printf(hits->arena, "%s (%s)", hit->describe ? hit->describe : "", why).data;
}

static bool seen_before(const struct hits *hits, size_t at)
{
	return hits_find(hits, hits->list[at].symbol) != &hits->list[at];
}

void symbols_settle(struct hits *hits, const struct ruleset *rules, const struct rule_hit *list, size_t count)
{
	for (size_t i = 0; i < hits->count; i++) {
		struct hit *hit = &hits->list[i];
		const struct rule *rule = rule_table_find(rules->table, slice_str(hit->symbol));
		bool defined = rule != NULL && rule->reported && !rule_told_by_filter(rule);
		const struct rule_hit *other = other_name(hit->symbol, list, count);
		if (other != NULL && other->rule != rule)
			discount(hits, hit, arena_printf(hits->arena, "counted as %s",
							 other->rule->name.data).data);
		else if (defined && hit_of(rule, list, count) == NULL)
			discount(hits, hit, "the rule of that name does not hit");
		else if (defined && seen_before(hits, i))
			discount(hits, hit, "counted above");
		else if (defined)
			take_words(hit, rule);
	}
}
