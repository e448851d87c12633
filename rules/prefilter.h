#ifndef GATEHOUSE_RULES_PREFILTER_H
#define GATEHOUSE_RULES_PREFILTER_H
/*
 * prefilter: thousands of strings, or patterns, looked for in one pass over a
 * text. What it finds may be too much, never too little: PCRE2 confirms. The
 * one module that includes hs.h (vectorscan).
 *
 * Immutable once made; may be used by many threads, each with a scratch.
 */
#include "rules/rule.h"

struct prefilter;
struct prefilter_scratch;

struct prefilter_entry {
	struct slice text;     /* a string, found in any (ASCII) case; or a pattern's source */
	unsigned flags;        /* of a pattern */
	uint32_t id;           /* told when found */
};

/* false: this processor lacks what vectorscan needs. */
bool prefilter_available(void);

/*
 * Strings, none of them empty. NULL with *error_r (in arena). Freed with the
 * arena. cache_dir: where compiled forms are kept, or NULL. Files there that
 * are damaged or another's are ignored; the oldest are removed where all take
 * more than PREFILTER_CACHE_MAX.
 */
#define PREFILTER_CACHE_MAX (256u * 1024 * 1024)
struct prefilter *prefilter_strings(struct arena *arena, const struct prefilter_entry *list, size_t count,
				    const char *cache_dir, const char **error_r);
/*
 * Patterns, as regex_translate() leaves them, of which taken[i] says that they
 * are wanted. ^ and $ match at line ends too: put one between texts that are
 * matched together. Those that vectorscan can't take, or that ask for the start
 * or end of the text, are left out: taken[i] is false then. May take minutes.
 */
struct prefilter *prefilter_patterns(struct arena *arena, const struct prefilter_entry *list, size_t count,
				     bool *taken, const char **error_r);
/* Keeps what came of that list: prefilter with those taken, or NULL: it does
 * not pay. A cache that can't be written is no error. */
void prefilter_keep(const char *cache_dir, const struct prefilter_entry *list, size_t count, const bool *taken,
		    const struct prefilter *prefilter);
/* What was kept. False: nothing, or nothing that can be used. */
bool prefilter_recall(struct arena *arena, const char *cache_dir, const struct prefilter_entry *list, size_t count,
		      bool *taken, struct prefilter **prefilter_r);
/* Whether vectorscan takes this pattern at all (a trial compilation alone). */
bool prefilter_takes(const struct prefilter_entry *entry);

/* Enough for all of them; entries may be NULL. */
struct prefilter_scratch *prefilter_scratch_create(const struct prefilter *const *list, size_t count);
void prefilter_scratch_free(struct prefilter_scratch **scratch);

/* found(context, id, end) for each string found; end is the offset behind it.
 * Return false from it to stop. False: the pass could not be made. */
bool prefilter_scan(const struct prefilter *prefilter, struct prefilter_scratch *scratch, struct slice text,
		    bool (*found)(void *context, uint32_t id, size_t end), void *context);

#endif
