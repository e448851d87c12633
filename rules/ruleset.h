#ifndef GATEHOUSE_RULES_RULESET_H
#define GATEHOUSE_RULES_RULESET_H
/*
 * ruleset: rule files, read and compiled; immutable, counted, for many
 * threads. Scans pin the one they began with.
 */
#include "rules/rule.h"
#include "rules/rule_engine.h"
#include "rules/rule_lists.h"
#include "rules/rule_plan.h"

struct ruleset_options {
	bool net;              /* rules may ask DNS; picks the scores for that too */
	const char *cache_dir; /* compiled images; NULL: none are kept */
	int64_t budget_ms;     /* a rule's on one mail. 0: 50 */
	const char *language;  /* of describe lines; NULL: en_US */
	bool plain;            /* no prefilter: to measure and to compare */
	const char *const *reported; /* symbols of filters, for metas; ends with NULL; NULL: none */
};

struct ruleset {
	struct arena *arena;
	struct rule_table *table;
	struct rule_engine *engine;
	struct rule_lists *lists;
	struct eval_patterns *patterns;
	struct ruleset_options options;
	uint32_t *metas;       /* indexes of meta rules, each behind those it names */
	size_t meta_count;
	uint32_t *evals;       /* indexes of wanted eval rules, by priority */
	size_t eval_count;
	struct rule_plan plan;
	uint32_t *told;        /* indexes of what filters tell: rule_told_by_filter() */
	size_t told_count;
};

/*
 * Reads the files and folders in order and compiles. What is wrong goes to
 * errors; the set holds all that is right. Never NULL. options may be NULL.
 */
struct ruleset *ruleset_load(const struct slice *paths, size_t count, const struct ruleset_options *options,
			     struct config_errors *errors);
/* As the above, of one text. */
struct ruleset *ruleset_load_text(struct slice name, struct slice text, const struct ruleset_options *options,
				  struct config_errors *errors);
struct ruleset *ruleset_retain(const struct ruleset *rules);
void ruleset_release(struct ruleset **rules);
/* Compiles what takes long, or takes it from the cache (see rule_engine_improve). Once, from any thread. */
bool ruleset_improve(struct ruleset *rules, bool compile);

/* Is there anything that rule_scan_headers() would ask? */
bool ruleset_asks_early(const struct ruleset *rules);

/* The score that the files give a symbol, of a rule or of a filter. False: none. */
bool ruleset_score(const struct ruleset *rules, const char *symbol, double *score_r);

struct ruleset_totals {
	size_t rules, supported, approximate, unsupported;
	size_t visible, visible_supported;
	size_t by_type[RULE_TYPES];
};
void ruleset_totals(const struct ruleset *rules, struct ruleset_totals *totals_r);

#endif
