#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/nearest.h"
#include "base/slice.h"

static void check(struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static void test_parts(void **state)
{
	(void)state;
	struct slice s = SLICE("abcdef");
	check(slice_from(s, 2), "cdef");
	check(slice_from(s, 6), "");
	check(slice_from(s, 99), "");
	check(slice_sub(s, 1, 3), "bcd");
	check(slice_sub(s, 4, SIZE_MAX), "ef");
	check(slice_head(s, 0), "");
	check(slice_head(s, 7), "abcdef");
	check(slice_from(SLICE_EMPTY, 1), "");
	check(slice_str(NULL), "");
}

static void test_compare(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE_EMPTY, SLICE("")));
	assert_false(slice_eq(SLICE("a"), SLICE("A")));
	assert_true(slice_eq_nocase(SLICE("aZ[\xc0"), SLICE("Az[\xc0")));
	assert_false(slice_eq_nocase(SLICE("@"), SLICE("`")));
	assert_false(slice_eq_nocase(SLICE("\xc0"), SLICE("\xe0")));
	assert_true(slice_cmp(SLICE("a"), SLICE("b")) < 0);
	assert_true(slice_cmp(SLICE("ab"), SLICE("a")) > 0);
	assert_true(slice_cmp(SLICE("\x80"), SLICE("a")) > 0);
	assert_int_equal(slice_cmp(SLICE(""), SLICE_EMPTY), 0);
	assert_int_equal(slice_cmp_nocase(SLICE("ABc"), SLICE("abC")), 0);
	assert_true(slice_cmp_nocase(SLICE("\x80"), SLICE("a")) > 0);
	assert_true(slice_cmp_nocase(SLICE("a"), SLICE("AB")) < 0);
	assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
	assert_false(slice_starts(SLICE("a"), SLICE("ab")));
	assert_true(slice_starts_nocase(SLICE("ABc"), SLICE("ab")));
	assert_true(slice_ends(SLICE("abc"), SLICE("bc")));
	assert_true(slice_ends(SLICE("abc"), SLICE("")));
	assert_false(slice_ends(SLICE("c"), SLICE("bc")));
	assert_true(slice_ends_nocase(SLICE("aBC"), SLICE("bc")));
}

static void test_find(void **state)
{
	(void)state;
	struct slice s = SLICE("a\0bAB\0b");
	assert_int_equal(slice_find(s, SLICE("\0b")), 1);
	assert_int_equal(slice_find(s, SLICE("AB")), 3);
	assert_int_equal(slice_find(s, SLICE("")), 0);
	assert_int_equal(slice_find(s, SLICE("abc")), SLICE_NPOS);
	assert_int_equal(slice_find(SLICE_EMPTY, SLICE("a")), SLICE_NPOS);
	assert_int_equal(slice_find_nocase(SLICE("xxABx"), SLICE("ab")), 2);
	assert_int_equal(slice_find_nocase(SLICE("a"), SLICE("ab")), SLICE_NPOS);
	assert_int_equal(slice_chr(s, 'b'), 2);
	assert_int_equal(slice_rchr(s, 'b'), 6);
	assert_int_equal(slice_chr(s, 'z'), SLICE_NPOS);
	assert_int_equal(slice_chr(SLICE_EMPTY, 'z'), SLICE_NPOS);
}

static void test_trim(void **state)
{
	(void)state;
	check(slice_trim(SLICE(" \t\r\n\v\f a b \n")), "a b");
	check(slice_trim_left(SLICE("  a ")), "a ");
	check(slice_trim_right(SLICE("  a ")), "  a");
	check(slice_trim(SLICE(" \n ")), "");
	assert_int_equal(slice_trim(SLICE(" \0 ")).len, 1);
}

static void test_split(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *pieces[4];
	} cases[] = {
		{ "a,,b", { "a", "", "b" } },
		{ "", { "" } },
		{ ",", { "", "" } },
		{ "a", { "a" } },
		{ "a,", { "a", "" } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slice piece, rest = slice_str(cases[i].text);
		size_t n = 0;
		while (slice_split(&rest, ',', &piece)) {
			assert_non_null(cases[i].pieces[n]);
			check(piece, cases[i].pieces[n++]);
		}
		assert_null(cases[i].pieces[n]);
		assert_null(rest.data);
	}
}

static void test_u64(void **state)
{
	(void)state;
	uint64_t v = 7;
	assert_true(slice_u64(SLICE("0"), 0, &v));
	assert_int_equal(v, 0);
	assert_true(slice_u64(SLICE("00042"), 42, &v));
	assert_int_equal(v, 42);
	assert_true(slice_u64(SLICE("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_false(slice_u64(SLICE("18446744073709551616"), UINT64_MAX, &v));
	assert_false(slice_u64(SLICE("43"), 42, &v));
	assert_false(slice_u64(SLICE("9"), 5, &v));
	assert_false(slice_u64(SLICE(""), 42, &v));
	assert_false(slice_u64(SLICE("+1"), 42, &v));
	assert_false(slice_u64(SLICE("-1"), 42, &v));
	assert_false(slice_u64(SLICE(" 1"), 42, &v));
	assert_false(slice_u64(SLICE("1\0"), 42, &v));
	assert_int_equal(v, 7);
}

static void test_hash(void **state)
{
	(void)state;
	/* FNV-1a test vectors of draft-eastlake-fnv. */
	assert_true(slice_hash(SLICE("")) == UINT64_C(0xcbf29ce484222325));
	assert_true(slice_hash(SLICE("a")) == UINT64_C(0xaf63dc4c8601ec8c));
	assert_true(slice_hash(SLICE("foobar")) == UINT64_C(0x85944171f73967e8));
	assert_true(slice_hash_nocase(SLICE("FooBar")) == slice_hash(SLICE("foobar")));
}

static void test_classes(void **state)
{
	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		assert_int_equal(ascii_is_digit(c), i >= '0' && i <= '9');
		assert_int_equal(ascii_is_alpha(c), (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z'));
		assert_int_equal(ascii_is_space(c), i == ' ' || (i >= 9 && i <= 13));
		if (i >= 128)
			assert_true(ascii_lower(c) == c && ascii_upper(c) == c && ascii_hex(c) == -1);
	}
	assert_int_equal(ascii_hex('f'), 15);
	assert_int_equal(ascii_hex('A'), 10);
	assert_int_equal(ascii_hex('g'), -1);
}

static void test_nearest(void **state)
{
	(void)state;
	static const char *const names[] = { "address", "certificate", "tls", "role", "backends" };
	static const struct {
		const char *wanted, *best;
	} cases[] = {
		{ "adress", "address" }, { "addresss", "address" }, { "certificat", "certificate" },
		{ "tsl", "tls" }, { "TLS", "tls" }, { "rolle", "role" }, { "backend", "backends" },
		{ "x", "" }, { "zebra", "" }, { "", "" }, { "certifikation", "certificate" },
	};
	assert_int_equal(edit_distance(SLICE("kitten"), SLICE("sitting")), 3);
	assert_int_equal(edit_distance(SLICE("ab"), SLICE("ba")), 1);
	assert_int_equal(edit_distance(SLICE(""), SLICE("abc")), 3);
	assert_int_equal(edit_distance(SLICE("abc"), SLICE("")), 3);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nearest n = nearest_begin(slice_str(cases[i].wanted));
		for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
			nearest_try(&n, slice_str(names[k]));
		check(n.best, cases[i].best);
	}
	char longest[300];
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(edit_distance(slice_make(longest, 300), slice_make(longest, 200)), 0);
}

static void test_glob(void **state)
{
	(void)state;
	static const struct { const char *pattern, *text; bool fits; } cases[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "**", "abc", true }, { "?", "", false },
		{ "?", "a", true }, { "a?c", "abc", true }, { "a?c", "ac", false }, { "*b", "aab", true },
		{ "a*b*c", "aXbYbZc", true }, { "a*b*c", "acb", false }, { "ABC", "abc", true }, { "a*", "ba", false },
		{ "*a?", "aab", true }, { "a", "ab", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (slice_glob(slice_str(cases[i].pattern), slice_str(cases[i].text)) != cases[i].fits)
			fail_msg("%s against %s", cases[i].pattern, cases[i].text);
}

static void test_glob_is_not_exponential(void **state)
{
	(void)state;
	static char text[2000], pattern[200];
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[sizeof(pattern) - 1] = 'b';
	clock_t begin = clock();
	assert_false(slice_glob(slice_make(pattern, sizeof(pattern)), slice_make(text, sizeof(text))));
	assert_true(clock() - begin < CLOCKS_PER_SEC / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts), cmocka_unit_test(test_compare), cmocka_unit_test(test_find),
		cmocka_unit_test(test_trim), cmocka_unit_test(test_split), cmocka_unit_test(test_u64),
		cmocka_unit_test(test_hash), cmocka_unit_test(test_classes), cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_glob), cmocka_unit_test(test_glob_is_not_exponential),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
