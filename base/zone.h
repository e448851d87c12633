#ifndef GATEHOUSE_BASE_ZONE_H
#define GATEHOUSE_BASE_ZONE_H
/*
 * zone: DNS records held in memory, answered as a resolver would: CNAME
 * chains followed, empty non-terminals, wildcards (RFC 4592). One zone may
 * hold records of any number of real zones; a name it does not know does not
 * exist. Filled by one thread; look-ups may then come from any number.
 */
#include "base/answer.h"

struct zone;

struct zone *zone_create(void);
void zone_destroy(struct zone **zone);

/* name is in wire form, any case. The bytes are copied. Equal records are
 * all kept. */
void zone_add(struct zone *zone, struct slice name, uint16_t type, uint32_t ttl, struct slice rdata);
/* The name exists, though no record is kept. */
void zone_add_name(struct zone *zone, struct slice name);

enum zone_fault { ZONE_NO_FAULT, ZONE_SERVFAIL, ZONE_TIMEOUT, ZONE_NXDOMAIN };
/* What a question for the name meets. type 0: all types the name has no
 * record of; else that type, whatever records there are. */
void zone_add_fault(struct zone *zone, struct slice name, uint16_t type, enum zone_fault fault);

/*
 * name is text as ask_dns() takes it. Faults and CNAME loops are temporary
 * errors with why "SERVFAIL" or "timeout" (at once: nobody waits); a name
 * that can't exist is NXDOMAIN. The records live as long as the zone; secure
 * is never set.
 */
struct answer zone_lookup(const struct zone *zone, struct slice name, uint16_t type);
size_t zone_records(const struct zone *zone);

#endif
