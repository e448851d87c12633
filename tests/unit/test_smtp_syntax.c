#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cidr.h"
#include "proxy/smtp_syntax.h"

#define COUNT(t) (sizeof(t) / sizeof(*(t)))
#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define LABEL63 X60 "xxx"

static void check(const char *what, struct slice got, const char *want)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("%s: \"%.*s\", not \"%s\"", what, SLICE_ARG(got), want);
}

static void test_lines(void **state)
{
	(void)state;
	static const struct {
		struct slice in;
		enum smtp_line_status status;
		const char *text;
		size_t consumed;
		bool bare_lf, ended;
	} table[] = {
		{ { "NOOP\r\nX", 7 }, SMTP_LINE_OK, "NOOP", 6, false, true },
		{ { "NOOP\nX", 6 }, SMTP_LINE_OK, "NOOP", 5, true, true },
		{ { "\r\n", 2 }, SMTP_LINE_OK, "", 2, false, true },
		{ { "\n", 1 }, SMTP_LINE_OK, "", 1, true, true },
		{ { "A\rB\r\n", 5 }, SMTP_LINE_OK, "A\rB", 5, false, true },
		{ { "", 0 }, SMTP_LINE_MORE, "", 0, false, false },
		{ { NULL, 0 }, SMTP_LINE_MORE, "", 0, false, false },
		{ { "NOOP\r", 5 }, SMTP_LINE_MORE, "", 0, false, false },
		{ { "12345678\r\n", 10 }, SMTP_LINE_OK, "12345678", 10, false, true },
		{ { "123456789", 9 }, SMTP_LINE_MORE, "", 0, false, false },
		{ { "123456789\r", 10 }, SMTP_LINE_TOO_LONG, "", 10, false, false },
		{ { "123456789\r\nX", 12 }, SMTP_LINE_TOO_LONG, "", 11, false, true },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct smtp_line line;
		assert_int_equal(smtp_line_next(table[i].in, 10, &line), table[i].status);
		check("line", line.text, table[i].text);
		assert_int_equal(line.consumed, table[i].consumed);
		assert_int_equal(line.ended, table[i].ended);
		assert_int_equal(line.bare_lf, table[i].bare_lf);
	}
}

static void test_commands(void **state)
{
	(void)state;
	static const struct {
		struct slice line;
		bool ok;
		const char *verb, *arg;
	} table[] = {
		{ { "NOOP", 4 }, true, "NOOP", "" },
		{ { "quit  \t ", 8 }, true, "quit", "" },
		{ { "MAIL FROM:<a@b>  ", 17 }, true, "MAIL", "FROM:<a@b>" },
		{ { "HELO\t one  two ", 15 }, true, "HELO", "one  two" },
		{ { "GET / HTTP/1.1", 14 }, true, "GET", "/ HTTP/1.1" },
		{ { "HELO \xc3\xa4", 7 }, true, "HELO", "\xc3\xa4" },
		{ { "", 0 }, false, "", "" },
		{ { " NOOP", 5 }, false, "", "" },
		{ { "NO-OP", 5 }, false, "", "" },
		{ { "Subject: x", 10 }, false, "", "" },
		{ { "NOOP\0", 5 }, false, "", "" },
		{ { "NOOP a\rb", 8 }, false, "", "" },
		{ { "NOOP \x1b[2J", 9 }, false, "", "" },
		{ { "\x16\x03\x01", 3 }, false, "", "" },
		{ { "NOOP \x7f", 6 }, false, "", "" },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct smtp_command c;
		assert_int_equal(smtp_command_parse(table[i].line, &c), table[i].ok);
		check("verb", c.verb, table[i].verb);
		check("arg", c.arg, table[i].arg);
	}
}

static void test_params(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum smtp_syntax_error error;
		size_t count;
	} table[] = {
		{ "", SMTP_SYNTAX_OK, 0 },
		{ "  ", SMTP_SYNTAX_OK, 0 },
		{ "SIZE=100 BODY=8BITMIME  SMTPUTF8 ", SMTP_SYNTAX_OK, 3 },
		{ "X-a=b=c", SMTP_SYNTAX_OK, 1 },
		{ "ORCPT=utf-8;\xc3\xa4@x", SMTP_SYNTAX_OK, 1 },
		{ "AUTH=<>", SMTP_SYNTAX_OK, 1 },
		{ "SIZE=", SMTP_SYNTAX_BAD_PARAM, 0 },
		{ "=5", SMTP_SYNTAX_BAD_PARAM, 0 },
		{ "-a", SMTP_SYNTAX_BAD_PARAM, 0 },
		{ "a_b", SMTP_SYNTAX_BAD_PARAM, 0 },
		{ "<a@b>", SMTP_SYNTAX_BAD_PARAM, 0 },
		{ "SIZE=1 size=2", SMTP_SYNTAX_REPEATED_PARAM, 1 },
		{ "a b c d e f g h i j k l m n o p q r s t u v w x", SMTP_SYNTAX_OK, 24 },
		{ "a b c d e f g h i j k l m n o p q r s t u v w x y", SMTP_SYNTAX_MANY_PARAMS, 24 },
	};
	struct smtp_params p;
	for (size_t i = 0; i < COUNT(table); i++) {
		enum smtp_syntax_error error = smtp_params_parse(slice_str(table[i].text), &p);
		if (error != table[i].error || p.count != table[i].count)
			fail_msg("%s: %s, %zu", table[i].text, smtp_syntax_error_text(error), p.count);
	}
	assert_int_equal(smtp_params_parse(SLICE("Size=100 SMTPUTF8 X=a=b"), &p), SMTP_SYNTAX_OK);
	check("SIZE", smtp_params_find(&p, SLICE("SIZE"))->value, "100");
	assert_false(smtp_params_find(&p, SLICE("smtputf8"))->has_value);
	check("X", smtp_params_find(&p, SLICE("x"))->value, "a=b");
	assert_null(smtp_params_find(&p, SLICE("BODY")));
	assert_null(smtp_params_find(&p, SLICE_EMPTY));
}

static void test_paths(void **state)
{
	(void)state;
	static const struct {
		const char *arg;
		enum smtp_syntax_error error;
		const char *path, *params;
		bool no_brackets, route;
	} table[] = {
		{ "FROM:<a@b>", SMTP_SYNTAX_OK, "a@b", .params = "" },
		{ "from: <a@b>", SMTP_SYNTAX_OK, "a@b", .params = "" },
		{ "FROM:\t <a@b> \t SIZE=5 ", SMTP_SYNTAX_OK, "a@b", .params = "SIZE=5" },
		{ "FROM:< a@b >", SMTP_SYNTAX_OK, "a@b", .params = "" },
		{ "FROM:<>", SMTP_SYNTAX_OK, "", .params = "" },
		{ "FROM:<> BODY=7BIT", SMTP_SYNTAX_OK, "", .params = "BODY=7BIT" },
		{ "FROM:<\"a>b\\\">\"@c> X", SMTP_SYNTAX_OK, "\"a>b\\\">\"@c", .params = "X" },
		{ "FROM:a@b", SMTP_SYNTAX_OK, "a@b", .params = "", .no_brackets = true },
		{ "FROM: a@b SIZE=1", SMTP_SYNTAX_OK, "a@b", .params = "SIZE=1", .no_brackets = true },
		{ "FROM:\"a b\"@c X", SMTP_SYNTAX_OK, "\"a b\"@c", .params = "X", .no_brackets = true },
		{ "FROM:<@x,@y:a@b>", SMTP_SYNTAX_OK, "@x,@y:a@b", .params = "", .route = true },
		{ "FROM:@x:a@b", SMTP_SYNTAX_OK, "@x:a@b", .params = "", .no_brackets = true, .route = true },
		{ "FROM", SMTP_SYNTAX_NO_FROM_TO, "", .params = "" },
		{ "FROM <a@b>", SMTP_SYNTAX_NO_FROM_TO, "", .params = "" },
		{ "TO:<a@b>", SMTP_SYNTAX_NO_FROM_TO, "", .params = "" },
		{ "", SMTP_SYNTAX_NO_FROM_TO, "", .params = "" },
		{ "FROM:", SMTP_SYNTAX_NO_PATH, "", .params = "" },
		{ "FROM:   ", SMTP_SYNTAX_NO_PATH, "", .params = "" },
		{ "FROM:<a@b", SMTP_SYNTAX_BAD_PATH, NULL, .params = NULL },
		{ "FROM:<a@b>>", SMTP_SYNTAX_BAD_PATH, NULL, .params = NULL },
		{ "FROM:<a@b>SIZE=1", SMTP_SYNTAX_BAD_PATH, NULL, .params = NULL },
		{ "FROM:<\"a@b>", SMTP_SYNTAX_BAD_PATH, NULL, .params = NULL },
		{ "FROM:<\"a\\", SMTP_SYNTAX_BAD_PATH, NULL, .params = NULL },
		{ "FROM:a@b>", SMTP_SYNTAX_BAD_PATH, NULL, .params = NULL },
		{ "FROM:Name<a@b>", SMTP_SYNTAX_BAD_PATH, NULL, .params = NULL },
		{ "FROM:Name <a@b>", SMTP_SYNTAX_BAD_PARAM, NULL, .params = NULL },
		{ "FROM:<a@b> SIZE=1 SIZE=1", SMTP_SYNTAX_REPEATED_PARAM, NULL, .params = NULL },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct smtp_path path;
		enum smtp_syntax_error error = smtp_mail_parse(slice_str(table[i].arg), &path);
		if (error != table[i].error)
			fail_msg("%s: %s", table[i].arg, smtp_syntax_error_text(error));
		if (table[i].path == NULL)
			continue;
		check(table[i].arg, path.path, table[i].path);
		check(table[i].arg, path.params_text, table[i].params);
		assert_int_equal(path.no_brackets, table[i].no_brackets);
		assert_int_equal(path.source_route, table[i].route);
	}
	struct smtp_path path;
	assert_int_equal(smtp_rcpt_parse(SLICE("To: <a@b> NOTIFY=NEVER"), &path), SMTP_SYNTAX_OK);
	check("RCPT", path.path, "a@b");
	check("NOTIFY", smtp_params_find(&path.params, SLICE("notify"))->value, "NEVER");
	assert_int_equal(smtp_rcpt_parse(SLICE("FROM:<a@b>"), &path), SMTP_SYNTAX_NO_FROM_TO);
}

static void test_helo(void **state)
{
	(void)state;
	static const struct {
		const char *arg;
		enum smtp_helo helo;
		const char *name, *ip;
	} table[] = {
		{ "mail.example.org", SMTP_HELO_DOMAIN, "mail.example.org", NULL },
		{ " Mail.Example.ORG. ", SMTP_HELO_DOMAIN, "Mail.Example.ORG.", NULL },
		{ "xn--bcher-kva.example", SMTP_HELO_DOMAIN, "xn--bcher-kva.example", NULL },
		{ "1and1.example", SMTP_HELO_DOMAIN, "1and1.example", NULL },
		{ LABEL63 ".example", SMTP_HELO_DOMAIN, LABEL63 ".example", NULL },
		{ LABEL63 "x.example", SMTP_HELO_SLOPPY, LABEL63 "x.example", NULL },
		{ "localhost", SMTP_HELO_SINGLE, "localhost", NULL },
		{ "[192.0.2.1]", SMTP_HELO_LITERAL, "[192.0.2.1]", "192.0.2.1" },
		{ "[ipv6:2001:db8::1]", SMTP_HELO_LITERAL, "[ipv6:2001:db8::1]", "2001:db8::1" },
		{ "192.0.2.1", SMTP_HELO_BARE_IP, "192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", SMTP_HELO_BARE_IP, "2001:db8::1", "2001:db8::1" },
		{ "my_pc", SMTP_HELO_SLOPPY, "my_pc", NULL },
		{ "a_b.example.org", SMTP_HELO_SLOPPY, "a_b.example.org", NULL },
		{ "b\xc3\xbc" "cher.example", SMTP_HELO_SLOPPY, "b\xc3\xbc" "cher.example", NULL },
		{ "a..b", SMTP_HELO_SLOPPY, "a..b", NULL },
		{ "-a.b", SMTP_HELO_SLOPPY, "-a.b", NULL },
		{ "192.0.2", SMTP_HELO_SLOPPY, "192.0.2", NULL },
		{ "my pc", SMTP_HELO_SLOPPY, "my", NULL },
		{ "", SMTP_HELO_EMPTY, "", NULL },
		{ "  ", SMTP_HELO_EMPTY, "", NULL },
		{ ".", SMTP_HELO_GARBAGE, ".", NULL },
		{ "@ x", SMTP_HELO_GARBAGE, "@", NULL },
		{ "[192.0.2.1", SMTP_HELO_GARBAGE, "[192.0.2.1", NULL },
		{ "[2001:db8::1]", SMTP_HELO_GARBAGE, "[2001:db8::1]", NULL },
		{ "[]", SMTP_HELO_GARBAGE, "[]", NULL },
		{ "[", SMTP_HELO_GARBAGE, "[", NULL },
		{ "\xff\xfe", SMTP_HELO_GARBAGE, "\xff\xfe", NULL },
		{ X60 "." X60 "." X60 "." X60 ".x" X10, SMTP_HELO_DOMAIN, X60 "." X60 "." X60 "." X60 ".x" X10,
		  NULL },
		{ X60 "." X60 "." X60 "." X60 ".xx" X10, SMTP_HELO_GARBAGE, X60 "." X60 "." X60 "." X60 ".xx" X10,
		  NULL },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice name;
		struct ip ip;
		char text[IP_TEXT_MAX];
		enum smtp_helo helo = smtp_helo_parse(slice_str(table[i].arg), &name, &ip);
		if (helo != table[i].helo)
			fail_msg("%s: %d", table[i].arg, helo);
		check(table[i].arg, name, table[i].name);
		if (table[i].ip != NULL)
			assert_string_equal(ip_text(&ip, text), table[i].ip);
		assert_int_equal(smtp_helo_parse(slice_str(table[i].arg), &name, NULL), helo);
	}
}

static void test_bdat(void **state)
{
	(void)state;
	static const struct {
		const char *arg;
		bool ok, last;
		uint64_t size;
	} table[] = {
		{ "0", true, false, 0 },
		{ "86", true, false, 86 },
		{ "86 LAST", true, true, 86 },
		{ "0  last ", true, true, 0 },
		{ "9223372036854775807", true, false, INT64_MAX },
		{ "9223372036854775808", false, false, 0 },
		{ "", false, false, 0 },
		{ "-1", false, false, 0 },
		{ "0x10", false, false, 0 },
		{ "86 LAST X", false, false, 0 },
		{ "86LAST", false, false, 0 },
		{ "LAST", false, false, 0 },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		uint64_t size;
		bool last;
		if (smtp_bdat_parse(slice_str(table[i].arg), &size, &last) != table[i].ok)
			fail_msg("BDAT %s", table[i].arg);
		if (table[i].ok) {
			assert_int_equal(size, table[i].size);
			assert_int_equal(last, table[i].last);
		}
	}
}

static void test_auth(void **state)
{
	(void)state;
	static const struct {
		const char *arg;
		bool ok, has_initial;
		const char *mechanism, *initial;
	} table[] = {
		{ "PLAIN", true, false, "PLAIN", "" },
		{ "plain AGEAYg==", true, true, "plain", "AGEAYg==" },
		{ "EXTERNAL =", true, true, "EXTERNAL", "" },
		{ "SCRAM-SHA-256-PLUS x+/=", true, true, "SCRAM-SHA-256-PLUS", "x+/=" },
		{ "X_12345678901234567890", false, false, NULL, NULL },
		{ "", false, false, NULL, NULL },
		{ "PL*AIN", false, false, NULL, NULL },
		{ "PLAIN a b", false, false, NULL, NULL },
		{ "PLAIN a-b", false, false, NULL, NULL },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct smtp_auth a;
		if (smtp_auth_parse(slice_str(table[i].arg), &a) != table[i].ok)
			fail_msg("AUTH %s", table[i].arg);
		if (!table[i].ok)
			continue;
		check("mechanism", a.mechanism, table[i].mechanism);
		check("initial", a.initial, table[i].initial);
		assert_int_equal(a.has_initial, table[i].has_initial);
	}
}

static void test_xtext(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct buf b = { 0 };
	struct slice bytes;
	static const char *const bad[] = { "a b", "a=b", "+", "+4", "a+4", "+4g", "\xc3\xa4", "a\n" };
	assert_true(smtp_xtext_decode(arena, SLICE("a+2Bb+3dc+00@x"), &bytes));
	assert_true(slice_eq(bytes, SLICE("a+b=c\0@x")));
	assert_true(smtp_xtext_decode(arena, SLICE_EMPTY, &bytes));
	assert_int_equal(bytes.len, 0);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(smtp_xtext_decode(arena, slice_str(bad[i]), &bytes));
	char every[256];
	for (int i = 0; i < 256; i++)
		every[i] = (char)i;
	smtp_xtext_encode(&b, slice_make(every, sizeof(every)));
	for (size_t i = 0; i < b.len; i++)
		assert_true(b.data[i] > ' ' && b.data[i] < 0x7f && b.data[i] != '=');
	assert_true(smtp_xtext_decode(arena, buf_slice(&b), &bytes));
	assert_true(slice_eq(bytes, slice_make(every, sizeof(every))));
	buf_free(&b);
	arena_destroy(&arena);
}

/* RFC 3461 4, RFC 6533 3 */
static void test_dsn_values(void **state)
{
	static const struct {
		bool (*ok)(struct slice value);
		const char *value;
		bool want;
	} cases[] = {
		{ smtp_dsn_ret_ok, "FULL", true },
		{ smtp_dsn_ret_ok, "hdrs", true },
		{ smtp_dsn_ret_ok, "", false },
		{ smtp_dsn_ret_ok, "ALL", false },
		{ smtp_dsn_envid_ok, "QQ314159", true },
		{ smtp_dsn_envid_ok, "a+2Bb", true },
		{ smtp_dsn_envid_ok, "a+2b", true },
		{ smtp_dsn_envid_ok, "a+2", false },
		{ smtp_dsn_envid_ok, "a+zz", false },
		{ smtp_dsn_envid_ok, "a=b", false },
		{ smtp_dsn_envid_ok, "", false },
		{ smtp_dsn_notify_ok, "NEVER", true },
		{ smtp_dsn_notify_ok, "success,failure", true },
		{ smtp_dsn_notify_ok, "DELAY,SUCCESS,FAILURE", true },
		{ smtp_dsn_notify_ok, "NEVER,SUCCESS", false },
		{ smtp_dsn_notify_ok, "SUCCESS,SUCCESS", false },
		{ smtp_dsn_notify_ok, "SUCCESS,", false },
		{ smtp_dsn_notify_ok, ",", false },
		{ smtp_dsn_notify_ok, "", false },
		{ smtp_dsn_notify_ok, "SOMETIMES", false },
		{ smtp_dsn_orcpt_ok, "rfc822;bob@example.org", true },
		{ smtp_dsn_orcpt_ok, "x-local;a+20b", true },
		{ smtp_dsn_orcpt_ok, "utf-8;b\\x{F8}b@example.org", true },
		{ smtp_dsn_orcpt_ok, "rfc822;", false },
		{ smtp_dsn_orcpt_ok, ";bob", false },
		{ smtp_dsn_orcpt_ok, "bob@example.org", false },
		{ smtp_dsn_orcpt_ok, "rfc 822;bob", false },
		{ smtp_dsn_orcpt_ok, "rfc822;a+b", false },
	};
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (cases[i].ok(slice_str(cases[i].value)) != cases[i].want)
			fail_msg("case %zu: %s", i, cases[i].value);
	char many[600];
	memset(many, 'x', sizeof(many));
	assert_true(smtp_dsn_envid_ok(slice_make(many, 100)));
	assert_false(smtp_dsn_envid_ok(slice_make(many, 101)));
	memcpy(many, "rfc822;", 7);
	assert_true(smtp_dsn_orcpt_ok(slice_make(many, 500)));
	assert_false(smtp_dsn_orcpt_ok(slice_make(many, 501)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_commands), cmocka_unit_test(test_params),
		cmocka_unit_test(test_paths), cmocka_unit_test(test_helo), cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_auth), cmocka_unit_test(test_xtext),
		cmocka_unit_test(test_dsn_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
