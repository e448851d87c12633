#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "filters/sender_login.h"
#include "tests/lib/config_scan.h"
#include "tests/lib/zone_driver.h"

/* Items parted by "|". */
static struct slice_list list_of(struct arena *arena, const char *text)
{
	struct slice_list list = { .items = arena_array(arena, struct slice, 8) };
	struct slice rest = slice_str(text), item;
	while (slice_split(&rest, '|', &item))
		list.items[list.count++] = item;
	return list;
}

static const struct {
	const char *permit, *login, *local, *domain;
	bool permitted;
} cases[] = {
	{ "*: {login}", "alice@example.org", "alice", "example.org", true },
	{ "*: {login}", "Alice@Example.org", "alice", "example.org", true },
	{ "*: {login}", "alice@example.org", "bob", "example.org", false },
	{ "*: {login}", "alice@example.org", "alice", "example.net", false },
	{ "*: {login}", "alice", "alice", "example.org", true },
	{ "*: {login}", "alice", "alice", "example.net", true },
	{ "*: {login}", "alice", "alice", "other.example", false },
	{ "*: {login}", "alice", "bob", "example.org", false },
	{ "*: {login}", "", "", "example.org", false },
	{ "*: {login}", "*", "bob", "example.org", false },
	{ "*: {login}", "*@example.org", "bob", "example.org", false },
	{ "*: {login}", "alice", "alice+lists", "example.org", true },
	{ "*: {login}", "alice@example.org", "alice+a+b", "example.org", true },
	{ "*: {login}", "alice", "bob+alice", "example.org", false },
	{ "*: {login}", "", "+x", "example.org", false },
	{ "*: {login}@example.net", "alice", "alice", "example.net", true },
	{ "*: {login}@example.net", "alice", "alice", "example.org", false },
	{ "alice: sales@example.org  alice@example.org", "alice", "sales", "example.org",
	  true },
	{ "alice: sales@example.org", "bob", "sales", "example.org", false },
	{ "alice: sales@example.org", "alice", "alice", "example.org", false },
	{ "alice@example.org: sales@example.org", "alice@example.org", "sales", "example.org",
	  true },
	{ "bob: @example.org", "bob", "anything", "example.org", true },
	{ "bob: @example.org", "bob", "anything", "sub.example.org", false },
	{ "bob: *@*.example.org", "bob", "anything", "sub.example.org", true },
	{ "bob: *@*.example.org", "bob", "anything", "example.org", false },
	{ "bob: bob-*@example.org", "bob", "bob-list", "example.org", true },
	{ "bob: *", "bob", "any", "where.example", true },
	{ "*: {login}|bob: @example.net", "bob", "x", "example.net", true },
	{ "no colon", "no", "x", "example.org", false },
	{ "bob:", "bob", "bob", "example.org", false },
	{ NULL, "bob", "bob", "example.org", false },
};

static void test_permits(void **state)
{
	(void)state;
	int bad = 0;
	struct arena *arena = arena_create();
	const struct slice_list own = list_of(arena, "example.org|example.net");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice_list permit = list_of(arena, cases[i].permit);
		bool got = sender_login_permits(&permit, &own, SLICE("+"), slice_str(cases[i].login),
						slice_str(cases[i].local), slice_str(cases[i].domain));
		if (got != cases[i].permitted) {
			print_error("case %zu: %s as %s@%s\n", i, cases[i].login, cases[i].local,
				    cases[i].domain);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
	struct slice_list permit = list_of(arena, "*: {login}");
	assert_false(sender_login_permits(&permit, &own, SLICE_EMPTY, SLICE("alice"), SLICE("alice+x"),
					  SLICE("example.org")));
	arena_destroy(&arena);
}

#define OWN_SENDER "Sender: alice@example.org\r\n"

static const struct {
	const char *what, *config, *mail_from, *login;
	bool submission;
	struct slice head;
	enum action action;
	const char *symbol;
} mails[] = {
	{ "own name", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org\r\n"), ACTION_ACCEPT, NULL },
	{ "own name, bounce", "", "", "alice@example.org", true, SLICE("From: alice@example.org\r\n"),
	  ACTION_ACCEPT, NULL },
	{ "another's reverse-path", "", "bob@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org\r\n"), ACTION_REJECT, "LOGIN_SENDER" },
	{ "another's From", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: bob@example.org\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "two From fields", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org\r\nFrom: bob@example.org\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "two From fields of one's own", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org\r\nFrom: alice@example.org\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "two mailboxes", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org, bob@example.org\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "another's Sender", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org\r\nSender: bob@example.org\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "a name without an address beside", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: Smith, Alice <alice@example.org>\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "another's in a third Sender", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org\r\nSender: alice@example.org\r\nSender: alice@example.org\r\n"
		"Sender: bob@example.org\r\n"),
	  ACTION_REJECT, "LOGIN_FROM" },
	{ "more Sender fields than are read", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org\r\n" OWN_SENDER OWN_SENDER OWN_SENDER OWN_SENDER OWN_SENDER OWN_SENDER
		OWN_SENDER OWN_SENDER OWN_SENDER),
	  ACTION_REJECT, "LOGIN_FROM" },
	{ "no From", "", "alice@example.org", "alice@example.org", true, SLICE("To: x@example.org\r\n"),
	  ACTION_REJECT, "LOGIN_FROM" },
	{ "an address that is none", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "another's address behind", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: <alice@example.org>bob@example.org\r\n"), ACTION_REJECT, "LOGIN_FROM" },
	{ "one's own address as a name", "", "alice@example.org", "alice@example.org", true,
	  SLICE("From: alice@example.org <alice@example.org>\r\n"), ACTION_ACCEPT, NULL },
	{ "not on submission", "", "bob@example.org", "alice@example.org", false,
	  SLICE("From: bob@example.org\r\n"), ACTION_ACCEPT, NULL },
	{ "everywhere", "when = always", "bob@example.org", "alice@example.org", false,
	  SLICE("From: bob@example.org\r\n"), ACTION_REJECT, "LOGIN_SENDER" },
	{ "nobody logged in", "when = always", "bob@example.org", NULL, true,
	  SLICE("From: bob@example.org\r\n"), ACTION_ACCEPT, NULL },
	{ "header not checked", "header = no", "alice@example.org", "alice@example.org", true,
	  SLICE("From: bob@example.org\r\n"), ACTION_ACCEPT, NULL },
	{ "scored only", "enforce = no", "alice@example.org", "alice@example.org", true,
	  SLICE("From: bob@example.org\r\n"), ACTION_TAG, "LOGIN_FROM" },
	{ "permitted by list", "permit = {\"alice@example.org: alice@example.org sales@example.org\"}",
	  "sales@example.org", "alice@example.org", true, SLICE("From: sales@example.org\r\n"), ACTION_ACCEPT,
	  NULL },
	{ "switched off", "enabled = no", "bob@example.org", "alice@example.org", true,
	  SLICE("From: bob@example.org\r\n"), ACTION_ACCEPT, NULL },
};

static void test_filter(void **state)
{
	(void)state;
	struct zone *zone = zone_of("");
	int bad = 0;
	for (size_t i = 0; i < sizeof(mails) / sizeof(mails[0]); i++) {
		struct arena *arena = arena_create();
		struct slice config =
		    arena_printf(arena,
				 "hostname = mx.example.org\nrelay { domains = {example.org} }\n"
				 "filter sender_login { %s }\n",
				 mails[i].config);
		struct snapshot *snapshot = config_snapshot(config.data);
		struct config_mail mail = { .ip = "192.0.2.1",
					    .helo = "client.example",
					    .mail_from = mails[i].mail_from,
					    .login = mails[i].login,
					    .submission = mails[i].submission,
					    .raw = mails[i].head };
		struct scan *scan = config_scan(arena, snapshot, &mail, zone);
		struct verdict verdict = config_verdict(scan);
		bool same = verdict.action == mails[i].action &&
			    (mails[i].symbol == NULL || hits_find(&scan->hits, mails[i].symbol) != NULL) &&
			    (mails[i].action != ACTION_REJECT ||
			     (verdict.refusal.code == 553 && strcmp(verdict.refusal.enhanced, "5.7.1") == 0));
		if (!same) {
			print_error("%s: %s %u\n", mails[i].what, action_name(verdict.action),
				    verdict.refusal.code);
			bad++;
		}
		snapshot_release(&snapshot);
		arena_destroy(&arena);
	}
	zone_destroy(&zone);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_permits), cmocka_unit_test(test_filter) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
