#ifndef GATEHOUSE_PROXY_PROXY_PROTOCOL_H
#define GATEHOUSE_PROXY_PROXY_PROTOCOL_H
/*
 * proxy_protocol: the header with which a balancer tells the client's address
 * (HAProxy's proxy-protocol.txt, versions 1 and 2). Pure.
 */
#include "base/buf.h"
#include "message/envelope.h"

enum proxy_status {
	PROXY_MORE,  /* not complete yet */
	PROXY_OK,
	PROXY_BAD,   /* not a header, or one that is too long: drop the connection */
};

struct proxy_header {
	size_t consumed;     /* octets of the header */
	bool local;          /* LOCAL or UNKNOWN: the balancer speaks for itself */
	struct ip ip;        /* of the client */
	uint16_t port;
	struct ip to;        /* where it connected to */
	uint16_t to_port;
};

#define PROXY_HEADER_MAX 4096u /* with all TLVs; version 1 has at most 107 octets */

enum proxy_status proxy_header_parse(struct slice in, struct proxy_header *header_r);

/* Appends the header that tells of this client: LOCAL or UNKNOWN if it has no
 * address. Version 2 says under which TLS it came, too. */
void proxy_header_write(struct buf *out, const struct client *client, int version);

#endif
