#include "rules/rule_plan.h"

#include "rules/rule_expr.h"
#include "rules/ruleset.h"

static bool runs(const struct rule *rule)
{
	return rule->wanted && rule->status != RULE_UNSUPPORTED;
}

/* A value apart from the count: of a field that is there, isn't, or doesn't match. */
static bool is_selected(const struct rule *rule)
{
	return (rule->type == RULE_HEADER || rule->type == RULE_MIMEHEADER) &&
	       (rule->exists || rule->negated || rule->unset_match);
}

static void list_rule(const struct rule *rule, struct rule_plan *plan)
{
	if (rule->engine_id != 0) {
		plan->patterns[plan->pattern_count++] = rule->index;
		if (is_selected(rule))
			plan->selected[plan->selected_count++] = rule->index;
	} else if (rule->type != RULE_META && !rule_type_is_eval(rule->type)) {
		plan->others[plan->other_count++] = rule->index;
	}
}

struct naming {
	struct rule_plan *plan;
	uint32_t meta;
};

static void count_name(void *context, uint32_t rule)
{
	struct naming *n = context;
	n->plan->first[rule + 1]++;
}

/* first[i + 1] is where the next of rule i goes, until all are placed. */
static void place_name(void *context, uint32_t rule)
{
	struct naming *n = context;
	n->plan->dependents[n->plan->first[rule + 1]++] = n->meta;
}

static void each_name(const struct ruleset *rules, struct rule_plan *plan, void (*fn)(void *, uint32_t))
{
	for (size_t i = 0; i < rules->meta_count; i++) {
		struct naming n = { plan, rules->metas[i] };
		rule_expr_rules(rules->table->list[n.meta]->expr, fn, &n);
	}
}

static void list_dependents(const struct ruleset *rules, struct rule_plan *plan)
{
	size_t count = rules->table->count, total = 0;
	plan->first = arena_array(rules->arena, size_t, count + 2);
	each_name(rules, plan, count_name);
	for (size_t i = 1; i <= count; i++) {
		size_t names = plan->first[i];
		plan->first[i] = total;
		total += names;
	}
	plan->dependents = arena_array(rules->arena, uint32_t, total + 1);
	each_name(rules, plan, place_name);
}

static double zero(void *context, uint32_t rule)
{
	(void)context;
	(void)rule;
	return 0;
}

void rule_plan_make(const struct ruleset *rules, struct rule_plan *plan)
{
	size_t count = rules->table->count;
	plan->initial = arena_array(rules->arena, double, count + 1);
	plan->patterns = arena_array(rules->arena, uint32_t, count + 1);
	plan->selected = arena_array(rules->arena, uint32_t, count + 1);
	plan->others = arena_array(rules->arena, uint32_t, count + 1);
	plan->idle = arena_array(rules->arena, double, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = rules->table->list[i];
		plan->initial[i] = runs(rule) ? EXPR_UNKNOWN : 0;
		if (runs(rule))
			list_rule(rule, plan);
		if (rule->expr != NULL)
			plan->idle[i] = rule_expr_eval(rule->expr, zero, NULL);
	}
	list_dependents(rules, plan);
}
