#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "filters/bots.h"
#include "tests/lib/one_filter.h"
#include "tests/lib/zone_driver.h"

#define ALL_SCORE { .common = { .enabled = true } }

static const struct {
	const char *what;
	unsigned manners, later;      /* known at MAIL; found out by END */
	struct bots_settings settings;
	bool relay, login;
	const char *symbols;          /* of all hits, in order */
	enum action action;           /* of the first */
} cases[] = {
	{ "good manners", 0, 0, ALL_SCORE, false, false, "", ACTION_NONE },
	{ "early", MANNER_EARLY_TALKER, 0, ALL_SCORE, false, false, "EARLY_TALKER ", ACTION_NONE },
	{ "early, refused", MANNER_EARLY_TALKER, 0, { { true, false, 0 }, .early_talker = BOTS_REJECT }, false, false,
	  "EARLY_TALKER ", ACTION_REJECT },
	{ "early, passed over", MANNER_EARLY_TALKER, 0, { { true, false, 0 }, .early_talker = BOTS_IGNORE }, false,
	  false, "", ACTION_NONE },
	{ "the other's setting", MANNER_BARE_LF, 0, { { true, false, 0 }, .early_talker = BOTS_REJECT }, false, false,
	  "COMMAND_BARE_LF ", ACTION_NONE },
	{ "all", MANNER_EARLY_TALKER | MANNER_EARLY_PIPELINING | MANNER_BARE_LF | MANNER_UNKNOWN_COMMAND |
	  MANNER_HELO_CHANGED, 0, ALL_SCORE, false, false,
	  "EARLY_TALKER EARLY_PIPELINING COMMAND_BARE_LF COMMAND_UNKNOWN HELO_CHANGED ", ACTION_NONE },
	{ "once each", MANNER_BARE_LF, MANNER_BARE_LF | MANNER_EARLY_PIPELINING, ALL_SCORE, false, false,
	  "COMMAND_BARE_LF EARLY_PIPELINING ", ACTION_NONE },
	{ "later", 0, MANNER_EARLY_PIPELINING, { { true, false, 0 }, .early_pipelining = BOTS_REJECT }, false, false,
	  "EARLY_PIPELINING ", ACTION_REJECT },
	{ "a login nowhere", MANNER_AUTH_UNOFFERED, 0, ALL_SCORE, false, false, "AUTH_UNOFFERED ", ACTION_NONE },
	{ "HTTP", MANNER_HTTP, 0, { { true, false, 0 }, .http = BOTS_REJECT }, false, false, "HTTP_COMMAND ", ACTION_REJECT },
	{ "our network", MANNER_EARLY_TALKER, 0, ALL_SCORE, true, false, "", ACTION_NONE },
	{ "authenticated", MANNER_EARLY_TALKER, 0, ALL_SCORE, false, true, "", ACTION_NONE },
};

static void test_manners(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_create();
		const struct filter_choice choice = { &bots_filter, &cases[i].settings };
		struct scan *scan = one_filter_scan(arena, &choice, 1, 0);
		char symbols[200] = "";
		scan->client.manners = cases[i].manners;
		scan->client.relay_network = cases[i].relay;
		scan->client.login = cases[i].login ? SLICE("ada") : SLICE_EMPTY;
		for (enum phase p = PHASE_CONNECT; p <= PHASE_MAIL; p++)
			pipeline_enter(scan, p);
		zone_driver_run(scan, PHASE_MAIL, NULL);
		scan->client.manners |= cases[i].later;
		one_filter_message(scan, SLICE("Subject: x\r\n\r\ny\r\n"), 0, NULL);
		for (size_t k = 0; k < scan->hits.count; k++)
			snprintf(symbols + strlen(symbols), sizeof(symbols) - strlen(symbols), "%s ",
				 scan->hits.list[k].symbol);
		if (strcmp(symbols, cases[i].symbols) != 0)
			fail_msg("%s: %s", cases[i].what, symbols);
		if (scan->hits.count > 0)
			assert_int_equal(scan->hits.list[0].action, cases[i].action);
		if (cases[i].action == ACTION_REJECT)
			assert_int_equal(scan->hits.list[0].refusal.code, 550);
		arena_destroy(&arena);
	}
}

static void test_content(void **unused)
{
	(void)unused;
	static const struct bots_settings settings = ALL_SCORE;
	const struct filter_choice choice = { &bots_filter, &settings };
	struct arena *arena = arena_create();
	struct scan *scan = one_filter_scan(arena, &choice, 1, 0);
	message_parse(&scan->message, arena, SLICE("Subject: x\r\n\r\ny\r\n"), 100);
	scan->message.had_bare_lf = scan->message.had_long_line = scan->message.had_8bit_header = true;
	for (enum phase p = PHASE_CONNECT; p <= PHASE_END; p++)
		if (p != PHASE_RCPT && p != PHASE_BODY)
			pipeline_enter(scan, p);
	zone_driver_run(scan, PHASE_END, NULL);
	assert_non_null(hits_find(&scan->hits, "CONTENT_BARE_LF"));
	assert_non_null(hits_find(&scan->hits, "CONTENT_LONG_LINE"));
	assert_non_null(hits_find(&scan->hits, "CONTENT_8BIT_HEADER"));
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_manners), cmocka_unit_test(test_content) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
