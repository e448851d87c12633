#ifndef GATEHOUSE_PROXY_CLI_CHECK_REPORT_H
#define GATEHOUSE_PROXY_CLI_CHECK_REPORT_H
/* cli_check_report: what `gatehouse check` found, as text and as JSON. */
#include "filters/relay_selftest.h"
#include "rules/ruleset.h"

struct check_report {
	struct arena *arena;
	struct config_errors errors, warnings;
	const struct config *config;  /* NULL: it can't be read, and nothing below is there */
	const struct ruleset *rules;
	struct relay_report relay;
};

static inline bool check_report_ok(const struct check_report *r)
{
	return r->config != NULL && r->errors.total == 0 && r->relay.leaks_seen == 0;
}

/* One object on one line, to stdout. */
void check_report_json(const struct check_report *r);
/* Errors and warnings to stderr, the rest to stdout. verbose: rules that are
 * honoured in full are listed too. */
void check_report_text(const struct check_report *r, bool verbose);

#endif
