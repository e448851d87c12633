#ifndef GATEHOUSE_BASE_DNS_PACKET_H
#define GATEHOUSE_BASE_DNS_PACKET_H
/* dns_packet: a DNS response (RFC 1035 4) as an answer. */
#include "base/answer.h"
#include "base/arena.h"

/*
 * The answer to the message's question, which must be for `type`. The CNAME
 * chain in the answer section is followed; records that don't belong to it
 * are left out. A chain that loops or is over 16 long, a return code other
 * than NOERROR and NXDOMAIN, and a malformed message are temporary errors. ttl
 * is the smallest of all records used; without records, RFC 2308 5's. Records
 * are copied into the arena.
 */
struct answer dns_packet_read(struct arena *arena, struct slice packet, uint16_t type);

/* "SERVFAIL", "REFUSED" … static; "error" for unknown ones. */
const char *dns_rcode_name(unsigned rcode);

#endif
