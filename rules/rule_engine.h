#ifndef GATEHOUSE_RULES_RULE_ENGINE_H
#define GATEHOUSE_RULES_RULE_ENGINE_H
/*
 * rule_engine: all patterns of a rule set against the texts of a mail.
 *
 * PCRE2 decides. Before it, one pass over each channel's text looks for the
 * strings that patterns need (pattern_literals) and wakes only those rules,
 * only for the pieces of text where one was found. Rules without such strings
 * are tried on every piece, or go through a second pass of vectorscan once
 * that has been compiled and found faster (rule_engine_improve).
 *
 * Immutable but for that image and the counters; for many threads.
 */
#include "rules/regex.h"
#include "rules/rule.h"

enum channel {
	CHANNEL_HEADER,
	CHANNEL_BODY,
	CHANNEL_RAWBODY,
	CHANNEL_FULL,
	CHANNEL_URI,
	CHANNEL_MIMEHEADER,
	CHANNEL_SKELETON,
	CHANNELS
};

/* A piece of text of a channel. */
struct segment {
	struct slice text;
	uint32_t tag;             /* HEADER, MIMEHEADER: index of its selector; else 0 */
};

struct rule_engine;

struct engine_options {
	const char *cache_dir;    /* compiled images; NULL: none are kept */
	bool plain;               /* PCRE2 in turn, no prefilter: to measure and to compare */
	int64_t rule_budget_us;   /* of a rule on a mail. 0: 50 ms */
};

/*
 * Compiles the pattern of every wanted rule of the table; those that fail are
 * downgraded to unsupported. In the table's arena.
 */
struct rule_engine *rule_engine_create(struct rule_table *table, const struct engine_options *options);
/*
 * The slow part: patterns without strings, measured with PCRE2 on sample text;
 * the slowest compiled by vectorscan, measured again, and put in force if that
 * is faster. What came of it is kept in the cache. compile == false: only what
 * the cache holds. True: an image was made that the cache didn't hold. Call
 * once, from any thread, while others scan; or never.
 */
bool rule_engine_improve(struct rule_engine *engine, bool compile);

/* Selectors of HEADER or MIMEHEADER rules, each once; tags of segments are indexes of it. */
const struct header_selector *rule_engine_selectors(const struct rule_engine *engine, enum channel channel,
						    size_t *count_r);
/* The selector's index of a HEADER or MIMEHEADER rule. */
uint32_t rule_engine_tag(const struct rule_engine *engine, const struct rule *rule);
enum channel rule_engine_channel(const struct rule *rule);
/* How long trying it takes, roughly, beside others of its channel. */
double rule_engine_cost(const struct rule_engine *engine, const struct rule *rule);
bool rule_engine_uses(const struct rule_engine *engine, enum channel channel);

struct engine_capture {
	struct slice name, value;
};

struct engine_hit {
	uint32_t count;           /* of matches; 0: none */
	bool over_budget;
	struct slice evidence;    /* of the first match; in run->arena */
	int64_t spent_us;
};

struct engine_scratch;
struct engine_pending;

/* The pieces of a channel, and which aren't ASCII alone. */
struct engine_pieces {
	const struct segment *segments;
	size_t count;
	const bool *high;
	bool some_high;
};

/* One mail's results. */
struct engine_run {
	struct arena *arena;
	bool all;                 /* rules may not wait until they are asked for */
	struct engine_hit *hits;  /* by rule index */
	uint32_t *found;          /* indexes of the rules with a match */
	size_t found_count, found_cap;
	bool cut_off;             /* some rule was over its budget */
	struct engine_capture *captures;
	size_t capture_count, capture_cap;
	uint64_t tried, woken;    /* matches by PCRE2; rules woken by the prefilter */
	struct engine_scratch *scratch;
	struct engine_pieces pieces[CHANNELS];
	struct engine_pending *pending; /* rules that wait, and for which pieces */
};

void engine_run_begin(const struct rule_engine *engine, struct engine_run *run, struct arena *arena, bool all);
/*
 * All segments of a channel, which stay as they are as long as the run. joined:
 * their text in one piece if they already lie one behind the other; else data
 * == NULL. Unless all rules are wanted, those that may wait are only noted.
 */
void engine_run_channel(const struct rule_engine *engine, struct engine_run *run, enum channel channel,
			const struct segment *segments, size_t count, struct slice joined);
/* Rules whose pattern holds %{NAME}: after all others. */
void engine_run_templates(const struct rule_engine *engine, struct engine_run *run, enum channel channel,
			  const struct segment *segments, size_t count);
/* One rule against one text, whatever its channel: for `test` lines and header defaults. */
void engine_run_rule(const struct rule_engine *engine, struct engine_run *run, const struct rule *rule,
		     const struct segment *segments, size_t count);
/* Gives back what the run holds of the engine; resume takes it again, for rules that wait. */
void engine_run_end(const struct rule_engine *engine, struct engine_run *run);
void engine_run_resume(const struct rule_engine *engine, struct engine_run *run);
/* For matching beside the run; NULL: it holds nothing now. */
struct regex_scratch *engine_run_regex(const struct engine_run *run);

/*
 * Hidden rules (__X) count only in metas, most of which are certain without
 * them. So they may wait: the channel's pass notes where they could match, and
 * they are tried when somebody asks.
 */
/* Indexes of the rules that wait, some of them twice: not tried yet, and could
 * match. In the run's arena. */
const uint32_t *engine_run_waiting(const struct rule_engine *engine, const struct engine_run *run, size_t *count_r);
/* Tries a rule that waits; after it, run->hits has the answer. */
void engine_run_demand(const struct rule_engine *engine, struct engine_run *run, const struct rule *rule);

struct engine_stats {
	size_t patterns;          /* compiled */
	size_t with_strings;      /* woken by strings */
	size_t strings;
	size_t direct;            /* tried by PCRE2 on every piece */
	size_t by_vectorscan;     /* woken by their pattern in vectorscan */
	const char *prefilter_off; /* why there is none; NULL: there is */
};
void rule_engine_stats(const struct rule_engine *engine, struct engine_stats *stats_r);
/* How often the rule ran over its budget, since the set was made. */
uint64_t rule_engine_slow_count(const struct rule_engine *engine, const struct rule *rule);
/* Time its pattern took on long texts and many pieces, over all mails since the set was made. */
uint64_t rule_engine_spent_us(const struct rule_engine *engine, const struct rule *rule);
/* "string", "vectorscan", "pcre2", "-" */
const char *rule_engine_way(const struct rule_engine *engine, const struct rule *rule);

#endif
