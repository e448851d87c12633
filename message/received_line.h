#ifndef GATEHOUSE_MESSAGE_RECEIVED_LINE_H
#define GATEHOUSE_MESSAGE_RECEIVED_LINE_H
/* received_line: a trace field cut into its words, for received.c and received_read.c alone. */
#include "message/received.h"

#define RECEIVED_GROUPS 8u

enum received_group_kind {
	GROUP_OTHER,
	GROUP_HELO,        /* (HELO name) */
	GROUP_NAME_IP,     /* (name [ip] …), (name[ip]) */
	GROUP_BRACKET_IP,  /* ([ip] …), (ident@[ip]) */
	GROUP_BARE_IP,     /* (ip …), (ident@ip) */
	GROUP_SQUARE,      /* [ip] without parentheses */
};

struct received_group {
	enum received_group_kind kind;
	struct slice text;      /* all of it, without parentheses */
	struct slice name, ip, ident;
	struct slice rest;      /* behind the address */
	bool has_ident, glued, spaced, port;
};

struct received_line {
	struct slice whole;     /* white space squeezed, without date */
	bool lower;             /* begins with "from ", not "FROM " */
	bool parenthesised;     /* "(from …) by" */
	struct slice from;      /* first word */
	struct slice from_ip;   /* it is an address */
	bool from_bracketed, from_port, from_glued;
	struct received_group groups[RECEIVED_GROUPS];
	size_t group_count;
	struct slice by;
	struct slice tail;      /* behind the "by" name */
};

enum received_kind { RECEIVED_RELAY, RECEIVED_HARMLESS, RECEIVED_UNPARSEABLE };

enum received_kind received_read(const struct received_line *line, struct relay *relay_r);
size_t received_ip(struct slice s);
/* The word behind key ("helo="), up to a space or ")". */
struct slice received_value_of(struct slice s, const char *key);

#endif
