#ifndef GATEHOUSE_RULES_HEADER_DATE_H
#define GATEHOUSE_RULES_HEADER_DATE_H
/*
 * header_date: dates of header fields (RFC 5322 3.3 and what is written in
 * its stead): "[Day,] 5 Jan 2023 10:11[:12] +0100", two-digit years, names
 * of North American zones, comments.
 */
#include "base/slice.h"

/* Unix seconds. False: no date that can be read. */
bool header_date_parse(struct slice text, int64_t *time_r);

#endif
