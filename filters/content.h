#ifndef GATEHOUSE_FILTERS_CONTENT_H
#define GATEHOUSE_FILTERS_CONTENT_H
/*
 * content: runs the rule set over the mail. What other filters found under
 * the name of a rule (SPF_FAIL …) is not counted twice.
 */
#include "filters/filter.h"

struct content_settings {
	struct filter_common common;
	uint64_t job_size;       /* a mail above this is decoded and matched by a job */
	bool network;            /* rules may ask DNS */
	bool parts;              /* hits of sub-rules are told too */
	int mime_engine;         /* enum mime_engine */
	int html_engine;         /* enum html_engine */
};

extern const struct filter content_filter;

#endif
