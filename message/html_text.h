#ifndef GATEHOUSE_MESSAGE_HTML_TEXT_H
#define GATEHOUSE_MESSAGE_HTML_TEXT_H
/*
 * html_text: what the eye sees of an HTML part, what is hidden from it, its
 * links, and the counts that rules ask for. Linear on any input, bounded in
 * what is kept; never fails.
 */
#include "base/arena.h"

enum html_engine {
	HTML_ENGINE_OWN,
	HTML_ENGINE_LIBXML,  /* message/html_libxml.h */
};

struct html_limits {
	enum html_engine engine;
	size_t links;       /* kept. 0: 10,000 */
	size_t source;      /* octets looked at. 0: 8 MB */
};

enum html_hidden {              /* why text is hidden */
	HTML_HIDDEN_DISPLAY = 1 << 0,     /* display:none, hidden attribute */
	HTML_HIDDEN_VISIBILITY = 1 << 1,  /* visibility:hidden, opacity 0 */
	HTML_HIDDEN_SIZE = 1 << 2,        /* font-size of 0, 1, 2 px; <font size=0 or 1> */
	HTML_HIDDEN_COLOUR = 1 << 3,      /* (nearly) the background's colour */
	HTML_HIDDEN_OFF_SCREEN = 1 << 4,  /* far negative position, indent or margin; clipped; no width or height */
	HTML_HIDDEN_MAX_HEIGHT = 1 << 5,  /* max-height:0 and the like, as preheaders use it */
};

/* A place that leads somewhere. */
struct html_link {
	const char *tag;        /* "a", "img", "form", "meta" … static */
	struct slice uri;       /* trimmed, resolved against <base> (RFC 3986 5), UTF-8 */
	struct slice written;   /* the attribute's value, entities undone, trimmed */
	struct slice text;      /* of <a>: what stands inside, "<img>" for an image; else empty */
	bool hidden;            /* its place is hidden */
	size_t anchor;          /* of <a>: index into html->anchors; SIZE_MAX: none */
};

struct html_tag {
	struct slice name;      /* lower case */
	int open;               /* starts minus ends, never below 0: 1 is an unclosed one */
	unsigned starts;
};

/* The names are those of SpamAssassin's html_eval() and html_test(). */
struct html_facts {
	double ratio;                  /* of markup to all */
	double closed_extra_ratio, bad_tag_ratio, non_element_ratio, obfuscation_ratio;
	unsigned backhair_count;
	unsigned tags, elements;
	size_t length;                 /* of the source, characters */
	size_t html_length;            /* of the rendered text, characters */
	size_t non_space_len;
	uint64_t image_area;           /* pixels, guessed where not said */
	unsigned images, images_sized_1; /* all; those of at most 1 × 1: trackers */
	unsigned links, forms, password_inputs, scripts, iframes, styles, comments;
	double min_size, max_size;     /* font size, 1 … 7 scale */
	bool font_low_contrast, font_invalid_color, font_face_bad;
	bool form_action_mailto, embeds, uri_truncated;
	unsigned hidden;               /* enum html_hidden, of any text */
	size_t hidden_len;             /* characters that are hidden */
	struct slice charsets;         /* from <meta>, separated by spaces */
	struct html_tag *tag_list;     /* every name seen */
	size_t tag_count;
};

struct html {
	struct slice text;             /* all that is rendered, hidden or not, in order: SpamAssassin's body */
	struct slice visible;          /* what the eye sees */
	struct slice hidden;           /* what it does not */
	struct html_link *links;
	size_t link_count;
	struct slice *titles, *anchors, *comments, *scripts; /* texts */
	size_t title_count, anchor_count, comment_count, script_count;
	struct html_facts facts;
};

/* source: UTF-8 (part_text()). limits may be NULL. */
struct html *html_render(struct arena *arena, struct slice source, const struct html_limits *limits);
/* NULL: never seen. */
const struct html_tag *html_tag_find(const struct html *html, struct slice name);

#endif
