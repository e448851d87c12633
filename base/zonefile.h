#ifndef GATEHOUSE_BASE_ZONEFILE_H
#define GATEHOUSE_BASE_ZONEFILE_H
/*
 * zonefile: reads RFC 1035 5 master files into a zone.
 *
 * $ORIGIN (at first the root, so names need no final dot), $TTL, "@",
 * parentheses, quoted strings, escapes, comments; A AAAA CNAME MX NS PTR SOA
 * SPF SRV TXT, and any type as TYPEn or with RFC 3597's \# rdata. Records of
 * other known types (DNSSEC's, CAA …) only make their name exist. A string of
 * more than 255 octets in TXT is split. Class IN only. $INCLUDE, $GENERATE and
 * DNAME are errors.
 *
 * Besides, comments that say what goes wrong:
 *     ;! name SERVFAIL|TIMEOUT|NXDOMAIN [type …]
 * Without types it holds for all types the name has no record of.
 */
#include "base/zone.h"

struct zone_error {
	unsigned line;  /* 0: the file can't be read */
	char text[160];
};

struct zone_errors {
	struct zone_error list[20]; /* the first ones */
	size_t count;               /* of all; may be more than the list holds */
};

/* Adds the records to the zone. False: errors_r tells why; the lines without
 * an error are in the zone. */
bool zonefile_parse(struct zone *zone, struct slice text, struct zone_errors *errors_r);
bool zonefile_read(struct zone *zone, const char *path, struct zone_errors *errors_r);

#endif
