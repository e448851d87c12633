#ifndef GATEHOUSE_RULES_NAME_MAP_H
#define GATEHOUSE_RULES_NAME_MAP_H
/*
 * name_map: names to numbers, by open addressing. Keys are not copied: their
 * owner outlives the map. Zero-initialised is empty; memory comes from the
 * arena of each call.
 */
#include "base/arena.h"

#define NAME_MAP_NONE UINT32_MAX

struct name_slot {
	struct slice key;
	uint32_t value;
};

struct name_map {
	struct name_slot *slots;
	size_t count, cap;        /* cap is a power of two */
	bool nocase;
};

/* NAME_MAP_NONE if it isn't there. */
uint32_t name_map_get(const struct name_map *map, struct slice key);
/* Replaces what stood there. */
void name_map_put(struct name_map *map, struct arena *arena, struct slice key, uint32_t value);
static inline bool name_map_has(const struct name_map *map, struct slice key)
{
	return name_map_get(map, key) != NAME_MAP_NONE;
}

#endif
