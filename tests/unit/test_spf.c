/* SPF: macros and records by tables, the evaluation against zones. The suites
 * are run by tests/scenario/test_spf.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "filters/spf_check.h"
#include "filters/spf_macro.h"
#include "filters/spf_record.h"
#include "filters/spf_rewrite.h"
#include "tests/lib/zone_driver.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void check_text(const char *name, struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("%s: got \"%.*s\", want \"%s\"", name, SLICE_ARG(got), want);
}

/* ---- macros ---- */

static struct spf_macro_values values(const char *ip)
{
	struct spf_macro_values v = {
		.sender = SLICE("strong-bad@email.example.com"),
		.local = SLICE("strong-bad"),
		.sender_domain = SLICE("email.example.com"),
		.domain = SLICE("email.example.com"),
		.helo = SLICE("mx.example.com"),
		.now = 1700000000,
	};
	assert_true(ip_parse(slice_str(ip), &v.client));
	return v;
}

static void test_macro_domain(void **state)
{
	/* The values are those of RFC 7208 7.4's examples. */
	static const struct {
		const char *ip, *text, *want;
	} tests[] = {
		{ "192.0.2.3", "%{s}", "strong-bad@email.example.com" },
		{ "192.0.2.3", "%{o}", "email.example.com" },
		{ "192.0.2.3", "%{d1}", "com" },
		{ "192.0.2.3", "%{d2}", "example.com" },
		{ "192.0.2.3", "%{d4}", "email.example.com" },
		{ "192.0.2.3", "%{d99999999999999999999}", "email.example.com" },
		{ "192.0.2.3", "%{dr}", "com.example.email" },
		{ "192.0.2.3", "%{d2r}", "example.email" },
		{ "192.0.2.3", "%{D2R}", "example.email" },
		{ "192.0.2.3", "%{l-}", "strong.bad" },
		{ "192.0.2.3", "%{lr}", "strong-bad" },
		{ "192.0.2.3", "%{lr-}", "bad.strong" },
		{ "192.0.2.3", "%{l1r-}", "strong" },
		{ "192.0.2.3", "%{s3@}x", NULL },
		{ "192.0.2.3", "%{i}._spf.%{d2}", "192.0.2.3._spf.example.com" },
		{ "192.0.2.3", "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
		{ "192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
		{ "192.0.2.3", "%{p}.x.org.", "unknown.x.org" },
		{ "192.0.2.3", "a%%b%_c%-d.%{h}", "a%b c%20d.mx.example.com" },
		{ "192.0.2.3", "%{S}", "strong-bad%40email.example.com" },
		{ "2001:db8::cb01", "%{ir}.%{v}.x.org",
		  "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.x.org" },
		{ "192.0.2.3", "%{d0}", NULL },
		{ "192.0.2.3", "%{dr2}", NULL },
		{ "192.0.2.3", "%{d", NULL },
		{ "192.0.2.3", "%{}", NULL },
		{ "192.0.2.3", "%", NULL },
		{ "192.0.2.3", "%a.b", NULL },
		{ "192.0.2.3", "%{c}", NULL },
		{ "192.0.2.3", "%{r}", NULL },
		{ "192.0.2.3", "%{t}", NULL },
		{ "192.0.2.3", "%{x}", NULL },
	};
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(tests); i++) {
		const struct spf_macro_values v = values(tests[i].ip);
		struct slice text = slice_str(tests[i].text);
		assert_int_equal(spf_macro_ok(text, SPF_MACRO_DOMAIN), tests[i].want != NULL);
		if (tests[i].want != NULL)
			check_text(tests[i].text, spf_macro_domain(arena, text, &v), tests[i].want);
	}
	arena_destroy(&arena);
}

static void test_macro_edges(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct spf_macro_values v = values("192.0.2.3");
	v.local = SLICE("");
	check_text("empty value", spf_macro_domain(arena, SLICE("%{lr-}.x.org"), &v), ".x.org");
	v.local = SLICE("a--b-");
	check_text("empty parts", spf_macro_domain(arena, SLICE("%{l-}"), &v), "a..b");
	check_text("empty parts reversed", spf_macro_domain(arena, SLICE("%{lr-}"), &v), ".b..a");
	check_text("two of them", spf_macro_domain(arena, SLICE("%{l2-}"), &v), "b");
	v.local = SLICE("a\\b \x7f.c");
	struct slice name = spf_dns_escape(arena, spf_macro_domain(arena, SLICE("%{l}.x.org"), &v));
	check_text("escape", name, "a\\092b\\032\\127.c.x.org");
	v.local = SLICE("b\xc3\xbc");
	name = spf_dns_escape(arena, spf_macro_domain(arena, SLICE("%{l}.x.org"), &v));
	check_text("not ASCII", name, "");
	arena_destroy(&arena);
}

/* However much is expanded, at most 253 octets of whole labels stay, and little memory is used. */
static void test_macro_truncation(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct spf_macro_values v = values("192.0.2.3");
	struct buf text = { 0 };
	for (int i = 0; i < 10000; i++)
		buf_add_str(&text, "%{s}.%{d}.");
	buf_add_str(&text, "example.org");
	struct slice name = spf_macro_domain(arena, buf_slice(&text), &v);
	assert_true(name.len <= 253 && name.len > 253 - 63);
	assert_true(slice_ends(name, SLICE(".com.example.org")));
	assert_true(dns_name_ok(name));
	assert_true(slice_starts(name, SLICE("example.com.")) || slice_starts(name, SLICE("com.")) ||
		    slice_starts(name, SLICE("email.")) || slice_starts(name, SLICE("strong-bad@email.")));
	assert_true(arena_size(arena) < 64 * 1024);
	buf_free(&text);
	arena_destroy(&arena);
}

static void test_explanation(void **state)
{
	static const struct {
		const char *text, *want;
	} tests[] = {
		{ "See http://%{d}/?s=%{S}&ip=%{C}",
		  "See http://email.example.com/?s=strong-bad%40email.example.com&ip=192.0.2.3" },
		{ "%{c} at %{t} to %{r}", "192.0.2.3 at 1700000000 to unknown" },
		{ "ends with a dot.", "ends with a dot." },
		{ "", "" },
		{ "100%", NULL },
		{ "tab\there", NULL },
		{ "\xc3\xa4", NULL },
		{ "%{z}", NULL },
	};
	(void)state;
	struct arena *arena = arena_create();
	struct spf_macro_values v = values("192.0.2.3");
	struct slice got;
	for (size_t i = 0; i < COUNT(tests); i++) {
		bool ok = spf_macro_explanation(arena, slice_str(tests[i].text), &v, &got);
		assert_int_equal(ok, tests[i].want != NULL);
		if (ok)
			check_text(tests[i].text, got, tests[i].want);
	}
	v.local = SLICE("a\r\nRSET\xff");
	assert_true(spf_macro_explanation(arena, SLICE("by %{l}"), &v, &got));
	check_text("nothing but text", got, "by a??RSET?");
	arena_destroy(&arena);
}

static void test_explanation_too_long(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct spf_macro_values v = values("192.0.2.3");
	struct buf text = { 0 };
	struct slice got;
	for (int i = 0; i < 1000; i++)
		buf_add_str(&text, "%{s}");
	assert_false(spf_macro_explanation(arena, buf_slice(&text), &v, &got));
	buf_free(&text);
	arena_destroy(&arena);
}

/* ---- records ---- */

static void test_records(void **state)
{
	static const struct {
		const char *text, *bad; /* the term that is wrong; NULL: none */
	} tests[] = {
		{ "v=spf1", NULL },
		{ "v=spf1   a  mx   ", NULL },
		{ "V=SPF1 A:x.org/24//64 MX//64 Include:x.org +ALL", NULL },
		{ "v=spf1 a:x.org/24/64", "a:x.org/24/64" },
		{ "v=spf1 a/", "a/" },
		{ "v=spf1 a/024", "a/024" },
		{ "v=spf1 a/0 a//0", NULL },
		{ "v=spf1 a//0128", "a//0128" },
		{ "v=spf1 a///64", "a///64" },
		{ "v=spf1 a/99999999999999999999999", "a/99999999999999999999999" },
		{ "v=spf1 a:x/24", "a:x/24" },
		{ "v=spf1 a:%{d}/24 a:%{l/}.x.org", NULL },
		{ "v=spf1 a:x.org", NULL },
		{ "v=spf1 a:x.org. a:x.o-g", NULL },
		{ "v=spf1 a:x.org..", "a:x.org.." },
		{ "v=spf1 a:x.-rg", "a:x.-rg" },
		{ "v=spf1 a:x.o_g", "a:x.o_g" },
		{ "v=spf1 a:x%%", NULL },
		{ "v=spf1 a=x.org", NULL },
		{ "v=spf1 +a=x.org", "+a=x.org" },
		{ "v=spf1 a.b", "a.b" },
		{ "v=spf1 -", "-" },
		{ "v=spf1 --all", "--all" },
		{ "v=spf1 ip4:192.0.2.1 ip4:192.0.2.255/24", NULL },
		{ "v=spf1 ip4:192.0.2.01", "ip4:192.0.2.01" },
		{ "v=spf1 ip4:192.0.2.256", "ip4:192.0.2.256" },
		{ "v=spf1 ip4:192.0.2.1/", "ip4:192.0.2.1/" },
		{ "v=spf1 ip4", "ip4" },
		{ "v=spf1 ip4:", "ip4:" },
		{ "v=spf1 ip4:2001:db8::1", "ip4:2001:db8::1" },
		{ "v=spf1 ip6:2001:db8::1/128 ip6:::/0 ip6:::ffff:192.0.2.1", NULL },
		{ "v=spf1 ip6:192.0.2.1", "ip6:192.0.2.1" },
		{ "v=spf1 ip6:2001:db8::1/129", "ip6:2001:db8::1/129" },
		{ "v=spf1 ip6:2001:db8::1%eth0", "ip6:2001:db8::1%eth0" },
		{ "v=spf1 include", "include" },
		{ "v=spf1 exists:", "exists:" },
		{ "v=spf1 ptr ptr:x.org", NULL },
		{ "v=spf1 redirect=x.org exp=%{d}", NULL },
		{ "v=spf1 redirect=x.org Redirect=y.org", "Redirect=y.org" },
		{ "v=spf1 exp=x.org exp=x.org", "exp=x.org" },
		{ "v=spf1 redirect=", "redirect=" },
		{ "v=spf1 x-y_z.1= moo=%{t}%{c}", NULL },
		{ "v=spf1 moo=%{y}", "moo=%{y}" },
		{ "v=spf1 m\xc3\xb6=x", "m\xc3\xb6=x" },
		{ "v=spf1 a\tmx", "a\tmx" },
		{ "v=spf1 moo", "moo" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct spf_record record;
		struct spf_syntax_error error = { 0 };
		struct slice text = slice_str(tests[i].text);
		assert_true(spf_record_is(text));
		bool ok = spf_record_check(text, &record, &error);
		if (ok != (tests[i].bad == NULL))
			fail_msg("%s: %s", tests[i].text, ok ? "taken" : error.why);
		if (!ok)
			check_text(tests[i].text, error.term, tests[i].bad);
	}
	assert_false(spf_record_is(SLICE("v=spf10")));
	assert_false(spf_record_is(SLICE("v=spf1\ta")));
	assert_false(spf_record_is(SLICE("v=spf")));
	assert_false(spf_record_is(SLICE(" v=spf1 a")));
}

static void test_terms(void **state)
{
	(void)state;
	struct spf_record record;
	struct spf_syntax_error error;
	struct spf_term term;
	assert_true(spf_record_check(SLICE("v=spf1 ~a:foo:b/c.org/20//60  x=y exp=e.org"), &record, &error));
	struct slice rest = record.terms;
	assert_true(spf_term_next(&rest, &term));
	assert_int_equal(term.kind, SPF_A);
	assert_int_equal(term.qualifier, '~');
	check_text("domain", term.domain, "foo:b/c.org");
	assert_int_equal(term.bits4, 20);
	assert_int_equal(term.bits6, 60);
	assert_true(spf_term_next(&rest, &term));
	assert_int_equal(term.kind, SPF_OTHER_MODIFIER);
	assert_true(spf_term_next(&rest, &term));
	assert_int_equal(term.kind, SPF_EXP);
	assert_false(spf_term_next(&rest, &term));
	check_text("exp", record.exp, "e.org");
}

static void test_prefix(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned bits;
		bool match;
	} tests[] = {
		{ "192.0.2.1", "10.0.0.1", 0, true },
		{ "192.0.2.1", "192.0.3.1", 23, true },
		{ "192.0.2.1", "192.0.3.1", 24, false },
		{ "192.0.2.1", "192.0.2.0", 31, true },
		{ "192.0.2.1", "192.0.2.0", 32, false },
		{ "2001:db8:8000::1", "2001:db8:8fff::", 36, true },
		{ "2001:db8:8000::1", "2001:db8:8fff::", 37, false },
		{ "2001:db8::1", "2001:db8::1", 128, true },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct ip a, b;
		assert_true(ip_parse(slice_str(tests[i].a), &a) && ip_parse(slice_str(tests[i].b), &b));
		assert_int_equal(spf_prefix_match(&a, b.bytes, tests[i].bits), tests[i].match);
	}
}

/* ---- evaluation ---- */

struct evaluation {
	struct spf_outcome outcome;
	size_t rounds;    /* of answering */
	size_t questions;
	size_t first;     /* questions in the second round: those of the record */
	size_t memory;
};

enum order { TOGETHER, OLDEST_FIRST, NEWEST_FIRST };

/* Answers one pending question only, or all. */
static void answer(struct questions *qs, const struct zone *zone, enum order order)
{
	if (order == TOGETHER) {
		assert_true(zone_driver_answer(qs, zone) > 0);
		return;
	}
	size_t count = questions_count(qs);
	for (size_t i = 0; i < count; i++) {
		struct question *q = questions_at(qs, (uint32_t)(order == OLDEST_FIRST ? i : count - 1 - i));
		if (q->answer != NULL)
			continue;
		struct answer a = zone_lookup(zone, q->name, q->type);
		question_answer(qs, q->index, &a);
		return;
	}
	fail_msg("it waits, but has asked nothing");
}

static struct evaluation evaluate(struct arena *arena, const struct zone *zone,
				  const struct spf_engine *engine, const struct spf_request *request,
				  enum order order)
{
	struct evaluation e = { 0 };
	struct questions *qs = questions_create(arena);
	struct spf_check *check = spf_check_begin(arena, qs, engine, request);
	while (spf_check_step(check) == STEP_NEED) {
		if (e.rounds == 1)
			e.first = questions_pending(qs);
		answer(qs, zone, order);
		if (++e.rounds > 2000)
			fail_msg("no end");
	}
	e.outcome = *spf_check_outcome(check);
	e.questions = questions_count(qs);
	e.memory = arena_size(arena);
	return e;
}

static struct spf_request request(const char *ip, const char *helo, const char *from)
{
	struct spf_request r = { .helo = slice_str(helo), .now = 1700000000, .needed = PHASE_MAIL };
	r.limits = spf_default_limits;
	r.receiver = SLICE("mx.example.net");
	assert_true(ip_parse(slice_str(ip), &r.client));
	spf_request_mail_from(&r, slice_str(from));
	return r;
}

static const char zone_text[] =
	"good.org TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
	"wide.org TXT \"v=spf1 a mx include:good.org exists:%{i}.list.org ptr:x.org -all exp=why.org\"\n"
	"wide.org A 198.51.100.1\nwide.org MX 0 m1.wide.org\nwide.org MX 0 m2.wide.org\n"
	"m1.wide.org A 198.51.100.2\nm2.wide.org A 198.51.100.3\n"
	"why.org TXT \"no %{i} for %{p}\"\n"
	"192.0.2.77.list.org A 127.0.0.2\n"
	"1.113.0.203.in-addr.arpa PTR h.x.org\nh.x.org A 203.0.113.1\n"
	"2.113.0.203.in-addr.arpa PTR h.y.org\nh.y.org A 203.0.113.2\n"
	"sure.org TXT \"v=spf1 ip4:192.0.2.1 a mx include:a.org -all\"\n"
	"all.org TXT \"v=spf1 all a mx\"\n"
	"loop.org TXT \"v=spf1 include:loop.org\"\n"
	"ring.org TXT \"v=spf1 redirect=ring.org\"\n"
	"none.org TXT \"hello\"\n"
	"incnone.org TXT \"v=spf1 include:none.org -all\"\n"
	"two.org TXT \"v=spf1 -all\"\ntwo.org TXT \"v=spf1 a\"\n"
	";! dead.org SERVFAIL\n"
	"incdead.org TXT \"v=spf1 include:dead.org -all\"\n"
	"mxdead.org TXT \"v=spf1 mx -all\"\nmxdead.org MX 0 dead.org\nmxdead.org MX 1 m1.wide.org\n"
	"ptrdead.org TXT \"v=spf1 ptr -all\"\n;! 3.113.0.203.in-addr.arpa SERVFAIL\n"
	"voids.org TXT \"v=spf1 a:v1.org a:v2.org mx:v3.org ?all\"\n"
	"six.org TXT \"v=spf1 a/24//64 -all\"\nsix.org AAAA 2001:db8::1\n"
	"mapped.org TXT \"v=spf1 ip6:::ffff:192.0.2.1 -all\"\n"
	"star.org TXT \"v=spf1 exists:%{l}.%{o}.%{d} -all\"\n*.star.org.star.org A 127.0.0.1\n"
	"inner.org TXT \"v=spf1 ?include:good.org ~all\"\n"
	"to.org TXT \"v=spf1 exp=why.org redirect=denied.org\"\n"
	"denied.org TXT \"v=spf1 -all exp=denied-why.org\"\ndenied-why.org TXT \"denied %{d} %{o}\"\n"
	"exps.org TXT \"v=spf1 -all exp=good.exps.org\"\ngood.exps.org TXT \"one\"\ngood.exps.org TXT \"two\"\n"
	"noexp.org TXT \"v=spf1 -all exp=dead.org\"\n"
	"nullmx.org TXT \"v=spf1 mx -all\"\nnullmx.org MX 0 .\n"
	"sub.h.org TXT \"v=spf1 ptr -all\"\n";

static const struct evaluation_case {
	const char *ip, *helo, *from;
	const char *result, *mechanism, *explanation;
	unsigned lookups;
} evaluations[] = {
	{ "192.0.2.9", "h.org", "a@good.org", "pass", "ip4:192.0.2.0/24", "", 0 },
	{ "::ffff:192.0.2.9", "h.org", "a@good.org", "pass", "ip4:192.0.2.0/24", "", 0 },
	{ "192.0.2.9", "good.org", "", "pass", "ip4:192.0.2.0/24", "", 0 },
	{ "192.0.2.9", "good.org.", "", "pass", "ip4:192.0.2.0/24", "", 0 },
	{ "192.0.2.9", "h.org", "a@GOOD.org.", "pass", "ip4:192.0.2.0/24", "", 0 },
	{ "198.51.100.1", "h.org", "a@wide.org", "pass", "a", "", 1 },
	{ "198.51.100.3", "h.org", "a@wide.org", "pass", "mx", "", 2 },
	{ "192.0.2.9", "h.org", "a@wide.org", "pass", "include:good.org", "", 3 },
	{ "203.0.113.1", "h.org", "a@wide.org", "pass", "ptr:x.org", "", 5 },
	{ "203.0.113.2", "h.org", "a@wide.org", "fail", "-all", "no 203.0.113.2 for h.y.org", 5 },
	{ "203.0.113.4", "h.org", "a@wide.org", "fail", "-all", "no 203.0.113.4 for unknown", 5 },
	{ "192.0.2.1", "h.org", "a@sure.org", "pass", "ip4:192.0.2.1", "", 0 },
	{ "192.0.2.1", "h.org", "a@all.org", "pass", "all", "", 0 },
	{ "192.0.2.1", "h.org", "a@loop.org", "permerror", "", "", 10 },
	{ "192.0.2.1", "h.org", "a@ring.org", "permerror", "", "", 10 },
	{ "192.0.2.1", "h.org", "a@none.org", "none", "", "", 0 },
	{ "192.0.2.1", "h.org", "a@nowhere.org", "none", "", "", 0 },
	{ "192.0.2.1", "h.org", "a@org", "none", "", "", 0 },
	{ "192.0.2.1", "h.org", "a@[192.0.2.1]", "none", "", "", 0 },
	{ "192.0.2.1", "h", "", "none", "", "", 0 },
	{ "192.0.2.1", "", "", "none", "", "", 0 },
	{ "192.0.2.1", "h.org", "postmaster", "none", "", "", 0 },
	{ "192.0.2.1", "h.org", "a@incnone.org", "permerror", "", "", 1 },
	{ "192.0.2.1", "h.org", "a@two.org", "permerror", "", "", 0 },
	{ "192.0.2.1", "h.org", "a@dead.org", "temperror", "", "", 0 },
	{ "192.0.2.1", "h.org", "a@incdead.org", "temperror", "", "", 1 },
	{ "192.0.2.1", "h.org", "a@mxdead.org", "temperror", "", "", 1 },
	{ "198.51.100.2", "h.org", "a@mxdead.org", "pass", "mx", "", 1 },
	{ "203.0.113.3", "h.org", "a@ptrdead.org", "fail", "-all", "", 1 },
	{ "192.0.2.1", "h.org", "a@voids.org", "permerror", "", "", 3 },
	{ "2001:db8::2", "h.org", "a@six.org", "pass", "a/24//64", "", 1 },
	{ "2001:db8:0:1::2", "h.org", "a@six.org", "fail", "-all", "", 1 },
	{ "::ffff:192.0.2.1", "h.org", "a@mapped.org", "fail", "-all", "", 0 },
	{ "192.0.2.1", "h.org", "joe@star.org", "pass", "exists:%{l}.%{o}.%{d}", "", 1 },
	{ "192.0.2.1", "h.org", "\"a b\"@star.org", "pass", "exists:%{l}.%{o}.%{d}", "", 1 },
	{ "192.0.2.1", "h.org", "b\xc3\xbc@star.org", "fail", "-all", "", 1 },
	{ "192.0.2.1", "h.org", "a..b@star.org", "fail", "-all", "", 1 },
	{ "192.0.2.1", "h.org", "a@inner.org", "neutral", "?include:good.org", "", 1 },
	{ "10.0.0.1", "h.org", "a@inner.org", "softfail", "~all", "", 1 },
	{ "192.0.2.1", "h.org", "a@to.org", "fail", "-all", "denied denied.org to.org", 1 },
	{ "192.0.2.1", "h.org", "a@noexp.org", "fail", "-all", "", 0 },
	{ "192.0.2.1", "h.org", "a@exps.org", "fail", "-all", "", 0 },
	{ "192.0.2.1", "h.org", "a@nullmx.org", "fail", "-all", "", 1 },
	{ "203.0.113.1", "h.org", "a@sub.h.org", "fail", "-all", "", 1 },
};

/* In whatever order answers come, the outcome is the same. */
static void test_evaluations(void **state)
{
	(void)state;
	struct zone *zone = zone_of(zone_text);
	for (size_t i = 0; i < COUNT(evaluations); i++) {
		const struct evaluation_case *t = &evaluations[i];
		for (enum order order = TOGETHER; order <= NEWEST_FIRST; order++) {
			struct arena *arena = arena_create();
			struct spf_request r = request(t->ip, t->helo, t->from);
			struct evaluation e = evaluate(arena, zone, &spf_native, &r, order);
			const struct spf_fact *fact = &e.outcome.fact;
			char name[100];
			snprintf(name, sizeof(name), "%s from %s", t->from, t->ip);
			check_text(name, slice_str(auth_result_name(fact->result)), t->result);
			check_text(name, fact->mechanism, t->mechanism);
			check_text(name, fact->explanation, t->explanation);
			assert_int_equal(e.outcome.lookups, t->lookups);
			bool error = fact->result == AUTH_TEMPERROR || fact->result == AUTH_PERMERROR;
			assert_true(!error || fact->problem.len > 0);
			arena_destroy(&arena);
		}
	}
	zone_destroy(&zone);
}

/* What a record will ask for is asked for together. */
static void test_questions_together(void **state)
{
	static const struct {
		const char *ip, *from;
		size_t first, rounds, questions;
	} tests[] = {
		/* a, mx, include, exists, ptr; then the MX names; then the PTR name, then exp. */
		{ "203.0.113.2", "a@wide.org", 5, 5, 10 },
		{ "192.0.2.1", "a@sure.org", 0, 1, 1 }, /* the first term is sure to match */
		{ "192.0.2.1", "a@all.org", 0, 1, 1 },
		{ "192.0.2.1", "a@voids.org", 3, 2, 4 },
		{ "192.0.2.1", "a@loop.org", 0, 1, 1 },
	};
	(void)state;
	struct zone *zone = zone_of(zone_text);
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct arena *arena = arena_create();
		struct spf_request r = request(tests[i].ip, "h.org", tests[i].from);
		struct evaluation e = evaluate(arena, zone, &spf_native, &r, TOGETHER);
		assert_int_equal(e.first, tests[i].first);
		assert_int_equal(e.rounds, tests[i].rounds);
		assert_int_equal(e.questions, tests[i].questions);
		arena_destroy(&arena);
	}
	zone_destroy(&zone);
}

/* A tree of includes, each with many more. */
static void test_hostile_fan_out(void **state)
{
	(void)state;
	struct buf text = { 0 };
	for (int i = 0; i < 200; i++) {
		buf_printf(&text, "n%d.org TXT \"v=spf1", i);
		for (int k = 1; k <= 12; k++)
			buf_printf(&text, " %s:n%d.org", k % 2 ? "include" : "a", (i * 13 + k) % 200);
		buf_add_str(&text, " ?all\"\n");
	}
	struct zone *zone = zone_of(buf_cstr(&text));
	const struct spf_engine *const engines[] = { &spf_native, &spf_libspf2 };
	for (size_t i = 0; i < COUNT(engines); i++) {
		struct arena *arena = arena_create();
		struct spf_request r = request("192.0.2.1", "h.org", "a@n0.org");
		struct evaluation e = evaluate(arena, zone, engines[i], &r, TOGETHER);
		assert_int_equal(e.outcome.fact.result, AUTH_PERMERROR);
		assert_true(e.questions <= 21); /* the first, 10 terms, 10 asked ahead */
		arena_destroy(&arena);
	}
	buf_free(&text);
	zone_destroy(&zone);
}

/* A record of nearly 64 KB, its -all at the very end. */
static void test_long_record(void **state)
{
	(void)state;
	struct buf text = { 0 };
	buf_add_str(&text, "long.org TXT (\"v=spf1\"");
	for (int i = 0; i < 3000; i++)
		buf_printf(&text, " \" ip4:10.%d.%d.0/24\"", i / 256, i % 256);
	buf_add_str(&text, " \" -all\")\n");
	struct zone *zone = zone_of(buf_cstr(&text));
	struct arena *arena = arena_create();
	struct spf_request r = request("192.0.2.1", "h.org", "a@long.org");
	struct evaluation e = evaluate(arena, zone, &spf_native, &r, TOGETHER);
	check_text("long", e.outcome.fact.mechanism, "-all");
	assert_true(e.memory < 1024 * 1024);
	r = request("10.11.183.1", "h.org", "a@long.org");
	assert_int_equal(evaluate(arena, zone, &spf_native, &r, TOGETHER).outcome.fact.result, AUTH_PASS);
	/* libspf2 would cut it: it gets a shorter one. */
	r = request("192.0.2.1", "h.org", "a@long.org");
	assert_int_equal(evaluate(arena, zone, &spf_libspf2, &r, TOGETHER).outcome.fact.result, AUTH_FAIL);
	r = request("10.11.183.1", "h.org", "a@long.org");
	assert_int_equal(evaluate(arena, zone, &spf_libspf2, &r, TOGETHER).outcome.fact.result, AUTH_PASS);
	arena_destroy(&arena);
	buf_free(&text);
	zone_destroy(&zone);
}

/* What can't be made shorter is an error, not a record without its end. */
static void test_long_record_of_names(void **state)
{
	(void)state;
	struct buf text = { 0 };
	buf_add_str(&text, "names.org TXT (\"v=spf1\"");
	for (int i = 0; i < 200; i++)
		buf_printf(&text, " \" ?a:host-%d.example.org\"", i);
	buf_add_str(&text, " \" -all\")\n");
	struct zone *zone = zone_of(buf_cstr(&text));
	struct arena *arena = arena_create();
	struct spf_request r = request("192.0.2.1", "h.org", "a@names.org");
	assert_int_equal(evaluate(arena, zone, &spf_libspf2, &r, TOGETHER).outcome.fact.result, AUTH_PERMERROR);
	arena_destroy(&arena);
	buf_free(&text);
	zone_destroy(&zone);
}

static const struct {
	const char *ip, *record;
	bool networks;
	const char *rewritten;
} rewritings[] = {
	{ "192.0.2.1", "v=spf1 mx a:x.org/24 ip4:10.0.0.0/8 include:y.org -all", false,
	  "v=spf1 mx a:x.org/24 ip4:10.0.0.0/8 include:y.org -all" },
	{ "192.0.2.1", "v=spf1 ?all a exp=e.org ip4:1.2.3.4 redirect=x.org", false, "v=spf1 ?all exp=e.org" },
	{ "192.0.2.1", "v=spf1 redirect=x.org mx ~all", false, "v=spf1 mx ~all" },
	{ "192.0.2.1", "v=spf1 redirect=x.org mx", false, "v=spf1 mx redirect=x.org" },
	{ "192.0.2.1", "v=spf1 moo.cow=1 a", false, "v=spf1 a" },
	{ "192.0.2.1", "v=spf1 ?ip4:10.0.0.0/0 -all", false, "v=spf1 ?all" },
	{ "2001:db8::1", "v=spf1 ip4:10.0.0.0/0 -all", false, "v=spf1 -all" },
	{ "2001:db8::1", "v=spf1 ip6:::/0", false, "v=spf1 +all" },
	{ "192.0.2.1", "v=spf1 a/0 -mx:%{d}.x.org/0 -all", false, "v=spf1 +a:M.%{d} -mx:M.%{d}.x.org -all" },
	{ "2001:db8::1", "v=spf1 a/0//64 -all", false, "v=spf1 +a:%{d}//64 -all" },
	{ "192.0.2.1", "v=spf1 ~a:x.org/24//0", false, "v=spf1 ~a:x.org/24" },
	{ "192.0.2.1", "v=spf1 ip4:10.0.0.0/8 ip6:::1 ~ip4:192.0.2.0/24 -all", true, "v=spf1 ~all" },
	{ "192.0.2.1", "v=spf1 ip4:10.0.0.0/8 a -all", true, "v=spf1 a -all" },
};

static void test_rewriting(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < COUNT(rewritings); i++) {
		struct arena *arena = arena_create();
		struct spf_record record;
		struct spf_syntax_error error;
		struct spf_request r = request(rewritings[i].ip, "h.org", "a@x.org");
		struct spf_rewriting how = { &r.client, SLICE("M."), rewritings[i].networks };
		assert_true(spf_record_check(slice_str(rewritings[i].record), &record, &error));
		struct slice got = spf_rewrite(arena, &record, &how);
		if (!slice_eq(got, slice_str(rewritings[i].rewritten))) {
			print_error("%s: %.*s\n", rewritings[i].record, SLICE_ARG(got));
			bad++;
		}
		arena_destroy(&arena);
	}
	assert_int_equal(bad, 0);
}

static void test_limits_are_settings(void **state)
{
	(void)state;
	struct zone *zone = zone_of(zone_text);
	struct arena *arena = arena_create();
	struct spf_request r = request("192.0.2.1", "h.org", "a@voids.org");
	r.limits.voids = 3;
	assert_int_equal(evaluate(arena, zone, &spf_native, &r, TOGETHER).outcome.fact.result, AUTH_NEUTRAL);
	r = request("203.0.113.2", "h.org", "a@wide.org");
	r.limits.terms = 4;
	assert_int_equal(evaluate(arena, zone, &spf_native, &r, TOGETHER).outcome.fact.result, AUTH_PERMERROR);
	r = request("198.51.100.3", "h.org", "a@wide.org");
	r.limits.mx_names = 1;
	assert_int_equal(evaluate(arena, zone, &spf_native, &r, TOGETHER).outcome.fact.result, AUTH_PERMERROR);
	arena_destroy(&arena);
	zone_destroy(&zone);
}

/* Answered by "time is up", it ends at once. */
static void test_give_up(void **state)
{
	(void)state;
	const struct spf_engine *const engines[] = { &spf_native, &spf_libspf2 };
	for (size_t i = 0; i < COUNT(engines); i++) {
		struct arena *arena = arena_create();
		struct questions *qs = questions_create(arena);
		struct spf_request r = request("203.0.113.2", "h.org", "a@wide.org");
		struct spf_check *check = spf_check_begin(arena, qs, engines[i], &r);
		assert_int_equal(spf_check_step(check), STEP_NEED);
		assert_int_equal(spf_check_step(check), STEP_NEED);
		assert_int_equal(questions_count(qs), 1);
		questions_give_up(qs, "deadline");
		assert_int_equal(spf_check_step(check), STEP_DONE);
		assert_int_equal(spf_check_step(check), STEP_DONE);
		assert_int_equal(spf_check_outcome(check)->fact.result, AUTH_TEMPERROR);
		assert_true(spf_check_outcome(check)->fact.problem.len > 0);
		arena_destroy(&arena);
	}
}

/* The second engine agrees where it can. */
static void test_libspf2(void **state)
{
	(void)state;
	struct zone *zone = zone_of(zone_text);
	size_t same = 0;
	for (size_t i = 0; i < COUNT(evaluations); i++) {
		const struct evaluation_case *t = &evaluations[i];
		struct arena *arena = arena_create();
		struct spf_request r = request(t->ip, t->helo, t->from);
		struct evaluation e = evaluate(arena, zone, &spf_libspf2, &r, TOGETHER);
		bool equal = strcmp(auth_result_name(e.outcome.fact.result), t->result) == 0;
		if (!equal)
			printf("# libspf2: %s from %s: %s, not %s\n", t->from, t->ip,
			       auth_result_name(e.outcome.fact.result), t->result);
		same += equal;
		arena_destroy(&arena);
	}
	printf("# count: libspf2 %zu of %zu\n", same, COUNT(evaluations));
	assert_true(same >= COUNT(evaluations) * 9 / 10);
	zone_destroy(&zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_macro_domain),
		cmocka_unit_test(test_macro_edges),
		cmocka_unit_test(test_macro_truncation),
		cmocka_unit_test(test_explanation),
		cmocka_unit_test(test_explanation_too_long),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_terms),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_evaluations),
		cmocka_unit_test(test_questions_together),
		cmocka_unit_test(test_hostile_fan_out),
		cmocka_unit_test(test_long_record),
		cmocka_unit_test(test_long_record_of_names),
		cmocka_unit_test(test_rewriting),
		cmocka_unit_test(test_limits_are_settings),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_libspf2),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
