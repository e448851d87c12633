#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/route.h"

#define SICK 'x'

/* Backends: domains (parted by a comma; "": all), priority, weight. */
static const struct {
	const char *domains;
	int64_t priority, weight;
} backends[] = {
	[0] = { "", 10, 1 },  [1] = { "", 10, 3 },  [2] = { "", 20, 1 },
	[3] = { "example.org", 50, 1 }, [4] = { ".example.net,example.com", 50, 1 },
};

static const struct {
	const char *what;
	const char *which;      /* digits: backends; x behind one: it is not healthy */
	const char *domain;
	uint32_t random;
	int want;               /* index into which's backends */
} cases[] = {
	{ "none", "", "example.org", 0, -1 },
	{ "one", "0", "a.example", 0, 0 },
	{ "takes another domain only", "3", "a.example", 0, -1 },
	{ "its domain before all", "03", "example.org", 0, 1 },
	{ "not below it", "03", "sub.example.org", 0, 0 },
	{ "below", "04", "x.example.net", 0, 1 },
	{ "below means below", "04", "example.net", 0, 0 },
	{ "second of two domains", "04", "example.com", 0, 1 },
	{ "its own though sick, not anybody's", "03x", "example.org", 0, 1 },
	{ "lower priority first", "20", "a.example", 0, 1 },
	{ "sick: the next priority", "0x2", "a.example", 0, 1 },
	{ "all sick: the first again", "0x2x", "a.example", 0, 0 },
	{ "weight 1 of 4", "01", "a.example", 0, 0 },
	{ "weight 3 of 4", "01", "a.example", 1, 1 },
	{ "weight 3 of 4, end", "01", "a.example", 3, 1 },
	{ "round", "01", "a.example", 4, 0 },
	{ "random is any number", "01", "a.example", UINT32_MAX, 1 },
	{ "the weight of the sick doesn't count", "01x", "a.example", 3, 0 },
	{ "nor of another priority", "02", "a.example", 1, 0 },
	{ "no domain (postmaster)", "30", "", 0, 1 },
};

static struct slice_list domains_of(struct arena *arena, const char *text)
{
	struct slice_list list = { .items = arena_array(arena, struct slice, 4) };
	struct slice word, rest = slice_str(text);
	while (rest.len > 0 && slice_split(&rest, ',', &word))
		list.items[list.count++] = word;
	return list;
}

static void test_pick(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_create();
		struct config_backend config[8] = { 0 };
		struct route_candidate list[8];
		size_t count = 0;
		for (const char *p = cases[i].which; *p != '\0'; p++) {
			if (*p == SICK)
				continue;
			config[count].domains = domains_of(arena, backends[*p - '0'].domains);
			config[count].priority = backends[*p - '0'].priority;
			config[count].weight = backends[*p - '0'].weight;
			list[count] = (struct route_candidate){ &config[count], p[1] != SICK };
			count++;
		}
		int got = route_pick(list, count, slice_str(cases[i].domain), cases[i].random);
		if (got != cases[i].want)
			fail_msg("%s: %d", cases[i].what, got);
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pick) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
