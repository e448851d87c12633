#include "message/mailbox_lex.h"

#include "base/arena.h"
#include "message/mailbox_list.h"

#define FIRST_TOKENS 32u

struct lexer {
	struct slice in;
	size_t at;
	bool plain_quotes;    /* quotes are ordinary characters from here on */
	bool plain_parens;
	bool plain_brackets;
	struct mailbox_token *tokens;
	size_t count, cap;
	unsigned problems;
};

static bool is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && !is_white(c)) || c == 127;
}

static bool is_special(char c)
{
	return c != '\0' && strchr("<>,;:@.", c) != NULL;
}

/* Ends the token at `end`; returns where the next one begins, or 0 if it has no end. */
static size_t quoted_end(struct slice in, size_t at, char close)
{
	for (; at < in.len; at++) {
		if (in.data[at] == '\\')
			at++;
		else if (in.data[at] == close)
			return at + 1;
	}
	return 0;
}

static size_t comment_end(struct slice in, size_t at)
{
	size_t depth = 1;
	for (; at < in.len; at++) {
		char c = in.data[at];
		if (c == '\\')
			at++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return at + 1;
	}
	return 0;
}

static bool ends_atom(const struct lexer *l, char c)
{
	return is_white(c) || is_special(c) || c == '\\' || (c == '"' && !l->plain_quotes) ||
	       ((c == '(' || c == ')') && !l->plain_parens) || ((c == '[' || c == ']') && !l->plain_brackets);
}

static size_t atom_end(struct lexer *l)
{
	size_t at = l->at;
	while (at < l->in.len && !ends_atom(l, l->in.data[at])) {
		if (is_control(l->in.data[at]))
			l->problems |= MAILBOX_CONTROL;
		at++;
	}
	return at;
}

static void add_token(struct lexer *l, enum mailbox_token_kind kind, bool spaced, size_t from, size_t to)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : FIRST_TOKENS;
		l->tokens = xrealloc(l->tokens, l->cap * sizeof(*l->tokens));
	}
	l->tokens[l->count++] = (struct mailbox_token){ kind, spaced, slice_sub(l->in, from, to - from) };
}

/* A token that has delimiters, if c opens one and it is closed. */
static bool delimited(struct lexer *l, char c, bool spaced)
{
	size_t end = 0;
	bool *plain = NULL;
	enum mailbox_token_kind kind = TOKEN_QUOTED;
	if (c == '"' && !l->plain_quotes) {
		end = quoted_end(l->in, l->at + 1, '"');
		plain = &l->plain_quotes;
	} else if (c == '(' && !l->plain_parens) {
		end = comment_end(l->in, l->at + 1);
		plain = &l->plain_parens;
		kind = TOKEN_COMMENT;
	} else if (c == '[' && !l->plain_brackets) {
		end = quoted_end(l->in, l->at + 1, ']');
		plain = &l->plain_brackets;
		kind = TOKEN_LITERAL;
	}
	if (plain == NULL)
		return false;
	if (end == 0) {
		*plain = true;
		l->problems |= MAILBOX_UNCLOSED;
		return false;
	}
	for (size_t i = l->at; i < end; i++)
		if (is_control(l->in.data[i]))
			l->problems |= MAILBOX_CONTROL;
	size_t bare = kind != TOKEN_LITERAL;
	add_token(l, kind, spaced, l->at + bare, end - bare);
	l->at = end;
	return true;
}

static void read_tokens(struct lexer *l)
{
	bool spaced = false;
	while (l->at < l->in.len) {
		char c = l->in.data[l->at];
		size_t from = l->at;
		if (is_white(c)) {
			l->at++;
			spaced = true;
			continue;
		}
		if (!delimited(l, c, spaced)) {
			l->at = atom_end(l);
			enum mailbox_token_kind kind = l->at > from    ? TOKEN_ATOM
						       : is_special(c) ? TOKEN_SPECIAL
								       : TOKEN_STRAY;
			if (l->at == from)
				l->at++;
			add_token(l, kind, spaced, from, l->at);
		}
		spaced = false;
	}
}

void mailbox_lex(struct slice value, struct mailbox_tokens *tokens_r)
{
	struct lexer l = { .in = value };
	read_tokens(&l);
	*tokens_r = (struct mailbox_tokens){ l.tokens, l.count, l.problems };
}
