#include "proxy/trace_id.h"

#include <time.h>

/* 60 bits: 42 of milliseconds, 6 of the worker, 12 of a count. */
void trace_id_new(struct trace_ids *ids, char out[TRACE_ID_LEN + 1])
{
	static const char digits[] = "0123456789bcdfghjkmnpqrstvwxyzBC"; /* no vowels: no words */
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	uint64_t ms = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	uint64_t count = atomic_fetch_add_explicit(&ids->count, 1, memory_order_relaxed);
	uint64_t id = (ms & ((UINT64_C(1) << 42) - 1)) << 18 | (uint64_t)(ids->row & 63) << 12 | (count & 4095);
	for (int i = TRACE_ID_LEN; i-- > 0; id >>= 5)
		out[i] = digits[id & 31];
	out[TRACE_ID_LEN] = '\0';
}
