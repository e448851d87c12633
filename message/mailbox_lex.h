#ifndef GATEHOUSE_MESSAGE_MAILBOX_LEX_H
#define GATEHOUSE_MESSAGE_MAILBOX_LEX_H
/*
 * mailbox_lex: the tokens of an address field (RFC 5322 3.2). A quote, comment
 * or literal that is never closed is an ordinary character, and so are all of
 * its kind behind it: the value is read once more from there, at most once for
 * each kind, so that the time stays linear.
 */
#include "base/slice.h"

enum mailbox_token_kind {
	TOKEN_ATOM,
	TOKEN_QUOTED,   /* text is what stands between the quotes */
	TOKEN_COMMENT,  /* between the parentheses */
	TOKEN_LITERAL,  /* with its brackets */
	TOKEN_SPECIAL,  /* one of < > , ; : @ . */
	TOKEN_STRAY,    /* ) ] \ and what was left of an unclosed thing */
};

struct mailbox_token {
	enum mailbox_token_kind kind;
	bool spaced;          /* white space in front */
	struct slice text;
};

struct mailbox_tokens {
	struct mailbox_token *list; /* malloc */
	size_t count;
	unsigned problems;    /* MAILBOX_UNCLOSED, MAILBOX_CONTROL */
};

void mailbox_lex(struct slice value, struct mailbox_tokens *tokens_r);

static inline bool mailbox_token_is(const struct mailbox_token *t, char special)
{
	return t->kind == TOKEN_SPECIAL && t->text.data[0] == special;
}

#endif
