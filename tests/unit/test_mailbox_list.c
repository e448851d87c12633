#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/mailbox_list.h"

/* An entry is printed as [group/]display<text> and, where it has one, !domain
 * if that isn't what stands behind the last "@" of text. */
static struct slice print(struct arena *arena, const struct mailbox_list *list)
{
	struct buf b = { 0 };
	for (size_t i = 0; i < list->count; i++) {
		const struct list_mailbox *m = &list->items[i];
		size_t at = slice_rchr(m->mailbox.text, '@');
		buf_printf(&b, "%s%.*s%s%.*s<", i ? ", " : "", SLICE_ARG(m->group), m->group.len ? "/" : "",
			   SLICE_ARG(m->display));
		buf_add_slice(&b, m->mailbox.text);
		buf_add_str(&b, ">");
		if (at != SLICE_NPOS && !slice_eq(slice_from(m->mailbox.text, at + 1), m->mailbox.domain))
			buf_printf(&b, "!%.*s", SLICE_ARG(m->mailbox.domain));
	}
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

#define P(name) MAILBOX_##name

static const struct {
	struct slice value;
	const char *want;
	unsigned problems;
} lists[] = {
	/* RFC 5322 A.1 and A.5 */
	{ SLICE(" john.doe@example.org"), "<john.doe@example.org>", 0 },
	{ SLICE("John Doe <john@example.org>"), "John Doe<john@example.org>", 0 },
	{ SLICE("\"Joe Q. Public\" <john.q.public@example.com>"), "Joe Q. Public<john.q.public@example.com>",
	  0 },
	{ SLICE("Joe Q. Public <j@example.com>"), "Joe Q. Public<j@example.com>", 0 },
	{ SLICE("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"),
	  "Mary Smith<mary@x.test>, <jdoe@example.org>, Who?<one@y.test>", 0 },
	{ SLICE("<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>"),
	  "<boss@nil.test>, Giant; \"Big\" Box<sysservices@example.net>", 0 },
	{ SLICE("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"),
	  "A Group/Ed Jones<c@a.test>, A Group/<joe@where.test>, A Group/John<jdoe@one.test>", 0 },
	{ SLICE("Undisclosed recipients:;"), "", 0 },
	{ SLICE("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"), "Pete<pete@silly.test>",
	  P(INNER_COMMENT) },
	{ SLICE("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"), "", 0 },
	{ SLICE("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example"),
	  "Mary Smith<mary@example.net>, <jdoe@test.example>", P(ROUTE) | P(SPACED) },
	{ SLICE("John Doe <jdoe@machine(comment).  example>"), "John Doe<jdoe@machine.example>",
	  P(INNER_COMMENT) | P(SPACED) },
	{ SLICE("a@example.org (John Doe)"), "John Doe<a@example.org>", 0 },
	{ SLICE("<a@example.org> (John Doe)"), "John Doe<a@example.org>", 0 },
	{ SLICE("\"quoted local\"@example.org"), "<quoted local@example.org>", 0 },
	{ SLICE("\"a b\".c@example.org"), "<a b.c@example.org>", 0 },
	/* what may stand around and within */
	{ SLICE("John\r\n Doe\r\n\t<john@example.org>"), "John Doe<john@example.org>", 0 },
	{ SLICE("\"John\r\n Doe\" <john@example.org>"), "John Doe<john@example.org>", 0 },
	{ SLICE("john@EXAMPLE.Org."), "<john@EXAMPLE.Org.>!example.org", 0 },
	{ SLICE("j@b\xc3\xbc"
		"cher.example"),
	  "<j@b\xc3\xbc"
	  "cher.example>!xn--bcher-kva.example",
	  0 },
	{ SLICE("j@under_score.example"), "<j@under_score.example>", 0 },
	{ SLICE("j@[192.0.2.1]"), "<j@[192.0.2.1]>", P(LITERAL) },
	{ SLICE("j@localhost"), "<j@localhost>", 0 },
	{ SLICE("=?utf-8?Q?J=C3=BCrgen?= <j@example.org>"), "J\xc3\xbcrgen<j@example.org>", 0 },
	{ SLICE("\"=?utf-8?Q?J=C3=BCrgen?=\" <j@example.org>"), "J\xc3\xbcrgen<j@example.org>", 0 },
	{ SLICE("j@example.org (=?utf-8?Q?J=C3=BCrgen?=)"), "J\xc3\xbcrgen<j@example.org>", 0 },
	{ SLICE("\"a@b.example\" <c@d.example>"), "a@b.example<c@d.example>", 0 },
	{ SLICE("\"<a@b.example>, x\" <c@d.example>"), "<a@b.example>, x<c@d.example>", 0 },
	{ SLICE("(a@b.example) c@d.example"), "a@b.example<c@d.example>", 0 },
	{ SLICE(""), "", 0 },
	{ SLICE(" , ,, "), "", 0 },
	{ SLICE("(only a comment)"), "", 0 },
	/* what should not be, and is */
	{ SLICE("<>"), "<>", P(NO_ADDRESS) },
	{ SLICE("John Doe"), "John Doe<>", P(NO_ADDRESS) },
	{ SLICE("John Doe <john>"), "John Doe<>", P(NO_ADDRESS) },
	{ SLICE("Doe, John <john@example.org>"), "Doe<>, John<john@example.org>", P(NO_ADDRESS) },
	{ SLICE("John Doe john@example.org"), "John Doe<john@example.org>", P(NO_ANGLES) },
	{ SLICE("a@b.example <c@d.example>"), "a@b.example<c@d.example>", P(UNQUOTED_AT) },
	{ SLICE("<a@b.example>c@d.example"), "<a@b.example>", P(TRAILING) },
	{ SLICE("<a@b.example> <c@d.example>"), "<a@b.example>", P(TRAILING) },
	{ SLICE("John <junior> <c@d.example>"), "John <junior><c@d.example>", P(STRAY) },
	{ SLICE("a@b.example c"), "<a@b.example>", P(TRAILING) },
	{ SLICE("<<a@b.example>>"), "<<a@b.example>", P(NESTED) | P(TRAILING) | P(STRAY) },
	{ SLICE("a <b@c.example<d@e.example>>"), "a <b@c.example<d@e.example>",
	  P(NESTED) | P(TRAILING) | P(STRAY) | P(UNQUOTED_AT) },
	{ SLICE("John <john@example.org"), "John<john@example.org>", P(UNCLOSED) },
	{ SLICE("john@example.org>"), "<john@example.org>", P(TRAILING) },
	{ SLICE("\"John <john@example.org>"), "\"John<john@example.org>", P(UNCLOSED) },
	{ SLICE("John (Doe <john@example.org>"), "John (Doe<john@example.org>", P(UNCLOSED) },
	{ SLICE("John) <john@example.org>"), "John)<john@example.org>", P(STRAY) },
	{ SLICE("Foo: bar <x@y.example>"), "Foo/bar<x@y.example>", P(UNCLOSED) },
	{ SLICE("a@b.example; c@d.example"), "<a@b.example>, <c@d.example>", P(STRAY) },
	{ SLICE("a@b@c.example"), "a@<b@c.example>", P(UNQUOTED_AT) | P(NO_ANGLES) },
	{ SLICE("@b.example"), "<@b.example>", P(STRAY) },
	{ SLICE("a@"), "<a@>", P(BAD_DOMAIN) },
	{ SLICE("a@-.example"), "<a@-.example>!", P(BAD_DOMAIN) },
	{ SLICE("a@b..example"), "<a@b..example>!", P(BAD_DOMAIN) },
	{ SLICE("a @ b.example"), "<a@b.example>", P(SPACED) },
	{ SLICE("\"a@b.example\"@c.example"), "<a@b.example@c.example>", P(LOCAL_AT) },
	{ SLICE("<@a.example,@b.example:c@d.example>"), "<c@d.example>", P(ROUTE) },
	{ SLICE("<a@b.example>\\,<c@d.example>"), "<a@b.example>, <c@d.example>", P(TRAILING) },
	{ SLICE("=?utf-8?B?YUBi?=@c.example"), "<=?utf-8?B?YUBi?=@c.example>", P(ENCODED_ADDRESS) },
	{ SLICE("=?utf-8?B?PGFAYi5leGFtcGxlPg==?=, <c@d.example>"), "<a@b.example><>, <c@d.example>",
	  P(NO_ADDRESS) | P(ENCODED_ADDRESS) },
	{ SLICE("<=?utf-8?B?YUBi?=>"), "<>", P(NO_ADDRESS) | P(ENCODED_ADDRESS) },
	{ SLICE("a\0b@c.example"), "<a", P(CONTROL) },
	{ SLICE("\"a\x01\" <b@c.example>"), "a\x01<b@c.example>", P(CONTROL) },
	{ SLICE("a@b.example\0"), "<a@b.example", P(CONTROL) | P(BAD_DOMAIN) },
	{ SLICE("\\"), "\\<>", P(NO_ADDRESS) | P(STRAY) },
	{ SLICE("[a"), "[a<>", P(NO_ADDRESS) | P(UNCLOSED) },
	{ SLICE("\"a\\"), "\"a\\<>", P(NO_ADDRESS) | P(UNCLOSED) | P(STRAY) },
};

static void test_lists(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct arena *arena = arena_create();
		struct mailbox_list list;
		mailbox_list_parse(arena, lists[i].value, &list);
		struct slice got = print(arena, &list);
		/* What stands behind a NUL is not compared. */
		if (strcmp(got.data, lists[i].want) != 0 || list.problems != lists[i].problems) {
			print_error("%.*s\n  got  %.*s (%x)\n  want %s (%x)\n", SLICE_ARG(lists[i].value),
				    SLICE_ARG(got), list.problems, lists[i].want, lists[i].problems);
			bad++;
		}
		if ((list.problems != 0) != (mailbox_problem_text(list.problems) != NULL))
			bad++;
		arena_destroy(&arena);
	}
	assert_int_equal(bad, 0);
}

static void collect(void *arg, struct slice local, struct slice domain)
{
	struct buf *b = arg;
	buf_printf(b, "%s%.*s@%.*s", b->len ? " " : "", SLICE_ARG(local), SLICE_ARG(domain));
}

static void test_careless(void **state)
{
	(void)state;
	static const struct {
		struct slice value;
		const char *domains;
	} cases[] = {
		{ SLICE("a@b.example"), "a@b.example a@b.example" },
		{ SLICE("\"x@y.example\" (z@Z.example) <a@b.example.>"),
		  "x@y.example z@z.example a@b.example x@y.example z@z.example a@b.example" },
		{ SLICE("=?utf-8?B?YUBi?=@c.example"), "=?utf-8?B?YUBi?=@c.example a@b b@c.example" },
		{ SLICE("a@b.example\0@c.example"), "a@b.example @c.example a@b.example @c.example" },
		{ SLICE("\"a b\"@c.example"), "@c.example @c.example" },
		{ SLICE("a@b@c.example"), "a@b b@c.example a@b b@c.example" },
		{ SLICE("no at"), "" },
		{ SLICE("@ @"), "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_create();
		struct buf b = { 0 };
		mailbox_list_careless(arena, cases[i].value, collect, &b);
		assert_string_equal(buf_cstr(&b), cases[i].domains);
		buf_free(&b);
		arena_destroy(&arena);
	}
}

/* Cut anywhere, a value is read to its end, without over-reading. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (size_t len = 0; len < lists[i].value.len; len++) {
			struct arena *arena = arena_create();
			struct mailbox_list list;
			char *copy = xmalloc(len);
			memcpy(copy, lists[i].value.data, len);
			mailbox_list_parse(arena, slice_make(copy, len), &list);
			free(copy);
			arena_destroy(&arena);
		}
}

/* Half a megabyte of the worst of each kind. */
static void test_time(void **state)
{
	(void)state;
	static const char *const pieces[] = {
		"(", "\"", "<", "[", "@", ",", ":", ";", "a@b,", "\\", "<@", "((\"",
		"=?utf-8?q?a?=", ".", "a ", "<a@b>", ")", "a@",
	};
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct arena *arena = arena_create();
		struct mailbox_list list;
		struct buf b = { 0 };
		while (b.len < 512 * 1024)
			buf_add_str(&b, pieces[i]);
		clock_t begin = clock();
		mailbox_list_parse(arena, buf_slice(&b), &list);
		struct buf found = { 0 };
		mailbox_list_careless(arena, buf_slice(&b), collect, &found);
		double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
		if (seconds > 5)
			fail_msg("\"%s\": %.1f s", pieces[i], seconds);
		assert_true(list.count <= MAILBOX_LIST_MAX);
		buf_free(&found);
		buf_free(&b);
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_careless),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
