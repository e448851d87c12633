#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/auth.h"
#include "proxy/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4 SIGNATURE "\x21\x11\x00\x0c" "\xc0\x00\x02\x07" "\x7f\x00\x00\x01" "\x10\x01\x00\x19"
#define V6_A "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"
#define V6 SIGNATURE "\x21\x21\x00\x24" V6_A V6_A "\x10\x01\x00\x19"

static const struct {
	const char *what;
	struct slice in;
	enum proxy_status status;
	bool local;
	const char *ip;
	uint16_t port;
	size_t consumed;   /* 0: all */
} cases[] = {
	{ "v1", SLICE("PROXY TCP4 192.0.2.7 127.0.0.1 4097 25\r\n"), PROXY_OK, false, "192.0.2.7", 4097, 0 },
	{ "v1 IPv6", SLICE("PROXY TCP6 2001:db8::5 ::1 4097 25\r\n"), PROXY_OK, false, "2001:db8::5", 4097, 0 },
	{ "v1 with more behind", SLICE("PROXY TCP4 192.0.2.7 127.0.0.1 4097 25\r\nEHLO x\r\n"), PROXY_OK, false,
	  "192.0.2.7", 4097, 40 },
	{ "v1 unknown", SLICE("PROXY UNKNOWN\r\n"), PROXY_OK, true, NULL, 0, 0 },
	{ "v1 unknown with words", SLICE("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), PROXY_OK, true, NULL, 0, 0 },
	{ "v1 begun", SLICE("PRO"), PROXY_MORE, false, NULL, 0, 0 },
	{ "v1 without its end", SLICE("PROXY TCP4 192.0.2.7 127.0.0.1 4097 25\r"), PROXY_MORE, false, NULL, 0, 0 },
	{ "nothing", SLICE(""), PROXY_MORE, false, NULL, 0, 0 },
	{ "another protocol", SLICE("EHLO x\r\n"), PROXY_BAD, false, NULL, 0, 0 },
	{ "lower case", SLICE("proxy TCP4 192.0.2.7 127.0.0.1 4097 25\r\n"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v1 family lies", SLICE("PROXY TCP4 2001:db8::5 ::1 4097 25\r\n"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v1 port", SLICE("PROXY TCP4 192.0.2.7 127.0.0.1 65536 25\r\n"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v1 words missing", SLICE("PROXY TCP4 192.0.2.7\r\n"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v1 words too many", SLICE("PROXY TCP4 192.0.2.7 127.0.0.1 4097 25 9\r\n"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v1 too long", SLICE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			       "65535 65535 65535\r\n"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v2", SLICE(V4), PROXY_OK, false, "192.0.2.7", 4097, 0 },
	{ "v2 IPv6", SLICE(V6), PROXY_OK, false, "2001:db8::5", 4097, 0 },
	{ "v2 with more behind", SLICE(V4 "EHLO"), PROXY_OK, false, "192.0.2.7", 4097, 28 },
	{ "v2 with TLVs", SLICE(SIGNATURE "\x21\x11\x00\x0f" "\xc0\x00\x02\x07" "\x7f\x00\x00\x01" "\x10\x01\x00\x19" "abc"),
	  PROXY_OK, false, "192.0.2.7", 4097, 0 },
	{ "v2 LOCAL", SLICE(SIGNATURE "\x20\x00\x00\x00"), PROXY_OK, true, NULL, 0, 0 },
	{ "v2 cut", SLICE(SIGNATURE "\x21\x11\x00\x0c" "\xc0\x00\x02\x07"), PROXY_MORE, false, NULL, 0, 0 },
	{ "v2 address too short", SLICE(SIGNATURE "\x21\x11\x00\x04" "\xc0\x00\x02\x07"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v2 version 3", SLICE(SIGNATURE "\x31\x11\x00\x0c"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v2 command 2", SLICE(SIGNATURE "\x22\x11\x00\x0c"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v2 huge", SLICE(SIGNATURE "\x21\x11\xff\xff"), PROXY_BAD, false, NULL, 0, 0 },
	{ "v2 UDP", SLICE(SIGNATURE "\x21\x12\x00\x0c" "\xc0\x00\x02\x07" "\x7f\x00\x00\x01" "\x10\x01\x00\x19"), PROXY_BAD,
	  false, NULL, 0, 0 },
};

static void test_headers(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct proxy_header h;
		char text[IP_TEXT_MAX];
		enum proxy_status status = proxy_header_parse(cases[i].in, &h);
		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].what, (int)status);
		if (status != PROXY_OK)
			continue;
		assert_int_equal(h.consumed, cases[i].consumed ? cases[i].consumed : cases[i].in.len);
		assert_int_equal(h.local, cases[i].local);
		if (h.local)
			continue;
		assert_string_equal(ip_text(&h.ip, text), cases[i].ip);
		assert_int_equal(h.port, cases[i].port);
	}
}

/* Byte by byte: MORE until it is whole, and never another answer. */
static void test_pieces(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct proxy_header h;
		enum proxy_status status = PROXY_MORE;
		for (size_t n = 0; n <= cases[i].in.len && status == PROXY_MORE; n++)
			status = proxy_header_parse(slice_head(cases[i].in, n), &h);
		if (status != cases[i].status)
			fail_msg("%s: %d", cases[i].what, (int)status);
	}
}

/* What we write is what we read. */
static void test_written(void **unused)
{
	static const struct {
		const char *ip;
		uint16_t port;
		const char *tls;
	} clients[] = {
		{ "192.0.2.7", 4321, "" }, { "2001:db8::7", 65535, "" }, { "192.0.2.7", 1, "TLSv1.3" },
		{ "2001:db8::7", 25, "TLSv1.2" }, { "", 0, "" }, { "", 0, "TLSv1.3" },
	};
	(void)unused;
	for (size_t i = 0; i < 2 * sizeof(clients) / sizeof(*clients); i++) {
		struct client c = { .port = clients[i / 2].port, .tls_version = slice_str(clients[i / 2].tls),
				    .tls_cipher = SLICE("TLS_AES_256_GCM_SHA384") };
		struct proxy_header h;
		struct buf out = { 0 };
		ip_parse(slice_str(clients[i / 2].ip), &c.ip);
		proxy_header_write(&out, &c, i % 2 ? 2 : 1);
		size_t whole = out.len;
		buf_add_str(&out, "EHLO x");
		assert_int_equal(proxy_header_parse(buf_slice(&out), &h), PROXY_OK);
		assert_int_equal(h.consumed, whole);
		assert_int_equal(h.local, c.ip.family == 0);
		if (!h.local)
			assert_true(ip_eq(&h.ip, &c.ip) && h.port == c.port);
		bool told = slice_find(buf_slice(&out), slice_str(clients[i / 2].tls)) != SLICE_NPOS;
		if (c.tls_version.len > 0)
			assert_int_equal(told, i % 2 && c.ip.family != 0);
		buf_free(&out);
	}
}

static const struct {
	const char *mechanism, *response, *name;
} logins[] = {
	{ "PLAIN", "AGFkYQBzZWNyZXQ=", "ada" },                  /* NUL ada NUL secret */
	{ "plain", "Z3JhY2UAYWRhAHM=", "ada" },                  /* grace NUL ada NUL s */
	{ "PLAIN", "YWRh", "" },                                 /* no NUL */
	{ "PLAIN", "!!!!", "" },
	{ "PLAIN", "AGFkYQBzZWNyZXQ", "" },                      /* padding missing */
	{ "PLAIN", "", "" },
	{ "LOGIN", "YWRhQGV4YW1wbGUub3Jn", "ada@example.org" },
	{ "SCRAM-SHA-256", "biwsbj1hZGEscj1hYmM=", "ada" },      /* n,,n=ada,r=abc */
	{ "SCRAM-SHA-1", "bixhPXhuPWV2ZSxuPWFkYSxyPWFiYw==", "ada" }, /* an authzid that looks like a name */
	{ "SCRAM-SHA-1", "eSwsbj1hPTJDYj0zRGMscj1hYmM=", "a,b=c" },
	{ "SCRAM-SHA-1", "biwsbT14LG49ZXZlLHI9YWJj", "" },          /* an extension nobody may ignore */
	{ "XOAUTH2", "eD0xLHVzZXI9ZXZlAQE=", "" },
	{ "OAUTHBEARER", "biwsAWF1dGg9QmVhcmVyIGE9ZXZlLAEB", "" },
	{ "XOAUTH2", "dXNlcj1hZGFAZXhhbXBsZS5vcmcBYXV0aD1CZWFyZXIgeAEB", "ada@example.org" },
	{ "OAUTHBEARER", "bixhPWFkYUBleGFtcGxlLm9yZywBYXV0aD1CZWFyZXIgeAEB", "ada@example.org" },
	{ "CRAM-MD5", "YWRh", "" },
};

static void test_login_names(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(logins) / sizeof(*logins); i++) {
		struct arena *arena = arena_create();
		struct slice name = auth_login_name(arena, slice_str(logins[i].mechanism), slice_str(logins[i].response));
		if (!slice_eq(name, slice_str(logins[i].name)))
			fail_msg("%s %s: %.*s", logins[i].mechanism, logins[i].response, SLICE_ARG(name));
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers), cmocka_unit_test(test_pieces), cmocka_unit_test(test_written), cmocka_unit_test(test_login_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
