#ifndef GATEHOUSE_POLICY_SNAPSHOT_H
#define GATEHOUSE_POLICY_SNAPSHOT_H
/*
 * snapshot: configuration and rule set of one moment, immutable and counted.
 * Sessions and scans pin the one they began with. Thread-safe counts.
 */
#include "policy/config.h"

struct ruleset;

struct snapshot {
	const struct config *config;
	const struct ruleset *rules;     /* NULL: none */
	uint64_t generation;
};

/* Takes the config's arena and the caller's reference to rules (may be NULL)
 * over: they go with the last reference. */
struct snapshot *snapshot_create(struct config *config, struct ruleset *rules, uint64_t generation);
struct snapshot *snapshot_retain(const struct snapshot *snapshot);
void snapshot_release(struct snapshot **snapshot);

/* The settings struct of a filter, defaults if its section isn't written. */
const void *snapshot_filter(const struct snapshot *snapshot, const char *name);
/* The administrator's score for a symbol (`score` lines of the rules), else fallback. */
double snapshot_score(const struct snapshot *snapshot, const char *symbol, double fallback);

#endif
