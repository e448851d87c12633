/*
 * What policy and state cost: µs a verdict, µs a look-up in lists of 100,000
 * entries, µs a request of each store with a number of greylist entries in it,
 * and the memory of each.
 *
 *     bench_policy                      verdicts and lists
 *     bench_policy ENTRIES STORE-URL…   stores
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/store.h"
#include "message/address.h"
#include "policy/lists.h"
#include "policy/verdict.h"
#include "tests/lib/config_scan.h"

#define ROUNDS 20000
#define LIST_ENTRIES 100000
#define LOOK_UPS 200000
#define AT_ONCE 256  /* requests under way */
#define TTL (36 * 3600)

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mb(void)
{
	long pages = 0, ignored;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f != NULL && fscanf(f, "%ld %ld", &ignored, &pages) != 2)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* ---- verdicts */

static struct snapshot *some_policies(unsigned count)
{
	struct buf text = { 0 };
	buf_add_str(&text, "relay { domains = {example.org} }\npolicy default { quarantine = 8 greylist = 4 }\n");
	for (unsigned i = 0; i < count; i++)
		buf_printf(&text, "policy p%u { recipients = {\"@d%u.example.org\"} scores = {\"S3=2\", \"S7=1\"} "
			   "actions = {\"S99=reject\"} tag = %u }\n", i, i, i % 9);
	struct snapshot *snapshot = config_snapshot(buf_cstr(&text));
	buf_free(&text);
	return snapshot;
}

static void measure_verdict(unsigned policies, unsigned hits)
{
	static char names[64][8];
	struct snapshot *snapshot = some_policies(policies);
	struct arena *arena = arena_create();
	struct hits found = { .arena = arena };
	struct client client = { .listener = "smtp" };
	struct envelope envelope = { 0 };
	struct recipient to = { .accepted = true };
	const struct facts facts = { 0 };
	ip_parse(SLICE("192.0.2.1"), &client.ip);
	address_parse(arena, SLICE("ada@example.net"), ADDRESS_MAIL, &envelope.sender);
	address_parse(arena, SLICE("bob@d1.example.org"), ADDRESS_RCPT, &to.mailbox);
	envelope_add(&envelope, &to, arena);
	for (unsigned i = 0; i < hits; i++) {
		snprintf(names[i], sizeof(names[i]), "S%u", i);
		const struct hit hit = { .symbol = names[i], .score = 0.1, .recipient = -1, .phase = PHASE_END, .filter = "x" };
		hits_add(&found, &hit);
	}
	double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < ROUNDS; i++) {
		struct arena *mine = arena_create();
		const struct verdict_input in = { .snapshot = snapshot, .client = &client, .envelope = &envelope,
						  .hits = &found, .arena = mine, .facts = &facts };
		struct verdict v;
		verdict_at_rcpt(&in, 0, false, &v);
		verdict_at_end(&in, &v);
		arena_destroy(&mine);
	}
	printf("verdict, %3u policies, %2u findings   %8.2f µs a mail\n", policies, hits,
	       (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e6 / ROUNDS);
	arena_destroy(&arena);
	snapshot_release(&snapshot);
}

/* ---- lists */

static void measure_list(const char *name, enum list_type type)
{
	struct arena *arena = arena_create();
	double before = resident_mb(), start = seconds(CLOCK_PROCESS_CPUTIME_ID);
	struct list *list = list_create(arena, type, LIST_ENTRIES);
	for (unsigned i = 0; i < LIST_ENTRIES; i++)
		list_add(list, type == LIST_NETWORKS ?
			 arena_printf(arena, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255) :
			 arena_printf(arena, "%sd%u.%u.%u.example.net", type == LIST_ADDRESSES ? "u@" : "", i >> 16 & 255,
				      i >> 8 & 255, i & 255));
	double load = seconds(CLOCK_PROCESS_CPUTIME_ID) - start, memory = resident_mb() - before;
	size_t found = 0;
	start = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned i = 0; i < LOOK_UPS; i++) {
		struct slice entry;
		struct ip ip = { .family = 4, .bytes = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
		char text[64];
		struct mailbox m = { 0 };
		snprintf(text, sizeof(text), "u@d%u.%u.%u.example.net", i >> 16 & 255, i >> 8 & 255, i & 255);
		m.text = slice_str(text);
		m.local = SLICE("u");
		m.domain = slice_from(m.text, 2);
		found += type == LIST_NETWORKS ? list_has_client(list, &ip, &entry) : list_has_sender(list, &m, &entry) ||
			 list_has_domain(list, m.domain, &entry);
	}
	printf("list of %u %-10s  %8.2f µs a look-up, %.0f ms to load, %.1f MB (%zu of %u found)\n", LIST_ENTRIES, name,
	       (seconds(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e6 / LOOK_UPS, load * 1e3, memory, found, LOOK_UPS);
	arena_destroy(&arena);
}

/* ---- stores */

struct load {
	struct store *store;
	struct event_base *base;
	enum store_op op;
	uint64_t asked, answered, total, range, failed;
};

static void ask_next(struct load *l);

static void on_answer(void *arg, const struct answer *a)
{
	struct load *l = arg;
	l->answered++;
	l->failed += a->status == ANSWER_TEMPERROR;
	if (l->asked < l->total)
		ask_next(l);
	else if (l->answered == l->total)
		event_base_loopbreak(l->base);
}

/* Numbers of a permutation: neither in order nor twice. */
static void ask_next(struct load *l)
{
	char key[96];
	uint64_t n = l->asked++ * UINT64_C(2654435761) % l->range;
	snprintf(key, sizeof(key), "grey:198.%u.%u.0/24 sender%llu.example.net", (unsigned)(n >> 8 & 255), (unsigned)(n & 255),
		 (unsigned long long)n);
	const struct store_request r = { .op = l->op, .key = slice_str(key), .value = SLICE("1"), .amount = 1, .ttl = TTL };
	store_ask(l->store, &r, 1700000000, on_answer, l);
}

static void run(struct load *l, enum store_op op, uint64_t total, const char *what)
{
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	l->op = op;
	l->total = total;
	l->asked = l->answered = l->failed = 0;
	while (l->asked < AT_ONCE && l->asked < total)
		ask_next(l);
	while (l->answered < total && event_base_dispatch(l->base) == 0)
		;
	printf("  %-28s %8.2f µs each, %.2f µs of our CPU%s\n", what, (seconds(CLOCK_MONOTONIC) - wall) * 1e6 / (double)total,
	       (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / (double)total, l->failed ? ", SOME FAILED" : "");
	fflush(stdout);
}

static void measure_store(const char *url, uint64_t entries)
{
	char error[STORE_ERROR_MAX], what[64];
	const struct store_config config = { .url = slice_str(url), .timeout = 30000, .max_size = UINT64_C(4) << 30 };
	struct load l = { .base = event_base_new(), .range = entries };
	double before = resident_mb();
	l.store = store_open(l.base, &config, error);
	if (l.store == NULL) {
		printf("store %s: %s\n", url, error);
	} else {
		printf("store %.20s\n", url);
		snprintf(what, sizeof(what), "%llu greylist entries", (unsigned long long)entries);
		run(&l, STORE_GET_OR_SET, entries, what);
		run(&l, STORE_GET, 100000, "known senders, 100000");
		run(&l, STORE_ADD, 100000, "rates, 100000");
		printf("  %-28s %8.1f MB of ours\n", "memory", resident_mb() - before);
		store_close(&l.store);
	}
	event_base_free(l.base);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		measure_store(argv[i], strtoull(argv[1], NULL, 10));
	if (argc > 2)
		return 0;
	measure_verdict(1, 5);
	measure_verdict(1, 40);
	measure_verdict(100, 40);
	measure_list("networks", LIST_NETWORKS);
	measure_list("addresses", LIST_ADDRESSES);
	measure_list("domains", LIST_DOMAINS);
	return 0;
}
