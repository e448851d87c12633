#ifndef GATEHOUSE_MESSAGE_HTML_TOKEN_H
#define GATEHOUSE_MESSAGE_HTML_TOKEN_H
/*
 * html_token: HTML as tags, texts and comments, cut as browsers cut it (HTML
 * Living Standard 13.2.5, without its tree building). Linear; reads each
 * octet once.
 */
#include "base/arena.h"

struct html_attribute {
	struct slice name;    /* lower case */
	struct slice value;   /* entities decoded */
};

#define HTML_ATTRIBUTES_MAX 64u

enum html_token_type { HTML_START, HTML_END, HTML_TEXT, HTML_COMMENT, HTML_DECLARATION, HTML_RAW_TEXT };

struct html_token {
	enum html_token_type type;
	struct slice name;             /* of tags: lower case */
	struct slice text;             /* entities decoded; of comments: between the marks; RAW_TEXT: of script, style */
	struct html_attribute attributes[HTML_ATTRIBUTES_MAX];
	size_t attribute_count;        /* the first of a name counts */
};

struct html_tokens {
	struct arena *arena;
	struct slice rest;
	struct slice raw_until;        /* inside such an element: its name */
	bool raw_decodes;              /* title, textarea: entities count */
};

void html_tokens_init(struct html_tokens *t, struct arena *arena, struct slice source);
/* False: the end. *token_r is overwritten. */
bool html_token_next(struct html_tokens *t, struct html_token *token_r);

/* The value of an attribute; NULL: it has none of that name. */
const struct slice *html_attribute(const struct html_token *token, const char *name);

#endif
