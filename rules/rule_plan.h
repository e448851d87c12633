#ifndef GATEHOUSE_RULES_RULE_PLAN_H
#define GATEHOUSE_RULES_RULE_PLAN_H
/*
 * rule_plan: what a scan has to do with the rules of a set, as lists, so that
 * it looks only at the few rules of thousands that a mail has to do with.
 * Made last, when all rules are compiled.
 */
#include "rules/rule_expr.h"

struct ruleset;

struct rule_plan {
	uint32_t *patterns;        /* of the engine: their value is the count of matches … */
	size_t pattern_count;
	uint32_t *selected;        /* … but of these, of a header, there is more to it */
	size_t selected_count;
	uint32_t *others;          /* neither patterns nor evals nor metas */
	size_t other_count;
	uint32_t *dependents;      /* metas that rule i may turn: from first[i] up to first[i + 1] */
	size_t *first;
	uint32_t *named;           /* what meta i names, each once, the cheapest first */
	size_t *named_first, *named_count; /* by rule, of metas */
	struct expr_range *ranges; /* by rule: what its value lies in before it is known: 0 of what doesn't run */
	const struct rule_expr **exprs; /* by rule, of metas */
	uint32_t *counting;        /* metas that aren't hidden */
	size_t counting_count;
	bool *fractions;           /* by rule, of metas: may be other than whole */
	double *costs;             /* by rule: nanoseconds to run it, roughly */
	double *idle;              /* by rule, of metas: the value when all that they name is 0 */
};

void rule_plan_make(const struct ruleset *rules, struct rule_plan *plan_r);

#endif
