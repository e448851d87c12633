#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/canonical.h"
#include "message/message.h"

#define TEXT(lit) SLICE(lit)

static void check(struct slice got, const char *want, size_t len)
{
	if (got.len != len || memcmp(got.data ? got.data : "", want, len) != 0)
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}
#define CHECK(got, lit) check((got), (lit), sizeof(lit) - 1)

static void test_fields(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct message m = { 0 };
	message_parse(&m, arena, TEXT(
		"From: a@example.org\r\n"
		"Subject : two\r\n\tlines\r\n"
		"no colon here\r\n"
		"bad name: x\r\n"
		"X-Nul: a\0b\r\n"
		"from:b@example.org\r\n"
		"\r\nbody: not a field\r\n"), 100);
	assert_int_equal(m.header_count, 6);
	CHECK(m.headers[0].value, " a@example.org");
	CHECK(m.headers[1].name, "Subject");
	CHECK(m.headers[1].field, "Subject : two\r\n\tlines\r\n");
	CHECK(m.headers[1].value, " two\r\n\tlines");
	CHECK(header_unfold(arena, m.headers[1].value), "two\tlines");
	assert_true(m.headers[2].broken);
	assert_int_equal(m.headers[2].name.len, 0);
	assert_true(m.headers[3].broken);
	CHECK(m.headers[4].value, " a\0b");
	CHECK(m.body, "body: not a field\r\n");
	assert_int_equal(m.head.len + 2 + m.body.len, m.raw.len);
	assert_int_equal(message_header_count(&m, SLICE("FROM")), 2);
	CHECK(message_header(&m, SLICE("from"), 1)->value, "b@example.org");
	assert_null(message_header(&m, SLICE("from"), 2));
	assert_null(message_header(&m, SLICE_EMPTY, 0));
	assert_false(m.had_8bit_header);
	arena_destroy(&arena);
}

static void test_edges(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct message m = { 0 };
	message_parse(&m, arena, SLICE_EMPTY, 10);
	assert_int_equal(m.header_count, 0);
	message_parse(&m, arena, TEXT("\r\nonly body\r\n"), 10);
	assert_int_equal(m.header_count, 0);
	CHECK(m.body, "only body\r\n");
	message_parse(&m, arena, TEXT(" fold of nothing\r\nA: \xe9\r\n"), 10);
	assert_int_equal(m.header_count, 2);
	assert_true(m.headers[0].broken);
	assert_true(m.had_8bit_header);
	assert_int_equal(m.body.len, 0);
	CHECK(m.head, " fold of nothing\r\nA: \xe9\r\n");
	message_parse(&m, arena, TEXT("A: 1\r\n \r\n x\r\n\r\n\r\n"), 10);
	assert_int_equal(m.header_count, 1);
	CHECK(header_unfold(arena, m.headers[0].value), "1  x");
	CHECK(m.body, "\r\n");
	message_parse(&m, arena, TEXT("A: 1\nB: 2\n\nbody"), 10);
	assert_int_equal(m.header_count, 2);
	CHECK(m.headers[0].value, " 1");
	CHECK(m.body, "body");
	message_parse(&m, arena, TEXT("A: 1\r\nB: 2\r\nC: 3\r\n\r\nbody"), 2);
	assert_int_equal(m.header_count, 2);
	assert_true(m.head_cut);
	CHECK(m.body, "body");
	message_parse(&m, arena, TEXT("A: 1\r\nB:"), 2);
	assert_int_equal(m.headers[1].value.len, 0);
	CHECK(m.headers[1].name, "B");
	arena_destroy(&arena);
}

static void test_many_fields(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct message m = { 0 };
	struct buf b = { 0 };
	for (int i = 0; i < 100000; i++)
		buf_add_str(&b, "Received: from x\r\n");
	clock_t start = clock();
	message_parse(&m, arena, buf_slice(&b), 200000);
	assert_int_equal(m.header_count, 100000);
	assert_int_equal(message_header_count(&m, SLICE("received")), 100000);
	size_t n = 0;
	for (const struct header *h = message_header(&m, SLICE("Received"), 0); h; h = message_header_next(&m, h))
		n++;
	assert_int_equal(n, 100000);
	double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	printf("# 100,000 fields: %.1f ms\n", ms);
	assert_true(ms < 2000);
	buf_free(&b);
	arena_destroy(&arena);
}

struct canonical_case {
	const char *name;
	struct slice in, out;
	bool lf, cr, nul, same;
};

static const struct canonical_case canonical_cases[] = {
	{ "LF", TEXT("A: 1\n\nb\n"), TEXT("A: 1\r\n\r\nb\r\n"), .lf = false },
	{ "CRLF", TEXT("A: 1\r\n\r\nb\r\n"), TEXT("A: 1\r\n\r\nb\r\n"), .same = true },
	{ "mixed", TEXT("A: 1\r\n\nb\n"), TEXT("A: 1\r\n\r\nb\r\n"), .lf = true },
	{ "no end", TEXT("A: 1\r\n\r\nb"), TEXT("A: 1\r\n\r\nb\r\n"), .lf = false },
	{ "CR CR LF", TEXT("A: 1\r\r\n\r\r\nb\r\r\n"), TEXT("A: 1\r\n\r\nb\r\n"), .lf = false },
	{ "bare CR", TEXT("A: 1\r2\n\nb\rc\n"), TEXT("A: 1 2\r\n\r\nb\r\nc\r\n"), .cr = true },
	{ "CR at the end", TEXT("A: 1\n\nb\r"), TEXT("A: 1\r\n\r\nb\r\n\r\n"), .cr = true },
	{ "NUL", TEXT("A: 1\n\nb\0c\n"), TEXT("A: 1\r\n\r\nb\0c\r\n"), .nul = true },
	{ "no mbox", TEXT("From : x@y\nA: 1\n\nb\n"), TEXT("From : x@y\r\nA: 1\r\n\r\nb\r\n"), .lf = false },
	{ "mbox", TEXT("From x@y Thu Jan  1\nA: 1\n\nFrom b\n"), TEXT("A: 1\r\n\r\nFrom b\r\n"), .lf = false },
	{ "empty", TEXT(""), TEXT(""), .same = true },
};

static void test_canonical(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(canonical_cases) / sizeof(*canonical_cases); i++) {
		const struct canonical_case *t = &canonical_cases[i];
		struct arena *arena = arena_create();
		struct canonical c = message_canonical(arena, t->in);
		if (!slice_eq(c.bytes, t->out) || c.had_bare_lf != t->lf || c.had_bare_cr != t->cr ||
		    c.had_nul != t->nul || (c.bytes.data == t->in.data) != t->same)
			fail_msg("%s: \"%.*s\"", t->name, SLICE_ARG(c.bytes));
		arena_destroy(&arena);
	}
	struct arena *arena = arena_create();
	struct canonical c = message_canonical(arena, TEXT("From x@y Thu Jan  1\r\nA: 1\r\n"));
	CHECK(c.mbox_from, "From x@y Thu Jan  1");
	CHECK(c.bytes, "A: 1\r\n");
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_canonical),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
