/* authres: RFC 8601 fields written, read, and recognised as forged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/utf8.h"
#include "message/authres.h"

#define ID SLICE("mx.example.org")
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *value;
	bool ours;
} spellings[] = {
	{ " mx.example.org; spf=pass", true },
	{ "mx.example.org;spf=pass", true },
	{ " MX.Example.ORG; spf=pass", true },
	{ " mx.example.org 1; spf=pass", true },
	{ " mx.example.org/1; spf=pass", true },
	{ " mx.example.org\t(version) 1; none", true },
	{ " (a comment) mx.example.org; spf=pass", true },
	{ " (a (nested; \\) one)) mx.example.org (another); spf=pass", true },
	{ "\r\n\tmx.example.org;\r\n\tspf=pass", true },
	{ "\r\n (x)\r\n mx.example.org\r\n ;\r\n spf=pass", true },
	{ " \"mx.example.org\"; spf=pass", true },
	{ " \"mx.ex\\ample.org\"; spf=pass", true },
	{ " \"mx\".example.\"org\"; spf=pass", true },
	{ " mx . example . org; spf=pass", true },
	{ " mx.(c)example.(d)org; spf=pass", true },
	{ " mx.example.org.; spf=pass", true },
	{ " =?us-ascii?Q?mx.example.org?=; spf=pass", true },
	{ " =?UTF-8?B?bXguZXhhbXBsZS5vcmc=?=; spf=pass", true },
	{ " =?UTF-8?Q?mx=2Eexample?=.org; spf=pass", true },
	{ " \"=?UTF-8?Q?mx=2Eexample=2Eorg?=\"; spf=pass", true },
	{ " =?utf-8?q?mx=2Eexa?= =?utf-8?q?mple=2Eorg?=; spf=pass", true },
	{ " mx.example.org", true },
	{ " mx.example.org spf=pass", true },
	{ " (never ends mx.example.org; spf=pass", true },
	{ " \"never ends mx.example.org; spf=pass", true },
	{ " \xef\xbd\x8d\xef\xbd\x98.example.org; spf=pass", true }, /* full-width letters */
	{ " ; mx.example.org; spf=pass", true },
	{ " ;; mx.example.org; spf=pass", true },
	{ " mx\\.example.org; spf=pass", true },
	{ " mx.exam\x01ple.org; spf=pass", true },
	{ " mx.example\x7f.org; spf=pass", true },
	{ " <mx.example.org>; spf=pass", true },
	{ " mx.example.org, other.example.net; spf=pass", true },
	{ " joe@mx.example.org; spf=pass", true },
	{ " mx.exam\xe2\x80\x8bple.org; spf=pass", true }, /* a zero-width space */
	{ " mx.exam\xe2\x80\x8fple.org; spf=pass", true }, /* a right-to-left mark */
	{ " mx\xe3\x80\x82" "example.org; spf=pass", true }, /* an ideographic full stop */
	{ " =?utf-8?q?mx=00.example.org?=; spf=pass", true },
	{ " =?utf-8?q?mx.example.org=3B?= spf=pass", true },
	{ " other.example.org; spf=pass", false },
	{ " mx.example.org.evil.com; spf=pass", false },
	{ " xmx.example.org; spf=pass", false },
	{ " other.example.org; spf=pass smtp.mailfrom=mx.example.org", false },
	{ " other.example.org (mx.example.org); spf=pass", false },
	{ " (mx.example.org) other.example.org; spf=pass", false },
	{ " example.org; spf=pass", false },
	{ " ; spf=pass", false },
	{ " ;;; other.example.org; spf=pass smtp.mailfrom=mx.example.org", false },
	{ " <other.example.org>; spf=pass", false },
	{ "", false },
};

static void test_is_ours(void **state)
{
	(void)state;
	size_t wrong = 0;
	for (size_t i = 0; i < COUNT(spellings); i++)
		if (authres_is_ours(slice_str(spellings[i].value), ID) != spellings[i].ours) {
			printf("wrong: \"%s\"\n", spellings[i].value);
			wrong++;
		}
	assert_int_equal(wrong, 0);
	assert_true(authres_is_ours(SLICE(" b\xc3\xbc" "cher.example; none"), SLICE("xn--bcher-kva.example")));
	assert_true(authres_is_ours(SLICE(" xn--bcher-kva.example; none"), SLICE("B\xc3\xbc" "cher.example")));
	assert_true(authres_is_ours(SLICE(" Gate; none"), SLICE("gate")));
}

static void test_hostile_is_ours(void **state)
{
	(void)state;
	struct buf b = { 0 };
	for (int i = 0; i < 200000; i++)
		buf_add_str(&b, i % 3 ? "a " : "(");
	authres_is_ours(buf_slice(&b), ID);
	buf_clear(&b);
	for (int i = 0; i < 200000; i++)
		buf_add_str(&b, "x y\r\n");
	assert_false(authres_is_ours(buf_slice(&b), ID));
	buf_free(&b);
}

static void test_must_remove(void **state)
{
	(void)state;
	static const struct {
		struct slice field;
		bool remove;
	} fields[] = {
		{ SLICE("X-Spam-Status: No\r\n"), true },
		{ SLICE("x-SPAM-anything : y\r\n"), true },
		{ SLICE("X-Spam\0-Flag: NO\r\n"), true },
		{ SLICE("X-Spammer: y\r\n"), false },
		{ SLICE("X-Spam: y\r\n"), false },
		{ SLICE("Authentication-Results: mx.example.org; dkim=pass\r\n"), true },
		{ SLICE("AUTHENTICATION-RESULTS\t : mx.example.org; dkim=pass\r\n"), true },
		{ SLICE("Authentication-\x01Results: mx.example.org; dkim=pass\r\n"), true },
		{ SLICE("Authentication-Results\r\n : mx.example.org; dkim=pass\r\n"), true },
		{ SLICE("Authentication-Results: mx.example.net; dkim=pass\r\n"), false },
		{ SLICE("Authentication-Results-Original: mx.example.org; dkim=pass\r\n"), false },
		{ SLICE("ARC-Authentication-Results: i=1; mx.example.org; dkim=pass\r\n"), false },
		{ SLICE("Subject: Authentication-Results: mx.example.org\r\n"), false },
		{ SLICE("no colon\r\n"), false },
	};
	struct buf head = { 0 };
	size_t expected = 0;
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct header h = { .field = fields[i].field };
		if (authres_must_remove(&h, ID) != fields[i].remove)
			fail_msg("wrong: %s", fields[i].field.data);
		buf_add_slice(&head, fields[i].field);
		expected += fields[i].remove;
	}
	struct arena *arena = arena_create();
	struct message m = { 0 };
	message_parse(&m, arena, buf_slice(&head), 100);
	struct removals r = authres_removals(arena, &m, ID);
	assert_int_equal(r.count, expected);
	for (size_t i = 0; i < r.count; i++)
		assert_true(fields[r.fields[i]].remove);
	arena_destroy(&arena);
	buf_free(&head);
}

static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	arena = arena_create();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_destroy(&arena);
	return 0;
}

#define EQ(s, text) do { if (!slice_eq((s), slice_str(text))) \
	fail_msg("\"%.*s\", expected \"%s\"", SLICE_ARG(s), text); } while (0)

static void test_parse(void **state)
{
	(void)state;
	struct authres a;
	assert_true(authres_parse(arena, SLICE(
		" mx.google.com (c) 1;\r\n"
		"       dkim=pass header.i=@d1.example header.s=s2 header.b=\"AbC/d+==\";\r\n"
		"       arc=pass (i=1 spf=pass spfdomain=x (nested) dkim=pass; no end here);\r\n"
		"       spf=softfail (google.com: domain of transitioning \\) a@b) smtp.mailfrom=\"a b\"@c.example;\r\n"
		"       dmarc/1=fail reason=\"no \\\"reason\\\"\" action=none header . from = d1.example;;"), &a));
	EQ(a.id, "mx.google.com");
	assert_int_equal(a.version, 1);
	assert_int_equal(a.count, 4);
	EQ(a.results[0].method, "dkim");
	assert_int_equal(a.results[0].result, AUTH_PASS);
	EQ(authres_property(&a.results[0], "header", "i"), "@d1.example");
	EQ(authres_property(&a.results[0], "header", "b"), "AbC/d+==");
	EQ(authres_property(&a.results[0], "header", "x"), "");
	assert_int_equal(a.results[2].result, AUTH_SOFTFAIL);
	EQ(authres_property(&a.results[2], "smtp", "mailfrom"), "a b@c.example");
	EQ(a.results[3].method, "dmarc");
	EQ(a.results[3].reason, "no \"reason\"");
	EQ(authres_property(&a.results[3], "header", "from"), "d1.example");
	EQ(authres_property(&a.results[3], "", "action"), "none");
	assert_true(authres_parse(arena, SLICE(" mx; none"), &a));
	assert_int_equal(a.count, 0);
	assert_true(authres_parse(arena, SLICE(" mx"), &a));
	assert_true(authres_parse(arena, SLICE("mx 2; x-own=odd"), &a));
	assert_int_equal(a.version, 2);
	assert_int_equal(a.results[0].result, AUTH_UNKNOWN);
	EQ(a.results[0].word, "odd");
}

static void test_parse_bad(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", " ; spf=pass", "mx spf=pass", "mx; spf", "mx; spf=", "mx; =pass", "mx; spf=pass (never ends",
		"mx; spf=pass smtp.mailfrom=\"never ends", "mx; spf=pass smtp.=x", "mx; spf=pass x", "mx; s(pf=pass",
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct authres a;
		if (authres_parse(arena, slice_str(bad[i]), &a))
			fail_msg("\"%s\" is taken", bad[i]);
		assert_int_equal(a.count, 0);
	}
}

static struct slice write_all(const struct facts *facts, const struct client *client, const struct ip *host)
{
	struct buf b = { 0 };
	authres_write(&b, ID, facts, client, host);
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

static void check_form(struct slice field)
{
	struct slice line, rest = field;
	assert_true(slice_ends(field, SLICE("\r\n")));
	assert_true(utf8_valid(field));
	rest.len -= 2;
	while (slice_split(&rest, '\n', &line)) {
		assert_true(line.len <= 998);
		bool last = rest.data == NULL;
		assert_true(last || (line.len > 0 && line.data[line.len - 1] == '\r'));
		assert_true(last || rest.data[0] == '\t');
		for (size_t i = 0; i + 1 < line.len; i++)
			assert_true((unsigned char)line.data[i] >= ' ' || line.data[i] == '\t');
	}
}

static void test_write(void **state)
{
	(void)state;
	struct dkim_fact dkim[] = {
		{ .result = AUTH_PASS, .domain = SLICE("example.com"), .selector = SLICE("s1"),
		  .identity = SLICE("@example.com"), .algorithm = SLICE("rsa-sha256"), .header_b = SLICE("AbC/d+12"),
		  .key_bits = 2048 },
		{ .result = AUTH_FAIL, .domain = SLICE("example.net"), .selector = SLICE("s2"),
		  .algorithm = SLICE("ed25519-sha256"), .reason = SLICE("body hash did not verify") },
	};
	struct facts facts = {
		.iprev = { AUTH_PASS, SLICE("mail.example.com") },
		.spf = { .result = AUTH_PASS, .domain = SLICE("example.com"), .sender = SLICE("ann@example.com") },
		.spf_helo = { .result = AUTH_NONE, .domain = SLICE("mail.example.com"), .helo = true },
		.dkim = dkim, .dkim_count = 2, .dkim_known = true,
		.arc = { .result = AUTH_PASS, .instances = 2, .oldest_pass = 1 },
		.dmarc = { .result = AUTH_PASS, .domain = SLICE("news.example.com"), .policy = DMARC_POLICY_REJECT,
			   .policy_domain = SLICE("example.com"), .disposition = DMARC_POLICY_NONE },
	};
	struct client client = { .login = SLICE("ann") };
	struct ip host;
	assert_true(ip_parse(SLICE("2001:db8::1"), &host));
	struct slice field = write_all(&facts, &client, &host);
	check_form(field);
	EQ(field, "Authentication-Results: mx.example.org;\r\n"
		  "\tauth=pass smtp.auth=ann;\r\n"
		  "\tiprev=pass policy.iprev=\"2001:db8::1\";\r\n"
		  "\tspf=pass smtp.mailfrom=ann@example.com;\r\n"
		  "\tspf=none smtp.helo=mail.example.com;\r\n"
		  "\tdkim=pass (2048-bit key) header.d=example.com header.i=@example.com\r\n"
		  "\theader.s=s1 header.a=rsa-sha256 header.b=\"AbC/d+12\";\r\n"
		  "\tdkim=fail reason=\"body hash did not verify\" header.d=example.net header.s=s2\r\n"
		  "\theader.a=ed25519-sha256;\r\n"
		  "\tarc=pass (i=2) header.oldest-pass=1 smtp.remote-ip=\"2001:db8::1\";\r\n"
		  "\tdmarc=pass (p=reject dis=none) header.from=news.example.com\r\n"
		  "\tpolicy.dmarc=reject polrec.domain=example.com\r\n");
	struct authres a;
	assert_true(authres_parse(arena, slice_from(field, slice_chr(field, ':') + 1), &a));
	assert_int_equal(a.count, 8);
	assert_true(authres_is_ours(slice_from(field, slice_chr(field, ':') + 1), ID));
}

static void test_write_little(void **state)
{
	(void)state;
	struct facts facts = { 0 };
	struct client client = { 0 };
	struct ip host = { 0 };
	EQ(write_all(&facts, &client, &host), "Authentication-Results: mx.example.org; none\r\n");
	facts.dkim_known = true;
	EQ(write_all(&facts, &client, &host), "Authentication-Results: mx.example.org;\r\n\tdkim=none\r\n");
}

/* Values from outside can't break out of their place. */
static void test_write_hostile(void **state)
{
	(void)state;
	static const char *const values[] = {
		"a\r\nX-Injected: 1", "a\"; dkim=pass header.d=\"bank.com", "a; dkim=pass", "a (", "a\\", "\xff\xfe", "a b@c",
		"\xe2\x80\xae" "evil", "=?utf-8?q?x?=", "",
	};
	struct client client = { 0 };
	struct ip host = { 0 };
	for (size_t i = 0; i < COUNT(values); i++) {
		struct slice v = slice_str(values[i]);
		struct dkim_fact dkim = { .result = AUTH_PERMERROR, .domain = v, .selector = v, .identity = v,
					  .algorithm = v, .header_b = v };
		struct facts facts = { .dkim = &dkim, .dkim_count = 1, .dkim_known = true,
				       .spf = { .result = AUTH_FAIL, .domain = v, .sender = v } };
		struct slice field = write_all(&facts, &client, &host);
		check_form(field);
		struct authres a;
		assert_true(authres_parse(arena, slice_from(field, slice_chr(field, ':') + 1), &a));
		assert_int_equal(a.count, 2);
		assert_int_equal(a.results[0].result, AUTH_FAIL);
		assert_int_equal(a.results[1].result, AUTH_PERMERROR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_ours),
		cmocka_unit_test(test_hostile_is_ours),
		cmocka_unit_test(test_must_remove),
		cmocka_unit_test_setup_teardown(test_parse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parse_bad, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_little, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_hostile, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
