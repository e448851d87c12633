/*
 * What forged_from finds, by tables; the published attacks through all
 * filters; and how often its symbols are wrong on honest mail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "filters/forged_from.h"
#include "message/canonical.h"
#include "tests/lib/config_scan.h"
#include "tests/lib/corpus.h"
#include "tests/lib/json_read.h"
#include "tests/lib/shared.h"
#include "tests/lib/zone_driver.h"

static const char own[] = "hostname = mx.example.org\n"
			  "relay { domains = {example.org, \"b\xc3\xbc"
			  "cher.example\", \".sub.example.net\"}\n"
			  "        networks = {127.0.0.0/8} }\n"
			  "networks { internal = {10.0.0.0/8} trusted = {10.0.0.0/8} }\n"
			  "filter forged_from { protected = {paypal.com}\n"
			  "  names = {\"PayPal: paypal.com paypal.de\", \"Jane Q Boss: example.org\"} }\n";

static const struct {
	const char *what;
	struct slice head;
	const char *symbol;      /* that must be there; NULL: none of ours with a score */
	enum action action;      /* at least */
} cases[] = {
	/* nothing to be said */
	{ "plain", SLICE("From: Jo <a@other.example>\r\n"), NULL, 0 },
	{ "a list's name", SLICE("From: \"'Jo' via x-list@other.example\" <x-list@other.example>\r\n"), NULL,
	  0 },
	{ "a subdomain's address in the name",
	  SLICE("From: \"jo@mail.other.example\" <x@news.other.example>\r\n"), NULL, 0 },
	{ "a title with dots", SLICE("From: \"Dr. A. B. Smith, Ph.D.\" <x@other.example>\r\n"), NULL, 0 },
	{ "a Hebrew name with a mark",
	  SLICE("From: \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\xe2\x80\x8f <x@other.example>\r\n"), NULL, 0 },
	{ "a Japanese name in three scripts",
	  SLICE("From: =?utf-8?B?5p2x5Lqs44K/44Ov44O844KT?= <x@other.example>\r\n"), NULL, 0 },
	{ "the listed name from its domain", SLICE("From: PayPal <service@mail.paypal.com>\r\n"), NULL, 0 },
	{ "a name that only begins like a listed one", SLICE("From: PayPalooza <x@other.example>\r\n"), NULL,
	  0 },
	{ "the protected domain itself", SLICE("From: service@paypal.com\r\n"), NULL, 0 },
	{ "Reply-To of the same organisation",
	  SLICE("From: a@other.example\r\nReply-To: b@mail.other.example\r\n"), NULL, 0 },
	/* syntax */
	{ "missing", SLICE("To: a@other.example\r\n"), "FROM_MISSING", 0 },
	{ "null", SLICE("From: <>\r\n"), "FROM_NO_ADDRESS", 0 },
	{ "no address", SLICE("From: Jo\r\n"), "FROM_NO_ADDRESS", 0 },
	{ "literal", SLICE("From: a@[192.0.2.1]\r\n"), "FROM_NO_ADDRESS", 0 },
	{ "several", SLICE("From: a@other.example\r\nFrom: b@other.example\r\n"), "FROM_SEVERAL",
	  ACTION_REJECT },
	{ "several domains", SLICE("From: a@other.example, b@another.example\r\n"), "FROM_DOMAINS",
	  ACTION_REJECT },
	{ "ambiguous", SLICE("From: <a@other.example> <b@another.example>\r\n"), "FROM_AMBIGUOUS",
	  ACTION_REJECT },
	{ "a folded field name", SLICE("From\r\n : a@other.example\r\n"), "FROM_AMBIGUOUS", ACTION_REJECT },
	{ "a spaced field name", SLICE("From : a@other.example\r\n"), "FROM_ODD_FIELD", 0 },
	{ "a name beside", SLICE("From: Acme Corp, Jo <a@other.example>\r\n"), "FROM_STRAY_NAME", 0 },
	{ "malformed", SLICE("From: Jo a@other.example\r\n"), "FROM_MALFORMED", 0 },
	/* characters */
	{ "NUL in an encoded word", SLICE("From: =?utf-8?Q?Jo=00?= <a@other.example>\r\n"), "FROM_CONTROL",
	  0 },
	{ "newline in an encoded word", SLICE("From: =?utf-8?Q?Jo=0A?= <a@other.example>\r\n"),
	  "FROM_CONTROL", 0 },
	{ "control in an encoded address", SLICE("From: =?utf-8?Q?a=01?=@other.example\r\n"), "FROM_CONTROL",
	  0 },
	{ "raw control", SLICE("From: \"J\x07o\" <a@other.example>\r\n"), "FROM_CONTROL", 0 },
	{ "override", SLICE("From: =?utf-8?Q?=E2=80=AEmoc.knab?= <a@other.example>\r\n"), "FROM_BIDI", 0 },
	{ "zero width", SLICE("From: =?utf-8?Q?Ban=E2=80=8Bk?= <a@other.example>\r\n"), "FROM_INVISIBLE", 0 },
	{ "mixed scripts", SLICE("From: P\xd0\xb0ypal <a@other.example>\r\n"), "FROM_MIXED_SCRIPTS", 0 },
	/* the name */
	{ "another's address", SLICE("From: \"boss@bank.example\" <a@other.example>\r\n"),
	  "FROM_NAME_ADDRESS", 0 },
	{ "another's address in a comment", SLICE("From: a@other.example (boss@bank.example)\r\n"),
	  "FROM_NAME_ADDRESS", 0 },
	{ "another's address, encoded",
	  SLICE("From: =?utf-8?B?Ym9zc0BiYW5rLmV4YW1wbGU=?= <a@other.example>\r\n"), "FROM_NAME_ADDRESS", 0 },
	{ "our address", SLICE("From: \"boss@example.org\" <a@other.example>\r\n"), "FROM_NAME_OURS", 0 },
	{ "our domain", SLICE("From: \"EXAMPLE.ORG support\" <a@other.example>\r\n"), "FROM_NAME_OURS", 0 },
	{ "our subdomain", SLICE("From: \"mail.example.org\" <a@other.example>\r\n"), "FROM_NAME_OURS", 0 },
	{ "our IDN",
	  SLICE("From: \"info@b\xc3\xbc"
		"cher.example\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "a listed name", SLICE("From: \"PayPal Service\" <a@other.example>\r\n"), "FROM_NAME_PROTECTED",
	  0 },
	{ "a listed name in disguise", SLICE("From: P\xd0\xb0yP\xd0\xb0l <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed person", SLICE("From: jane q. boss <jane@other.example>\r\n"), "FROM_NAME_PROTECTED", 0 },
	/* a name that holds another's address or domain, in disguise */
	{ "our address with a wide @",
	  SLICE("From: \"boss\xef\xbc\xa0" "example.org\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our address with a small @",
	  SLICE("From: \"boss\xef\xb9\xab" "example.org\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our address with wide letters",
	  SLICE("From: \"boss@\xef\xbc\xa5\xef\xbc\xb8\xef\xbc\xa1\xef\xbc\xad\xef\xbc\xb0\xef\xbc\xac\xef\xbc\xa5.ORG\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our domain with an ideographic full stop",
	  SLICE("From: \"boss@example\xe3\x80\x82org\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our domain with a zero-width space",
	  SLICE("From: \"boss@exam\xe2\x80\x8bple.org\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "what looks like our address",
	  SLICE("From: \"boss@examp1e.org\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our domain with a borrowed letter",
	  SLICE("From: \"ex\xd0\xb0mple.org help\" <a@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our domain, spaced", SLICE("From: \"EXAMPLE . ORG\" <a@other.example>\r\n"), "FROM_NAME_OURS", 0 },
	{ "a point, and an @, in a sentence", SLICE("From: \"Joe @ Work. Now.\" <a@other.example>\r\n"), NULL, 0 },
	{ "our address in a comment behind",
	  SLICE("From: Jo <a@other.example> (boss@example.org)\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our address as the name of a group",
	  SLICE("From: \"boss@example.org\": a@other.example;\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "our address as a second name",
	  SLICE("From: Jo <a@other.example>, \"boss@example.org\" <b@other.example>\r\n"),
	  "FROM_NAME_OURS", 0 },
	{ "a protected domain",
	  SLICE("From: \"paypal.com\" <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "what looks like a protected domain",
	  SLICE("From: \"service@paypa1.com\" <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "its own domain",
	  SLICE("From: \"paypal.com\" <a@mail.paypal.com>\r\n"),
	  NULL, 0 },
	/* listed names in disguise */
	{ "a listed name, letters apart",
	  SLICE("From: P a y P a l <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, hyphens",
	  SLICE("From: Pay-Pal Service <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, a trade mark",
	  SLICE("From: PayPal\xe2\x84\xa2 Service <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, a registered one",
	  SLICE("From: PayPal\xc2\xae <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, emoji around",
	  SLICE("From: \"\xf0\x9f\x94\x92PayPal\xe2\x9c\x85\" <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, emoji within",
	  SLICE("From: \"Pay\xf0\x9f\x92\xb0Pal\" <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, letters in circles",
	  SLICE("From: \xe2\x93\x85\xe2\x93\x90\xe2\x93\xa8\xe2\x93\x85\xe2\x93\x90\xe2\x93\x9b <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, letters in filled squares",
	  SLICE("From: \xf0\x9f\x85\xbf\xf0\x9f\x85\xb0\xf0\x9f\x86\x88\xf0\x9f\x85\xbf\xf0\x9f\x85\xb0\xf0\x9f\x85\xbb <a@other.example>\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "a listed name, of a group",
	  SLICE("From: PayPal: a@other.example;\r\n"),
	  "FROM_NAME_PROTECTED", 0 },
	{ "words of which the end is no listed name",
	  SLICE("From: Pay Palermo <a@other.example>\r\n"),
	  NULL, 0 },
	/* no address, but one to be seen */
	{ "no author, a wide @",
	  SLICE("From: Jo <a\xef\xbc\xa0other.example>\r\n"),
	  "FROM_AMBIGUOUS", ACTION_REJECT },
	{ "no author, a name that stands alone",
	  SLICE("From: \"boss@bank.example\"\r\n"),
	  "FROM_AMBIGUOUS", ACTION_REJECT },
	{ "no author, a domain with an empty label",
	  SLICE("From: boss@bank..example\r\n"),
	  "FROM_AMBIGUOUS", ACTION_REJECT },
	{ "no author, an @ in a name",
	  SLICE("From: \"Jo @ Work\"\r\n"),
	  "FROM_NO_ADDRESS", 0 },
	{ "invisible in Cyrillic",
	  SLICE("From: \"\xd0\xa1\xd0\xb5\xe2\x80\x8b\xd1\x80\xd0\xb3\" <a@other.example>\r\n"),
	  "FROM_INVISIBLE", 0 },
	/* the domain */
	{ "look-alike of ours", SLICE("From: a@examp1e.org\r\n"), "FROM_LOOKALIKE_OURS", 0 },
	{ "look-alike of ours, subdomain", SLICE("From: a@mail.examp1e.org\r\n"), "FROM_LOOKALIKE_OURS", 0 },
	{ "IDN look-alike of ours", SLICE("From: a@ex\xd0\xb0mple.org\r\n"), "FROM_LOOKALIKE_OURS", 0 },
	{ "our name in front", SLICE("From: a@example.org.evil.example\r\n"), "FROM_LOOKALIKE_OURS", 0 },
	{ "our name further in", SLICE("From: a@www.example.org.evil.example\r\n"), "FROM_LOOKALIKE_OURS",
	  0 },
	{ "our name and a hyphen", SLICE("From: a@example.org-login.example\r\n"), "FROM_LOOKALIKE_OURS", 0 },
	{ "the same name under another suffix", SLICE("From: a@paypal.com.au\r\n"), NULL, 0 },
	{ "a name that ends like ours", SLICE("From: a@anexample.org.evil.example\r\n"), NULL, 0 },
	{ "look-alike of a protected one", SLICE("From: a@paypa1.com\r\n"), "FROM_LOOKALIKE", 0 },
	{ "accents", SLICE("From: a@p\xc3\xa1ypal.com\r\n"), "FROM_LOOKALIKE", 0 },
	{ "mixed scripts in the domain", SLICE("From: a@b\xd0\xb0nk.example\r\n"), "FROM_DOMAIN_MIXED", 0 },
	{ "ours from outside", SLICE("From: a@example.org\r\n"), "FROM_OURS_OUTSIDE", 0 },
	{ "ours below, from outside", SLICE("From: a@x.sub.example.net\r\n"), "FROM_OURS_OUTSIDE", 0 },
	/* other fields */
	{ "Reply-To elsewhere", SLICE("From: a@other.example\r\nReply-To: b@another.example\r\n"),
	  "REPLY_TO_OTHER", 0 },
	{ "Reply-To looks like From", SLICE("From: a@bank.example\r\nReply-To: a@b\xd0\xb0nk.example\r\n"),
	  "REPLY_TO_LOOKALIKE", 0 },
	{ "Reply-To looks like ours", SLICE("From: a@other.example\r\nReply-To: a@examp1e.org\r\n"),
	  "REPLY_TO_LOOKALIKE", 0 },
	{ "two Reply-To",
	  SLICE("From: a@other.example\r\nReply-To: a@other.example\r\nReply-To: b@other.example\r\n"),
	  "REPLY_TO_MALFORMED", 0 },
	{ "Sender elsewhere", SLICE("From: a@other.example\r\nSender: b@another.example\r\n"), "SENDER_OTHER",
	  0 },
	{ "Sender ours", SLICE("From: a@other.example\r\nSender: b@example.org\r\n"), "SENDER_OURS", 0 },
	{ "two Senders",
	  SLICE("From: a@other.example\r\nSender: b@other.example\r\nSender: c@other.example\r\n"),
	  "SENDER_MALFORMED", 0 },
	{ "Sender with two mailboxes",
	  SLICE("From: a@other.example\r\nSender: b@other.example, c@other.example\r\n"), "SENDER_MALFORMED",
	  0 },
	{ "a second Reply-To address looks like ours",
	  SLICE("From: a@other.example\r\nReply-To: a@other.example, b@examp1e.org\r\n"),
	  "REPLY_TO_LOOKALIKE", 0 },
	{ "the second of two Reply-To looks like ours",
	  SLICE("From: a@other.example\r\nReply-To: a@other.example\r\nReply-To: b@examp1e.org\r\n"),
	  "REPLY_TO_LOOKALIKE", 0 },
	{ "Sender looks like ours",
	  SLICE("From: a@other.example\r\nSender: b@examp1e.org\r\n"),
	  "SENDER_LOOKALIKE", 0 },
	{ "the second of two Senders is ours",
	  SLICE("From: a@other.example\r\nSender: a@other.example\r\nSender: b@example.org\r\n"),
	  "SENDER_OURS", 0 },
	{ "reverse-path elsewhere", SLICE("From: a@yet-another.example\r\n"), "RETURN_PATH_OTHER", 0 },
};

static bool is_ours(const char *symbol)
{
	for (const struct filter_symbol *s = forged_from_filter.symbols; s->name != NULL; s++)
		if (strcmp(s->name, symbol) == 0)
			return true;
	return false;
}

static double our_score(const struct scan *scan)
{
	double score = 0;
	for (size_t i = 0; i < scan->hits.count; i++)
		if (is_ours(scan->hits.list[i].symbol))
			score += scan->hits.list[i].score;
	return score;
}

static struct scan *scan_head(struct arena *arena, const struct snapshot *snapshot, const char *ip,
			      struct slice head, const char *zone_lines)
{
	struct zone *zone = zone_of(zone_lines);
	struct buf raw = { 0 };
	buf_add_slice(&raw, head);
	buf_add_str(&raw, "\r\nhello\r\n");
	struct config_mail mail = { .ip = ip, .helo = "mx.other.example", .mail_from = "bounce@other.example",
				    .now = 1700000000, .raw = arena_copy(arena, buf_slice(&raw)) };
	struct scan *scan = config_scan(arena, snapshot, &mail, zone);
	buf_free(&raw);
	zone_destroy(&zone);
	return scan;
}

static void test_cases(void **state)
{
	(void)state;
	struct snapshot *snapshot = config_snapshot(own);
	int bad = 0;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_create();
		struct scan *scan = scan_head(arena, snapshot, "192.0.2.66", cases[i].head, "");
		bool ok = cases[i].symbol == NULL ? our_score(scan) == 0 :
						    hits_find(&scan->hits, cases[i].symbol) != NULL;
		if (!ok || config_verdict(scan).action < cases[i].action) {
			print_error("%s:", cases[i].what);
			for (size_t h = 0; h < scan->hits.count; h++)
				print_error(" %s", scan->hits.list[h].symbol);
			print_error("\n");
			bad++;
		}
		arena_destroy(&arena);
	}
	snapshot_release(&snapshot);
	assert_int_equal(bad, 0);
}

/* Our own domain: who may use it from where. */
static void test_ours(void **state)
{
	(void)state;
	static const struct {
		const char *what, *ip, *zone;
		bool hit;
	} froms[] = {
		{ "outside", "192.0.2.66", "", true },
		{ "a relay network", "127.0.0.1", "", false },
		{ "an internal network", "10.1.2.3", "", false },
		{ "authenticated by SPF", "192.0.2.66",
		  "other.example. TXT \"v=spf1 ip4:192.0.2.66 -all\"\n", true },
		{ "DMARC says no", "192.0.2.66", "_dmarc.example.org. TXT \"v=DMARC1; p=none\"\n", true },
	};
	struct snapshot *snapshot = config_snapshot(own);
	for (size_t i = 0; i < sizeof(froms) / sizeof(froms[0]); i++) {
		struct arena *arena = arena_create();
		struct zone *zone = zone_of(froms[i].zone);
		struct config_mail mail = { .ip = froms[i].ip,
					    .helo = "x.example",
					    .mail_from = "a@other.example",
					    .now = 1700000000,
					    .raw = SLICE("From: a@example.org\r\n\r\nx\r\n") };
		struct scan *scan = config_scan(arena, snapshot, &mail, zone);
		if ((hits_find(&scan->hits, "FROM_OURS_OUTSIDE") != NULL) != froms[i].hit)
			fail_msg("%s", froms[i].what);
		zone_destroy(&zone);
		arena_destroy(&arena);
	}
	struct arena *arena = arena_create();
	struct zone *zone = zone_of("example.org. TXT \"v=spf1 ip4:192.0.2.66 -all\"\n");
	struct config_mail mail = { .ip = "192.0.2.66", .helo = "x.example", .mail_from = "a@example.org",
				    .now = 1700000000, .raw = SLICE("From: a@example.org\r\n\r\nx\r\n") };
	assert_null(hits_find(&config_scan(arena, snapshot, &mail, zone)->hits, "FROM_OURS_OUTSIDE"));
	zone_destroy(&zone);
	arena_destroy(&arena);
	snapshot_release(&snapshot);
}

static void test_settings(void **state)
{
	(void)state;
	static const struct {
		const char *settings;
		struct slice head;
		enum action action; /* ACTION_ACCEPT: no more than the score */
	} wanted[] = {
		{ "ambiguous = score", SLICE("From: a@x.example, b@y.example\r\n"), ACTION_ACCEPT },
		{ "ambiguous = quarantine", SLICE("From: a@x.example, b@y.example\r\n"), ACTION_QUARANTINE },
		{ "missing = reject", SLICE("To: a@x.example\r\n"), ACTION_REJECT },
		{ "lookalike = reject", SLICE("From: a@examp1e.org\r\n"), ACTION_REJECT },
		{ "ours-from-outside = reject", SLICE("From: a@example.org\r\n"), ACTION_REJECT },
		{ "enabled = no", SLICE("From: a@x.example, b@y.example\r\n"), ACTION_ACCEPT },
		{ "shadow = yes", SLICE("From: a@x.example, b@y.example\r\n"), ACTION_ACCEPT },
	};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct arena *arena = arena_create();
		struct slice config =
		    arena_printf(arena,
				 "hostname = mx.example.org\nrelay { domains = {example.org} }\n"
				 "filter forged_from { %s }\n",
				 wanted[i].settings);
		struct snapshot *snapshot = config_snapshot(config.data);
		struct verdict verdict =
			config_verdict(scan_head(arena, snapshot, "192.0.2.66", wanted[i].head, ""));
		if (wanted[i].action == ACTION_ACCEPT ? verdict.action >= ACTION_QUARANTINE :
							verdict.action != wanted[i].action)
			fail_msg("%s: %s", wanted[i].settings, action_name(verdict.action));
		if (verdict.action == ACTION_REJECT) {
			assert_int_equal(verdict.refusal.code, 550);
			assert_string_equal(verdict.refusal.enhanced, "5.7.1");
		}
		snapshot_release(&snapshot);
		arena_destroy(&arena);
	}
}

/* ---- published attacks ---- */

/* The attackers have their own names in order; the forged one asks for
 * refusal, as those who are worth forging do. */
static const char attack_zone[] =
    "attack.com. TXT \"v=spf1 ip4:192.0.2.66 -all\"\n33.attack.com. TXT \"v=spf1 ip4:192.0.2.66 -all\"\n"
    "helo.attack.com. TXT \"v=spf1 ip4:192.0.2.66 -all\"\nany.attack.com. TXT \"v=spf1 ip4:192.0.2.66 "
    "-all\"\n"
    "a.attack.com. TXT \"v=spf1 ip4:192.0.2.66 -all\"\n"
    "attacker.example. TXT \"v=spf1 ip4:192.0.2.66 -all\"\n_dmarc.attacker.example. TXT \"v=DMARC1; "
    "p=none\"\n"
    "_dmarc.attack.com. TXT \"v=DMARC1; p=none\"\n"
    "legitimate.com. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc.legitimate.com. TXT \"v=DMARC1; p=reject\"\n"
    "example.com. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n";

static const char attack_config[] = "hostname = mx.victim.com\nrelay { domains = {victim.com} }\n";

struct outcome {
	bool seen;     /* a symbol with a score of at least 0.5, or a refusal */
	bool refused;
};

static struct outcome attack(const struct config_mail *mail, const struct zone *zone, const char *name)
{
	struct arena *arena = arena_create();
	struct snapshot *snapshot = config_snapshot(attack_config);
	struct scan *scan = config_scan(arena, snapshot, mail, zone);
	struct verdict verdict = config_verdict(scan);
	struct outcome o = { .refused = verdict.action == ACTION_REJECT };
	for (size_t i = 0; i < scan->hits.count; i++)
		o.seen |= scan->hits.list[i].score >= 0.5;
	o.seen |= o.refused;
	if (!o.seen)
		print_error("%s: %s\n", name, action_name(verdict.action));
	snapshot_release(&snapshot);
	arena_destroy(&arena);
	return o;
}

static const char *unbracketed(struct arena *arena, struct slice path)
{
	if (path.len >= 2 && path.data[0] == '<')
		path = slice_sub(path, 1, path.len - 2);
	return arena_str(arena, path);
}

/* Those of a client of ours come over submission, logged in. */
static void espoofer_case(struct arena *arena, const struct json_value *c, const struct zone *zone,
			  struct outcome *o)
{
	struct slice id = json_text(c, "id");
	struct slice name =
	    arena_printf(arena, "from_spoof/espoofer/rendered/%.*s", SLICE_ARG(json_text(c, "eml")));
	bool client = slice_starts(id, SLICE("client_"));
	struct slice file = shared_file(arena, name.data);
	struct config_mail mail = {
		.ip = "192.0.2.66",
		.helo = arena_str(arena, json_text(c, "helo")),
		.mail_from = unbracketed(arena, json_text(c, "mailfrom")),
		.login = client ? "attacker@example.com" : NULL,
		.submission = client,
		.now = 1700561400,
		.raw = message_canonical(arena, file).bytes,
	};
	*o = file.data ? attack(&mail, zone, arena_str(arena, id)) : (struct outcome){ 0 };
}

static void test_espoofer(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice text = shared_file(arena, "from_spoof/espoofer/rendered/cases.json");
	unsigned seen = 0, refused = 0, total = 0;
	if (text.data == NULL) {
		arena_destroy(&arena);
		skip();
	}
	struct zone *zone = zone_of(attack_zone);
	for (const struct json_value *c = json_read(arena, text)->first; c != NULL; c = c->next) {
		struct outcome o;
		espoofer_case(arena, c, zone, &o);
		total++;
		seen += o.seen;
		refused += o.refused;
	}
	printf("# count: espoofer attacks that leave a score or are refused: %u of %u\n", seen, total);
	printf("# count: espoofer attacks that are refused: %u of %u\n", refused, total);
	zone_destroy(&zone);
	arena_destroy(&arena);
	assert_true(total >= 22);
	assert_int_equal(seen, total);
}

static void test_mailsploit(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice text = shared_file(arena, "from_spoof/mailsploit/rendered/from_headers.json");
	unsigned seen = 0, refused = 0, total = 0;
	if (text.data == NULL) {
		arena_destroy(&arena);
		skip();
	}
	struct zone *zone = zone_of(attack_zone);
	for (const struct json_value *c = json_read(arena, text)->first; c != NULL; c = c->next) {
		struct slice raw = arena_printf(arena, "%.*s\r\nTo: <victim@victim.com>\r\n\r\nHi\r\n",
						SLICE_ARG(json_text(c, "from_header")));
		struct config_mail mail = { .ip = "192.0.2.66",
					    .helo = "attacker.example",
					    .mail_from = "user@attacker.example",
					    .now = 1700561400,
					    .raw = raw };
		struct outcome o = attack(&mail, zone, arena_str(arena, json_text(c, "name")));
		total++;
		seen += o.seen;
		refused += o.refused;
	}
	printf("# count: mailsploit payloads that leave a score or are refused: %u of %u\n", seen, total);
	printf("# count: mailsploit payloads that are refused: %u of %u\n", refused, total);
	zone_destroy(&zone);
	arena_destroy(&arena);
	assert_true(total >= 13);
	assert_int_equal(seen, total);
}

/* ---- honest mail ---- */

#define SYMBOLS_MAX 40

struct census {
	struct snapshot *snapshot;
	struct zone *zone;
	unsigned mails, refused, with[SYMBOLS_MAX];
};

/* As it would have come from a stranger: none of its names in the DNS. Only
 * the header section: no filter here reads the body. */
static void count_mail(void *arg, const char *path, struct slice bytes)
{
	struct census *census = arg;
	struct arena *arena = arena_create();
	struct canonical canonical = message_canonical(arena, bytes);
	struct message m = { 0 };
	message_parse(&m, arena, canonical.bytes, 1000);
	const struct header *h = message_header(&m, SLICE("Return-Path"), 0);
	struct slice sender = h ? slice_trim(h->value) : SLICE_EMPTY;
	struct config_mail mail = {
		.ip = "203.0.113.9", .helo = "mx.other.example", .mail_from = unbracketed(arena, sender),
		.now = 1700000000, .raw = arena_printf(arena, "%.*s\r\n", SLICE_ARG(m.head)),
	};
	struct scan *scan = config_scan(arena, census->snapshot, &mail, census->zone);
	census->mails++;
	if (config_verdict(scan).action == ACTION_REJECT) {
		census->refused++;
		print_message("refused: %s\n", path);
	}
	for (size_t s = 0; forged_from_filter.symbols[s].name != NULL; s++)
		census->with[s] += hits_find(&scan->hits, forged_from_filter.symbols[s].name) != NULL;
	arena_destroy(&arena);
}

static unsigned count_corpus(const char *name, const char *part, bool *there_r)
{
	struct census census = { .snapshot = config_snapshot(attack_config), .zone = zone_of("") };
	*there_r = corpus_each(name, part, count_mail, &census);
	for (size_t s = 0; *there_r && forged_from_filter.symbols[s].name != NULL; s++)
		if (census.with[s] > 0)
			printf("# count: %s on %s: %u of %u\n", forged_from_filter.symbols[s].name, name,
			       census.with[s], census.mails);
	if (*there_r)
		printf("# count: %s refused: %u of %u\n", name, census.refused, census.mails);
	/* What hits more of honest mail than one in 200 may score next to nothing. */
	for (size_t s = 0; *there_r && forged_from_filter.symbols[s].name != NULL; s++)
		assert_true(forged_from_filter.symbols[s].score <= 0.1 || census.with[s] * 200 <= census.mails);
	zone_destroy(&census.zone);
	snapshot_release(&census.snapshot);
	return census.refused;
}

static void test_lists_ham(void **state)
{
	(void)state;
	bool there;
	unsigned refused = count_corpus("lists-modern-ham", "/", &there);
	if (!there)
		skip();
	assert_int_equal(refused, 0);
}

static void test_old_ham(void **state)
{
	(void)state;
	bool there;
	unsigned refused = count_corpus("spamassassin-public", "-ham-", &there);
	if (!there)
		skip();
	assert_int_equal(refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),	   cmocka_unit_test(test_ours),
		cmocka_unit_test(test_settings),   cmocka_unit_test(test_espoofer),
		cmocka_unit_test(test_mailsploit), cmocka_unit_test(test_lists_ham),
		cmocka_unit_test(test_old_ham),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
