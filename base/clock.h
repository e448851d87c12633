#ifndef GATEHOUSE_BASE_CLOCK_H
#define GATEHOUSE_BASE_CLOCK_H
/* clock: time that only goes forward, and its forms. */
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

/* Microseconds since some moment before this program began. */
static inline int64_t clock_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static inline int64_t clock_ms(void)
{
	return clock_us() / 1000;
}

/* As timers take it; what is past is now. */
static inline struct timeval timeval_ms(int64_t ms)
{
	ms = ms > 0 ? ms : 0;
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = (int)(ms % 1000) * 1000 };
}

#endif
