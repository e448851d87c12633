#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/zonefile.h"
#include "message/address.h"
#include "policy/kept.h"
#include "proxy/session_record.h"
#include "tests/lib/config_scan.h"

static const char zone_text[] =
	"example.net. 60 IN TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
	"example.net. 60 IN A 192.0.2.1\n"
	";! _dmarc.example.net SERVFAIL\n";

struct world {
	struct arena *arena;
	struct zone *zone;
	struct snapshot *snapshot;
	struct scan *scan;
	struct verdict verdict;
	struct buf entry;
};

static void world_make(struct world *w)
{
	struct zone_errors errors;
	*w = (struct world){ .arena = arena_create(), .zone = zone_create() };
	assert_true(zonefile_parse(w->zone, slice_str(zone_text), &errors));
	w->snapshot = config_snapshot("relay { domains = {example.org} }\npolicy default { scores = {\"SPF_PASS=1.5\"} }\n");
	const struct config_mail mail = {
		.ip = "192.0.2.7", .helo = "mx 1%.example.net", .mail_from = "ada@example.net", .now = 1700000000,
		.raw = SLICE("From: ada@example.net\r\nSubject: x\r\n\r\nhi\r\n"),
	};
	w->scan = config_scan(w->arena, w->snapshot, &mail, w->zone);
	struct recipient r = { .params = SLICE("NOTIFY=NEVER ORCPT=rfc822;a+20b") };
	address_parse(w->arena, SLICE("bob@example.org"), ADDRESS_RCPT, &r.mailbox);
	envelope_add(&w->scan->envelope, &r, w->arena)->accepted = true;
	address_parse(w->arena, SLICE("\"a b\"@other.example"), ADDRESS_RCPT, &r.mailbox);
	envelope_add(&w->scan->envelope, &r, w->arena);
	w->verdict = config_verdict(w->scan);
	buf_add_str(&w->entry, "= f00000000001 2026-11-22T00:00:00Z accept\nreply   250 2.0.0 Ok\n");
	session_record_write(&w->entry, w->scan, &w->verdict, -1, false);
}

static void world_free(struct world *w)
{
	buf_free(&w->entry);
	arena_destroy(&w->arena);
	snapshot_release(&w->snapshot);
	zone_destroy(&w->zone);
}

static void assert_slice(struct slice got, struct slice want)
{
	if (!slice_eq(got, want))
		fail_msg("'%.*s', not '%.*s'", SLICE_ARG(got), SLICE_ARG(want));
}

static void same_answer(const struct answer *a, const struct answer *b)
{
	assert_non_null(a);
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->ttl, b->ttl);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_slice(a->records[i], b->records[i]);
	assert_slice(slice_str(a->why), slice_str(b->why));
}

static void test_all_comes_back(void **state)
{
	struct world w;
	struct session_record r;
	(void)state;
	world_make(&w);
	assert_true(session_record_read(w.arena, buf_slice(&w.entry), &r));
	assert_true(r.has_message);
	assert_slice(r.how, SLICE("accept"));
	assert_slice(r.reply, SLICE("250 2.0.0 Ok"));
	assert_int_equal(r.now, 1700000000);
	assert_int_equal(r.action, w.verdict.action);
	assert_true(ip_eq(&r.client.ip, &w.scan->client.ip));
	assert_slice(r.client.helo, w.scan->client.helo);
	assert_slice(r.envelope.sender.domain, SLICE("example.net"));
	assert_int_equal(r.envelope.recipient_count, 2);
	assert_int_equal(r.fates[0], FATE_ACCEPTED);
	assert_int_not_equal(r.fates[1], FATE_ACCEPTED);
	assert_true(r.envelope.recipients[0].accepted && !r.envelope.recipients[1].accepted);
	assert_slice(r.envelope.recipients[0].params, SLICE("NOTIFY=NEVER ORCPT=rfc822;a+20b"));
	assert_slice(r.envelope.recipients[1].mailbox.local, SLICE("a b"));
	assert_int_equal(r.hit_count, w.scan->hits.count);
	for (size_t i = 0; i < r.hit_count; i++) {
		assert_string_equal(r.hits[i].hit.symbol, w.scan->hits.list[i].symbol);
		assert_slice(r.hits[i].hit.evidence, w.scan->hits.list[i].evidence);
		assert_int_equal(r.hits[i].hit.phase, w.scan->hits.list[i].phase);
	}
	size_t asked = 0;
	for (uint32_t i = 0; i < questions_count(w.scan->questions); i++) {
		const struct question *q = questions_at(w.scan->questions, i);
		if (q->kind == QUESTION_JOB || q->answer == NULL)
			continue;
		same_answer(session_record_answer(&r, q), q->answer);
		asked++;
	}
	assert_true(asked > 2 && asked == r.answer_count);
	world_free(&w);
}

/* Octets of every kind in a value. */
static void test_any_octets(void **state)
{
	struct world w;
	struct session_record r;
	char all[256];
	(void)state;
	world_make(&w);
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	w.scan->client.login = slice_make(all, sizeof(all));
	w.scan->client.name = SLICE("-");
	buf_clear(&w.entry);
	buf_add_str(&w.entry, "= f00000000001 x reject\n");
	session_record_write(&w.entry, w.scan, &w.verdict, -1, false);
	assert_true(session_record_read(w.arena, buf_slice(&w.entry), &r));
	assert_slice(r.client.login, slice_make(all, sizeof(all)));
	assert_slice(r.client.name, SLICE("-"));
	world_free(&w);
}

/* A file that somebody spoilt is read as far as it goes, and never beyond. */
static void test_spoilt(void **state)
{
	struct world w;
	unsigned seed = 4711;
	(void)state;
	world_make(&w);
	for (int round = 0; round < 3000; round++) {
		struct arena *arena = arena_create();
		struct session_record r;
		seed = seed * 1103515245u + 12345u;
		struct slice s = arena_copy(arena, buf_slice(&w.entry));
		char *bytes = (char *)(uintptr_t)s.data;
		for (unsigned k = 0; k <= seed % 7; k++)
			bytes[(seed >> 8) * (k + 1) % s.len] = "\n @=%-09x"[(seed >> (k + 4)) % 9];
		char *exact = malloc(s.len); /* so that an octet too far is seen */
		size_t len = round % 3 ? s.len : (seed >> 8) % s.len;
		memcpy(exact, bytes, len);
		session_record_read(arena, slice_make(exact, len), &r);
		arena_destroy(&arena);
		free(exact);
	}
	world_free(&w);
}

static void test_kept(void **state)
{
	char folder[] = "/tmp/gatehouse-kept-XXXXXX", id[16], path[64];
	struct arena *arena = arena_create();
	struct slice mail, big = slice_make(arena_alloc(arena, 2000), 2000);
	(void)state;
	assert_non_null(mkdtemp(folder));
	struct slice dir = slice_str(folder);
	memset((void *)(uintptr_t)big.data, 'x', big.len);
	kept_store(dir, "a1", SLICE("one\r\n"), 100000);
	assert_true(kept_read(arena, dir, SLICE("a1"), &mail));
	assert_slice(mail, SLICE("one\r\n"));
	assert_false(kept_read(arena, dir, SLICE("../a1"), &mail));
	assert_false(kept_read(arena, dir, SLICE(""), &mail));
	kept_store(dir, "../b", SLICE("x"), 100000);
	kept_store(dir, "large", big, 8000); /* over an eighth */
	assert_false(kept_read(arena, dir, SLICE("large"), &mail));
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		kept_store(dir, id, big, 20000);
	}
	assert_false(kept_read(arena, dir, SLICE("m0"), &mail));
	assert_true(kept_read(arena, dir, SLICE("m99"), &mail));
	size_t left = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "%s/m%d", folder, i);
		left += unlink(path) == 0;
	}
	assert_true(left >= 5 && left * big.len <= 20000 + 20000 / 8 + big.len);
	snprintf(path, sizeof(path), "%s/a1", folder);
	unlink(path);
	assert_int_equal(rmdir(folder), 0);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_comes_back), cmocka_unit_test(test_any_octets), cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
