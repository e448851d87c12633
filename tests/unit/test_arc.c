/* arc: chains of our own making, and what can be wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "filters/arc.h"
#include "filters/scan.h"
#include "tests/lib/arc_sealer.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/zone_driver.h"

#define NOW 1600000000
#define HEAD "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: Two\r\n"
#define BODY "Hello Bob\r\n"

struct world {
	struct arena *arena;
	struct zone *zone;
	struct arc_settings settings;
};

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct buf text = { 0 };
	const char *p = test_key_p(test_key(1024));
	w->arena = arena_create();
	buf_printf(&text, "a._domainkey.one.example. TXT \"p=%s\"\n", p);
	buf_printf(&text, "a._domainkey.two.example. TXT \"p=%s\"\n", p);
	buf_printf(&text, "weak._domainkey.two.example. TXT \"p=%s\"\n", test_key_p(test_key(512)));
	buf_add_str(&text, ";! slow._domainkey.two.example SERVFAIL\n");
	w->zone = zone_of(buf_cstr(&text));
	buf_free(&text);
	w->settings = (struct arc_settings){ .common = { .enabled = true }, .min_key_bits = 1024 };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	zone_destroy(&w->zone);
	arena_destroy(&w->arena);
	free(w);
	return 0;
}

static struct scan *run(struct world *w, struct slice head, const char *body)
{
	struct filter_choice choice = { &arc_filter, &w->settings };
	struct scan *scan = one_filter_scan(w->arena, &choice, 1, NOW);
	one_filter_message(scan, arena_printf(w->arena, "%.*s\r\n%s", SLICE_ARG(head), body), 4, w->zone);
	return scan;
}

static struct slice chain(struct world *w, unsigned count)
{
	struct slice head = SLICE(HEAD);
	struct buf sets = { 0 };
	for (unsigned i = 1; i <= count; i++) {
		struct sealing s = {
			.key = test_key(1024), .domain = i % 2 ? "one.example" : "two.example", .selector = "a",
			.instance = i, .cv = i == 1 ? "none" : "pass",
			.authres = i % 2 ? "mx.one.example; dmarc=pass header.from=example.org" : "mx.two.example; dmarc=fail",
		};
		head = seal(w->arena, &s, head, SLICE(BODY), &sets);
	}
	buf_free(&sets);
	return head;
}

static void expect(const struct scan *scan, enum auth_result result, const char *reason)
{
	const struct arc_fact *f = &scan->facts.arc;
	if (f->result != result || !slice_eq(f->reason, slice_str(reason)))
		fail_msg("%s: %.*s; expected %s: %s", auth_result_name(f->result), SLICE_ARG(f->reason),
			 auth_result_name(result), reason);
}

static void test_lengths(void **state)
{
	struct world *w = *state;
	expect(run(w, SLICE(HEAD), BODY), AUTH_NONE, "");
	for (unsigned n = 1; n <= 50; n += n < 4 ? 1 : 23) {
		struct scan *scan = run(w, chain(w, n), BODY);
		expect(scan, AUTH_PASS, "");
		assert_int_equal(scan->facts.arc.instances, n);
		assert_int_equal(scan->facts.arc.oldest_pass, 0);
		assert_true(questions_count(scan->questions) <= 2);
	}
	expect(run(w, chain(w, 50), BODY), AUTH_PASS, "");
	expect(run(w, chain(w, 51), BODY), AUTH_FAIL, "arc-seal: malformed, or i= is not from 1 to 50");
}

static void test_authres(void **state)
{
	struct world *w = *state;
	struct slice trusted[] = { SLICE("one.example"), SLICE(".two.example") };
	w->settings.trusted_sealers = (struct slice_list){ trusted, 2 };
	struct scan *scan = run(w, chain(w, 3), BODY);
	assert_true(slice_eq(scan->facts.arc.sealer, SLICE("one.example")));
	assert_true(slice_eq(scan->facts.arc.authres, SLICE(" mx.one.example; dmarc=pass header.from=example.org")));
	assert_true(scan->facts.arc.trusted);
	assert_non_null(hits_find(&scan->hits, "ARC_TRUSTED"));
	scan = run(w, chain(w, 2), BODY); /* ".two.example": names below it alone */
	expect(scan, AUTH_PASS, "");
	assert_false(scan->facts.arc.trusted);
	scan = run(w, chain(w, 3), "changed\r\n");
	expect(scan, AUTH_FAIL, "i=3: message signature: body hash did not verify");
	assert_false(scan->facts.arc.trusted);
	assert_int_equal(scan->facts.arc.authres.len, 0);
}

/* A list changes the message between two seals: the older signature breaks,
 * the chain holds. */
static void test_oldest_pass(void **state)
{
	struct world *w = *state;
	struct buf sets = { 0 };
	struct sealing s = { .key = test_key(1024), .domain = "one.example", .selector = "a", .instance = 1,
			     .cv = "none", .authres = "mx; none" };
	struct slice head = seal(w->arena, &s, SLICE(HEAD), SLICE(BODY), &sets);
	struct slice changed = arena_printf(w->arena, "%.*sSubject: [list] Two\r\n",
					    (int)(head.len - strlen("Subject: Two\r\n")), head.data);
	s.instance = 2;
	s.cv = "pass";
	head = seal(w->arena, &s, changed, SLICE(BODY), &sets);
	s.instance = 3;
	head = seal(w->arena, &s, head, SLICE(BODY), &sets);
	struct scan *scan = run(w, head, BODY);
	expect(scan, AUTH_PASS, "");
	assert_int_equal(scan->facts.arc.oldest_pass, 2);
	buf_free(&sets);
}

/* Comments may stand around "i=N" (RFC 8617 4.1.1: CFWS). */
static void test_comments(void **state)
{
	static const struct {
		const char *comment;
		bool pass;
	} cases[] = {
		{ "", true }, { " (one; i=2) ", true }, { "(a (b) \\) c)", true }, { "\r\n\t(a)\r\n ", true },
		{ "(never ends", false }, { "\\", false }, { "x", false }, { ")", false },
	};
	struct world *w = *state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf sets = { 0 };
		struct sealing s = { .key = test_key(1024), .domain = "one.example", .selector = "a", .instance = 1,
				     .cv = "none", .authres = "mx; none", .comment = cases[i].comment };
		struct slice head = seal(w->arena, &s, SLICE(HEAD), SLICE(BODY), &sets);
		struct scan *scan = run(w, head, BODY);
		if ((scan->facts.arc.result == AUTH_PASS) != cases[i].pass)
			fail_msg("\"%s\": %.*s", cases[i].comment, SLICE_ARG(scan->facts.arc.reason));
		buf_free(&sets);
	}
}

static struct slice without(struct world *w, struct slice head, const char *begin)
{
	size_t at = slice_find(head, slice_str(begin)), end = at;
	assert_true(at != SLICE_NPOS);
	do
		end += slice_chr(slice_from(head, end), '\n') + 1;
	while (end < head.len && head.data[end] == '\t');
	return arena_printf(w->arena, "%.*s%.*s", (int)at, head.data, SLICE_ARG(slice_from(head, end)));
}

static void test_structure(void **state)
{
	struct world *w = *state;
	struct slice three = chain(w, 3);
	expect(run(w, without(w, three, "ARC-Seal: i=2"), BODY), AUTH_FAIL, "i=2: arc-seal is missing");
	expect(run(w, without(w, three, "ARC-Message-Signature: i=3"), BODY), AUTH_FAIL,
	       "i=3: arc-message-signature is missing");
	expect(run(w, without(w, three, "ARC-Authentication-Results: i=1"), BODY), AUTH_FAIL,
	       "i=1: arc-authentication-results is missing");
	struct slice gap = without(w, three, "ARC-Seal: i=2");
	gap = without(w, gap, "ARC-Message-Signature: i=2");
	gap = without(w, gap, "ARC-Authentication-Results: i=2");
	expect(run(w, gap, BODY), AUTH_FAIL, "i=2: arc-authentication-results is missing");
	struct slice twice = arena_printf(w->arena, "ARC-Authentication-Results: i=2; mx; none\r\n%.*s", SLICE_ARG(three));
	expect(run(w, twice, BODY), AUTH_FAIL, "i=2: arc-authentication-results comes twice");
	struct scan *scan = run(w, twice, BODY);
	assert_int_equal(questions_count(scan->questions), 0); /* nothing to verify */
	struct slice stray = arena_printf(w->arena, "ARC-Seal: i=0; x=y\r\n%.*s", SLICE_ARG(three));
	expect(run(w, stray, BODY), AUTH_FAIL, "arc-seal: malformed, or i= is not from 1 to 50");
}

static struct slice one_more(struct world *w, const struct sealing *last)
{
	struct buf sets = { 0 };
	struct sealing first = { .key = test_key(1024), .domain = "one.example", .selector = "a", .instance = 1,
				 .cv = "none", .authres = "mx; none" };
	struct slice head = seal(w->arena, &first, SLICE(HEAD), SLICE(BODY), &sets);
	head = seal(w->arena, last, head, SLICE(BODY), &sets);
	buf_free(&sets);
	return head;
}

static void test_seals(void **state)
{
	struct world *w = *state;
	struct sealing s = { .key = test_key(1024), .domain = "two.example", .selector = "a", .instance = 2,
			     .cv = "pass", .authres = "mx; none" };
	expect(run(w, one_more(w, &s), BODY), AUTH_PASS, "");
	s.cv = "fail";
	expect(run(w, one_more(w, &s), BODY), AUTH_FAIL, "i=2: sealed as failed");
	s.cv = "none";
	expect(run(w, one_more(w, &s), BODY), AUTH_FAIL, "i=2: cv= is not pass");
	s.cv = "pass";
	s.ams_tags = ":arc-seal";
	expect(run(w, one_more(w, &s), BODY), AUTH_FAIL, "i=2: message signature: h= signs a seal");
	s.ams_tags = "; x=1500000000";
	expect(run(w, one_more(w, &s), BODY), AUTH_FAIL, "i=2: message signature: signature expired");
	s.ams_tags = NULL;
	s.key = test_key(512);
	s.selector = "weak";
	expect(run(w, one_more(w, &s), BODY), AUTH_FAIL, "i=2: message signature: key too short");
	s.selector = "none";
	expect(run(w, one_more(w, &s), BODY), AUTH_FAIL, "i=2: message signature: no key for the signature");
	s.selector = "a";
	s.key = test_key(1536);
	expect(run(w, one_more(w, &s), BODY), AUTH_FAIL, "i=2: message signature: signature did not verify");
}

/* The first sealer's results altered by a later one, who seals correctly. */
static void test_altered_results(void **state)
{
	struct world *w = *state;
	struct buf sets = { 0 };
	struct sealing s = { .key = test_key(1024), .domain = "one.example", .selector = "a", .instance = 1,
			     .cv = "none", .authres = "mx; dmarc=fail" };
	struct slice head = seal(w->arena, &s, SLICE(HEAD), SLICE(BODY), &sets);
	size_t at = slice_find(buf_slice(&sets), SLICE("dmarc=fail"));
	memcpy(sets.data + at, "dmarc=pass", 10);
	at = slice_find(head, SLICE("dmarc=fail"));
	char *text = arena_str(w->arena, head);
	memcpy(text + at, "dmarc=pass", 10);
	s.instance = 2;
	s.cv = "pass";
	s.domain = "two.example";
	head = seal(w->arena, &s, slice_make(text, head.len), SLICE(BODY), &sets);
	expect(run(w, head, BODY), AUTH_FAIL, "i=1: seal: signature did not verify");
	buf_free(&sets);
}

static void test_consequences(void **state)
{
	struct world *w = *state;
	struct slice trusted[] = { SLICE("two.example") };
	struct sealing s = { .key = test_key(1024), .domain = "two.example", .selector = "slow", .instance = 2,
			     .cv = "pass", .authres = "mx; none" };
	struct slice slow = one_more(w, &s);
	w->settings.common.on_error = ON_ERROR_DEFER;
	struct scan *scan = run(w, slow, BODY);
	expect(scan, AUTH_FAIL, "i=2: message signature: key look-up failed for now");
	assert_int_equal(hits_find(&scan->hits, "ARC_TEMPERROR")->action, ACTION_NONE);
	w->settings.trusted_sealers = (struct slice_list){ trusted, 1 };
	scan = run(w, slow, BODY);
	assert_int_equal(hits_find(&scan->hits, "ARC_TEMPERROR")->action, ACTION_DEFER);
	w->settings.fail = ARC_REJECT;
	scan = run(w, chain(w, 1), "changed\r\n");
	assert_int_equal(hits_find(&scan->hits, "ARC_FAIL")->refusal.code, 550);
	assert_string_equal(hits_find(&scan->hits, "ARC_FAIL")->refusal.enhanced, "5.7.29");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lengths), TEST(test_authres), TEST(test_oldest_pass), TEST(test_structure),
		TEST(test_seals), TEST(test_altered_results), TEST(test_consequences), TEST(test_comments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
