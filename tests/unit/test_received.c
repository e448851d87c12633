#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/canonical.h"
#include "message/received.h"
#include "tests/lib/shared.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* SpamAssassin's table: a JSON list of objects with the strings "received" and "expected". */

static struct slice json_string(struct arena *arena, struct slice *rest)
{
	char *out = arena_alloc(arena, rest->len + 1);
	size_t len = 0, i = slice_chr(*rest, '"') + 1;
	for (; i < rest->len && rest->data[i] != '"'; i++) {
		char c = rest->data[i];
		if (c == '\\' && ++i < rest->len)
			c = rest->data[i] == 'n' ? '\n' : rest->data[i] == 't' ? '\t' : rest->data[i];
		out[len++] = c;
	}
	*rest = slice_from(*rest, i + 1);
	return slice_make(out, len);
}

static bool next_value(struct arena *arena, struct slice object, const char *key, struct slice *value_r)
{
	struct slice quoted = arena_printf(arena, "\"%s\"", key);
	size_t at = slice_find(object, quoted);
	if (at == SLICE_NPOS)
		return false;
	struct slice rest = slice_from(object, at + quoted.len);
	*value_r = json_string(arena, &rest);
	return true;
}

/* Most of the table is older than that part of the form. */
static struct slice without_intl(struct arena *arena, struct slice s)
{
	size_t at = slice_find(s, SLICE(" intl=0"));
	if (at == SLICE_NPOS)
		return s;
	return arena_printf(arena, "%.*s%.*s", SLICE_ARG(slice_head(s, at)), SLICE_ARG(slice_from(s, at + 7)));
}

static void test_table(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice rest = shared_file(arena, "sa_table_tests/extracted/rcvd_parser_cases.json");
	size_t all = 0, right = 0, close;
	while ((close = slice_find(rest, SLICE("\n   }"))) != SLICE_NPOS) {
		struct slice object = slice_head(rest, close), line, want, got = SLICE_EMPTY;
		rest = slice_from(rest, close + 5);
		if (!next_value(arena, object, "received", &line) || !next_value(arena, object, "expected", &want))
			continue;
		struct relay relay;
		bool harmless;
		if (received_parse(arena, line, &relay, &harmless))
			got = without_intl(arena, relay_as_string(arena, &relay));
		want = without_intl(arena, slice_trim(want));
		all++;
		right += slice_eq(got, want);
		if (!slice_eq(got, want))
			printf("# differs: %.*s\n#  want %.*s\n#  got  %.*s\n", SLICE_ARG(line), SLICE_ARG(want), SLICE_ARG(got));
	}
	arena_destroy(&arena);
	if (all == 0)
		skip();
	printf("# count: Received lines: %zu of %zu\n", right, all);
	assert_true(right * 100 >= all * 97);
}

struct line_case {
	const char *line, *as_string; /* NULL: no relay */
	bool harmless;
};

static const struct line_case lines[] = {
	{ "from mail.example.org (mail.example.org [192.0.2.1])\r\n\tby mx.example.net (Postfix) with ESMTPS id 4ABC\r\n"
	  "\tfor <a@example.net>; Mon,  1 Jan 2024 00:00:00 +0000 (UTC)",
	  "[ ip=192.0.2.1 rdns=mail.example.org helo=mail.example.org by=mx.example.net ident= envfrom= intl=0 id=4ABC "
	  "auth= msa=0 ]", false },
	{ "from [10.0.0.1] (unknown [IPv6:2001:db8::1]) (Authenticated sender: u) by mx.example.net"
	  " (Postfix) with ESMTPSA id 4ABC",
	  "[ ip=2001:db8::1 rdns= helo=!10.0.0.1! by=mx.example.net ident= envfrom= intl=0 id=4ABC"
	  " auth=ESMTPSA msa=0 ]", false },
	{ "from x ([::ffff:192.0.2.7]) by y with esmtp; x",
	  "[ ip=192.0.2.7 rdns= helo=x by=y ident= envfrom= intl=0 id= auth= msa=0 ]", false },
	{ "from a#b]c (x [192.0.2.1]) by y (z)",
	  "[ ip=192.0.2.1 rdns=x helo=a!b!c by=y ident= envfrom= intl=0 id= auth= msa=0 ]", false },
	/* Nor does an id end the relay it stands in. */
	{ "from a.example (x@192.0.2.1) by y with SMTP id 1.b] [ip=192.0.2.9",
	  "[ ip=192.0.2.1 rdns=a.example helo=a.example by=y ident=x envfrom= intl=0 id=1.b! auth= msa=0 ]", false },
	{ "by mx.example.net with ESMTP id x", NULL, true },
	{ "(qmail 123 invoked by uid 225); 14 Mar 2003 07:24:34 -0000", NULL, true },
	{ "from user by host with local (Exim 4.96) id x", NULL, true },
	{ "from nowhere", NULL, false },
	{ "from ", NULL, true },
	{ "from x", NULL, false },
	{ "from x (y [192.0.2.1]) by ; z", NULL, false },
	{ "", NULL, true },
	{ "from ((((( by y", NULL, false },
	{ "from [ by ] (", NULL, true },
	{ "from ; Mon, 1 Jan 2024 00:00:00 +0000", NULL, false },
};

static void test_lines(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct relay relay;
		bool harmless, is = received_parse(arena, slice_str(lines[i].line), &relay, &harmless);
		struct slice got = is ? relay_as_string(arena, &relay) : SLICE_EMPTY;
		if (is != (lines[i].as_string != NULL) || (is && !slice_eq(got, slice_str(lines[i].as_string))) ||
		    (!is && harmless != lines[i].harmless))
			fail_msg("%s: %.*s, harmless %d", lines[i].line, SLICE_ARG(got), harmless);
	}
	arena_destroy(&arena);
}

static struct cidr net(const char *text)
{
	struct cidr c;
	assert_true(cidr_parse(slice_str(text), &c));
	return c;
}

static struct relays *relays_of(struct arena *arena, const char *text,
	const struct received_networks *networks,
				const struct relay *client)
{
	struct message *m = arena_new(arena, struct message);
	message_parse(m, arena, message_canonical(arena, slice_str(text)).bytes, 100);
	struct relays *relays = message_relays(m, networks, client);
	relays_tell(arena, relays);
	return relays;
}

#define HOP(ip, by) "Received: from h (h [" ip "]) by " by " (X) with ESMTP\n"
#define AUTH_HOP(ip, by) "Received: from h (h [" ip "]) by " by " (X) with ESMTPSA\n"

static void test_trust(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	const char *text = HOP("192.0.2.1", "a") HOP("192.0.2.2", "b") HOP("198.51.100.1", "c") HOP("192.0.2.3",
		"d");
	struct cidr trusted[] = { net("192.0.2.0/24") }, internal[] = { net("192.0.2.1/32") };
	struct received_networks both = { .trusted = trusted, .trusted_count = 1, .internal = internal,
		.internal_count = 1 };
	struct relays *r = relays_of(arena, text, &both, NULL);
	assert_int_equal(r->count, 4);
	assert_int_equal(r->trusted_count, 2);
	assert_int_equal(r->internal_count, 1);
	assert_true(slice_find(r->internal, SLICE("ip=192.0.2.1 ")) != SLICE_NPOS);
	assert_true(slice_find(r->internal, SLICE("intl=1")) != SLICE_NPOS);
	assert_true(slice_starts(r->untrusted, SLICE("[ ip=198.51.100.1 ")));
	assert_true(slice_find(r->untrusted, SLICE("ip=192.0.2.3 ")) != SLICE_NPOS);
	/* Only trusted: internal is the same. */
	struct received_networks one = { .trusted = trusted, .trusted_count = 1 };
	r = relays_of(arena, text, &one, NULL);
	assert_int_equal(r->internal_count, 2);
	/* None: private addresses and who authenticated. */
	r = relays_of(arena, HOP("10.0.0.1", "a") HOP("192.168.1.1", "b") HOP("192.0.2.1", "c") HOP("10.0.0.2",
		"d"), NULL, NULL);
	assert_int_equal(r->trusted_count, 2);
	r = relays_of(arena, AUTH_HOP("192.0.2.1", "a") HOP("192.0.2.9", "b"), NULL, NULL);
	assert_int_equal(r->trusted_count, 1);
	/* An MSA: whoever handed in there is believed. */
	struct cidr msa[] = { net("192.0.2.1/32") };
	struct received_networks with_msa = { .trusted = trusted, .trusted_count = 1, .msa = msa, .msa_count = 1 };
	r = relays_of(arena, HOP("192.0.2.1", "a") HOP("203.0.113.5", "b"), &with_msa, NULL);
	assert_int_equal(r->trusted_count, 2);
	assert_true(r->list[0].msa);
	/* The connection itself comes first. */
	struct relay client = { .ip_text = SLICE("203.0.113.1"), .helo = SLICE("x"), .by = SLICE("us"),
		.header = SIZE_MAX };
	assert_true(ip_parse(client.ip_text, &client.ip));
	r = relays_of(arena, HOP("192.0.2.1", "a"), &one, &client);
	assert_int_equal(r->count, 2);
	assert_int_equal(r->trusted_count, 0);
	assert_int_equal(r->list[0].header, SIZE_MAX);
	assert_int_equal(r->list[1].header, 0);
	r = relays_of(arena, "Subject: x\n", NULL, NULL);
	assert_int_equal(r->count, 0);
	assert_int_equal(r->trusted.len, 0);
	r = relays_of(arena, "Received: from nowhere\n", NULL, NULL);
	assert_int_equal(r->unparseable, 1);
	arena_destroy(&arena);
}

static void test_private(void **state)
{
	(void)state;
	static const char *const yes[] = { "10.1.2.3", "127.0.0.1", "172.31.0.1", "192.168.0.1", "169.254.1.1",
		"100.64.0.1",
					   "::1", "fe80::1" };
	static const char *const no[] = { "11.0.0.1", "172.32.0.1", "100.128.0.1", "2001:db8::1", "192.0.2.1" };
	struct ip ip;
	for (size_t i = 0; i < COUNT(yes); i++)
		assert_true(ip_parse(slice_str(yes[i]), &ip) && ip_is_private(&ip));
	for (size_t i = 0; i < COUNT(no); i++)
		assert_true(ip_parse(slice_str(no[i]), &ip) && !ip_is_private(&ip));
}

static void test_hostile(void **state)
{
	(void)state;
	static const char *const pieces[] = { "(", ")", "[", "1.2.3.4", " by ", "from ", "helo=", " id ", "a@",
		";", "1:", " with ",
					      "(SquirrelMail authenticated user x) 1.1.1.1 " };
	struct arena *arena = arena_create();
	clock_t start = clock();
	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t k = 0; k < COUNT(pieces); k++) {
			struct buf b = { 0 };
			struct relay relay;
			bool harmless;
			buf_add_str(&b, "from ");
			while (b.len < 60000) {
				buf_add_str(&b, pieces[i]);
				buf_add_str(&b, pieces[k]);
			}
			received_parse(arena, buf_slice(&b), &relay, &harmless);
			buf_free(&b);
		}
	double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	printf("# %zu hostile fields of 60 KB: %.0f ms\n", COUNT(pieces) * COUNT(pieces), ms);
	assert_true(ms < 10000);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_private),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
