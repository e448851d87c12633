/* Rules that wait until somebody asks for them. */
#include "rules/rule_engine_private.h"

void engine_pending_begin(const struct rule_engine *e, struct engine_run *run)
{
	if (run->all)
		return;
	run->pending = arena_new(run->arena, struct engine_pending);
	run->pending->chains = arena_alloc(run->arena, e->count * sizeof(*run->pending->chains) + 1);
	memset(run->pending->chains, 0, e->count * sizeof(*run->pending->chains));
	run->pending->tried = arena_array(run->arena, bool, e->count + 1);
	run->pending->woken = arena_array(run->arena, uint32_t, e->count + 1);
	run->pending->ruled_out = arena_array(run->arena, bool, e->count + 1);
}

/* 1 + the place of the last link that is not behind the segment; 0: none. Nearly
 * always that is the last of all: strings are found in the order of the text. */
static uint32_t link_before(const struct engine_pending *w, uint32_t id, size_t segment)
{
	uint32_t last = w->chains[id].last, before = 0;
	if (last == 0 || w->list[last - 1].piece <= segment)
		return last;
	for (uint32_t at = w->chains[id].first; w->list[at - 1].piece <= segment; at = w->list[at - 1].next)
		before = at;
	return before;
}

void engine_pending_add(struct engine_run *run, uint32_t id, size_t segment)
{
	struct engine_pending *w = run->pending;
	uint32_t before = link_before(w, id, segment);
	if (before != 0 && w->list[before - 1].piece == segment)
		return;
	if (w->count == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 512;
		struct pending_piece *list = arena_array(run->arena, struct pending_piece, cap);
		if (w->count > 0)
			memcpy(list, w->list, w->count * sizeof(*list));
		w->list = list;
		w->cap = cap;
	}
	uint32_t *link = before != 0 ? &w->list[before - 1].next : &w->chains[id].first;
	w->list[w->count++] = (struct pending_piece){ .piece = (uint32_t)segment, .next = *link };
	*link = (uint32_t)w->count;
	if (w->chains[id].last == before)
		w->chains[id].last = (uint32_t)w->count;
	if (before == 0 && w->chains[id].first == w->chains[id].last)
		w->woken[w->woken_count++] = id;
}

static void list_all(const struct rule_engine *e, const struct engine_pending *w, const uint32_t *ids, size_t count,
		     uint32_t *list, size_t *n)
{
	for (size_t i = 0; i < count; i++)
		if (e->entries[ids[i]].may_wait && !w->ruled_out[ids[i]])
			list[(*n)++] = e->entries[ids[i]].index;
}

const uint32_t *engine_run_waiting(const struct rule_engine *e, const struct engine_run *run, size_t *count_r)
{
	const struct engine_pending *w = run->pending;
	*count_r = 0;
	if (w == NULL)
		return NULL;
	uint32_t *list = arena_array(run->arena, uint32_t, 2 * e->count + 1);
	for (unsigned c = 0; c < CHANNELS; c++) {
		if (run->pieces[c].count > 0)
			list_all(e, w, e->channels[c].direct, e->channels[c].direct_count, list, count_r);
		if (run->pieces[c].some_high)
			list_all(e, w, e->channels[c].high, e->channels[c].high_count, list, count_r);
	}
	list_all(e, w, w->woken, w->woken_count, list, count_r);
	return list;
}

static void try_chain(struct pass *p, uint32_t id)
{
	const struct engine_pending *w = p->run->pending;
	for (uint32_t at = w->chains[id].first; at != 0; at = w->list[at - 1].next)
		engine_try_segment(p, id, w->list[at - 1].piece);
}

void engine_run_demand(const struct rule_engine *e, struct engine_run *run, const struct rule *rule)
{
	uint32_t id = rule->engine_id - 1;
	if (run->pending == NULL || run->pending->tried[id])
		return;
	enum channel channel = engine_channel_of(rule->type);
	const struct engine_pieces *pieces = &run->pieces[channel];
	struct pass p = {
		.engine = e, .run = run, .channel = channel, .segments = pieces->segments, .count = pieces->count,
		.high = pieces->high,
	};
	run->pending->tried[id] = true;
	if (e->entries[id].way == WAY_DIRECT) {
		engine_try_all(&p, id);
		return;
	}
	try_chain(&p, id);
	for (size_t i = 0; e->entries[id].way == WAY_ASCII && pieces->some_high && i < p.count; i++)
		if (p.high[i])
			engine_try_segment(&p, id, i);
}
