#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "filters/dmarc_walk.h"

/* The names asked for (RFC 9989 4.10, steps 3 to 7). */
static const struct {
	const char *domain, *targets;
} walks[] = {
	{ "a.mail.example.com", "a.mail.example.com mail.example.com example.com com" },
	{ "example.com", "example.com com" },
	{ "com", "com" },
	{ "a.b", "a.b b" },
	{ "1.2.3.4.5.6.7", "1.2.3.4.5.6.7 2.3.4.5.6.7 3.4.5.6.7 4.5.6.7 5.6.7 6.7 7" },
	{ "1.2.3.4.5.6.7.8", "1.2.3.4.5.6.7.8 2.3.4.5.6.7.8 3.4.5.6.7.8 4.5.6.7.8 5.6.7.8 6.7.8 7.8 8" },
	{ "0.1.2.3.4.5.6.7.8", "0.1.2.3.4.5.6.7.8 2.3.4.5.6.7.8 3.4.5.6.7.8 4.5.6.7.8 5.6.7.8 6.7.8 7.8 8" },
	{ "a.b.c.d.e.f.g.h.i.j.mail.example.com", /* the example in 4.10 */
	  "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com h.i.j.mail.example.com "
	  "i.j.mail.example.com j.mail.example.com mail.example.com example.com com" },
	{ "mail.a.b.c.d.e.f.g.example.com", /* the example in 5.1.8 */
	  "mail.a.b.c.d.e.f.g.example.com c.d.e.f.g.example.com d.e.f.g.example.com e.f.g.example.com "
	  "f.g.example.com g.example.com example.com com" },
};

static void test_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		struct dmarc_walk walk;
		char got[512] = "";
		dmarc_walk_begin(&walk, slice_str(walks[i].domain));
		for (size_t t = 0; t < walk.count; t++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s", t ? " " : "",
				 SLICE_ARG(walk.targets[t].domain));
		assert_string_equal(got, walks[i].targets);
	}
}

struct published {
	const char *domain, *txt; /* txt NULL: the look-up fails */
};

/*
 * Organisational domain and the domain whose record applies. RFC 9989 4.10.1,
 * 4.10.2 and the appendix' examples.
 */
static const struct {
	const char *what, *start;
	struct published published[6];
	const char *organisational, *policy; /* policy NULL: none. organisational NULL: unknown */
} outcomes[] = {
	{ .what = "nothing published",
	  .start = "a.mail.example.com",
	  .organisational = "a.mail.example.com" },
	{ .what = "the fewest labels",
	  .start = "a.mail.example.com",
	  .published = { { "mail.example.com", "v=DMARC1; p=none" },
			 { "example.com", "v=DMARC1; p=reject" } },
	  .organisational = "example.com",
	  .policy = "example.com" },
	{ .what = "psd=n is it",
	  .start = "a.mail.example.com",
	  .published = { { "mail.example.com", "v=DMARC1; p=none; psd=n" },
			 { "example.com", "v=DMARC1; p=reject" } },
	  .organisational = "mail.example.com",
	  .policy = "mail.example.com" },
	{ .what = "below psd=y",
	  .start = "a.mail.example.com",
	  .published = { { "com", "v=DMARC1; p=reject; psd=y" } },
	  .organisational = "example.com",
	  .policy = "com" },
	{ .what = "below psd=y, with a record",
	  .start = "a.mail.example.com",
	  .published = { { "com", "v=DMARC1; p=reject; psd=y" }, { "example.com", "v=DMARC1; p=none" } },
	  .organisational = "example.com",
	  .policy = "example.com" },
	{ .what = "below psd=y, with a record between that is not looked at",
	  .start = "x.a.mail.example.com",
	  .published = { { "com", "v=DMARC1; p=reject; psd=y" }, { "mail.example.com", "v=DMARC1; p=none" } },
	  .organisational = "example.com",
	  .policy = "com" },
	{ .what = "below psd=y within",
	  .start = "a.mail.example.com",
	  .published = { { "example.com", "v=DMARC1; p=reject; psd=y" }, { "com", "v=DMARC1; p=none" } },
	  .organisational = "mail.example.com",
	  .policy = "example.com" },
	{ .what = "own record",
	  .start = "a.mail.example.com",
	  .published = { { "a.mail.example.com", "v=DMARC1; p=none" },
			 { "example.com", "v=DMARC1; p=reject" } },
	  .organisational = "example.com",
	  .policy = "a.mail.example.com" },
	{ .what = "own record with psd=n",
	  .start = "a.mail.example.com",
	  .published = { { "a.mail.example.com", "v=DMARC1; psd=n" },
			 { "example.com", "v=DMARC1; p=reject" } },
	  .organisational = "a.mail.example.com",
	  .policy = "a.mail.example.com" },
	{ .what = "the start is a public suffix",
	  .start = "co.example",
	  .published = { { "co.example", "v=DMARC1; p=reject; psd=y" }, { "example", "v=DMARC1; p=none" } },
	  .organisational = "co.example",
	  .policy = "co.example" },
	{ .what = "one label, psd=y",
	  .start = "example",
	  .published = { { "example", "v=DMARC1; p=reject; psd=y" } },
	  .organisational = "example",
	  .policy = "example" },
	{ .what = "a record at the top without psd",
	  .start = "mail.example.com",
	  .published = { { "com", "v=DMARC1; p=reject" } },
	  .organisational = "com",
	  .policy = "com" },
	{ .what = "two records are none",
	  .start = "mail.example.com",
	  .published = { { "mail.example.com", "v=DMARC1; p=none" },
			 { "mail.example.com", "v=DMARC1; p=reject" },
			 { "example.com", "v=DMARC1; p=quarantine" } },
	  .organisational = "example.com",
	  .policy = "example.com" },
	{ .what = "other records don't count",
	  .start = "mail.example.com",
	  .published = { { "mail.example.com", "some=thing" },
			 { "mail.example.com", "v=DMARC1; p=none" },
			 { "mail.example.com", "v=spf1 -all" } },
	  .organisational = "mail.example.com",
	  .policy = "mail.example.com" },
	{ .what = "a bad record ends policy discovery",
	  .start = "mail.example.com",
	  .published = { { "mail.example.com", "v=DMARC1; p=bogus" },
			 { "example.com", "v=DMARC1; p=reject" } },
	  .organisational = "example.com",
	  .policy = "mail.example.com" },
	{ .what = "the start fails",
	  .start = "mail.example.com",
	  .published = { { "mail.example.com", NULL }, { "example.com", "v=DMARC1; p=reject" } } },
	{ .what = "the top fails",
	  .start = "mail.example.com",
	  .published = { { "example.com", "v=DMARC1; p=reject" }, { "com", NULL } } },
	{ .what = "what fails above the end doesn't matter",
	  .start = "mail.example.com",
	  .published = { { "example.com", "v=DMARC1; p=reject; psd=n" }, { "com", NULL } },
	  .organisational = "example.com",
	  .policy = "example.com" },
	{ .what = "nine labels, record at the eighth is not found",
	  .start = "1.2.3.4.5.6.7.8.9",
	  .published = { { "2.3.4.5.6.7.8.9", "v=DMARC1; p=reject" }, { "8.9", "v=DMARC1; p=none" } },
	  .organisational = "8.9",
	  .policy = "8.9" },
	{ .what = "nine labels, below psd=y at the seventh",
	  .start = "1.2.3.4.5.6.7.8.9",
	  .published = { { "3.4.5.6.7.8.9", "v=DMARC1; p=reject; psd=y" } },
	  .organisational = "2.3.4.5.6.7.8.9",
	  .policy = "3.4.5.6.7.8.9" },
};

/* TXT rdata of one string. */
static struct slice rdata(struct arena *arena, const char *txt)
{
	return arena_printf(arena, "%c%s", (int)strlen(txt), txt);
}

static struct answer answer_for(struct arena *arena, const struct published *list, struct slice name)
{
	struct answer a = { .status = ANSWER_NXDOMAIN, .records = arena_array(arena, struct slice, 6) };
	for (; list->domain != NULL; list++) {
		if (!slice_eq(name, arena_printf(arena, "_dmarc.%s", list->domain)))
			continue;
		a.status = list->txt ? ANSWER_FOUND : ANSWER_TEMPERROR;
		a.why = list->txt ? NULL : "SERVFAIL";
		if (list->txt != NULL)
			a.records[a.count++] = rdata(arena, list->txt);
	}
	return a;
}

static void answer_all(struct arena *arena, struct questions *qs, const struct published *list)
{
	struct question *q;
	while ((q = questions_next(qs)) != NULL) {
		struct answer a = answer_for(arena, list, q->name);
		question_answer(qs, q->index, &a);
	}
}

static bool outcome_is(const struct dmarc_outcome *o, enum dmarc_walk_state got, const char *organisational,
		       const char *policy)
{
	if (organisational == NULL)
		return got == DMARC_WALK_UNKNOWN && o->why != NULL;
	return got == DMARC_WALK_DONE && slice_eq(o->organisational, slice_str(organisational)) &&
	       (policy == NULL ? o->policy == NULL
			       : o->policy && slice_eq(o->policy->domain, slice_str(policy)));
}

static void test_outcomes(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		struct arena *arena = arena_create();
		struct questions *qs = questions_create(arena);
		struct dmarc_walk walk;
		struct dmarc_outcome outcome;
		dmarc_walk_begin(&walk, slice_str(outcomes[i].start));
		dmarc_walk_ask(&walk, arena, qs, PHASE_END);
		assert_int_equal(questions_pending(qs), walk.count); /* all asked at once */
		assert_int_equal(dmarc_walk_conclude(&walk, &outcome), DMARC_WALK_NEED);
		answer_all(arena, qs, outcomes[i].published);
		dmarc_walk_ask(&walk, arena, qs, PHASE_END);
		enum dmarc_walk_state got = dmarc_walk_conclude(&walk, &outcome);
		if (!outcome_is(&outcome, got, outcomes[i].organisational, outcomes[i].policy)) {
			print_error("%s: state %d, \"%.*s\", \"%.*s\"\n", outcomes[i].what, got,
				    SLICE_ARG(outcome.organisational),
				    SLICE_ARG(outcome.policy ? outcome.policy->domain : SLICE_EMPTY));
			bad++;
		}
		arena_destroy(&arena);
	}
	assert_int_equal(bad, 0);
}

/* psd=n at the start is enough: what lies above is not waited for. */
static void test_early_end(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct questions *qs = questions_create(arena);
	struct dmarc_walk walk;
	struct dmarc_outcome outcome;
	dmarc_walk_begin(&walk, SLICE("example.com"));
	dmarc_walk_ask(&walk, arena, qs, PHASE_END);
	struct published own[] = { { "example.com", "v=DMARC1; p=reject; psd=n" }, { NULL, NULL } };
	struct answer a = answer_for(arena, own, SLICE("_dmarc.example.com"));
	question_answer(qs, 0, &a);
	dmarc_walk_ask(&walk, arena, qs, PHASE_END);
	assert_int_equal(dmarc_walk_conclude(&walk, &outcome), DMARC_WALK_DONE);
	arena_destroy(&arena);
}

static void test_pair(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct questions *qs = questions_create(arena);
	struct dmarc_walk walk;
	struct dmarc_outcome outcome;
	dmarc_walk_begin_pair(&walk, SLICE("a.b.example.com"), SLICE("example.com"));
	assert_int_equal(walk.count, 2);
	dmarc_walk_ask(&walk, arena, qs, PHASE_END);
	struct published list[] = { { "b.example.com", "v=DMARC1; p=none" },
				    { "example.com", "v=DMARC1; p=reject" },
				    { NULL, NULL } };
	answer_all(arena, qs, list);
	dmarc_walk_ask(&walk, arena, qs, PHASE_END);
	assert_true(outcome_is(&outcome, dmarc_pair_conclude(&walk, &outcome), "example.com", "example.com"));
	dmarc_walk_begin_pair(&walk, SLICE("example.com"), SLICE("example.com"));
	assert_int_equal(walk.count, 1);
	arena_destroy(&arena);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(dmarc_is_below(SLICE("a.example.com"), SLICE("example.com")));
	assert_true(dmarc_is_below(SLICE("example.com"), SLICE("example.com")));
	assert_false(dmarc_is_below(SLICE("badexample.com"), SLICE("example.com")));
	assert_false(dmarc_is_below(SLICE("com"), SLICE("example.com")));
	assert_int_equal(dmarc_labels(SLICE("a.b.c")), 3);
	assert_true(slice_eq(dmarc_last_labels(SLICE("a.b.c"), 2), SLICE("b.c")));
	assert_true(slice_eq(dmarc_last_labels(SLICE("a.b.c"), 3), SLICE("a.b.c")));
	assert_true(slice_eq(dmarc_last_labels(SLICE("a.b.c"), 9), SLICE("a.b.c")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),	  cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_early_end), cmocka_unit_test(test_pair),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
