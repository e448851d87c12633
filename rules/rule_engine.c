#include "rules/rule_engine.h"

#include <stdlib.h>

#include "rules/rule_engine_private.h"

/* Strings of less information than this wake a rule too often to help: one of
 * many short words. */
#define QUALITY_MIN 5.5
#define BUDGET_DEFAULT_US 50000
#define POOL_MAX 64u

enum channel engine_channel_of(enum rule_type type)
{
	switch (type) {
	case RULE_HEADER: return CHANNEL_HEADER;
	case RULE_BODY: return CHANNEL_BODY;
	case RULE_RAWBODY: return CHANNEL_RAWBODY;
	case RULE_FULL: return CHANNEL_FULL;
	case RULE_URI: return CHANNEL_URI;
	case RULE_MIMEHEADER: return CHANNEL_MIMEHEADER;
	default: return CHANNEL_SKELETON;
	}
}

/* ---- making it ---- */

static void list_add(struct arena *arena, uint32_t **list, size_t *count, size_t *cap, uint32_t value)
{
	if (*count == *cap) {
		size_t bigger = *cap ? *cap * 2 : 8;
		uint32_t *grown = arena_array(arena, uint32_t, bigger);
		if (*count > 0)
			memcpy(grown, *list, *count * sizeof(*grown));
		*list = grown;
		*cap = bigger;
	}
	(*list)[(*count)++] = value;
}

static uint32_t selector_index(struct rule_engine *e, struct channel_index *c, const struct header_selector *s)
{
	for (size_t i = 0; i < c->selector_count; i++)
		if (c->selectors[i].parts == s->parts && slice_eq(c->selectors[i].name, s->name))
			return (uint32_t)i;
	if (c->selector_count == c->selector_cap) {
		size_t cap = c->selector_cap ? c->selector_cap * 2 : 16;
		struct header_selector *list = arena_array(e->arena, struct header_selector, cap);
		if (c->selector_count > 0)
			memcpy(list, c->selectors, c->selector_count * sizeof(*list));
		c->selectors = list;
		c->selector_cap = cap;
	}
	c->selectors[c->selector_count] = *s;
	return (uint32_t)c->selector_count++;
}

/* "%{NAME}" outside of a quantifier. */
static bool is_template(struct slice source)
{
	size_t at = slice_find(source, SLICE("%{"));
	return at != SLICE_NPOS && at + 2 < source.len && ascii_is_alpha(source.data[at + 2]);
}

/* The names that templates ask for: what else has a name is nobody's business. */
static void note_template_names(struct rule_engine *e, struct slice source)
{
	size_t at;
	while ((at = slice_find(source, SLICE("%{"))) != SLICE_NPOS) {
		source = slice_from(source, at + 2);
		size_t end = slice_chr(source, '}');
		if (end != SLICE_NPOS && rule_name_ok(slice_head(source, end)))
			name_map_put(&e->captured, e->arena, slice_head(source, end), 1);
	}
}

static bool captures(const struct rule_engine *e, const struct regex *regex)
{
	struct slice name;
	for (size_t n = 0; (name = regex_group_name(regex, n)).len > 0; n++)
		if (name_map_has(&e->captured, name))
			return true;
	return false;
}

static enum way literals_way(const struct pattern *pattern, struct arena *scratch, struct literals *found)
{
	if (pattern_literals(scratch, pattern, found) && found->quality >= QUALITY_MIN)
		return WAY_STRING;
	if (pattern_literals_ascii(scratch, pattern, found) && (found->count == 0 || found->quality >= QUALITY_MIN))
		return WAY_ASCII;
	return WAY_DIRECT;
}

static void find_literals(struct rule_engine *e, struct entry *entry, struct arena *scratch)
{
	struct literals *found = arena_new(scratch, struct literals);
	entry->way = literals_way(&entry->rule->pattern, scratch, found);
	if (entry->way == WAY_DIRECT)
		return;
	entry->literals = arena_new(e->arena, struct literals);
	*entry->literals = *found;
	entry->literals->list = arena_array(e->arena, struct slice, found->count);
	for (size_t i = 0; i < found->count; i++)
		entry->literals->list[i] = arena_copy(e->arena, found->list[i]);
}

static void add_entry(struct rule_engine *e, struct rule *rule, struct arena *scratch)
{
	struct channel_index *c = &e->channels[engine_channel_of(rule->type)];
	struct entry *entry = &e->entries[e->count];
	const char *error = NULL;
	entry->rule = rule;
	entry->index = rule->index;
	entry->way = WAY_DIRECT;
	if (rule->type == RULE_HEADER || rule->type == RULE_MIMEHEADER)
		entry->tag = selector_index(e, c, &rule->header);
	if (rule->exists) {
		entry->way = WAY_NONE; /* whoever finds the header says so */
	} else if (is_template(rule->pattern.source)) {
		entry->way = WAY_TEMPLATE;
	} else {
		entry->regex = rule->regex = regex_compile(e->arena, &rule->pattern, &error);
		if (rule->regex == NULL) {
			rule_downgrade(rule, RULE_UNSUPPORTED, error);
			return;
		}
		if (!e->options.plain)
			find_literals(e, entry, scratch);
		entry->captures = captures(e, rule->regex);
		entry->may_wait = rule_is_hidden(rule) && !entry->captures;
	}
	e->count++;
	c->entry_count++;
	rule->engine_id = (uint32_t)e->count;
}

static bool by_strings(const struct entry *entry)
{
	return entry->way == WAY_STRING || entry->way == WAY_ASCII;
}

/* Strings of a channel, each once, with the rules that it wakes. */
static void index_strings(struct rule_engine *e, enum channel channel)
{
	struct channel_index *c = &e->channels[channel];
	struct name_map ids = { .count = 0 };
	struct prefilter_entry *list;
	size_t total = 0, n = 0;
	for (size_t i = 0; i < e->count; i++)
		if (by_strings(&e->entries[i]) && engine_channel_of(e->entries[i].rule->type) == channel)
			total += e->entries[i].literals->count;
	if (total == 0)
		return;
	list = xcalloc(total, sizeof(*list));
	c->wakings = arena_array(e->arena, struct waking, total);
	for (size_t i = 0; i < e->count; i++) {
		struct entry *entry = &e->entries[i];
		if (!by_strings(entry) || engine_channel_of(entry->rule->type) != channel)
			continue;
		for (size_t k = 0; k < entry->literals->count; k++) {
			struct slice text = entry->literals->list[k];
			uint32_t id = name_map_get(&ids, text);
			if (id == NAME_MAP_NONE) {
				id = (uint32_t)n;
				list[n++] = (struct prefilter_entry){ .text = text, .id = id };
				name_map_put(&ids, e->arena, text, id);
			}
			size_t count = c->wakings[id].count, cap = c->wakings[id].cap;
			list_add(e->arena, &c->wakings[id].entries, &count, &cap, (uint32_t)i);
			c->wakings[id].count = (uint32_t)count;
			c->wakings[id].cap = (uint32_t)cap;
			c->wakings[id].length = (uint32_t)text.len;
		}
	}
	c->string_count = n;
	c->strings = prefilter_strings(e->arena, list, n, e->cache_dir, &e->prefilter_off);
	free(list);
}

static void index_rest(struct rule_engine *e, enum channel channel)
{
	struct channel_index *c = &e->channels[channel];
	for (size_t i = 0; i < e->count; i++) {
		struct entry *entry = &e->entries[i];
		if (engine_channel_of(entry->rule->type) != channel)
			continue;
		if (by_strings(entry) && entry->literals->count > 0 && c->strings == NULL)
			entry->way = WAY_DIRECT;
		if (entry->way == WAY_ASCII)
			list_add(e->arena, &c->high, &c->high_count, &c->high_cap, (uint32_t)i);
		if (entry->way == WAY_DIRECT)
			list_add(e->arena, &c->direct, &c->direct_count, &c->direct_cap, (uint32_t)i);
		if (entry->way == WAY_TEMPLATE)
			list_add(e->arena, &c->templates, &c->template_count, &c->template_cap, (uint32_t)i);
	}
}

static void free_scratch(struct engine_scratch *s)
{
	regex_scratch_free(&s->regex);
	prefilter_scratch_free(&s->prefilter);
	buf_free(&s->joined);
	free(s->awake);
	free(s->many);
	free(s->ends);
	free(s->queue);
	free(s);
}

static void destroy(void *arg)
{
	struct rule_engine *e = arg;
	while (e->pool != NULL) {
		struct engine_scratch *s = e->pool;
		e->pool = s->next;
		free_scratch(s);
	}
	pthread_mutex_destroy(&e->lock);
}

static bool wants_pattern(const struct rule *rule)
{
	return rule->wanted && rule->status != RULE_UNSUPPORTED && rule_type_is_pattern(rule->type) &&
	       (rule->pattern.set || rule->exists);
}

struct rule_engine *rule_engine_create(struct rule_table *table, const struct engine_options *options)
{
	struct rule_engine *e = arena_new(table->arena, struct rule_engine);
	struct arena *scratch = arena_create();
	e->arena = table->arena;
	e->table = table;
	e->options = *options;
	if (options->cache_dir != NULL && options->cache_dir[0] != '\0')
		e->cache_dir = arena_str(table->arena, slice_str(options->cache_dir));
	if (e->options.rule_budget_us <= 0)
		e->options.rule_budget_us = BUDGET_DEFAULT_US;
	if (!prefilter_available()) {
		e->options.plain = true;
		e->prefilter_off = "this processor lacks what vectorscan needs";
	}
	pthread_mutex_init(&e->lock, NULL);
	e->entries = arena_array(table->arena, struct entry, table->count);
	for (size_t i = 0; i < table->count; i++)
		if (wants_pattern(table->list[i]))
			note_template_names(e, table->list[i]->pattern.source);
	for (size_t i = 0; i < table->count; i++)
		if (wants_pattern(table->list[i])) {
			add_entry(e, table->list[i], scratch);
			arena_reset(scratch);
		}
	arena_destroy(&scratch);
	for (unsigned c = 0; c < CHANNELS; c++) {
		index_strings(e, (enum channel)c);
		index_rest(e, (enum channel)c);
	}
	arena_on_reset(table->arena, destroy, e);
	return e;
}

const struct header_selector *rule_engine_selectors(const struct rule_engine *e, enum channel channel,
						    size_t *count_r)
{
	*count_r = e->channels[channel].selector_count;
	return e->channels[channel].selectors;
}

uint32_t rule_engine_tag(const struct rule_engine *e, const struct rule *rule)
{
	return e->entries[rule->engine_id - 1].tag;
}

enum channel rule_engine_channel(const struct rule *rule)
{
	return engine_channel_of(rule->type);
}

/* Those with strings are tried on few pieces. */
double rule_engine_cost(const struct rule_engine *e, const struct rule *rule)
{
	const struct entry *entry = &e->entries[rule->engine_id - 1];
	double once = entry->regex != NULL ? 300 + (double)regex_size(entry->regex) / 4 : 0;
	return entry->way == WAY_DIRECT || entry->way == WAY_TEMPLATE ? once * 10 : once;
}

bool rule_engine_uses(const struct rule_engine *e, enum channel channel)
{
	return e->channels[channel].entry_count > 0;
}

/* ---- scratch ---- */

static void scratch_prefilters(const struct rule_engine *e, struct engine_scratch *s)
{
	const struct prefilter *list[2 * CHANNELS];
	size_t n = 0;
	for (unsigned c = 0; c < CHANNELS; c++) {
		const struct channel_index *index = &e->channels[c];
		s->images[c] = engine_image(index);
		if (index->strings != NULL)
			list[n++] = index->strings;
		if (s->images[c] != NULL)
			list[n++] = s->images[c]->prefilter;
	}
	prefilter_scratch_free(&s->prefilter);
	s->prefilter = prefilter_scratch_create(list, n);
}

static bool images_changed(const struct rule_engine *e, const struct engine_scratch *s)
{
	for (unsigned c = 0; c < CHANNELS; c++)
		if (s->images[c] != engine_image(&e->channels[c]))
			return true;
	return false;
}

static struct engine_scratch *take_scratch(const struct rule_engine *engine)
{
	struct rule_engine *e = (struct rule_engine *)(uintptr_t)engine; /* the pool is under its lock */
	pthread_mutex_lock(&e->lock);
	struct engine_scratch *s = e->pool;
	if (s != NULL) {
		e->pool = s->next;
		e->pool_count--;
	}
	pthread_mutex_unlock(&e->lock);
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->regex = regex_scratch_create();
		s->awake = xcalloc(e->count, sizeof(*s->awake));
		s->many = xcalloc(e->count, sizeof(*s->many));
		scratch_prefilters(e, s);
	} else if (images_changed(e, s)) {
		scratch_prefilters(e, s);
	}
	return s;
}

static void give_scratch(const struct rule_engine *engine, struct engine_scratch *s)
{
	struct rule_engine *e = (struct rule_engine *)(uintptr_t)engine;
	pthread_mutex_lock(&e->lock);
	bool keep = e->pool_count < POOL_MAX;
	if (keep) {
		s->next = e->pool;
		e->pool = s;
		e->pool_count++;
	}
	pthread_mutex_unlock(&e->lock);
	if (!keep)
		free_scratch(s);
}

void engine_run_begin(const struct rule_engine *e, struct engine_run *run, struct arena *arena, bool all)
{
	*run = (struct engine_run){ .arena = arena, .all = all };
	run->hits = arena_array(arena, struct engine_hit, e->table->count + 1);
	run->scratch = take_scratch(e);
	engine_pending_begin(e, run);
}

void engine_run_resume(const struct rule_engine *e, struct engine_run *run)
{
	if (run->scratch == NULL)
		run->scratch = take_scratch(e);
}

void engine_run_end(const struct rule_engine *e, struct engine_run *run)
{
	if (run->scratch != NULL)
		give_scratch(e, run->scratch);
	run->scratch = NULL;
}

struct regex_scratch *engine_run_regex(const struct engine_run *run)
{
	return run->scratch != NULL ? run->scratch->regex : NULL;
}

/* ---- telling ---- */

static bool by_image(const struct rule_engine *e, const struct entry *entry)
{
	const struct channel_index *c = &e->channels[engine_channel_of(entry->rule->type)];
	const struct patterns_image *image = engine_image(c);
	for (size_t i = 0; image != NULL && i < c->direct_count; i++)
		if (&e->entries[c->direct[i]] == entry)
			return image->taken[i];
	return false;
}

void rule_engine_stats(const struct rule_engine *e, struct engine_stats *stats_r)
{
	*stats_r = (struct engine_stats){ .patterns = e->count, .prefilter_off = e->prefilter_off };
	for (size_t i = 0; i < e->count; i++) {
		stats_r->with_strings += by_strings(&e->entries[i]);
		if (e->entries[i].way != WAY_DIRECT)
			continue;
		if (by_image(e, &e->entries[i]))
			stats_r->by_vectorscan++;
		else
			stats_r->direct++;
	}
	for (unsigned c = 0; c < CHANNELS; c++)
		stats_r->strings += e->channels[c].string_count;
}

uint64_t rule_engine_slow_count(const struct rule_engine *e, const struct rule *rule)
{
	if (rule->engine_id == 0)
		return 0;
	return atomic_load((atomic_uint_fast64_t *)(uintptr_t)&e->entries[rule->engine_id - 1].slow);
}

uint64_t rule_engine_spent_us(const struct rule_engine *e, const struct rule *rule)
{
	if (rule->engine_id == 0)
		return 0;
	return atomic_load((atomic_uint_fast64_t *)(uintptr_t)&e->entries[rule->engine_id - 1].spent_us);
}

const char *rule_engine_way(const struct rule_engine *e, const struct rule *rule)
{
	if (rule->engine_id == 0)
		return "-";
	const struct entry *entry = &e->entries[rule->engine_id - 1];
	if (by_strings(entry))
		return "string";
	if (entry->way != WAY_DIRECT)
		return "-";
	return by_image(e, entry) ? "vectorscan" : "pcre2";
}
