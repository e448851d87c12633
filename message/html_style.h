#ifndef GATEHOUSE_MESSAGE_HTML_STYLE_H
#define GATEHOUSE_MESSAGE_HTML_STYLE_H
/*
 * html_style: as much of CSS as decides whether a text is seen: inline
 * styles, and style sheets whose selectors are a name, a class, an id or two
 * of them together. What is inside a media query counts only where that asks
 * nothing of the screen.
 */
#include "base/arena.h"

struct html_style {
	unsigned hidden;     /* enum html_hidden: what holds for all inside too */
	bool not_visible;    /* visibility: hidden; an element inside may undo it */
	double font_px;
	int32_t color, background; /* 0xrrggbb; COLOR_INHERIT: an image, nobody knows */
	bool color_clear;    /* transparent text */
};

void html_style_default(struct html_style *style);
/* declarations as in a style attribute; style holds the parent's, and what came before. */
void html_style_apply(struct html_style *style, struct slice declarations);
/* Why text in this style is not seen, enum html_hidden; 0: it is. */
unsigned html_style_hides(const struct html_style *style);

struct html_sheet;
struct html_sheet *html_sheet_create(struct arena *arena);
void html_sheet_add(struct html_sheet *sheet, struct slice css);
/* Applies the rules that select an element of this name, classes and id. */
void html_sheet_apply(struct html_sheet *sheet, struct html_style *style, struct slice name,
		      const struct slice *classes, const struct slice *id);

/* Calls fn for each declaration: "color: red; …". Quotes and parentheses keep together. */
void html_declarations(struct slice declarations, void (*fn)(void *arg, struct slice name,
	struct slice value),
		       void *arg);

#endif
