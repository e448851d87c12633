/* Two steps: the value becomes tokens (mailbox_lex), and a list of mailboxes
 * is read from them, entry by entry. */
#include "message/mailbox_list.h"

#include <stdlib.h>

#include "base/buf.h"
#include "message/address.h"
#include "message/encoded_word.h"
#include "message/mailbox_lex.h"

struct parser {
	struct arena *arena;
	const struct mailbox_token *tokens;
	size_t count, at;
	struct mailbox_list *list;
	size_t cap;
	struct slice group;
	bool in_group;
	unsigned problems;   /* of the entry being read */
};

/* ---- text ---- */

/* A quoted string's or comment's text without its backslashes and folds. */
static void add_unquoted(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c == '\\' && i + 1 < s.len)
			c = s.data[++i];
		else if (c == '\r' || c == '\n')
			continue;
		buf_add_char(out, c);
	}
}

static bool is_phrase_special(const struct mailbox_token *t)
{
	return t->kind == TOKEN_SPECIAL && !mailbox_token_is(t, '.') && !mailbox_token_is(t, '@');
}

/* The words of tokens [from, to) as a display name. */
static struct slice phrase(struct parser *p, size_t from, size_t to)
{
	struct buf out = { 0 };
	for (size_t i = from; i < to; i++) {
		const struct mailbox_token *t = &p->tokens[i];
		if (t->kind == TOKEN_COMMENT)
			continue;
		if (out.len > 0 && t->spaced)
			buf_add_char(&out, ' ');
		if (t->kind == TOKEN_QUOTED)
			add_unquoted(&out, t->text);
		else
			buf_add_slice(&out, t->text);
		if (t->kind == TOKEN_STRAY || is_phrase_special(t))
			p->problems |= MAILBOX_STRAY;
		if (mailbox_token_is(t, '@'))
			p->problems |= MAILBOX_UNQUOTED_AT;
	}
	struct slice decoded =
	    encoded_word_decode(p->arena, arena_copy(p->arena, slice_trim(buf_slice(&out))));
	buf_free(&out);
	return decoded;
}

/* The last comment among tokens [from, to), decoded. */
static struct slice comment(struct parser *p, size_t from, size_t to)
{
	for (size_t i = to; i > from; i--) {
		if (p->tokens[i - 1].kind != TOKEN_COMMENT)
			continue;
		struct buf out = { 0 };
		add_unquoted(&out, p->tokens[i - 1].text);
		struct slice text = arena_copy(p->arena, slice_trim(buf_slice(&out)));
		buf_free(&out);
		return encoded_word_decode(p->arena, text);
	}
	return SLICE_EMPTY;
}

/* ---- addresses ---- */

static bool is_word(const struct mailbox_token *t)
{
	return t->kind == TOKEN_ATOM || t->kind == TOKEN_QUOTED;
}

/* A part of an address: tokens [from, to) joined, comments left out. */
static struct slice join(struct parser *p, size_t from, size_t to)
{
	struct buf out = { 0 };
	for (size_t i = from; i < to; i++) {
		const struct mailbox_token *t = &p->tokens[i];
		if (t->kind == TOKEN_COMMENT)
			p->problems |= MAILBOX_INNER_COMMENT;
		else if (t->kind == TOKEN_QUOTED)
			add_unquoted(&out, t->text);
		else
			buf_add_slice(&out, t->text);
		if (i > from && t->spaced)
			p->problems |= MAILBOX_SPACED;
	}
	struct slice s = arena_copy(p->arena, buf_slice(&out));
	buf_free(&out);
	return s;
}

/* Where the local part in front of the "@" at `at` begins: words with dots
 * between them. */
static size_t local_begin(struct parser *p, size_t from, size_t at)
{
	size_t begin = at, i = at;
	bool want_word = true;
	while (i > from) {
		const struct mailbox_token *t = &p->tokens[i - 1];
		if (t->kind != TOKEN_COMMENT) {
			if (want_word ? !is_word(t) && !mailbox_token_is(t, '.') : !mailbox_token_is(t, '.'))
				break;
			want_word = mailbox_token_is(t, '.');
			begin = i - 1;
		}
		i--;
	}
	return begin;
}

/* Where the domain behind the "@" at `at` ends. */
static size_t domain_end(struct parser *p, size_t at, size_t to)
{
	size_t end = at + 1, i = end;
	bool want_atom = true;
	while (i < to) {
		const struct mailbox_token *t = &p->tokens[i];
		if (t->kind != TOKEN_COMMENT) {
			if (want_atom ? t->kind != TOKEN_ATOM && t->kind != TOKEN_LITERAL &&
					    !mailbox_token_is(t, '.')
				      : !mailbox_token_is(t, '.'))
				break;
			want_atom = mailbox_token_is(t, '.');
			end = i + 1;
		}
		i++;
	}
	return end;
}

static void set_domain(struct parser *p, struct mailbox *m, struct slice domain)
{
	if (address_literal(domain, NULL)) {
		m->literal = true;
		m->domain = arena_lower(p->arena, domain);
		p->problems |= MAILBOX_LITERAL;
	} else if (address_domain(p->arena, domain, ADDRESS_UTF8 | ADDRESS_LAX, &m->domain) != ADDRESS_OK) {
		m->domain = SLICE_EMPTY;
		p->problems |= MAILBOX_BAD_DOMAIN;
	}
}

static bool has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

static struct slice with_at(struct arena *arena, struct slice local, struct slice domain)
{
	struct buf out = { 0 };
	buf_add_slice(&out, local);
	buf_add_char(&out, '@');
	buf_add_slice(&out, domain);
	struct slice s = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return s;
}

/* The extent of what was taken for the address. */
struct extent {
	size_t from, to;
};

/* The address around the last "@" of tokens [from, to). False: there is none. */
static bool address(struct parser *p, size_t from, size_t to, struct mailbox *m, struct extent *extent_r)
{
	size_t at = SLICE_NPOS, seen = 0;
	for (size_t i = from; i < to; i++)
		if (mailbox_token_is(&p->tokens[i], '@')) {
			at = i;
			seen++;
		}
	if (seen == 0)
		return false;
	if (seen > 1)
		p->problems |= MAILBOX_UNQUOTED_AT;
	*extent_r = (struct extent){ local_begin(p, from, at), domain_end(p, at, to) };
	if ((at > extent_r->from && p->tokens[at].spaced) ||
	    (at + 1 < extent_r->to && p->tokens[at + 1].spaced))
		p->problems |= MAILBOX_SPACED;
	struct slice domain = join(p, at + 1, extent_r->to);
	m->local = join(p, extent_r->from, at);
	m->quoted = at > extent_r->from && p->tokens[at - 1].kind == TOKEN_QUOTED;
	m->utf8 = has_8bit(m->local) || has_8bit(domain);
	m->text = with_at(p->arena, m->local, domain);
	set_domain(p, m, domain);
	if (m->local.len == 0)
		p->problems |= MAILBOX_STRAY;
	if (slice_chr(m->local, '@') != SLICE_NPOS)
		p->problems |= MAILBOX_LOCAL_AT;
	if (slice_find(m->text, SLICE("=?")) != SLICE_NPOS)
		p->problems |= MAILBOX_ENCODED_ADDRESS;
	return true;
}

/* Anything but comments among tokens [from, to). */
static bool has_more(const struct parser *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (p->tokens[i].kind != TOKEN_COMMENT)
			return true;
	return false;
}

/* ---- entries ---- */

static struct list_mailbox *add_entry(struct parser *p)
{
	struct mailbox_list *list = p->list;
	if (list->count == MAILBOX_LIST_MAX) {
		list->problems |= MAILBOX_CUT;
		return NULL;
	}
	if (list->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 4;
		struct list_mailbox *more = arena_array(p->arena, struct list_mailbox, cap);
		if (list->count > 0)
			memcpy(more, list->items, list->count * sizeof(*more));
		list->items = more;
		p->cap = cap;
	}
	return &list->items[list->count++];
}

static void finish_entry(struct parser *p, struct list_mailbox *entry)
{
	if (entry == NULL)
		return;
	entry->group = p->group;
	entry->problems = p->problems;
	p->list->problems |= p->problems;
	p->problems = 0;
}

/* Where the "<" of tokens [from, to) stands whose <> holds an address; that
 * of the first one if none does; `to` if there is no "<". *close_r: its ">". */
static size_t find_angle(struct parser *p, size_t from, size_t to, size_t *close_r)
{
	size_t first = to, first_close = to, open = to;
	bool has_at = false;
	for (size_t i = from; i < to; i++) {
		const struct mailbox_token *t = &p->tokens[i];
		if (mailbox_token_is(t, '<')) {
			if (open != to)
				p->problems |= MAILBOX_NESTED;
			open = i;
			has_at = false;
		} else if (mailbox_token_is(t, '@')) {
			has_at = true;
		} else if (mailbox_token_is(t, '>') && open != to) {
			*close_r = i;
			if (has_at)
				return open;
			if (first == to) {
				first = open;
				first_close = i;
			}
			open = to;
		}
	}
	if (open != to) {
		p->problems |= MAILBOX_UNCLOSED;
		*close_r = to;
		return open;
	}
	*close_r = first_close;
	return first;
}

/* Behind the route of <@a,@b:c@d>, if there is one. */
static size_t skip_route(struct parser *p, size_t from, size_t to)
{
	for (size_t i = to; i > from; i--)
		if (mailbox_token_is(&p->tokens[i - 1], ':')) {
			p->problems |= MAILBOX_ROUTE;
			return i;
		}
	return from;
}

/* An encoded word anywhere but in a display name may be read as an address. */
static void note_encoded(struct parser *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (slice_find(p->tokens[i].text, SLICE("=?")) != SLICE_NPOS)
			p->problems |= MAILBOX_ENCODED_ADDRESS;
}

static void angle_entry(struct parser *p, size_t from, size_t open, size_t close, size_t to)
{
	struct list_mailbox *entry = add_entry(p);
	struct extent extent;
	if (entry == NULL)
		return;
	size_t begin = skip_route(p, open + 1, close);
	if (!address(p, begin, close, &entry->mailbox, &extent)) {
		p->problems |= MAILBOX_NO_ADDRESS;
		note_encoded(p, open, close);
	} else if (has_more(p, begin, extent.from) || has_more(p, extent.to, close)) {
		p->problems |= MAILBOX_STRAY;
	}
	size_t behind = close < to ? close + 1 : to;
	if (has_more(p, behind, to)) {
		p->problems |= MAILBOX_TRAILING;
		note_encoded(p, behind, to);
	}
	entry->display = phrase(p, from, open);
	if (entry->display.len == 0)
		entry->display = comment(p, from, to);
	finish_entry(p, entry);
}

static void bare_entry(struct parser *p, size_t from, size_t to)
{
	struct list_mailbox *entry = add_entry(p);
	struct extent extent;
	if (entry == NULL)
		return;
	if (!address(p, from, to, &entry->mailbox, &extent)) {
		p->problems |= MAILBOX_NO_ADDRESS;
		note_encoded(p, from, to);
		entry->display = phrase(p, from, to);
	} else {
		if (has_more(p, from, extent.from)) {
			p->problems |= MAILBOX_NO_ANGLES;
			note_encoded(p, from, extent.from);
		}
		if (has_more(p, extent.to, to)) {
			p->problems |= MAILBOX_TRAILING;
			note_encoded(p, extent.to, to);
		}
		entry->display = phrase(p, from, extent.from);
		if (entry->display.len == 0)
			entry->display = comment(p, from, to);
	}
	finish_entry(p, entry);
}

/* Where the entry that begins at `from` ends: at a comma, semicolon or colon
 * outside of <>. */
static size_t entry_end(struct parser *p, size_t from)
{
	bool inside = false, route = false;
	size_t i;
	for (i = from; i < p->count; i++) {
		const struct mailbox_token *t = &p->tokens[i];
		if (mailbox_token_is(t, '<')) {
			inside = true;
			route = i + 1 < p->count && mailbox_token_is(&p->tokens[i + 1], '@');
		} else if (mailbox_token_is(t, '>')) {
			inside = false;
		} else if (mailbox_token_is(t, ';') || (mailbox_token_is(t, ',') && !(inside && route)) ||
			   (mailbox_token_is(t, ':') && !inside)) {
			break;
		}
	}
	return i;
}

static void read_entry(struct parser *p, size_t from, size_t to)
{
	size_t close;
	if (!has_more(p, from, to))
		return; /* an empty place in the list, RFC 5322 4.4 */
	size_t open = find_angle(p, from, to, &close);
	if (open < to)
		angle_entry(p, from, open, close, to);
	else
		bare_entry(p, from, to);
}

static void begin_group(struct parser *p, size_t from, size_t to)
{
	if (p->in_group)
		p->list->problems |= MAILBOX_STRAY;
	p->group = phrase(p, from, to);
	p->list->problems |= p->problems;
	p->problems = 0;
	p->in_group = true;
	p->list->groups++;
}

static void end_group(struct parser *p)
{
	if (!p->in_group)
		p->list->problems |= MAILBOX_STRAY;
	p->in_group = false;
	p->group = SLICE_EMPTY;
}

void mailbox_list_parse(struct arena *arena, struct slice value, struct mailbox_list *list_r)
{
	struct mailbox_tokens tokens;
	*list_r = (struct mailbox_list){ 0 };
	mailbox_lex(value, &tokens);
	struct parser p = { .arena = arena, .tokens = tokens.list, .count = tokens.count, .list = list_r };
	while (p.at < p.count) {
		size_t end = entry_end(&p, p.at);
		bool colon = end < p.count && mailbox_token_is(&p.tokens[end], ':');
		if (colon)
			begin_group(&p, p.at, end);
		else
			read_entry(&p, p.at, end);
		if (end < p.count && mailbox_token_is(&p.tokens[end], ';'))
			end_group(&p);
		p.at = end + 1;
	}
	if (p.in_group)
		list_r->problems |= MAILBOX_UNCLOSED;
	list_r->problems |= tokens.problems;
	free(tokens.list);
}

/* ---- the other reading ---- */

static bool is_domain_char(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_' || c == '.' || (unsigned char)c >= 0x80;
}

static bool is_local_char(char c)
{
	return is_domain_char(c) || (c > ' ' && c < 127 && strchr("()<>[]:;@\\,\"", c) == NULL);
}

static void scan_addresses(struct arena *arena, struct slice s, mailbox_found *found, void *arg)
{
	for (size_t at = 0; at < s.len; at++) {
		if (s.data[at] != '@')
			continue;
		size_t begin = at, end = at + 1;
		while (begin > 0 && is_local_char(s.data[begin - 1]))
			begin--;
		while (end < s.len && is_domain_char(s.data[end]))
			end++;
		struct slice text = slice_sub(s, at + 1, end - at - 1), domain = text;
		if (text.len == 0)
			continue;
		if (address_domain(arena, text, ADDRESS_UTF8 | ADDRESS_LAX, &domain) != ADDRESS_OK)
			domain = text;
		found(arg, slice_sub(s, begin, at - begin), domain);
	}
}

void mailbox_list_careless(struct arena *arena, struct slice value, mailbox_found *found, void *arg)
{
	struct buf unfolded = { 0 };
	scan_addresses(arena, value, found, arg);
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] != '\r' && value.data[i] != '\n')
			buf_add_char(&unfolded, value.data[i]);
	struct slice decoded = encoded_word_decode(arena, arena_copy(arena, buf_slice(&unfolded)));
	buf_free(&unfolded);
	scan_addresses(arena, decoded, found, arg);
}

static const struct {
	unsigned problem;
	const char *text;
} texts[] = {
	{ MAILBOX_CONTROL, "control characters" },
	{ MAILBOX_ENCODED_ADDRESS, "an encoded word in an address" },
	{ MAILBOX_ROUTE, "a source route" },
	{ MAILBOX_NESTED, "angle brackets within angle brackets" },
	{ MAILBOX_UNQUOTED_AT, "an address in a display name without quotes" },
	{ MAILBOX_TRAILING, "text behind the address" },
	{ MAILBOX_UNCLOSED, "a quote, comment, bracket or group without an end" },
	{ MAILBOX_STRAY, "a special character out of place" },
	{ MAILBOX_INNER_COMMENT, "a comment within an address" },
	{ MAILBOX_SPACED, "white space within an address" },
	{ MAILBOX_NO_ANGLES, "a name and an address without angle brackets" },
	{ MAILBOX_BAD_DOMAIN, "a domain that is none" },
	{ MAILBOX_LITERAL, "an address literal for a domain" },
	{ MAILBOX_NO_ADDRESS, "no address" },
	{ MAILBOX_LOCAL_AT, "an @ in the local part" },
	{ MAILBOX_CUT, "too many mailboxes" },
};

const char *mailbox_problem_text(unsigned problems)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (problems & texts[i].problem)
			return texts[i].text;
	return NULL;
}
