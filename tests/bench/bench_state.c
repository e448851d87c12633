/*
 * What policy, the stores and large lists cost.
 *
 *	bench_state policy                 µs of CPU a mail
 *	bench_state store URL              µs of CPU and of the clock a request
 *	bench_state greylist URL COUNT     that many entries set, then looked up
 *	bench_state list FOLDER COUNT      lists of that many entries
 */
#include <event2/event.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/store.h"
#include "policy/lists.h"
#include "tests/lib/config_scan.h"
#include "tests/lib/zone_driver.h"

#define NOW 1700000000
#define REQUESTS 20000
#define IN_FLIGHT 256
#define LOOKUPS 200000

static double clock_us(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double resident_mib(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return (double)pages * 4096 / (1 << 20);
}

/* ---- policy ---- */

static const char plain[] = "hostname = mx.example.org\nrelay { domains = {example.org} }\n";
static const char many[] =
	"list partners { type = domains  entries = {partner.example, \"*.partner.example\"} }\n"
	"list scanners { type = networks  entries = {192.0.2.128/25, \"2001:db8::/32\"} }\n"
	"policy default { tag = 5  reject = 12  allow = {partners}  deny = {scanners} }\n"
	"policy a { recipients = {ann@example.org}  reject = 8 }\n"
	"policy b { recipients = {@example.org}  tag = 4  scores = {\"SPF_NONE=0.5\"} }\n"
	"policy c { senders = {@bulk.example}  reject = 6 }\n"
	"policy d { clients = {198.51.100.0/24}  reject = 20 }\n"
	"policy e { users = {\"*\"}  reject = 30 }\n";

static const char head[] =
	"From: \"Ann Other via list\" <ann@mail.example.com>\r\nReply-To: ann@example.com\r\n"
	"Sender: list@example.com\r\nTo: bob@example.org\r\n\r\n";

/* The verdict alone, on what the filters without DNS found. */
static void measure_policy(const char *name, const char *more)
{
	struct buf text = { 0 };
	struct zone *zone = zone_of("example.com. A 192.0.2.1\n");
	struct arena *arena = arena_create();
	buf_printf(&text, "%s%s", plain, more);
	struct snapshot *snapshot = config_snapshot(buf_cstr(&text));
	const struct config_mail mail = { .ip = "192.0.2.1", .helo = "mx.example.com", .mail_from = "ann@example.com",
					  .now = NOW, .raw = slice_str(head) };
	struct scan *scan = config_scan(arena, snapshot, &mail, zone);
	double start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < REQUESTS; i++)
		config_verdict(scan);
	printf("%-36s %8.2f us of CPU, %zu hits\n", name,
	       (clock_us(CLOCK_PROCESS_CPUTIME_ID) - start) / REQUESTS, scan->hits.count);
	arena_destroy(&arena);
	snapshot_release(&snapshot);
	zone_destroy(&zone);
	buf_free(&text);
}

/* ---- stores ---- */

struct asker {
	struct event_base *base;
	struct store *store;
	enum store_op op;
	size_t next, count, done, found, failed;
	size_t spread;             /* keys are next * spread % keys */
	size_t keys;
};

static void ask_next(struct asker *c);

static void on_answer(void *arg, const struct answer *answer)
{
	struct asker *c = arg;
	c->done++;
	c->found += answer->status == ANSWER_FOUND;
	c->failed += answer->status == ANSWER_TEMPERROR;
	if (c->next < c->count)
		ask_next(c);
	else if (c->done == c->count)
		event_base_loopbreak(c->base);
}

static void ask_next(struct asker *c)
{
	char key[80];
	size_t n = c->next++ * c->spread % c->keys;
	int len = snprintf(key, sizeof(key), "grey:192.0.%zu.%zu sender-%zu.example.com", n >> 8 & 255, n & 255, n);
	const struct store_request request = {
		.op = c->op, .key = slice_make(key, (size_t)len), .value = SLICE("1"), .amount = 1, .ttl = 3000000,
	};
	store_ask(c->store, &request, NOW, on_answer, c);
}

/* µs of CPU and of the clock for each of count requests. */
static void run_requests(struct asker *c, size_t in_flight, double *cpu_r, double *clock_r)
{
	double cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID), start = clock_us(CLOCK_MONOTONIC);
	c->next = c->done = c->found = 0;
	for (size_t i = 0; i < in_flight && c->next < c->count; i++)
		ask_next(c);
	event_base_dispatch(c->base);
	*cpu_r = (clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)c->count;
	*clock_r = (clock_us(CLOCK_MONOTONIC) - start) / (double)c->count;
}

static bool open_store(struct asker *c, const char *url)
{
	char error[STORE_ERROR_MAX] = "";
	const struct store_config config = { .url = slice_str(url), .timeout = 60000 };
	c->base = event_base_new();
	c->store = store_open(c->base, &config, error);
	if (c->store == NULL)
		printf("skipped: %s: %s\n", url, error);
	return c->store != NULL;
}

static void close_store(struct asker *c)
{
	store_close(&c->store);
	event_base_free(c->base);
}

static void measure_store(const char *url)
{
	static const struct {
		const char *name;
		enum store_op op;
	} ops[] = { { "get or set, new", STORE_GET_OR_SET }, { "get or set, there", STORE_GET_OR_SET },
		    { "get", STORE_GET }, { "add to a counter", STORE_ADD } };
	struct asker c = { .spread = 1, .keys = REQUESTS, .count = REQUESTS };
	double cpu, clock, cpu_many, clock_many;
	if (!open_store(&c, url))
		return;
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		c.op = ops[i].op;
		c.count = REQUESTS / 10;
		run_requests(&c, 1, &cpu, &clock);
		c.count = REQUESTS;
		run_requests(&c, 32, &cpu_many, &clock_many);
		printf("%-8.*s %-18s %20.1f %8.1f %18.1f %8.1f%s\n", (int)strcspn(url, ":"), url, ops[i].name, cpu, clock, cpu_many, clock_many,
		       c.failed > 0 ? "  some failed" : "");
	}
	close_store(&c);
}

static void measure_greylist(const char *url, size_t count)
{
	struct asker c = { .op = STORE_GET_OR_SET, .spread = 1, .keys = count, .count = count };
	double cpu, clock, before = resident_mib(), filled;
	if (!open_store(&c, url))
		return;
	run_requests(&c, IN_FLIGHT, &cpu, &clock);
	filled = resident_mib() - before;
	printf("%.*s: %zu greylist entries: filled in %.1f s (%.1f us of CPU each)", (int)strcspn(url, ":"), url, count,
	       clock * (double)count / 1e6, cpu);
	c.spread = 611953; /* a prime: all over the place */
	c.op = STORE_GET;
	c.count = LOOKUPS;
	run_requests(&c, IN_FLIGHT, &cpu, &clock);
	printf(", looked up in %.1f us each (%.1f of CPU), %zu of %d there; %.0f MiB resident\n", clock, cpu, c.found,
	       LOOKUPS, filled);
	close_store(&c);
}

/* ---- lists ---- */

static void write_entry(FILE *f, enum list_type type, size_t i)
{
	if (type == LIST_NETWORKS)
		fprintf(f, "%zu.%zu.%zu.0/24\n", 1 + i / 65536, i / 256 % 256, i % 256);
	else if (type == LIST_DOMAINS)
		fprintf(f, "host-%zu.example%zu.com\n", i, i % 1000);
	else
		fprintf(f, "user-%zu@example%zu.com\n", i, i % 1000);
}

static bool look_up(const struct list *list, enum list_type type, size_t i)
{
	char text[80];
	struct ip ip;
	struct slice entry;
	if (type == LIST_NETWORKS) {
		snprintf(text, sizeof(text), "%zu.%zu.%zu.7", 1 + i / 65536 % 200, i / 256 % 256, i % 256);
		return ip_parse(slice_str(text), &ip) && list_has_client(list, &ip, &entry);
	}
	snprintf(text, sizeof(text), type == LIST_DOMAINS ? "host-%zu.example%zu.com" : "user-%zu@example%zu.com", i, i % 1000);
	if (type == LIST_DOMAINS)
		return list_has_domain(list, slice_str(text), &entry);
	size_t at = slice_chr(slice_str(text), '@');
	const struct mailbox sender = { .text = slice_str(text), .local = slice_head(slice_str(text), at),
					.domain = slice_from(slice_str(text), at + 1) };
	return list_has_sender(list, &sender, &entry);
}

static void measure_list(const char *folder, const char *type_name, enum list_type type, size_t count)
{
	struct buf path = { 0 }, text = { 0 };
	buf_printf(&path, "%s/%s", folder, type_name);
	FILE *f = fopen(buf_cstr(&path), "w");
	for (size_t i = 0; i < count && f != NULL; i++)
		write_entry(f, type, i);
	if (f == NULL || fclose(f) != 0)
		exit(1);
	buf_printf(&text, "%slist big { type = %s  file = \"%s\" }\n", plain, type_name, buf_cstr(&path));
	malloc_trim(0);
	double before = resident_mib(), start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	struct snapshot *snapshot = config_snapshot(buf_cstr(&text));
	double loaded = clock_us(CLOCK_PROCESS_CPUTIME_ID) - start, memory = resident_mib() - before;
	const struct list *list = snapshot->config->lists[0].loaded;
	size_t found = 0;
	start = clock_us(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < LOOKUPS; i++)
		found += look_up(list, type, i * 611953 % (2 * count));
	printf("%-10s %7zu entries: loaded in %4.0f ms, looked up in %4.0f ns (%zu of %d there), %5.1f MiB\n", type_name,
	       list_count(list), loaded / 1e3, (clock_us(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e3 / LOOKUPS, found, LOOKUPS,
	       memory);
	snapshot_release(&snapshot);
	buf_free(&path);
	buf_free(&text);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "policy") == 0) {
		measure_policy("one policy", "");
		measure_policy("six policies, an allow and a deny list", many);
	} else if (strcmp(what, "store") == 0 && argc == 3) {
		measure_store(argv[2]);
	} else if (strcmp(what, "greylist") == 0 && argc == 4) {
		measure_greylist(argv[2], strtoul(argv[3], NULL, 10));
	} else if (strcmp(what, "list") == 0 && argc == 4) {
		measure_list(argv[2], "networks", LIST_NETWORKS, strtoul(argv[3], NULL, 10));
		measure_list(argv[2], "domains", LIST_DOMAINS, strtoul(argv[3], NULL, 10));
		measure_list(argv[2], "addresses", LIST_ADDRESSES, strtoul(argv[3], NULL, 10));
	} else {
		return 64;
	}
	return 0;
}
