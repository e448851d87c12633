#ifndef GATEHOUSE_MESSAGE_HTML_ELEMENT_H
#define GATEHOUSE_MESSAGE_HTML_ELEMENT_H
/* html_element: what is known of each element by its name. */
#include "base/slice.h"

enum html_element_flag {
	ELEMENT_VALID = 1 << 0,   /* of HTML 4.01 and its kin: what SpamAssassin counts as an element */
	ELEMENT_TRICK = 1 << 1,   /* not one of those, but rendered */
	ELEMENT_STYLES = 1 << 2,  /* SpamAssassin follows its colour and size */
	ELEMENT_VOID = 1 << 3,    /* has no content and no end tag */
	ELEMENT_BLOCK = 1 << 4,   /* its start ends a paragraph */
	ELEMENT_UNSEEN = 1 << 5,  /* its content is not shown */
	ELEMENT_TAKES_STYLE = 1 << 6, /* SpamAssassin reads its style attribute */
};

enum html_space { SPACE_NONE, SPACE_LINE, SPACE_SPACE, SPACE_PARAGRAPH };

struct html_element {
	const char *name;
	unsigned flags;
	enum html_space space;    /* that its tags put into the text */
	const char *uri;          /* attribute that holds one */
};

#define HTML_ELEMENTS_MAX 160u

/* By lower-case name; NULL: none of these. */
const struct html_element *html_element_find(struct slice name);
/* 0 … HTML_ELEMENTS_MAX - 1. */
size_t html_element_index(const struct html_element *element);
const char *html_element_name(size_t index);

#endif
