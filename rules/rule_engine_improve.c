/* The second pass: patterns without strings, compiled by vectorscan and put
 * in force if it is the faster way. */
#include "rules/rule_engine_private.h"

#include <stdlib.h>

#include "rules/pattern_loosen.h"
#include "rules/rule_engine_sample.h"

/* Time for a rule on the sample, by PCRE2. */
static int64_t time_direct(const struct rule_engine *e, struct engine_run *run, uint32_t id,
			   const struct segment *sample, size_t count)
{
	struct pass p = { .engine = e, .run = run, .channel = CHANNEL_FULL, .segments = sample, .count = count };
	int64_t start = clock_us();
	engine_try_all(&p, id);
	return clock_us() - start;
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
	int64_t start = clock_us();
	prefilter_scan(prefilter, scratch, text, ignore_match, NULL);
	int64_t spent = clock_us() - start;
	prefilter_scratch_free(&scratch);
	return spent;
}

static void improve_channel(struct rule_engine *e, enum channel channel, const struct segment *sample,
			    size_t count, struct slice text)
{
	struct channel_index *c = &e->channels[channel];
	const char *error = NULL;
	if (c->direct_count < 2 || e->options.plain)
		return;
	struct prefilter_entry *list = xcalloc(c->direct_count, sizeof(*list));
	for (size_t i = 0; i < c->direct_count; i++) {
		const struct pattern *pattern = &e->entries[c->direct[i]].rule->pattern;
		struct slice source = pattern->loose.len > 0 ? pattern->loose : pattern->source;
		source = pattern_loosen(e->arena, regex_translate(e->arena, source, pattern->flags));
		list[i] = (struct prefilter_entry){ source, pattern->flags, (uint32_t)i };
	}
	struct patterns_image *image = arena_new(e->arena, struct patterns_image);
	image->taken = arena_array(e->arena, bool, c->direct_count);
	image->prefilter = prefilter_patterns(e->arena, list, c->direct_count, e->cache_dir, image->taken, &error);
	free(list);
	if (image->prefilter == NULL)
		return;
	struct arena *arena = arena_create();
	struct engine_run run;
	int64_t direct = 0;
	engine_run_begin(e, &run, arena);
	for (size_t i = 0; i < c->direct_count; i++)
		if (image->taken[i])
			direct += time_direct(e, &run, c->direct[i], sample, count);
	engine_run_end(e, &run);
	arena_destroy(&arena);
	if (time_image(image->prefilter, text) < direct)
		atomic_store(&c->image, image);
}

void rule_engine_improve(struct rule_engine *e)
{
	struct slice text = rule_engine_sample();
	struct segment *sample = xcalloc(text.len / 64 + 1, sizeof(*sample));
	size_t count = 0;
	struct slice rest = text, line;
	while (rest.len > 0 && slice_split(&rest, '\n', &line) && count < text.len / 64)
		sample[count++].text = line;
	for (unsigned c = 0; c < CHANNELS; c++)
		improve_channel(e, (enum channel)c, sample, count, text);
	free(sample);
}
