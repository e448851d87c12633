#include "rules/rule_replace.h"

#include "base/buf.h"

#define PASSES_MAX 6u
#define PATTERN_MAX (1024u * 1024)

struct tags {
	const struct rule_table *table;
	struct arena *arena;
};

/* The last value of `key name value`. */
static struct slice lookup(const struct tags *tags, const char *key, struct slice name)
{
	const struct rule_settings *settings = rule_table_get(tags->table, key);
	struct slice found = SLICE_EMPTY;
	for (const struct rule_setting *s = settings ? settings->first : NULL; s != NULL; s = s->next) {
		size_t n = 0;
		while (n < s->value.len && !ascii_is_space(s->value.data[n]))
			n++;
		if (slice_eq(slice_head(s->value, n), name))
			found = slice_trim(slice_from(s->value, n));
	}
	return found;
}

/* Length of "<…>" at the start of s, without < or > inside; 0: none. */
static size_t tag_length(struct slice s)
{
	if (s.len < 3 || s.data[0] != '<')
		return 0;
	for (size_t i = 1; i < s.len; i++) {
		if (s.data[i] == '<')
			return 0;
		if (s.data[i] == '>')
			return i > 1 ? i + 1 : 0;
	}
	return 0;
}

/* Takes the first "<word NAME>" out of *source; its value, or empty. */
static struct slice take_modifier(const struct tags *tags, struct slice *source, const char *word,
				  const char *key)
{
	struct slice opening = arena_printf(tags->arena, "<%s ", word);
	size_t at = slice_find(*source, opening);
	if (at == SLICE_NPOS)
		return SLICE_EMPTY;
	struct slice rest = slice_from(*source, at + opening.len);
	size_t end = slice_chr(rest, '>');
	if (end == SLICE_NPOS || end == 0)
		return SLICE_EMPTY;
	struct slice name = slice_head(rest, end);
	*source = arena_printf(tags->arena, "%.*s%.*s", SLICE_ARG(slice_head(*source, at)),
			       SLICE_ARG(slice_from(rest, end + 1)));
	return lookup(tags, key, name);
}

static bool has_tag(struct slice s)
{
	size_t at;
	while ((at = slice_chr(s, '<')) != SLICE_NPOS) {
		s = slice_from(s, at);
		size_t close = slice_chr(s, '>');
		if (close == SLICE_NPOS)
			return false;
		if (close > 1)
			return true;
		s = slice_from(s, 1);
	}
	return false;
}

static void put_tag(const struct tags *tags, struct buf *out, struct slice tag, bool *again)
{
	struct slice value = lookup(tags, "replace_tag", slice_sub(tag, 1, tag.len - 2));
	if (value.len == 0) {
		buf_add_slice(out, tag);
		return;
	}
	buf_add_slice(out, value);
	if (has_tag(value))
		*again = true;
}

/* One pass; true if another is needed. */
static bool replace_pass(const struct tags *tags, struct slice *source, bool prefixed)
{
	struct slice pre = take_modifier(tags, source, "pre", "replace_pre");
	struct slice post = take_modifier(tags, source, "post", "replace_post");
	struct slice inter = take_modifier(tags, source, "inter", "replace_inter");
	struct slice s = *source;
	struct buf out = { 0 };
	bool again = false, after_text = prefixed;
	while (s.len > 0 && out.len < PATTERN_MAX) {
		size_t n = tag_length(s);
		if (n == 0) {
			buf_add_char(&out, s.data[0]);
			s = slice_from(s, 1);
			after_text = true;
			continue;
		}
		if (!after_text)
			buf_add_slice(&out, inter);
		buf_add_slice(&out, pre);
		put_tag(tags, &out, slice_head(s, n), &again);
		buf_add_slice(&out, post);
		s = slice_from(s, n);
		after_text = false;
	}
	*source = arena_copy(tags->arena, buf_slice(&out));
	buf_free(&out);
	return again;
}

static void replace_in(const struct tags *tags, struct rule *rule)
{
	struct slice source = rule->pattern.source;
	for (unsigned pass = 0; pass < PASSES_MAX; pass++)
		if (!replace_pass(tags, &source, rule->pattern.flags != 0))
			break;
	rule->pattern.source = source;
}

void rule_replace_tags(struct rule_table *table)
{
	struct tags tags = { .table = table, .arena = table->arena };
	for (size_t i = 0; i < table->count; i++) {
		struct rule *rule = table->list[i];
		if (rule->replace_tags && rule->pattern.set)
			replace_in(&tags, rule);
	}
}
