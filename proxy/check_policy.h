#ifndef GATEHOUSE_PROXY_CHECK_POLICY_H
#define GATEHOUSE_PROXY_CHECK_POLICY_H
/*
 * check_policy: what a policy or a filter's list of texts says in vain: of
 * symbols that nobody sets, of a greylist that is off, lines without a form.
 */
#include "policy/config.h"
#include "rules/ruleset.h"

/* rules NULL: none. */
void check_policy(const struct config *config, const struct ruleset *rules, struct config_errors *warnings);

#endif
