#ifndef GATEHOUSE_PROXY_SMTP_DATA_H
#define GATEHOUSE_PROXY_SMTP_DATA_H
/*
 * smtp_data: the only authority over line endings and the end of data
 * (RFC 5321 2.3.8, 4.1.1.4, 4.5.2; RFC 3030).
 *
 * In: what a client sends after DATA, or in BDAT chunks. Out: the canonical
 * message: each line ends in CRLF, no other CR or LF, no NUL, not
 * dot-stuffed. The data end at <CRLF>.<CRLF> and nowhere else; the start of
 * the data counts as behind a CRLF. A dot is un-stuffed behind a CRLF only:
 * one behind a bare LF is text, and the emitter stuffs it again.
 *
 * Data that are to be refused are read to their true end all the same. From
 * the octet on that decided it nothing more is put out, and what was put out
 * before is of no use. So no caller can pass on by mistake what must not.
 *
 * The emitter is the way out: smtp_stuff_feed() checks again that the bytes
 * are canonical, whoever made them.
 */
#include "base/buf.h"
#include "message/hit.h"
#include "policy/config.h"

enum smtp_data_mode {
	SMTP_DATA_DOT,    /* DATA: dots are stuffed, ends at <CRLF>.<CRLF> */
	SMTP_DATA_CHUNKS, /* BDAT, text: no dots, its end is known from outside */
	SMTP_DATA_BINARY, /* BDAT, BODY=BINARYMIME: untouched, only measured */
};

/* What was seen. Those of SMTP_DATA_REFUSED refuse the message. */
enum smtp_data_flag {
	SMTP_DATA_BARE_LF = 1 << 0,     /* normalised, or refused if the limits say so */
	SMTP_DATA_BARE_CR = 1 << 1,
	SMTP_DATA_NUL = 1 << 2,
	SMTP_DATA_LONG_LINE = 1 << 3,   /* over 998 octets: a symptom only */
	SMTP_DATA_HUGE_LINE = 1 << 4,   /* over limits.line */
	SMTP_DATA_TOO_BIG = 1 << 5,     /* over limits.size */
	SMTP_DATA_8BIT_HEADER = 1 << 6,
	SMTP_DATA_8BIT_BODY = 1 << 7,
	SMTP_DATA_BARE_LF_REFUSED = 1 << 8,
};
#define SMTP_DATA_REFUSED (SMTP_DATA_BARE_CR | SMTP_DATA_NUL | SMTP_DATA_HUGE_LINE | \
			   SMTP_DATA_TOO_BIG | SMTP_DATA_BARE_LF_REFUSED)

#define SMTP_TEXT_LINE_MAX 998 /* without CRLF, RFC 5321 4.5.3.1.6 */

struct smtp_data_limits {
	enum bare_lf bare_lf;
	uint64_t line; /* octets of a line without CRLF; 0: no bound */
	uint64_t size; /* octets of the message; 0: no bound */
};

struct smtp_data {
	struct smtp_data_limits limits;
	enum smtp_data_mode mode;
	unsigned flags;     /* enum smtp_data_flag */
	uint64_t size;      /* canonical octets so far (RFC 1870 5), whether put out or not */
	/* private */
	int state;
	bool in_header;
	uint64_t line_len;
};

void smtp_data_init(struct smtp_data *d, enum smtp_data_mode mode, const struct smtp_data_limits *limits);

/*
 * Takes bytes in, appends canonical ones to out. Returns how many it took:
 * all of them, unless the data ended (*end_r true): what is behind belongs to
 * the next command. *end_r is never set but by SMTP_DATA_DOT. Chunks may be
 * cut anywhere. Not to be called again after the end.
 */
size_t smtp_data_feed(struct smtp_data *d, struct slice in, struct buf *out, bool *end_r);

/*
 * The last chunk is in (BDAT … LAST): judges a CR that came last, and ends an
 * unfinished last line with CRLF, as the backend will get it. Not for
 * SMTP_DATA_DOT.
 */
void smtp_data_finish(struct smtp_data *d, struct buf *out);

/* What to tell the client at the end of data; NULL: nothing wrong. */
const struct refusal *smtp_data_refusal(const struct smtp_data *d);

/* ---- the emitter: canonical bytes to what goes to a backend behind DATA */

struct smtp_stuff {
	/* private */
	int state;
};

void smtp_stuff_init(struct smtp_stuff *s);
/* Appends in, dot-stuffed, to out. Chunks may be cut anywhere. False: a bare
 * CR, bare LF or NUL is among the bytes: a bug; out then holds nothing of
 * this chunk, and the backend's connection is to be dropped. */
bool smtp_stuff_feed(struct smtp_stuff *s, struct slice in, struct buf *out);
/* Appends the CRLF that a last line may lack, and ".<CRLF>". False: the bytes
 * ended in a CR. */
bool smtp_stuff_end(struct smtp_stuff *s, struct buf *out);

#endif
