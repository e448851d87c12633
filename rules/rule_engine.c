#include "rules/rule_engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "rules/pattern_literals.h"
#include "rules/pattern_loosen.h"
#include "rules/prefilter.h"
#include "rules/rule_engine_sample.h"

/* Strings of less information than this wake a rule too often to help: one of
 * many short words. */
#define QUALITY_MIN 5.5
#define BUDGET_DEFAULT_US 50000
#define POOL_MAX 64u
#define EVIDENCE_MAX 120u
#define TEMPLATES_MAX 64u

enum way { WAY_NONE, WAY_STRING, WAY_DIRECT, WAY_VECTORSCAN, WAY_TEMPLATE };

/* A rule as the engine sees it. */
struct entry {
	const struct rule *rule;
	const struct regex *regex;
	uint32_t tag;
	enum way way;
	struct literals *literals;
	atomic_uint_fast64_t slow;
};

/* Which entries a string wakes. */
struct waking {
	uint32_t *entries;
	uint32_t count, cap;
};

/* The image that rule_engine_improve() makes. */
struct patterns_image {
	struct prefilter *prefilter;
	bool *taken;               /* by position in channel->direct */
};

struct channel_index {
	struct header_selector *selectors;
	size_t selector_count, selector_cap;
	uint32_t *direct;          /* entries tried on every piece */
	size_t direct_count, direct_cap;
	uint32_t *templates;
	size_t template_count, template_cap;
	struct prefilter *strings;
	struct waking *wakings;    /* by string id */
	size_t string_count;
	size_t entry_count;
	_Atomic(struct patterns_image *) image;
};

struct rule_engine {
	struct arena *arena;
	struct rule_table *table;
	struct engine_options options;
	char *cache_dir;
	struct entry *entries;     /* by engine_id - 1 */
	size_t count;
	struct channel_index channels[CHANNELS];
	const char *prefilter_off;
	pthread_mutex_t lock;
	struct engine_scratch *pool;
	size_t pool_count;
};

struct engine_scratch {
	struct engine_scratch *next;
	struct regex_scratch *regex;
	struct prefilter_scratch *prefilter;
	struct patterns_image *images[CHANNELS]; /* that the scratch is large enough for */
	uint32_t *last;            /* by entry: 1 + the segment it was last tried on */
	bool *many;                /* by entry: already queued, for `multiple` */
	struct buf joined;
	size_t *ends;              /* of segments in the joined text */
	size_t ends_cap;
	uint64_t *queue;           /* entry << 32 | segment, of `multiple` rules */
	size_t queue_count, queue_cap;
};

static const char *const channel_names[CHANNELS] = {
	[CHANNEL_HEADER] = "header", [CHANNEL_BODY] = "body", [CHANNEL_RAWBODY] = "rawbody",
	[CHANNEL_FULL] = "full", [CHANNEL_URI] = "uri", [CHANNEL_MIMEHEADER] = "mimeheader",
	[CHANNEL_SKELETON] = "skeleton",
};

const char *channel_name(enum channel channel)
{
	return channel_names[channel];
}

static enum channel channel_of(enum rule_type type)
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

static int64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
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

static void find_literals(struct rule_engine *e, struct entry *entry, struct arena *scratch)
{
	struct literals *found = arena_new(scratch, struct literals);
	if (!pattern_literals(scratch, &entry->rule->pattern, found) || found->quality < QUALITY_MIN)
		return;
	entry->literals = arena_new(e->arena, struct literals);
	*entry->literals = *found;
	entry->literals->list = arena_array(e->arena, struct slice, found->count);
	for (size_t i = 0; i < found->count; i++)
		entry->literals->list[i] = arena_copy(e->arena, found->list[i]);
	entry->way = WAY_STRING;
}

static void add_entry(struct rule_engine *e, struct rule *rule, struct arena *scratch)
{
	struct channel_index *c = &e->channels[channel_of(rule->type)];
	struct entry *entry = &e->entries[e->count];
	const char *error = NULL;
	entry->rule = rule;
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
	}
	e->count++;
	c->entry_count++;
	rule->engine_id = (uint32_t)e->count;
}

/* Strings of a channel, each once, with the rules that it wakes. */
static void index_strings(struct rule_engine *e, enum channel channel)
{
	struct channel_index *c = &e->channels[channel];
	struct name_map ids = { .count = 0 };
	struct prefilter_entry *list;
	size_t total = 0, n = 0;
	for (size_t i = 0; i < e->count; i++)
		if (e->entries[i].way == WAY_STRING && channel_of(e->entries[i].rule->type) == channel)
			total += e->entries[i].literals->count;
	if (total == 0)
		return;
	list = xcalloc(total, sizeof(*list));
	c->wakings = arena_array(e->arena, struct waking, total);
	for (size_t i = 0; i < e->count; i++) {
		struct entry *entry = &e->entries[i];
		if (entry->way != WAY_STRING || channel_of(entry->rule->type) != channel)
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
		if (channel_of(entry->rule->type) != channel)
			continue;
		if (entry->way == WAY_STRING && c->strings == NULL)
			entry->way = WAY_DIRECT;
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
	free(s->last);
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
		s->images[c] = atomic_load((_Atomic(struct patterns_image *) *)&index->image);
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
		if (s->images[c] != atomic_load((_Atomic(struct patterns_image *) *)&e->channels[c].image))
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
		s->last = xcalloc(e->count, sizeof(*s->last));
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

void engine_run_begin(const struct rule_engine *e, struct engine_run *run, struct arena *arena)
{
	*run = (struct engine_run){ .arena = arena };
	run->hits = arena_array(arena, struct engine_hit, e->table->count + 1);
	run->scratch = take_scratch(e);
}

void engine_run_end(const struct rule_engine *e, struct engine_run *run)
{
	if (run->scratch != NULL)
		give_scratch(e, run->scratch);
	run->scratch = NULL;
}

/* ---- matching ---- */

struct pass {
	const struct rule_engine *engine;
	struct engine_run *run;
	enum channel channel;
	const struct segment *segments;
	size_t count;
	size_t at;                 /* segment of the last offset asked for */
	const uint32_t *ids;       /* of the second pass: position → entry */
};

static void note_captures(struct engine_run *run, const struct regex *regex, struct slice text)
{
	struct slice name;
	for (size_t n = 0; (name = regex_group_name(regex, n)).len > 0; n++) {
		struct slice value = regex_group(regex, run->scratch->regex, text, name);
		if (value.len == 0)
			continue;
		if (run->capture_count == run->capture_cap) {
			size_t cap = run->capture_cap ? run->capture_cap * 2 : 8;
			struct engine_capture *list = arena_array(run->arena, struct engine_capture, cap);
			if (run->capture_count > 0)
				memcpy(list, run->captures, run->capture_count * sizeof(*list));
			run->captures = list;
			run->capture_cap = cap;
		}
		run->captures[run->capture_count++] =
			(struct engine_capture){ name, arena_copy(run->arena, value) };
	}
}

static void note_hit(struct engine_run *run, const struct entry *entry, const struct regex *regex,
		     struct slice text, const struct regex_match *match)
{
	struct engine_hit *hit = &run->hits[entry->rule->index];
	if (hit->count++ == 0) {
		struct slice found = slice_sub(text, match->start, match->end - match->start);
		hit->evidence = arena_copy(run->arena, slice_head(found, EVIDENCE_MAX));
	}
	note_captures(run, regex, text);
}

static bool enough(const struct engine_hit *hit, const struct rule *rule)
{
	if (hit->over_budget)
		return true;
	if (!(rule->tflags & TFLAG_MULTIPLE))
		return hit->count > 0;
	return rule->maxhits > 0 && hit->count >= rule->maxhits;
}

/* An empty match moves on by one, as //g does. */
static void match_text(struct engine_run *run, const struct entry *entry, const struct regex *regex,
		       struct slice text)
{
	struct engine_hit *hit = &run->hits[entry->rule->index];
	struct regex_match match;
	for (size_t from = 0; from <= text.len && !enough(hit, entry->rule);) {
		run->tried++;
		enum regex_result result = regex_match(regex, run->scratch->regex, text, from, &match);
		if (result == REGEX_LIMIT)
			hit->over_budget = true;
		if (result != REGEX_YES)
			return;
		note_hit(run, entry, regex, text, &match);
		from = match.end > from ? match.end : from + 1;
	}
}

static void spend(struct pass *p, struct entry *entry, bool was_over, int64_t us)
{
	struct engine_hit *hit = &p->run->hits[entry->rule->index];
	hit->spent_us += us;
	if (hit->spent_us > p->engine->options.rule_budget_us)
		hit->over_budget = true;
	if (hit->over_budget && !was_over)
		atomic_fetch_add(&entry->slow, 1);
}

static bool applies(const struct entry *entry, enum channel channel, const struct segment *segment, size_t index)
{
	if (channel == CHANNEL_HEADER || channel == CHANNEL_MIMEHEADER)
		return entry->tag == segment->tag;
	return !(channel == CHANNEL_BODY && index == 0 && (entry->rule->tflags & TFLAG_NOSUBJECT));
}

/* A rule on one segment, timed if the text is long enough to matter. */
static void try_segment(struct pass *p, uint32_t id, size_t segment)
{
	struct entry *entry = (struct entry *)(uintptr_t)&p->engine->entries[id];
	struct engine_hit *hit = &p->run->hits[entry->rule->index];
	const struct segment *s = &p->segments[segment];
	if (entry->regex == NULL || enough(hit, entry->rule) || !applies(entry, p->channel, s, segment))
		return;
	bool was_over = hit->over_budget;
	int64_t start = now_us();
	match_text(p->run, entry, entry->regex, s->text);
	spend(p, entry, was_over, now_us() - start);
}

static void try_all(struct pass *p, uint32_t id)
{
	struct entry *entry = (struct entry *)(uintptr_t)&p->engine->entries[id];
	struct engine_hit *hit = &p->run->hits[entry->rule->index];
	bool was_over = hit->over_budget;
	int64_t start = now_us();
	for (size_t i = 0; i < p->count; i++) {
		if (enough(hit, entry->rule))
			break;
		if (entry->regex != NULL && applies(entry, p->channel, &p->segments[i], i))
			match_text(p->run, entry, entry->regex, p->segments[i].text);
		if (i % 16 == 15) {
			int64_t now = now_us();
			spend(p, entry, was_over, now - start);
			was_over = hit->over_budget;
			start = now;
		}
	}
	spend(p, entry, was_over, now_us() - start);
}

static void queue_add(struct engine_scratch *s, uint32_t id, size_t segment)
{
	if (s->queue_count == s->queue_cap) {
		s->queue_cap = s->queue_cap ? s->queue_cap * 2 : 256;
		s->queue = xrealloc(s->queue, s->queue_cap * sizeof(*s->queue));
	}
	s->queue[s->queue_count++] = (uint64_t)id << 32 | (uint32_t)segment;
}

static void wake(struct pass *p, uint32_t id, size_t segment)
{
	struct engine_scratch *s = p->run->scratch;
	const struct entry *entry = &p->engine->entries[id];
	if (s->last[id] == segment + 1 || !applies(entry, p->channel, &p->segments[segment], segment))
		return;
	s->last[id] = (uint32_t)segment + 1;
	p->run->woken++;
	/* Tried once on each piece and in order: matches are counted. */
	if (entry->rule->tflags & TFLAG_MULTIPLE)
		queue_add(s, id, segment);
	else
		try_segment(p, id, segment);
}

/* The segment that the byte before `end` lies in. */
static size_t segment_at(struct pass *p, size_t end)
{
	const size_t *ends = p->run->scratch->ends;
	size_t last = end > 0 ? end - 1 : 0;
	while (p->at > 0 && ends[p->at - 1] > last)
		p->at--;
	while (p->at + 1 < p->count && ends[p->at] <= last)
		p->at++;
	return p->at;
}

static bool on_string(void *context, uint32_t id, size_t end)
{
	struct pass *p = context;
	const struct waking *w = &p->engine->channels[p->channel].wakings[id];
	size_t segment = segment_at(p, end);
	for (uint32_t i = 0; i < w->count; i++)
		wake(p, w->entries[i], segment);
	return true;
}

static int compare_queue(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void run_queue(struct pass *p)
{
	struct engine_scratch *s = p->run->scratch;
	if (s->queue_count == 0)
		return;
	qsort(s->queue, s->queue_count, sizeof(*s->queue), compare_queue);
	for (size_t i = 0; i < s->queue_count; i++)
		if (i == 0 || s->queue[i] != s->queue[i - 1])
			try_segment(p, (uint32_t)(s->queue[i] >> 32), (uint32_t)s->queue[i]);
	s->queue_count = 0;
}

/* Pieces one behind the other, with a line end between where they have to be
 * put together; ends[i] is where piece i (and that line end) stops. */
static struct slice join_segments(struct pass *p, struct slice joined)
{
	struct engine_scratch *s = p->run->scratch;
	if (s->ends_cap < p->count) {
		s->ends_cap = p->count * 2;
		s->ends = xrealloc(s->ends, s->ends_cap * sizeof(*s->ends));
	}
	size_t at = 0;
	buf_clear(&s->joined);
	for (size_t i = 0; i < p->count; i++) {
		at += p->segments[i].text.len;
		if (joined.data == NULL) {
			buf_add_slice(&s->joined, p->segments[i].text);
			buf_add_char(&s->joined, '\n');
			at++;
		}
		s->ends[i] = at;
	}
	return joined.data != NULL ? joined : buf_slice(&s->joined);
}

/* vectorscan matches over the whole text, where a match may end in a later
 * piece than it begins in; so a rule that it names is tried on all pieces. */
static bool on_pattern(void *context, uint32_t id, size_t end)
{
	struct pass *p = context;
	uint32_t entry = p->ids[id];
	(void)end;
	if (!p->run->scratch->many[entry]) {
		p->run->scratch->many[entry] = true;
		try_all(p, entry);
	}
	return true;
}

static void run_direct(struct pass *p)
{
	const struct channel_index *c = &p->engine->channels[p->channel];
	struct patterns_image *image = p->run->scratch->images[p->channel];
	bool scanned = false;
	if (image != NULL) {
		/* Line ends between the pieces, whatever they end in: ^ and $ are
		 * looked for at line ends there. */
		struct slice text = join_segments(p, SLICE_EMPTY);
		for (size_t i = 0; i < c->direct_count; i++)
			p->run->scratch->many[c->direct[i]] = false;
		p->ids = c->direct;
		scanned = prefilter_scan(image->prefilter, p->run->scratch->prefilter, text, on_pattern, p);
	}
	for (size_t i = 0; i < c->direct_count; i++)
		if (!scanned || !image->taken[i])
			try_all(p, c->direct[i]);
}

void engine_run_channel(const struct rule_engine *e, struct engine_run *run, enum channel channel,
			const struct segment *segments, size_t count, struct slice joined)
{
	const struct channel_index *c = &e->channels[channel];
	struct pass p = { .engine = e, .run = run, .channel = channel, .segments = segments, .count = count };
	if (count == 0 || count >= UINT32_MAX || c->entry_count == 0)
		return;
	if (c->strings != NULL) {
		struct slice text = join_segments(&p, joined);
		memset(run->scratch->last, 0, e->count * sizeof(*run->scratch->last));
		prefilter_scan(c->strings, run->scratch->prefilter, text, on_string, &p);
		run_queue(&p);
	}
	run_direct(&p);
}

void engine_run_rule(const struct rule_engine *e, struct engine_run *run, const struct rule *rule,
		     const struct segment *segments, size_t count)
{
	if (rule->engine_id == 0)
		return;
	const struct entry *entry = &e->entries[rule->engine_id - 1];
	for (size_t i = 0; i < count && entry->regex != NULL; i++)
		match_text(run, entry, entry->regex, segments[i].text);
}

/* ---- templates: %{NAME} stands for what (?<NAME>…) of another rule matched ---- */

static void add_quoted(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < 0x80 && !ascii_is_alnum(text.data[i]) && text.data[i] != '_')
			buf_add_char(out, '\\');
		buf_add_char(out, text.data[i]);
	}
}

/* False: nothing captured under that name. */
static bool add_captures(const struct engine_run *run, struct buf *out, struct slice name)
{
	size_t n = 0;
	buf_add_str(out, "(?:");
	for (size_t i = 0; i < run->capture_count && n < TEMPLATES_MAX; i++) {
		if (!slice_eq(run->captures[i].name, name))
			continue;
		if (n++ > 0)
			buf_add_char(out, '|');
		add_quoted(out, run->captures[i].value);
	}
	buf_add_char(out, ')');
	return n > 0;
}

static bool fill_template(const struct engine_run *run, struct slice source, struct buf *out)
{
	for (;;) {
		size_t at = slice_find(source, SLICE("%{"));
		if (at == SLICE_NPOS)
			break;
		struct slice rest = slice_from(source, at + 2);
		size_t end = slice_chr(rest, '}');
		if (end == SLICE_NPOS || !rule_name_ok(slice_head(rest, end)))
			return false;
		buf_add_slice(out, slice_head(source, at));
		if (!add_captures(run, out, slice_head(rest, end)))
			return false;
		source = slice_from(rest, end + 1);
	}
	buf_add_slice(out, source);
	return true;
}

static void run_template(struct pass *p, uint32_t id)
{
	struct entry *entry = (struct entry *)(uintptr_t)&p->engine->entries[id];
	struct buf source = { 0 };
	if (fill_template(p->run, entry->rule->pattern.source, &source)) {
		struct arena *arena = arena_create();
		struct pattern pattern = entry->rule->pattern;
		const char *error;
		pattern.source = buf_slice(&source);
		struct regex *regex = regex_compile(arena, &pattern, &error);
		for (size_t i = 0; regex != NULL && i < p->count; i++)
			if (applies(entry, p->channel, &p->segments[i], i))
				match_text(p->run, entry, regex, p->segments[i].text);
		arena_destroy(&arena);
	}
	buf_free(&source);
}

void engine_run_templates(const struct rule_engine *e, struct engine_run *run, enum channel channel,
			  const struct segment *segments, size_t count)
{
	const struct channel_index *c = &e->channels[channel];
	struct pass p = { .engine = e, .run = run, .channel = channel, .segments = segments, .count = count };
	for (size_t i = 0; i < c->template_count && run->capture_count > 0; i++)
		run_template(&p, c->templates[i]);
}

/* ---- the better image ---- */

/* Time for a rule on the sample, by PCRE2. */
static int64_t time_direct(const struct rule_engine *e, struct engine_run *run, uint32_t id,
			   const struct segment *sample, size_t count)
{
	struct pass p = { .engine = e, .run = run, .channel = CHANNEL_FULL, .segments = sample, .count = count };
	int64_t start = now_us();
	try_all(&p, id);
	return now_us() - start;
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
	int64_t start = now_us();
	prefilter_scan(prefilter, scratch, text, ignore_match, NULL);
	int64_t spent = now_us() - start;
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

/* ---- telling ---- */

static bool by_image(const struct rule_engine *e, const struct entry *entry)
{
	const struct channel_index *c = &e->channels[channel_of(entry->rule->type)];
	const struct patterns_image *image = atomic_load((_Atomic(struct patterns_image *) *)&c->image);
	for (size_t i = 0; image != NULL && i < c->direct_count; i++)
		if (&e->entries[c->direct[i]] == entry)
			return image->taken[i];
	return false;
}

void rule_engine_stats(const struct rule_engine *e, struct engine_stats *stats_r)
{
	*stats_r = (struct engine_stats){ .patterns = e->count, .prefilter_off = e->prefilter_off };
	for (size_t i = 0; i < e->count; i++) {
		stats_r->with_strings += e->entries[i].way == WAY_STRING;
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

const char *rule_engine_way(const struct rule_engine *e, const struct rule *rule)
{
	if (rule->engine_id == 0)
		return "-";
	const struct entry *entry = &e->entries[rule->engine_id - 1];
	if (entry->way == WAY_STRING)
		return "string";
	if (entry->way != WAY_DIRECT)
		return "-";
	return by_image(e, entry) ? "vectorscan" : "pcre2";
}
