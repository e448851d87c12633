#ifndef GATEHOUSE_TESTS_LIB_CONFIG_SCAN_H
#define GATEHOUSE_TESTS_LIB_CONFIG_SCAN_H
/*
 * config_scan: a scan under a configuration given as text, with all filters,
 * brought through all phases with answers from a zone.
 */
#include "base/zone.h"
#include "filters/pipeline.h"
#include "policy/verdict.h"

/* Fails the test if the text has errors. For the caller to release. */
struct snapshot *config_snapshot(const char *text);

struct config_mail {
	const char *ip, *helo, *mail_from; /* NULL: none; mail_from "": the null reverse-path */
	const char *login;                 /* NULL: nobody */
	bool submission;
	int64_t now;
	struct slice raw;                  /* canonical */
};

/* All lives in the arena. */
struct scan *config_scan(struct arena *arena, const struct snapshot *snapshot, const struct config_mail *mail,
			 const struct zone *zone);
struct verdict config_verdict(const struct scan *scan);

#endif
