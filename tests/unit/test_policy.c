#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "filters/registry.h"
#include "message/address.h"
#include "policy/policy.h"
#include "policy/verdict.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* A configuration, an envelope and hits. */
struct world {
	struct arena *arena;
	struct snapshot snapshot;
	struct client client;
	struct envelope envelope;
	struct facts facts;
	struct hits hits;
	struct verdict_input in;
};

static struct config *read_config(struct arena *arena, const char *text, struct config_errors *errors)
{
	*errors = (struct config_errors){ .arena = arena };
	return config_read(arena, "-", slice_str(text), filter_sections(), errors);
}

static void world_make(struct world *w, const char *config)
{
	struct config_errors errors;
	*w = (struct world){ .arena = arena_create() };
	w->snapshot.config = read_config(w->arena, config, &errors);
	if (w->snapshot.config == NULL)
		fail_msg("%s: %.*s", config, SLICE_ARG(errors.list[0].message));
	w->hits.arena = w->arena;
	w->client.listener = "smtp";
	ip_parse(SLICE("192.0.2.10"), &w->client.ip);
	w->envelope.recipients = arena_array(w->arena, struct recipient, 64);
	address_parse(w->arena, SLICE("ada@example.net"), ADDRESS_MAIL, &w->envelope.sender);
	w->in = (struct verdict_input){ .snapshot = &w->snapshot, .client = &w->client, .envelope = &w->envelope,
		.hits = &w->hits, .arena = w->arena, .facts = &w->facts, .id = "0123456789ab" };
}

static void add_recipient(struct world *w, const char *address, bool accepted)
{
	struct recipient *r = &w->envelope.recipients[w->envelope.recipient_count++];
	assert_int_equal(address_parse(w->arena, slice_str(address), ADDRESS_RCPT, &r->mailbox), ADDRESS_OK);
	r->accepted = accepted;
}

static void add_hit(struct world *w, const char *symbol, double score, enum action action)
{
	const struct hit h = { .symbol = symbol, .score = score, .action = action, .phase = PHASE_MAIL,
			       .recipient = -1, .filter = "spf" };
	hits_add(&w->hits, &h);
}

static const char precedence[] =
	"listen smtp { address = 127.0.0.1:25 }\nbackend main { address = 127.0.0.1:10025 }\n"
	"policy listener { listeners = {smtp} }\n"
	"policy wide { clients = {192.0.0.0/16} }\n"
	"policy narrow { clients = {192.0.2.0/24} }\n"
	"policy below { senders = {\"*.example.net\"} }\n"
	"policy sender { senders = {\"ada@example.net\"} }\n"
	"policy anyone { users = {\"*\"} }\n"
	"policy login { users = {ada} }\n"
	"policy sub { recipients = {\"*.example.org\"} }\n"
	"policy subsub { recipients = {\"*.b.example.org\"} }\n"
	"policy domain { recipients = {\"@example.org\"} }\n"
	"policy both { recipients = {\"@example.org\"} clients = {10.0.0.0/8} }\n"
	"policy twin { recipients = {bob@example.org} }\n"
	"policy bob { recipients = {\"BOB@example.org\"} }\n"
	"policy null { senders = {\"<>\"} recipients = {\"@example.org\"} }\n";

/* Domains in UTF-8, with a final dot, in capitals: as whoever writes them likes. */
static void test_address_patterns(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *recipient;
		bool matches;
	} table[] = {
		{ "@b\xc3\xbc""cher.example", "bob@xn--bcher-kva.example", true },
		{ "BOB@B\xc3\x9c""CHER.example", "bob@xn--bcher-kva.example", true },
		{ "*.b\xc3\xbc""cher.example", "bob@a.xn--bcher-kva.example", true },
		{ "@*.example.org", "bob@a.example.org", true }, { "*.Example.org.", "bob@a.example.org", true },
		{ ".example.org", "bob@a.example.org", true }, { ".example.org", "bob@example.org", false },
		{ "example.org", "bob@example.org", true }, { "@example.org", "bob@a.example.org", false },
		{ "postmaster", "postmaster", true }, { "*", "bob@example.org", true }, { "@[192.0.2.1]", "bob@[192.0.2.1]", true },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct world w;
		char text[300];
		snprintf(text, sizeof(text), "policy p { recipients = {\"%s\"} }", table[i].pattern);
		world_make(&w, text);
		add_recipient(&w, table[i].recipient, true);
		if (slice_eq(policy_for(&w.in, 0)->title, SLICE("p")) != table[i].matches)
			fail_msg("%s: %s", table[i].pattern, table[i].recipient);
		arena_destroy(&w.arena);
	}
}

static void test_precedence(void **state)
{
	(void)state;
	static const struct {
		const char *recipient, *sender, *login, *client, *listener, *want;
	} table[] = {
		{ "bob@example.org", "ada@example.net", "", "192.0.2.1", "smtp", "twin" },
		{ "eve@example.org", "ada@example.net", "ada", "192.0.2.1", "smtp", "domain" },
		{ "eve@example.org", "ada@example.net", "", "10.1.1.1", "smtp", "both" },
		{ "eve@example.org", "", "", "192.0.2.1", "smtp", "null" },
		{ "x@a.example.org", "", "", "192.0.2.1", "smtp", "sub" },
		{ "x@a.b.example.org", "", "", "192.0.2.1", "smtp", "subsub" },
		{ "x@other.example", "ada@example.net", "ada", "192.0.2.1", "smtp", "login" },
		{ "x@other.example", "ada@example.net", "bob", "192.0.2.1", "smtp", "anyone" },
		{ "x@other.example", "ada@example.net", "", "192.0.2.1", "smtp", "sender" },
		{ "x@other.example", "b@x.example.net", "", "192.0.2.1", "smtp", "below" },
		{ "x@other.example", "b@example.net", "", "192.0.2.1", "smtp", "narrow" },
		{ "x@other.example", "b@example.net", "", "192.0.3.1", "smtp", "wide" },
		{ "x@other.example", "b@example.net", "", "2001:db8::1", "smtp", "listener" },
		{ "x@other.example", "b@example.net", "", "2001:db8::1", "other", "default" },
		{ "x@notexample.org", "b@example.net", "", "2001:db8::1", NULL, "default" },
	};
	struct world w;
	world_make(&w, precedence);
	for (size_t i = 0; i < COUNT(table); i++) {
		struct mailbox to, from = { 0 };
		address_parse(w.arena, slice_str(table[i].recipient), ADDRESS_RCPT, &to);
		address_parse(w.arena, slice_str(table[i].sender), ADDRESS_MAIL, &from);
		w.client.login = slice_str(table[i].login);
		w.client.listener = table[i].listener;
		ip_parse(slice_str(table[i].client), &w.client.ip);
		const struct config_policy *p = policy_find(w.snapshot.config, &w.client, &from, &to, false);
		if (!slice_eq(p->title, slice_str(table[i].want)))
			fail_msg("%s %s: %.*s, not %s", table[i].recipient, table[i].sender, SLICE_ARG(p->title),
				 table[i].want);
	}
	arena_destroy(&w.arena);
}

static void test_thresholds(void **state)
{
	(void)state;
	static const struct {
		double score;
		enum action want;
	} table[] = {
		{ -3, ACTION_ACCEPT }, { 4.999, ACTION_ACCEPT }, { 5, ACTION_TAG }, { 7.9, ACTION_TAG },
		{ 8, ACTION_REDIRECT }, { 9, ACTION_QUARANTINE }, { 12, ACTION_REJECT }, { 30, ACTION_DISCARD },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct world w;
		struct verdict v;
		world_make(&w, "policy default { redirect = 8 redirect-to = \"spam@example.org\" quarantine = 9 discard = 30 }\n");
		add_recipient(&w, "bob@example.org", true);
		add_hit(&w, "A", table[i].score, ACTION_NONE);
		verdict_at_end(&w.in, &v);
		assert_int_equal(v.action, table[i].want);
		assert_int_equal(v.refusal.code != 0, v.action == ACTION_REJECT);
		assert_int_equal(v.redirect.len > 0, v.action == ACTION_REDIRECT);
		arena_destroy(&w.arena);
	}
}

/* A greylist without memory would defer for ever. */
static void test_greylist_needs_state(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	world_make(&w, "policy default { greylist = 3 }\n");
	add_recipient(&w, "bob@example.org", true);
	add_hit(&w, "A", 4, ACTION_NONE);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	add_hit(&w, "GREYLIST_WAIT", 0, ACTION_NONE);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_GREYLIST);
	assert_int_equal(v.refusal.code, 451);
	arena_destroy(&w.arena);
}

static void test_greylist_of_a_symbol(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	world_make(&w, "filter greylist { enabled = on }\npolicy default { actions = {\"A=greylist\", \"B=defer\"} }\n");
	add_recipient(&w, "bob@example.org", true);
	add_hit(&w, "A", 0, ACTION_NONE);
	verdict_at_rcpt(&w.in, 0, false, &v);
	assert_int_equal(v.action, ACTION_ACCEPT); /* who is known already */
	add_hit(&w, "GREYLIST_WAIT", 0, ACTION_NONE);
	w.hits.list[1].refusal = (struct refusal){ 451, "4.7.1", SLICE("in 7 seconds") };
	verdict_at_rcpt(&w.in, 0, false, &v);
	assert_int_equal(v.action, ACTION_GREYLIST);
	assert_true(slice_eq(v.why, SLICE("A")) && slice_eq(v.refusal.text, SLICE("in 7 seconds")));
	verdict_at_rcpt(&w.in, 0, true, &v);
	assert_int_equal(v.action, ACTION_ACCEPT); /* postmaster */
	add_hit(&w, "B", 0, ACTION_NONE);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_DEFER);
	arena_destroy(&w.arena);
}

static void test_symbols(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	world_make(&w, "policy default { scores = {\"A=20\", \"B=-30.5\"} actions = {\"C=reject\", \"D=none\"}"
		       " replies = {\"C=550 5.7.99 {symbol} said {evidence}, {unknown} {id}\"} }\n"
		       "policy plain { recipients = {plain@example.org} skip = {spf} }\n");
	add_recipient(&w, "bob@example.org", true);
	add_hit(&w, "A", 1, ACTION_NONE);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	add_hit(&w, "B", 1, ACTION_NONE);
	add_hit(&w, "D", 0, ACTION_REJECT);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	assert_true(v.score == -10.5);
	add_hit(&w, "C", 0, ACTION_NONE);
	w.hits.list[w.hits.count - 1].evidence = SLICE("{x}\xc3\xa9");
	verdict_at_rcpt(&w.in, 0, false, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	assert_int_equal(v.refusal.code, 550);
	assert_string_equal(v.refusal.enhanced, "5.7.99");
	assert_string_equal(v.refusal.text.data, "C said {x}??, {unknown} 0123456789ab");
	w.envelope.recipients[0].accepted = false;
	add_recipient(&w, "plain@example.org", true);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	assert_true(v.score == 0);
	arena_destroy(&w.arena);
}

/* What a filter says to throw away goes to the quarantine: only a policy may name discard. */
static void test_no_discard_unasked(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	world_make(&w, "");
	add_recipient(&w, "bob@example.org", true);
	add_hit(&w, "A", 0, ACTION_DISCARD);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_QUARANTINE);
	arena_destroy(&w.arena);
}

/* What refuses before DATA doesn't refuse postmaster, then or at END; content may. */
static void test_role(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	world_make(&w, "list bad { type = domains entries = {example.net} }\npolicy default { deny = {bad} }\n");
	add_recipient(&w, "postmaster@example.org", true);
	w.envelope.recipients[0].role = true;
	add_hit(&w, "SPF_FAIL", 0, ACTION_REJECT);
	verdict_at_rcpt(&w.in, 0, true, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	w.hits.list[0].phase = PHASE_END;
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	arena_destroy(&w.arena);
}

/* Nor do the scores of it add up to a refusal; what speaks for the sender counts. */
static void test_role_score(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	world_make(&w, "policy default { tag = 5.0 reject = 12.0 }\n");
	add_recipient(&w, "abuse@example.org", true);
	add_hit(&w, "DNSBL_A", 20, ACTION_NONE);
	add_hit(&w, "GOOD", -1, ACTION_NONE);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	w.envelope.recipients[0].role = true;
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	assert_float_equal(v.score, -1, 0.0001);
	w.hits.list[0].phase = PHASE_END;
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	arena_destroy(&w.arena);
}

static const char listed[] =
	"list nets { type = networks entries = {192.0.2.0/24} }\n"
	"list friends { type = domains entries = {example.net, \"*.trusted.example\"} }\n"
	"list people { type = addresses entries = {ada@example.net} }\n"
	"list shapes { type = patterns entries = {\"a?a@*.net\"} }\n";

static void check_list(const char *policy, enum auth_result spf, enum auth_result dkim, const char *signer,
		       enum action hit, enum action want)
{
	struct world w;
	struct verdict v;
	char text[1000];
	struct dkim_fact signature = { .result = dkim, .domain = slice_str(signer) };
	snprintf(text, sizeof(text), "%spolicy default { %s }\n", listed, policy);
	world_make(&w, text);
	add_recipient(&w, "bob@example.org", true);
	w.facts.spf = (struct spf_fact){ .result = spf, .domain = SLICE("example.net") };
	w.facts.author.domain = SLICE("example.net");
	w.facts.dkim = &signature;
	w.facts.dkim_count = 1;
	w.facts.dkim_known = true;
	if (hit != ACTION_NONE)
		add_hit(&w, "A", 20, hit);
	verdict_at_end(&w.in, &v);
	if (v.action != want)
		fail_msg("%s spf=%d dkim=%d: %s", policy, spf, dkim, action_name(v.action));
	arena_destroy(&w.arena);
}

static void test_lists(void **state)
{
	(void)state;
	check_list("deny = {nets}", AUTH_NONE, AUTH_NONE, "", ACTION_NONE, ACTION_REJECT);
	check_list("deny = {friends}", AUTH_FAIL, AUTH_NONE, "", ACTION_NONE, ACTION_REJECT);
	check_list("deny = {people}", AUTH_FAIL, AUTH_NONE, "", ACTION_NONE, ACTION_REJECT);
	check_list("deny = {shapes}", AUTH_FAIL, AUTH_NONE, "", ACTION_NONE, ACTION_REJECT);
	check_list("deny = {shapes} allow = {nets}", AUTH_FAIL, AUTH_NONE, "", ACTION_NONE, ACTION_ACCEPT);
	check_list("allow = {nets}", AUTH_FAIL, AUTH_NONE, "", ACTION_REJECT, ACTION_ACCEPT);
	/* Claimed is not proven. */
	check_list("allow = {friends}", AUTH_NONE, AUTH_NONE, "example.net", ACTION_REJECT, ACTION_REJECT);
	check_list("allow = {friends}", AUTH_SOFTFAIL, AUTH_FAIL, "example.net", ACTION_REJECT, ACTION_REJECT);
	check_list("allow = {friends}", AUTH_PASS, AUTH_NONE, "", ACTION_REJECT, ACTION_ACCEPT);
	check_list("allow = {friends}", AUTH_FAIL, AUTH_PASS, "a.trusted.example", ACTION_REJECT, ACTION_ACCEPT);
	check_list("allow = {friends}", AUTH_FAIL, AUTH_PASS, "trusted.example", ACTION_REJECT, ACTION_REJECT);
	check_list("allow = {people}", AUTH_NONE, AUTH_PASS, "other.example", ACTION_REJECT, ACTION_REJECT);
	check_list("allow = {people}", AUTH_NONE, AUTH_PASS, "example.net", ACTION_REJECT, ACTION_ACCEPT);
	check_list("allow = {shapes}", AUTH_PASS, AUTH_NONE, "", ACTION_REJECT, ACTION_ACCEPT);
	check_list("allow = {shapes}", AUTH_NONE, AUTH_NONE, "", ACTION_REJECT, ACTION_REJECT);
}

static void test_relay_and_viruses_are_firm(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	char text[1000];
	snprintf(text, sizeof(text), "%sfilter clamd { enabled = on }\npolicy default { allow = {nets} actions = {\"R=none\"} }\n",
		 listed);
	world_make(&w, text);
	add_recipient(&w, "bob@example.org", true);
	add_hit(&w, "R", 0, ACTION_REJECT);
	w.hits.list[0].filter = "relay";
	verdict_at_rcpt(&w.in, 0, false, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	w.hits.list[0].filter = "clamd";
	w.hits.list[0].symbol = "CLAMD";
	w.hits.list[0].phase = PHASE_END;
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	arena_destroy(&w.arena);
}

static void test_switches(void **state)
{
	(void)state;
	static const struct {
		const char *config, *filter;
		bool skipped;
	} table[] = {
		{ "policy default { }", "spf", false }, { "policy default { }", "clamd", true },
		{ "policy default { use = {clamd} }", "clamd", false }, { "policy default { skip = {spf} }", "spf", true },
		{ "filter spf { enabled = off } policy a { recipients = {eve@example.org} use = {spf} }", "spf", true },
		{ "filter spf { enabled = off } policy a { use = {spf} }", "spf", false },
		{ "policy default { use = {spf} }", "relay", false }, { "policy default { }", NULL, false },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct world w;
		world_make(&w, table[i].config);
		add_recipient(&w, "bob@example.org", true);
		if (policy_skips(policy_for(&w.in, 0), table[i].filter) != table[i].skipped)
			fail_msg("%s: %s", table[i].config, table[i].filter);
		arena_destroy(&w.arena);
	}
}

static void test_shadow_policy(void **state)
{
	(void)state;
	struct world w;
	struct verdict v;
	world_make(&w, "policy try { shadow = on recipients = {\"@example.org\"} reject = 6 }\n"
		       "policy default { reject = 12 }\n");
	add_recipient(&w, "bob@example.org", true);
	add_hit(&w, "A", 7, ACTION_NONE);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_TAG);
	assert_true(slice_eq(v.shadow_policy->title, SLICE("try")));
	assert_int_equal(v.would, ACTION_REJECT);
	arena_destroy(&w.arena);
	world_make(&w, "policy default { shadow = on }\n");
	add_recipient(&w, "bob@example.org", true);
	add_hit(&w, "A", 70, ACTION_REJECT);
	verdict_at_rcpt(&w.in, 0, false, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	verdict_at_end(&w.in, &v);
	assert_int_equal(v.action, ACTION_ACCEPT);
	assert_int_equal(v.would, ACTION_REJECT);
	assert_int_equal(v.refusal.code, 0);
	add_hit(&w, "R", 0, ACTION_REJECT);
	w.hits.list[1].filter = "relay";
	verdict_at_rcpt(&w.in, 0, false, &v);
	assert_int_equal(v.action, ACTION_REJECT);
	arena_destroy(&w.arena);
}

static void test_errors(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
	} table[] = {
		{ "policy a { scores = {\"A\"} }", "scores: 'A' is not SYMBOL=NUMBER" },
		{ "policy a { scores = {\"A=x\"} }", "scores: 'A=x' is not SYMBOL=NUMBER" },
		{ "policy a { actions = {\"A=accept\"} }", "actions: 'A=accept' is not" },
		{ "policy a { replies = {\"A=250 2.0.0 x\"} }", "replies: 'A=250 2.0.0 x' is not" },
		{ "policy a { replies = {\"A=550 4.7.1 x\"} }", "replies: 'A=550 4.7.1 x' is not" },
		{ "policy a { replies = {\"reject=451 4.7.1 x\"} }", "replies: 'reject=451 4.7.1 x' is not" },
		{ "policy a { replies = {\"A=421 4.7.1 x\"} }", "replies: 'A=421 4.7.1 x' is not" },
		{ "policy a { replies = {\"A=550 5.7.1 1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n9\"} }", "replies: 'A=550 5.7.1 1\n2\n3" },
		{ "policy a { replies = {\"A=550 5.7.1 a\\rb\"} }", "replies: 'A=550 5.7.1 a\rb' is not" },
		{ "policy a { redirect = 6 }", "redirect-to: is missing" },
		{ "policy a { actions = {\"A=redirect\"} }", "redirect-to: is missing" },
		{ "policy a { redirect-to = spam }", "redirect-to: 'spam': " },
		{ "policy a { skip = {relay} }", "skip: relay can't be switched off" },
		{ "policy a { skip = {nix} }", "skip: there is no filter nix" },
		{ "policy a { recipients = {\"bob@\"} }", "recipients: 'bob@' is not user@example.org, @example.org, *.example.org or *" },
		{ "policy a { senders = {\"a b@x..y\"} }", "senders: 'a b@x..y' is not user@example.org, @example.org, *.example.org or *" },
		{ "policy a { allow = {nix} }", "allow: there is no section list nix" },
		{ "list a { type = networks entries = {192.0.2.1/24} }", "entries: '192.0.2.1/24' is not a network" },
		{ "list a { type = domains file = \"/nonexistent/x\" }", "file: /nonexistent/x: No such file" },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct arena *arena = arena_create();
		struct config_errors errors;
		assert_null(read_config(arena, table[i].text, &errors));
		assert_true(errors.count > 0);
		if (!slice_starts(errors.list[0].message, slice_str(table[i].want)) || errors.list[0].line != 1)
			fail_msg("%s: line %u: %.*s", table[i].text, errors.list[0].line,
				 SLICE_ARG(errors.list[0].message));
		arena_destroy(&arena);
	}
}

/* ---- property: each recipient gets a reply that is true */

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

static double random_level(unsigned *seed)
{
	return next_random(seed) % 3 == 0 ? -1 : (double)(next_random(seed) % 40) / 2;
}

static void random_config(unsigned *seed, char *text, size_t size)
{
	size_t n = 0;
	for (unsigned i = 0; i < 4; i++) {
		char level[4][16];
		for (int k = 0; k < 4; k++) {
			double l = random_level(seed);
			snprintf(level[k], sizeof(level[k]), l < 0 ? "off" : "%.1f", l);
		}
		n += (size_t)snprintf(text + n, size - n,
			"policy p%u { recipients = {\"@d%u.example\"} tag = %s quarantine = %s reject = %s discard = %s "
			"%s%s%s%s }\n", i, i, level[0], level[1], level[2], next_random(seed) % 4 ? "off" : level[3],
			next_random(seed) % 4 ? "" : "actions = {\"A=reject\"} ",
			next_random(seed) % 4 ? "" : "scores = {\"B=9\"} ",
			next_random(seed) % 3 ? "" : "redirect = 7 redirect-to = \"x@example.org\" ",
			next_random(seed) % 6 ? "" : "shadow = on ");
	}
}

/* One transaction for the recipients still waiting, as the door does it.
 * outcome[i]: what recipient i finally got. */
static void one_round(struct world *w, enum action *outcome, size_t total, bool *apart)
{
	size_t index[64], n = 0;
	struct verdict v;
	w->envelope.recipient_count = 0;
	w->in.apart = *apart;
	for (size_t i = 0; i < total; i++) {
		if (outcome[i] != ACTION_NONE)
			continue;
		char address[64];
		snprintf(address, sizeof(address), "u%zu@d%zu.example", i, i % 4);
		size_t r = w->envelope.recipient_count;
		add_recipient(w, address, false);
		verdict_at_rcpt(&w->in, r, false, &v);
		if (v.refusal.code >= 500)
			outcome[i] = v.action;
		else if (v.refusal.code == 0 && verdict_can_share(&w->in, r)) {
			w->envelope.recipients[r].accepted = true;
			index[n++] = i;
		}
		if (!w->envelope.recipients[r].accepted)
			w->envelope.recipient_count--;
	}
	if (n == 0)
		return;
	verdict_at_end(&w->in, &v);
	*apart = *apart || v.disagreement;
	for (size_t k = 0; k < n && v.action != ACTION_DEFER && v.action != ACTION_GREYLIST; k++) {
		struct verdict own;
		verdict_for(&w->in, (int)k, &own);
		outcome[index[k]] = v.action;
		if (w->client.submission ? v.action < own.action : v.action != own.action)
			fail_msg("recipient %zu got %s, its policy says %s", index[k], action_name(v.action),
				 action_name(own.action));
	}
	assert_true(v.action != ACTION_DEFER || v.disagreement);
}

static void test_each_reply_is_true(void **state)
{
	(void)state;
	unsigned seed = 20261122;
	for (int round = 0; round < 1500; round++) {
		char text[2000];
		struct world w;
		enum action outcome[12] = { ACTION_NONE };
		bool apart = false;
		random_config(&seed, text, sizeof(text));
		world_make(&w, text);
		w.client.submission = next_random(&seed) % 4 == 0;
		size_t total = 1 + next_random(&seed) % COUNT(outcome);
		add_hit(&w, next_random(&seed) % 2 ? "A" : "C", (double)(next_random(&seed) % 30) / 2, ACTION_NONE);
		add_hit(&w, "B", (double)(next_random(&seed) % 10) - 4, ACTION_NONE);
		/* A disagreement costs one round more; after it each round serves at least one. */
		size_t rounds = w.client.submission ? 1 : 8;
		for (size_t i = 0; i < rounds; i++)
			one_round(&w, outcome, total, &apart);
		for (size_t i = 0; i < total; i++)
			if (outcome[i] == ACTION_NONE)
				fail_msg("recipient %zu never got a final reply under\n%s", i, text);
		arena_destroy(&w.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_precedence), cmocka_unit_test(test_address_patterns), cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_greylist_needs_state), cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_greylist_of_a_symbol),
		cmocka_unit_test(test_no_discard_unasked), cmocka_unit_test(test_role),
		cmocka_unit_test(test_role_score), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_relay_and_viruses_are_firm), cmocka_unit_test(test_switches), cmocka_unit_test(test_shadow_policy),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_each_reply_is_true),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
