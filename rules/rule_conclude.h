#ifndef GATEHOUSE_RULES_RULE_CONCLUDE_H
#define GATEHOUSE_RULES_RULE_CONCLUDE_H
/*
 * rule_conclude: from matches to values, and from those to what metas come to.
 * Rules that may wait (rule_engine.h, rule_eval.h) are run when a meta that
 * counts can't be certain without them, the cheapest first.
 */
#include "rules/rule_scan.h"

/* The values of the engine's rules, once it has been over all texts. */
void rule_conclude_patterns(struct rule_scan *scan);

#endif
