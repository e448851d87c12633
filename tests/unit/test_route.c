#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/route.h"

#define SICK 'x'

/* Backends: domains (parted by a comma; "": all), priority, weight, users. */
static const struct {
	const char *domains;
	int64_t priority, weight;
	const char *users;
} backends[] = {
	[0] = { "", 10, 1, "" },  [1] = { "", 10, 3, "" },  [2] = { "", 20, 1, "" },
	[3] = { "example.org", 50, 1, "" }, [4] = { ".example.net,example.com", 50, 1, "" },
	[5] = { "", 90, 1, "ada,eve" }, [6] = { "", 90, 1, "*" }, [7] = { "", 90, 1, "@example.org" },
	[8] = { "example.org", 90, 1, "ada" },
};

static const struct {
	const char *what;
	const char *which;      /* digits: backends; x behind one: it is not healthy */
	const char *domain;
	uint32_t random;
	int want;               /* index into which's backends */
	const char *login;
} cases[] = {
	{ "none", "", "example.org", 0, -1, "" },
	{ "one", "0", "a.example", 0, 0, "" },
	{ "takes another domain only", "3", "a.example", 0, -1, "" },
	{ "its domain before all", "03", "example.org", 0, 1, "" },
	{ "not below it", "03", "sub.example.org", 0, 0, "" },
	{ "below", "04", "x.example.net", 0, 1, "" },
	{ "below means below", "04", "example.net", 0, 0, "" },
	{ "second of two domains", "04", "example.com", 0, 1, "" },
	{ "its own though sick, not anybody's", "03x", "example.org", 0, 1, "" },
	{ "lower priority first", "20", "a.example", 0, 1, "" },
	{ "sick: the next priority", "0x2", "a.example", 0, 1, "" },
	{ "all sick: the first again", "0x2x", "a.example", 0, 0, "" },
	{ "weight 1 of 4", "01", "a.example", 0, 0, "" },
	{ "weight 3 of 4", "01", "a.example", 1, 1, "" },
	{ "weight 3 of 4, end", "01", "a.example", 3, 1, "" },
	{ "round", "01", "a.example", 4, 0, "" },
	{ "random is any number", "01", "a.example", UINT32_MAX, 1, "" },
	{ "the weight of the sick doesn't count", "01x", "a.example", 3, 0, "" },
	{ "nor of another priority", "02", "a.example", 1, 0, "" },
	{ "no domain (postmaster)", "30", "", 0, 1, "" },
	{ "a user's before the domain's", "035", "example.org", 0, 2, "ada" },
	{ "second user", "05", "a.example", 0, 1, "eve" },
	{ "not that user's", "05", "a.example", 0, 0, "bob" },
	{ "nobody's", "05", "a.example", 0, 0, "" },
	{ "for nobody else at all", "5", "a.example", 0, -1, "bob" },
	{ "whoever is known", "06", "a.example", 0, 1, "bob" },
	{ "not who isn't", "06", "a.example", 0, 0, "" },
	{ "a name before anybody", "65", "a.example", 0, 1, "ada" },
	{ "the end of a name", "067", "a.example", 0, 2, "bob@example.org" },
	{ "the whole of it is no end", "67", "a.example", 0, 0, "xexample.org" },
	{ "user and domain", "58", "example.org", 0, 1, "ada" },
	{ "user, but not the domain", "58", "a.example", 0, 0, "ada" },
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
		struct config_backend config[9] = { 0 };
		struct route_candidate list[9];
		size_t count = 0;
		for (const char *p = cases[i].which; *p != '\0'; p++) {
			if (*p == SICK)
				continue;
			config[count].domains = domains_of(arena, backends[*p - '0'].domains);
			config[count].users = domains_of(arena, backends[*p - '0'].users);
			config[count].priority = backends[*p - '0'].priority;
			config[count].weight = backends[*p - '0'].weight;
			list[count] = (struct route_candidate){ &config[count], p[1] != SICK };
			count++;
		}
		const struct route_target target = { slice_str(cases[i].domain), slice_str(cases[i].login) };
		int got = route_pick(list, count, &target, cases[i].random);
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
