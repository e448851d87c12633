#include "rules/name_map.h"

#define FIRST_CAP 16u

static struct name_slot *slot_of(const struct name_map *map, struct slice key)
{
	uint64_t hash = map->nocase ? slice_hash_nocase(key) : slice_hash(key);
	size_t mask = map->cap - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct name_slot *slot = &map->slots[i];
		if (slot->key.data == NULL)
			return slot;
		if (map->nocase ? slice_eq_nocase(slot->key, key) : slice_eq(slot->key, key))
			return slot;
	}
}

uint32_t name_map_get(const struct name_map *map, struct slice key)
{
	if (map->count == 0)
		return NAME_MAP_NONE;
	const struct name_slot *slot = slot_of(map, key);
	return slot->key.data == NULL ? NAME_MAP_NONE : slot->value;
}

static void grow(struct name_map *map, struct arena *arena)
{
	struct name_map bigger = { .cap = map->cap ? map->cap * 2 : FIRST_CAP, .nocase = map->nocase };
	bigger.slots = arena_array(arena, struct name_slot, bigger.cap);
	for (size_t i = 0; i < map->cap; i++)
		if (map->slots[i].key.data != NULL)
			*slot_of(&bigger, map->slots[i].key) = map->slots[i];
	bigger.count = map->count;
	*map = bigger;
}

void name_map_put(struct name_map *map, struct arena *arena, struct slice key, uint32_t value)
{
	if (key.data == NULL)
		key = SLICE("");
	if ((map->count + 1) * 4 > map->cap * 3)
		grow(map, arena);
	struct name_slot *slot = slot_of(map, key);
	if (slot->key.data == NULL) {
		slot->key = key;
		map->count++;
	}
	slot->value = value;
}
