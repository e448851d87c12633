#ifndef GATEHOUSE_RULES_RULE_COMPILE_H
#define GATEHOUSE_RULES_RULE_COMPILE_H
/*
 * rule_compile: makes a table that has been read fit to run: tags replaced,
 * scores chosen, expressions bound to rules, eval functions found; and says
 * of each rule whether, and how well, it can be honoured. Patterns that are
 * none are added to the table's errors.
 */
#include "rules/ruleset.h"

/* Fills everything of the set but table and lists, which must be there. */
void rule_compile(struct ruleset *rules);

#endif
