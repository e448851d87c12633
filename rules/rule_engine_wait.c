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
}

bool rule_engine_may_wait(const struct rule_engine *e, const struct rule *rule)
{
	return rule->engine_id != 0 && e->entries[rule->engine_id - 1].may_wait;
}

bool engine_run_waits(const struct rule_engine *e, const struct engine_run *run, const struct rule *rule)
{
	const struct engine_pending *w = run->pending;
	if (w == NULL || rule->engine_id == 0 || w->tried[rule->engine_id - 1])
		return false;
	const struct entry *entry = &e->entries[rule->engine_id - 1];
	const struct engine_pieces *pieces = &run->pieces[engine_channel_of(rule->type)];
	if (!entry->may_wait || pieces->count == 0)
		return false;
	if (entry->way == WAY_DIRECT)
		return !w->ruled_out[rule->engine_id - 1];
	return (entry->way == WAY_ASCII && pieces->some_high) || w->chains[rule->engine_id - 1].first != 0;
}

static void try_chain(struct pass *p, uint32_t id)
{
	const struct engine_pending *w = p->run->pending;
	for (uint32_t at = w->chains[id].first; at != 0; at = w->list[at - 1].next)
		engine_try_segment(p, id, w->list[at - 1].piece);
}

void engine_run_demand(const struct rule_engine *e, struct engine_run *run, const struct rule *rule)
{
	if (!engine_run_waits(e, run, rule))
		return;
	uint32_t id = rule->engine_id - 1;
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
