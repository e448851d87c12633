#ifndef GATEHOUSE_MESSAGE_HTML_RENDER_H
#define GATEHOUSE_MESSAGE_HTML_RENDER_H
/* html_render: what html_text.c and html_facts.c share. Private to them. */
#include "message/html_element.h"
#include "message/html_text.h"
#include "message/html_token.h"

#define HTML_OTHER_TAGS 256u  /* names that are no elements, of which each is counted */

/* A colour and size as SpamAssassin follows them. */
struct html_look {
	uint16_t element;
	bool display_none, visibility_hidden;
	double size;               /* 1 … 7 scale */
	int32_t color, background;
};

/* The state behind struct html_facts. */
struct html_counter {
	struct arena *arena;
	struct html_facts *facts;
	int open[HTML_ELEMENTS_MAX + HTML_OTHER_TAGS];
	unsigned starts[HTML_ELEMENTS_MAX + HTML_OTHER_TAGS];
	bool seen[HTML_ELEMENTS_MAX + HTML_OTHER_TAGS];
	struct slice other[HTML_OTHER_TAGS];
	size_t other_count;
	struct html_look *looks;   /* a stack */
	size_t look_count, look_cap;
	unsigned stacked[HTML_ELEMENTS_MAX]; /* how often each stands in the stack */
	size_t td, tr, font, a, title, script, style; /* numbers of these elements */
	double base_size;
	unsigned tags_seen, elements_seen, closed_extra, obfuscation;
	uint64_t backhair;         /* set of (length before, length behind), 8 × 8 */
};

void html_counter_init(struct html_counter *c, struct arena *arena, struct html_facts *facts);
/* element is NULL for names that are none. */
void html_count_start(struct html_counter *c, const struct html_token *token,
	const struct html_element *element);
void html_count_end(struct html_counter *c, struct slice name, const struct html_element *element);
/* before: what was rendered last. True: invisible, as SpamAssassin has it. */
bool html_count_text(struct html_counter *c, struct slice before, struct slice text);
void html_counter_finish(struct html_counter *c);
bool html_is_blank(struct slice text);

#endif
