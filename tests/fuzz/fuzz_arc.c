/* A message's ARC sets: structure, and verification without any key. */
#include <stdlib.h>

#include "filters/arc_chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct message m = { 0 };
	const struct dkim_policy policy = { .now = 1600000000, .min_key_bits = 1024 };
	message_parse(&m, arena, slice_make(data, size), 1000);
	struct arc_chain *chain = arc_chain_read(arena, &m, &policy);
	if (chain->result == AUTH_UNKNOWN) {
		if (chain->count < 1 || chain->count > ARC_INSTANCES_MAX)
			abort();
		for (unsigned i = 0; i < chain->count; i++) {
			chain->sets[i].as_keys.result = chain->sets[i].ams_keys.result = AUTH_PERMERROR;
			chain->sets[i].as_keys.reason = chain->sets[i].ams_keys.reason = "none";
			chain->sets[i].ams_has_keys = true;
		}
		dkim_bodies_add(chain->bodies, m.body);
		arc_chain_verify(arena, chain);
		if (chain->result != AUTH_FAIL)
			abort();
	}
	if (chain->result == AUTH_FAIL && chain->reason.len == 0)
		abort();
	arena_destroy(&arena);
	return 0;
}
