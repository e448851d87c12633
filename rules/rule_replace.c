#include "rules/rule_replace.h"

#include "base/buf.h"
#include "message/skeleton.h"
#include "rules/pattern_loosen.h"

#define PASSES_MAX 6u
#define PATTERN_MAX (1024u * 1024)

#define TAGS_MAX 200u

/* Tags called as subroutines by a compact pattern. */
struct used {
	struct slice names[TAGS_MAX];
	size_t count;
};

struct tags {
	const struct rule_table *table;
	struct arena *arena;
	struct used *used;       /* NULL: values are put in */
	bool loose;              /* values that are a letter's forms as classes */
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

/* "(?&tN)" for the tag; false: too many of them. */
static bool put_call(const struct tags *tags, struct buf *out, struct slice name)
{
	struct used *u = tags->used;
	size_t i = 0;
	while (i < u->count && !slice_eq(u->names[i], name))
		i++;
	if (i == TAGS_MAX)
		return false;
	if (i == u->count)
		u->names[u->count++] = name;
	buf_printf(out, "(?&t%zu)", i);
	return true;
}

static void put_tag(const struct tags *tags, struct buf *out, struct slice tag, bool *again)
{
	struct slice value = lookup(tags, "replace_tag", slice_sub(tag, 1, tag.len - 2));
	if (value.len == 0) {
		buf_add_slice(out, tag);
		return;
	}
	if (tags->used != NULL && put_call(tags, out, arena_copy(tags->arena, slice_sub(tag, 1, tag.len - 2))))
		return;
	struct slice letter = tags->loose && !has_tag(value) ? pattern_loosen_letter(tags->arena, value) : SLICE_EMPTY;
	buf_add_slice(out, letter.len > 0 ? letter : value);
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

/* "(?(DEFINE)(?<t0>…)(?<t1>…)…)" and then the pattern, calling them. */
static struct slice compact(const struct tags *tags, const struct rule *rule)
{
	struct used used = { .count = 0 };
	struct tags calls = { tags->table, tags->arena, &used, false };
	struct slice source = rule->pattern.source;
	struct buf out = { 0 };
	replace_pass(&calls, &source, rule->pattern.flags != 0);
	buf_add_str(&out, "(?(DEFINE)");
	for (size_t i = 0; i < used.count; i++) {
		struct slice value = lookup(tags, "replace_tag", used.names[i]);
		replace_pass(&calls, &value, true);
		buf_printf(&out, "(?<t%zu>", i);
		buf_add_slice(&out, value);
		buf_add_char(&out, ')');
	}
	buf_add_char(&out, ')');
	buf_add_slice(&out, source);
	struct slice result = arena_copy(tags->arena, buf_slice(&out));
	buf_free(&out);
	return result;
}

static struct slice replaced(const struct tags *tags, const struct rule *rule)
{
	struct slice source = rule->pattern.source;
	for (unsigned pass = 0; pass < PASSES_MAX; pass++)
		if (!replace_pass(tags, &source, rule->pattern.flags != 0))
			break;
	return source;
}

static void replace_in(const struct tags *tags, struct rule *rule)
{
	const struct tags loosely = { tags->table, tags->arena, NULL, true };
	rule->pattern.compact = compact(tags, rule);
	rule->pattern.loose = replaced(&loosely, rule);
	rule->pattern.source = replaced(tags, rule);
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

struct slice rule_fold_pattern(struct arena *arena, struct slice source)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < source.len;) {
		size_t n = 0;
		while (i + n < source.len && (unsigned char)source.data[i + n] >= 0x80)
			n++;
		if (n == 0) {
			buf_add_char(&out, source.data[i++]);
			continue;
		}
		buf_add_slice(&out, skeleton_text(arena, slice_sub(source, i, n)));
		i += n;
	}
	struct slice folded = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return folded;
}
