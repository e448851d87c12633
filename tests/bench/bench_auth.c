/*
 * µs a mail of 10 KB costs DKIM and ARC, keys from a zone in memory: parsing,
 * hashing, RSA-2048. One line for each: name and µs.
 */
#include <stdio.h>
#include <time.h>

#include "filters/arc.h"
#include "filters/dkim.h"
#include "filters/scan.h"
#include "message/authres.h"
#include "tests/lib/arc_sealer.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/zone_driver.h"

#define BODY_OCTETS 10240
#define ROUNDS 400
#define HEAD "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: Two\r\n"

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct slice body_text(struct arena *arena)
{
	struct buf b = { 0 };
	while (b.len < BODY_OCTETS)
		buf_add_str(&b, "Lorem  ipsum dolor sit amet, consetetur sadipscing elitr, sed diam. \r\n");
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

static struct slice with_signatures(struct arena *arena, struct slice body, int count)
{
	struct slice head = SLICE(HEAD);
	struct signing s = {
		.key = test_key(2048), .header_canon = DKIM_RELAXED, .body_canon = DKIM_RELAXED,
		.fields = "From:To:Subject",
		.tags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; h=From:To:Subject",
	};
	for (int i = 0; i < count; i++) {
		struct slice field = sign(arena, &s, head, body);
		head = arena_printf(arena, "%.*s%.*s", SLICE_ARG(field), SLICE_ARG(head));
	}
	return arena_printf(arena, "%.*s\r\n%.*s", SLICE_ARG(head), SLICE_ARG(body));
}

static struct slice with_sets(struct arena *arena, struct slice body, unsigned count)
{
	struct slice head = SLICE(HEAD);
	struct buf sets = { 0 };
	for (unsigned i = 1; i <= count; i++) {
		struct sealing s = { .key = test_key(2048), .domain = "example.org", .selector = "sel", .instance = i,
				     .cv = i == 1 ? "none" : "pass", .authres = "mx; none" };
		head = seal(arena, &s, head, body, &sets);
	}
	buf_free(&sets);
	return arena_printf(arena, "%.*s\r\n%.*s", SLICE_ARG(head), SLICE_ARG(body));
}

static void measure(const char *name, const struct filter_choice *choice, struct slice mail,
		    const struct zone *zone, enum auth_result expected)
{
	double start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		struct arena *arena = arena_create();
		struct scan *scan = one_filter_scan(arena, choice, 1, 1600000000);
		one_filter_message(scan, mail, 4096, zone);
		enum auth_result result = scan->facts.arc.result ? scan->facts.arc.result :
					  scan->facts.dkim_count ? scan->facts.dkim[0].result : AUTH_NONE;
		if (result != expected)
			printf("%s: %s\n", name, auth_result_name(result));
		arena_destroy(&arena);
	}
	printf("%-28s %8.1f\n", name, (now_us() - start) / ROUNDS);
}

int main(void)
{
	struct arena *arena = arena_create();
	struct slice body = body_text(arena);
	struct zone *zone = zone_of(arena_printf(arena, "sel._domainkey.example.org. TXT \"p=%s\"\n",
						 test_key_p(test_key(2048))).data);
	for (int engine = DKIM_ENGINE_NATIVE; engine <= DKIM_ENGINE_OPENDKIM; engine++) {
		struct dkim_settings settings = {
			.common = { .enabled = true }, .engine = engine, .max_signatures = 8, .min_key_bits = 1024,
			.partial_body = true, .clock_drift = 300000,
		};
		struct filter_choice choice = { &dkim_filter, &settings };
		for (int count = 0; count <= 4; count = count ? count * 2 : 1)
			measure(arena_printf(arena, "dkim_%s_%d", engine ? "libopendkim" : "native", count).data,
				&choice, with_signatures(arena, body, count), zone, count ? AUTH_PASS : AUTH_NONE);
	}
	struct arc_settings arc = { .common = { .enabled = true }, .min_key_bits = 1024 };
	struct filter_choice choice = { &arc_filter, &arc };
	for (unsigned count = 1; count <= 4; count *= 2)
		measure(arena_printf(arena, "arc_%u", count).data, &choice, with_sets(arena, body, count), zone, AUTH_PASS);
	measure("arc_50", &choice, with_sets(arena, body, 50), zone, AUTH_PASS);
	zone_destroy(&zone);
	arena_destroy(&arena);
	return 0;
}
