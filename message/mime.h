#ifndef GATEHOUSE_MESSAGE_MIME_H
#define GATEHOUSE_MESSAGE_MIME_H
/*
 * mime: the tree of parts (RFC 2045, 2046), as mail readers see it.
 *
 * Parts point into the message; nothing is copied until a part is decoded.
 * Linear in the size of the message, bounded in parts and depth. Where
 * readers disagree about a broken mail, what one of them could see is there
 * too, as a part marked `alternative`.
 */
#include "message/message.h"
#include "message/parameter.h"
#include "message/transfer_encoding.h"

struct html;

enum mime_engine {
	MIME_ENGINE_OWN,
	MIME_ENGINE_GMIME,   /* message/mime_gmime.h; a mail over the limits goes to our own */
};

struct mime_limits {
	enum mime_engine engine;
	size_t parts;        /* more are not split off: what is left stays one part. 0: 1,000 */
	unsigned depth;      /* 0: 50 */
	size_t headers;      /* per part. 0: 1,000 */
};

enum part_defect {
	PART_NO_BOUNDARY = 1 << 0,       /* multipart without the parameter, or it is empty */
	PART_BOUNDARY_UNSEEN = 1 << 1,   /* no delimiter line in the body */
	PART_UNCLOSED = 1 << 2,          /* no closing delimiter */
	PART_NO_HEADERS = 1 << 3,        /* first line after a delimiter is not a field */
	PART_NO_BLANK_LINE = 1 << 4,     /* fields run into the body without one */
	PART_BAD_TYPE = 1 << 5,          /* Content-Type unreadable or doubled */
	PART_BAD_ENCODING = 1 << 6,      /* Content-Transfer-Encoding unknown, doubled, or on a multipart */
	PART_DIRTY_ENCODING = 1 << 7,    /* see decoded_bytes; known once decoded */
	PART_BAD_CHARSET = 1 << 8,       /* unknown label, or bytes invalid in it; known once decoded */
	PART_TOO_DEEP = 1 << 9,          /* not taken apart: limits */
	PART_TOO_MANY = 1 << 10,
	PART_EPILOGUE = 1 << 11,         /* text behind the closing delimiter */
	PART_PREAMBLE = 1 << 12,         /* text before the first delimiter */
	PART_BROKEN_HEADER = 1 << 13,    /* a line in the header section that is no field */
	PART_ODD_PARAMETERS = 1 << 14,   /* see parameters.odd */
	PART_ODD_BOUNDARY = 1 << 15,     /* found by a delimiter that is not the declared one */
};

struct part {
	int parent;                  /* index; -1: the message itself (always part 0) */
	unsigned depth;              /* 0: the message itself */
	size_t children;             /* how many parts proper (no other readings) it has */
	struct slice type;           /* effective, lower case: "text/plain" where missing or unreadable */
	struct slice declared_type;  /* as the header has it, lower case; empty: none */
	struct parameters content_type, content_disposition;
	struct slice charset;        /* label, lower case; empty: none */
	struct slice boundary;       /* of a multipart */
	struct slice name;           /* file name: Content-Disposition's, else Content-Type's; UTF-8, decoded */
	struct slice *names;         /* all that readers might show, `name` first */
	size_t name_count;
	struct slice disposition;    /* "attachment", "inline"; empty: none */
	struct slice content_id;     /* without <> */
	enum transfer_encoding encoding;
	struct header *headers;      /* the part's own; those of the message for part 0 */
	size_t header_count;
	struct slice raw;            /* header section and body */
	struct slice body;           /* as it stands in the mail */
	size_t begin;                /* offset of raw in the message; SIZE_MAX: in a decoded message/rfc822 */
	unsigned defects;            /* enum part_defect */
	bool is_multipart;           /* has been taken apart, or tried to */
	bool is_message;             /* message/rfc822 or message/global; its one child is the message inside */
	bool is_text;                /* text/plain or other text shown as such */
	bool is_html;                /* text/html, or a name that readers open as such */
	bool is_attachment;          /* a leaf that readers offer as a file: by disposition, name or type */
	bool alternative;            /* another reading of something broken: no text of the mail, but a file */

	/* Made on demand by part_bytes(), part_text(), part_html(). */
	bool have_bytes, have_text;
	struct slice bytes, text;
	struct html *html;
};

struct mime {
	struct arena *arena;
	struct part *parts;
	size_t count, cap;
	struct mime_limits limits;
	unsigned defects;            /* of all parts together */
	unsigned max_depth;
	size_t overhead;             /* internal: bytes decoded for nested messages */
};

/* m must be parsed. In the message's arena. limits may be NULL. */
struct mime *mime_parse(const struct message *m, const struct mime_limits *limits);

/* The nth header of that name in the part; NULL: none. */
const struct header *part_header(const struct part *part, struct slice name, size_t nth);

/* Transfer encoding undone. Kept. */
struct slice part_bytes(struct mime *mime, struct part *part);
/* Text parts: UTF-8, CRLF and bare CR as LF. Kept. HTML stays HTML. */
struct slice part_text(struct mime *mime, struct part *part);

#endif
