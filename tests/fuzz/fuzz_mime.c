/* MIME trees: parents come before their children, parts lie in the message, limits hold, texts are UTF-8. */
#include <stdlib.h>

#include "base/utf8.h"
#include "message/canonical.h"
#include "message/mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct message m = { 0 };
	message_parse(&m, arena, message_canonical(arena, slice_make(data, size)).bytes, 1000);
	struct mime *mime = mime_parse(&m, &(struct mime_limits){ .parts = 100, .depth = 10 });
	must(mime->count >= 1 && mime->count <= 100 && mime->max_depth <= 10);
	for (size_t i = 0; i < mime->count; i++) {
		struct part *part = &mime->parts[i];
		must(part->parent < (int)i);
		if (part->begin != SIZE_MAX)
			must(part->begin + part->raw.len <= m.raw.len);
		must(part->body.len <= part->raw.len);
		part_bytes(mime, part);
		if (part->is_text)
			must(utf8_valid(part_text(mime, part)));
		for (size_t k = 0; k < part->name_count; k++)
			must(utf8_valid(part->names[k]));
	}
	arena_destroy(&arena);
	return 0;
}
