/*
 * µs a mail costs the filters that go by From, answers from a zone in memory,
 * and µs for the skeleton of 10 KB of text. One line for each: name and µs.
 */
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "filters/author.h"
#include "message/skeleton.h"
#include "tests/lib/config_scan.h"
#include "tests/lib/zone_driver.h"

#define ROUNDS 5000
#define TEXT_OCTETS 10240

static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static const char head[] =
    "From: \"Ann Other via list\" <ann@mail.example.com>\r\n"
    "Reply-To: ann@example.com\r\nSender: list@example.com\r\nTo: bob@example.org\r\n\r\n";

/* All filters but the ones named are switched off. more: further settings. */
static void measure_with(const char *name, const char *filters, const char *more, const struct zone *zone)
{
	static const char *const all[] = { "iprev", "spf",	   "dkim",	  "arc",
					   "dmarc", "forged_from", "sender_login" };
	struct buf config = { 0 };
	buf_add_str(&config, "hostname = mx.example.org\nrelay { domains = {example.org} }\n");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strstr(filters, all[i]) == NULL)
			buf_printf(&config, "filter %s { enabled = no }\n", all[i]);
	buf_add_str(&config, more);
	struct snapshot *snapshot = config_snapshot(buf_cstr(&config));
	const struct config_mail mail = { .ip = "192.0.2.1",
					  .helo = "mx.example.com",
					  .mail_from = "ann@example.com",
					  .now = 1700000000,
					  .raw = slice_str(head) };
	double start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		struct arena *arena = arena_create();
		config_scan(arena, snapshot, &mail, zone);
		arena_destroy(&arena);
	}
	printf("%-28s %8.1f\n", name, (now_us() - start) / ROUNDS);
	snapshot_release(&snapshot);
	buf_free(&config);
}

static void measure(const char *name, const char *filters, const struct zone *zone)
{
	measure_with(name, filters, "", zone);
}

static void measure_text(const char *name, const char *piece)
{
	struct buf text = { 0 };
	while (text.len < TEXT_OCTETS)
		buf_add_str(&text, piece);
	double start = now_us();
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct arena *arena = arena_create();
		skeleton_text(arena, buf_slice(&text));
		arena_destroy(&arena);
	}
	printf("%-28s %8.1f\n", name, (now_us() - start) / (ROUNDS / 10));
	buf_free(&text);
}

int main(void)
{
	struct zone *zone =
	    zone_of("_dmarc.example.com. TXT \"v=DMARC1; p=reject; np=reject\"\n"
		    "mail.example.com. A 192.0.2.1\nmx.example.com. TXT \"v=spf1 a -all\"\nmx.example.com. A 192.0.2.1\n"
		    "example.com. TXT \"v=spf1 ip4:198.51.100.0/24 include:_spf.example.com -all\"\n"
		    "_spf.example.com. TXT \"v=spf1 a:mail.example.com mx -all\"\n");
	skeleton_preload();
	measure("author alone", "", zone);
	measure("author, spf native", "spf", zone);
	measure_with("author, spf libspf2", "spf_", "filter spf { engine = libspf2 }\n", zone);
	measure("author, dmarc", "dmarc", zone);
	measure("author, forged_from", "forged_from", zone);
	measure_text("skeleton, ASCII", "The quick brown fox. ");
	measure_text("skeleton, an accent",
		     "The quick brown f\xc3\xb6x jumps over the lazy dog, and then again. ");
	measure_text("skeleton, Cyrillic", "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 ");
	zone_destroy(&zone);
	return 0;
}
