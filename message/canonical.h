#ifndef GATEHOUSE_MESSAGE_CANONICAL_H
#define GATEHOUSE_MESSAGE_CANONICAL_H
/*
 * canonical: a saved mail as it would have come over SMTP. For files only:
 * content that comes by SMTP has its own authority over line ends.
 */
#include "base/arena.h"

struct canonical {
	struct slice bytes;      /* every line ends in CRLF; NULs stay. The file itself if it was
	                          * so already, else in the arena */
	struct slice mbox_from;  /* the mbox "From " line that stood first, without line end; not in bytes */
	bool had_bare_lf;        /* LF and CRLF mixed: a file with LF throughout is only saved that way */
	bool had_bare_cr;        /* became a space in the header section, CRLF in the body */
	bool had_nul;
	bool had_long_line;      /* over 998 octets, RFC 5322 2.1.1 */
};

struct canonical message_canonical(struct arena *arena, struct slice file);

#endif
