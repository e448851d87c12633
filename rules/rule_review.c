#include "rules/rule_review.h"

#define DEPTH_MAX 64u

static const char *const names[NOTES] = {
	[NOTE_NO_SCORE] = "no-score", [NOTE_UNDEFINED] = "undefined", [NOTE_DEFINED_AGAIN] = "defined-again",
	[NOTE_SAME] = "same-as-another", [NOTE_DANGEROUS] = "may-take-long",
};

const char *rule_note_name(enum rule_note_kind kind)
{
	return names[kind];
}

/* Length of an unbounded quantifier at the start: + * {n,}; 0: none. One that
 * is possessive gives nothing back and can't take long. */
static size_t unbounded(struct slice s, bool *possessive_r)
{
	size_t n = 0;
	if (s.len > 0 && (s.data[0] == '+' || s.data[0] == '*')) {
		n = 1;
	} else if (s.len > 2 && s.data[0] == '{' && ascii_is_digit(s.data[1])) {
		size_t end = slice_chr(s, '}');
		n = end != SLICE_NPOS && s.data[end - 1] == ',' ? end + 1 : 0;
	}
	*possessive_r = n > 0 && n < s.len && s.data[n] == '+';
	return n;
}

static size_t skip_class(struct slice s, size_t at)
{
	size_t i = at + 1;
	i += i < s.len && s.data[i] == '^';
	i += i < s.len && s.data[i] == ']';
	while (i < s.len && s.data[i] != ']')
		i += s.data[i] == '\\' ? 2 : 1;
	return i;
}

bool pattern_nests_repeats(struct slice s)
{
	bool repeats[DEPTH_MAX] = { false }, atomic[DEPTH_MAX] = { false };
	size_t depth = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool possessive, inner = false, group = false;
		if (s.data[i] == '(') {
			if (++depth == DEPTH_MAX)
				return false;
			repeats[depth] = false;
			atomic[depth] = slice_starts(slice_from(s, i), SLICE("(?>"));
			i += i + 1 < s.len && s.data[i + 1] == '?';
			continue;
		}
		if (s.data[i] == ')' && depth > 0) {
			inner = repeats[depth] && !atomic[depth];
			group = true;
			depth--;
		}
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == '[')
			i = skip_class(s, i);
		size_t n = i + 1 <= s.len ? unbounded(slice_from(s, i + 1), &possessive) : 0;
		if (n > 0 && !possessive && group && inner)
			return true;
		if ((n > 0 && !possessive) || (group && inner))
			repeats[depth] = true;
		i += n;
	}
	return false;
}

/* ---- */

struct review {
	struct arena *arena;
	struct rule_note *list;
	size_t count, cap;
};

static void note(struct review *r, enum rule_note_kind kind, const struct rule *rule, const char *text)
{
	if (r->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct rule_note *list = arena_array(r->arena, struct rule_note, cap);
		if (r->count > 0)
			memcpy(list, r->list, r->count * sizeof(*list));
		r->list = list;
		r->cap = cap;
	}
	r->list[r->count++] = (struct rule_note){ kind, rule, text };
}

/* What a rule looks for, as one text; empty: it can't be compared. */
static struct slice essence(struct arena *arena, const struct rule *rule)
{
	if (rule_type_is_pattern(rule->type) && rule->pattern.set)
		return arena_printf(arena, "%d %d %u %.*s %.*s %x %d %.*s", (int)rule->type, rule->negated,
				    rule->header.parts, SLICE_ARG(rule->header.name), SLICE_ARG(rule->unset),
				    rule->pattern.flags, (int)(rule->tflags & (TFLAG_MULTIPLE | TFLAG_NOSUBJECT)),
				    SLICE_ARG(rule->pattern.source));
	if (rule_type_is_eval(rule->type) || rule->type == RULE_META)
		return arena_printf(arena, "%d %.*s", (int)rule->type, SLICE_ARG(rule->text));
	return SLICE_EMPTY;
}

static void review_rule(struct review *r, const struct rule *rule)
{
	if (!rule->scored && !rule_is_hidden(rule) && !rule->skipped && !slice_starts(rule->name, SLICE("T_")))
		note(r, NOTE_NO_SCORE, rule, "no score line: it counts 1");
	if (rule->earlier_line > 0)
		note(r, NOTE_DEFINED_AGAIN, rule,
		     arena_printf(r->arena, "replaces the rule of that name of %.*s:%u", SLICE_ARG(rule->earlier_file),
				  rule->earlier_line).data);
	if (rule_type_is_pattern(rule->type) && rule->pattern.set && pattern_nests_repeats(rule->pattern.source))
		note(r, NOTE_DANGEROUS, rule, "repeats a repetition: it may take long on some texts");
}

size_t ruleset_review(const struct ruleset *rules, struct arena *arena, struct rule_note **notes_r)
{
	struct review r = { .arena = arena };
	struct name_map seen = { .count = 0 };
	for (size_t i = 0; i < rules->table->count; i++) {
		const struct rule *rule = rules->table->list[i];
		if (rule->type == RULE_NONE) {
			if (!rule->reported && (rule->scored || rule->describe != NULL || rule->action != ACTION_NONE))
				note(&r, NOTE_UNDEFINED, rule,
				     "something is said of it, but no rule and no filter has that name");
			continue;
		}
		review_rule(&r, rule);
		struct slice what = rule->skipped ? SLICE_EMPTY : essence(arena, rule);
		if (what.len == 0)
			continue;
		uint32_t other = name_map_get(&seen, what);
		if (other == NAME_MAP_NONE)
			name_map_put(&seen, arena, what, (uint32_t)i);
		else
			note(&r, NOTE_SAME, rule,
			     arena_printf(arena, "looks for what %s looks for",
					  rules->table->list[other]->name.data).data);
	}
	*notes_r = r.list;
	return r.count;
}
