/* DMARC on facts made by hand. The suites run in tests/unit/test_dmarc_suite.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "filters/dmarc.h"
#include "filters/dmarc_check.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/zone_driver.h"

#define D(name, text) "_dmarc." name ". TXT \"" text "\"\n"
#define REJECT_ORG D("example.org", "v=DMARC1; p=reject")

static const struct {
	const char *what, *zone, *from;
	const char *spf;                 /* "pass domain", "temperror domain" … or NULL */
	const char *dkim;                /* the same, several with commas */
	enum dmarc_method method;
	enum auth_result result;
	enum dmarc_policy policy, disposition;
	const char *policy_domain, *organisational;
} cases[] = {
	{ "no record", "", "example.org", .spf = "pass example.org", .result = AUTH_NONE,
	  .disposition = DMARC_POLICY_NONE, .organisational = "example.org" },
	{ "SPF passes, same domain", REJECT_ORG, "example.org", .spf = "pass example.org",
	  .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE,
	  .policy_domain = "example.org" },
	{ "SPF passes, subdomain", REJECT_ORG, "example.org", .spf = "pass mail.example.org",
	  .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE },
	{ "SPF passes, parent", REJECT_ORG, "mail.example.org", .spf = "pass example.org",
	  .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE,
	  .policy_domain = "example.org", .organisational = "example.org" },
	{ "DKIM passes, sibling", REJECT_ORG, "news.example.org", .dkim = "pass foo.example.org",
	  .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE },
	{ "one of several DKIM passes is aligned", REJECT_ORG, "example.org",
	  .dkim = "fail example.org,pass other.example,pass example.org", .result = AUTH_PASS,
	  .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE },
	{ "another's pass", REJECT_ORG, "example.org", .spf = "pass other.example",
	  .dkim = "pass evil.example", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "a name that only ends like it", REJECT_ORG, "example.org", .dkim = "pass badexample.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "only the top-level domain in common", REJECT_ORG, "example.org", .dkim = "pass org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "nothing passes", REJECT_ORG, "example.org", .spf = "fail example.org", .dkim = "fail example.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "softfail is not pass", REJECT_ORG, "example.org", .spf = "softfail example.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "strict SPF", D("example.org", "v=DMARC1; p=reject; aspf=s"), "example.org",
	  .spf = "pass mail.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "strict SPF, relaxed DKIM", D("example.org", "v=DMARC1; p=reject; aspf=s"), "example.org",
	  .spf = "pass mail.example.org", .dkim = "pass mail.example.org", .result = AUTH_PASS,
	  .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE },
	{ "strict DKIM", D("example.org", "v=DMARC1; p=reject; adkim=s"), "example.org",
	  .dkim = "pass mail.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "strict, same domain", D("example.org", "v=DMARC1; p=reject; adkim=s; aspf=s"), "example.org",
	  .dkim = "pass example.org", .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_NONE },
	{ "psd=n below splits the organisation",
	  REJECT_ORG D("dept.example.org", "v=DMARC1; p=quarantine; psd=n"), "example.org",
	  .dkim = "pass dept.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "within the split part", REJECT_ORG D("dept.example.org", "v=DMARC1; p=quarantine; psd=n"),
	  "a.dept.example.org", .dkim = "pass b.dept.example.org", .result = AUTH_PASS,
	  .policy = DMARC_POLICY_QUARANTINE, .disposition = DMARC_POLICY_NONE,
	  .organisational = "dept.example.org", .policy_domain = "dept.example.org" },
	{ "two customers of a public suffix with psd=y", D("hosting.example", "v=DMARC1; p=reject; psd=y"),
	  "good.hosting.example", .dkim = "pass evil.hosting.example", .result = AUTH_FAIL,
	  .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT,
	  .organisational = "good.hosting.example", .policy_domain = "hosting.example" },
	{ "own record of a subdomain, aligned above", REJECT_ORG D("mail.example.org", "v=DMARC1; p=none"),
	  "mail.example.org", .dkim = "pass example.org", .result = AUTH_PASS, .policy = DMARC_POLICY_NONE,
	  .disposition = DMARC_POLICY_NONE, .organisational = "example.org" },
	{ "sp for a subdomain",
	  D("example.org", "v=DMARC1; p=reject; sp=none") "mail.example.org. A 192.0.2.1\n",
	  "mail.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_NONE,
	  .disposition = DMARC_POLICY_NONE },
	{ "sp not for the domain itself", D("example.org", "v=DMARC1; p=reject; sp=none"), "example.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "sp of a subdomain's own record is ignored",
	  D("mail.example.org", "v=DMARC1; p=quarantine; sp=reject") REJECT_ORG, "mail.example.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_QUARANTINE, .disposition = DMARC_POLICY_QUARANTINE },
	{ "np for a name that isn't", D("example.org", "v=DMARC1; p=none; sp=quarantine; np=reject"),
	  "nothing.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "np not for a name that is",
	  D("example.org", "v=DMARC1; p=none; sp=quarantine; np=reject") "here.example.org. TXT \"x\"\n",
	  "here.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_QUARANTINE,
	  .disposition = DMARC_POLICY_QUARANTINE },
	{ "np not for a name with names below it",
	  D("example.org", "v=DMARC1; p=none; sp=quarantine; np=reject") "x.here.example.org. A 192.0.2.1\n",
	  "here.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_QUARANTINE,
	  .disposition = DMARC_POLICY_QUARANTINE },
	{ "np when it can't be told",
	  D("example.org", "v=DMARC1; p=none; sp=quarantine; np=reject") ";! here.example.org SERVFAIL A\n",
	  "here.example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_QUARANTINE,
	  .disposition = DMARC_POLICY_QUARANTINE },
	{ "t=y lowers reject", D("example.org", "v=DMARC1; p=reject; t=y"), "example.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_QUARANTINE },
	{ "t=y lowers quarantine", D("example.org", "v=DMARC1; p=quarantine; t=y"), "example.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_QUARANTINE, .disposition = DMARC_POLICY_NONE },
	{ "pct is gone", D("example.org", "v=DMARC1; p=reject; pct=0"), "example.org", .result = AUTH_FAIL,
	  .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "pct with psl", D("example.org", "v=DMARC1; p=reject; pct=0"), "example.org", .method = DMARC_PSL,
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_QUARANTINE },
	{ "a bad record", D("example.org", "v=DMARC1; p=bogus"), "example.org", .dkim = "pass example.org",
	  .result = AUTH_PERMERROR, .disposition = DMARC_POLICY_NONE },
	{ "a bad record with rua", D("example.org", "v=DMARC1; p=bogus; rua=mailto:a@example.org"),
	  "example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_NONE, .disposition = DMARC_POLICY_NONE },
	{ "two records", D("example.org", "v=DMARC1; p=reject") D("example.org", "v=DMARC1; p=none"),
	  "example.org", .result = AUTH_NONE, .disposition = DMARC_POLICY_NONE },
	{ "a record in two strings", "_dmarc.example.org. TXT \"v=DMARC1; p=rej\" \"ect\"\n", "example.org",
	  .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "a record behind a CNAME",
	  "_dmarc.example.org. CNAME policy.example.net.\npolicy.example.net. TXT \"v=DMARC1; p=reject\"\n",
	  "example.org", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "the record can't be looked up", ";! _dmarc.example.org SERVFAIL\n", "example.org",
	  .dkim = "pass example.org", .result = AUTH_TEMPERROR, .disposition = DMARC_POLICY_NONE },
	{ "the organisation can't be looked up", ";! _dmarc.example.org TIMEOUT\n", "mail.example.org",
	  .result = AUTH_TEMPERROR, .disposition = DMARC_POLICY_NONE },
	{ "above can't be looked up, aligned all the same", REJECT_ORG ";! _dmarc.org SERVFAIL\n",
	  "example.org", .dkim = "pass example.org", .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_NONE },
	{ "above can't be looked up, nothing could be aligned", REJECT_ORG ";! _dmarc.org SERVFAIL\n",
	  "example.org", .spf = "pass evil.example", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "above can't be looked up, may be aligned", REJECT_ORG ";! _dmarc.org SERVFAIL\n", "example.org",
	  .spf = "pass mail.example.org", .result = AUTH_TEMPERROR, .disposition = DMARC_POLICY_NONE,
	  .policy = DMARC_POLICY_REJECT },
	{ "another's walk fails, and doesn't matter", REJECT_ORG ";! _dmarc.evil.example SERVFAIL\n",
	  "example.org", .dkim = "pass evil.example", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "the identifier's walk fails", REJECT_ORG ";! _dmarc.mail.example.org SERVFAIL\n", "example.org",
	  .dkim = "pass mail.example.org", .result = AUTH_TEMPERROR, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_NONE },
	{ "an aligned signature could not be checked", REJECT_ORG, "example.org",
	  .dkim = "temperror example.org", .result = AUTH_TEMPERROR, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_NONE },
	{ "another's signature could not be checked", REJECT_ORG, "example.org",
	  .spf = "temperror other.example", .dkim = "temperror evil.example", .result = AUTH_FAIL,
	  .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT },
	{ "SPF could not be checked, DKIM passes", REJECT_ORG, "example.org", .spf = "temperror example.org",
	  .dkim = "pass example.org", .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_NONE },
	{ "one-letter labels", D("x.y", "v=DMARC1; p=reject"), "a.x.y", .dkim = "pass b.x.y",
	  .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE },
	{ "IDN", D("xn--bcher-kva.example", "v=DMARC1; p=reject"),
	  "b\xc3\xbc"
	  "cher.example",
	  .dkim = "pass xn--bcher-kva.example", .result = AUTH_PASS, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_NONE },
	{ "a public suffix as author, psl", D("co.uk", "v=DMARC1; p=reject"), "co.uk", .method = DMARC_PSL,
	  .dkim = "pass example.co.uk", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT, .organisational = "co.uk" },
	{ "organisations by psl", D("example.co.uk", "v=DMARC1; p=reject"), "a.b.example.co.uk",
	  .method = DMARC_PSL, .dkim = "pass c.example.co.uk", .result = AUTH_PASS,
	  .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_NONE, .organisational = "example.co.uk",
	  .policy_domain = "example.co.uk" },
	{ "psl keeps neighbours apart", D("a.co.uk", "v=DMARC1; p=reject"), "a.co.uk", .method = DMARC_PSL,
	  .dkim = "pass b.co.uk", .result = AUTH_FAIL, .policy = DMARC_POLICY_REJECT,
	  .disposition = DMARC_POLICY_REJECT },
	{ "psl does not look between", D("b.example.org", "v=DMARC1; p=reject"), "a.b.example.org",
	  .method = DMARC_PSL, .result = AUTH_NONE, .disposition = DMARC_POLICY_NONE },
	{ "the walk does", D("b.example.org", "v=DMARC1; p=reject"), "a.b.example.org", .result = AUTH_FAIL,
	  .policy = DMARC_POLICY_REJECT, .disposition = DMARC_POLICY_REJECT,
	  .organisational = "b.example.org" },
};

static enum auth_result result_named(struct slice name)
{
	for (int r = AUTH_NONE; r <= AUTH_PERMERROR; r++)
		if (slice_eq(name, slice_str(auth_result_name((enum auth_result)r))))
			return (enum auth_result)r;
	abort();
}

static void set_facts(struct scan *scan, const char *spf, const char *dkim)
{
	struct slice rest = slice_str(dkim), item;
	scan->facts.dkim = arena_array(scan->arena, struct dkim_fact, 8);
	scan->facts.dkim_known = true;
	while (slice_split(&rest, ',', &item)) {
		size_t space = slice_chr(item, ' ');
		scan->facts.dkim[scan->facts.dkim_count++] = (struct dkim_fact){
			.result = result_named(slice_head(item, space)),
			.domain = slice_from(item, space + 1),
		};
	}
	if (spf != NULL) {
		size_t space = slice_chr(slice_str(spf), ' ');
		scan->facts.spf.result = result_named(slice_head(slice_str(spf), space));
		scan->facts.spf.domain = slice_from(slice_str(spf), space + 1);
	}
}

static struct dmarc_settings defaults(void)
{
	return (struct dmarc_settings){
		.common = { .enabled = true }, .reject = DMARC_DO_REJECT, .quarantine = DMARC_DO_QUARANTINE,
		.arc = true, .text = SLICE("%{d} says no, by %{p}"),
	};
}

static struct scan *run(struct arena *arena, const struct dmarc_settings *settings, const char *zone_lines,
			const char *from, const char *spf, const char *dkim)
{
	struct zone *zone = zone_of(zone_lines);
	struct filter_choice choice = { &dmarc_filter, settings };
	struct scan *scan = one_filter_scan(arena, &choice, 1, 1700000000);
	ip_parse(SLICE("192.0.2.66"), &scan->client.ip);
	set_facts(scan, spf, dkim);
	one_filter_message(scan, arena_printf(arena, "From: a@%s\r\n\r\nx\r\n", from), 0, zone);
	zone_destroy(&zone);
	return scan;
}

static bool text_is(struct slice got, const char *want)
{
	return want == NULL || slice_eq(got, slice_str(want));
}

static void test_cases(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_create();
		struct dmarc_settings settings = defaults();
		settings.method = cases[i].method;
		struct scan *scan =
		    run(arena, &settings, cases[i].zone, cases[i].from, cases[i].spf, cases[i].dkim);
		const struct dmarc_fact *f = &scan->facts.dmarc;
		if (f->result != cases[i].result || f->policy != cases[i].policy ||
		    f->disposition != cases[i].disposition ||
		    !text_is(f->policy_domain, cases[i].policy_domain) ||
		    !text_is(f->organisational, cases[i].organisational)) {
			print_error(
			    "%s: %s, policy %s of \"%.*s\", disposition %s, organisation \"%.*s\": %.*s\n",
			    cases[i].what, auth_result_name(f->result), dmarc_policy_name(f->policy),
			    SLICE_ARG(f->policy_domain), dmarc_policy_name(f->disposition),
			    SLICE_ARG(f->organisational), SLICE_ARG(f->reason));
			bad++;
		}
		arena_destroy(&arena);
	}
	printf("# count: DMARC by RFC 9989: %zu of %zu\n", sizeof(cases) / sizeof(cases[0]) - (size_t)bad,
	       sizeof(cases) / sizeof(cases[0]));
	assert_int_equal(bad, 0);
}

/* What comes of a failure under the settings. */
static void test_actions(void **state)
{
	(void)state;
	static const struct {
		const char *what, *record;
		int reject, quarantine;
		enum on_error on_error;
		const char *symbol;
		enum action action;
	} actions[] = {
		{ "reject", "v=DMARC1; p=reject", DMARC_DO_REJECT, DMARC_DO_QUARANTINE, 0,
		  "DMARC_FAIL_REJECT", ACTION_REJECT },
		{ "reject as quarantine", "v=DMARC1; p=reject", DMARC_DO_QUARANTINE, DMARC_SCORE, 0,
		  "DMARC_FAIL_REJECT", ACTION_QUARANTINE },
		{ "reject as score", "v=DMARC1; p=reject", DMARC_SCORE, DMARC_DO_REJECT, 0,
		  "DMARC_FAIL_REJECT", ACTION_NONE },
		{ "quarantine", "v=DMARC1; p=quarantine", DMARC_DO_REJECT, DMARC_DO_QUARANTINE, 0,
		  "DMARC_FAIL_QUARANTINE", ACTION_QUARANTINE },
		{ "quarantine as reject", "v=DMARC1; p=quarantine", DMARC_SCORE, DMARC_DO_REJECT, 0,
		  "DMARC_FAIL_QUARANTINE", ACTION_REJECT },
		{ "none", "v=DMARC1; p=none", DMARC_DO_REJECT, DMARC_DO_REJECT, 0, "DMARC_FAIL_NONE",
		  ACTION_NONE },
		{ "reject in test", "v=DMARC1; p=reject; t=y", DMARC_DO_REJECT, DMARC_DO_QUARANTINE, 0,
		  "DMARC_FAIL_QUARANTINE", ACTION_QUARANTINE },
		{ "skip", NULL, DMARC_DO_REJECT, DMARC_DO_REJECT, ON_ERROR_SKIP, "DMARC_TEMPERROR",
		  ACTION_NONE },
		{ "defer", NULL, DMARC_DO_REJECT, DMARC_DO_REJECT, ON_ERROR_DEFER, "DMARC_TEMPERROR",
		  ACTION_DEFER },
	};
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		struct arena *arena = arena_create();
		struct dmarc_settings settings = defaults();
		settings.reject = actions[i].reject;
		settings.quarantine = actions[i].quarantine;
		settings.common.on_error = actions[i].on_error;
		struct slice zone =
		    actions[i].record
			? arena_printf(arena, "_dmarc.example.org. TXT \"%s\"\n", actions[i].record)
			: SLICE(";! _dmarc.example.org SERVFAIL\n");
		struct scan *scan = run(arena, &settings, zone.data, "example.org", NULL, NULL);
		const struct hit *hit = hits_find(&scan->hits, actions[i].symbol);
		if (hit == NULL || hit->action != actions[i].action)
			fail_msg("%s", actions[i].what);
		if (hit->action == ACTION_REJECT) {
			assert_int_equal(hit->refusal.code, 550);
			assert_string_equal(hit->refusal.enhanced, "5.7.26");
			assert_true(
			    slice_eq(hit->refusal.text, SLICE("example.org says no, by example.org")));
		}
		arena_destroy(&arena);
	}
}

static void test_overrides(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice listed = SLICE("example.org"), forwarder = SLICE("lists.example");
	struct cidr host;
	assert_true(cidr_parse(SLICE("192.0.2.66"), &host));
	struct dmarc_settings settings = defaults();
	settings.local_override = (struct slice_list){ &listed, 1 };
	struct scan *scan = run(arena, &settings, REJECT_ORG, "example.org", NULL, NULL);
	assert_true(scan->facts.dmarc.local_override);
	assert_int_equal(scan->facts.dmarc.result, AUTH_FAIL);
	assert_int_equal(scan->facts.dmarc.disposition, DMARC_POLICY_NONE);
	assert_non_null(hits_find(&scan->hits, "DMARC_OVERRIDE"));
	assert_null(hits_find(&scan->hits, "DMARC_FAIL_REJECT"));

	settings = defaults();
	settings.forwarders = (struct slice_list){ &forwarder, 1 };
	scan = run(arena, &settings, REJECT_ORG, "example.org", "pass lists.example", NULL);
	assert_true(scan->facts.dmarc.local_override);
	scan = run(arena, &settings, REJECT_ORG, "example.org", "fail lists.example", NULL);
	assert_false(scan->facts.dmarc.local_override);
	assert_int_equal(scan->facts.dmarc.disposition, DMARC_POLICY_REJECT);

	settings = defaults();
	settings.forwarder_hosts = (struct cidr_list){ &host, 1 };
	scan = run(arena, &settings, REJECT_ORG, "example.org", NULL, NULL);
	assert_true(scan->facts.dmarc.local_override);
	arena_destroy(&arena);
}

static void test_arc(void **state)
{
	(void)state;
	static const struct {
		const char *authres;
		bool trusted, mended;
	} chains[] = {
		{ " lists.example; dmarc=pass header.from=example.org", true, true },
		{ " lists.example; dmarc=pass (p=reject) header.from=Example.ORG; spf=fail", true, true },
		{ " lists.example; dmarc=pass header.from=example.org", false, false },
		{ " lists.example; dmarc=pass header.from=other.example", true, false },
		{ " lists.example; dmarc=pass", true, false },
		{ " lists.example; dmarc=fail header.from=example.org; dkim=pass header.d=example.org", true,
		  false },
		{ " lists.example; dkim=pass header.d=mail.example.org", true, true },
		{ " lists.example; dkim=pass header.i=@example.org", true, true },
		{ " lists.example; dkim=pass header.d=other.example", true, false },
		{ " lists.example; dkim=fail header.d=example.org", true, false },
		{ " lists.example; spf=pass smtp.mailfrom=a@example.org", true, true },
		{ " lists.example; spf=pass smtp.mailfrom=other.example", true, false },
		{ " lists.example; none", true, false },
		{ "", true, false },
		{ "nonsense (", true, false },
	};
	struct zone *zone = zone_of(REJECT_ORG);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		struct arena *arena = arena_create();
		struct dmarc_settings settings = defaults();
		struct filter_choice choice = { &dmarc_filter, &settings };
		struct scan *scan = one_filter_scan(arena, &choice, 1, 1700000000);
		scan->facts.arc = (struct arc_fact){ .result = AUTH_PASS, .sealer = SLICE("lists.example"),
						     .authres = slice_str(chains[i].authres),
						     .trusted = chains[i].trusted };
		one_filter_message(scan, SLICE("From: a@example.org\r\n\r\n"), 0, zone);
		if (scan->facts.dmarc.arc_override != chains[i].mended ||
		    (scan->facts.dmarc.disposition == DMARC_POLICY_NONE) != chains[i].mended)
			fail_msg("\"%s\"", chains[i].authres);
		arena_destroy(&arena);
	}
	zone_destroy(&zone);
}

/* All names of the walk go out at once, before any is answered. */
static void test_asked_together(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct dmarc_settings settings = defaults();
	struct filter_choice choice = { &dmarc_filter, &settings };
	struct scan *scan = one_filter_scan(arena, &choice, 1, 1700000000);
	ip_parse(SLICE("192.0.2.66"), &scan->client.ip);
	scan->envelope.sender.domain = SLICE("bounce.example.org");
	message_parse(&scan->message, arena,
		      SLICE("DKIM-Signature: v=1; d=Mail.example.org; s=x\r\nFrom: "
			    "a@a.b.c.d.e.f.g.h.example.org\r\n\r\n"),
		      100);
	pipeline_enter(scan, PHASE_HEADERS);
	assert_int_equal(pipeline_advance(scan, PHASE_HEADERS), PIPELINE_DONE);
	/* eight of the walk, the author domain's existence, one each for bounce and mail */
	assert_int_equal(questions_count(scan->questions), 8 + 1 + 2);
	arena_destroy(&arena);
}

static void test_passed_over(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct dmarc_settings settings = defaults();
	struct filter_choice choice = { &dmarc_filter, &settings };
	struct zone *zone = zone_of(REJECT_ORG);
	struct scan *scan = one_filter_scan(arena, &choice, 1, 1700000000);
	scan->client.login = SLICE("somebody");
	one_filter_message(scan, SLICE("From: a@example.org\r\n\r\n"), 0, zone);
	assert_int_equal(scan->facts.dmarc.result, AUTH_UNKNOWN);
	assert_int_equal(scan->hits.count, 0);
	scan = one_filter_scan(arena, &choice, 1, 1700000000);
	ip_parse(SLICE("10.1.2.3"), &scan->client.ip);
	scan->client.trusted = true; /* and no Received field: it comes from within */
	one_filter_message(scan, SLICE("From: a@example.org\r\n\r\n"), 0, zone);
	assert_int_equal(scan->facts.dmarc.result, AUTH_UNKNOWN);
	scan = one_filter_scan(arena, &choice, 1, 1700000000);
	one_filter_message(scan, SLICE("From: a@example.org, b@example.net\r\n\r\n"), 0, zone);
	assert_int_equal(scan->facts.dmarc.result, AUTH_NONE);
	assert_non_null(hits_find(&scan->hits, "DMARC_NO_AUTHOR"));
	zone_destroy(&zone);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_arc),
		cmocka_unit_test(test_asked_together),
		cmocka_unit_test(test_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
