#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rules/rule_cond.h"
#include "rules/rule_expr.h"

/* A..H are rules 0..7; their values. U is unknown. */
static const double values[] = { 0, 1, 2, 3, -1, 0.5 };

static bool letter(void *context, struct expr_builder *b, struct slice name, struct slice argument,
		   const char **error_r)
{
	(void)context;
	if (argument.data != NULL) {
		uint32_t all[] = { 1, 2, 3 };
		expr_push_sum(b, all, slice_eq(argument, SLICE("B*")) ? 3 : 0);
		return true;
	}
	if (name.len != 1 || name.data[0] < 'A' || (name.data[0] > 'F' && name.data[0] != 'U')) {
		*error_r = "unknown";
		return false;
	}
	expr_push_rule(b, name.data[0] == 'U' ? 99 : (uint32_t)(name.data[0] - 'A'));
	return true;
}

static double value_of(void *context, uint32_t rule)
{
	(void)context;
	return rule == 99 ? EXPR_UNKNOWN : values[rule];
}

static void test_values(void **state)
{
	static const struct {
		const char *text;
		double want;
	} cases[] = {
		{ "1", 1 }, { "A", 0 }, { "B && C", 2 }, { "A && C", 0 }, { "A || C", 2 }, { "C || B", 2 },
		{ "!A", 1 }, { "!C", 0 }, { "!A && !A", 1 }, { "B + C + D > 5", 1 }, { "(B+C)+D>6", 0 },
		{ "B + C * D", 7 }, { "(B + C) * D", 9 }, { "D - C - B", 0 }, { "-C + D", 1 }, { "2 - -3", 5 },
		{ "D / C", 1.5 }, { "D / A", 0 }, { "7 % 4", 3 }, { "C == 2", 1 }, { "C != 2", 0 },
		{ "B < C", 1 }, { "C <= 2", 1 }, { "C >= 3", 0 }, { "B ? C : D", 2 }, { "A ? C : D", 3 },
		{ "A ? 1 : B ? 5 : 6", 5 }, { "B ? A ? 1 : 2 : 3", 2 }, { "1 || 0 && 0", 1 },
		{ "!A == 1", 1 }, { "B + (A || B) >= 2", 1 }, { "6 ^ 3", 5 }, { "rules_matching(B*)", 6 },
		{ "rules_matching(X*) == 0", 1 }, { "(((((C)))))", 2 }, { "B>A&&C>B", 1 }, { "0.5 + F", 1 },
		{ "E", -1 }, { "(B && C) > 1", 1 },
		/* concluded although something is not known */
		{ "A && U", 0 }, { "U && A", 0 }, { "C || U", 2 }, { "A * U", 0 },
		{ "U ? 3 : 3", 3 }, { "!(A && U)", 1 },
	};
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *error = NULL;
		struct rule_expr *e = rule_expr_parse(arena, slice_str(cases[i].text), letter, NULL, &error);
		if (e == NULL)
			fail_msg("%s: %s", cases[i].text, error);
		double got = rule_expr_eval(e, value_of, NULL);
		if (got != cases[i].want)
			fail_msg("%s is %g, not %g", cases[i].text, got, cases[i].want);
	}
	arena_destroy(&arena);
}

static void test_unknown(void **state)
{
	static const char *const cases[] = {
		"U", "!U", "U && B", "B && U", "U || A", "U || C", "U + B", "U > 2", "U ? 1 : 2", "(B && U) || A", "-U",
	};
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *error = NULL;
		struct rule_expr *e = rule_expr_parse(arena, slice_str(cases[i]), letter, NULL, &error);
		assert_non_null(e);
		if (expr_known(rule_expr_eval(e, value_of, NULL)))
			fail_msg("%s is known", cases[i]);
	}
	arena_destroy(&arena);
}

static void test_errors(void **state)
{
	static const char *const cases[] = {
		"", "  ", "A B", "A &&", "&& A", "(A", "A)", "A & B", "A | B", "A ? B", "A : B", "1x", "1..2", "Z9",
		"A == ", "!", "()", "A $ B", "A ? B : ", "rules_matching(", "A = B", "(A ? B) : C",
	};
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *error = NULL;
		if (rule_expr_parse(arena, slice_str(cases[i]), letter, NULL, &error) != NULL)
			fail_msg("\"%s\" was taken", cases[i]);
		assert_non_null(error);
	}
	arena_destroy(&arena);
}

/* Depth is refused, length is not recursed into. */
static void test_bounds(void **state)
{
	static char text[400000];
	(void)state;
	struct arena *arena = arena_create();
	const char *error = NULL;
	memset(text, '(', 1000);
	assert_null(rule_expr_parse(arena, slice_make(text, 1000), letter, NULL, &error));
	memset(text, '!', 1000);
	assert_null(rule_expr_parse(arena, slice_make(text, 1000), letter, NULL, &error));
	size_t n = 0;
	for (unsigned i = 0; i < 20000; i++, n += 2)
		memcpy(text + n, i ? "+B" : "0B" + 1, 2);
	struct rule_expr *e = rule_expr_parse(arena, slice_make(text + 0, 1), letter, NULL, &error);
	assert_non_null(e);
	text[0] = 'B';
	text[1] = ' ';
	e = rule_expr_parse(arena, slice_make(text, n), letter, NULL, &error);
	assert_non_null(e);
	assert_true(rule_expr_eval(e, value_of, NULL) == 20000);
	for (n = 0; n + 2 < sizeof(text); n += 2)
		memcpy(text + n, "B+", 2);
	text[n] = 'B';
	assert_null(rule_expr_parse(arena, slice_make(text, n + 1), letter, NULL, &error));
	arena_destroy(&arena);
}

static void test_conditions(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {
		{ "(version >= 3.004000)", true },
		{ "version > 4.1", false },
		{ "(version >= 3.003000 && version < 3.004000)", false },
		{ "plugin(Mail::SpamAssassin::Plugin::MIMEHeader)", true },
		{ "plugin ( Mail::SpamAssassin::Plugin::Razor2 )", false },
		{ "!plugin(Mail::SpamAssassin::Plugin::Razor2)", true },
		{ "can(Mail::SpamAssassin::Conf::feature_bug6558_free)", true },
		{ "!can(Mail::SpamAssassin::Conf::no_such_thing)", true },
		{ "has(Mail::SpamAssassin::Plugin::BodyEval::has_check_body_length)", true },
		{ "can(Gatehouse::skeleton) && can(Gatehouse::shadow)", true },
		{ "local_tests_only", true },
		{ "perl_version >= 5.010", true },
		{ "0", false },
	};
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *error = NULL;
		bool value = !cases[i].want;
		if (!rule_condition_eval(arena, slice_str(cases[i].text), false, &value, &error))
			fail_msg("%s: %s", cases[i].text, error);
		if (value != cases[i].want)
			fail_msg("%s", cases[i].text);
	}
	bool value;
	const char *error;
	assert_false(rule_condition_eval(arena, SLICE("nonsense(1)"), false, &value, &error));
	assert_false(rule_condition_eval(arena, SLICE("version >="), false, &value, &error));
	assert_true(rule_condition_eval(arena, SLICE("!local_tests_only"), true, &value, &error) && value);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_unknown), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_conditions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
