#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

static void check(struct buf *b, const char *want)
{
	if (!slice_eq(buf_slice(b), slice_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(buf_slice(b)), want);
	buf_free(b);
}

static void test_number(void **state)
{
	(void)state;
	static const struct {
		int64_t value;
		const char *text;
	} cases[] = {
		{ 0, "0" }, { 7, "7" }, { -1, "-1" }, { 1234567890, "1234567890" },
		{ INT64_MAX, "9223372036854775807" }, { INT64_MIN, "-9223372036854775808" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b = { 0 };
		buf_add_number(&b, cases[i].value);
		check(&b, cases[i].text);
	}
}

static void test_decimal(void **state)
{
	(void)state;
	static const struct {
		double value;
		unsigned places;
		const char *text;
	} cases[] = {
		{ 0, 0, "0" }, { 0, 3, "0.000" }, { 5, 1, "5.0" }, { -1, 1, "-1.0" }, { 2.25, 1, "2.2" }, { 2.75, 1, "2.8" },
		{ 0.999, 2, "1.00" }, { 12.034, 3, "12.034" }, { -0.0004, 3, "0.000" }, { -3.5, 2, "-3.50" }, { 9.96, 1, "10.0" },
		{ 1.5, 5, "1.50000" }, { 4e12, 1, "4000000000000.0" }, { 123456789.125, 3, "123456789.125" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b = { 0 };
		buf_add_decimal(&b, cases[i].value, cases[i].places);
		check(&b, cases[i].text);
	}
}

/* Each length around each bound of what is taken at first. */
static void test_printf(void **state)
{
	(void)state;
	char text[600], want[700];
	for (size_t before = 0; before < 70; before += 23) {
		for (size_t len = 0; len < sizeof(text); len++) {
			struct buf b = { 0 };
			struct arena *arena = arena_create();
			memset(text, 'x', len);
			text[len] = '\0';
			memset(buf_reserve(&b, before), 'b', before);
			b.len = before;
			buf_printf(&b, "%s!%d", text, 42);
			snprintf(want, sizeof(want), "%.*s%s!42", (int)before, before ? b.data : "", text);
			check(&b, want);
			struct slice printed = arena_printf(arena, "%s!%d", text, 42);
			assert_true(slice_eq(printed, slice_str(want + before)));
			assert_int_equal(printed.data[printed.len], '\0');
			arena_destroy(&arena);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number), cmocka_unit_test(test_decimal), cmocka_unit_test(test_printf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
