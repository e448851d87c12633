#ifndef GATEHOUSE_FILTERS_REGISTRY_H
#define GATEHOUSE_FILTERS_REGISTRY_H
/*
 * registry: the filters' settings as sections of the configuration.
 *
 * Each filter of filter_table gets a section "filter NAME" that has the
 * settings all filters have (enabled, shadow, on-error), then its own. A
 * filter that is always on has on-error alone: look at filter->always before
 * filter_common.enabled.
 */
#include "filters/filter.h"
#include "policy/config.h"

/* For config_read; NULL-terminated; made once, lives as long as the process.
 * Thread-safe. */
const struct section *const *filter_sections(void);

/* For all mail, or for that of some policy (its setting use). */
bool filter_is_on(const struct config *config, const char *name);

/* As filter_sections, of another table (NULL-terminated), in the arena. */
const struct section *const *filter_sections_of(struct arena *arena, const struct filter *const *table);

#endif
