#ifndef GATEHOUSE_MESSAGE_MESSAGE_H
#define GATEHOUSE_MESSAGE_MESSAGE_H
/*
 * message: a mail as bytes, and its header fields found in them.
 *
 * The bytes are canonical (every line ends in CRLF, no bare CR, LF or NUL
 * unless the mail came as BINARYMIME), not dot-stuffed, as the backend gets
 * them, without the lines that Gatehouse itself adds. The command line makes
 * saved mail canonical first. What is decoded out of it (MIME, text, URIs) is
 * made on demand and kept in `decoded` (message/decoded.h).
 */
#include "base/arena.h"

struct header {
	struct slice field;   /* the whole field, folds and the final CRLF included */
	struct slice name;    /* as it came, white space before the colon cut off */
	struct slice value;   /* all behind the colon, with its leading space and folds, without the final CRLF */
	bool broken;          /* a line without a colon or with an unusable name; name is then empty, value the whole line */
};

struct message {
	struct arena *arena;
	struct slice raw;        /* all of it: header section, blank line, body. At PHASE_HEADERS only the header section */
	struct slice head;       /* the header section without the blank line */
	struct slice body;       /* behind the blank line; empty before PHASE_END */
	struct header *headers;  /* in order of appearance */
	size_t header_count;
	bool head_cut;           /* over max_headers: the rest was not parsed */
	uint64_t size;           /* octets of the whole message; known at PHASE_END */
	bool had_bare_lf;        /* the line-ending authority mended something */
	bool had_long_line;      /* a line over 998 octets */
	bool had_8bit_header;
	struct decoded *decoded; /* NULL until message_decode() */
};

/*
 * Finds the header section of raw and its fields (RFC 5322 2.2; folded lines
 * belong to the field above). Sets raw, head, headers, and body if the blank
 * line is there. The message points into raw. At most max_headers fields.
 * May be called again when more of raw has come.
 */
void message_parse(struct message *m, struct arena *arena, struct slice raw, size_t max_headers);

/* The nth (0 = first from the top) field of that name, case-insensitive; NULL if none. */
const struct header *message_header(const struct message *m, struct slice name, size_t nth);
/* The next field below `after` with its name; NULL if none. Loops over all of a name go by this: linear. */
const struct header *message_header_next(const struct message *m, const struct header *after);
size_t message_header_count(const struct message *m, struct slice name);

/* The value unfolded (CRLF before white space removed, RFC 5322 2.2.3), trimmed. */
struct slice header_unfold(struct arena *arena, struct slice value);

#endif
