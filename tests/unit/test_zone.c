/* zonefile, zone, wire_name: what a line says, and what a name is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/wire_name.h"
#include "base/zonefile.h"
#include "tests/lib/zone_driver.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct lookup {
	const char *name;
	uint16_t type;
	enum answer_status status;
	const char *first; /* rdata of the first record */
	size_t first_len;
	size_t count;
	const char *why;
};
#define NOTHING .count = 0
#define RDATA(s) .first = s, .first_len = sizeof(s) - 1

static void check(const struct zone *zone, const struct lookup *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct lookup *c = &cases[i];
		struct answer a = zone_lookup(zone, slice_str(c->name), c->type);
		if (a.status != c->status || (c->count && a.count != c->count))
			fail_msg("%s type %u: status %d, %zu records", c->name, c->type, a.status, a.count);
		assert_int_equal(a.count > 0, c->status == ANSWER_FOUND);
		if (c->first != NULL && !slice_eq(a.records[0], slice_make(c->first, c->first_len)))
			fail_msg("%s type %u: rdata differs", c->name, c->type);
		if (c->status == ANSWER_TEMPERROR)
			assert_string_equal(a.why, c->why);
	}
}

static void test_records(void **state)
{
	(void)state;
	struct zone *zone = zone_of(
		"$TTL 1h30m\n"
		"example.org. 300 IN A 192.0.2.1\n"
		"             IN 300 A 192.0.2.2\r\n"
		"EXAMPLE.org  AAAA 2001:db8::1 ; no final dot, the origin is the root\n"
		"$ORIGIN example.org.\n"
		"@\tMX 10 mail\n"
		"@ MX 20 mail.example.net.\n"
		"@ TXT \"v=spf1 -all; really\" ( \"second\"\n"
		"\tthird ) ; a comment ( with \"noise\n"
		"@ SOA ns root\\.host 2024010101 1d 2h 4w 1h\n"
		"@ NS ns\n"
		"1.2.0.192.in-addr.arpa. PTR mail\n"
		"www CNAME @\n"
		"spf SPF v=spf1\n"
		"t99 TYPE99 \"v=spf1\"\n"
		"gen TYPE16 \\# 3 02 6869\n"
		"odd TYPE65400 \\# 2 abCD\n"
		"esc TXT \"a\\\"b\\\\c\\009d\" e\\;f\n"
		"empty TXT \"\"\n"
		"_sip._tcp SRV 1 2 3 mail\n"
		"caa CAA 0 issue \"ca.example\"\n");
	const struct lookup cases[] = {
		{ "example.org", DNS_A, ANSWER_FOUND, RDATA("\300\0\2\1"), .count = 2 },
		{ "Example.ORG.", DNS_AAAA, ANSWER_FOUND, .count = 1 },
		{ "example.org", DNS_MX, ANSWER_FOUND, RDATA("\0\12\4mail\7example\3org"), .count = 2 },
		{ "example.org", DNS_TXT, ANSWER_FOUND, RDATA("\23v=spf1 -all; really\6second\5third"), .count = 1 },
		{ "example.org", DNS_SOA, ANSWER_FOUND,
		  RDATA("\2ns\7example\3org\0\11root.host\7example\3org\0"
			"\x78\xa3\xf1\x75\0\1\x51\x80\0\0\x1c\x20\0\x24\xea\0\0\0\x0e\x10"), .count = 1 },
		{ "1.2.0.192.in-addr.arpa", DNS_PTR, ANSWER_FOUND, RDATA("\4mail\7example\3org"), .count = 1 },
		{ "www.example.org", DNS_A, ANSWER_FOUND, RDATA("\300\0\2\1"), .count = 2 },
		{ "www.example.org", DNS_CNAME, ANSWER_FOUND, RDATA("\7example\3org"), .count = 1 },
		{ "www.example.org", DNS_SPF, ANSWER_NODATA, NOTHING },
		{ "spf.example.org", DNS_SPF, ANSWER_FOUND, RDATA("\6v=spf1"), .count = 1 },
		{ "t99.example.org", DNS_SPF, ANSWER_FOUND, RDATA("\6v=spf1"), .count = 1 },
		{ "gen.example.org", DNS_TXT, ANSWER_FOUND, RDATA("\2hi"), .count = 1 },
		{ "odd.example.org", 65400, ANSWER_FOUND, RDATA("\xab\xcd"), .count = 1 },
		{ "esc.example.org", DNS_TXT, ANSWER_FOUND, RDATA("\7a\"b\\c\td\3e;f"), .count = 1 },
		{ "empty.example.org", DNS_TXT, ANSWER_FOUND, RDATA("\0"), .count = 1 },
		{ "caa.example.org", DNS_A, ANSWER_NODATA, NOTHING },
		{ "_tcp.example.org", DNS_A, ANSWER_NODATA, NOTHING },
		{ "org", DNS_A, ANSWER_NODATA, NOTHING },
		{ "nope.example.org", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "a..b", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "", DNS_A, ANSWER_NXDOMAIN, NOTHING },
	};
	/* A C string's last byte is the root's label where the table leaves it off. */
	struct lookup fixed[COUNT(cases)];
	for (size_t i = 0; i < COUNT(cases); i++) {
		fixed[i] = cases[i];
		if (cases[i].type == DNS_MX || cases[i].type == DNS_PTR || cases[i].type == DNS_CNAME)
			fixed[i].first_len++;
	}
	check(zone, fixed, COUNT(fixed));
	assert_int_equal(zone_lookup(zone, SLICE("example.org"), DNS_A).ttl, 300);
	assert_int_equal(zone_lookup(zone, SLICE("example.org"), DNS_MX).ttl, 5400);
	assert_int_equal(zone_lookup(zone, SLICE("www.example.org"), DNS_A).ttl, 300);
	zone_destroy(&zone);
}

static void test_long_string(void **state)
{
	(void)state;
	struct buf text = { 0 };
	buf_add_str(&text, "k TXT \"");
	for (int i = 0; i < 600; i++)
		buf_add_char(&text, (char)('a' + i % 26));
	buf_add_str(&text, "\"\n");
	struct zone *zone = zone_of(buf_cstr(&text));
	struct answer a = zone_lookup(zone, SLICE("k"), DNS_TXT);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.records[0].len, 600 + 3);
	assert_int_equal((uint8_t)a.records[0].data[0], 255);
	assert_int_equal((uint8_t)a.records[0].data[256], 255);
	assert_int_equal((uint8_t)a.records[0].data[512], 90);
	zone_destroy(&zone);
	buf_free(&text);
}

static void test_cname(void **state)
{
	(void)state;
	struct zone *zone = zone_of(
		"self CNAME self\n"
		"a CNAME b\n" "b CNAME A\n"
		"c CNAME d\n" "d CNAME e\n" "e A 192.0.2.9\n"
		"gone CNAME nowhere\n" "void CNAME e\n"
		"bad CNAME \\# 2 ffff\n"
		"fault CNAME broken\n" ";! broken SERVFAIL\n");
	check(zone, (struct lookup[]){
		{ "self", DNS_A, ANSWER_TEMPERROR, .why = "SERVFAIL" },
		{ "a", DNS_A, ANSWER_TEMPERROR, .why = "SERVFAIL" },
		{ "c", DNS_A, ANSWER_FOUND, RDATA("\300\0\2\11"), .count = 1 },
		{ "gone", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "void", DNS_TXT, ANSWER_NODATA, NOTHING },
		{ "bad", DNS_A, ANSWER_TEMPERROR, .why = "SERVFAIL" },
		{ "fault", DNS_A, ANSWER_TEMPERROR, .why = "SERVFAIL" },
	}, 7);
	zone_destroy(&zone);
}

/* The examples of RFC 4592 2.2.1 and 2.2.2. */
static void test_wildcards(void **state)
{
	(void)state;
	struct zone *zone = zone_of(
		"$ORIGIN example.\n"
		"@ NS ns.example.com.\n"
		"* TXT \"this is a wildcard\"\n" "* MX 10 host1.example.\n"
		"sub.* TXT \"this is not a wildcard\"\n"
		"host1 A 192.0.2.1\n"
		"_ssh._tcp.host1 SRV 0 0 22 host1\n"
		"_ssh._tcp.host2 SRV 0 0 22 host2\n"
		"*.cn CNAME host1\n"
		"*.down A 192.0.2.5\n" ";! hole.down NXDOMAIN\n"
		";! *.slow TIMEOUT\n");
	check(zone, (struct lookup[]){
		{ "host3.example", DNS_MX, ANSWER_FOUND, .count = 1 },
		{ "host3.example", DNS_A, ANSWER_NODATA, NOTHING },
		{ "foo.bar.example", DNS_TXT, ANSWER_FOUND, RDATA("\22this is a wildcard"), .count = 1 },
		{ "host1.example", DNS_MX, ANSWER_NODATA, NOTHING },
		{ "sub.*.example", DNS_MX, ANSWER_NODATA, NOTHING },
		{ "_telnet._tcp.host1.example", DNS_MX, ANSWER_NXDOMAIN, NOTHING },
		{ "host2.example", DNS_MX, ANSWER_NODATA, NOTHING },
		{ "ghost.*.example", DNS_MX, ANSWER_NXDOMAIN, NOTHING },
		{ "*.example", DNS_TXT, ANSWER_FOUND, .count = 1 },
		{ "x.y.cn.example", DNS_A, ANSWER_FOUND, RDATA("\300\0\2\1"), .count = 1 },
		{ "x.down.example", DNS_A, ANSWER_FOUND, .count = 1 },
		{ "hole.down.example", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "any.slow.example", DNS_A, ANSWER_TEMPERROR, .why = "timeout" },
	}, 13);
	zone_destroy(&zone);
}

static void test_faults(void **state)
{
	(void)state;
	struct zone *zone = zone_of(
		";! all.test SERVFAIL\n"
		"\t;! indented.test Timeout\n"
		"some.test TXT \"v=spf1 -all\"\n" ";! some.test TIMEOUT\n"
		"typed.test TXT \"v=spf1 -all\"\n" "typed.test A 192.0.2.1\n"
		";! typed.test SERVFAIL TXT MX\n"
		";! gone.deep.test NXDOMAIN\n"
		";! mid.low.test NXDOMAIN\n" "a.mid.low.test A 192.0.2.1\n"
		"; ! comment SERVFAIL\n"
		"last.test A 192.0.2.3 ;! not.a.fault SERVFAIL\n");
	check(zone, (struct lookup[]){
		{ "all.test", DNS_TXT, ANSWER_TEMPERROR, .why = "SERVFAIL" },
		{ "ALL.test", DNS_A, ANSWER_TEMPERROR, .why = "SERVFAIL" },
		{ "sub.all.test", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "indented.test", DNS_A, ANSWER_TEMPERROR, .why = "timeout" },
		{ "some.test", DNS_TXT, ANSWER_FOUND, .count = 1 },
		{ "some.test", DNS_SPF, ANSWER_TEMPERROR, .why = "timeout" },
		{ "typed.test", DNS_TXT, ANSWER_TEMPERROR, .why = "SERVFAIL" },
		{ "typed.test", DNS_MX, ANSWER_TEMPERROR, .why = "SERVFAIL" },
		{ "typed.test", DNS_A, ANSWER_FOUND, .count = 1 },
		{ "typed.test", DNS_AAAA, ANSWER_NODATA, NOTHING },
		{ "gone.deep.test", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "deep.test", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "low.test", DNS_A, ANSWER_NODATA, NOTHING },
		{ "mid.low.test", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "a.mid.low.test", DNS_A, ANSWER_FOUND, .count = 1 },
		{ "not.a.fault", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "comment", DNS_A, ANSWER_NXDOMAIN, NOTHING },
		{ "last.test", DNS_A, ANSWER_FOUND, .count = 1 },
	}, 18);
	zone_destroy(&zone);
}

struct bad {
	const char *text;
	unsigned line;
	const char *error; /* part of it */
};

static const struct bad bad[] = {
	{ "a A 192.0.2.1\nb A 192.0.2.256\n", 2, "not an IPv4 address" },
	{ "b A 192.0.2.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1", 1, "not an IPv4" },
	{ "b AAAA 192.0.2.1\n", 1, "not an IPv6 address" },
	{ "\n\n  A 192.0.2.1\n", 3, "no name before" },
	{ "a MX mail\n", 1, "\"mail\" is not a number" },
	{ "a MX 65536 mail\n", 1, "not a number up to 65535" },
	{ "a MX 10\n", 1, "domain name is missing" },
	{ "a MX 10 b..c\n", 1, "not a domain name" },
	{ "a MX 10 b c\n", 1, "\"c\" follows" },
	{ "a TXT \"open\nb A 192.0.2.1\n", 1, "not closed" },
	{ "a TXT \"open\\\nb A 192.0.2.1\n", 1, "not closed" },
	{ "a TXT\n", 1, "text is missing" },
	{ "a TXT \"\\25\"\n", 1, "three digits" },
	{ "a TXT \"\\256\"\n", 1, "three digits" },
	{ "a TXT (\n\"x\"\n\n", 1, "\"(\" is not closed" },
	{ "a TXT x )\n", 1, "without \"(\"" },
	{ "x A 192.0.2.1\na (\n\nTXT\n)\nb FOO x\n", 2, "text is missing" },
	{ "a FOO x\n", 1, "\"FOO\" is not known" },
	{ "a DNAME x\n", 1, "\"DNAME\" is not known" },
	{ "a CH A 192.0.2.1\n", 1, "\"CH\" is not known" },
	{ "a TYPE0 \\# 0\n", 1, "not known" },
	{ "a TYPE70000 \\# 0\n", 1, "not known" },
	{ "a TYPE700 x\n", 1, "needs \\#" },
	{ "a TYPE700 \\# 2 ff\n", 1, "says 2 octets and 1" },
	{ "a TYPE700 \\# 1 fff\n", 1, "and a half" },
	{ "a TYPE700 \\# 1 fg\n", 1, "\"g\" is not" },
	{ "a 1y A 192.0.2.1\n", 1, "not a TTL" },
	{ "a 99999999999 A 192.0.2.1\n", 1, "not a TTL" },
	{ "a IN\n", 1, "type is missing" },
	{ "$ORIGIN\n", 1, "needs a name" },
	{ "$ORIGIN a b\n", 1, "too much" },
	{ "$TTL x\n", 1, "$TTL needs" },
	{ "$INCLUDE other\n", 1, "$INCLUDE is not supported" },
	{ ";! a\n", 1, "after the name" },
	{ ";! a BROKEN\n", 1, "after the name" },
	{ ";!\n", 1, "needs a name" },
	{ ";! a SERVFAIL FOO\n", 1, "\"FOO\" is not known" },
	{ "a SOA b c 1 2 3 4\n", 1, "four times" },
	{ "a A 192.0.2.1\n\\9 A 192.0.2.1\n", 2, "not a domain name" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa A 192.0.2.1\n", 1, "not a domain" },
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct zone *zone = zone_create();
		struct zone_errors errors;
		if (zonefile_parse(zone, slice_str(bad[i].text), &errors))
			fail_msg("case %zu was taken: %s", i, bad[i].text);
		if (errors.list[0].line != bad[i].line || strstr(errors.list[0].text, bad[i].error) == NULL)
			fail_msg("case %zu: line %u: %s", i, errors.list[0].line, errors.list[0].text);
		zone_destroy(&zone);
	}
}

static void test_many_errors(void **state)
{
	(void)state;
	struct zone *zone = zone_create();
	struct zone_errors errors;
	struct buf text = { 0 };
	for (int i = 0; i < 50; i++)
		buf_add_str(&text, "x BAD\n");
	buf_add_str(&text, "good A 192.0.2.1");
	assert_false(zonefile_parse(zone, buf_slice(&text), &errors));
	assert_int_equal(errors.count, 50);
	assert_int_equal(errors.list[19].line, 20);
	assert_int_equal(zone_lookup(zone, SLICE("good"), DNS_A).status, ANSWER_FOUND);
	assert_false(zonefile_read(zone, "/nonexistent/zone", &errors));
	assert_int_equal(errors.count, 1);
	assert_int_equal(errors.list[0].line, 0);
	zone_destroy(&zone);
	buf_free(&text);
}

static void test_read_file(void **state)
{
	(void)state;
	char path[] = "/tmp/gatehouse-zone-XXXXXX";
	int fd = mkstemp(path);
	struct zone *zone = zone_create();
	struct zone_errors errors;
	assert_true(fd >= 0);
	assert_int_equal(dprintf(fd, "a A 192.0.2.1\n"), 14);
	close(fd);
	assert_true(zonefile_read(zone, path, &errors));
	assert_int_equal(zone_lookup(zone, SLICE("a"), DNS_A).status, ANSWER_FOUND);
	unlink(path);
	zone_destroy(&zone);
}

static void test_large(void **state)
{
	(void)state;
	const int n = 100000;
	struct buf text = { 0 };
	for (int i = 0; i < n; i++)
		buf_printf(&text, "host%d.net%d.example A 192.0.%d.%d\n", i, i % 300, i / 256 % 256, i % 256);
	struct zone *zone = zone_of(buf_cstr(&text));
	char name[64];
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "host%d.net%d.example", i, i % 300);
		struct answer a = zone_lookup(zone, slice_str(name), DNS_A);
		assert_int_equal(a.count, 1);
		assert_int_equal((uint8_t)a.records[0].data[3], i % 256);
	}
	assert_int_equal(zone_records(zone), n);
	zone_destroy(&zone);
	buf_free(&text);
}

static void test_wire_name(void **state)
{
	(void)state;
	uint8_t out[WIRE_NAME_MAX];
	char text[WIRE_NAME_TEXT_MAX];
	size_t end;
	assert_int_equal(wire_name_from_text(SLICE("a\\.b\\032.c"), SLICE_EMPTY, out), 8);
	assert_memory_equal(out, "\4a.b \1c", 8);
	assert_string_equal(wire_name_text(slice_make(out, 8), text), "a\\.b\\032.c");
	assert_string_equal(wire_name_text(slice_make("", 1), text), ".");
	assert_int_equal(wire_name_from_text(SLICE("."), SLICE_EMPTY, out), 1);
	/* 255 octets are a name, 256 are none: four labels of 63 and their lengths are 256. */
	struct buf b = { 0 };
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < (i < 3 ? 64 : 61); j++)
			buf_add_char(&b, j == 0 && i > 0 ? '.' : 'a');
	assert_int_equal(wire_name_from_text(slice_from(buf_slice(&b), 1), SLICE_EMPTY, out), 254);
	buf_add_char(&b, 'a');
	assert_int_equal(wire_name_from_text(slice_from(buf_slice(&b), 1), SLICE_EMPTY, out), 255);
	assert_int_equal(wire_name_len(slice_make(out, 255)), 255);
	buf_add_char(&b, 'a');
	assert_int_equal(wire_name_from_text(slice_from(buf_slice(&b), 1), SLICE_EMPTY, out), 0);
	buf_free(&b);
	/* Compression: only backwards, and never in a circle. */
	struct slice packet = SLICE("\1a\0" "\1b\300\0" "\300\7\0" "\300\10\0\0" "\5ab");
	assert_int_equal(wire_name_unpack(packet, 3, out, &end), 5);
	assert_memory_equal(out, "\1b\1a", 5);
	assert_int_equal(end, 7);
	assert_int_equal(wire_name_unpack(packet, 7, out, &end), 0);
	assert_int_equal(wire_name_unpack(packet, 10, out, &end), 0);
	assert_int_equal(wire_name_unpack(packet, 14, out, &end), 0);
	assert_int_equal(wire_name_unpack(packet, 400, out, &end), 0);
	assert_int_equal(wire_name_len(SLICE("\1a")), 0);
	assert_int_equal(wire_name_len(SLICE("\100")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records), cmocka_unit_test(test_long_string),
		cmocka_unit_test(test_cname), cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_many_errors), cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_large), cmocka_unit_test(test_wire_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
