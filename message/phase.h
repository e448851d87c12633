#ifndef GATEHOUSE_MESSAGE_PHASE_H
#define GATEHOUSE_MESSAGE_PHASE_H
/* The phases of a scan, in the order they come. */
enum phase {
	PHASE_CONNECT, /* the client's address is known */
	PHASE_HELO,    /* its HELO or EHLO name */
	PHASE_MAIL,    /* the reverse-path (RFC 5321 4.1.1.2) */
	PHASE_RCPT,    /* one recipient; comes once for each */
	PHASE_HEADERS, /* the header section is complete and parsed */
	PHASE_BODY,    /* body chunks; a filter's body() gets each once */
	PHASE_END,     /* all of the message is there */
	PHASES
};
#define PHASE_BIT(p) (1u << (p))

const char *phase_name(enum phase phase);

#endif
