#ifndef GATEHOUSE_FILTERS_DKIM_CANON_H
#define GATEHOUSE_FILTERS_DKIM_CANON_H
/*
 * dkim_canon: the canonicalisations of RFC 6376 3.4, for DKIM and ARC. Pure.
 * Only CRLF ends a line; a bare CR or LF is a byte like any other. White
 * space is SP and TAB.
 */
#include "base/buf.h"

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* Appends the header field (message.h: header.field) with its final CRLF. */
void dkim_canon_header(struct buf *out, struct slice field, enum dkim_canon canon);

/* The same for the signature itself: the value of its tag b= taken out with
 * the white space around it, and no CRLF at the end (3.7). */
void dkim_canon_signature(struct buf *out, struct slice field, enum dkim_canon canon);

/*
 * The body, chunk by chunk, in whatever pieces; sink gets the canonical bytes
 * up to limit (l=), also in pieces. After dkim_body_end total is the length of
 * the whole canonical body, limit or not.
 */
struct dkim_body {
	enum dkim_canon canon;
	uint64_t limit;                  /* UINT64_MAX: none */
	uint64_t total;
	void (*sink)(void *arg, struct slice bytes);
	void *arg;
	uint64_t line_ends;              /* held back: they may be the body's end */
	bool space;                      /* held back: it may be a line's end */
	bool cr;                         /* the last byte was a CR */
};

void dkim_body_init(struct dkim_body *body, enum dkim_canon canon, uint64_t limit,
		    void (*sink)(void *arg, struct slice bytes), void *arg);
void dkim_body_add(struct dkim_body *body, struct slice chunk);
void dkim_body_end(struct dkim_body *body);

#endif
