#ifndef GATEHOUSE_POLICY_DNSLIST_H
#define GATEHOUSE_POLICY_DNSLIST_H
/*
 * dnslist: lists of addresses or domains that are asked by DNS (RFC 5782).
 * A section names one; of those known here the name is enough:
 * `dnslist spamcop { }`. None is asked unless its section is written: their
 * operators have terms of use.
 */
#include "policy/config.h"

#define DNSLIST_SCORE_USUAL (-2000) /* of a section that has no score of its own */

enum dnslist_type { DNSLIST_CLIENT, DNSLIST_SENDER, DNSLIST_RECEIVED, DNSLIST_URI };

/* What a record of an answer is worth. */
struct dnslist_code {
	struct cidr net;     /* family 4: the record is in it */
	uint8_t mask;        /* or has one of these bits in its last octet; 0: by net */
	double score;
};

struct dnslist {
	struct slice title, zone;
	const char *symbol;  /* "DNSBL_SPAMCOP" */
	enum dnslist_type type;
	double score;        /* of any record, where there are no codes; of any code if flat */
	bool flat;
	bool shadow;         /* its hits don't count */
	bool probe;          /* it has a test entry */
	struct slice test;   /* another than RFC 5782 5 asks for; or empty */
	struct dnslist_code *codes;
	size_t code_count;
};

/* Reads the dnslist sections into config->dnslists. */
void dnslists_make(struct config *config, struct config_errors *errors);

enum dnslist_answer {
	DNSLIST_LISTED,      /* *score_r: by code */
	DNSLIST_NOT_LISTED,
	DNSLIST_REFUSED,     /* the list says that it may not be asked by us */
	DNSLIST_BROKEN,      /* no answer of a DNS list: 127.0.0.1, not in 127.0.0.0/8 */
};
/* record: the rdata of an A record, or of any number of them. */
enum dnslist_answer dnslist_judge(const struct dnslist *list, const struct slice *records, size_t count,
				  double *score_r);

#endif
