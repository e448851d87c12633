#ifndef GATEHOUSE_BASE_STORE_H
#define GATEHOUSE_BASE_STORE_H
/*
 * store: what is remembered between messages, by key, for a time.
 */
#include "base/answer.h"

enum store_op {
	STORE_GET,        /* value and its time of first setting (number) */
	STORE_PUT,        /* value, ttl */
	STORE_GET_OR_SET, /* FOUND: what was there; NODATA: was absent, is set now. number: when it was set, unix seconds */
	STORE_ADD,        /* adds amount to a counter in a window of ttl seconds from its first use; number: the sum */
	STORE_DELETE,
};

struct store_request {
	enum store_op op;
	struct slice key;   /* bytes; the asker's name comes first: "grey:…" */
	struct slice value;
	int64_t amount;
	uint32_t ttl;       /* seconds from now */
	bool touch;         /* GET, GET_OR_SET: a hit starts the ttl again */
};

#endif
