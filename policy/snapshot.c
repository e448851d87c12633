#include "policy/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "rules/ruleset.h"

struct counted {
	struct snapshot snapshot; /* first: a snapshot is known by this address */
	struct arena *arena;
	struct ruleset *rules;
	atomic_uint references;
};

struct snapshot *snapshot_create(struct config *config, struct ruleset *rules, uint64_t generation)
{
	struct counted *c = xcalloc(1, sizeof(*c));
	c->snapshot = (struct snapshot){ config, rules, generation };
	c->arena = config->arena;
	c->rules = rules;
	atomic_init(&c->references, 1);
	return &c->snapshot;
}

struct snapshot *snapshot_retain(const struct snapshot *snapshot)
{
	struct counted *c = (struct counted *)(uintptr_t)snapshot;
	atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
	return &c->snapshot;
}

void snapshot_release(struct snapshot **snapshot)
{
	struct counted *c = (struct counted *)*snapshot;
	*snapshot = NULL;
	if (c == NULL || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1)
		return;
	if (c->rules != NULL)
		ruleset_release(&c->rules);
	arena_destroy(&c->arena);
	free(c);
}

const void *snapshot_filter(const struct snapshot *snapshot, const char *name)
{
	const struct config *config = snapshot->config;
	const struct slice wanted = slice_str(name);
	for (size_t i = 0; i < config->filter_count; i++)
		if (config->filters[i].name.len == wanted.len && slice_eq(config->filters[i].name, wanted))
			return config->filters[i].values;
	return NULL;
}

double snapshot_score(const struct snapshot *snapshot, const char *symbol, double fallback)
{
	double score;
	if (snapshot->rules != NULL && ruleset_score(snapshot->rules, symbol, &score))
		return score;
	return fallback;
}
