#ifndef GATEHOUSE_RULES_RULE_TEST_H
#define GATEHOUSE_RULES_RULE_TEST_H
/* rule_test: the `test NAME ok|fail text` lines of rule files, tried. */
#include "rules/ruleset.h"

struct rule_test_result {
	size_t passed, failed, skipped; /* skipped: of rules that no single text can be tried on */
};

/* failed(context, rule, test) for each that fails; may be NULL. */
struct rule_test_result ruleset_run_tests(const struct ruleset *rules,
					  void (*failed)(void *context, const struct rule *rule,
							 const struct rule_test *test),
					  void *context);

#endif
