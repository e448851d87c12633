/*
 * µs of CPU that rules take on real mail, by stage.
 *
 *	bench_rules LIST ROUNDS NAME=PATH[,PATH…]…
 *
 * LIST names a file of mail a line. A NAME that ends in "-plain" is run
 * without prefilter, and only once. Sets take turns of TURN mails each. One
 * line for each mail, set and round: "mail NAME INDEX OCTETS" and µs of each
 * stage; and one for each set: "set NAME RULES BY-STRINGS
 * BY-VECTORSCAN DIRECT SECONDS-TO-LOAD".
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "message/canonical.h"
#include "message/envelope.h"
#include "rules/rule_scan.h"

#define MAILS_MAX 100000
#define SETS_MAX 16
#define TURN 50
#define HEADERS_MAX 1000
#define NOW 1700000000

enum stage { STAGE_PARSE, STAGE_DECODE, STAGE_MATCH, STAGE_CONCLUDE, STAGES };

struct set {
	struct slice name;
	struct ruleset *rules;
	bool plain;
};

struct bench {
	struct slice *mails;
	size_t mail_count;
	struct set sets[SETS_MAX];
	size_t set_count;
	int rounds;
};

static double clock_us(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double cpu_us(void)
{
	return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static struct slice read_file(struct arena *arena, const char *path)
{
	struct buf b = { 0 };
	size_t got;
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	while ((got = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0)
		b.len += got;
	fclose(f);
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

static void read_mails(struct arena *arena, const char *list, struct bench *b)
{
	struct slice rest = read_file(arena, list), line;
	b->mails = arena_array(arena, struct slice, MAILS_MAX);
	while (rest.len > 0 && slice_split(&rest, '\n', &line) && b->mail_count < MAILS_MAX)
		if (line.len > 0)
			b->mails[b->mail_count++] = read_file(arena, arena_str(arena, line));
}

/* NAME=PATH[,PATH…] */
static void add_set(struct arena *arena, const char *argument, struct bench *b)
{
	struct set *set = &b->sets[b->set_count++];
	struct slice rest = slice_str(argument), path, paths[16];
	struct config_errors errors = { .arena = arena };
	struct engine_stats stats;
	struct ruleset_totals totals;
	size_t count = 0;
	slice_split(&rest, '=', &set->name);
	set->plain = slice_ends(set->name, SLICE("-plain"));
	while (count < 16 && rest.len > 0 && slice_split(&rest, ',', &path))
		paths[count++] = slice_str(arena_str(arena, path));
	const struct ruleset_options options = { .plain = set->plain, .cache_dir = getenv("BENCH_CACHE") };
	double start = clock_us(CLOCK_MONOTONIC);
	set->rules = ruleset_load(paths, count, &options, &errors);
	double seconds = (clock_us(CLOCK_MONOTONIC) - start) / 1e6;
	ruleset_improve(set->rules, true);
	rule_engine_stats(set->rules->engine, &stats);
	ruleset_totals(set->rules, &totals);
	printf("set %.*s %zu %zu %zu %zu %.2f\n", SLICE_ARG(set->name), totals.supported + totals.approximate,
	       stats.with_strings, stats.by_vectorscan, stats.direct, seconds);
}

static void scan(struct arena *arena, const struct ruleset *rules, struct slice file, double us[STAGES])
{
	struct message message = { 0 };
	const struct facts facts = { .dkim_count = 0 };
	const struct decode_limits limits = {
		.uri = { .redirect = rule_lists_redirect, .redirect_arg = rules->lists },
	};
	const struct rule_input input = {
		.arena = arena, .message = &message, .facts = &facts, .now = NOW, .hostname = SLICE("mx.example.org"),
	};
	size_t count;
	double t[STAGES + 1];
	t[0] = cpu_us();
	message_parse(&message, arena, message_canonical(arena, file).bytes, HEADERS_MAX);
	message.size = message.raw.len;
	t[1] = cpu_us();
	message_decode(&message, &limits);
	t[2] = cpu_us();
	struct rule_scan *s = rule_scan_begin(rules, &input);
	rule_scan_texts(s);
	t[3] = cpu_us();
	rule_scan_finish(s);
	rule_scan_hits(s, &count);
	rule_scan_end(&s);
	t[4] = cpu_us();
	for (int i = 0; i < STAGES; i++)
		us[i] = t[i + 1] - t[i];
}

static void turn(const struct bench *b, const struct set *set, size_t from, bool tell)
{
	for (size_t i = from; i < from + TURN && i < b->mail_count; i++) {
		struct arena *arena = arena_create();
		double us[STAGES];
		scan(arena, set->rules, b->mails[i], us);
		if (tell) {
			printf("mail %.*s %zu %zu", SLICE_ARG(set->name), i, b->mails[i].len);
			for (int k = 0; k < STAGES; k++)
				printf(" %.1f", us[k]);
			putchar('\n');
		}
		arena_destroy(&arena);
	}
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_create();
	struct bench b = { 0 };
	if (argc < 4 || argc - 3 > SETS_MAX)
		return 64;
	message_decode_preload();
	read_mails(arena, argv[1], &b);
	b.rounds = atoi(argv[2]);
	for (int i = 3; i < argc; i++)
		add_set(arena, argv[i], &b);
	for (size_t k = 0; k < b.set_count; k++)
		turn(&b, &b.sets[k], 0, false);
	for (int round = 0; round < b.rounds; round++)
		for (size_t from = 0; from < b.mail_count; from += TURN)
			for (size_t k = 0; k < b.set_count; k++)
				if (!b.sets[k].plain || round == 0)
					turn(&b, &b.sets[k], from, true);
	for (size_t k = 0; k < b.set_count; k++)
		ruleset_release(&b.sets[k].rules);
	arena_destroy(&arena);
	return 0;
}
