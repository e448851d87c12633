#ifndef TESTS_LIB_ONE_FILTER_H
#define TESTS_LIB_ONE_FILTER_H
/*
 * one_filter: a scan in which chosen filters run and all others are switched
 * off, with settings made by hand.
 */
#include "base/zone.h"
#include "filters/pipeline.h"

struct filter_choice {
	const struct filter *filter;
	const void *settings;    /* begins with struct filter_common, enabled */
};

/* The filters must stand in filter_table. All lives in the arena. */
struct scan *one_filter_scan(struct arena *arena, const struct filter_choice *choices, size_t count,
			     int64_t now);

/* The message through PHASE_HEADERS, body chunks of at most chunk octets (0:
 * in one piece) and PHASE_END. raw is canonical. */
void one_filter_message(struct scan *scan, struct slice raw, size_t chunk, const struct zone *zone);

#endif
