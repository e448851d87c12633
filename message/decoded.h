#ifndef GATEHOUSE_MESSAGE_DECODED_H
#define GATEHOUSE_MESSAGE_DECODED_H
/*
 * decoded: all that rules look at in a mail, made out of its bytes once.
 *
 * Texts are UTF-8 with LF line ends, and defined as SpamAssassin defines them,
 * so that its rules mean the same here.
 */
#include "message/html_text.h"
#include "message/mime.h"
#include "message/uri.h"

struct decode_limits {
	struct mime_limits mime;
	struct html_limits html;
	struct uri_limits uri;
	size_t body_part;        /* rendered bytes of a part that go into body. 0: 50,000 */
	size_t rawbody_part;     /* bytes of a part that go into rawbody. 0: 500,000 */
};

/* A text in the pieces that a rule is matched against one by one; the pieces
 * lie one behind the other in `all` and together are all of it. */
struct text {
	struct slice all;
	struct slice *pieces;
	size_t count;
};

struct decoded {
	struct mime *mime;
	/* By index of message->headers: unfolded, trimmed, encoded words decoded (header_decode). */
	struct slice *headers;
	/* First piece: the subject with a line end ("\n" if none). Then the
	 * rendered text parts, hidden text included; white space of a kind is one
	 * space, paragraphs end in a line end, pieces are at most 2,048 octets. */
	struct text body;
	/* The same, without subject, of what the eye sees, and of what it doesn't. */
	struct text visible, hidden;
	/* Text parts, transfer encoding undone, not rendered nor converted:
	 * pieces of 2 to 4 KB cut at line ends. */
	struct text rawbody;
	/* The whole mail as it came, line ends as LF; made by decoded_full(). */
	struct slice full;
	struct uris uris;
	/* HTML parts in order; those of parts are the same. */
	struct html **html;
	size_t html_count;
	bool missing_blank_line; /* header section ended without one */
	bool cut;                /* some limit left text out */
};

/*
 * m must be complete (PHASE_END) and parsed. Made once, kept as m->decoded,
 * in m's arena. limits may be NULL. Pure: may run in a job.
 */
struct decoded *message_decode(struct message *m, const struct decode_limits *limits);

/* Decoded value of a header of m; works before message_decode() too. */
struct slice message_header_text(struct message *m, const struct header *h);
struct slice decoded_full(struct message *m);

/* Opens all that decoding needs of files: before the sandbox closes. */
void message_decode_preload(void);

#endif
