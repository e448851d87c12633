#ifndef GATEHOUSE_PROXY_SMTP_SYNTAX_H
#define GATEHOUSE_PROXY_SMTP_SYNTAX_H
/*
 * smtp_syntax: the grammar of SMTP command lines (RFC 5321 4.1.2, 4.1.1.11),
 * for both sides. Pure functions; slices point into the line given.
 */
#include "base/arena.h"
#include "base/buf.h"

/* ---- lines */

enum smtp_line_status {
	SMTP_LINE_OK,
	SMTP_LINE_MORE,     /* no line end yet */
	SMTP_LINE_TOO_LONG, /* over max octets */
};

struct smtp_line {
	struct slice text;   /* without its ending */
	size_t consumed;     /* octets to take off the input, the ending included */
	bool bare_lf;        /* ended by LF alone: taken, as real servers do */
	bool ended;          /* TOO_LONG: its end was there, and is consumed; else skip through the next LF */
};

/* The first line of in. max: octets with the ending (512 and more, RFC 5321
 * 4.5.3.1.4). MORE: nothing is consumed. */
enum smtp_line_status smtp_line_next(struct slice in, size_t max, struct smtp_line *line_r);

struct smtp_command {
	struct slice verb;   /* letters and digits as they came; empty: rubbish */
	struct slice arg;    /* behind the white space, trailing white space cut off */
};

/* False: no verb, or a control character in the line (500 5.5.2). Bytes over
 * 126 are left to whom they concern. */
bool smtp_command_parse(struct slice line, struct smtp_command *command_r);

/* ---- parameters */

#define SMTP_PARAMS_MAX 24

struct smtp_param {
	struct slice keyword;
	struct slice value;
	bool has_value;
};

struct smtp_params {
	struct smtp_param list[SMTP_PARAMS_MAX];
	size_t count;
};

enum smtp_syntax_error {
	SMTP_SYNTAX_OK,
	SMTP_SYNTAX_NO_FROM_TO,      /* not "FROM:" or "TO:" */
	SMTP_SYNTAX_NO_PATH,
	SMTP_SYNTAX_BAD_PATH,        /* no closing bracket, rubbish behind it */
	SMTP_SYNTAX_BAD_PARAM,       /* keyword or value with bytes not allowed */
	SMTP_SYNTAX_REPEATED_PARAM,
	SMTP_SYNTAX_MANY_PARAMS,
};
const char *smtp_syntax_error_text(enum smtp_syntax_error error);

/* keyword[=value] separated by spaces. */
enum smtp_syntax_error smtp_params_parse(struct slice text, struct smtp_params *params_r);
/* Case-insensitive; NULL if it isn't there. */
const struct smtp_param *smtp_params_find(const struct smtp_params *params, struct slice keyword);

/* ---- MAIL and RCPT */

struct smtp_path {
	struct slice path;       /* between the brackets, source route included; empty: <> */
	bool no_brackets;        /* "FROM:a@b": taken, as real servers do */
	bool source_route;       /* begins with "@" */
	struct smtp_params params;
	struct slice params_text; /* as they came */
};

/* arg of MAIL: "FROM:<path> params"; of RCPT: "TO:<path> params". White space
 * behind the colon and before ">" or at the end is taken. The path itself is
 * for address_parse(), once the parameters say whether SMTPUTF8 holds. */
enum smtp_syntax_error smtp_mail_parse(struct slice arg, struct smtp_path *path_r);
enum smtp_syntax_error smtp_rcpt_parse(struct slice arg, struct smtp_path *path_r);

/* ---- the other commands */

enum smtp_helo {
	SMTP_HELO_DOMAIN,       /* letters, digits, hyphens; two labels or more */
	SMTP_HELO_SINGLE,       /* one label: "localhost" */
	SMTP_HELO_LITERAL,      /* [192.0.2.1], [IPv6:2001:db8::1] */
	SMTP_HELO_BARE_IP,      /* 192.0.2.1 without brackets: wrong, and telling */
	SMTP_HELO_SLOPPY,       /* a name with bytes that host names don't have ("my_pc", UTF-8) */
	SMTP_HELO_EMPTY,        /* nothing given */
	SMTP_HELO_GARBAGE,      /* no name at all: "@", "[x", invalid UTF-8, over 255 octets */
};

/* *name_r: the first word, to be logged and kept (not for EMPTY; of GARBAGE
 * only to be shown). More words make a name SLOPPY. *ip_r: of the literal or
 * bare address; may be NULL. */
struct ip;
enum smtp_helo smtp_helo_parse(struct slice arg, struct slice *name_r, struct ip *ip_r);

/* "n [LAST]", RFC 3030 2. */
bool smtp_bdat_parse(struct slice arg, uint64_t *size_r, bool *last_r);

struct smtp_auth {
	struct slice mechanism;  /* RFC 4422 3.1: 1 to 20 of A-Z 0-9 - _, in any case */
	bool has_initial;
	struct slice initial;    /* base64 as it came; "=" (an empty response) is empty */
};
bool smtp_auth_parse(struct slice arg, struct smtp_auth *auth_r);
/* A response line of the client: base64, perhaps of nothing, or the "*" that cancels. */
bool smtp_auth_is_response(struct slice line);

/* xtext, RFC 3461 4. Decoding fails on a byte that isn't xtext. */
bool smtp_xtext_decode(struct arena *arena, struct slice text, struct slice *bytes_r);
bool smtp_is_xtext(struct slice text);
void smtp_xtext_encode(struct buf *out, struct slice bytes);

/* Values of the parameters of DSN (RFC 3461 4): FULL or HDRS; xtext of at most
 * 100 octets; NEVER alone, or SUCCESS, FAILURE and DELAY once each; type;xtext
 * of at most 500 octets (of the type utf-8 as RFC 6533 3 writes it). */
bool smtp_dsn_ret_ok(struct slice value);
bool smtp_dsn_envid_ok(struct slice value);
bool smtp_dsn_notify_ok(struct slice value);
bool smtp_dsn_orcpt_ok(struct slice value);

#endif
