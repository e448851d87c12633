#include "rules/rule_test.h"

#include "message/skeleton.h"

/* The rule's own pattern on a text as it would stand in its channel. */
static bool rule_hits(const struct ruleset *rules, const struct rule *rule, struct slice text)
{
	struct arena *arena = arena_create();
	struct engine_run run;
	if (rule->type == RULE_SKELETON)
		text = skeleton_text(arena, text);
	struct segment segment = { .text = text };
	engine_run_begin(rules->engine, &run, arena, true);
	engine_run_rule(rules->engine, &run, rule, &segment, 1);
	bool hit = run.hits[rule->index].count > 0;
	engine_run_end(rules->engine, &run);
	arena_destroy(&arena);
	return hit != rule->negated;
}

static bool can_be_tried(const struct rule *rule)
{
	return rule_type_is_pattern(rule->type) && rule->regex != NULL && rule->engine_id != 0;
}

struct rule_test_result ruleset_run_tests(const struct ruleset *rules,
					  void (*failed)(void *, const struct rule *, const struct rule_test *),
					  void *context)
{
	struct rule_test_result result = { 0, 0, 0 };
	for (size_t i = 0; i < rules->table->count; i++) {
		const struct rule *rule = rules->table->list[i];
		for (size_t k = 0; k < rule->test_count; k++) {
			if (!can_be_tried(rule)) {
				result.skipped++;
				continue;
			}
			if (rule_hits(rules, rule, rule->tests[k].text) == rule->tests[k].ok) {
				result.passed++;
				continue;
			}
			result.failed++;
			if (failed != NULL)
				failed(context, rule, &rule->tests[k]);
		}
	}
	return result;
}
