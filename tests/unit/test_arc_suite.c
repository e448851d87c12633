/*
 * The validation tests of valimail's ARC suite. Of its YAML only what it uses
 * is read: scenarios between "---", tests as keys at two columns, block and
 * plain scalars below them, txt-records at the end of a scenario.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "filters/arc.h"
#include "filters/scan.h"
#include "message/canonical.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/shared.h"
#include "tests/lib/zone_driver.h"

#define SUITE "arc/valimail-arc_test_suite/tests/arc-draft-validation-tests.yml"
#define CASES_MAX 300
#define NOW 1500000000

struct arc_case {
	struct slice name, message, cv;
};

struct scenario {
	struct arc_case cases[CASES_MAX];
	size_t count;
	struct buf zone;
};

static size_t indent_of(struct slice line)
{
	size_t n = 0;
	while (n < line.len && line.data[n] == ' ')
		n++;
	return n;
}

static struct slice next_line(struct slice *rest)
{
	struct slice line = SLICE_EMPTY;
	slice_split(rest, '\n', &line);
	return line;
}

/* The lines that are indented by at least that much, or blank. Folded: joined
 * with spaces. */
static struct slice block(struct arena *arena, struct slice *rest, size_t indent, bool folded)
{
	struct buf out = { 0 };
	while (rest->data != NULL) {
		struct slice before = *rest, line = next_line(rest);
		if (slice_trim(line).len > 0 && indent_of(line) < indent) {
			*rest = before;
			break;
		}
		buf_add_slice(&out, slice_from(line, indent));
		buf_add_char(&out, folded ? ' ' : '\n');
	}
	struct slice s = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return folded ? slice_trim(s) : s;
}

/* "key: value" or "key: |" and a block below. */
static struct slice value_of(struct arena *arena, struct slice line, struct slice *rest)
{
	struct slice value = slice_trim(slice_from(line, slice_chr(line, ':') + 1));
	if (slice_eq(value, SLICE("|")))
		return block(arena, rest, indent_of(line) + 2, false);
	if (slice_eq(value, SLICE(">-")))
		return block(arena, rest, indent_of(line) + 2, true);
	return value;
}

static void add_record(struct scenario *s, struct slice line, struct slice value)
{
	buf_printf(&s->zone, "%.*s. TXT \"", SLICE_ARG(slice_trim(slice_head(line, slice_chr(line, ':')))));
	/* a folded scalar puts a space where the record has none */
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] != ' ')
			buf_add_char(&s->zone, value.data[i]);
	buf_add_str(&s->zone, "\"\n");
}

/* Reads up to the end of a scenario; false at the end of the file. */
static bool read_scenario(struct arena *arena, struct slice *rest, struct scenario *s)
{
	bool in_tests = false;
	*s = (struct scenario){ .count = 0 };
	if (rest->data == NULL)
		return false;
	while (rest->data != NULL) {
		struct slice line = next_line(rest);
		size_t indent = indent_of(line);
		if (slice_starts(line, SLICE("---")))
			break;
		if (slice_trim(line).len == 0 || slice_chr(line, ':') == SLICE_NPOS)
			continue;
		struct slice key = slice_head(slice_trim(line), slice_chr(slice_trim(line), ':'));
		if (indent == 0)
			in_tests = slice_eq(key, SLICE("tests"));
		if (indent == 0 && !slice_starts(line, SLICE("description")))
			continue;
		if (indent == 2 && in_tests) {
			assert_true(s->count < CASES_MAX);
			s->cases[s->count++].name = key;
			continue;
		}
		struct slice value = value_of(arena, line, rest);
		if (indent == 2)
			add_record(s, line, value);
		else if (slice_eq(key, SLICE("message")))
			s->cases[s->count - 1].message = value;
		else if (slice_eq(key, SLICE("cv")))
			s->cases[s->count - 1].cv = slice_trim(value);
	}
	return true;
}

static struct scan *run(struct arena *arena, struct slice message, size_t chunk, const struct zone *zone)
{
	static const struct arc_settings settings = { .common = { .enabled = true }, .min_key_bits = 1024 };
	struct filter_choice choice = { &arc_filter, &settings };
	struct scan *scan = one_filter_scan(arena, &choice, 1, NOW);
	one_filter_message(scan, message_canonical(arena, message).bytes, chunk, zone);
	return scan;
}

/* An empty cv= is of chains sealed as failed. */
static bool as_expected(const struct arc_case *c, enum auth_result result)
{
	if (slice_eq(c->cv, SLICE("Pass")))
		return result == AUTH_PASS;
	if (slice_eq(c->cv, SLICE("None")))
		return result == AUTH_NONE;
	return result == AUTH_FAIL;
}

static size_t run_scenario(const struct scenario *s, struct zone *zone)
{
	size_t right = 0;
	for (size_t i = 0; i < s->count; i++) {
		struct arena *arena = arena_create();
		struct scan *scan = run(arena, s->cases[i].message, i % 5, zone);
		bool ok = as_expected(&s->cases[i], scan->facts.arc.result);
		if (!ok)
			printf("# %.*s: %s (%.*s), expected %.*s\n", SLICE_ARG(s->cases[i].name),
			       auth_result_name(scan->facts.arc.result), SLICE_ARG(scan->facts.arc.reason),
			       SLICE_ARG(s->cases[i].cv));
		right += ok;
		arena_destroy(&arena);
	}
	return right;
}

static void test_suite(void **state)
{
	(void)state;
	static struct scenario s;
	struct arena *arena = arena_create();
	struct slice rest = shared_file(arena, SUITE);
	size_t right = 0, all = 0;
	bool there = rest.data != NULL;
	while (there && read_scenario(arena, &rest, &s)) {
		struct zone *zone = zone_of(buf_cstr(&s.zone));
		right += run_scenario(&s, zone);
		all += s.count;
		zone_destroy(&zone);
		buf_free(&s.zone);
	}
	arena_destroy(&arena);
	if (!there)
		skip();
	printf("# count ARC validation suite: %zu of %zu\n", right, all);
	assert_true(all >= 171);
	assert_int_equal(right, all);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_suite) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
