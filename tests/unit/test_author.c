#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "filters/author.h"

/* Header sections and the author domain they have; "" where there is none. */
static const struct {
	struct slice head;
	const char *domain, *reason; /* reason: what it holds; NULL: there is none */
} cases[] = {
	{ SLICE("From: a@example.org\r\n"), "example.org", NULL },
	{ SLICE("from: \"Jo\" <a@EXAMPLE.org>\r\n"), "example.org", NULL },
	{ SLICE("From: a@b\xc3\xbc"
		"cher.example\r\n"),
	  "xn--bcher-kva.example", NULL },
	{ SLICE("From: a@xn--bcher-kva.example\r\n"), "xn--bcher-kva.example", NULL },
	{ SLICE("From: a@x.y\r\n"), "x.y", NULL },
	{ SLICE("From: a@localhost\r\n"), "localhost", NULL },
	{ SLICE("From: team: a@example.org, b@example.org;\r\n"), "example.org", NULL },
	{ SLICE("From: a@example.org, B <b@example.org>\r\n"), "example.org", NULL },
	{ SLICE("From: \"x@other.example\" <a@example.org>\r\n"), "example.org", NULL },
	{ SLICE("From: a@example.org (x@other.example)\r\n"), "example.org", NULL },
	{ SLICE("From: x@example.org <a@example.org>\r\n"), "example.org", "without quotes" },
	{ SLICE("From : a@example.org\r\n"), "example.org", NULL },
	{ SLICE("From: Doe, John <a@example.org>\r\n"), "example.org", "no address" },
	{ SLICE("From: John a@example.org\r\n"), "example.org", "angle brackets" },
	{ SLICE("To: a@example.org\r\n"), "", "no From field" },
	{ SLICE("X-From: a@example.org\r\nFrom-X: a@example.org\r\n"), "", "no From field" },
	{ SLICE("From: a@example.org\r\nFrom: a@example.org\r\n"), "", "several From fields" },
	{ SLICE("From: a@example.org\r\nFROM : b@other.example\r\n"), "", "several From fields" },
	{ SLICE(" From: a@example.org\r\nFrom: b@other.example\r\n"), "", "several From fields" },
	{ SLICE("From: a@example.org\r\nFrom\x01: b@other.example\r\n"), "", "several From fields" },
	{ SLICE("From: a@example.org\r\n\xe2\x80\x8b"
		"From: b@other.example\r\n"),
	  "", "several From fields" },
	{ SLICE("From\r\n : a@example.org\r\nSender: b@other.example\r\n"), "", "not every mail reader" },
	{ SLICE(" From: a@example.org\r\n"), "", "not every mail reader" },
	{ SLICE("From: a@example.org, b@other.example\r\n"), "", "several domains" },
	{ SLICE("From: a@example.org, b@sub.example.org\r\n"), "", "several domains" },
	{ SLICE("From:\r\n"), "", "no mailbox" },
	{ SLICE("From: nobody:;\r\n"), "", "no mailbox" },
	{ SLICE("From: <>\r\n"), "", "no address" },
	{ SLICE("From: John Doe\r\n"), "", "no address" },
	{ SLICE("From: a@[192.0.2.1]\r\n"), "", "address literal" },
	{ SLICE("From: a@b..c\r\n"), "", "a domain that is none" },
	{ SLICE("From: a@example.org\xef\xbc\xa0other.example\r\n"), "", "" },
	/* two readings */
	{ SLICE("From: x@other.example <a@example.org>\r\n"), "", "another author" },
	{ SLICE("From: <a@example.org>x@other.example\r\n"), "", "another author" },
	{ SLICE("From: <a@example.org> <x@other.example>\r\n"), "", "another author" },
	{ SLICE("From: <@other.example:a@example.org>\r\n"), "", "another author" },
	{ SLICE("From: <a@example.org>\\,<x@other.example>\r\n"), "", "several domains" },
	{ SLICE("From: a@example.org\0@other.example\r\n"), "", "another author" },
	{ SLICE("From: \"a@other.example\"@example.org\r\n"), "", "another author" },
	{ SLICE("From: a@example.org (x@other.example\r\n"), "", "another author" },
	{ SLICE("From: \"x@other.example <a@example.org>\r\n"), "", "another author" },
	{ SLICE("From: a(x@other.example)@example.org\r\n"), "", "another author" },
	{ SLICE("From: a@example.org .other.example\r\n"), "", "another author" },
	{ SLICE("From: =?utf-8?B?eEBvdGhlci5leGFtcGxl?=@example.org\r\n"), "", "another author" },
	{ SLICE("From: =?utf-8?B?eEBvdGhlci5leGFtcGxl?=, a@example.org\r\n"), "", "another author" },
	{ SLICE("From: =?utf-8?B?eEBvdGhlci5leGFtcGxl?=\r\n"), "", "encoded word" },
	{ SLICE("From: a@=?utf-8?Q?example?=.org\r\n"), "", "" },
};

static void test_decide(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_create();
		struct message m = { 0 };
		message_parse(&m, arena, cases[i].head, 100);
		struct author_fact fact = author_decide(arena, &m);
		const char *reason = cases[i].reason;
		bool same = slice_eq(fact.domain, slice_str(cases[i].domain)) &&
			    (reason == NULL ? fact.reason.len == 0
					    : fact.reason.len > 0 &&
						  slice_find(fact.reason, slice_str(reason)) != SLICE_NPOS);
		if (!same) {
			print_error("%.*s  got \"%.*s\": %.*s\n", SLICE_ARG(cases[i].head),
				    SLICE_ARG(fact.domain), SLICE_ARG(fact.reason));
			bad++;
		}
		arena_destroy(&arena);
	}
	assert_int_equal(bad, 0);
}

static void test_fact(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct message m = { 0 };
	message_parse(&m, arena, SLICE("From: =?utf-8?Q?J=C3=BCrgen?= <j@Example.org>, b@example.org\r\n"),
		      100);
	struct author_fact fact = author_decide(arena, &m);
	assert_true(slice_eq(fact.address, SLICE("j@Example.org")));
	assert_true(slice_eq(fact.display, SLICE("J\xc3\xbcrgen")));
	assert_int_equal(fact.mailboxes, 2);
	assert_int_equal(fact.fields, 1);
	arena_destroy(&arena);
}

/* What stands behind the last field that is read may be a From. */
static void test_cut_head(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct message m = { 0 };
	message_parse(&m, arena, SLICE("From: a@example.org\r\nTo: b@example.org\r\nFrom: c@example.net\r\n"),
		      2);
	struct author_fact fact = author_decide(arena, &m);
	assert_int_equal(fact.domain.len, 0);
	assert_true(fact.reason.len > 0);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_decide), cmocka_unit_test(test_fact),
					    cmocka_unit_test(test_cut_head) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
