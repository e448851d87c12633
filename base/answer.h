#ifndef GATEHOUSE_BASE_ANSWER_H
#define GATEHOUSE_BASE_ANSWER_H
/*
 * answer: what came of a look-up, whoever looked: resolver, zone file, store.
 * Whoever makes one says how long its memory lives.
 */
#include "base/slice.h"

/* RFC 1035 and successors; the IANA numbers. */
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SPF = 99,
};

enum answer_status {
	ANSWER_FOUND,     /* there are records / there was a value / the job ran */
	ANSWER_NODATA,    /* the name exists, not with this type; no such key */
	ANSWER_NXDOMAIN,  /* the name does not exist */
	ANSWER_TEMPERROR, /* no answer: SERVFAIL, time-out, bogus, store down */
};

struct answer {
	enum answer_status status;
	const char *why;         /* of a temporary error: "SERVFAIL", "timeout" …; static or lives as the answer */
	size_t count;            /* DNS: records of the asked type, at the end of any CNAME chain */
	struct slice *records;   /* DNS: the rdata in wire form, names uncompressed */
	uint32_t ttl;            /* DNS: seconds */
	bool secure;             /* DNS: validated by DNSSEC */
	struct slice value;      /* STORE: the value; SCANNER: the finding's name */
	int64_t number;          /* STORE: the counter's or time-stamp's value */
};

#endif
