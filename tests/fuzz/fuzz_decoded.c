/* Whole mails: texts are UTF-8 and made of their pieces; attachments are listed within their limits. */
#include <stdlib.h>

#include "base/utf8.h"
#include "message/attachment.h"
#include "message/canonical.h"
#include "message/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct text *t)
{
	size_t len = 0;
	for (size_t i = 0; i < t->count; i++) {
		if (t->pieces[i].data != t->all.data + len || t->pieces[i].len == 0)
			abort();
		len += t->pieces[i].len;
	}
	if (len != t->all.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct message m = { 0 };
	message_parse(&m, arena, message_canonical(arena, slice_make(data, size)).bytes, 1000);
	struct decoded *d = message_decode(&m, NULL);
	check(&d->body);
	check(&d->visible);
	check(&d->hidden);
	check(&d->rawbody);
	if (!utf8_valid(d->body.all) || !utf8_valid(d->visible.all) || !utf8_valid(d->hidden.all))
		abort();
	struct attachments *a = attachments_list(d->mime, &(struct attachment_limits){ .entries = 50,
		.bytes = 1 << 20 });
	for (size_t i = 0; i < a->count; i++)
		if (a->list[i].entry_count > 50)
			abort();
	arena_destroy(&arena);
	return 0;
}
