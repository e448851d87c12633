#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rules/rule_parse.h"
#include "rules/rule_replace.h"
#include "rules/ruleset.h"

struct fixture {
	struct arena *arena;
	struct config_errors errors;
	struct rule_table *table;
};

static void parse(struct fixture *f, const char *text)
{
	static const struct rule_parse_options options = { .net = false };
	f->arena = arena_create();
	f->errors = (struct config_errors){ .arena = f->arena };
	f->table = rule_table_create(f->arena, &f->errors);
	rule_parse_text(f->table, SLICE("test.cf"), slice_str(text), &options);
}

static void no_errors(const struct fixture *f)
{
	if (f->errors.count > 0)
		fail_msg("line %u: %.*s", f->errors.list[0].line, SLICE_ARG(f->errors.list[0].message));
}

static struct rule *rule(const struct fixture *f, const char *name)
{
	struct rule *r = rule_table_find(f->table, slice_str(name));
	if (r == NULL)
		fail_msg("no rule %s", name);
	return r;
}

static void assert_slice(struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("\"%.*s\", not \"%s\"", SLICE_ARG(got), want);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *text, *source;
		unsigned flags;
	} cases[] = {
		{ "/abc/", "abc", 0 },
		{ "/abc/i", "abc", PATTERN_I },
		{ "/a\\/b/ism", "a\\/b", PATTERN_I | PATTERN_S | PATTERN_M },
		{ "m{a{2}b}x", "a{2}b", PATTERN_X },
		{ "m,a/b,", "a/b", 0 },
		{ "m'a b'", "a b", 0 },
		{ "m!a!i", "a", PATTERN_I },
		{ "m|a|", "a", 0 },
		{ "qr/abc/", "abc", 0 },
		{ "m<a>i", "a", PATTERN_I },
		{ "m(a(b)c)", "a(b)c", 0 },
		{ "m[a[b]c]", "a[b]c", 0 },
		{ "/x/xx", "x", PATTERN_X | PATTERN_XX },
		{ "m#a\\#b#", "a\\#b", 0 },
	};
	static const char *const bad[] = { "abc", "/abc", "abc/", "//", "/a/b/", "m\\a\\", "/abc/q", "", "mxabcx", "/", "m{", "m{a}y" };
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pattern p = { .set = false };
		const char *error = NULL;
		if (!rule_parse_pattern(arena, slice_str(cases[i].text), &p, &error))
			fail_msg("%s: %s", cases[i].text, error);
		assert_slice(p.source, cases[i].source);
		assert_int_equal(p.flags, cases[i].flags);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct pattern p = { .set = false };
		const char *error = NULL;
		if (rule_parse_pattern(arena, slice_str(bad[i]), &p, &error))
			fail_msg("\"%s\" was taken as \"%.*s\"", bad[i], SLICE_ARG(p.source));
		assert_non_null(error);
	}
	arena_destroy(&arena);
}

/* Only then need the rules look at a header section by itself. */
static void test_what_is_asked_early(void **state)
{
	static const struct {
		const char *text;
		bool net, early;
	} cases[] = {
		{ "body A /x/\nheader B eval:check_for_missing_to_header()\n", true, false },
		{ "body A /x/\nheader B eval:check_rbl('zen', 'zen.example.')\n", true, true },
		{ "header B eval:check_rbl('zen', 'zen.example.')\n", false, false },
		{ "urirhssub N multi.example. A 2\nbody N eval:check_uridnsbl('N')\n", true, false },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_create();
		struct config_errors errors = { .arena = arena };
		const struct ruleset_options options = { .net = cases[i].net };
		struct ruleset *set = ruleset_load_text(SLICE("r.cf"), slice_str(cases[i].text), &options, &errors);
		if (errors.count > 0 || ruleset_asks_early(set) != cases[i].early)
			fail_msg("%s", cases[i].text);
		ruleset_release(&set);
		arena_destroy(&arena);
	}
}

static void test_definitions(void **state)
{
	struct fixture f;
	(void)state;
	parse(&f,
	      "# a comment\n"
	      "header A Subject =~ /foo/i   # and another\n"
	      "header B From:addr !~ /x\\#y/ [if-unset: nobody@example.org]\r\n"
	      "header C exists:X-Foo\n"
	      "header D eval:check_rbl('zen', 'zen.example.', '^127\\.0')\n"
	      "header E ToCc=~/a=b/\n"
	      "body F /bar/\nbody G eval:f()\nrawbody H /x/\nfull I m{y}s\nuri J m,^http://,\n"
	      "  mimeheader K Content-Type:raw =~ /z/\n"
	      "meta L (A || B) && !C > 1\n"
	      "uri_detail M text =~ /a b/i  raw !~ m{c}\n"
	      "score A 1.5\nscore F 0 1 2 -3.5\nscore A (0.5)\n"
	      "describe A What it is\n"
	      "tflags F net nice multiple maxhits=5\n"
	      "priority A -100\n"
	      "test A ok foo bar\ntest A fail baz\n"
	      "urirhssub N multi.example. A 2\nbody N eval:check_uridnsbl('N')\n"
	      "askdns O _DKIMDOMAIN_.example TXT /^v/\n"
	      "welcomelist_from *@example.org\nwhitelist_from *@example.net\n"
	      "report_safe 1\nbayes_ignore_header X-A\nadd_header all X\n");
	no_errors(&f);
	assert_int_equal(rule(&f, "A")->type, RULE_HEADER);
	assert_slice(rule(&f, "A")->header.name, "Subject");
	assert_slice(rule(&f, "A")->pattern.source, "foo");
	assert_true(rule(&f, "A")->scores[0] == 2.0);
	assert_string_equal(rule(&f, "A")->describe, "What it is");
	assert_int_equal(rule(&f, "A")->priority, -100);
	assert_int_equal(rule(&f, "A")->line, 2);
	assert_int_equal(rule(&f, "A")->test_count, 2);
	assert_slice(rule(&f, "A")->tests[0].text, "foo bar");
	assert_false(rule(&f, "A")->tests[1].ok);
	assert_true(rule(&f, "B")->negated);
	assert_int_equal(rule(&f, "B")->header.parts, HEADER_ADDR);
	assert_slice(rule(&f, "B")->unset, "nobody@example.org");
	assert_slice(rule(&f, "B")->pattern.source, "x#y");
	assert_true(rule(&f, "C")->exists);
	assert_slice(rule(&f, "C")->header.name, "X-Foo");
	assert_int_equal(rule(&f, "D")->type, RULE_HEADER_EVAL);
	assert_int_equal(rule(&f, "D")->arg_count, 3);
	assert_slice(rule(&f, "D")->args[2], "^127\\.0");
	assert_slice(rule(&f, "E")->header.name, "ToCc");
	assert_slice(rule(&f, "E")->pattern.source, "a=b");
	assert_int_equal(rule(&f, "G")->type, RULE_BODY_EVAL);
	assert_int_equal(rule(&f, "I")->pattern.flags, PATTERN_S);
	assert_int_equal(rule(&f, "K")->header.parts, HEADER_RAW);
	assert_int_equal(rule(&f, "L")->type, RULE_META);
	assert_int_equal(rule(&f, "M")->condition_count, 2);
	assert_true(rule(&f, "M")->conditions[1].negated);
	assert_slice(rule(&f, "M")->conditions[0].pattern.source, "a b");
	assert_true(rule(&f, "F")->scores[3] == -3.5);
	assert_int_equal(rule(&f, "F")->tflags, TFLAG_NET | TFLAG_NICE | TFLAG_MULTIPLE);
	assert_int_equal(rule(&f, "F")->maxhits, 5);
	assert_int_equal(rule(&f, "N")->type, RULE_BODY_EVAL);
	assert_slice(rule(&f, "N")->uribl.zone, "multi.example");
	assert_slice(rule(&f, "N")->uribl.subtest, "2");
	assert_slice(rule(&f, "O")->askdns.pattern.source, "^v");
	assert_int_equal(rule_table_get(f.table, "welcomelist_from")->count, 2);
	assert_int_equal(f.table->ignored, 3);
	arena_destroy(&f.arena);
}

/* Each wrong line is told with its number, and the lines after it still count. */
static void test_errors(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} cases[] = {
		{ "header", "value" },
		{ "body X", "definition" },
		{ "body 9X /a/", "name" },
		{ "body X /a", "delimiter" },
		{ "header X Subject /a/", "expected" },
		{ "header X Subject:foo =~ /a/", "modifier" },
		{ "header X exists:", "name" },
		{ "meta X A &&", "operand" },
		{ "meta X A & B", "operator" },
		{ "score X one", "numbers" },
		{ "score X 1 2", "numbers" },
		{ "priority X high", "number" },
		{ "test X maybe foo", "ok or fail" },
		{ "frobnicate X", "unknown directive" },
		{ "endif", "without if" },
		{ "else", "without if" },
		{ "body X eval:f('a", "eval" },
		{ "body X eval:f('a' 'b')", "commas" },
		{ "action X explode", "reject" },
		{ "uri_detail X raw =~ /a", "delimiter" },
		{ "urirhssub X zone", "expected" },
		{ "require_version 99", "99" },
		{ "include /nonexistent/file.cf", "" },
		{ "if (version >", "condition" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[400];
		struct fixture f;
		snprintf(text, sizeof(text), "body FIRST /x/\n\n%s\nbody LAST /y/\n%s", cases[i].line,
			 strncmp(cases[i].line, "if", 2) == 0 ? "endif\n" : "");
		parse(&f, text);
		if (f.errors.count != 1)
			fail_msg("%s: %zu errors", cases[i].line, f.errors.count);
		bool included = strncmp(cases[i].line, "include", 7) == 0;
		if (!included)
			assert_int_equal(f.errors.list[0].line, 3);
		if (slice_find(f.errors.list[0].message, slice_str(cases[i].message)) == SLICE_NPOS)
			fail_msg("%s: %.*s", cases[i].line, SLICE_ARG(f.errors.list[0].message));
		bool skips = cases[i].line[0] == 'i' && cases[i].line[1] == 'f';
		bool ends = strncmp(cases[i].line, "require", 7) == 0;
		assert_true((rule_table_find(f.table, SLICE("LAST")) != NULL) == !(skips || ends));
		arena_destroy(&f.arena);
	}
}

static void test_conditionals(void **state)
{
	struct fixture f;
	(void)state;
	parse(&f,
	      "ifplugin Mail::SpamAssassin::Plugin::MIMEHeader\nbody A /a/\nelse\nbody B /b/\nendif\n"
	      "ifplugin Mail::SpamAssassin::Plugin::Razor2\nfull C eval:check_razor2()\n"
	      "if (version >= 3)\nbody D /d/\nelse\nbody E /e/\nendif\nendif\n"
	      "if (version >= 5)\nbody F /f/\nif (1)\nbody G /g/\nelse\nbody H /h/\nendif\nelse\nbody I /i/\nendif\n"
	      "if can(Gatehouse::skeleton)\nskeleton J /j/\nshadow J A\naction A reject \"No thanks\"\nendif\n"
	      "ifplugin Mail::SpamAssassin::Plugin::Razor2\nbody A /other/\nendif\n"
	      "lang de describe A Deutsch\nlang en describe A English\n");
	no_errors(&f);
	assert_slice(rule(&f, "A")->pattern.source, "a");
	assert_null(rule_table_find(f.table, SLICE("B")));
	/* Told of, since the plugin is missing here. */
	assert_true(rule(&f, "C")->skipped);
	assert_int_equal(rule(&f, "C")->status, RULE_UNSUPPORTED);
	assert_non_null(strstr(rule(&f, "C")->reason, "Razor2"));
	assert_true(rule(&f, "D")->skipped);
	assert_null(rule_table_find(f.table, SLICE("E")));
	assert_null(rule_table_find(f.table, SLICE("F")));
	assert_null(rule_table_find(f.table, SLICE("G")));
	assert_null(rule_table_find(f.table, SLICE("H")));
	assert_non_null(rule_table_find(f.table, SLICE("I")));
	assert_int_equal(rule(&f, "J")->type, RULE_SKELETON);
	assert_true(rule(&f, "J")->shadow && rule(&f, "A")->shadow);
	assert_int_equal(rule(&f, "A")->action, ACTION_REJECT);
	assert_slice(rule(&f, "A")->refusal.text, "No thanks");
	assert_string_equal(rule(&f, "A")->describe, "English");
	arena_destroy(&f.arena);
	parse(&f, "if (1)\nbody A /a/\n");
	assert_int_equal(f.errors.count, 1);
	assert_int_equal(f.errors.list[0].line, 1);
	arena_destroy(&f.arena);
}

static void test_replace(void **state)
{
	struct fixture f;
	(void)state;
	parse(&f,
	      "replace_tag A [a@]\nreplace_tag B <A>b\nreplace_inter W \\W?\nreplace_pre P (?:^|x)\nreplace_post Q +\n"
	      "replace_rules R1 R2 R3 R4 R5 NONE\n"
	      "body R1 /x<A>y/\nbody R2 /<inter W><A><A>/i\nbody R3 /<B><UNKNOWN>(?<!z)/\n"
	      "body R4 /<post Q><pre P>c<A>d/\nbody R5 /plain/\nbody R6 /<A>/\n");
	no_errors(&f);
	rule_replace_tags(f.table);
	assert_slice(rule(&f, "R1")->pattern.source, "x[a@]y");
	assert_slice(rule(&f, "R2")->pattern.source, "[a@]\\W?[a@]");
	assert_slice(rule(&f, "R3")->pattern.source, "[a@]b<UNKNOWN>(?<!z)");
	assert_slice(rule(&f, "R4")->pattern.source, "c(?:^|x)[a@]+d");
	assert_slice(rule(&f, "R5")->pattern.source, "plain");
	assert_slice(rule(&f, "R6")->pattern.source, "<A>");
	arena_destroy(&f.arena);
}

/* A file of nothing but opening conditionals, long lines, NULs. */
static void test_bounds(void **state)
{
	struct fixture f;
	(void)state;
	char *text = malloc(400000);
	assert_non_null(text);
	for (size_t i = 0; i < 30000; i++)
		memcpy(text + i * 7, "if (1)\n", 7);
	text[210000] = '\0';
	parse(&f, text);
	assert_true(f.errors.count >= 1);
	arena_destroy(&f.arena);
	memset(text, 'a', 399999);
	text[399999] = '\0';
	parse(&f, text);
	assert_int_equal(f.errors.count, 1);
	arena_destroy(&f.arena);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns), cmocka_unit_test(test_what_is_asked_early),
		cmocka_unit_test(test_definitions), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_conditionals), cmocka_unit_test(test_replace), cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
