#include "rules/rule_plan.h"

#include <stdlib.h>

#include "rules/rule_eval.h"
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
		const struct rule_expr *expr = rules->table->list[n.meta]->expr;
		if (!rule_expr_wakers(expr, fn, &n))
			rule_expr_rules(expr, fn, &n);
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

/* ---- what a meta names, by cost ---- */

#define NUMBER_MAX 1e15
#define COST_EVAL 3000.0
#define COST_MAX 1e12

/* About so many nanoseconds of a mail of middling size. */
static double pattern_cost(const struct ruleset *rules, const struct rule *rule)
{
	static const double share[CHANNELS] = {
		[CHANNEL_HEADER] = 0.3, [CHANNEL_BODY] = 1, [CHANNEL_RAWBODY] = 2, [CHANNEL_FULL] = 5, [CHANNEL_URI] = 0.3,
		[CHANNEL_MIMEHEADER] = 0.1, [CHANNEL_SKELETON] = 1,
	};
	/* The header section as a whole is as long as many a body. */
	bool whole = rule->type == RULE_HEADER && slice_eq(rule->header.name, SLICE("ALL"));
	return rule_engine_cost(rules->engine, rule) * (whole ? 5 : share[rule_engine_channel(rule)]);
}

static double leaf_cost(const struct ruleset *rules, const struct rule *rule)
{
	if (!runs(rule) || rule_told_by_filter(rule))
		return 0;
	return rule->engine_id != 0 ? pattern_cost(rules, rule) : rule_type_is_eval(rule->type) ? COST_EVAL : 0;
}

struct costs {
	struct rule_plan *plan;
	double *costs;             /* by rule */
	bool *listed;
	size_t count;
};

static void list_named(void *context, uint32_t rule)
{
	struct costs *c = context;
	if (!c->listed[rule])
		c->plan->named[c->count++] = rule;
	c->listed[rule] = true;
}

static int by_cost(const void *a, const void *b, void *context)
{
	const double *costs = context;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	if (costs[x] != costs[y])
		return costs[x] < costs[y] ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void add_one(void *context, uint32_t rule)
{
	size_t *count = context;
	(void)rule;
	++*count;
}

static size_t count_named(const struct ruleset *rules)
{
	size_t total = 0;
	for (size_t i = 0; i < rules->meta_count; i++)
		rule_expr_rules(rules->table->list[rules->metas[i]]->expr, add_one, &total);
	return total;
}

/* Metas come behind those that they name. */
static void list_costs(const struct ruleset *rules, struct rule_plan *plan)
{
	size_t count = rules->table->count, at = 0;
	struct costs c = { .plan = plan, .listed = xcalloc(count + 1, 1) };
	plan->named = arena_array(rules->arena, uint32_t, count_named(rules) + 1);
	c.costs = plan->costs = arena_array(rules->arena, double, count + 1);
	plan->named_first = arena_array(rules->arena, size_t, count + 2);
	plan->named_count = arena_array(rules->arena, size_t, count + 1);
	for (size_t i = 0; i < count; i++)
		c.costs[i] = leaf_cost(rules, rules->table->list[i]);
	for (size_t i = 0; i < rules->meta_count; i++, at = c.count) {
		uint32_t meta = rules->metas[i];
		rule_expr_rules(rules->table->list[meta]->expr, list_named, &c);
		plan->named_first[meta] = at;
		plan->named_count[meta] = c.count - at;
		c.costs[meta] = 0;
		for (size_t k = at; k < c.count; k++) {
			c.listed[plan->named[k]] = false;
			c.costs[meta] = fmin(c.costs[meta] + c.costs[plan->named[k]], COST_MAX);
		}
		qsort_r(plan->named + at, c.count - at, sizeof(*plan->named), by_cost, c.costs);
	}
	free(c.listed);
}

/* ---- what values lie in ---- */

static struct expr_range first_range(const struct rule *rule)
{
	if (!runs(rule))
		return (struct expr_range){ 0, rule->reported ? 1 : 0 };
	if (rule->engine_id == 0)
		return (struct expr_range){ 0, NUMBER_MAX };
	bool counts = (rule->tflags & TFLAG_MULTIPLE) && !rule->negated;
	return (struct expr_range){ 0, !counts ? 1 : rule->maxhits > 0 ? rule->maxhits : NUMBER_MAX };
}

static void inherit_fractions(void *context, uint32_t rule)
{
	const struct naming *n = context;
	n->plan->fractions[n->meta] = n->plan->fractions[n->meta] || n->plan->fractions[rule];
}

static void find_ranges(const struct ruleset *rules, struct rule_plan *plan)
{
	size_t count = rules->table->count;
	plan->fractions = arena_array(rules->arena, bool, count + 1);
	plan->ranges = arena_array(rules->arena, struct expr_range, count + 1);
	for (size_t i = 0; i < count; i++)
		plan->ranges[i] = first_range(rules->table->list[i]);
	for (size_t i = 0; i < rules->meta_count; i++) {
		uint32_t meta = rules->metas[i];
		const struct rule_expr *expr = rules->table->list[meta]->expr;
		struct naming n = { plan, meta };
		if (!runs(rules->table->list[meta]))
			continue; /* it is nothing, whatever it names */
		plan->fractions[meta] = rule_expr_fractions(expr);
		rule_expr_rules(expr, inherit_fractions, &n);
		struct expr_range r = rule_expr_range(expr, plan->ranges, plan->fractions[meta]);
		if (r.low < 0) /* counts as one */
			r = (struct expr_range){ r.high < 0 ? 1 : 0, fmax(r.high, 1) };
		plan->ranges[meta] = r;
	}
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
	plan->patterns = arena_array(rules->arena, uint32_t, count + 1);
	plan->selected = arena_array(rules->arena, uint32_t, count + 1);
	plan->exprs = arena_array(rules->arena, const struct rule_expr *, count + 1);
	plan->counting = arena_array(rules->arena, uint32_t, rules->meta_count + 1);
	plan->others = arena_array(rules->arena, uint32_t, count + 1);
	plan->idle = arena_array(rules->arena, double, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = rules->table->list[i];
		if (runs(rule))
			list_rule(rule, plan);
		if (rule->expr != NULL) {
			double value = rule_expr_eval(rule->expr, zero, NULL);
			plan->idle[i] = value < 0 ? 1 : value; /* a hit is never less than one */
		}
	}
	for (size_t i = 0; i < rules->meta_count; i++) {
		const struct rule *meta = rules->table->list[rules->metas[i]];
		plan->exprs[meta->index] = meta->expr;
		if (!rule_is_hidden(meta))
			plan->counting[plan->counting_count++] = meta->index;
	}
	list_dependents(rules, plan);
	list_costs(rules, plan);
	find_ranges(rules, plan);
}
