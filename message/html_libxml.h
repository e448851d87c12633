#ifndef GATEHOUSE_MESSAGE_HTML_LIBXML_H
#define GATEHOUSE_MESSAGE_HTML_LIBXML_H
/*
 * html_libxml: tags and texts by libxml2's SAX push parser, the second engine
 * behind html_render(). Includes libxml. It leaves out end tags that match
 * nothing and repairs nesting, so counts of tags differ from SpamAssassin's.
 */
#include "message/html_token.h"

/* Calls fn for each token of source; what the token holds lives as long as the call. */
void html_libxml_parse(struct slice source, void (*fn)(void *arg, const struct html_token *token), void *arg);

#endif
