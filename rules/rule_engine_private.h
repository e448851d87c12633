#ifndef GATEHOUSE_RULES_RULE_ENGINE_PRIVATE_H
#define GATEHOUSE_RULES_RULE_ENGINE_PRIVATE_H
/*
 * What the rooms of the engine share: rule_engine.c makes it,
 * rule_engine_match.c runs it over texts, rule_engine_improve.c compiles the
 * second pass.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "rules/pattern_literals.h"
#include "rules/prefilter.h"
#include "rules/rule_engine.h"

/* WAY_ASCII: by strings where a piece of text is ASCII alone, else tried directly. */
enum way { WAY_NONE, WAY_STRING, WAY_ASCII, WAY_DIRECT, WAY_TEMPLATE };

/* A rule as the engine sees it. */
struct entry {
	const struct rule *rule;
	const struct regex *regex;
	uint32_t index;            /* of the rule */
	uint32_t tag;
	enum way way;
	bool captures;             /* a group that templates name */
	bool may_wait;
	struct literals *literals;
	atomic_uint_fast64_t slow, spent_us;
};

/* Which entries a string wakes. */
struct waking {
	uint32_t *entries;
	uint32_t count, cap;
	uint32_t length;           /* of the string */
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
	uint32_t *high;            /* entries tried on pieces that aren't ASCII alone */
	size_t high_count, high_cap;
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
	struct name_map captured;  /* names of groups that templates ask for */
	const char *prefilter_off;
	pthread_mutex_t lock;
	struct engine_scratch *pool;
	size_t pool_count;
};

/* Of an entry: what was found of it so far, and where. Pieces are numbered
 * over all runs, so that nothing has to be cleared between them. */
struct awake {
	uint64_t tried;            /* piece that it was last tried on */
	uint64_t piece;            /* that `count` and `end` are of */
	size_t end;                /* of the last string counted */
	uint32_t count;
};

struct engine_scratch {
	struct engine_scratch *next;
	struct regex_scratch *regex;
	struct prefilter_scratch *prefilter;
	struct patterns_image *images[CHANNELS]; /* that the scratch is large enough for */
	struct awake *awake;       /* by entry */
	uint64_t pieces;           /* numbers given away */
	bool *many;                /* by entry: already queued, for `multiple` */
	struct buf joined;
	size_t *ends;              /* of segments in the joined text */
	size_t ends_cap;
	uint64_t *queue;           /* entry << 32 | segment, of `multiple` rules */
	size_t queue_count, queue_cap;
};

/* Rules of a run that wait: for each entry a chain of the pieces to try it on. */
struct pending_piece {
	uint32_t piece, next;      /* next: 1 + its place in the list; 0: none */
};
struct engine_pending {
	struct {
		uint32_t first, last; /* 1 + place in the list; 0: none */
	} *chains;                 /* by entry */
	bool *tried;               /* by entry */
	bool *ruled_out;           /* by entry: the second pass hasn't found its pattern */
	struct pending_piece *list;
	size_t count, cap;
	uint32_t *woken;           /* entries that have a chain */
	size_t woken_count;
};

/* One channel of one mail. */
struct pass {
	const struct rule_engine *engine;
	struct engine_run *run;
	enum channel channel;
	const struct segment *segments;
	size_t count;
	const bool *high;          /* by segment: not ASCII alone */
	size_t at;                 /* segment of the last offset asked for */
	uint64_t first;            /* number of the first piece */
	const uint32_t *ids;       /* of the second pass: position → entry */
};

enum channel engine_channel_of(enum rule_type type);

/* The image in force, or NULL. */
static inline struct patterns_image *engine_image(const struct channel_index *c)
{
	return atomic_load((_Atomic(struct patterns_image *) *)(uintptr_t)&c->image);
}

/* An entry on every segment of the pass, or on one. */
void engine_try_all(struct pass *pass, uint32_t id);
void engine_try_segment(struct pass *pass, uint32_t id, size_t segment);

void engine_match_text(struct engine_run *run, const struct entry *entry, const struct regex *regex,
		       struct slice text);
/* Whether the piece of that index is one of the entry's. */
bool engine_entry_applies(const struct entry *entry, enum channel channel, const struct segment *segment,
			  size_t index);

/* rule_engine_wait.c */
void engine_pending_begin(const struct rule_engine *engine, struct engine_run *run);
void engine_pending_add(struct engine_run *run, uint32_t id, size_t segment);
static inline bool engine_entry_waits(const struct entry *entry, const struct engine_run *run)
{
	return entry->may_wait && !run->all;
}

#endif
