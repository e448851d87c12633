#ifndef GATEHOUSE_PROXY_REPLY_H
#define GATEHOUSE_PROXY_REPLY_H
/*
 * reply: SMTP replies, written to clients and read from backends (RFC 5321
 * 4.2, 4.5.3.1.5; enhanced codes RFC 2034, 3463).
 */
#include "base/buf.h"

#define REPLY_LINE_MAX 512 /* with code and CRLF: what we write is folded to it */

struct enhanced_code {
	uint8_t class;           /* 2, 4, 5; 0: none */
	uint16_t subject, detail; /* 0..999 */
};

/* "5.7.1" at the start of text, followed by white space or its end. *len_r
 * (may be NULL): its length with the white space behind. */
bool enhanced_code_parse(struct slice text, struct enhanced_code *code_r, size_t *len_r);

/* ---- writing */

/*
 * Appends a reply. text: "\n" parts lines; all other control characters and
 * bytes over 126 come out as "?" (so nobody can write a second reply into
 * it), long lines are folded at a space. enhanced: "5.7.1", or NULL; it is
 * left out of 3xx replies. No text at all gives a line of the code alone
 * with a neutral word.
 */
void reply_format(struct buf *out, unsigned code, const char *enhanced, struct slice text);
void reply_printf(struct buf *out, unsigned code, const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The enhanced code that says no more than code does: "5.0.0"; never NULL for 2xx, 4xx, 5xx; else NULL. */
const char *reply_enhanced_default(unsigned code);

/* ---- reading */

struct reply {
	unsigned code;                /* 200..599 */
	struct enhanced_code enhanced; /* of its first line, if its class fits the code */
	struct slice text;            /* lines parted by "\n", without codes; printable, bytes over 126 kept */
	size_t lines;
};

enum reply_status {
	REPLY_MORE,     /* the reply is not complete yet */
	REPLY_DONE,
	REPLY_NONSENSE, /* not a reply: drop the connection; why is in parser->problem */
};

struct reply_limits {
	size_t line;  /* octets of a line */
	size_t lines; /* of a reply */
};

struct reply_parser {
	struct reply reply;    /* valid when DONE, until the next feed */
	const char *problem;   /* of NONSENSE; static */
	/* private */
	struct reply_limits limits;
	struct buf line, text;
	bool done;
};

/* limits NULL: 12300 octets, 200 lines. */
void reply_parser_init(struct reply_parser *p, const struct reply_limits *limits);
void reply_parser_free(struct reply_parser *p);
/* Reads until one reply is complete. *consumed_r: octets taken; what is
 * behind a reply stays. After DONE the next feed begins a new reply. */
enum reply_status reply_parse(struct reply_parser *p, struct slice in, size_t *consumed_r);

#define REPLY_ENHANCED_MAX 24

/* Its enhanced code, or reply_enhanced_default() of its code. May be out, may be static. */
const char *reply_enhanced(const struct reply *reply, char out[REPLY_ENHANCED_MAX]);

/*
 * Appends the backend's reply as our client is to get it: all its lines, its
 * enhanced code or the neutral one.
 */
void reply_pass_on(struct buf *out, const struct reply *reply);

static inline bool reply_positive(const struct reply *reply)
{
	return reply->code >= 200 && reply->code < 300;
}

#endif
