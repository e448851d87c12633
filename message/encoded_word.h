#ifndef GATEHOUSE_MESSAGE_ENCODED_WORD_H
#define GATEHOUSE_MESSAGE_ENCODED_WORD_H
/*
 * encoded_word: =?charset?B?…?= (RFC 2047, with RFC 2231's language) in
 * header values, as mail readers take it: also inside quotes, without white
 * space around, with white space inside, and characters split across words.
 */
#include "base/arena.h"
#include "base/buf.h"

/*
 * All encoded words in text decoded; white space between two of them goes;
 * raw 8-bit octets become UTF-8 (charset.h). text is unfolded. Returns text
 * itself where nothing is to do. The result is valid UTF-8 and may hold any
 * character, line ends and NUL too: decode only what has been taken apart
 * (a display name, not a From value).
 */
struct slice encoded_word_decode(struct arena *arena, struct slice text);

/*
 * A header value for people and rules: unfolded, trimmed, decoded. Fields
 * that hold no text (Received, Message-ID, Date, References, List-* …) keep
 * what looks like an encoded word.
 */
struct slice header_decode(struct arena *arena, struct slice name, struct slice value);

/*
 * Appends text (UTF-8, printable, of one line) to a header's value: as it is
 * where it is ASCII and nothing that a reader would decode, else as encoded
 * words of at most 75 characters, with fold (" ", "\r\n\t") between them.
 */
void encoded_word_add(struct buf *out, struct slice text, const char *fold);

#endif
