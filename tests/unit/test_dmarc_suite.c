/*
 * The DMARC cases of rspamd's test suite through SPF, DKIM and DMARC. They
 * are of RFC 7489's time: organisational domains by the list of public
 * suffixes, pct honoured; so all pass with method = psl, and those that the
 * tree walk makes otherwise are named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/canonical.h"
#include "tests/lib/config_scan.h"
#include "tests/lib/json_read.h"
#include "tests/lib/shared.h"
#include "tests/lib/zone_driver.h"

#define FOLDER "dmarc/rspamd/"

#define CONFIG(method)                                                                                       \
	"hostname = mx.example.org\n"                                                                        \
	"relay { domains = {example.org} }\n"                                                                \
	"filter dmarc { method = " method " }\n"

/* What RFC 9989 has made otherwise: the organisational domain needs a record
 * of its own to be found, and pct is gone. */
static const char *const changed[] = {
	"DMARC SUBDOMAIN PASS DKIM RELAXED ALIGNMENT",
	"DMARC SUBDOMAIN PASS SPF RELAXED ALIGNMENT",
	"DMARC PCT ZERO REJECT",
	"DMARC PCT ZERO SP QUARANTINE",
};

/* Their symbol in terms of our fact. */
static const struct {
	const char *symbol;
	enum auth_result result;
	enum dmarc_policy disposition;
} symbols[] = {
	{ "DMARC_POLICY_ALLOW", AUTH_PASS, DMARC_POLICY_NONE },
	{ "DMARC_POLICY_SOFTFAIL", AUTH_FAIL, DMARC_POLICY_NONE },
	{ "DMARC_POLICY_QUARANTINE", AUTH_FAIL, DMARC_POLICY_QUARANTINE },
	{ "DMARC_POLICY_REJECT", AUTH_FAIL, DMARC_POLICY_REJECT },
	{ "DMARC_DNSFAIL", AUTH_TEMPERROR, DMARC_POLICY_NONE },
	{ "DMARC_NA", AUTH_NONE, DMARC_POLICY_NONE },
};

static void add_txt(struct buf *zone, struct slice name, struct slice text)
{
	buf_printf(zone, "%.*s. TXT \"", SLICE_ARG(name));
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"' || text.data[i] == '\\')
			buf_add_char(zone, '\\');
		buf_add_char(zone, text.data[i]);
	}
	buf_add_str(zone, "\"\n");
}

static void add_record(struct buf *zone, const struct json_value *record)
{
	struct slice name = json_text(record, "name"), type = json_text(record, "type");
	struct slice rcode = json_text(record, "rcode");
	if (slice_eq(rcode, SLICE("timeout")))
		buf_printf(zone, ";! %.*s TIMEOUT\n", SLICE_ARG(name));
	else if (slice_eq(rcode, SLICE("servfail")) || slice_eq(rcode, SLICE("dnssec")))
		buf_printf(zone, ";! %.*s SERVFAIL\n", SLICE_ARG(name));
	if (!slice_eq(rcode, SLICE("noerror")))
		return;
	for (const struct json_value *r = json_get(record, "replies")->first; r != NULL; r = r->next) {
		bool names = slice_eq(type, SLICE("mx")) || slice_eq(type, SLICE("ptr"));
		if (slice_eq(type, SLICE("txt")))
			add_txt(zone, name, r->text);
		else
			buf_printf(zone, "%.*s. %.*s %.*s%s\n", SLICE_ARG(name), SLICE_ARG(type),
				   SLICE_ARG(r->text), names ? "." : "");
	}
}

static struct zone *read_zone(const struct json_value *document)
{
	struct buf lines = { 0 };
	for (const struct json_value *r = json_get(document, "dns")->first; r != NULL; r = r->next)
		add_record(&lines, r);
	struct zone *zone = zone_of(buf_cstr(&lines));
	buf_free(&lines);
	return zone;
}

/* The DMARC symbol that the case wants, as an index; -1: none. */
static int wanted(const struct json_value *c)
{
	for (const struct json_value *e = json_get(c, "expect")->first; e != NULL; e = e->next) {
		if (e->first == NULL || !slice_starts(e->first->text, SLICE("Expect")))
			continue;
		const struct json_value *arguments = e->first->next;
		size_t space = slice_rchr(e->first->text, ' ');
		struct slice in_name = slice_from(e->first->text, space + 1);
		for (size_t s = 0; s < sizeof(symbols) / sizeof(symbols[0]); s++)
			if (slice_eq(in_name, slice_str(symbols[s].symbol)) ||
			    (arguments && arguments->first &&
			     slice_eq(arguments->first->text, slice_str(symbols[s].symbol))))
				return (int)s;
	}
	return -1;
}

static bool is_changed(const struct json_value *c)
{
	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++)
		if (slice_eq(json_text(c, "case"), slice_str(changed[i])))
			return true;
	return false;
}

static bool run(const char *config, const struct json_value *c, int symbol, struct slice file,
		const struct zone *zone)
{
	struct arena *arena = arena_create();
	struct snapshot *snapshot = config_snapshot(config);
	struct slice ip = json_text(c, "ip");
	struct config_mail mail = {
		.ip = ip.len > 0 ? arena_str(arena, ip) : "192.0.2.200",
		.helo = "client.example",
		.mail_from = arena_str(arena, json_text(c, "from")),
		.now = 1700000000,
		.raw = message_canonical(arena, file).bytes,
	};
	struct scan *scan = config_scan(arena, snapshot, &mail, zone);
	const struct dmarc_fact *f = &scan->facts.dmarc;
	bool same = f->result == symbols[symbol].result && f->disposition == symbols[symbol].disposition;
	if (!same)
		print_message("%.*s: want %s, got %s, disposition %s (%.*s)\n",
			      SLICE_ARG(json_text(c, "case")), symbols[symbol].symbol,
			      auth_result_name(f->result), dmarc_policy_name(f->disposition),
			      SLICE_ARG(f->reason));
	snapshot_release(&snapshot);
	arena_destroy(&arena);
	return same;
}

struct tally {
	unsigned psl, walk, total, surprises; /* cases that don't end as they should */
};

static void run_case(struct arena *arena, const struct json_value *c, const struct zone *zone,
		     struct tally *t)
{
	int symbol = wanted(c);
	if (symbol < 0)
		return;
	struct slice name = arena_printf(arena, FOLDER "messages/%.*s", SLICE_ARG(json_text(c, "mail")));
	struct slice file = shared_file(arena, name.data);
	if (file.data == NULL)
		return;
	bool psl = run(CONFIG("psl"), c, symbol, file, zone);
	bool walk = run(CONFIG("tree-walk"), c, symbol, file, zone);
	t->total++;
	t->psl += psl;
	t->walk += walk;
	t->surprises += !psl + (walk == is_changed(c));
}

static void test_suite(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice text = shared_file(arena, FOLDER "expected.json");
	struct tally tally = { 0 };
	if (text.data == NULL) {
		arena_destroy(&arena);
		skip();
	}
	const struct json_value *document = json_read(arena, text);
	struct zone *zone = read_zone(document);
	for (const struct json_value *c = json_get(document, "cases")->first; c != NULL; c = c->next)
		run_case(arena, c, zone, &tally);
	printf("# count: DMARC of rspamd, method = psl: %u of %u\n", tally.psl, tally.total);
	printf("# count: DMARC of rspamd, tree walk (4 are otherwise by RFC 9989): %u of %u\n", tally.walk,
	       tally.total);
	zone_destroy(&zone);
	arena_destroy(&arena);
	assert_true(tally.total > 10);
	assert_int_equal(tally.surprises, 0);
}

/* A host whose mail SPF passes over is a forwarder for DMARC as well. */
static void test_spf_forwarder(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct zone *zone = zone_of("_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\n");
	struct snapshot *snapshot =
	    config_snapshot("hostname = mx.example.org\nrelay { domains = {example.org} }\n"
			    "filter spf { trusted-forwarders = {192.0.2.7} }\n");
	struct config_mail mail = { .ip = "192.0.2.7", .helo = "x.example", .mail_from = "a@example.com",
				    .now = 1700000000, .raw = SLICE("From: a@example.com\r\n\r\nx\r\n") };
	struct scan *scan = config_scan(arena, snapshot, &mail, zone);
	assert_true(scan->facts.dmarc.local_override);
	mail.ip = "192.0.2.8";
	scan = config_scan(arena, snapshot, &mail, zone);
	assert_int_equal(scan->facts.dmarc.disposition, DMARC_POLICY_REJECT);
	zone_destroy(&zone);
	snapshot_release(&snapshot);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_suite),
					    cmocka_unit_test(test_spf_forwarder) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
