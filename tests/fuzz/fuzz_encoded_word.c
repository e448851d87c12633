/* Encoded words and parameters: the results are UTF-8 and not much longer than what they came from. */
#include <stdlib.h>

#include "base/utf8.h"
#include "message/encoded_word.h"
#include "message/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice in = slice_make(data, size), out = encoded_word_decode(arena, in);
	must(utf8_valid(out) && out.len <= in.len * 9 + 16);
	struct parameters p = parameters_parse(arena, in);
	for (size_t i = 0; i < p.count; i++)
		must(p.list[i].name.len > 0 && utf8_valid(p.list[i].value));
	arena_destroy(&arena);
	return 0;
}
