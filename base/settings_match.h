#ifndef GATEHOUSE_BASE_SETTINGS_MATCH_H
#define GATEHOUSE_BASE_SETTINGS_MATCH_H
/*
 * settings_match: finds for each section and setting written in a
 * configuration the table entry it is for, and refuses what has none or is
 * written twice: libconfuse would end at the first unknown name and merge
 * what is repeated.
 */
#include "base/settings_expand.h"

struct written {
	const struct token *name;    /* NULL: not written */
	const struct token **values;
	size_t count;
};

struct instance {
	const struct section *section;
	struct slice title;
	const struct token *begin;   /* NULL: not written (or the top) */
	struct written *written;     /* one for each of section->settings */
	bool partial;                /* a syntax error cut it off */
};

struct instances {
	struct instance *list;       /* [0] is the top */
	size_t count, cap;
};

/*
 * complete: tokens are the whole configuration, no error cut them off.
 * Errors go to errors, with what can be found behind them; a syntax error
 * ends the matching: the tokens from there on, and those of unknown or
 * repeated things, are set in skip[] (one for each token).
 */
void settings_match(struct arena *arena, const struct tokens *tokens, bool complete,
		    const struct section *top, const struct section *const *sections,
		    struct instances *instances, bool *skip, struct config_errors *errors);

size_t settings_count(const struct section *section);

#endif
