/* Header fields: the fields are all of the head, in order; decoded values are UTF-8; making a file
 * canonical twice changes nothing. */
#include <stdlib.h>

#include "base/utf8.h"
#include "message/canonical.h"
#include "message/encoded_word.h"
#include "message/message.h"

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
	struct slice once = message_canonical(arena, slice_make(data, size)).bytes;
	struct canonical twice = message_canonical(arena, once);
	must(twice.mbox_from.data != NULL || slice_eq(once, twice.bytes));
	message_parse(&m, arena, once, 1000);
	const char *at = m.head.data;
	for (size_t i = 0; i < m.header_count; i++) {
		const struct header *h = &m.headers[i];
		must(h->field.data == at && h->field.len > 0);
		at += h->field.len;
		must(h->broken == (h->name.len == 0));
		must(utf8_valid(header_decode(arena, h->name, h->value)));
		must(slice_chr(header_unfold(arena, h->value), '\n') == SLICE_NPOS);
	}
	must(m.head_cut || at == (m.head.data ? m.head.data + m.head.len : NULL));
	arena_destroy(&arena);
	return 0;
}
