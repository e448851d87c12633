#ifndef GATEHOUSE_MESSAGE_CHARSET_H
#define GATEHOUSE_MESSAGE_CHARSET_H
/*
 * charset: text in whatever a mail says it is in, or forgot to say, to UTF-8.
 *
 * Labels are looked up as mail carries them: aliases, quotes, case, language
 * suffixes (RFC 2231 5). A label that is wrong on the face of the bytes gives
 * way to what they are: valid UTF-8 with non-ASCII stays UTF-8; unknown or
 * missing labels and unlabelled 8-bit text are guessed by script. What can't
 * be converted becomes U+FFFD. Pure; thread-safe (converters belong to the
 * thread).
 */
#include "base/arena.h"

struct charset_info {
	const char *used;     /* what was converted from: "UTF-8", "WINDOWS-1251"; static */
	bool guessed;         /* the label was missing, unknown or plainly wrong */
	bool unknown_label;   /* there was one, and nobody knows it */
	bool invalid;         /* some bytes could not be converted */
};

/* Opens every converter once, so that no file is needed later: call it before
 * the sandbox closes. Returns how many charsets there are. */
size_t charset_preload(void);

/* The name of the converter for a label, NULL if unknown; "US-ASCII" and
 * "UTF-8" among them. Static. */
const char *charset_find(struct slice label);

/* bytes as UTF-8; bytes itself where it is that already. info_r may be NULL. */
struct slice charset_to_utf8(struct arena *arena, struct slice bytes, struct slice label,
			     struct charset_info *info_r);
/* As the above, but a known label is obeyed although the bytes look like
 * UTF-8: for encoded words, whose label is the sender's own. */
struct slice charset_to_utf8_as_said(struct arena *arena, struct slice bytes, struct slice label,
				     struct charset_info *info_r);

#endif
