/* Any bytes as text; what comes out is stable and has no sign that was taken out. */
#include <stdint.h>
#include <stdlib.h>

#include "message/skeleton.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice in = slice_make(data, size);
	struct slice text = skeleton_text(arena, in);
	if (text.len > 18 * size) /* NFKC's longest is 18 (UTR 15), from three octets */
		abort();
	skeleton_confusable(arena, in);
	struct slice words = skeleton_words(arena, in);
	if (slice_find(words, SLICE("  ")) != SLICE_NPOS || slice_trim(words).len != words.len)
		abort();
	skeleton_domain(arena, in);
	skeleton_signs(in);
	arena_destroy(&arena);
	return 0;
}
