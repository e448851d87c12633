#ifndef GATEHOUSE_BASE_SETTINGS_VALUE_H
#define GATEHOUSE_BASE_SETTINGS_VALUE_H
/* settings_value: from text to the C type of a setting. */
#include "base/settings.h"

struct buf;

/*
 * Reads the items (one for a scalar) into dest. Calls report for each that is
 * wrong, with "'x' is not …".
 */
typedef void settings_report(void *arg, size_t item, const char *why);
void settings_convert(struct arena *arena, const struct setting *setting, const struct slice *items,
		      size_t count, void *dest, settings_report *report, void *arg);

/* The setting's default; an unreadable one is a bug: the process ends. */
void settings_default(struct arena *arena, const struct setting *setting, void *dest);

/* A limit (min, max) of that type as one would write it: "1h", "64k", "0.5". */
void settings_add_limit(struct buf *out, enum setting_type type, double value);

#endif
