#include "tests/lib/one_filter.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/zone_driver.h"

static const void *settings_for(struct arena *arena, const struct filter *filter,
				const struct filter_choice *choices, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (choices[i].filter == filter)
			return choices[i].settings;
	return arena_alloc(arena, filter->settings_size ? filter->settings_size : sizeof(struct filter_common));
}

struct scan *one_filter_scan(struct arena *arena, const struct filter_choice *choices, size_t count, int64_t now)
{
	struct arena *own = arena_create(); /* goes with the snapshot */
	struct config *config = arena_new(own, struct config);
	size_t filters = 0, found = 0;
	while (filter_table[filters] != NULL)
		filters++;
	struct config_filter *list = arena_array(own, struct config_filter, filters + 1);
	for (size_t i = 0; i < filters; i++) {
		list[i].name = slice_str(filter_table[i]->name);
		list[i].values = settings_for(own, filter_table[i], choices, count);
		for (size_t j = 0; j < count; j++)
			found += choices[j].filter == filter_table[i];
	}
	if (found != count) {
		fprintf(stderr, "one_filter: not in filter_table\n");
		abort();
	}
	config->arena = own;
	config->filters = list;
	config->filter_count = filters;
	struct snapshot *snapshot = snapshot_create(config, NULL, 1);
	struct scan *scan = scan_create(arena, snapshot, now);
	snapshot_release(&snapshot);
	pipeline_begin(scan);
	return scan;
}

void one_filter_message(struct scan *scan, struct slice raw, size_t chunk, const struct zone *zone)
{
	message_parse(&scan->message, scan->arena, raw, 1000);
	struct slice rest = scan->message.body;
	pipeline_enter(scan, PHASE_HEADERS);
	zone_driver_run(scan, PHASE_HEADERS, zone);
	while (rest.len > 0) {
		struct slice piece = slice_head(rest, chunk ? chunk : rest.len);
		pipeline_body(scan, piece);
		rest = slice_from(rest, piece.len);
	}
	pipeline_enter(scan, PHASE_END);
	zone_driver_run(scan, PHASE_END, zone);
}
