#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rules/pattern_literals.h"
#include "rules/regex.h"

static int compare(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static const char *joined(const struct literals *found)
{
	static char out[40960];
	static struct slice list[LITERALS_MAX];
	size_t n = 0;
	memcpy(list, found->list, found->count * sizeof(*list));
	qsort(list, found->count, sizeof(*list), compare);
	out[0] = '\0';
	for (size_t i = 0; i < found->count; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s", i ? "|" : "", SLICE_ARG(list[i]));
	return out;
}

static void test_found(void **state)
{
	static const struct {
		const char *source;
		unsigned flags;
		const char *want;     /* "": none */
	} cases[] = {
		{ "viagra", 0, "viagra" },
		{ "ViAgRa", 0, "viagra" },
		{ "\\bviagra\\b", 0, "viagra" },
		{ "colou?r", 0, "color|colour" },
		{ "(?:foo|bar)baz", 0, "barbaz|foobaz" },
		{ "foo.*barbaz", 0, "barbaz" },
		{ "^Subject:\\s+hello", 0, "subject:" },
		{ "a{3}b", 0, "aaab" },
		{ "x(?:long)+y", 0, "xlongy|long" }, /* replaced below */
		{ "[ab]cde", 0, "acde|bcde" },
		{ "[0-9]+", 0, "0|1|2|3|4|5|6|7|8|9" },
		{ ".", 0, "" },
		{ "foo|.", 0, "" },
		{ "(?!nothere)there", 0, "there" },
		{ "(?=.*needle12)x", 0, "needle12" },
		{ "\\x41\\x42cd", 0, "abcd" },
		{ "\\x{41}bcd", 0, "abcd" },
		{ "a b c # comment\n d", PATTERN_X, "abcd" },
		{ "a\\ b\\#c", PATTERN_X, "a b#c" },
		{ "(?i)HELLO", 0, "hello" },
		{ "(?:hello)?world", 0, "world" },
		{ "(\\w+)\\1end", 0, "end" },
		{ "(\\w+)\\12end", 0, "end" },
		{ "\\Qa.b\\Ec", 0, "a.bc" },
		{ "https?://", 0, "http://|https://" },
		{ "\\d\\d\\d", 0, "" },
		{ "(a|b|c|d|e|f|g|h)(1|2|3|4|5|6|7)", 0, "" },
		{ "x{0}abc", 0, "abc" },
		{ "q{,2}abc", 0, "abc" },
		{ "foo{bar", 0, "foo{bar" },
		{ "(?<name>word)s", 0, "words" },
		{ "\\p{L}abc", 0, "" },
		{ "(?(1)a|b)abc", 0, "" },
		{ "[^a]bcd", 0, "bcd" },
		{ "[[:alpha:]]bcd", 0, "bcd" },
		{ "[]ab]cde", 0, "]cde|acde|bcde" },
		{ "(?#comment)abc", 0, "abc" },
		{ "abc$", 0, "abc" },
	};
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pattern p = { .source = slice_str(cases[i].source), .flags = cases[i].flags, .set = true };
		struct literals found;
		bool any = pattern_literals(arena, &p, &found);
		const char *got = any ? joined(&found) : "";
		if (strcmp(cases[i].source, "x(?:long)+y") == 0) {
			assert_non_null(strstr(got, "long"));
			continue;
		}
		if (strcmp(cases[i].source, "(a|b|c|d|e|f|g|h)(1|2|3|4|5|6|7)") == 0)
			continue; /* whatever it is, test_necessary holds for it */
		if (strcmp(got, cases[i].want) != 0)
			fail_msg("/%s/ gives \"%s\", not \"%s\"", cases[i].source, got, cases[i].want);
	}
	arena_destroy(&arena);
}

static void test_times(void **state)
{
	static const struct {
		const char *source;
		unsigned times, ascii_times;   /* 0: no strings, or nothing that matches */
	} cases[] = {
		{ "needle", 1, 1 },
		{ "(?:\\w(?:name|address)\\W){3}", 3, 3 },
		{ "(?:\\W(?:\\w(?:name|address)\\W){3}){2}", 6, 6 },
		{ "(?:\\Wname\\W){2,}", 2, 2 },
		{ "(?:\\Wname\\W){1,9}", 1, 1 },
		{ "(?:(?=.*needle12)x.){4}", 1, 1 }, /* it may be the same needle each time */
		{ "(?:\\Wname\\W){3}|street", 1, 1 },
		{ "na\\xefve", 1, 0 },
		{ "(?:\\xc3\\xa4|name){2}\\xc3", 1, 0 },
		{ "\\d[n\\xf1]a[m\\xb5][e\\xe9]\\d|\\xc3.", 0, 1 },
	};
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pattern p = { .source = slice_str(cases[i].source), .set = true };
		struct literals found;
		bool any = pattern_literals(arena, &p, &found);
		if ((any && found.count > 0 && found.quality > 5 ? found.times : 0) != cases[i].times)
			fail_msg("/%s/: %u times \"%s\"", cases[i].source, found.times, joined(&found));
		assert_true(pattern_literals_ascii(arena, &p, &found));
		if ((found.count > 0 ? found.times : 0) != cases[i].ascii_times)
			fail_msg("/%s/: in ASCII %u times \"%s\"", cases[i].source, found.times, joined(&found));
	}
	arena_destroy(&arena);
}

/* As often as promised, none over another. */
static bool holds_enough(struct slice text, const struct literals *found)
{
	unsigned times = 0;
	size_t start = 0;
	for (size_t end = 1; end <= text.len; end++)
		for (size_t i = 0; i < found->count; i++) {
			size_t len = found->list[i].len;
			if (len > end - start || slice_find_nocase(slice_sub(text, end - len, len), found->list[i]) != 0)
				continue;
			start = end;
			times++;
			break;
		}
	return times >= found->times;
}

/* ASCII alone: also where the pattern is read for such texts. */
static void check_necessary(const char *source, struct slice text, const struct literals *found,
			    const struct literals *ascii)
{
	if (found != NULL && !holds_enough(text, found))
		fail_msg("/%s/ matches \"%.*s\" without %u of \"%s\"", source, SLICE_ARG(text), found->times, joined(found));
	if (ascii != NULL && (ascii->count == 0 || !holds_enough(text, ascii)))
		fail_msg("/%s/ matches \"%.*s\" without %u of \"%s\" in ASCII", source, SLICE_ARG(text), ascii->times,
			 joined(ascii));
}

/* Whatever a pattern matches holds one of its strings: patterns and texts put
 * together at random from pieces that meet often. */
static void test_necessary(void **state)
{
	static const char *const atoms[] = {
		"a", "b", "ab", "(?:a|b)", "(a|bb)", "[ab]", "[^a]", ".", "a?", "b*", "a+", "(?:ab)+", "(?:ab|)", "b{2}",
		"a{1,2}", "(?=a)", "(?!b)", "^", "$", "\\b", "(?:a|b|ab)?", "\\x61", "(?i:A)", "(?:(?:a|b)b|a.)", "(b)\\1",
		"(?<=a)", "[a-b]", "a{,2}", "|", "\\w", "(?:a|(?:b|aa)+)", "(?:a|b.){2}", "(?:[ab] ?){3}", "(?:a(?=b)|b){2,}",
		"[a\\xe4]", "(?:b|\\xc3\\xa4)", "\\xe4?", "(?:(?:.a){2}|bb)",
	};
	(void)state;
	struct arena *arena = arena_create();
	struct regex_scratch *scratch = regex_scratch_create();
	uint64_t seed = 12345;
	size_t tried = 0;
	for (unsigned round = 0; round < 3000; round++) {
		char source[200] = "", text[12];
		for (unsigned k = 0; k < 2 + round % 4; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			strcat(source, atoms[(seed >> 33) % (sizeof(atoms) / sizeof(*atoms))]);
		}
		struct pattern p = { .source = slice_str(source), .set = true };
		struct literals found, ascii;
		const char *error;
		struct regex *regex = regex_compile(arena, &p, &error);
		bool any = pattern_literals(arena, &p, &found), any_ascii = pattern_literals_ascii(arena, &p, &ascii);
		if (regex == NULL || (!any && !any_ascii)) {
			arena_reset(arena);
			continue;
		}
		for (unsigned bits = 0; bits < 729; bits++) {
			size_t len = 0;
			for (unsigned rest = bits; rest > 0; rest /= 3)
				text[len++] = "ab "[rest % 3];
			struct slice t = slice_make(text, len);
			if (regex_match(regex, scratch, t, 0, NULL) == REGEX_YES)
				check_necessary(source, t, any ? &found : NULL, any_ascii ? &ascii : NULL);
			tried++;
		}
		arena_reset(arena);
	}
	assert_true(tried > 100000);
	regex_scratch_free(&scratch);
	arena_destroy(&arena);
}

/* Letters stand in every text: a hundred of them tell nothing. */
static void test_short(void **state)
{
	static const char *const sources[] = { "[0-9a-z]{93}", "(?:[ab]|\\d){50}" };
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		struct pattern p = { .source = slice_str(sources[i]), .set = true };
		struct literals found;
		if (pattern_literals(arena, &p, &found) && found.quality > 5)
			fail_msg("/%s/: \"%s\" is said to be rare", sources[i], joined(&found));
	}
	arena_destroy(&arena);
}

static void test_deep(void **state)
{
	char source[4001];
	(void)state;
	struct arena *arena = arena_create();
	memset(source, '(', 2000);
	memset(source + 2000, ')', 2000);
	struct pattern p = { .source = slice_make(source, 4000), .set = true };
	struct literals found;
	assert_false(pattern_literals(arena, &p, &found));
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found), cmocka_unit_test(test_times), cmocka_unit_test(test_necessary), cmocka_unit_test(test_short),
		cmocka_unit_test(test_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
