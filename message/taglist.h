#ifndef GATEHOUSE_MESSAGE_TAGLIST_H
#define GATEHOUSE_MESSAGE_TAGLIST_H
/*
 * taglist: "a=b; c=d" of DKIM-Signature, ARC fields and key records, as
 * RFC 6376 3.2 writes it, with UTF-8 in values (RFC 8616). Strict: what is
 * not a tag-list is an error as a whole. The slices point into the text.
 */
#include "base/arena.h"

#define TAGLIST_MAX 64 /* tags; real ones have about ten */

struct tag {
	struct slice name;   /* case counts */
	struct slice value;  /* without FWS at its ends; may be empty, may hold folds */
};

struct taglist {
	struct tag tags[TAGLIST_MAX];
	size_t count;
};

enum taglist_error {
	TAGLIST_OK,
	TAGLIST_BAD_NAME,    /* no name before "=", or one with odd characters */
	TAGLIST_NO_EQUALS,
	TAGLIST_BAD_VALUE,   /* a control character, NUL among them */
	TAGLIST_DUPLICATE,
	TAGLIST_TOO_MANY,
};
const char *taglist_error_text(enum taglist_error error);

/* *list_r holds the tags up to the error. A text of nothing but FWS has no
 * tags and is TAGLIST_BAD_NAME. */
enum taglist_error taglist_parse(struct slice text, struct taglist *list_r);

/* NULL if there is no such tag. */
const struct tag *taglist_get(const struct taglist *list, const char *name);

/* The next piece of a ":"-separated value, without FWS around it; false at
 * the end. Start with *rest = the value. */
bool taglist_split(struct slice *rest, struct slice *piece_r);
/* True if one of the value's ":"-separated pieces is word, ASCII case aside. */
bool taglist_has(struct slice value, struct slice word);

/* Without any FWS. */
struct slice taglist_squeeze(struct arena *arena, struct slice value);

/* RFC 6376 2.10 base64string: FWS anywhere, padding right or left out. False
 * on anything else, or nothing at all. */
bool taglist_base64(struct arena *arena, struct slice value, struct slice *bytes_r);

/* RFC 6376 2.11 dkim-quoted-printable, FWS dropped. False: a bad "=". */
bool taglist_qp(struct arena *arena, struct slice value, struct slice *text_r);

#endif
