#ifndef GATEHOUSE_PROXY_TRACE_ID_H
#define GATEHOUSE_PROXY_TRACE_ID_H
/*
 * trace_id: ids of sessions and transactions: 12 characters, unique over
 * workers and restarts. They say nothing about the mail.
 */
#include <stdatomic.h>
#include <stdint.h>

#define TRACE_ID_LEN 12

struct trace_ids {
	unsigned row;              /* of the worker, in stats */
	atomic_uint_fast32_t count;
};

/* Thread-safe. */
void trace_id_new(struct trace_ids *ids, char out[TRACE_ID_LEN + 1]);

#endif
