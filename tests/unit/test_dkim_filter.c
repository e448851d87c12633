/* dkim: several signatures, the settings, and what is done with the result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "filters/arc.h"
#include "filters/dkim.h"
#include "filters/registry.h"
#include "filters/scan.h"
#include "message/canonical.h"
#include "tests/lib/dkim_signer.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/zone_driver.h"

#define NOW 1600000000
#define HEAD "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: Two\r\n"
#define BODY "Hello Bob\r\n"
#define TAGS(d, s) "v=1; a=rsa-sha256; c=relaxed/relaxed; d=" d "; s=" s "; h=From:To:Subject"

struct world {
	struct arena *arena;
	struct zone *zone;
	struct dkim_settings settings;
	struct client client;
	const char *author;
};

static void add_key(struct zone **zone, const char *lines)
{
	*zone = zone_of(lines);
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct buf text = { 0 };
	const char *p = test_key_p(test_key(1024)), *other = test_key_p(test_key(1536));
	w->arena = arena_create();
	buf_printf(&text, "good._domainkey.example.org. TXT \"p=%s\"\n", p);
	buf_printf(&text, "good._domainkey.lists.example.net. TXT \"p=%s\"\n", p);
	buf_printf(&text, "two._domainkey.example.org. TXT \"p=%s\"\n", other);
	buf_printf(&text, "two._domainkey.example.org. TXT \"p=%s\"\n", p);
	buf_printf(&text, "weak._domainkey.example.org. TXT \"p=%s\"\n", test_key_p(test_key(512)));
	buf_add_str(&text, ";! slow._domainkey.example.org TIMEOUT\n");
	add_key(&w->zone, buf_cstr(&text));
	buf_free(&text);
	w->settings = (struct dkim_settings){
		.common = { .enabled = true },
		.max_signatures = 8,
		.min_key_bits = 1024,
		.partial_body = true,
		.clock_drift = 300000,
	};
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

/* With the author domain that is wanted. */
static struct slice header_of(struct world *w)
{
	if (w->author == NULL)
		return SLICE(HEAD);
	return arena_printf(w->arena, "From: Ann <ann@%s>\r\nTo: bob@example.net\r\n", w->author);
}

static struct slice signature(struct world *w, const char *tags, unsigned bits)
{
	struct signing s = {
		.key = test_key(bits), .header_canon = DKIM_RELAXED, .body_canon = DKIM_RELAXED, .tags = tags,
		.fields = "From:To:Subject",
	};
	return sign(w->arena, &s, header_of(w), SLICE(BODY));
}

static struct scan *run(struct world *w, struct slice head, const char *body)
{
	struct filter_choice choice = { &dkim_filter, &w->settings };
	struct scan *scan = one_filter_scan(w->arena, &choice, 1, NOW);
	scan->client = w->client;
	one_filter_message(
	    scan, arena_printf(w->arena, "%.*s%.*s\r\n%s", SLICE_ARG(head), SLICE_ARG(header_of(w)), body), 3,
	    w->zone);
	return scan;
}

static const struct hit *must_hit(const struct scan *scan, const char *symbol)
{
	const struct hit *hit = hits_find(&scan->hits, symbol);
	if (hit == NULL)
		fail_msg("no %s", symbol);
	return hit;
}

static void refused(const struct scan *scan, const char *symbol, enum action action, unsigned code,
		    const char *enhanced)
{
	const struct hit *hit = must_hit(scan, symbol);
	assert_int_equal(hit->action, action);
	assert_int_equal(hit->refusal.code, code);
	if (code)
		assert_string_equal(hit->refusal.enhanced, enhanced);
}

static void test_each_its_own(void **state)
{
	struct world *w = *state;
	struct slice good = signature(w, TAGS("example.org", "good"), 1024);
	struct slice none = signature(w, TAGS("example.org", "none"), 1024);
	struct slice list = signature(w, TAGS("lists.example.net", "good"), 1024);
	struct slice slow = signature(w, TAGS("example.org", "slow"), 1024);
	struct slice wrong = signature(w, TAGS("example.org", "good"), 1536);
	struct slice head =
	    arena_printf(w->arena, "%.*sDKIM-Signature: v=1; junk\r\n%.*s%.*s%.*s%.*s", SLICE_ARG(none),
			 SLICE_ARG(good), SLICE_ARG(slow), SLICE_ARG(wrong), SLICE_ARG(list));
	for (int engine = DKIM_ENGINE_NATIVE; engine <= DKIM_ENGINE_OPENDKIM; engine++) {
		w->settings.engine = engine;
		struct scan *scan = run(w, head, BODY);
		static const enum auth_result expected[] = {
			AUTH_PERMERROR, AUTH_PERMERROR, AUTH_PASS, AUTH_TEMPERROR, AUTH_FAIL, AUTH_PASS,
		};
		assert_int_equal(scan->facts.dkim_count, 6);
		for (size_t i = 0; i < 6; i++)
			assert_int_equal(scan->facts.dkim[i].result, expected[i]);
		assert_int_equal(scan->facts.dkim[2].key_bits, 1024);
		must_hit(scan, "DKIM_PASS");
		assert_null(hits_find(&scan->hits, "DKIM_TEMPERROR"));
		assert_null(hits_find(&scan->hits, "DKIM_FAIL"));
	}
}

static void test_too_many(void **state)
{
	struct world *w = *state;
	struct slice good = signature(w, TAGS("example.org", "good"), 1024);
	struct slice wrong = signature(w, TAGS("example.org", "none"), 1024);
	w->settings.max_signatures = 2;
	struct scan *scan = run(w,
				arena_printf(w->arena, "%.*s%.*s%.*s%.*s", SLICE_ARG(wrong), SLICE_ARG(wrong),
					     SLICE_ARG(good), SLICE_ARG(good)),
				BODY);
	assert_int_equal(scan->facts.dkim_count, 2);
	assert_int_equal(scan->facts.dkim_ignored, 2);
	must_hit(scan, "DKIM_TOO_MANY");
	must_hit(scan, "DKIM_PERMERROR");
	assert_int_equal(questions_count(scan->questions), 1);
}

static void test_questions_at_headers(void **state)
{
	struct world *w = *state;
	struct filter_choice choice = { &dkim_filter, &w->settings };
	struct scan *scan = one_filter_scan(w->arena, &choice, 1, NOW);
	struct slice good = signature(w, TAGS("example.org", "good"), 1024);
	struct slice two = signature(w, TAGS("example.org", "two"), 1024);
	message_parse(&scan->message, w->arena,
		      arena_printf(w->arena, "%.*s%.*s" HEAD "\r\n", SLICE_ARG(good), SLICE_ARG(two)), 100);
	pipeline_enter(scan, PHASE_HEADERS);
	assert_int_equal(pipeline_advance(scan, PHASE_HEADERS), PIPELINE_DONE);
	assert_int_equal(questions_pending(scan->questions), 2);
	assert_true(slice_eq(scan->facts.dkim[0].domain, SLICE("example.org")));
	assert_false(scan->facts.dkim_known);
	pipeline_body(scan, SLICE(BODY));
	pipeline_enter(scan, PHASE_END);
	assert_int_equal(pipeline_advance(scan, PHASE_END), PIPELINE_NEED);
	pipeline_give_up(scan, PHASE_END, "deadline");
	assert_int_equal(scan->facts.dkim[0].result, AUTH_TEMPERROR);
}

/* A name never asked: what isn't a domain name, what is refused anyway. */
static void test_questions_not_asked(void **state)
{
	struct world *w = *state;
	static const char *const tags[] = {
		"v=1; a=rsa-sha256; d=legit.com\t.evil.com; s=x; h=From",
		"v=1; a=rsa-sha256; d=legit.com'a.evil.com; s=x; h=From",
		"v=1; a=rsa-sha256; d=legit.com; s=a@b; h=From",
		"v=1; a=rsa-sha1; d=legit.com; s=x; h=From",
		"v=1; a=rsa-sha256; d=legit.com; s=x; h=To",
		"v=1; a=rsa-sha256; d=\xff\xfe.com; s=x; h=From",
	};
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct scan *scan = run(w, signature(w, tags[i], 1024), BODY);
		assert_int_equal(scan->facts.dkim[0].result, AUTH_PERMERROR);
		assert_int_equal(questions_count(scan->questions), 0);
	}
	static const char with_nul[] =
	    "DKIM-Signature: v=1; a=rsa-sha256; d=legit.com\0.evil.com; s=x; h=From; bh=YQ==; b=YQ==\r\n";
	struct slice head = slice_make(with_nul, sizeof(with_nul) - 1);
	struct buf mail = { 0 };
	buf_add_slice(&mail, head);
	buf_add_str(&mail, HEAD "\r\n" BODY);
	struct filter_choice choice = { &dkim_filter, &w->settings };
	struct scan *scan = one_filter_scan(w->arena, &choice, 1, NOW);
	one_filter_message(scan, buf_slice(&mail), 0, w->zone);
	assert_int_equal(scan->facts.dkim[0].result, AUTH_PERMERROR);
	assert_int_equal(questions_count(scan->questions), 0);
	must_hit(scan, "DKIM_ODD_DOMAIN");
	buf_free(&mail);
}

/* RFC 8616: a U-label is asked for as A-label. */
static void test_u_labels(void **state)
{
	struct world *w = *state;
	struct scan *scan = run(w, signature(w, TAGS("b\xc3\xbc" "cher.example", "sel"), 1024), BODY);
	assert_true(slice_eq(scan->facts.dkim[0].domain, SLICE("xn--bcher-kva.example")));
	assert_true(
	    slice_eq(questions_at(scan->questions, 0)->name, SLICE("sel._domainkey.xn--bcher-kva.example")));
}

/* Key rotation: two records under one name, the second one is it. */
static void test_two_keys(void **state)
{
	struct world *w = *state;
	struct scan *scan = run(w, signature(w, TAGS("example.org", "two"), 1024), BODY);
	assert_int_equal(scan->facts.dkim[0].result, AUTH_PASS);
	assert_int_equal(scan->facts.dkim[0].key_bits, 1024);
}

static void test_header_b(void **state)
{
	struct world *w = *state;
	struct scan *scan =
	    run(w,
		SLICE("DKIM-Signature: v=1; b=abcdefghIJKL\r\nDKIM-Signature: v=1; b=abcd efghIJxx\r\n"
		      "DKIM-Signature: v=1; b=abcdefghIJKL\r\nDKIM-Signature: v=1; b=xy\r\n"),
		BODY);
	static const char *const expected[] = { "abcdefghIJK", "abcdefghIJx", "abcdefghIJK", "xy" };
	for (size_t i = 0; i < 4; i++)
		assert_true(slice_eq(scan->facts.dkim[i].header_b, slice_str(expected[i])));
}

static void test_consequences(void **state)
{
	struct world *w = *state;
	struct slice good = signature(w, TAGS("example.org", "good"), 1024);
	struct slice weak = signature(w, TAGS("example.org", "weak"), 512);
	refused(run(w, good, "changed\r\n"), "DKIM_FAIL", ACTION_NONE, 0, NULL);
	w->settings.fail = DKIM_REJECT;
	refused(run(w, good, "changed\r\n"), "DKIM_FAIL", ACTION_REJECT, 550, "5.7.20");
	refused(run(w, weak, BODY), "DKIM_POLICY", ACTION_REJECT, 550, "5.7.21");
	refused(run(w, SLICE_EMPTY, BODY), "DKIM_NONE", ACTION_NONE, 0, NULL);
	w->settings.none = DKIM_QUARANTINE;
	refused(run(w, SLICE_EMPTY, BODY), "DKIM_NONE", ACTION_QUARANTINE, 550, "5.7.20");
	w->client.login = SLICE("ann");
	refused(run(w, good, "changed\r\n"), "DKIM_FAIL", ACTION_NONE, 0, NULL);
	refused(run(w, SLICE_EMPTY, BODY), "DKIM_NONE", ACTION_NONE, 0, NULL);
}

static void test_on_error(void **state)
{
	struct world *w = *state;
	struct slice slow = signature(w, TAGS("example.org", "slow"), 1024);
	struct slice good = signature(w, TAGS("example.org", "good"), 1024);
	refused(run(w, slow, BODY), "DKIM_TEMPERROR", ACTION_NONE, 0, NULL);
	w->settings.common.on_error = ON_ERROR_DEFER;
	refused(run(w, slow, BODY), "DKIM_TEMPERROR", ACTION_DEFER, 451, "4.7.5");
	struct scan *scan =
	    run(w, arena_printf(w->arena, "%.*s%.*s", SLICE_ARG(slow), SLICE_ARG(good)), BODY);
	assert_null(hits_find(&scan->hits, "DKIM_TEMPERROR"));
}

static struct scan *run_signed(struct world *w, const char *author, const char *tags)
{
	w->author = author;
	return run(w, tags ? signature(w, tags, 1024) : SLICE_EMPTY, BODY);
}

static void test_required(void **state)
{
	struct world *w = *state;
	struct slice list[] = { SLICE("example.org"), SLICE(".example.com") };
	static const char good[] = TAGS("example.org", "good"), other[] = TAGS("lists.example.net", "good");
	w->settings.required = (struct slice_list){ list, 2 };
	assert_null(hits_find(&run_signed(w, "example.org", good)->hits, "DKIM_REQUIRED"));
	refused(run_signed(w, "example.org", other), "DKIM_REQUIRED", ACTION_REJECT, 550, "5.7.22");
	refused(run_signed(w, "example.org", NULL), "DKIM_REQUIRED", ACTION_REJECT, 550, "5.7.22");
	assert_null(hits_find(&run_signed(w, "news.example.org", good)->hits, "DKIM_REQUIRED"));
	refused(run_signed(w, "news.example.org", other), "DKIM_REQUIRED", ACTION_REJECT, 550, "5.7.22");
	assert_null(hits_find(&run_signed(w, "notexample.org", other)->hits, "DKIM_REQUIRED"));
	/* ".example.com" is for names below it */
	assert_null(hits_find(&run_signed(w, "example.com", other)->hits, "DKIM_REQUIRED"));
	must_hit(run_signed(w, "a.example.com", other), "DKIM_REQUIRED");
}

static void test_partial_body(void **state)
{
	struct world *w = *state;
	struct signing s = {
		.key = test_key(1024), .header_canon = DKIM_RELAXED, .body_canon = DKIM_RELAXED, .length = 11,
		.tags = TAGS("example.org", "good") "; l=11", .fields = "From:To:Subject",
	};
	struct slice cut = sign(w->arena, &s, SLICE(HEAD), SLICE(BODY));
	struct slice whole = signature(w, TAGS("example.org", "good"), 1024);
	w->settings.partial_body = false;
	struct scan *scan = run(w, cut, BODY "<a href=x>\r\n");
	assert_int_equal(scan->facts.dkim[0].result, AUTH_POLICY);
	must_hit(scan, "DKIM_POLICY");
	assert_int_equal(run(w, cut, BODY)->facts.dkim[0].result, AUTH_PASS);
	w->settings.partial_body = true;
	scan = run(w, arena_printf(w->arena, "%.*s%.*s", SLICE_ARG(cut), SLICE_ARG(whole)), BODY);
	assert_null(hits_find(&scan->hits, "DKIM_BODY_CUT"));
}

/* Fields over the limit are not known: one of them may be a second From. */
static void test_head_cut(void **state)
{
	struct world *w = *state;
	struct buf mail = { 0 };
	buf_add_slice(&mail, signature(w, TAGS("example.org", "good"), 1024));
	buf_add_str(&mail, HEAD);
	for (int i = 0; i < 1000; i++)
		buf_add_str(&mail, "X-Filler: y\r\n");
	buf_add_str(&mail, "\r\n" BODY);
	struct filter_choice choice = { &dkim_filter, &w->settings };
	struct scan *scan = one_filter_scan(w->arena, &choice, 1, NOW);
	one_filter_message(scan, buf_slice(&mail), 0, w->zone);
	assert_int_equal(scan->facts.dkim[0].result, AUTH_PERMERROR);
	assert_true(slice_eq(scan->facts.dkim[0].reason, SLICE("too many header fields")));
	buf_free(&mail);
}

/* h= of many names over many fields: time stays in proportion. */
static void test_long_header(void **state)
{
	struct world *w = *state;
	struct buf head = { 0 }, fields = { 0 };
	buf_add_str(&fields, "From");
	for (int i = 0; i < 60000; i++) {
		buf_printf(&head, "X: %d\r\n", i);
		buf_add_str(&fields, ":X");
	}
	buf_add_str(&head, HEAD);
	struct slice tags =
	    arena_printf(w->arena, "v=1; a=rsa-sha256; d=example.org; s=good; h=%s", buf_cstr(&fields));
	struct signing s = { .key = test_key(1024), .tags = tags.data, .fields = buf_cstr(&fields) };
	struct slice field = sign(w->arena, &s, buf_slice(&head), SLICE(BODY));
	struct filter_choice choice = { &dkim_filter, &w->settings };
	struct scan *scan = one_filter_scan(w->arena, &choice, 1, NOW);
	struct slice raw = arena_printf(w->arena, "%.*s%s\r\n" BODY, SLICE_ARG(field), buf_cstr(&head));
	clock_t start = clock();
	message_parse(&scan->message, w->arena, raw, 100000);
	pipeline_enter(scan, PHASE_HEADERS);
	zone_driver_run(scan, PHASE_HEADERS, w->zone);
	assert_true(clock() - start < CLOCKS_PER_SEC);
	buf_free(&head);
	buf_free(&fields);
}

static struct slice mutate(struct world *w, struct slice mail, uint32_t *seed)
{
	static const char *const pieces[] = { " ", "\t", "\r\n ", "\r\n", "x", "", ":", ";", "\r\n\r\n", "=" };
	*seed = *seed * 1664525 + 1013904223;
	size_t at = (*seed >> 8) % mail.len, drop = *seed >> 30;
	const char *piece = pieces[(*seed >> 24) % (sizeof(pieces) / sizeof(pieces[0]))];
	return arena_printf(w->arena, "%.*s%s%.*s", (int)at, mail.data, piece,
			    SLICE_ARG(slice_from(mail, at + (drop == 3))));
}

static enum auth_result result_by(struct world *w, int engine, struct slice mail)
{
	struct filter_choice choice = { &dkim_filter, &w->settings };
	w->settings.engine = engine;
	struct scan *scan = one_filter_scan(w->arena, &choice, 1, NOW);
	one_filter_message(scan, mail, 5, w->zone);
	return scan->facts.dkim_count == 1 ? scan->facts.dkim[0].result : AUTH_NONE;
}

/* Small changes at random places: what one engine passes, the other one does. */
static void test_engines_agree(void **state)
{
	struct world *w = *state;
	uint32_t seed = 1;
	size_t passed = 0, failed = 0, cannot = 0, differ = 0;
	for (int simple = 0; simple < 2; simple++) {
		struct signing s = {
			.key = test_key(1024), .header_canon = simple ? DKIM_SIMPLE : DKIM_RELAXED,
			.body_canon = simple ? DKIM_SIMPLE : DKIM_RELAXED, .fields = "From:To:Subject",
			.tags = simple ? "v=1; a=rsa-sha256; d=example.org; s=good; h=From:To:Subject" :
					 TAGS("example.org", "good"),
		};
		struct slice body = SLICE("Hello  Bob,\r\n\r\n this is a text. \r\n\r\n\r\n");
		struct slice field = sign(w->arena, &s, SLICE(HEAD), body);
		struct slice mail = arena_printf(w->arena, "%.*sX-Other: y\r\n" HEAD "\r\n%.*s", SLICE_ARG(field),
						 SLICE_ARG(body));
		for (int i = 0; i < 1500; i++) {
			struct slice changed = message_canonical(w->arena, mutate(w, mail, &seed)).bytes;
			enum auth_result a = result_by(w, DKIM_ENGINE_NATIVE, changed);
			enum auth_result b = result_by(w, DKIM_ENGINE_OPENDKIM, changed);
			passed += a == AUTH_PASS;
			failed += a == AUTH_FAIL;
			cannot += b == AUTH_NEUTRAL;
			if (b != AUTH_NEUTRAL && (a == AUTH_PASS) != (b == AUTH_PASS)) {
				differ++;
				printf("native %s, libopendkim %s:\n%s\n", auth_result_name(a), auth_result_name(b),
				       changed.data);
			}
		}
	}
	printf("# count engines agree: %zu differ of 3000 (%zu pass, %zu fail, libopendkim can't %zu)\n", differ,
	       passed, failed, cannot);
	assert_int_equal(differ, 0);
	assert_true(passed > 300 && failed > 300);
}

static const void *read_settings(struct arena *arena, const char *text, const char *filter)
{
	struct config_errors errors = { .arena = arena };
	struct config *config = config_read(arena, "-", slice_str(text), filter_sections(), &errors);
	for (size_t i = 0; config != NULL && i < config->filter_count; i++)
		if (slice_eq(config->filters[i].name, slice_str(filter)))
			return config->filters[i].values;
	fail_msg("%s: %.*s", text, SLICE_ARG(errors.count ? errors.list[0].message : SLICE_EMPTY));
	return NULL;
}

/* The tables' defaults are what the documentation says. */
static void test_settings(void **state)
{
	struct world *w = *state;
	const struct dkim_settings *d = read_settings(w->arena, "", "dkim");
	assert_true(d->common.enabled && d->partial_body && !d->sha1);
	assert_int_equal(d->common.on_error, ON_ERROR_SKIP);
	assert_int_equal(d->engine, DKIM_ENGINE_NATIVE);
	assert_int_equal(d->max_signatures, 8);
	assert_int_equal(d->min_key_bits, 1024);
	assert_int_equal(d->clock_drift, 300000);
	assert_int_equal(d->fail, DKIM_SCORE);
	assert_int_equal(d->none, DKIM_SCORE);
	assert_int_equal(d->required.count, 0);
	d = read_settings(w->arena, "filter dkim { fail = reject none = quarantine required = {\"Example.ORG\"} rsa-sha1 = yes"
				    " partial-body = no engine = libopendkim clock-drift = 10m on-error = defer }", "dkim");
	assert_true(d->sha1 && !d->partial_body);
	assert_int_equal(d->engine, DKIM_ENGINE_OPENDKIM);
	assert_int_equal(d->fail, DKIM_REJECT);
	assert_int_equal(d->none, DKIM_QUARANTINE);
	assert_true(slice_eq(d->required.items[0], SLICE("example.org")));
	const struct arc_settings *a = read_settings(w->arena, "filter arc { trusted-sealers = {\"google.com\", \"*.example.net\"} }", "arc");
	assert_int_equal(a->min_key_bits, 1024);
	assert_int_equal(a->fail, ARC_SCORE);
	assert_int_equal(a->trusted_sealers.count, 2);
	assert_true(slice_eq(a->trusted_sealers.items[1], SLICE(".example.net")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_its_own), TEST(test_too_many), TEST(test_questions_at_headers),
		TEST(test_questions_not_asked), TEST(test_u_labels), TEST(test_two_keys), TEST(test_header_b),
		TEST(test_consequences), TEST(test_on_error), TEST(test_required), TEST(test_partial_body),
		TEST(test_head_cut), TEST(test_long_header), TEST(test_engines_agree), TEST(test_settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
