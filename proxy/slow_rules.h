#ifndef GATEHOUSE_PROXY_SLOW_RULES_H
#define GATEHOUSE_PROXY_SLOW_RULES_H
/* slow_rules: which rules took the time of a scan. */
#include <stdio.h>

#include "rules/ruleset.h"

/* The n rules whose patterns took longest since the set was made, one a line. */
void slow_rules_print(FILE *out, const struct ruleset *rules, size_t n, size_t mails);

#endif
