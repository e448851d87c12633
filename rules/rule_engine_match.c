/* The engine over texts: strings wake rules, PCRE2 confirms. */
#include "rules/rule_engine_private.h"

#include <stdlib.h>

#define EVIDENCE_MAX 120u

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

static void note_found(struct engine_run *run, uint32_t rule)
{
	if (run->found_count == run->found_cap) {
		size_t cap = run->found_cap ? run->found_cap * 2 : 64;
		uint32_t *list = arena_array(run->arena, uint32_t, cap);
		if (run->found_count > 0)
			memcpy(list, run->found, run->found_count * sizeof(*list));
		run->found = list;
		run->found_cap = cap;
	}
	run->found[run->found_count++] = rule;
}

static void note_hit(struct engine_run *run, const struct entry *entry, const struct regex *regex,
		     struct slice text, const struct regex_match *match)
{
	struct engine_hit *hit = &run->hits[entry->rule->index];
	if (hit->count++ == 0) {
		note_found(run, entry->rule->index);
		struct slice found = slice_sub(text, match->start, match->end - match->start);
		hit->evidence = arena_copy(run->arena, slice_head(found, EVIDENCE_MAX));
	}
	if (entry->captures)
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
void engine_match_text(struct engine_run *run, const struct entry *entry, const struct regex *regex,
		       struct slice text)
{
	struct engine_hit *hit = &run->hits[entry->rule->index];
	struct regex_match match;
	for (size_t from = 0; from <= text.len && !enough(hit, entry->rule);) {
		run->tried++;
		enum regex_result result = regex_match(regex, run->scratch->regex, text, from, &match);
		if (result == REGEX_LIMIT)
			hit->over_budget = run->cut_off = true;
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
	if (us > 0)
		atomic_fetch_add_explicit(&entry->spent_us, (uint64_t)us, memory_order_relaxed);
	if (hit->spent_us > p->engine->options.rule_budget_us)
		hit->over_budget = p->run->cut_off = true;
	if (hit->over_budget && !was_over)
		atomic_fetch_add(&entry->slow, 1);
}

bool engine_entry_applies(const struct entry *entry, enum channel channel, const struct segment *segment, size_t index)
{
	if (channel == CHANNEL_HEADER || channel == CHANNEL_MIMEHEADER)
		return entry->tag == segment->tag;
	return !(channel == CHANNEL_BODY && index == 0 && (entry->rule->tflags & TFLAG_NOSUBJECT));
}

/* A rule on one segment, timed if the text is long enough to matter. */
void engine_try_segment(struct pass *p, uint32_t id, size_t segment)
{
	struct entry *entry = (struct entry *)(uintptr_t)&p->engine->entries[id];
	struct engine_hit *hit = &p->run->hits[entry->rule->index];
	const struct segment *s = &p->segments[segment];
	if (entry->regex == NULL || enough(hit, entry->rule) || !engine_entry_applies(entry, p->channel, s, segment))
		return;
	bool was_over = hit->over_budget;
	int64_t start = clock_us();
	engine_match_text(p->run, entry, entry->regex, s->text);
	spend(p, entry, was_over, clock_us() - start);
}

void engine_try_all(struct pass *p, uint32_t id)
{
	struct entry *entry = (struct entry *)(uintptr_t)&p->engine->entries[id];
	struct engine_hit *hit = &p->run->hits[entry->rule->index];
	bool was_over = hit->over_budget;
	int64_t start = clock_us();
	for (size_t i = 0; i < p->count; i++) {
		if (enough(hit, entry->rule))
			break;
		if (entry->regex != NULL && engine_entry_applies(entry, p->channel, &p->segments[i], i))
			engine_match_text(p->run, entry, entry->regex, p->segments[i].text);
		if (i % 16 == 15) {
			int64_t now = clock_us();
			spend(p, entry, was_over, now - start);
			was_over = hit->over_budget;
			start = now;
		}
	}
	spend(p, entry, was_over, clock_us() - start);
}

static void queue_add(struct engine_scratch *s, uint32_t id, size_t segment)
{
	if (s->queue_count == s->queue_cap) {
		s->queue_cap = s->queue_cap ? s->queue_cap * 2 : 256;
		s->queue = xrealloc(s->queue, s->queue_cap * sizeof(*s->queue));
	}
	s->queue[s->queue_count++] = (uint64_t)id << 32 | (uint32_t)segment;
}

/* Strings found in a piece so far, none over another. */
static uint32_t count_string(struct awake *a, uint64_t piece, size_t start, size_t end)
{
	if (a->piece != piece) {
		a->piece = piece;
		a->count = 0;
		a->end = 0;
	}
	if (a->count == 0 || start >= a->end || end < a->end) {
		a->count++;
		a->end = end;
	}
	return a->count;
}

static void wake(struct pass *p, uint32_t id, size_t segment, size_t start, size_t end)
{
	struct engine_scratch *s = p->run->scratch;
	const struct entry *entry = &p->engine->entries[id];
	struct awake *a = &s->awake[id];
	uint64_t piece = p->first + segment;
	if (a->tried == piece || !engine_entry_applies(entry, p->channel, &p->segments[segment], segment) ||
	    (entry->way == WAY_ASCII && p->high[segment]))
		return;
	if (entry->literals->times > 1 && count_string(a, piece, start, end) < entry->literals->times)
		return;
	a->tried = piece;
	p->run->woken++;
	/* Tried once on each piece and in order: matches are counted. */
	if (engine_entry_waits(entry, p->run))
		engine_pending_add(p->run, id, segment);
	else if (entry->rule->tflags & TFLAG_MULTIPLE)
		queue_add(s, id, segment);
	else
		engine_try_segment(p, id, segment);
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
		wake(p, w->entries[i], segment, end - w->length, end);
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
			engine_try_segment(p, (uint32_t)(s->queue[i] >> 32), (uint32_t)s->queue[i]);
	s->queue_count = 0;
}

static bool is_ascii(struct slice s)
{
	uint64_t word, bits = 0;
	size_t i = 0;
	for (; i + sizeof(word) <= s.len; i += sizeof(word)) {
		memcpy(&word, s.data + i, sizeof(word));
		bits |= word;
	}
	for (; i < s.len; i++)
		bits |= (unsigned char)s.data[i];
	return (bits & 0x8080808080808080u) == 0;
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
	if (p->run->scratch->many[entry])
		return true;
	p->run->scratch->many[entry] = true;
	if (!engine_entry_waits(&p->engine->entries[entry], p->run))
		engine_try_all(p, entry);
	return true;
}

static void run_high(struct pass *p)
{
	const struct channel_index *c = &p->engine->channels[p->channel];
	for (size_t i = 0; i < p->count; i++)
		for (size_t k = 0; p->high[i] && k < c->high_count; k++)
			if (!engine_entry_waits(&p->engine->entries[c->high[k]], p->run))
				engine_try_segment(p, c->high[k], i);
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
	for (size_t i = 0; i < c->direct_count; i++) {
		uint32_t id = c->direct[i];
		bool seen = scanned && image->taken[i];
		if (!engine_entry_waits(&p->engine->entries[id], p->run)) {
			if (!seen)
				engine_try_all(p, id);
		} else if (seen && !p->run->scratch->many[id]) {
			p->run->pending->ruled_out[id] = true;
		}
	}
}

/* Keeps the pieces for rules that wait; says which aren't ASCII alone. */
static void keep_pieces(struct pass *p)
{
	struct engine_pieces *kept = &p->run->pieces[p->channel];
	bool *high = arena_array(p->run->arena, bool, p->count);
	*kept = (struct engine_pieces){ .segments = p->segments, .count = p->count, .high = high };
	for (size_t i = 0; i < p->count; i++) {
		high[i] = !is_ascii(p->segments[i].text);
		kept->some_high = kept->some_high || high[i];
	}
	p->high = high;
}

void engine_run_channel(const struct rule_engine *e, struct engine_run *run, enum channel channel,
			const struct segment *segments, size_t count, struct slice joined)
{
	const struct channel_index *c = &e->channels[channel];
	struct pass p = { .engine = e, .run = run, .channel = channel, .segments = segments, .count = count };
	if (count == 0 || count >= UINT32_MAX || c->entry_count == 0)
		return;
	p.first = run->scratch->pieces + 1;
	run->scratch->pieces += count;
	keep_pieces(&p);
	if (c->strings != NULL || c->high_count > 0) {
		struct slice text = join_segments(&p, joined);
		if (c->strings != NULL)
			prefilter_scan(c->strings, run->scratch->prefilter, text, on_string, &p);
		run_queue(&p);
		run_high(&p);
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
		engine_match_text(run, entry, entry->regex, segments[i].text);
}
