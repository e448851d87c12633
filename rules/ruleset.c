#include "rules/ruleset.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "rules/eval_pattern.h"
#include "rules/rule_compile.h"
#include "rules/rule_eval.h"
#include "rules/rule_parse.h"

struct counted {
	struct ruleset rules;      /* first: a set is known by this address */
	atomic_uint references;
};

static struct counted *begin(const struct ruleset_options *options, struct config_errors *errors)
{
	struct counted *c = xcalloc(1, sizeof(*c));
	atomic_init(&c->references, 1);
	c->rules.arena = arena_create();
	if (options != NULL)
		c->rules.options = *options;
	if (c->rules.options.cache_dir != NULL)
		c->rules.options.cache_dir = arena_str(c->rules.arena, slice_str(c->rules.options.cache_dir));
	c->rules.table = rule_table_create(c->rules.arena, errors);
	return c;
}

static struct ruleset *finish(struct counted *c)
{
	c->rules.lists = rule_lists_create(c->rules.table);
	c->rules.patterns = eval_patterns_create(c->rules.arena);
	rule_compile(&c->rules);
	c->rules.options.reported = NULL; /* as the errors below */
	c->rules.table->errors = NULL; /* the caller's, and may go before the set */
	return &c->rules;
}

static struct rule_parse_options parse_options(const struct counted *c)
{
	return (struct rule_parse_options){ .net = c->rules.options.net, .language = c->rules.options.language };
}

struct ruleset *ruleset_load(const struct slice *paths, size_t count, const struct ruleset_options *options,
			     struct config_errors *errors)
{
	struct counted *c = begin(options, errors);
	struct rule_parse_options parse = parse_options(c);
	for (size_t i = 0; i < count; i++)
		rule_parse_path(c->rules.table, arena_str(c->rules.arena, paths[i]), &parse);
	return finish(c);
}

struct ruleset *ruleset_load_text(struct slice name, struct slice text, const struct ruleset_options *options,
				  struct config_errors *errors)
{
	struct counted *c = begin(options, errors);
	struct rule_parse_options parse = parse_options(c);
	rule_parse_text(c->rules.table, name, text, &parse);
	return finish(c);
}

struct ruleset *ruleset_retain(const struct ruleset *rules)
{
	struct counted *c = (struct counted *)(uintptr_t)rules;
	atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
	return &c->rules;
}

void ruleset_release(struct ruleset **rules)
{
	struct counted *c = (struct counted *)*rules;
	*rules = NULL;
	if (c == NULL || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
		return;
	arena_destroy(&c->rules.arena);
	free(c);
}

bool ruleset_improve(struct ruleset *rules, bool compile)
{
	return rule_engine_improve(rules->engine, compile);
}

bool ruleset_asks_early(const struct ruleset *rules)
{
	for (size_t i = 0; rules->options.net && i < rules->eval_count; i++)
		if (rules->table->list[rules->evals[i]]->eval->asks == EVAL_ASKS_EARLY)
			return true;
	return false;
}

bool ruleset_score(const struct ruleset *rules, const char *symbol, double *score_r)
{
	const struct rule *rule = rule_table_find(rules->table, slice_str(symbol));
	if (rule == NULL || !rule->scored)
		return false;
	*score_r = rule->score;
	return true;
}

void ruleset_totals(const struct ruleset *rules, struct ruleset_totals *totals_r)
{
	struct ruleset_totals *t = totals_r;
	*t = (struct ruleset_totals){ .rules = 0 };
	for (size_t i = 0; i < rules->table->count; i++) {
		const struct rule *rule = rules->table->list[i];
		if (rule->type == RULE_NONE)
			continue;
		t->rules++;
		t->by_type[rule->type]++;
		t->supported += rule->status == RULE_SUPPORTED;
		t->approximate += rule->status == RULE_APPROXIMATE;
		t->unsupported += rule->status == RULE_UNSUPPORTED;
		t->visible += !rule_is_hidden(rule);
		t->visible_supported += !rule_is_hidden(rule) && rule->status == RULE_SUPPORTED;
	}
}
