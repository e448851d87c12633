#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "rules/rule_engine.h"
#include "rules/rule_parse.h"

struct fixture {
	struct arena *arena;
	struct config_errors errors;
	struct rule_table *table;
	struct rule_engine *engine;
};

static void load(struct fixture *f, const char *text, const struct engine_options *options)
{
	static const struct rule_parse_options parse = { .net = false };
	f->arena = arena_create();
	f->errors = (struct config_errors){ .arena = f->arena };
	f->table = rule_table_create(f->arena, &f->errors);
	rule_parse_text(f->table, SLICE("test.cf"), slice_str(text), &parse);
	if (f->errors.count > 0)
		fail_msg("line %u: %.*s", f->errors.list[0].line, SLICE_ARG(f->errors.list[0].message));
	for (size_t i = 0; i < f->table->count; i++)
		f->table->list[i]->wanted = f->table->list[i]->type != RULE_NONE;
	f->engine = rule_engine_create(f->table, options);
}

static unsigned hits(const struct fixture *f, const struct engine_run *run, const char *name)
{
	const struct rule *rule = rule_table_find(f->table, slice_str(name));
	assert_non_null(rule);
	return run->hits[rule->index].count;
}

static const char rules_text[] =
	"body PLAIN /viagra/i\n"
	"body CASE /Viagra/\n"
	"body ALTERNATIVES /\\b(?:cheap|free) (?:pills|meds)\\b/i\n"
	"body START /^dear friend/i\n"
	"body END /regards$/\n"
	"body DIGITS /\\d{3}-\\d{4}/\n"
	"body SPACES /\\s{3}/\n"
	"body MANY /buy now/i\ntflags MANY multiple maxhits=3\n"
	"body COUNTED /a\\d/\ntflags COUNTED multiple\n"
	"body NOSUB /secret/\ntflags NOSUB nosubject\n"
	"body OBFUSCATED /v[i1!]agr[a4@]/i\n"
	"body LOOK /(?<!not )available(?! soon)/\n"
	"body BACK /(\\w)\\1\\1/\n"
	"body FORM /(?:\\b(?:name|age|sex|no)\\W{1,3}){3}/i\n"
	"body FORMS /(?:(?:name|age)\\W+\\w+\\s?){2}/i\ntflags FORMS multiple\n"
	"body LETTERS /p[a4\\xe4][y\\xfd] m[e3\\xe9]/i\n"
	"body HIGH /\\xe2\\x80\\x8b|\\xf0/\n"
	"body WHOLE /\\A\\W*\\z/\n"
	"body MULTI /one.two/s\n"
	"uri SHORT m,^https?://bit\\.ly/,i\n"
	"header SUBJ Subject =~ /hello/i\n"
	"header FROM From:addr =~ /\\@example\\.org$/\n"
	"header NEG Subject !~ /hello/i\n"
	"full FULL /^X-Spam: yes$/m\n";

static const char *const pieces[] = {
	"Cheap viagra\n", "Dear friend, buy now! BUY NOW; buy now, Buy Now\n", "VIAGRA and Viagra\n",
	"call 555-1234 or a1 a2 a3\n", "best regards\n", "regards, secret\n", "free meds here, available\n",
	"not available or available soon\n", "   \n", "v1agr4 and aaa\n", "", "one\ntwo\n", "dear friend\n",
	"x dear friend", "regards", "\n", "b1t 12-34", "available", "secret\n", "a9b8",
	"Name: Age, sex. and more", "name or age 5", "Name one age two; name three age four\n", "p\xe4y me", "P4y M3!",
	"zero\xe2\x80\x8bwidth, pay me", "nameage sex",
};
#define PIECES (sizeof(pieces) / sizeof(*pieces))

static void run_body(const struct fixture *f, struct engine_run *run, struct arena *arena, const size_t *order, size_t n)
{
	struct segment list[PIECES];
	for (size_t i = 0; i < n; i++)
		list[i] = (struct segment){ slice_str(pieces[order[i]]), 0 };
	engine_run_begin(f->engine, run, arena, true);
	engine_run_channel(f->engine, run, CHANNEL_BODY, list, n, SLICE_EMPTY);
}

/* Prefilters of both kinds change nothing but the time. */
static void test_same_with_and_without(void **state)
{
	struct fixture quick, plain, improved;
	(void)state;
	load(&quick, rules_text, &(struct engine_options){ 0 });
	load(&plain, rules_text, &(struct engine_options){ .plain = true });
	load(&improved, rules_text, &(struct engine_options){ 0 });
	rule_engine_improve(improved.engine, true);
	struct engine_stats stats;
	rule_engine_stats(quick.engine, &stats);
	if (stats.prefilter_off == NULL)
		assert_true(stats.with_strings >= 8 && stats.direct >= 5);
	uint64_t seed = 7;
	size_t found = 0;
	for (unsigned round = 0; round < 500; round++) {
		size_t order[PIECES], n = 1 + round % PIECES;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			order[i] = (seed >> 33) % PIECES;
		}
		struct arena *arena = arena_create();
		struct engine_run a, b, c;
		run_body(&quick, &a, arena, order, n);
		run_body(&plain, &b, arena, order, n);
		run_body(&improved, &c, arena, order, n);
		for (size_t i = 0; i < plain.table->count; i++) {
			if (a.hits[i].count != b.hits[i].count || c.hits[i].count != b.hits[i].count)
				fail_msg("%s: %u by strings, %u plain, %u by vectorscan", plain.table->list[i]->name.data,
					 a.hits[i].count, b.hits[i].count, c.hits[i].count);
			found += b.hits[i].count > 0;
		}
		engine_run_end(quick.engine, &a);
		engine_run_end(plain.engine, &b);
		engine_run_end(improved.engine, &c);
		arena_destroy(&arena);
	}
	assert_true(found > 1000);
	arena_destroy(&quick.arena);
	arena_destroy(&plain.arena);
	arena_destroy(&improved.arena);
}

static void test_hits(void **state)
{
	struct fixture f;
	(void)state;
	load(&f, rules_text, &(struct engine_options){ 0 });
	struct arena *arena = arena_create();
	struct engine_run run;
	const size_t order[] = { 18, 1, 2, 3, 4 }; /* the subject: "secret" */
	run_body(&f, &run, arena, order, 5);
	assert_int_equal(hits(&f, &run, "PLAIN"), 1);
	assert_int_equal(hits(&f, &run, "CASE"), 1);
	assert_int_equal(hits(&f, &run, "START"), 1);
	assert_int_equal(hits(&f, &run, "END"), 1);
	assert_int_equal(hits(&f, &run, "MANY"), 3);
	assert_int_equal(hits(&f, &run, "COUNTED"), 3);
	assert_int_equal(hits(&f, &run, "DIGITS"), 1);
	assert_int_equal(hits(&f, &run, "NOSUB"), 0);
	const struct rule *rule = rule_table_find(f.table, SLICE("DIGITS"));
	assert_true(slice_eq(run.hits[rule->index].evidence, SLICE("555-1234")));
	engine_run_end(f.engine, &run);
	arena_destroy(&arena);
	arena_destroy(&f.arena);
}

/* Text that already lies in one piece: same answer, no copy. */
static void test_joined(void **state)
{
	struct fixture f;
	(void)state;
	load(&f, rules_text, &(struct engine_options){ 0 });
	struct arena *arena = arena_create();
	struct engine_run run;
	struct slice all = SLICE("via\ngra viagra cheap pills");
	struct segment list[] = { { slice_head(all, 4), 0 }, { slice_sub(all, 4, 7), 0 }, { slice_from(all, 11), 0 } };
	engine_run_begin(f.engine, &run, arena, true);
	engine_run_channel(f.engine, &run, CHANNEL_BODY, list, 3, all);
	assert_int_equal(hits(&f, &run, "PLAIN"), 0); /* cut between the second and the third piece */
	assert_int_equal(hits(&f, &run, "ALTERNATIVES"), 1);
	engine_run_end(f.engine, &run);
	arena_destroy(&arena);
	arena_destroy(&f.arena);
}

static void test_headers(void **state)
{
	struct fixture f;
	(void)state;
	load(&f, rules_text, &(struct engine_options){ 0 });
	struct arena *arena = arena_create();
	struct engine_run run;
	size_t count;
	const struct header_selector *list = rule_engine_selectors(f.engine, CHANNEL_HEADER, &count);
	assert_int_equal(count, 2);
	struct segment segments[2];
	for (size_t i = 0; i < 2; i++)
		segments[i] = (struct segment){
			slice_eq(list[i].name, SLICE("Subject")) ? SLICE("Hello you@example.org\n") : SLICE("hello@example.com"),
			(uint32_t)i,
		};
	engine_run_begin(f.engine, &run, arena, true);
	engine_run_channel(f.engine, &run, CHANNEL_HEADER, segments, 2, SLICE_EMPTY);
	assert_int_equal(hits(&f, &run, "SUBJ"), 1);
	assert_int_equal(hits(&f, &run, "NEG"), 1); /* the caller negates */
	assert_int_equal(hits(&f, &run, "FROM"), 0);
	engine_run_end(f.engine, &run);
	arena_destroy(&arena);
	arena_destroy(&f.arena);
}

static void test_templates(void **state)
{
	struct fixture f;
	(void)state;
	load(&f, "header TO To:addr =~ /^(?<WHO>.*)$/\nuri NAMES m,\\#%{WHO}$,i\nuri OTHER m,\\#%{NOBODY},\n"
	     "uri MAYBE m,^http.*(?:%{WHO})?,\nuri BRANCH m;x/|%{WHO};\nuri TWICE m,(?:\\#|%{WHO})a,\nuri NOT_THERE m,%{WHO}/,\n",
	     &(struct engine_options){ 0 });
	struct arena *arena = arena_create();
	struct engine_run run;
	struct segment to = { SLICE("a.b@example.org"), 0 };
	struct segment uris[] = { { SLICE("http://x.example/#A.B@example.org"), 0 }, { SLICE("http://x/#aXb@example.org"), 0 } };
	engine_run_begin(f.engine, &run, arena, true);
	engine_run_channel(f.engine, &run, CHANNEL_HEADER, &to, 1, SLICE_EMPTY);
	engine_run_channel(f.engine, &run, CHANNEL_URI, uris, 2, SLICE_EMPTY);
	engine_run_templates(f.engine, &run, CHANNEL_URI, uris + 1, 1);
	assert_int_equal(hits(&f, &run, "NAMES"), 0);
	assert_int_equal(hits(&f, &run, "MAYBE"), 1);
	assert_int_equal(hits(&f, &run, "BRANCH"), 1);
	assert_int_equal(hits(&f, &run, "TWICE"), 1);
	assert_int_equal(hits(&f, &run, "NOT_THERE"), 0);
	engine_run_templates(f.engine, &run, CHANNEL_URI, uris, 1);
	assert_int_equal(hits(&f, &run, "NAMES"), 1);
	assert_int_equal(hits(&f, &run, "OTHER"), 0);
	engine_run_end(f.engine, &run);
	arena_destroy(&arena);
	arena_destroy(&f.arena);
}

/* A pattern that would run for ages is cut off and counted. */
static void test_budget(void **state)
{
	struct fixture f;
	(void)state;
	load(&f, "body SLOW /^(?:a+)+(?:a+)+(?:a+)+$/\nbody FINE /aab/\n", &(struct engine_options){ 0 });
	struct arena *arena = arena_create();
	struct engine_run run;
	char text[2001];
	memset(text, 'a', 2000);
	memcpy(text + 1998, "b!", 2);
	struct segment list[40];
	for (size_t i = 0; i < 40; i++)
		list[i] = (struct segment){ slice_make(text, 2000), 0 };
	engine_run_begin(f.engine, &run, arena, true);
	engine_run_channel(f.engine, &run, CHANNEL_BODY, list, 40, SLICE_EMPTY);
	const struct rule *slow = rule_table_find(f.table, SLICE("SLOW"));
	assert_int_equal(run.hits[slow->index].count, 0);
	assert_true(run.hits[slow->index].over_budget);
	assert_int_equal(rule_engine_slow_count(f.engine, slow), 1);
	assert_int_equal(hits(&f, &run, "FINE"), 1);
	engine_run_end(f.engine, &run);
	arena_destroy(&arena);
	arena_destroy(&f.arena);
}

static void test_bad_patterns(void **state)
{
	static const char *const bad[] = { "body X /(/\n", "body X /[a/\n", "body X /a{2,1}/\n", "body X /\\p{Nonsense}/\n" };
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct fixture f;
		load(&f, bad[i], &(struct engine_options){ 0 });
		const struct rule *rule = rule_table_find(f.table, SLICE("X"));
		assert_int_equal(rule->status, RULE_UNSUPPORTED);
		assert_non_null(rule->reason);
		arena_destroy(&f.arena);
	}
}

/* Perl's spellings that PCRE2 reads differently. */
static void test_perl(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool hit;
	} cases[] = {
		{ "/a{,2}b/", "aab", true },
		{ "/^a{,2}b/", "aaab", false },
		{ "/[{,2}]+x/", "{,x", true },
		{ "/foo$/", "foo\n", true },
		{ "/foo\\Z/", "foo\n", true },
		{ "/foo\\z/", "foo\n", false },
		{ "/a.b/", "a\nb", false },
		{ "/a.b/s", "a\nb", true },
		{ "/^b/", "a\nb", false },
		{ "/^b/m", "a\nb", true },
		{ "/a b # c\n/x", "ab", true },
		{ "/(?^i:A)/", "a", true },
		{ "/\\xe9/i", "\xc9", false },
		{ "/[\\x80-\\xff]/", "\xc3\xa9", true },
		{ "/\\w/", "\xc3", false },
		{ "/a++b/", "aab", true },
		{ "/user@example\\.org/", "user@example.org", true },
		{ "/(?<n>a)\\k<n>/", "aa", true },
		{ "/\\//", "/", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_create();
		struct pattern p;
		const char *error = NULL;
		assert_true(rule_parse_pattern(arena, slice_str(cases[i].pattern), &p, &error));
		struct regex *regex = regex_compile(arena, &p, &error);
		if (regex == NULL)
			fail_msg("%s: %s", cases[i].pattern, error);
		struct regex_scratch *scratch = regex_scratch_create();
		bool hit = regex_match(regex, scratch, slice_str(cases[i].text), 0, NULL) == REGEX_YES;
		if (hit != cases[i].hit)
			fail_msg("%s on \"%s\"", cases[i].pattern, cases[i].text);
		regex_scratch_free(&scratch);
		arena_destroy(&arena);
	}
}

static size_t by_vectorscan(const struct rule_engine *engine)
{
	struct engine_stats stats;
	rule_engine_stats(engine, &stats);
	return stats.by_vectorscan;
}

static void run_in(const char *dir, const char *script)
{
	char command[600];
	assert_in_range(snprintf(command, sizeof(command), "cd %s && %s", dir, script), 1, sizeof(command) - 1);
	assert_int_equal(system(command), 0);
}

/* What was compiled is kept, and used without compiling; what is damaged is
 * made again; what was of use longest ago goes where all would be too large. */
static void test_cache_serves(void **state)
{
	char dir[] = "/tmp/gatehouse-test-XXXXXX";
	struct fixture f;
	(void)state;
	assert_non_null(mkdtemp(dir));
	struct engine_options options = { .cache_dir = dir };
	/* Patterns that PCRE2 tries at every letter, at length. */
	char slow_text[4000] = "";
	for (size_t i = 0, n = 0; i < 40; i++)
		n += (size_t)snprintf(slow_text + n, sizeof(slow_text) - n, "body S%zu /[a-z ,]{4,60}%zu[^a-z]{2}%c/\n", i, i % 10,
				      'a' + (char)(i % 26));
	static const struct {
		const char *before;    /* done to the folder */
		bool compile;
		bool made;
		bool kept;             /* an image is to be had */
	} steps[] = {
		{ "true", false, false, false },
		{ "true", true, true, true },
		{ "true", false, false, true },
		{ "true", true, false, true },
		{ "for f in *.hs; do printf XXXX | dd of=$f bs=1 seek=60 conv=notrunc 2>/dev/null; done", false, false, false },
		{ "truncate -s 300M 0123456789abcdef.hs; touch -d 2001-01-01 0123456789abcdef.hs; "
		  "truncate -s 300M another.file; touch -d 2001-01-01 0123456789abcdef.hs.77", true, true, true },
		{ "test ! -e 0123456789abcdef.hs && test ! -e 0123456789abcdef.hs.77 && test -e another.file", false, false, true },
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		run_in(dir, steps[i].before);
		load(&f, slow_text, &options);
		bool made = rule_engine_improve(f.engine, steps[i].compile);
		if (made != steps[i].made || (by_vectorscan(f.engine) > 0) != steps[i].kept)
			fail_msg("step %zu: made %d, %zu by vectorscan", i, made, by_vectorscan(f.engine));
		arena_destroy(&f.arena);
	}
	char command[100];
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* The same image from the cache; one that was tampered with is not taken. */
static void test_cache(void **state)
{
	char dir[] = "/tmp/gatehouse-test-XXXXXX", command[200];
	(void)state;
	assert_non_null(mkdtemp(dir));
	struct engine_options options = { .cache_dir = dir };
	for (unsigned round = 0; round < 3; round++) {
		struct fixture f;
		load(&f, rules_text, &options);
		rule_engine_improve(f.engine, true);
		struct arena *arena = arena_create();
		struct engine_run run;
		const size_t order[] = { 0, 3 };
		run_body(&f, &run, arena, order, 2);
		assert_int_equal(hits(&f, &run, "PLAIN"), 1);
		assert_int_equal(hits(&f, &run, "DIGITS"), 1);
		engine_run_end(f.engine, &run);
		arena_destroy(&arena);
		arena_destroy(&f.arena);
		if (round == 1) {
			snprintf(command, sizeof(command), "for f in %s/*; do printf XXXX | dd of=$f bs=1 seek=200 conv=notrunc 2>/dev/null; done", dir);
			assert_int_equal(system(command), 0);
		}
	}
	snprintf(command, sizeof(command), "test $(ls %s | wc -l) -ge 2 && rm -r %s", dir, dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_with_and_without), cmocka_unit_test(test_hits), cmocka_unit_test(test_joined),
		cmocka_unit_test(test_headers), cmocka_unit_test(test_templates), cmocka_unit_test(test_budget),
		cmocka_unit_test(test_bad_patterns), cmocka_unit_test(test_perl), cmocka_unit_test(test_cache),
		cmocka_unit_test(test_cache_serves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
