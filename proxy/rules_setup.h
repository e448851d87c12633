#ifndef GATEHOUSE_PROXY_RULES_SETUP_H
#define GATEHOUSE_PROXY_RULES_SETUP_H
/* rules_setup: the rule set that a configuration names. */
#include "policy/config.h"
#include "rules/ruleset.h"

/* What is wrong with the files goes to errors; the set holds the rest. NULL:
 * rules.paths is empty. Paths that aren't there are errors. */
struct ruleset_options rules_options(const struct config *config);
struct ruleset *rules_setup(const struct config *config, struct config_errors *errors);

#endif
