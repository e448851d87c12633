#ifndef GATEHOUSE_BASE_SETTINGS_LEX_H
#define GATEHOUSE_BASE_SETTINGS_LEX_H
/*
 * settings_lex: the tokens of a configuration file, as libconfuse has them:
 * words, "strings" with escapes, 'strings' without, { } = , ( ) and the
 * comments #, // and C's. Stricter than libconfuse where it is silent: no
 * expansion of ${X}, no string over a line's end, no NUL or other control
 * character, no bytes that are not UTF-8, no unknown escape, no word glued
 * to a string or a comment.
 */
#include "base/arena.h"

enum token_kind {
	TOKEN_WORD,
	TOKEN_STRING,
	TOKEN_OPEN,     /* { */
	TOKEN_CLOSE,    /* } */
	TOKEN_EQUALS,
	TOKEN_COMMA,
	TOKEN_PAREN,    /* ( or ): only behind include */
	TOKEN_END,      /* of the text */
	TOKEN_ERROR,    /* text says what is wrong; nothing follows */
};

struct token {
	enum token_kind kind;
	struct slice text;  /* of words and strings: unescaped, NUL-terminated, without NUL inside */
	struct slice file;
	unsigned line;
};

struct lexer {
	struct arena *arena;
	struct slice rest;
	struct slice file;
	unsigned line;
	bool expanded;      /* `#line N "file"` comments set file and line */
};

/* A text that settings_text() made begins with this. */
#define SETTINGS_EXPANDED "#gatehouse-settings 1\n"

struct lexer lexer_begin(struct arena *arena, struct slice file, struct slice text);
struct token lexer_next(struct lexer *lexer);

/* Appends text as a "string" that reads back the same, in libconfuse too. */
struct buf;
void lexer_add_quoted(struct buf *out, struct slice text);

#endif
