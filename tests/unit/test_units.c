#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/idn.h"
#include "base/settings.h"
#include "base/settings_value.h"
#include "message/address.h"

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t bytes; /* -1: none */
	} cases[] = {
		{ "0", 0 }, { "4000", 4000 }, { "1b", 1 }, { "64k", 65536 }, { "64K", 65536 },
		{ "1kb", 1024 }, { "1KiB", 1024 }, { "50mb", 52428800 }, { "50M", 52428800 },
		{ "1g", 1073741824 }, { "2tb", INT64_C(2199023255552) }, { "8388607t", INT64_C(9223370937343148032) },
		{ "8388608t", -1 }, { "9223372036854775808", -1 }, { "99999999999999999999", -1 }, { "", -1 },
		{ "mb", -1 }, { "1.5mb", -1 }, { "-1", -1 }, { "1 mb", -1 }, { "1mbb", -1 }, { "1x", -1 },
		{ "0x10", -1 }, { "1e3", -1 }, { "1m\0", 1048576 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t bytes = 7;
		bool ok = setting_parse_size(slice_str(cases[i].text), &bytes);
		if (ok != (cases[i].bytes >= 0) || (ok && bytes != (uint64_t)cases[i].bytes))
			fail_msg("%s", cases[i].text);
		if (!ok)
			assert_int_equal(bytes, 7);
	}
	uint64_t bytes;
	assert_false(setting_parse_size(SLICE("1m\0"), &bytes));
}

static void test_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms; /* -1: none */
	} cases[] = {
		{ "0", 0 }, { "300s", 300000 }, { "300", 300000 }, { "500ms", 500 }, { "5m", 300000 },
		{ "5min", 300000 }, { "1h", 3600000 }, { "2d", 172800000 }, { "1w", 604800000 },
		{ "5M", 300000 }, { "30sec", 30000 }, { "9223372036854775807ms", INT64_MAX },
		{ "9223372036854775808ms", -1 }, { "9223372036854775807", -1 }, { "", -1 }, { "s", -1 },
		{ "1.5s", -1 }, { "-1s", -1 }, { "1h30m", -1 }, { "1 s", -1 }, { "1y", -1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t ms = 7;
		bool ok = setting_parse_time(slice_str(cases[i].text), &ms);
		if (ok != (cases[i].ms >= 0) || (ok && ms != cases[i].ms))
			fail_msg("%s", cases[i].text);
		if (!ok)
			assert_int_equal(ms, 7);
	}
}

static void test_endpoints(void **state)
{
	(void)state;
	static const struct {
		const char *text, *ip, *host, *path; /* all NULL: refused */
		unsigned port;
	} cases[] = {
		{ .text = "192.0.2.1:25", .ip = "192.0.2.1", .port = 25 },
		{ .text = "0.0.0.0:2525", .ip = "0.0.0.0", .port = 2525 },
		{ .text = "*:25", .ip = "0.0.0.0", .port = 25 },
		{ .text = "[::1]:65535", .ip = "::1", .port = 65535 },
		{ .text = "[::]:25", .ip = "::", .port = 25 },
		{ .text = "[::ffff:192.0.2.1]:25", .ip = "192.0.2.1", .port = 25 },
		{ .text = "inet:127.0.0.1:8891", .ip = "127.0.0.1", .port = 8891 },
		{ .text = "inet6:[::1]:8891", .ip = "::1", .port = 8891 },
		{ .text = "Mail.Example.org:25", .host = "mail.example.org", .port = 25 },
		{ .text = "localhost:25", .host = "localhost", .port = 25 },
		{ .text = "b\xc3\xbc" "cher.example:25", .host = "xn--bcher-kva.example", .port = 25 },
		{ .text = "unix:/run/x.sock", .path = "/run/x.sock" },
		{ .text = "" }, { .text = ":25" }, { .text = "25" }, { .text = "192.0.2.1" },
		{ .text = "192.0.2.1:" }, { .text = "192.0.2.1:0" }, { .text = "192.0.2.1:65536" },
		{ .text = "192.0.2.1:smtp" }, { .text = "192.0.2.1:-1" }, { .text = "192.0.2.256:25" },
		{ .text = "192.0.2:25" }, { .text = "::1:25" }, { .text = "[::1]" }, { .text = "[::1:25" },
		{ .text = "[192.0.2.1]:25" }, { .text = "[]:25" }, { .text = "a b:25" }, { .text = "-a:25" },
		{ .text = "unix:" }, { .text = "unix:relative" }, { .text = "a..b:25" },
		{ .text = "unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345"
			  "67890123456789012345678901234567890" },
	};
	struct arena *arena = arena_create();
	char text[IP_TEXT_MAX];
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct endpoint e;
		bool want = cases[i].ip || cases[i].host || cases[i].path;
		if (setting_parse_endpoint(arena, slice_str(cases[i].text), &e) != want)
			fail_msg("%s", cases[i].text);
		if (!want)
			continue;
		assert_int_equal(e.port, cases[i].port);
		assert_string_equal(cases[i].ip ? ip_text(&e.ip, text) : "", cases[i].ip ? cases[i].ip : "");
		assert_int_equal(e.ip.family != 0, cases[i].ip != NULL);
		assert_true(slice_eq(e.host, slice_str(cases[i].host)));
		assert_true(slice_eq(e.path, slice_str(cases[i].path)));
		assert_true(slice_eq(e.text, slice_str(cases[i].text)));
	}
	arena_destroy(&arena);
}

static const struct {
	const char *name, *canonical; /* NULL: refused */
} domains[] = {
	{ "example.org", "example.org" }, { "EXAMPLE.Org.", "example.org" }, { "localhost", "localhost" },
	{ "_dmarc.x-y.z", "_dmarc.x-y.z" }, { "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
	{ "B\xc3\x9c" "CHER.example", "xn--bcher-kva.example" }, { "xn--BCHER-kva.example", "xn--bcher-kva.example" },
	{ "fa\xc3\x9f.de", "xn--fa-hia.de" }, { "a\xe3\x80\x82org", "a.org" }, { "1.2.3.4.in-addr.arpa", "1.2.3.4.in-addr.arpa" },
	{ "", NULL }, { ".", NULL }, { "a..b", NULL }, { ".a", NULL }, { "a.b..", NULL }, { "a b", NULL },
	{ "-a.b", NULL }, { "a-.b", NULL }, { "a@b", NULL }, { "*.a", NULL }, { "[192.0.2.1]", NULL },
	{ "a/b", NULL }, { "\xff.org", NULL },
	{ "0123456789012345678901234567890123456789012345678901234567890123.org", NULL },
};

static void test_domains(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice got, theirs;
	for (size_t i = 0; i < sizeof(domains) / sizeof(*domains); i++) {
		struct slice name = slice_str(domains[i].name), want = slice_str(domains[i].canonical);
		bool ok = idn_domain(arena, name, &got);
		if (ok != (want.data != NULL) || (ok && !slice_eq(got, want)))
			fail_msg("%s: %.*s", domains[i].name, ok ? (int)got.len : 7, ok ? got.data : "refused");
		/* What a list of domains says is what recipients' domains are compared with. */
		if (ok) {
			assert_int_equal(address_domain(arena, name, ADDRESS_UTF8 | ADDRESS_LAX, &theirs), ADDRESS_OK);
			assert_true(slice_eq(got, theirs));
		}
	}
	char longest[256];
	memset(longest, 'a', sizeof(longest));
	for (size_t i = 50; i < sizeof(longest); i += 50)
		longest[i] = '.';
	assert_true(idn_domain(arena, slice_make(longest, 253), &got));
	assert_false(idn_domain(arena, slice_make(longest, 254), &got));
	arena_destroy(&arena);
}

static void test_limits_as_text(void **state)
{
	(void)state;
	static const struct {
		enum setting_type type;
		double value;
		const char *text;
	} cases[] = {
		{ SETTING_SIZE, 65536, "64k" }, { SETTING_SIZE, 1000, "1000" }, { SETTING_SIZE, 0, "0" },
		{ SETTING_TIME, 86400000, "1d" }, { SETTING_TIME, 100, "100ms" }, { SETTING_TIME, 90000, "90s" },
		{ SETTING_INT, 65536, "65536" }, { SETTING_FLOAT, 0.5, "0.5" }, { SETTING_INT, -5, "-5" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = { 0 };
		settings_add_limit(&out, cases[i].type, cases[i].value);
		assert_string_equal(buf_cstr(&out), cases[i].text);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_times), cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_domains), cmocka_unit_test(test_limits_as_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
