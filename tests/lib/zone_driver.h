#ifndef TESTS_LIB_ZONE_DRIVER_H
#define TESTS_LIB_ZONE_DRIVER_H
/*
 * zone_driver: answers questions from a zone, at once and in the order they
 * were asked: tests of filters without a network, the same in each run. Jobs
 * run where they stand. The store's and the scanner's questions are temporary
 * errors.
 */
#include "base/zone.h"
#include "filters/pipeline.h"

/* The zone of these lines (base/zonefile.h); fails the test on a bad one. */
struct zone *zone_of(const char *lines);

/* Answers what is pending. Returns how many questions that were. */
size_t zone_driver_answer(struct questions *questions, const struct zone *zone);

/* Advances the scan until it is DONE with `upto`. Fails the test if a filter
 * says NEED without having asked. */
void zone_driver_run(struct scan *scan, enum phase upto, const struct zone *zone);

#endif
