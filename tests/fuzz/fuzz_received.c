/* Trace fields: nothing gets into the pseudo-headers that would break their form. */
#include <stdlib.h>

#include "message/canonical.h"
#include "message/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	struct arena *arena = arena_create();
	struct relay relay;
	bool harmless;
	if (received_parse(arena, slice_make(data, size), &relay, &harmless)) {
		struct slice s = relay_as_string(arena, &relay);
		must(slice_chr(slice_from(s, 1), '[') == SLICE_NPOS && slice_chr(s, ']') == s.len - 1);
		must(slice_chr(s, '\n') == SLICE_NPOS && relay.by.len > 0);
	}
	struct message m = { 0 };
	message_parse(&m, arena, message_canonical(arena, slice_make(data, size)).bytes, 100);
	struct relays *relays = message_relays(&m, NULL, NULL);
	relays_tell(arena, relays);
	must(relays->trusted_count <= relays->count && relays->internal_count <= relays->trusted_count);
	arena_destroy(&arena);
	return 0;
}
