#include "rules/rule_conclude.h"

#include "rules/rule_eval.h"
#include "rules/rule_network.h"

static void conclude(struct rule_scan *s, uint32_t rule, double value)
{
	if (expr_known(value))
		s->values[rule] = expr_point(value);
}

/* ---- patterns ---- */

static double header_rule_value(struct rule_scan *s, const struct rule *rule, const struct engine_hit *hit)
{
	struct header_value *v = &s->evals->headers[rule_engine_tag(s->rules->engine, rule)];
	if (rule->exists)
		return v->found != rule->negated;
	if (!v->found)
		return rule->unset_match != rule->negated;
	if (rule->negated)
		return hit->count == 0 && !hit->over_budget;
	return hit->count;
}

/* Parts without the field count as its [if-unset] text; most rules don't match that. */
static double mime_rule_value(const struct rule *rule, const struct engine_hit *hit)
{
	double count = hit->count > 0 ? hit->count : rule->unset_match && rule->has_unset;
	return rule->negated ? count == 0 : count;
}

static double pattern_value(struct rule_scan *s, const struct rule *rule)
{
	const struct engine_hit *hit = &s->run.hits[rule->index];
	if (rule->type == RULE_HEADER)
		return header_rule_value(s, rule, hit);
	return rule->type == RULE_MIMEHEADER ? mime_rule_value(rule, hit) : hit->count;
}

/* A field that isn't there needs no match. */
static bool has_text(const struct rule_scan *s, const struct rule *rule)
{
	return rule->type != RULE_HEADER || s->evals->headers[rule_engine_tag(s->rules->engine, rule)].found;
}

void rule_conclude_patterns(struct rule_scan *s)
{
	const struct rule_plan *plan = &s->rules->plan;
	for (size_t i = 0; i < plan->pattern_count; i++)
		s->values[plan->patterns[i]] = expr_point(0);
	for (size_t i = 0; i < s->run.found_count; i++)
		conclude(s, s->run.found[i], s->run.hits[s->run.found[i]].count);
	for (size_t i = 0; i < plan->selected_count; i++)
		conclude(s, plan->selected[i], pattern_value(s, s->rules->table->list[plan->selected[i]]));
	size_t count;
	const uint32_t *waiting = engine_run_waiting(s->rules->engine, &s->run, &count);
	for (size_t i = 0; i < count; i++)
		if (has_text(s, s->rules->table->list[waiting[i]]))
			s->values[waiting[i]] = plan->ranges[waiting[i]];
}

/* ---- filters, evals, the network ---- */

/* A filter in shadow has no effect: not through metas either. */
static void hear_filters(struct rule_scan *s)
{
	const struct rule_table *table = s->rules->table;
	for (size_t i = 0; i < s->rules->told_count; i++)
		s->values[s->rules->told[i]] = expr_point(0);
	for (size_t i = 0; s->in.hits != NULL && i < s->in.hits->count; i++) {
		const struct hit *hit = &s->in.hits->list[i];
		const struct rule *rule = rule_table_find(table, slice_str(hit->symbol));
		if (rule != NULL && rule_told_by_filter(rule) && !hit->shadow)
			s->values[rule->index] = expr_point(1);
	}
}

static bool waits(const struct rule_scan *s, const struct rule *rule)
{
	return !s->in.all && rule_eval_may_wait(rule);
}

/* Those that ask; or the others, which have their answer at once. */
static void run_evals(struct rule_scan *s, bool asks)
{
	for (size_t i = 0; i < s->rules->eval_count; i++) {
		uint32_t index = s->rules->evals[i];
		const struct rule *rule = s->rules->table->list[index];
		if ((rule->eval->asks != EVAL_ASKS_NOTHING) != asks || rule_scan_knows(s, index) || waits(s, rule))
			continue;
		conclude(s, index, rule->eval->fn(s, rule));
		s->waiting = s->waiting || !rule_scan_knows(s, index);
	}
}

static void run_others(struct rule_scan *s)
{
	const struct rule_plan *plan = &s->rules->plan;
	for (size_t i = 0; i < plan->other_count; i++) {
		uint32_t index = plan->others[i];
		const struct rule *rule = s->rules->table->list[index];
		if (rule_scan_knows(s, index))
			continue;
		if (rule->type == RULE_ASKDNS)
			conclude(s, index, network_askdns(s, rule));
		else if (rule->type == RULE_URI_DETAIL)
			conclude(s, index, network_uri_detail(s, rule));
		else
			conclude(s, index, 0);
		s->waiting = s->waiting || !rule_scan_knows(s, index);
	}
}

/* ---- metas ---- */

/* What a meta comes to counts as its value; a hit is never less than one. */
static void run_meta(struct rule_scan *s, uint32_t index)
{
	const struct rule_plan *plan = &s->rules->plan;
	struct expr_range r = rule_expr_range(plan->exprs[index], s->values, plan->fractions[index]);
	if (r.low == r.high)
		s->values[index] = expr_point(r.low < 0 ? 1 : r.low);
	else
		s->values[index] = plan->ranges[index];
}

static void wake_metas(const struct rule_scan *s, uint32_t index, bool *awake)
{
	const struct rule_plan *plan = &s->rules->plan;
	for (size_t i = plan->first[index]; i < plan->first[index + 1]; i++)
		awake[plan->dependents[i]] = true;
}

/* Those that name nothing but zeros are the most, and come to what they always do. */
static void run_metas(struct rule_scan *s)
{
	const struct rule_plan *plan = &s->rules->plan;
	size_t count = s->rules->table->count;
	bool *awake = arena_array(s->arena, bool, count + 1);
	bool *open = arena_array(s->arena, bool, count + 1);
	for (size_t i = 0; i < s->rules->meta_count; i++) {
		uint32_t index = s->rules->metas[i];
		open[index] = !rule_scan_knows(s, index);
		if (open[index])
			s->values[index] = expr_point(0); /* until it is its turn, behind all that it names */
	}
	for (uint32_t i = 0; i < count; i++)
		if (s->values[i].high != 0)
			wake_metas(s, i, awake);
	for (size_t i = 0; i < s->rules->meta_count; i++) {
		uint32_t index = s->rules->metas[i];
		if (!open[index])
			continue;
		if (awake[index])
			run_meta(s, index);
		else
			s->values[index] = expr_point(plan->idle[index]);
		if (s->values[index].high != 0)
			wake_metas(s, index, awake);
	}
}

/* Runs a rule that waits. */
static void run_waiting(struct rule_scan *s, const struct rule *rule)
{
	double value;
	if (rule_type_is_eval(rule->type)) {
		value = rule->eval->fn(s, rule);
	} else {
		engine_run_demand(s->rules->engine, &s->run, rule);
		value = pattern_value(s, rule);
	}
	/* Who waits asks nobody: what has no answer now never has one. */
	s->values[rule->index] = expr_point(expr_known(value) ? value : 0);
}

#define COST_STEP 20.0         /* of an expression, in nanoseconds */

/* Runs the cheapest that the meta names and that aren't known, for about as
 * long as the expression itself takes; returns a meta that is to be settled
 * first, or NULL. */
static const struct rule *run_cheapest(struct rule_scan *s, uint32_t meta)
{
	const struct rule_plan *plan = &s->rules->plan;
	const uint32_t *named = &plan->named[plan->named_first[meta]];
	double left = (double)rule_expr_length(plan->exprs[meta]) * COST_STEP;
	for (size_t i = 0; i < plan->named_count[meta] && left > 0; i++) {
		if (rule_scan_knows(s, named[i]))
			continue;
		const struct rule *rule = s->rules->table->list[named[i]];
		if (rule->expr != NULL)
			return rule;
		run_waiting(s, rule);
		left -= plan->costs[named[i]];
	}
	return NULL;
}

/* The meta, and of what it names as much as makes it certain. */
static void settle_meta(struct rule_scan *s, uint32_t meta, uint32_t *stack)
{
	size_t depth = 0;
	stack[depth++] = meta;
	while (depth > 0) {
		uint32_t top = stack[depth - 1];
		run_meta(s, top);
		if (rule_scan_knows(s, top)) {
			depth--;
			continue;
		}
		const struct rule *first = run_cheapest(s, top);
		if (first != NULL)
			stack[depth++] = first->index;
	}
}

static void settle_metas(struct rule_scan *s)
{
	const struct rule_plan *plan = &s->rules->plan;
	uint32_t *stack = arena_array(s->arena, uint32_t, s->rules->meta_count + 1);
	for (size_t i = 0; i < plan->counting_count; i++)
		if (!rule_scan_knows(s, plan->counting[i]))
			settle_meta(s, plan->counting[i], stack);
}

bool rule_scan_answered(struct rule_scan *s)
{
	if (s->finished)
		return true;
	s->phase = PHASE_END;
	rule_scan_texts(s);
	s->waiting = false;
	hear_filters(s);
	run_evals(s, true);
	run_others(s);
	return !s->waiting;
}

void rule_scan_conclude(struct rule_scan *s)
{
	if (s->finished)
		return;
	engine_run_resume(s->rules->engine, &s->run);
	s->running = true;
	run_evals(s, false);
	run_metas(s);
	settle_metas(s);
	engine_run_end(s->rules->engine, &s->run);
	s->running = false;
	s->finished = true;
}

bool rule_scan_finish(struct rule_scan *s)
{
	if (!rule_scan_answered(s))
		return false;
	rule_scan_conclude(s);
	return true;
}
