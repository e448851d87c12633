/* Who may send to whom: the decision, the filter in the pipeline, and the
 * self-test of configurations that are right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "filters/pipeline.h"
#include "filters/relay.h"
#include "filters/relay_selftest.h"
#include "message/address.h"
#include "tests/lib/shared.h"

#define COUNT(t) (sizeof(t) / sizeof(*(t)))

/* ---- configurations */

struct made {
	struct arena *arena;
	struct config config;
	struct config_top top;
	struct config_relay relay;
	struct config_listen listen;
};

static struct slice_list split(struct arena *arena, const char *text)
{
	struct slice rest = slice_str(text), piece;
	struct slice_list list = { arena_array(arena, struct slice, strlen(text) + 1), 0 };
	while (text[0] != '\0' && slice_split(&rest, ' ', &piece))
		list.items[list.count++] = piece;
	return list;
}

/* Lists are parted by a blank each. */
static struct made *make(const char *domains, const char *networks, const char *literals)
{
	struct arena *arena = arena_create();
	struct made *m = arena_new(arena, struct made);
	struct slice_list nets = split(arena, networks);
	m->arena = arena;
	m->relay.domains = split(arena, domains);
	m->relay.literals = split(arena, literals);
	m->relay.networks.items = arena_array(arena, struct cidr, nets.count);
	for (size_t i = 0; i < nets.count; i++)
		assert_true(cidr_parse(nets.items[i], &m->relay.networks.items[m->relay.networks.count++]));
	m->top.hostname = SLICE("mx.example.org");
	m->listen.title = SLICE("smtp");
	assert_true(ip_parse(SLICE("198.51.100.25"), &m->listen.address.ip));
	m->config = (struct config){
		.arena = arena, .top = &m->top, .relay = &m->relay, .listens = &m->listen, .listen_count = 1,
	};
	return m;
}

static void unmake(struct made *m)
{
	struct arena *arena = m->arena;
	arena_destroy(&arena);
}

#define OUR_DOMAINS "example.org .sub.example.org xn--bcher-kva.example"
#define OUR_LITERALS "[192.0.2.25] IPv6:2001:db8::25"

/* ---- the decision */

static const struct {
	const char *recipient;
	enum relay_decision stranger, own;
} decisions[] = {
	{ "a@example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@EXAMPLE.Org.", RELAY_LOCAL, RELAY_LOCAL },
	{ "a+tag=x@example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "/C=US/S=x/@example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "o'neill#1@example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "\"a b\"@example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "\xc3\xa4@b\xc3\xbc" "cher.example", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@XN--bcher-KVA.example", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@x.sub.example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@y.x.sub.example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@[192.0.2.25]", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@[IPv6:2001:DB8:0::25]", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@[IPv6:::ffff:192.0.2.25]", RELAY_LOCAL, RELAY_LOCAL },
	{ "postmaster", RELAY_LOCAL, RELAY_LOCAL },
	{ "@other.example:a@example.org", RELAY_LOCAL, RELAY_LOCAL },
	{ "a@sub.example.org", RELAY_REFUSED, RELAY_CLIENT },
	{ "a@xsub.example.org", RELAY_REFUSED, RELAY_CLIENT },
	{ "a@www.example.org", RELAY_REFUSED, RELAY_CLIENT },
	{ "a@xexample.org", RELAY_REFUSED, RELAY_CLIENT },
	{ "a@example.org.evil.example", RELAY_REFUSED, RELAY_CLIENT },
	{ "a@other.example", RELAY_REFUSED, RELAY_CLIENT },
	{ "postmaster@other.example", RELAY_REFUSED, RELAY_CLIENT },
	{ "@example.org:a@other.example", RELAY_REFUSED, RELAY_CLIENT },
	{ "a%other.example@other.example", RELAY_REFUSED, RELAY_CLIENT },
	{ "a@[198.51.100.25]", RELAY_REFUSED_LITERAL, RELAY_CLIENT },
	{ "a@[IPv6:::1]", RELAY_REFUSED_LITERAL, RELAY_CLIENT },
	{ "a%other.example@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "a%other.example@[192.0.2.25]", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "other.example!a@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "\"a@other.example\"@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "\"a\\@other.example\"@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "\"\\\"a@other.example\\\"\"@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "\"@example.org:a@other.example\"@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "a\xef\xbc\xa0other.example@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "a\xef\xbc\x85other.example@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
	{ "a\xe2\x81\x89" "b@example.org", RELAY_REFUSED_TRICK, RELAY_LOCAL },
};

static void test_decisions(void **state)
{
	(void)state;
	struct made *m = make(OUR_DOMAINS, "192.0.2.0/24", OUR_LITERALS);
	struct client stranger = { 0 }, network = { .relay_network = true }, login = { .login = SLICE("u") };
	for (size_t i = 0; i < COUNT(decisions); i++) {
		struct mailbox rcpt;
		enum address_error error = address_parse(m->arena, slice_str(decisions[i].recipient),
							 ADDRESS_RCPT | ADDRESS_UTF8, &rcpt);
		if (error != ADDRESS_OK)
			fail_msg("%s: %s", decisions[i].recipient, address_error_text(error));
		enum relay_decision got = relay_decide(&m->relay, RELAY_TRICKS_REFUSE, &stranger, &rcpt);
		if (got != decisions[i].stranger)
			fail_msg("%s: %d, not %d", decisions[i].recipient, got, decisions[i].stranger);
		assert_int_equal(relay_decide(&m->relay, RELAY_TRICKS_REFUSE, &network, &rcpt), decisions[i].own);
		assert_int_equal(relay_decide(&m->relay, RELAY_TRICKS_REFUSE, &login, &rcpt), decisions[i].own);
	}
	printf("# count: %zu recipients\n", COUNT(decisions));
	unmake(m);
}

static void test_tricks_allowed(void **state)
{
	(void)state;
	struct made *m = make(OUR_DOMAINS, "", "");
	struct client stranger = { 0 };
	static const struct {
		const char *recipient;
		enum relay_decision want;
	} table[] = {
		{ "10%off@example.org", RELAY_LOCAL },
		{ "wow!@example.org", RELAY_LOCAL },
		{ "\"a@b\"@example.org", RELAY_REFUSED_TRICK }, /* never allowed */
		{ "a%b@other.example", RELAY_REFUSED },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct mailbox rcpt;
		assert_int_equal(address_parse(m->arena, slice_str(table[i].recipient), 0, &rcpt), ADDRESS_OK);
		assert_int_equal(relay_decide(&m->relay, RELAY_TRICKS_ALLOW, &stranger, &rcpt), table[i].want);
	}
	unmake(m);
}

/* Entries that would match everything by accident match nothing. */
static void test_odd_entries(void **state)
{
	(void)state;
	struct made *m = make(".", "", "");
	struct slice_list empty = { &(struct slice){ "", 0 }, 1 };
	assert_false(relay_is_our_domain(&m->relay, SLICE("other.example")));
	assert_false(relay_is_our_domain(&m->relay, SLICE_EMPTY));
	m->relay.domains = empty;
	assert_false(relay_is_our_domain(&m->relay, SLICE("other.example")));
	assert_false(relay_is_our_domain(&m->relay, SLICE_EMPTY));
	unmake(m);
}

static void test_role_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *recipient;
		bool role;
	} table[] = {
		{ "postmaster", true }, { "PostMaster@Example.org", true }, { "abuse@example.org", true },
		{ "ABUSE@x.sub.example.org", true }, { "\"postmaster\"@example.org", true },
		{ "postmaster@[192.0.2.25]", true }, { "postmaster@[192.0.2.26]", false },
		{ "postmaster@other.example", false }, { "abuse@sub.example.org", false },
		{ "webmaster@example.org", false }, { "postmaster+x@example.org", false },
	};
	struct made *m = make(OUR_DOMAINS, "", OUR_LITERALS);
	for (size_t i = 0; i < COUNT(table); i++) {
		struct mailbox rcpt;
		assert_int_equal(address_parse(m->arena, slice_str(table[i].recipient), ADDRESS_RCPT, &rcpt),
				 ADDRESS_OK);
		if (relay_is_role_address(&m->relay, &rcpt) != table[i].role)
			fail_msg("%s", table[i].recipient);
	}
	unmake(m);
}

static void test_trick_paths(void **state)
{
	(void)state;
	static const char *const tricks[] = {
		"a@b@c", "\"a@b\"", "a%b", "b!a", "\"a%b\"", "a\\@b@c", "\"\"a@b\"\"@c",
	};
	static const char *const mistakes[] = { "a", "a@", "@b", "a b@c", "a@b..c", "", "a.@b" };
	for (size_t i = 0; i < COUNT(tricks); i++)
		assert_true(relay_is_trick(slice_str(tricks[i])));
	for (size_t i = 0; i < COUNT(mistakes); i++)
		assert_false(relay_is_trick(slice_str(mistakes[i])));
}

/* ---- the filter */

/* Hits of one recipient, by a pipeline that runs all filters there are. */
static const struct hits *run(struct made *m, const struct relay_settings *own, const char *recipient,
			      bool relay_network, struct scan **scan_r)
{
	struct arena *arena = arena_create();
	static struct config_filter filter;
	filter = (struct config_filter){ .name = SLICE("relay"), .values = own };
	m->config.filters = &filter;
	m->config.filter_count = own ? 1 : 0;
	struct arena *kept = arena_create();
	struct config *config = arena_new(kept, struct config);
	*config = m->config;
	config->arena = kept;
	struct snapshot *snapshot = snapshot_create(config, NULL, 1);
	struct scan *scan = scan_create(arena, snapshot, 1000000000);
	snapshot_release(&snapshot);
	scan->client.relay_network = relay_network;
	scan->envelope.recipients = arena_new(arena, struct recipient);
	scan->envelope.recipient_count = 1;
	assert_int_equal(address_parse(arena, slice_str(recipient), ADDRESS_RCPT,
				       &scan->envelope.recipients[0].mailbox), ADDRESS_OK);
	pipeline_begin(scan);
	pipeline_enter(scan, PHASE_RCPT);
	pipeline_advance(scan, PHASE_RCPT);
	*scan_r = scan;
	return &scan->hits;
}

static void end(struct scan *scan)
{
	struct arena *arena = scan->arena;
	arena_destroy(&arena);
}

static void check_filter(struct made *m, const struct relay_settings *own, const char *recipient,
			 bool relay_network, const char *symbol)
{
	static const char *const all[] = { "RELAY_DENIED", "RELAY_DENIED_LITERAL", "RELAY_DENIED_TRICK" };
	struct scan *scan;
	const struct hits *hits = run(m, own, recipient, relay_network, &scan);
	for (size_t i = 0; i < COUNT(all); i++) {
		const struct hit *hit = hits_find(hits, all[i]);
		bool want = symbol != NULL && strcmp(symbol, all[i]) == 0;
		if ((hit != NULL) != want)
			fail_msg("%s: %s", recipient, all[i]);
		if (hit == NULL)
			continue;
		assert_int_equal(hit->action, ACTION_REJECT);
		assert_int_equal(hit->refusal.code, 550);
		assert_string_equal(hit->refusal.enhanced, "5.7.1");
		assert_true(slice_eq(hit->refusal.text, SLICE("Relaying denied")));
		assert_true(slice_eq(hit->evidence, slice_str(recipient)));
		assert_false(hit->shadow);
		assert_int_equal(hit->recipient, 0);
	}
	end(scan);
}

static void test_filter(void **state)
{
	(void)state;
	struct made *m = make(OUR_DOMAINS, "192.0.2.0/24", OUR_LITERALS);
	const struct relay_settings allow = { .common.enabled = true, .local_tricks = RELAY_TRICKS_ALLOW };
	const struct relay_settings weak = { .common = { .enabled = false, .shadow = true } };
	check_filter(m, NULL, "a@example.org", false, NULL);
	check_filter(m, NULL, "a@other.example", false, "RELAY_DENIED");
	check_filter(m, NULL, "a@other.example", true, NULL);
	check_filter(m, NULL, "a@[192.0.2.1]", false, "RELAY_DENIED_LITERAL");
	check_filter(m, NULL, "a%b@example.org", false, "RELAY_DENIED_TRICK");
	check_filter(m, &allow, "a%b@example.org", false, NULL);
	/* neither off nor in shadow: it would be an open relay */
	check_filter(m, &weak, "a@other.example", false, "RELAY_DENIED");
	m->relay.domains.count = 0;
	check_filter(m, NULL, "a@example.org", false, "RELAY_DENIED");
	m->config.listen_count = 0;
	check_filter(m, NULL, "a@example.org", false, NULL); /* nothing to guard */
	unmake(m);
}

static void test_source_route(void **state)
{
	(void)state;
	struct made *m = make(OUR_DOMAINS, "", "");
	struct scan *scan;
	const struct hits *hits = run(m, NULL, "@other.example:a@example.org", false, &scan);
	assert_non_null(hits_find(hits, "RELAY_SOURCE_ROUTE"));
	assert_null(hits_find(hits, "RELAY_DENIED"));
	end(scan);
	hits = run(m, NULL, "@other.example:a@example.org", true, &scan);
	assert_null(hits_find(hits, "RELAY_SOURCE_ROUTE"));
	end(scan);
	unmake(m);
}

/* ---- the self-test */

static void test_selftest(void **state)
{
	(void)state;
	static const struct {
		const char *domains, *networks, *literals;
		int tricks;
		const char *reason; /* of each leak; NULL: none */
	} table[] = {
		{ "", "", "", RELAY_TRICKS_REFUSE, NULL },
		{ "example.org", "127.0.0.0/8 ::1/128 10.0.0.0/8", "", RELAY_TRICKS_REFUSE, NULL },
		{ OUR_DOMAINS, "192.0.2.0/24 2001:db8::/32 203.0.113.66/32", OUR_LITERALS, RELAY_TRICKS_REFUSE, NULL },
		{ "mx.example.org .example.org .lan .internal .home.arpa .github.io", "", "[198.51.100.25]",
		  RELAY_TRICKS_REFUSE, NULL },
		{ "example.org", "fc00::/7 fd00::/8 fe80::/10", "", RELAY_TRICKS_REFUSE, NULL },
		{ "example.org", "16.0.0.0/4", "", RELAY_TRICKS_REFUSE, "relay.networks has 16.0.0.0/4" },
		{ "example.org", "4000::/2", "", RELAY_TRICKS_REFUSE, "relay.networks has 4000::/2" },
		{ "com example.org", "", "", RELAY_TRICKS_REFUSE, NULL },
		{ ".com", "", "", RELAY_TRICKS_REFUSE, "relay.domains has .com" },
		{ "example.org .net", "", "", RELAY_TRICKS_REFUSE, "relay.domains has .net" },
		{ "example.org .co.uk", "", "", RELAY_TRICKS_REFUSE, "relay.domains has .co.uk" },
		{ ".xn--p1ai", "", "", RELAY_TRICKS_REFUSE, "relay.domains has .xn--p1ai" },
		{ "example.org", "0.0.0.0/0", "", RELAY_TRICKS_REFUSE, "relay.networks has 0.0.0.0/0" },
		{ "example.org", "::/0", "", RELAY_TRICKS_REFUSE, "relay.networks has ::/0" },
		{ "example.org", "0.0.0.0/1", "", RELAY_TRICKS_REFUSE, "relay.networks has 0.0.0.0/1" },
		{ "example.org", "128.0.0.0/2", "", RELAY_TRICKS_REFUSE, "relay.networks has 128.0.0.0/2" },
		{ "example.org", "2000::/3", "", RELAY_TRICKS_REFUSE, "relay.networks has 2000::/3" },
		{ "example.org", "", "", RELAY_TRICKS_ALLOW, "local-tricks = allow in filter relay" },
		{ "gatehouse-relay-probe.com", "", "", RELAY_TRICKS_REFUSE,
		  "relay.domains has gatehouse-relay-probe.com" },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct made *m = make(table[i].domains, table[i].networks, table[i].literals);
		struct relay_report report;
		relay_selftest(m->arena, &m->config, table[i].tricks, &report);
		if (i == 1)
			printf("# count: %zu probes for one domain\n", report.probes);
		assert_true(report.probes > 500);
		if ((report.leaks_seen > 0) != (table[i].reason != NULL))
			fail_msg("row %zu: %zu leaks, %.*s: %.*s", i, report.leaks_seen,
				 SLICE_ARG(report.leaks[0].recipient), SLICE_ARG(report.leaks[0].reason));
		assert_true(report.leak_count <= RELAY_LEAKS_MAX && report.leak_count <= report.leaks_seen);
		for (size_t n = 0; n < report.leak_count; n++)
			if (!slice_eq(report.leaks[n].reason, slice_str(table[i].reason)))
				fail_msg("row %zu: %.*s: %.*s", i, SLICE_ARG(report.leaks[n].recipient),
					 SLICE_ARG(report.leaks[n].reason));
		unmake(m);
	}
}

/* A hoster's ten thousand domains; the wildcard that leaks is the last. */
static void test_selftest_many(void **state)
{
	(void)state;
	struct made *m = make("", "", "");
	struct relay_report report;
	size_t count = 10000;
	m->relay.domains.items = arena_array(m->arena, struct slice, count);
	m->relay.domains.count = count;
	for (size_t i = 0; i < count - 1; i++)
		m->relay.domains.items[i] = arena_printf(m->arena, "domain-%zu.example", i);
	m->relay.domains.items[count - 1] = SLICE(".se");
	relay_selftest(m->arena, &m->config, RELAY_TRICKS_REFUSE, &report);
	assert_true(report.probes > 10000 && report.probes < 200000);
	assert_true(report.leaks_seen > 0);
	assert_true(slice_eq(report.leaks[0].reason, SLICE("relay.domains has .se")));
	unmake(m);
}

/* ---- the classic probes */

static bool value_of(struct slice *rest, const char *key, struct slice *value_r)
{
	size_t at = slice_find(*rest, slice_str(key));
	if (at == SLICE_NPOS)
		return false;
	*rest = slice_from(*rest, at + strlen(key));
	size_t end_at = 0;
	while (end_at < rest->len && rest->data[end_at] != '"')
		end_at += rest->data[end_at] == '\\' ? 2 : 1;
	*value_r = slice_head(*rest, end_at);
	*rest = slice_from(*rest, end_at);
	return true;
}

/* JSON's escapes of quotes taken off, the placeholders filled in. */
static struct slice fill(struct buf *out, struct slice s)
{
	static const char *const marks[][2] = {
		{ "DOMAIN", "other.example" }, { "SRVNAME", "mx.example.org" }, { "IP", "198.51.100.25" },
	};
	buf_clear(out);
	while (s.len > 0) {
		size_t i = 0;
		if (s.data[0] == '\\')
			s = slice_from(s, 1);
		while (i < COUNT(marks) && !slice_starts(s, slice_str(marks[i][0])))
			i++;
		if (i < COUNT(marks)) {
			buf_add_str(out, marks[i][1]);
			s = slice_from(s, strlen(marks[i][0]));
		} else {
			buf_add_char(out, s.data[0]);
			s = slice_from(s, 1);
		}
	}
	return buf_slice(out);
}

static void test_classic_probes(void **state)
{
	(void)state;
	struct made *m = make("example.org mx.example.org", "", "");
	struct slice rest = shared_file(m->arena, "smtp/derived/open_relay_16.json"), value;
	struct client stranger = { 0 };
	struct buf text = { 0 };
	size_t count = 0;
	if (rest.data == NULL) {
		unmake(m);
		skip();
	}
	while (value_of(&rest, "\"rcpt_to\": \"", &value)) {
		struct mailbox rcpt;
		struct slice path = fill(&text, value);
		count++;
		if (address_parse(m->arena, path, ADDRESS_RCPT, &rcpt) == ADDRESS_OK)
			assert_true(relay_refuses(relay_decide(&m->relay, RELAY_TRICKS_REFUSE, &stranger, &rcpt)));
		else if (!relay_is_trick(path))
			fail_msg("not seen to be a trick: %.*s", SLICE_ARG(path));
	}
	printf("# count: %zu classic probes\n", count);
	assert_int_equal(count, 16);
	buf_free(&text);
	unmake(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_tricks_allowed),
		cmocka_unit_test(test_odd_entries),
		cmocka_unit_test(test_role_addresses),
		cmocka_unit_test(test_trick_paths),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_source_route),
		cmocka_unit_test(test_selftest),
		cmocka_unit_test(test_selftest_many),
		cmocka_unit_test(test_classic_probes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
