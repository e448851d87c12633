/* Rule files: reading, replacing tags, looking for the strings of patterns.
 * Whatever stands in one, every error has its line, and a pattern that can be
 * compiled and matches a text holds one of its strings in it. */
#include <stdlib.h>

#include "rules/pattern_literals.h"
#include "rules/regex.h"
#include "rules/rule_parse.h"
#include "rules/rule_replace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static bool holds_one(struct slice text, const struct literals *found)
{
	for (size_t i = 0; i < found->count; i++)
		if (slice_find_nocase(text, found->list[i]) != SLICE_NPOS)
			return true;
	return false;
}

/* The file itself is text as good as any. */
static void try_pattern(struct arena *arena, const struct pattern *pattern, struct regex_scratch *scratch,
			struct slice text)
{
	struct literals found;
	struct regex_match match;
	const char *error;
	if (pattern->source.len > 2000)
		return;
	bool any = pattern_literals(arena, pattern, &found);
	struct regex *regex = regex_compile(arena, pattern, &error);
	if (regex == NULL || regex_match(regex, scratch, text, 0, &match) != REGEX_YES)
		return;
	must(match.start <= text.len && match.end <= text.len);
	must(!any || holds_one(text, &found));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rule_parse_options options = { .net = true };
	struct slice text = slice_make(data, size);
	if (size > 20000 || slice_find_nocase(text, SLICE("include")) != SLICE_NPOS)
		return 0;
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct rule_table *table = rule_table_create(arena, &errors);
	struct regex_scratch *scratch = regex_scratch_create();
	rule_parse_text(table, SLICE("fuzz.cf"), text, &options);
	rule_replace_tags(table);
	for (size_t i = 0; i < table->count && i < 50; i++) {
		must(rule_name_ok(table->list[i]->name));
		if (table->list[i]->pattern.set)
			try_pattern(arena, &table->list[i]->pattern, scratch, text);
	}
	for (size_t i = 0; i < errors.count; i++)
		must(errors.list[i].line > 0 && errors.list[i].line <= size + 1);
	regex_scratch_free(&scratch);
	arena_destroy(&arena);
	return 0;
}
