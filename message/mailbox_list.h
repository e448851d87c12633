#ifndef GATEHOUSE_MESSAGE_MAILBOX_LIST_H
#define GATEHOUSE_MESSAGE_MAILBOX_LIST_H
/*
 * mailbox_list: From, Sender, Reply-To, To and their like (RFC 5322 3.4, with
 * its obsolete forms; groups, RFC 6854), and what mail really carries in
 * their place. Every value gives a list; what was not as it should be is
 * said in `problems`. Linear in the length of the value.
 */
#include "message/envelope.h"

enum mailbox_problem {
	MAILBOX_NO_ADDRESS = 1 << 0,      /* an entry without "@", "<>" too */
	MAILBOX_NO_ANGLES = 1 << 1,       /* words and an address without <> around it */
	MAILBOX_UNQUOTED_AT = 1 << 2,     /* "@" in an unquoted display name, or twice in an address */
	MAILBOX_TRAILING = 1 << 3,        /* something behind ">" or the address that is no comment */
	MAILBOX_NESTED = 1 << 4,          /* "<" within <> */
	MAILBOX_UNCLOSED = 1 << 5,        /* a quote, comment, "<" or group without its end */
	MAILBOX_STRAY = 1 << 6,           /* a special character where none may stand: \ ) ] > : ; */
	MAILBOX_ROUTE = 1 << 7,           /* <@a,@b:c@d>, RFC 5322 4.4 */
	MAILBOX_SPACED = 1 << 8,          /* white space around "." or "@" in an address, 4.4 */
	MAILBOX_INNER_COMMENT = 1 << 9,   /* a comment within an address */
	MAILBOX_BAD_DOMAIN = 1 << 10,     /* the domain can't be one */
	MAILBOX_ENCODED_ADDRESS = 1 << 11, /* an encoded word where an address stands, RFC 2047 5 (3) */
	MAILBOX_CONTROL = 1 << 12,        /* control characters or NUL, as they came */
	MAILBOX_LITERAL = 1 << 13,        /* the domain is an address literal */
	MAILBOX_CUT = 1 << 14,            /* over MAILBOX_LIST_MAX entries */
	MAILBOX_LOCAL_AT = 1 << 15,       /* "@" in a quoted local part */
};

/* Any of these: a mail reader may find another address than we do. */
#define MAILBOX_DOUBTFUL                                                                                     \
	(MAILBOX_NO_ADDRESS | MAILBOX_NO_ANGLES | MAILBOX_UNQUOTED_AT | MAILBOX_TRAILING | MAILBOX_NESTED |  \
	 MAILBOX_UNCLOSED | MAILBOX_STRAY | MAILBOX_ROUTE | MAILBOX_SPACED | MAILBOX_INNER_COMMENT |         \
	 MAILBOX_BAD_DOMAIN | MAILBOX_ENCODED_ADDRESS | MAILBOX_CONTROL | MAILBOX_CUT | MAILBOX_LOCAL_AT)

#define MAILBOX_LIST_MAX 1000

struct list_mailbox {
	struct mailbox
	    mailbox; /* domain empty: there is none that could be one; text is local@domain as written */
	struct slice display;    /* the display name, or the comment behind the address: unquoted, decoded */
	struct slice group;      /* the group it stands in, decoded; empty: none */
	unsigned problems;       /* of this entry */
};

struct mailbox_list {
	struct list_mailbox *items;
	size_t count;            /* entries; those without an address too */
	size_t groups;           /* named groups, empty ones too */
	unsigned problems;       /* all of them */
};

/* value: of a header field, with or without its folds. Memory from arena. */
void mailbox_list_parse(struct arena *arena, struct slice value, struct mailbox_list *list_r);

/*
 * The other reading: what stands around every "@", whatever it is part of,
 * first in the value as it is, then in the value with its encoded words
 * decoded: what a careless mail reader may show. Calls found(arg, local,
 * domain) for each that has a domain: canonical as struct mailbox has it, or
 * as it stands if it can't be; local may be empty.
 */
typedef void mailbox_found(void *arg, struct slice local, struct slice domain);
void mailbox_list_careless(struct arena *arena, struct slice value, mailbox_found *found, void *arg);

/* The first problem in words: "text behind the address". NULL: none. */
const char *mailbox_problem_text(unsigned problems);

#endif
