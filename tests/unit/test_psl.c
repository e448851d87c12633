/* The tests that come with the list of public suffixes, on the list they
 * come with, and a few on libpsl's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/psl.h"
#include "message/address.h"
#include "tests/lib/shared.h"

#define FOLDER "psl/publicsuffix-list/"

/* 'x' or null from between the quotes; false: no further argument. */
static bool argument(struct slice *rest, struct slice *value_r)
{
	size_t quote = slice_chr(*rest, '\''), null = slice_find(*rest, SLICE("null"));
	*value_r = SLICE_EMPTY;
	if (null != SLICE_NPOS && (quote == SLICE_NPOS || null < quote)) {
		*rest = slice_from(*rest, null + 4);
		return true;
	}
	if (quote == SLICE_NPOS)
		return false;
	*rest = slice_from(*rest, quote + 1);
	size_t end = slice_chr(*rest, '\'');
	*value_r = slice_head(*rest, end);
	*rest = slice_from(*rest, end + 1);
	return true;
}

/* A name that is none (a dot in front) is as it is: the list must say no. */
static struct slice canonical(struct arena *arena, struct slice name)
{
	struct slice domain;
	if (name.len == 0 || address_domain(arena, name, ADDRESS_UTF8 | ADDRESS_LAX, &domain) != ADDRESS_OK)
		return name;
	return domain;
}

static bool line_passes(struct arena *arena, struct slice line)
{
	struct slice name, want, got = SLICE_EMPTY;
	if (!argument(&line, &name) || !argument(&line, &want))
		return false;
	bool found = psl_organisational(canonical(arena, name), &got);
	return found == (want.len > 0) && slice_eq(got, canonical(arena, want));
}

static void test_list(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	const char *top = getenv("GATEHOUSE_SHARED");
	struct slice path =
	    arena_printf(arena, "%s/data/" FOLDER "public_suffix_list.dat", top ? top : "../shared");
	struct slice text = shared_file(arena, FOLDER "tests/test_psl.txt"), line;
	if (text.data == NULL) {
		arena_destroy(&arena);
		skip();
	}
	assert_true(psl_load(path.data));
	unsigned passed = 0, total = 0;
	while (slice_split(&text, '\n', &line)) {
		if (!slice_starts(line, SLICE("checkPublicSuffix(")))
			continue;
		total++;
		if (line_passes(arena, line))
			passed++;
		else
			print_error("%.*s\n", SLICE_ARG(line));
	}
	printf("# count: public suffixes: %u of %u\n", passed, total);
	arena_destroy(&arena);
	assert_true(total > 50);
	assert_int_equal(passed, total);
}

static void test_own_list(void **state)
{
	(void)state;
	struct slice got;
	assert_false(psl_load("/no/such/file"));
	assert_true(psl_organisational(SLICE("a.b.example.co.uk"), &got));
	assert_true(slice_eq(got, SLICE("example.co.uk")));
	assert_false(psl_organisational(SLICE("co.uk"), &got));
	assert_true(slice_eq(psl_organisational_or_self(SLICE("co.uk")), SLICE("co.uk")));
	assert_false(psl_organisational(SLICE_EMPTY, &got));
	assert_false(psl_organisational(SLICE("exa\0mple.org"), &got));
	static char longest[300];
	memset(longest, 'a', sizeof(longest));
	assert_false(psl_organisational(slice_make(longest, sizeof(longest)), &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_own_list), cmocka_unit_test(test_list) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
