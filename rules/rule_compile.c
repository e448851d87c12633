#include "rules/rule_compile.h"

#include <stdlib.h>

#include "rules/rule_eval.h"
#include "rules/rule_expr.h"
#include "rules/rule_lists.h"
#include "rules/rule_replace.h"

/* Of rules in their trial time, by SpamAssassin's convention. */
#define SCORE_TRIAL 0.01
#define SCORE_DEFAULT 1.0

/* Without Bayes: sets 0 (local) and 1 (net). */
static void choose_score(struct rule *rule, bool net)
{
	if (rule->scored) {
		rule->score = rule->scores[net ? 1 : 0];
		return;
	}
	rule->score = slice_starts(rule->name, SLICE("T_")) ? SCORE_TRIAL : SCORE_DEFAULT;
	if (rule->tflags & TFLAG_NICE)
		rule->score = -rule->score;
}

/* Eval functions of network rules and of learners run only if that is on. */
static bool left_out(const struct rule *rule, bool net)
{
	if (rule->type == RULE_ASKDNS || rule->type == RULE_URIBL)
		return !net;
	if (!rule_type_is_eval(rule->type))
		return false;
	return ((rule->tflags & TFLAG_NET) && !net) || (rule->tflags & TFLAG_LEARN);
}

static void choose_all(struct ruleset *rules)
{
	for (size_t i = 0; i < rules->table->count; i++) {
		struct rule *rule = rules->table->list[i];
		choose_score(rule, rules->options.net);
		rule->wanted = rule->type != RULE_NONE && !rule->skipped && rule->score != 0 &&
			       !left_out(rule, rules->options.net);
	}
}

/* ---- what filters report ---- */

static void mark_reported(struct ruleset *rules)
{
	for (const char *const *name = rules->options.reported; name != NULL && *name != NULL; name++)
		rule_table_need(rules->table, slice_str(*name))->reported = true;
}

static void list_told(struct ruleset *rules)
{
	rules->told = arena_array(rules->arena, uint32_t, rules->table->count);
	for (size_t i = 0; i < rules->table->count; i++)
		if (rule_told_by_filter(rules->table->list[i]))
			rules->told[rules->told_count++] = (uint32_t)i;
}

/* ---- metas ---- */

struct meta_context {
	struct ruleset *rules;
	struct rule *rule;
};

/* Rules whose name fits the glob, but the rule itself. */
static void push_matching(struct meta_context *c, struct expr_builder *b, struct slice glob)
{
	const struct rule_table *table = c->rules->table;
	uint32_t *list = xcalloc(table->count + 1, sizeof(*list));
	size_t n = 0;
	for (size_t i = 0; i < table->count; i++)
		if (((table->list[i]->type != RULE_NONE && !table->list[i]->skipped) || table->list[i]->reported) &&
		    table->list[i] != c->rule && slice_glob(glob, table->list[i]->name))
			list[n++] = table->list[i]->index;
	expr_push_sum(b, list, n);
	free(list);
}

static bool meta_name(void *context, struct expr_builder *b, struct slice name, struct slice argument,
		      const char **error_r)
{
	struct meta_context *c = context;
	if (argument.data != NULL) {
		push_matching(c, b, argument);
		return true;
	}
	if (slice_eq(name, SLICE("local_tests_only"))) {
		expr_push_number(b, !c->rules->options.net);
		return true;
	}
	if (!rule_name_ok(name)) {
		*error_r = "not the name of a rule";
		return false;
	}
	const struct rule *named = rule_table_find(c->rules->table, name);
	/* What nobody defined never hits. */
	if (named == NULL || (named->type == RULE_NONE && !named->reported))
		expr_push_number(b, 0);
	else
		expr_push_rule(b, named->index);
	return true;
}

static void bind_metas(struct ruleset *rules)
{
	for (size_t i = 0; i < rules->table->count; i++) {
		struct meta_context c = { rules, rules->table->list[i] };
		const char *error = NULL;
		if (c.rule->type != RULE_META || c.rule->skipped || c.rule->status == RULE_UNSUPPORTED)
			continue;
		c.rule->expr = rule_expr_parse(rules->arena, c.rule->text, meta_name, &c, &error);
		if (c.rule->expr == NULL)
			rule_downgrade(c.rule, RULE_UNSUPPORTED, error);
	}
}

/* Depth-first, without recursion: a stack of metas whose parts come first. */
struct ordering {
	struct ruleset *rules;
	uint8_t *state;            /* 0 new, 1 on the stack, 2 placed */
	uint32_t *stack;
	size_t depth;
	bool pushed;
	bool circular;
};

static void visit(void *context, uint32_t index)
{
	struct ordering *o = context;
	const struct rule *rule = o->rules->table->list[index];
	if (rule->expr == NULL || o->state[index] == 2)
		return;
	if (o->state[index] == 1) {
		o->circular = true;
		return;
	}
	if (!o->pushed) {
		o->state[index] = 1;
		o->stack[o->depth++] = index;
		o->pushed = true;
	}
}

static void order_from(struct ordering *o, uint32_t start)
{
	if (o->state[start] != 0)
		return;
	o->state[start] = 1;
	o->stack[o->depth++] = start;
	while (o->depth > 0) {
		uint32_t index = o->stack[o->depth - 1];
		struct rule *rule = o->rules->table->list[index];
		o->pushed = o->circular = false;
		rule_expr_rules(rule->expr, visit, o);
		if (o->pushed)
			continue;
		o->depth--;
		o->state[index] = 2;
		if (o->circular)
			rule_downgrade(rule, RULE_UNSUPPORTED, "depends on itself");
		o->rules->metas[o->rules->meta_count++] = index;
	}
}

static void order_metas(struct ruleset *rules)
{
	size_t n = rules->table->count;
	struct ordering o = { .rules = rules };
	o.state = xcalloc(n, sizeof(*o.state));
	o.stack = xcalloc(n, sizeof(*o.stack));
	rules->metas = arena_array(rules->arena, uint32_t, n);
	for (size_t i = 0; i < n; i++)
		if (rules->table->list[i]->expr != NULL)
			order_from(&o, (uint32_t)i);
	free(o.state);
	free(o.stack);
}

/* ---- evals ---- */

static const char *check_eval(const struct rule *rule, const struct eval_function *f, struct arena *arena)
{
	if (rule->arg_count < f->min_args || rule->arg_count > f->max_args)
		return arena_printf(arena, "%s() takes %u to %u arguments", f->name, f->min_args, f->max_args).data;
	return f->check != NULL ? f->check(rule) : NULL;
}

static void bind_eval(struct ruleset *rules, struct rule *rule)
{
	rule->eval = eval_find(rule->function);
	if (rule->eval == NULL) {
		rule_downgrade(rule, RULE_UNSUPPORTED,
			       arena_printf(rules->arena, "eval function %.*s() is not known here",
					    SLICE_ARG(rule->function)).data);
		return;
	}
	const char *problem = check_eval(rule, rule->eval, rules->arena);
	if (problem == NULL && rule->eval->pattern > 0 && rule->eval->pattern <= rule->arg_count) {
		struct pattern pattern = { .source = rule->args[rule->eval->pattern - 1], .set = true };
		rule->regex = regex_compile(rules->arena, &pattern, &problem);
	}
	if (problem != NULL) {
		rule_downgrade(rule, RULE_UNSUPPORTED, problem);
		rule->eval = NULL;
	} else if (rule->eval->approximate != NULL) {
		rule_downgrade(rule, RULE_APPROXIMATE, rule->eval->approximate);
	}
}

/* Priority, then place in the files, as one number to sort by. */
static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void sort_evals(struct ruleset *rules)
{
	uint64_t *keys = xcalloc(rules->eval_count + 1, sizeof(*keys));
	for (size_t i = 0; i < rules->eval_count; i++) {
		uint32_t index = rules->evals[i];
		keys[i] = (uint64_t)(rules->table->list[index]->priority + (int64_t)INT32_MAX) << 32 | index;
	}
	qsort(keys, rules->eval_count, sizeof(*keys), by_key);
	for (size_t i = 0; i < rules->eval_count; i++)
		rules->evals[i] = (uint32_t)keys[i];
	free(keys);
}

static void bind_evals(struct ruleset *rules)
{
	rules->evals = arena_array(rules->arena, uint32_t, rules->table->count);
	for (size_t i = 0; i < rules->table->count; i++) {
		struct rule *rule = rules->table->list[i];
		if (!rule_type_is_eval(rule->type) || rule->skipped || rule->status == RULE_UNSUPPORTED)
			continue;
		bind_eval(rules, rule);
		if (rule->wanted && rule->eval != NULL)
			rules->evals[rules->eval_count++] = rule->index;
	}
	sort_evals(rules);
}

/* ---- patterns beside those of the engine ---- */

static struct regex *compile_own(struct ruleset *rules, struct rule *rule, const struct pattern *pattern)
{
	const char *error = NULL;
	struct regex *regex = regex_compile(rules->arena, pattern, &error);
	if (regex == NULL)
		rule_downgrade(rule, RULE_UNSUPPORTED, error);
	return regex;
}

static void compile_rest(struct ruleset *rules)
{
	for (size_t i = 0; i < rules->table->count; i++) {
		struct rule *rule = rules->table->list[i];
		if (rule->skipped || rule->status == RULE_UNSUPPORTED)
			continue;
		for (size_t k = 0; rule->type == RULE_URI_DETAIL && k < rule->condition_count; k++)
			rule->conditions[k].regex = compile_own(rules, rule, &rule->conditions[k].pattern);
		if (rule->type == RULE_ASKDNS && rule->askdns.pattern.set)
			rule->askdns.regex = compile_own(rules, rule, &rule->askdns.pattern);
	}
}

/* ---- what can't be as good as its parts ---- */

struct parts_context {
	struct ruleset *rules;
	const struct rule *bad;
};

static void find_bad_part(void *context, uint32_t index)
{
	struct parts_context *c = context;
	const struct rule *part = c->rules->table->list[index];
	if (part->status != RULE_SUPPORTED && !rule_told_by_filter(part) && (c->bad == NULL || part->status > c->bad->status))
		c->bad = part;
}

static void judge_metas(struct ruleset *rules)
{
	for (size_t i = 0; i < rules->meta_count; i++) {
		struct rule *rule = rules->table->list[rules->metas[i]];
		struct parts_context c = { rules, NULL };
		rule_expr_rules(rule->expr, find_bad_part, &c);
		if (c.bad == NULL)
			continue;
		rule_downgrade(rule, RULE_APPROXIMATE,
			       arena_printf(rules->arena, "depends on %s, which is %s", c.bad->name.data,
					    rule_status_name(c.bad->status)).data);
	}
}

/* Patterns of rules that don't run are compiled once, to be told of. */
static void check_unwanted(struct ruleset *rules)
{
	struct arena *arena = arena_create();
	for (size_t i = 0; i < rules->table->count; i++) {
		struct rule *rule = rules->table->list[i];
		const char *error = NULL;
		if (rule->wanted || rule->skipped || !rule->pattern.set || rule->status == RULE_UNSUPPORTED ||
		    !rule_type_is_pattern(rule->type))
			continue;
		if (regex_compile(arena, &rule->pattern, &error) == NULL)
			rule_downgrade(rule, RULE_UNSUPPORTED, arena_str(rules->arena, slice_str(error)));
		arena_reset(arena);
	}
	arena_destroy(&arena);
}

/* A mistake of whoever wrote the file, not a thing that we can't do. */
static void report_malformed(struct ruleset *rules)
{
	for (size_t i = 0; i < rules->table->count; i++) {
		const struct rule *rule = rules->table->list[i];
		if (rule->status == RULE_UNSUPPORTED && !rule->skipped && rule->pattern.set &&
		    rule_type_is_pattern(rule->type) && regex_is_malformed(rules->arena, &rule->pattern))
			config_error_add(rules->table->errors, rule->file, rule->line, "%s: %s", rule->name.data, rule->reason);
	}
}

/* What a header rule says where the header isn't there is known beforehand. */
static void match_unset(struct ruleset *rules)
{
	struct regex_scratch *scratch = regex_scratch_create();
	for (size_t i = 0; i < rules->table->count; i++) {
		struct rule *rule = rules->table->list[i];
		if (rule->regex != NULL && (rule->type == RULE_HEADER || rule->type == RULE_MIMEHEADER))
			rule->unset_match = regex_match(rule->regex, scratch, rule->unset, 0, NULL) == REGEX_YES;
	}
	regex_scratch_free(&scratch);
}

/* The channel's text has its letters folded, so the pattern's must be too:
 * whoever writes a rule writes what people write. */
static void fold_skeletons(struct ruleset *rules)
{
	for (size_t i = 0; i < rules->table->count; i++) {
		struct rule *rule = rules->table->list[i];
		if (rule->type == RULE_SKELETON && rule->pattern.set)
			rule->pattern.source = rule_fold_pattern(rules->arena, rule->pattern.source);
	}
}

void rule_compile(struct ruleset *rules)
{
	struct engine_options options = {
		.cache_dir = rules->options.cache_dir,
		.plain = rules->options.plain,
		.rule_budget_us = rules->options.budget_ms * 1000,
	};
	mark_reported(rules);
	rule_replace_tags(rules->table);
	fold_skeletons(rules);
	choose_all(rules);
	bind_metas(rules);
	order_metas(rules);
	bind_evals(rules);
	compile_rest(rules);
	check_unwanted(rules);
	rules->engine = rule_engine_create(rules->table, &options);
	report_malformed(rules);
	match_unset(rules);
	list_told(rules);
	judge_metas(rules);
	rule_plan_make(rules, &rules->plan);
}
