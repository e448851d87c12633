#ifndef GATEHOUSE_POLICY_CONFIG_CHECK_H
#define GATEHOUSE_POLICY_CONFIG_CHECK_H
/* config_check: what no single setting shows: references between sections,
 * addresses used twice, texts with a form of their own. */
#include "policy/config.h"

/* Brings literals and fingerprints into their canonical form on the way. */
void config_check(struct config *config, struct config_errors *errors);

#endif
