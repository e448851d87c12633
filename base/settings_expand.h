#ifndef GATEHOUSE_BASE_SETTINGS_EXPAND_H
#define GATEHOUSE_BASE_SETTINGS_EXPAND_H
/*
 * settings_expand: a configuration file and all it includes as one list of
 * tokens, each knowing its file and line.
 *
 *	include "path"      or include("path"), where a setting or section may
 *	                    stand; relative to the including file's folder;
 *	                    with * ? [ ] a glob, in order of names, which may
 *	                    match nothing
 */
#include "base/settings.h"
#include "base/settings_lex.h"

struct tokens {
	struct token *list;  /* in the arena */
	size_t count, cap;
};

/*
 * path "-": text instead. False: something is in errors. The tokens read up
 * to there stand in tokens all the same.
 */
bool settings_expand(struct arena *arena, struct slice path, struct slice text, struct tokens *tokens,
		     struct config_errors *errors);
/* The tokens as a text that reads back as the same tokens. */
struct slice settings_unexpand(struct arena *arena, const struct tokens *tokens);

#endif
