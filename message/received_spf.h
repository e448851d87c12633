#ifndef GATEHOUSE_MESSAGE_RECEIVED_SPF_H
#define GATEHOUSE_MESSAGE_RECEIVED_SPF_H
/*
 * received_spf: the Received-SPF header field (RFC 7208 9.1). What comes from
 * the client is quoted, and octets that a header may not hold become "?".
 */
#include "base/cidr.h"
#include "message/facts.h"

struct received_spf {
	const struct spf_fact *fact;
	struct ip client;
	struct slice helo;      /* may be empty: left out */
	struct slice receiver;  /* our host name; may be empty: "unknown" */
};

/* The whole field with its name, folded with CRLF, without the final CRLF. */
struct slice received_spf_field(struct arena *arena, const struct received_spf *spf);
/* The same on one line. */
struct slice received_spf_line(struct arena *arena, const struct received_spf *spf);

#endif
