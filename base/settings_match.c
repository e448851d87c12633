#include "base/settings_match.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/nearest.h"

#define MAX_SECTIONS 4096
#define MAX_TITLE 64

struct match {
	struct arena *arena;
	const struct tokens *tokens;
	bool complete;
	const struct section *top;
	const struct section *const *sections;
	struct instances *instances;
	bool *skip;
	struct config_errors *errors;
	size_t at;      /* next token */
	size_t current; /* instance; 0: the top */
};

size_t settings_count(const struct section *section)
{
	size_t n = 0;
	while (section->settings != NULL && section->settings[n].name != NULL)
		n++;
	return n;
}

static const struct token *token_at(const struct match *m, size_t at)
{
	return at < m->tokens->count ? &m->tokens->list[at] : NULL;
}

static bool is_kind(const struct token *t, enum token_kind kind)
{
	return t != NULL && t->kind == kind;
}

static bool is_text(const struct token *t)
{
	return is_kind(t, TOKEN_WORD) || is_kind(t, TOKEN_STRING);
}

static void skip_range(struct match *m, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		m->skip[i] = true;
}

static void not_closed(struct match *m, const struct token *begin)
{
	if (m->complete)
		config_error_add(m->errors, begin->file, begin->line, "the { of '%.*s' is not closed",
				 SLICE_ARG(begin->text));
}

/* Reports what stands at the token, or the end of all, and gives up. */
static bool syntax(struct match *m, size_t at, const char *expected)
{
	const struct token *t = token_at(m, at);
	const struct token *last = token_at(m, m->tokens->count - 1);
	if (t != NULL)
		config_error_add(m->errors, t->file, t->line, "expected %s, found '%.*s'", expected,
				 SLICE_ARG(t->text));
	else if (m->complete)
		config_error_add(m->errors, last->file, last->line, "expected %s, but here the text ends",
				 expected);
	return false;
}

/* ": did you mean 'x'?", or nothing. */
static struct slice hint(struct match *m, const struct nearest *n)
{
	if (n->best.len == 0)
		return SLICE_EMPTY;
	return arena_printf(m->arena, ": did you mean '%.*s'?", SLICE_ARG(n->best));
}

static bool knows(const struct section *section, struct slice name)
{
	for (size_t i = 0; i < settings_count(section); i++)
		if (slice_eq(slice_str(section->settings[i].name), name))
			return true;
	return false;
}

/* ": it belongs in a section x or y", or nothing. */
static struct slice homes(struct match *m, struct slice name)
{
	struct buf out = { 0 };
	size_t found = 0;
	for (size_t i = 0; m->sections[i] != NULL && found < 3; i++)
		if (knows(m->sections[i], name))
			buf_printf(&out, "%s%s", found++ ? " or " : ": it belongs in a section ",
				   m->sections[i]->name);
	struct slice text = arena_copy(m->arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

static void unknown_setting(struct match *m, const struct section *section, const struct token *name)
{
	struct nearest n = nearest_begin(name->text);
	for (size_t i = 0; i < settings_count(section); i++)
		nearest_try(&n, slice_str(section->settings[i].name));
	struct slice more = hint(m, &n);
	if (more.len == 0 && section == m->top)
		more = homes(m, name->text);
	config_error_add(m->errors, name->file, name->line, "unknown setting '%.*s'%s%s%.*s",
			 SLICE_ARG(name->text), section == m->top ? "" : " in section ",
			 section == m->top ? "" : section->name, SLICE_ARG(more));
}

static bool is_filter_like(const struct section *section, struct slice first)
{
	struct slice name = slice_str(section->name);
	return slice_starts(name, first) && name.len > first.len && name.data[first.len] == ' ';
}

/* "filter spf", "filter dkim" …: which second words are there? */
static struct slice second_words(struct match *m, struct slice first)
{
	struct buf out = { 0 };
	for (size_t i = 0; m->sections[i] != NULL; i++)
		if (is_filter_like(m->sections[i], first))
			buf_printf(&out, "%s%s", out.len ? ", " : "", m->sections[i]->name + first.len + 1);
	struct slice list = arena_copy(m->arena, buf_slice(&out));
	buf_free(&out);
	return list;
}

static void unknown_section(struct match *m, const struct token *first, const struct token *title)
{
	struct slice known = title ? second_words(m, first->text) : SLICE_EMPTY;
	struct nearest n = nearest_begin(known.len ? title->text : first->text);
	for (size_t i = 0; m->sections[i] != NULL; i++) {
		struct slice name = slice_str(m->sections[i]->name);
		size_t space = slice_chr(name, ' ');
		if (known.len == 0)
			nearest_try(&n, slice_head(name, space));
		else if (is_filter_like(m->sections[i], first->text))
			nearest_try(&n, slice_from(name, space + 1));
	}
	struct slice more = hint(m, &n);
	if (known.len > 0)
		config_error_add(m->errors, first->file, first->line,
				 "there is no %.*s '%.*s'%.*s (known: %.*s)", SLICE_ARG(first->text),
				 SLICE_ARG(title->text), SLICE_ARG(more), SLICE_ARG(known));
	else
		config_error_add(m->errors, first->file, first->line, "unknown section '%.*s'%.*s",
				 SLICE_ARG(first->text), SLICE_ARG(more));
}

static const struct section *section_named(const struct match *m, struct slice name)
{
	for (size_t i = 0; m->sections[i] != NULL; i++)
		if (slice_eq(slice_str(m->sections[i]->name), name))
			return m->sections[i];
	return NULL;
}

/* The table of `first title {`; NULL: reported. *title_r is empty for an untitled one. */
static const struct section *find_section(struct match *m, const struct token *first,
					  const struct token *title, struct slice *title_r)
{
	*title_r = SLICE_EMPTY;
	const struct section *section = section_named(m, first->text);
	if (section == NULL && title != NULL)
		section = section_named(m, arena_printf(m->arena, "%.*s %.*s", SLICE_ARG(first->text),
							SLICE_ARG(title->text)));
	else if (section != NULL && section->titled && title != NULL)
		*title_r = title->text;
	else if (section != NULL && section->titled) {
		config_error_add(m->errors, first->file, first->line, "section %s needs a name: %s NAME { }",
				 section->name, section->name);
		return NULL;
	} else if (section != NULL && title != NULL) {
		config_error_add(m->errors, title->file, title->line, "section %s takes no name",
				 section->name);
		return NULL;
	}
	if (section == NULL)
		unknown_section(m, first, title);
	return section;
}

static bool good_title(struct slice title)
{
	for (size_t i = 0; i < title.len; i++)
		if (!ascii_is_alnum(title.data[i]) && strchr("-_.", title.data[i]) == NULL)
			return false;
	return title.len > 0 && title.len <= MAX_TITLE;
}

static bool same_instance(const struct instance *a, const struct section *section, struct slice title)
{
	return a->section == section && slice_eq(a->title, title);
}

static void instance_add(struct match *m, const struct section *section, struct slice title,
			 const struct token *begin)
{
	struct instances *all = m->instances;
	if (all->count == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 64;
		struct instance *list = arena_array(m->arena, struct instance, cap);
		if (all->count > 0)
			memcpy(list, all->list, all->count * sizeof(*list));
		all->list = list;
		all->cap = cap;
	}
	all->list[all->count++] = (struct instance){
		section, title, begin,
		arena_array(m->arena, struct written, settings_count(section) + 1), false,
	};
}

/* False: reported. */
static bool check_instance(struct match *m, const struct section *section, struct slice title,
			   const struct token *begin)
{
	if (section->titled && !good_title(title)) {
		config_error_add(m->errors, begin->file, begin->line,
				 "'%.*s' is no name for a section: use up to %d letters, digits, - _ .",
				 SLICE_ARG(title), MAX_TITLE);
		return false;
	}
	if (m->instances->count >= MAX_SECTIONS) {
		config_error_add(m->errors, begin->file, begin->line, "over %d sections", MAX_SECTIONS);
		return false;
	}
	for (size_t i = 1; i < m->instances->count; i++) {
		const struct instance *other = &m->instances->list[i];
		if (same_instance(other, section, title)) {
			config_error_add(m->errors, begin->file, begin->line,
					 "section %s%s%.*s is already at %.*s:%u", section->name,
					 title.len ? " " : "", SLICE_ARG(title),
					 SLICE_ARG(other->begin->file),
					 other->begin->line);
			return false;
		}
	}
	return true;
}

/* From the token behind { to behind its }. False: there is none, reported. */
static bool skip_section(struct match *m, const struct token *begin, size_t from)
{
	size_t depth = 1, at = from;
	for (const struct token *t; depth > 0 && (t = token_at(m, at)) != NULL; at++)
		depth += (t->kind == TOKEN_OPEN) - (t->kind == TOKEN_CLOSE);
	m->at = at;
	if (depth > 0)
		not_closed(m, begin);
	return depth == 0;
}

/* m->at: `name {` or `name title {`. False: a syntax error, reported. */
static bool match_section(struct match *m)
{
	size_t from = m->at;
	const struct token *first = token_at(m, from);
	const struct token *title = is_kind(token_at(m, from + 1), TOKEN_OPEN) ? NULL : token_at(m, from + 1);
	size_t inside = from + (title ? 3 : 2);
	struct slice name = SLICE_EMPTY;
	const struct section *section = NULL;
	if (m->current != 0)
		config_error_add(m->errors, first->file, first->line,
				 "section '%.*s' stands within section %s: close that first",
				 SLICE_ARG(first->text), m->instances->list[m->current].section->name);
	else
		section = find_section(m, first, title, &name);
	if (section == NULL || !check_instance(m, section, name, first)) {
		bool closed = skip_section(m, first, inside);
		skip_range(m, from, m->at);
		return closed;
	}
	instance_add(m, section, name, first);
	m->current = m->instances->count - 1;
	m->at = inside;
	return true;
}

/* m->at is behind the { of a list. Values go to w. */
static bool match_list(struct match *m, struct written *w)
{
	size_t cap = 0;
	for (;;) {
		const struct token *t = token_at(m, m->at);
		if (is_kind(t, TOKEN_CLOSE))
			break;
		if (!is_text(t))
			return syntax(m, m->at, "a value or }");
		if (w->count == cap) {
			cap = cap ? cap * 2 : 8;
			const struct token **values = arena_array(m->arena, const struct token *, cap);
			for (size_t i = 0; i < w->count; i++)
				values[i] = w->values[i];
			w->values = values;
		}
		w->values[w->count++] = t;
		m->at++;
		if (is_kind(token_at(m, m->at), TOKEN_COMMA)) {
			m->at++;
			m->skip[m->at - 1] = is_kind(token_at(m, m->at), TOKEN_CLOSE);
		} else if (!is_kind(token_at(m, m->at), TOKEN_CLOSE)) {
			return syntax(m, m->at, ", or }");
		}
	}
	m->at++;
	return true;
}

static bool match_value(struct match *m, struct written *w, bool *list_r)
{
	const struct token *t = token_at(m, m->at);
	*list_r = is_kind(t, TOKEN_OPEN);
	if (!*list_r && !is_text(t))
		return syntax(m, m->at, "a value");
	m->at++;
	if (*list_r)
		return match_list(m, w);
	w->values = arena_array(m->arena, const struct token *, 1);
	w->values[0] = t;
	w->count = 1;
	return true;
}

/* Where the setting belongs; NULL: nowhere, reported. */
static struct written *place_for(struct match *m, const struct token *name, bool list)
{
	struct instance *in = &m->instances->list[m->current];
	for (size_t i = 0; i < settings_count(in->section); i++) {
		const struct setting *s = &in->section->settings[i];
		struct written *w = &in->written[i];
		if (!slice_eq(slice_str(s->name), name->text))
			continue;
		if (w->name != NULL)
			config_error_add(m->errors, name->file, name->line, "%s is already set at %.*s:%u",
					 s->name, SLICE_ARG(w->name->file), w->name->line);
		else if (list && !setting_is_list(s->type))
			config_error_add(m->errors, name->file, name->line, "%s takes one value, not a list",
					 s->name);
		else
			return w;
		return NULL;
	}
	unknown_setting(m, in->section, name);
	return NULL;
}

/* m->at: `name =`. */
static bool match_setting(struct match *m)
{
	size_t from = m->at;
	const struct token *name = token_at(m, from);
	struct written w = { .name = name };
	bool list;
	m->at += 2;
	if (!match_value(m, &w, &list)) {
		m->at = from;
		return false;
	}
	struct written *place = place_for(m, name, list);
	if (place != NULL)
		*place = w;
	else
		skip_range(m, from, m->at);
	return true;
}

static bool match_statement(struct match *m)
{
	const struct token *t = token_at(m, m->at), *next = token_at(m, m->at + 1);
	if (t->kind == TOKEN_CLOSE && m->current != 0) {
		m->current = 0;
		m->at++;
		return true;
	}
	if (!is_text(t))
		return syntax(m, m->at, "a setting or a section");
	if (is_kind(next, TOKEN_EQUALS))
		return match_setting(m);
	if (is_kind(next, TOKEN_OPEN) || (is_text(next) && is_kind(token_at(m, m->at + 2), TOKEN_OPEN)))
		return match_section(m);
	char expected[80];
	struct slice word = slice_head(token_at(m, m->at)->text, 40);
	snprintf(expected, sizeof(expected), "= or { behind '%.*s'", SLICE_ARG(word));
	return syntax(m, m->at + 1, expected);
}

void settings_match(struct arena *arena, const struct tokens *tokens, bool complete,
		    const struct section *top, const struct section *const *sections,
		    struct instances *instances, bool *skip, struct config_errors *errors)
{
	struct match m = { .arena = arena, .tokens = tokens, .complete = complete, .top = top,
			   .sections = sections, .instances = instances, .skip = skip, .errors = errors };
	instance_add(&m, top, SLICE_EMPTY, NULL);
	bool ok = true;
	while (ok && m.at < tokens->count)
		ok = match_statement(&m);
	instances->list[m.current].partial = !ok || !complete;
	if (!ok)
		skip_range(&m, m.at, tokens->count);
	else if (m.current != 0)
		not_closed(&m, instances->list[m.current].begin);
}
