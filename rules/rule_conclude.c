#include "rules/rule_conclude.h"

#include "rules/rule_eval.h"
#include "rules/rule_network.h"

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
static bool is_open(const struct rule_scan *s, const struct rule *rule)
{
	return engine_run_waits(s->rules->engine, &s->run, rule) &&
	       (rule->type != RULE_HEADER || s->evals->headers[rule_engine_tag(s->rules->engine, rule)].found);
}

void rule_conclude_patterns(struct rule_scan *s)
{
	const struct rule_plan *plan = &s->rules->plan;
	for (size_t i = 0; i < plan->pattern_count; i++)
		s->values[plan->patterns[i]] = 0;
	for (size_t i = 0; i < s->run.found_count; i++)
		s->values[s->run.found[i]] = s->run.hits[s->run.found[i]].count;
	for (size_t i = 0; i < plan->selected_count; i++)
		s->values[plan->selected[i]] = pattern_value(s, s->rules->table->list[plan->selected[i]]);
	for (size_t i = 0; i < plan->patient_count && !s->in.all; i++)
		if (is_open(s, s->rules->table->list[plan->patient[i]]))
			s->values[plan->patient[i]] = EXPR_UNKNOWN;
}

/* ---- filters, evals, the network ---- */

/* A filter in shadow has no effect: not through metas either. */
static void hear_filters(struct rule_scan *s)
{
	const struct rule_table *table = s->rules->table;
	for (size_t i = 0; i < s->rules->told_count; i++)
		s->values[s->rules->told[i]] = 0;
	for (size_t i = 0; s->in.hits != NULL && i < s->in.hits->count; i++) {
		const struct hit *hit = &s->in.hits->list[i];
		const struct rule *rule = rule_table_find(table, slice_str(hit->symbol));
		if (rule != NULL && rule_told_by_filter(rule) && !hit->shadow)
			s->values[rule->index] = 1;
	}
}

static bool waits(const struct rule_scan *s, const struct rule *rule)
{
	return !s->in.all && rule_eval_may_wait(rule);
}

/* Those that ask, or the others: they have their answer at once. */
static void run_evals(struct rule_scan *s, bool asks)
{
	for (size_t i = 0; i < s->rules->eval_count; i++) {
		uint32_t index = s->rules->evals[i];
		const struct rule *rule = s->rules->table->list[index];
		if ((rule->eval->asks != EVAL_ASKS_NOTHING) != asks || expr_known(s->values[index]) || waits(s, rule))
			continue;
		s->values[index] = rule->eval->fn(s, rule);
		if (!expr_known(s->values[index]))
			s->waiting = true;
	}
}

static void run_others(struct rule_scan *s)
{
	const struct rule_plan *plan = &s->rules->plan;
	for (size_t i = 0; i < plan->other_count; i++) {
		uint32_t index = plan->others[i];
		const struct rule *rule = s->rules->table->list[index];
		if (expr_known(s->values[index]))
			continue;
		if (rule->type == RULE_ASKDNS)
			s->values[index] = network_askdns(s, rule);
		else if (rule->type == RULE_URI_DETAIL)
			s->values[index] = network_uri_detail(s, rule);
		else
			s->values[index] = 0;
		if (!expr_known(s->values[index]))
			s->waiting = true;
	}
}

/* ---- metas ---- */

static struct expr_range value_of(const void *context, uint32_t index)
{
	const struct rule_scan *s = context;
	double v = s->values[index];
	return expr_known(v) ? (struct expr_range){ v, v, v == floor(v) } : s->rules->plan.ranges[index];
}

/* What a meta comes to counts as its value; a hit is never less than one. */
static double meta_value(const struct rule_scan *s, uint32_t index)
{
	struct expr_range r = rule_expr_range(s->rules->table->list[index]->expr, value_of, s);
	if (r.low != r.high)
		return EXPR_UNKNOWN;
	return r.low < 0 ? 1 : r.low;
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
		open[index] = !expr_known(s->values[index]);
		if (open[index])
			s->values[index] = 0; /* until it is its turn, behind all that it names */
	}
	for (uint32_t i = 0; i < count; i++)
		if (s->values[i] != 0)
			wake_metas(s, i, awake);
	for (size_t i = 0; i < s->rules->meta_count; i++) {
		uint32_t index = s->rules->metas[i];
		if (!open[index])
			continue;
		s->values[index] = awake[index] ? meta_value(s, index) : plan->idle[index];
		if (s->values[index] != 0)
			wake_metas(s, index, awake);
	}
}

/* Runs a rule that waits. */
static void run_waiting(struct rule_scan *s, const struct rule *rule)
{
	if (rule_type_is_eval(rule->type)) {
		s->values[rule->index] = rule->eval->fn(s, rule);
		return;
	}
	engine_run_demand(s->rules->engine, &s->run, rule);
	s->values[rule->index] = pattern_value(s, rule);
}

/* The cheapest that the meta names and that isn't known; NULL: they all are. */
static const struct rule *next_unknown(const struct rule_scan *s, uint32_t meta)
{
	const struct rule_plan *plan = &s->rules->plan;
	const uint32_t *named = &plan->named[plan->named_first[meta]];
	for (size_t i = 0; i < plan->named_count[meta]; i++)
		if (!expr_known(s->values[named[i]]))
			return s->rules->table->list[named[i]];
	return NULL;
}

/* The meta, and of what it names as much as makes it certain. */
static void settle_meta(struct rule_scan *s, uint32_t meta, uint32_t *stack)
{
	size_t depth = 0;
	stack[depth++] = meta;
	while (depth > 0) {
		uint32_t top = stack[depth - 1];
		s->values[top] = meta_value(s, top);
		const struct rule *rule = expr_known(s->values[top]) ? NULL : next_unknown(s, top);
		if (rule == NULL)
			depth--;
		else if (rule->expr != NULL)
			stack[depth++] = rule->index;
		else
			run_waiting(s, rule);
	}
}

static void settle_metas(struct rule_scan *s)
{
	uint32_t *stack = arena_array(s->arena, uint32_t, s->rules->meta_count + 1);
	for (size_t i = 0; i < s->rules->meta_count; i++) {
		uint32_t index = s->rules->metas[i];
		if (!expr_known(s->values[index]) && !rule_is_hidden(s->rules->table->list[index]))
			settle_meta(s, index, stack);
	}
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
	run_evals(s, false);
	run_metas(s);
	engine_run_resume(s->rules->engine, &s->run);
	s->running = true;
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
