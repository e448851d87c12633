/* The filters spf and iprev in the pipeline, and the Received-SPF field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "filters/registry.h"
#include "filters/spf.h"
#include "message/received_spf.h"
#include "tests/lib/zone_driver.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char zone_text[] =
	"pass.org TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
	"fail.org TXT \"v=spf1 -all exp=why.fail.org\"\nwhy.fail.org TXT \"ask %{r}\"\n"
	"plain.org TXT \"v=spf1 -all\"\n"
	"soft.org TXT \"v=spf1 ~all\"\n"
	"bad.org TXT \"v=spf1 moo\"\n"
	";! dead.org SERVFAIL\n"
	"1.2.0.192.in-addr.arpa PTR h.pass.org\nh.pass.org A 192.0.2.1\nh.pass.org TXT \"v=spf1 a -all\"\n"
	"2.2.0.192.in-addr.arpa PTR lie.org\nlie.org A 198.51.100.1\n"
	"4.2.0.192.in-addr.arpa PTR lie.org\n4.2.0.192.in-addr.arpa PTR true.org\ntrue.org A 192.0.2.4\n"
	";! 5.2.0.192.in-addr.arpa SERVFAIL\n"
	"6.2.0.192.in-addr.arpa PTR dead.org\n"
	"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR six.org\n"
	"six.org AAAA 2001:db8::1\n";

struct test {
	struct arena *arena;
	struct snapshot *snapshot;
	struct scan *scan;
	struct zone *zone;
};

struct mail {
	const char *config;    /* beside hostname and relay */
	const char *ip, *helo, *from;
	const char *login;
};

static struct slice slice_of(const char *s)
{
	return s != NULL ? slice_str(s) : SLICE_EMPTY;
}

static struct snapshot *snapshot_of(const char *text)
{
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct slice all = arena_printf(arena,
					"hostname = mx.our.org\n"
					"relay { domains = {our.org} networks = {10.0.0.0/8} }\n%s",
					text ? text : "");
	struct config *config = config_read(arena, "-", all, filter_sections(), &errors);
	if (config == NULL)
		fail_msg("line %u: %.*s", errors.list[0].line, SLICE_ARG(errors.list[0].message));
	return snapshot_create(config, NULL, 1);
}

/* CONNECT, HELO and MAIL of this mail. */
static struct test begin(const struct mail *mail)
{
	struct test t = { .arena = arena_create(), .zone = zone_of(zone_text) };
	t.snapshot = snapshot_of(mail->config);
	t.scan = scan_create(t.arena, t.snapshot, 1700000000);
	struct client *client = &t.scan->client;
	struct mailbox *sender = &t.scan->envelope.sender;
	const struct config_relay *relay = t.snapshot->config->relay;
	assert_true(ip_parse(slice_str(mail->ip), &client->ip));
	client->relay_network = cidr_list_has(relay->networks.items, relay->networks.count, &client->ip);
	const struct cidr_list *trusted = &t.snapshot->config->networks->trusted;
	client->trusted = cidr_list_has(trusted->items, trusted->count, &client->ip);
	pipeline_begin(t.scan);
	pipeline_enter(t.scan, PHASE_CONNECT);
	zone_driver_run(t.scan, PHASE_CONNECT, t.zone);
	client->helo = slice_str(mail->helo);
	pipeline_enter(t.scan, PHASE_HELO);
	zone_driver_run(t.scan, PHASE_HELO, t.zone);
	client->login = slice_of(mail->login);
	sender->text = slice_str(mail->from);
	size_t at = slice_rchr(sender->text, '@');
	sender->domain = at == SLICE_NPOS ? SLICE_EMPTY : slice_from(sender->text, at + 1);
	pipeline_enter(t.scan, PHASE_MAIL);
	zone_driver_run(t.scan, PHASE_MAIL, t.zone);
	return t;
}

static void end(struct test *t)
{
	arena_destroy(&t->arena);
	snapshot_release(&t->snapshot);
	zone_destroy(&t->zone);
}

static const struct hit *need_hit(const struct test *t, const char *symbol)
{
	const struct hit *hit = hits_find(&t->scan->hits, symbol);
	if (hit == NULL)
		fail_msg("no %s", symbol);
	return hit;
}

static void need_text(struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static void test_results(void **state)
{
	static const struct {
		struct mail mail;
		const char *symbol;
		unsigned code;         /* 0: it only scores */
		const char *enhanced;
	} tests[] = {
		{ { NULL, "192.0.2.1", "h.pass.org", "a@pass.org", NULL }, "SPF_PASS", 0, NULL },
		{ { NULL, "192.0.2.1", "h.pass.org", "a@fail.org", NULL }, "SPF_FAIL", 0, NULL },
		{ { NULL, "192.0.2.1", "h.pass.org", "a@soft.org", NULL }, "SPF_SOFTFAIL", 0, NULL },
		{ { NULL, "192.0.2.1", "h.pass.org", "a@bad.org", NULL }, "SPF_PERMERROR", 0, NULL },
		{ { NULL, "192.0.2.1", "h.pass.org", "a@dead.org", NULL }, "SPF_TEMPERROR", 0, NULL },
		{ { NULL, "192.0.2.1", "h.pass.org", "a@nowhere.org", NULL }, "SPF_NONE", 0, NULL },
		{ { NULL, "192.0.2.1", "h.pass.org", "a@fail.org", NULL }, "SPF_HELO_PASS", 0, NULL },
		{ { NULL, "192.0.2.2", "fail.org", "a@pass.org", NULL }, "SPF_HELO_FAIL", 0, NULL },
		{ { "filter spf { fail = reject }", "192.0.2.1", "h.org", "a@plain.org", NULL },
		  "SPF_FAIL", 550, "5.7.23" },
		{ { "filter spf { fail = reject }", "192.0.2.1", "h.org", "a@soft.org", NULL },
		  "SPF_SOFTFAIL", 0, NULL },
		{ { "filter spf { softfail = reject }", "192.0.2.1", "h.org", "a@soft.org", NULL },
		  "SPF_SOFTFAIL", 550, "5.7.23" },
		{ { "filter spf { permerror = reject }", "192.0.2.1", "h.org", "a@bad.org", NULL },
		  "SPF_PERMERROR", 550, "5.7.24" },
		{ { "filter spf { on-error = defer }", "192.0.2.1", "h.org", "a@dead.org", NULL },
		  "SPF_TEMPERROR", 451, "4.7.24" },
		{ { "filter spf { helo-fail = reject }", "192.0.2.2", "fail.org", "a@pass.org", NULL },
		  "SPF_HELO_FAIL", 550, "5.7.23" },
		{ { "filter spf { fail = reject }", "192.0.2.2", "plain.org", "", NULL }, "SPF_FAIL", 550, "5.7.23" },
		{ { "filter spf { engine = libspf2 }", "192.0.2.1", "h.org", "a@plain.org", NULL },
		  "SPF_FAIL", 0, NULL },
		{ { "filter spf { trusted-forwarders = {192.0.2.0/30} }", "192.0.2.1", "h.org", "a@plain.org", NULL },
		  "SPF_FORWARDER", 0, NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct test t = begin(&tests[i].mail);
		const struct hit *hit = need_hit(&t, tests[i].symbol);
		assert_int_equal(hit->refusal.code, tests[i].code);
		assert_int_equal(hit->action, tests[i].code == 0     ? ACTION_NONE
					      : tests[i].code == 451 ? ACTION_DEFER
								     : ACTION_REJECT);
		if (tests[i].code != 0)
			assert_string_equal(hit->refusal.enhanced, tests[i].enhanced);
		end(&t);
	}
}

/* A fail alone must leave a mail below what a default policy tags at. */
static void test_lone_fail_is_not_fatal(void **state)
{
	(void)state;
	struct test t = begin(&(struct mail){ NULL, "192.0.2.1", "h.pass.org", "a@fail.org", NULL });
	double score = 0;
	for (size_t i = 0; i < t.scan->hits.count; i++)
		score += t.scan->hits.list[i].score;
	assert_true(score > 0 && score < t.snapshot->config->policies[0].tag);
	end(&t);
}

static void test_passed_over(void **state)
{
	static const struct mail mails[] = {
		{ NULL, "10.1.2.3", "h", "a@fail.org", NULL },
		{ NULL, "192.0.2.9", "h", "a@fail.org", "joe" },
		{ "filter spf { fail = ignore  helo = no }", "192.0.2.9", "fail.org", "a@fail.org", NULL },
		{ "filter spf { enabled = no }", "192.0.2.9", "h.org", "a@fail.org", NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(mails); i++) {
		struct test t = begin(&mails[i]);
		for (size_t k = 0; k < t.scan->hits.count; k++)
			assert_false(slice_starts(slice_str(t.scan->hits.list[k].symbol), SLICE("SPF_")));
		assert_true(i < 2 ? t.scan->hits.count == 0 : t.scan->hits.count > 0);
		assert_int_equal(t.scan->facts.spf.result, i == 2 ? AUTH_FAIL : AUTH_UNKNOWN);
		assert_int_equal(spf_received_field(t.scan).len > 0, i == 2);
		end(&t);
	}
}

static void test_facts_and_refusal(void **state)
{
	(void)state;
	const struct mail mail = { "filter spf { fail = reject }", "192.0.2.1", "h.pass.org", "a@fail.org", NULL };
	struct test t = begin(&mail);
	const struct facts *facts = &t.scan->facts;
	assert_int_equal(facts->spf.result, AUTH_FAIL);
	assert_false(facts->spf.helo);
	need_text(facts->spf.domain, "fail.org");
	need_text(facts->spf.sender, "a@fail.org");
	need_text(facts->spf.mechanism, "-all");
	need_text(facts->spf.explanation, "ask mx.our.org");
	assert_int_equal(facts->spf_helo.result, AUTH_PASS);
	assert_true(facts->spf_helo.helo);
	need_text(facts->spf_helo.sender, "postmaster@h.pass.org");
	const struct hit *hit = need_hit(&t, "SPF_FAIL");
	need_text(hit->refusal.text,
		  "fail.org does not let 192.0.2.1 send its mail (SPF)\nThe domain fail.org explains: ask mx.our.org");
	need_text(hit->evidence, "a@fail.org from 192.0.2.1: -all");
	need_text(spf_received_field(t.scan),
		  "Received-SPF: fail (mx.our.org: fail.org does not designate 192.0.2.1 as permitted sender)\r\n"
		  "\tclient-ip=192.0.2.1; identity=mailfrom;\r\n\tenvelope-from=\"a@fail.org\";\r\n"
		  "\thelo=h.pass.org;\r\n\treceiver=mx.our.org;\r\n\tmechanism=-all");
	end(&t);
	t = begin(&(struct mail){ "filter spf { fail = reject  text = \"no %{z}\" }", "192.0.2.1", "h",
				  "a@plain.org", NULL });
	need_text(need_hit(&t, "SPF_FAIL")->refusal.text, "SPF check failed");
	end(&t);
}

static void test_null_sender(void **state)
{
	(void)state;
	struct test t = begin(&(struct mail){ NULL, "192.0.2.1", "h.pass.org", "", NULL });
	assert_int_equal(t.scan->facts.spf.result, AUTH_PASS);
	assert_true(t.scan->facts.spf.helo);
	need_text(t.scan->facts.spf.domain, "h.pass.org");
	assert_int_equal(t.scan->facts.spf_helo.result, AUTH_PASS);
	assert_null(hits_find(&t.scan->hits, "SPF_HELO_PASS"));
	end(&t);
}

static void test_shadow(void **state)
{
	(void)state;
	struct test t = begin(&(struct mail){ "filter spf { fail = reject  shadow = on }", "192.0.2.1", "h.org",
					      "a@plain.org", NULL });
	assert_true(need_hit(&t, "SPF_FAIL")->shadow);
	end(&t);
}

/* ---- iprev ---- */

static void test_iprev(void **state)
{
	static const struct {
		const char *ip, *symbol, *name;
		enum auth_result result;
	} tests[] = {
		{ "192.0.2.1", "IPREV_PASS", "h.pass.org", AUTH_PASS },
		{ "192.0.2.2", "IPREV_FAIL", "lie.org", AUTH_FAIL },
		{ "192.0.2.3", "IPREV_NONE", "", AUTH_PERMERROR },
		{ "192.0.2.4", "IPREV_PASS", "true.org", AUTH_PASS },
		{ "192.0.2.5", "IPREV_TEMPERROR", "", AUTH_TEMPERROR },
		{ "192.0.2.6", "IPREV_TEMPERROR", "dead.org", AUTH_TEMPERROR },
		{ "2001:db8::1", "IPREV_PASS", "six.org", AUTH_PASS },
		{ "::ffff:192.0.2.1", "IPREV_PASS", "h.pass.org", AUTH_PASS },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct test t = begin(&(struct mail){ NULL, tests[i].ip, "h.pass.org", "a@pass.org", NULL });
		need_hit(&t, tests[i].symbol);
		assert_int_equal(t.scan->facts.iprev.result, tests[i].result);
		need_text(t.scan->facts.iprev.name, tests[i].name);
		need_text(t.scan->client.name, tests[i].result == AUTH_PASS ? tests[i].name : "");
		end(&t);
	}
}

/* Two names lead back; the answer for the second comes first. */
static void test_iprev_order(void **state)
{
	(void)state;
	struct zone *zone = zone_of("9.2.0.192.in-addr.arpa PTR first.org\n9.2.0.192.in-addr.arpa PTR second.org\n"
				    "first.org A 192.0.2.9\nsecond.org A 192.0.2.9\n");
	struct arena *arena = arena_create();
	struct snapshot *snapshot = snapshot_of(NULL);
	struct scan *scan = scan_create(arena, snapshot, 1700000000);
	assert_true(ip_parse(SLICE("192.0.2.9"), &scan->client.ip));
	pipeline_begin(scan);
	pipeline_enter(scan, PHASE_CONNECT);
	assert_int_equal(pipeline_advance(scan, PHASE_CONNECT), PIPELINE_NEED);
	assert_int_equal(zone_driver_answer(scan->questions, zone), 1);
	assert_int_equal(pipeline_advance(scan, PHASE_CONNECT), PIPELINE_NEED);
	const struct question *second = questions_at(scan->questions, 2);
	need_text(second->name, "second.org");
	struct answer answer = zone_lookup(zone, second->name, second->type);
	question_answer(scan->questions, second->index, &answer);
	assert_int_equal(pipeline_advance(scan, PHASE_CONNECT), PIPELINE_NEED);
	zone_driver_run(scan, PHASE_CONNECT, zone);
	need_text(scan->client.name, "first.org");
	arena_destroy(&arena);
	snapshot_release(&snapshot);
	zone_destroy(&zone);
}

static void test_helo(void **state)
{
	static const struct {
		const char *ip, *helo, *symbol; /* NULL: none */
	} tests[] = {
		{ "192.0.2.1", "h.pass.org", NULL },
		{ "192.0.2.1", "six.org", NULL },
		{ "192.0.2.1", "[192.0.2.1]", NULL },
		{ "2001:db8::1", "[IPv6:2001:DB8::1]", NULL },
		{ "192.0.2.1", "dead.org", NULL },
		{ "192.0.2.1", "192.0.2.1", "HELO_BARE_IP" },
		{ "192.0.2.1", "[192.0.2.2]", "HELO_LITERAL_MISMATCH" },
		{ "192.0.2.1", "[", "HELO_LITERAL_MISMATCH" },
		{ "192.0.2.1", "[]", "HELO_LITERAL_MISMATCH" },
		{ "192.0.2.1", "MX.our.ORG.", "HELO_OURS" },
		{ "192.0.2.1", "our.org", "HELO_OURS" },
		{ "192.0.2.1", "localhost", "HELO_NO_DOT" },
		{ "192.0.2.1", "localhost.", "HELO_NO_DOT" },
		{ "192.0.2.1", "nowhere.org", "HELO_UNRESOLVABLE" },
		{ "192.0.2.1", "a..b", "HELO_UNRESOLVABLE" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct test t = begin(&(struct mail){ NULL, tests[i].ip, tests[i].helo, "a@pass.org", NULL });
		size_t found = 0;
		for (size_t k = 0; k < t.scan->hits.count; k++)
			found += slice_starts(slice_str(t.scan->hits.list[k].symbol), SLICE("HELO_"));
		assert_int_equal(found, tests[i].symbol != NULL);
		if (tests[i].symbol != NULL)
			need_hit(&t, tests[i].symbol);
		end(&t);
	}
}

static void test_iprev_reject(void **state)
{
	static const struct {
		const char *config, *ip, *helo, *symbol, *enhanced;
	} tests[] = {
		{ "filter iprev { fail = reject }", "192.0.2.2", "h.pass.org", "IPREV_FAIL", "5.7.25" },
		{ "filter iprev { no-name = reject }", "192.0.2.3", "h.pass.org", "IPREV_NONE", "5.7.25" },
		{ "filter iprev { helo-ours = reject }", "192.0.2.1", "our.org", "HELO_OURS", "5.7.1" },
		{ "filter iprev { helo-bad = reject }", "192.0.2.1", "x", "HELO_NO_DOT", "5.7.1" },
		{ "filter iprev { on-error = defer }", "192.0.2.5", "h.pass.org", "IPREV_TEMPERROR", "4.7.25" },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		struct test t = begin(&(struct mail){ tests[i].config, tests[i].ip, tests[i].helo, "a@pass.org", NULL });
		const struct hit *hit = need_hit(&t, tests[i].symbol);
		assert_string_equal(hit->refusal.enhanced, tests[i].enhanced);
		assert_int_equal(hit->action, tests[i].enhanced[0] == '4' ? ACTION_DEFER : ACTION_REJECT);
		end(&t);
	}
}

/* ---- The host that is judged ---- */

/* Behind a trusted client it is the first relay outside of the trusted networks. */
static void test_behind_trusted_client(void **state)
{
	static const struct {
		const char *received;
		enum auth_result spf;
		const char *iprev, *helo;
	} tests[] = {
		{ "Received: from h.pass.org (h.pass.org [192.0.2.1]) by in.our.org (Postfix) with ESMTP id 1; x\r\n",
		  AUTH_PASS, "IPREV_PASS", NULL },
		{ "Received: from localhost (lie.org [192.0.2.2]) by in.our.org (Postfix) with ESMTP id 1; x\r\n",
		  AUTH_PASS, "IPREV_FAIL", "HELO_NO_DOT" },
		{ "Received: from a.org (unknown [198.51.100.1]) by in.our.org (Postfix) with ESMTP id 1; x\r\n"
		  "Received: from h.pass.org (h.pass.org [192.0.2.1]) by a.org (Postfix) with ESMTP id 2; x\r\n",
		  AUTH_FAIL, "IPREV_NONE", "HELO_UNRESOLVABLE" },
		{ "Received: from b.our.org (b.our.org [172.16.0.2]) by in.our.org (Postfix) with ESMTP id 1; x\r\n"
		  "Received: from h.pass.org (h.pass.org [192.0.2.1]) by b.our.org (Postfix) with ESMTP id 2; x\r\n",
		  AUTH_PASS, "IPREV_PASS", NULL },
		{ "Subject: none\r\n", AUTH_UNKNOWN, NULL, NULL },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(tests); i++) {
		const struct mail mail = { "networks { trusted = {172.16.0.0/12} }", "172.16.0.1", "x", "a@pass.org", NULL };
		struct test t = begin(&mail);
		assert_int_equal(t.scan->hits.count, 0);
		message_parse(&t.scan->message, t.arena, arena_printf(t.arena, "%s\r\n", tests[i].received), 100);
		pipeline_enter(t.scan, PHASE_HEADERS);
		zone_driver_run(t.scan, PHASE_HEADERS, t.zone);
		assert_int_equal(t.scan->facts.spf.result, tests[i].spf);
		assert_true(tests[i].iprev != NULL || t.scan->facts.iprev.result == AUTH_PERMERROR);
		if (tests[i].iprev != NULL)
			need_hit(&t, tests[i].iprev);
		if (tests[i].helo != NULL)
			need_hit(&t, tests[i].helo);
		end(&t);
	}
}

/* ---- Received-SPF ---- */

static void test_received_spf(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct spf_fact fact = {
		.result = AUTH_PASS, .domain = SLICE("pass.org"), .sender = SLICE("a b\"@pass.org"),
		.mechanism = SLICE("ip4:192.0.2.0/24"),
	};
	struct received_spf spf = { .fact = &fact, .helo = SLICE("h\r\nX: (y)"), .receiver = SLICE("mx.our.org") };
	assert_true(ip_parse(SLICE("192.0.2.1"), &spf.client));
	need_text(received_spf_field(arena, &spf),
		  "Received-SPF: pass (mx.our.org: pass.org designates 192.0.2.1 as permitted sender)\r\n"
		  "\tclient-ip=192.0.2.1; identity=mailfrom;\r\n"
		  "\tenvelope-from=\"a b\\\"@pass.org\";\r\n"
		  "\thelo=\"h??X: (y)\";\r\n"
		  "\treceiver=mx.our.org;\r\n"
		  "\tmechanism=\"ip4:192.0.2.0/24\"");
	fact = (struct spf_fact){
		.result = AUTH_PERMERROR, .domain = SLICE("x(y.org"), .sender = SLICE("postmaster@x(y.org"),
		.helo = true, .problem = SLICE("moo: unknown mechanism"),
	};
	spf.helo = SLICE_EMPTY;
	assert_true(ip_parse(SLICE("2001:db8::1"), &spf.client));
	need_text(received_spf_line(arena, &spf),
		  "Received-SPF: permerror (mx.our.org: the SPF record of x?y.org can not be used)"
		  " client-ip=\"2001:db8::1\"; identity=helo; envelope-from=\"postmaster@x(y.org\";"
		  " receiver=mx.our.org; problem=\"moo: unknown mechanism\"");
	fact.result = AUTH_NEUTRAL;
	assert_true(slice_ends(received_spf_line(arena, &spf), SLICE("mechanism=default")));
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_lone_fail_is_not_fatal),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_facts_and_refusal),
		cmocka_unit_test(test_null_sender),
		cmocka_unit_test(test_shadow),
		cmocka_unit_test(test_iprev),
		cmocka_unit_test(test_iprev_order),
		cmocka_unit_test(test_helo),
		cmocka_unit_test(test_iprev_reject),
		cmocka_unit_test(test_behind_trusted_client),
		cmocka_unit_test(test_received_spf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
