#include "proxy/rules_setup.h"

struct ruleset *rules_setup(const struct config *config, struct config_errors *errors)
{
	const struct config_rules *rules = config->rules;
	const struct ruleset_options options = {
		.net = true,
		.cache_dir = rules->cache.len > 0 ? rules->cache.data : NULL,
		.budget_ms = rules->rule_budget,
	};
	if (rules->paths.count == 0)
		return NULL;
	return ruleset_load(rules->paths.items, rules->paths.count, &options, errors);
}
