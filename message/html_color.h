#ifndef GATEHOUSE_MESSAGE_HTML_COLOR_H
#define GATEHOUSE_MESSAGE_HTML_COLOR_H
/* html_color: colours of HTML attributes and CSS. */
#include "base/slice.h"

/* 0xrrggbb, or one of: */
enum { COLOR_INVALID = -1, COLOR_TRANSPARENT = -2, COLOR_INHERIT = -3 };

/* A name, "#rgb", "#rrggbb", "rgb(…)": COLOR_INVALID for what SpamAssassin takes as invalid. */
int32_t html_color(struct slice text);
/* The value of a CSS color or background-color property; also hsl(), and the keywords above. */
int32_t css_color(struct slice value);
/* The first colour in the last layer of a CSS background property; COLOR_INHERIT: there is none. */
int32_t css_background(struct slice value);

/* Is text of one colour on the other next to unreadable? */
bool colors_are_close(int32_t a, int32_t b);

#endif
