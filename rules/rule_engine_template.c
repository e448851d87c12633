/* Templates: %{NAME} stands for what (?<NAME>…) of another rule matched. */
#include "rules/rule_engine_private.h"

#define TEMPLATES_MAX 64u

static void add_quoted(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < 0x80 && !ascii_is_alnum(text.data[i]) && text.data[i] != '_')
			buf_add_char(out, '\\');
		buf_add_char(out, text.data[i]);
	}
}

/* False: nothing captured under that name. */
static bool add_captures(const struct engine_run *run, struct buf *out, struct slice name)
{
	size_t n = 0;
	buf_add_str(out, "(?:");
	for (size_t i = 0; i < run->capture_count && n < TEMPLATES_MAX; i++) {
		if (!slice_eq(run->captures[i].name, name))
			continue;
		if (n++ > 0)
			buf_add_char(out, '|');
		add_quoted(out, run->captures[i].value);
	}
	buf_add_char(out, ')');
	return n > 0;
}

static bool fill_template(const struct engine_run *run, struct slice source, struct buf *out)
{
	for (;;) {
		size_t at = slice_find(source, SLICE("%{"));
		if (at == SLICE_NPOS)
			break;
		struct slice rest = slice_from(source, at + 2);
		size_t end = slice_chr(rest, '}');
		if (end == SLICE_NPOS || !rule_name_ok(slice_head(rest, end)))
			return false;
		buf_add_slice(out, slice_head(source, at));
		if (!add_captures(run, out, slice_head(rest, end)))
			return false;
		source = slice_from(rest, end + 1);
	}
	buf_add_slice(out, source);
	return true;
}

/* The name of a %{NAME} that each match holds: outside of groups, no other
 * branch beside it, not optional. Empty: none is sure to be that. */
static struct slice needed_name(struct slice source)
{
	struct slice name = SLICE_EMPTY;
	size_t depth = 0;
	if (slice_find(source, SLICE("\\Q")) != SLICE_NPOS)
		return name;
	for (size_t i = 0; i < source.len; i++) {
		char c = source.data[i];
		if (c == '\\') {
			i++;
		} else if (c == '[' || (c == '|' && depth == 0)) {
			return SLICE_EMPTY; /* of classes it isn't known here where they end */
		} else if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth -= depth > 0;
		} else if (depth == 0 && slice_starts(slice_from(source, i), SLICE("%{"))) {
			struct slice rest = slice_from(source, i + 2);
			size_t end = slice_chr(rest, '}');
			if (end == SLICE_NPOS)
				return SLICE_EMPTY;
			bool optional = end + 1 < rest.len && strchr("?*{", rest.data[end + 1]) != NULL;
			if (!optional && name.len == 0)
				name = slice_head(rest, end);
			i += end + 2;
		}
	}
	return name;
}

/* Nothing that was captured under that name stands in any piece. */
static bool lacks(const struct pass *p, struct slice name)
{
	for (size_t i = 0; i < p->run->capture_count && name.len > 0; i++)
		for (size_t k = 0; k < p->count && slice_eq(p->run->captures[i].name, name); k++)
			if (slice_find_nocase(p->segments[k].text, p->run->captures[i].value) != SLICE_NPOS)
				return false;
	return name.len > 0;
}

static void run_template(struct pass *p, uint32_t id)
{
	struct entry *entry = (struct entry *)(uintptr_t)&p->engine->entries[id];
	struct buf source = { 0 };
	if (lacks(p, needed_name(entry->rule->pattern.source)))
		return;
	if (fill_template(p->run, entry->rule->pattern.source, &source)) {
		struct arena *arena = arena_create();
		struct pattern pattern = entry->rule->pattern;
		const char *error;
		pattern.source = buf_slice(&source);
		struct regex *regex = regex_compile(arena, &pattern, &error);
		for (size_t i = 0; regex != NULL && i < p->count; i++)
			if (engine_entry_applies(entry, p->channel, &p->segments[i], i))
				engine_match_text(p->run, entry, regex, p->segments[i].text);
		arena_destroy(&arena);
	}
	buf_free(&source);
}

void engine_run_templates(const struct rule_engine *e, struct engine_run *run, enum channel channel,
			  const struct segment *segments, size_t count)
{
	const struct channel_index *c = &e->channels[channel];
	struct pass p = { .engine = e, .run = run, .channel = channel, .segments = segments, .count = count };
	for (size_t i = 0; i < c->template_count && run->capture_count > 0; i++)
		run_template(&p, c->templates[i]);
}
