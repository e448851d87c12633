#include "proxy/rules_setup.h"

#include "filters/content.h"
#include "filters/symbols.h"

static bool network_wanted(const struct config *config)
{
	for (size_t i = 0; i < config->filter_count; i++)
		if (slice_eq(config->filters[i].name, slice_str(content_filter.name)))
			return ((const struct content_settings *)config->filters[i].values)->network;
	return true;
}

struct ruleset_options rules_options(const struct config *config)
{
	const struct config_rules *rules = config->rules;
	return (struct ruleset_options){
		.net = network_wanted(config),
		.cache_dir = rules->cache.len > 0 ? rules->cache.data : NULL,
		.budget_ms = rules->rule_budget,
		.reported = symbol_names(config->arena, config),
	};
}

struct ruleset *rules_setup(const struct config *config, struct config_errors *errors)
{
	const struct config_rules *rules = config->rules;
	const struct ruleset_options options = rules_options(config);
	if (rules->paths.count == 0)
		return NULL;
	struct ruleset *set = ruleset_load(rules->paths.items, rules->paths.count, &options, errors);
	ruleset_improve(set, false);
	return set;
}
