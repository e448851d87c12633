/* The second pass: patterns without strings that take PCRE2 longest, compiled
 * by vectorscan and put in force if that is the faster way for them. */
#include "rules/rule_engine_private.h"

#include <stdlib.h>

#include "rules/pattern_loosen.h"
#include "rules/rule_engine_sample.h"

#define ROUNDS 3u              /* a measurement is the best of these */
#define SHARE_WANTED 0.8       /* of the time that is to be saved: the rest are many, and cheap */

struct sample {
	struct slice text;
	struct segment *lines;
	size_t count;
};

static struct sample make_sample(void)
{
	struct sample s = { .text = rule_engine_sample() };
	struct slice rest = s.text, line;
	s.lines = xcalloc(s.text.len / 64 + 1, sizeof(*s.lines));
	while (rest.len > 0 && slice_split(&rest, '\n', &line) && s.count < s.text.len / 64)
		s.lines[s.count++].text = line;
	return s;
}

/* Time of each rule without strings on the sample, by PCRE2, in microseconds. */
static void time_direct(const struct rule_engine *e, const struct channel_index *c, const struct sample *sample,
			int64_t *times)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct arena *arena = arena_create();
		struct engine_run run;
		engine_run_begin(e, &run, arena, true);
		struct pass p = {
			.engine = e, .run = &run, .channel = CHANNEL_FULL, .segments = sample->lines, .count = sample->count,
		};
		for (size_t i = 0; i < c->direct_count; i++) {
			int64_t start = clock_us();
			engine_try_all(&p, c->direct[i]);
			int64_t spent = clock_us() - start;
			if (round == 0 || spent < times[i])
				times[i] = spent;
		}
		engine_run_end(e, &run);
		arena_destroy(&arena);
	}
}

static bool ignore_match(void *context, uint32_t id, size_t end)
{
	(void)context;
	(void)id;
	(void)end;
	return true;
}

static int64_t time_image(const struct prefilter *prefilter, struct slice text)
{
	struct prefilter_scratch *scratch = prefilter_scratch_create(&prefilter, 1);
	int64_t best = INT64_MAX;
	for (unsigned round = 0; round < ROUNDS; round++) {
		int64_t start = clock_us();
		prefilter_scan(prefilter, scratch, text, ignore_match, NULL);
		int64_t spent = clock_us() - start;
		best = spent < best ? spent : best;
	}
	prefilter_scratch_free(&scratch);
	return best;
}

struct timed {
	int64_t time;
	size_t at;
};

static int slowest_first(const void *a, const void *b)
{
	const struct timed *x = a, *y = b;
	if (x->time != y->time)
		return x->time > y->time ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* The slowest, until they make up the share of the whole that is wanted. */
static void want_slowest(const int64_t *times, size_t count, bool *wanted)
{
	struct timed *list = xcalloc(count, sizeof(*list));
	int64_t total = 0, sum = 0;
	for (size_t i = 0; i < count; i++) {
		list[i] = (struct timed){ times[i], i };
		total += times[i];
	}
	qsort(list, count, sizeof(*list), slowest_first);
	for (size_t i = 0; i < count && (double)sum < SHARE_WANTED * (double)total; i++) {
		wanted[list[i].at] = true;
		sum += list[i].time;
	}
	free(list);
}

static struct prefilter_entry *list_patterns(struct rule_engine *e, const struct channel_index *c)
{
	struct prefilter_entry *list = arena_array(e->arena, struct prefilter_entry, c->direct_count);
	for (size_t i = 0; i < c->direct_count; i++) {
		const struct pattern *pattern = &e->entries[c->direct[i]].rule->pattern;
		struct slice source = pattern->loose.len > 0 ? pattern->loose : pattern->source;
		source = pattern_loosen(e->arena, regex_translate(e->arena, source, pattern->flags));
		list[i] = (struct prefilter_entry){ source, pattern->flags, (uint32_t)i };
	}
	return list;
}

/* Compiles and measures; NULL: PCRE2 is the faster way. taken says of which. */
static struct prefilter *compile_channel(struct rule_engine *e, const struct channel_index *c,
					 const struct prefilter_entry *list, const struct sample *sample, bool *taken)
{
	int64_t *times = xcalloc(c->direct_count, sizeof(*times)), direct = 0;
	const char *error = NULL;
	time_direct(e, c, sample, times);
	want_slowest(times, c->direct_count, taken);
	struct prefilter *prefilter = prefilter_patterns(e->arena, list, c->direct_count, taken, &error);
	for (size_t i = 0; i < c->direct_count; i++)
		direct += taken[i] ? times[i] : 0;
	free(times);
	return prefilter != NULL && time_image(prefilter, sample->text) < direct ? prefilter : NULL;
}

/* True: an image was made that was not kept before. */
static bool improve_channel(struct rule_engine *e, enum channel channel, const struct sample *sample, bool compile)
{
	struct channel_index *c = &e->channels[channel];
	if (c->direct_count < 2 || e->options.plain)
		return false;
	const struct prefilter_entry *list = list_patterns(e, c);
	struct patterns_image *image = arena_new(e->arena, struct patterns_image);
	image->taken = arena_array(e->arena, bool, c->direct_count);
	bool known = prefilter_recall(e->arena, e->cache_dir, list, c->direct_count, image->taken, &image->prefilter);
	if (!known && compile) {
		image->prefilter = compile_channel(e, c, list, sample, image->taken);
		prefilter_keep(e->cache_dir, list, c->direct_count, image->taken, image->prefilter);
	}
	if (image->prefilter != NULL)
		atomic_store(&c->image, image);
	return !known && image->prefilter != NULL;
}

bool rule_engine_improve(struct rule_engine *e, bool compile)
{
	struct sample sample = make_sample();
	bool made = false;
	for (unsigned c = 0; c < CHANNELS; c++)
		made = improve_channel(e, (enum channel)c, &sample, compile) || made;
	free(sample.lines);
	return made;
}
