/* What rule files say that is seldom meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rules/rule_review.h"

static void test_nested_repeats(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		bool nests;
	} cases[] = {
		{ "(a+)+", true }, { "(?:a|b+)*c", true }, { "((a*)b)*", true }, { "(?:x{2,})+", true },
		{ "(?:a(?:b+)?)+", true }, { "([a-z]+)*$", true }, { "(?:\\w+\\s?){2,}", true },
		{ "(a+)", false }, { "(?:ab)+", false }, { "(?:a{1,3})+", false }, { "(?>a+)+", false },
		{ "(?:a++)+", false }, { "(?:a+)++", false }, { "\\(a+\\)+", false }, { "[(a+)]+", false },
		{ "(?:a+){1,5}", false }, { "a+b+c+", false }, { "(?:[+*])+", false }, { "[]+)]+x", false },
		{ "", false }, { "(", false }, { ")+", false }, { "\\", false }, { "[", false }, { "a{", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (pattern_nests_repeats(slice_str(cases[i].pattern)) != cases[i].nests)
			fail_msg("%s", cases[i].pattern);
}

static size_t count_of(const struct rule_note *notes, size_t count, enum rule_note_kind kind, const char *name)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++)
		n += notes[i].kind == kind && slice_eq(notes[i].rule->name, slice_str(name));
	return n;
}

static void test_notes(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	static const char *const reported[] = { "SPF_FAIL", NULL };
	const struct ruleset_options options = { .net = true, .reported = reported };
	struct slice text = SLICE("body GOOD /plain/\nscore GOOD 1\n"
				  "body UNSCORED /words/\nbody __PART /part/\nbody T_TRIAL /trial/\n"
				  "score NOBODY 2\nscore SPF_FAIL 3\n"
				  "body TWICE /one/\nscore TWICE 1\nbody TWICE /two/\n"
				  "body COPY /plain/\nscore COPY 1\nbody NOT_COPY /plain/i\nscore NOT_COPY 1\n"
				  "header H1 Subject =~ /x/\nscore H1 1\nheader H2 From =~ /x/\nscore H2 1\n"
				  "body EVIL /(a+)+$/\nscore EVIL 1\n");
	struct ruleset *rules = ruleset_load_text(SLICE("r.cf"), text, &options, &errors);
	struct rule_note *notes;
	size_t count = ruleset_review(rules, arena, &notes);
	assert_int_equal(errors.count, 0);
	assert_int_equal(count, 5);
	assert_int_equal(count_of(notes, count, NOTE_NO_SCORE, "UNSCORED"), 1);
	assert_int_equal(count_of(notes, count, NOTE_UNDEFINED, "NOBODY"), 1);
	assert_int_equal(count_of(notes, count, NOTE_DEFINED_AGAIN, "TWICE"), 1);
	assert_int_equal(count_of(notes, count, NOTE_SAME, "COPY"), 1);
	assert_int_equal(count_of(notes, count, NOTE_DANGEROUS, "EVIL"), 1);
	ruleset_release(&rules);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nested_repeats), cmocka_unit_test(test_notes) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
