/* Any bytes as a From field: the list, the careless reading, the author. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "filters/author.h"
#include "message/question.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void found(void *arg, struct slice local, struct slice domain)
{
	size_t *count = arg;
	*count += domain.len > 0 || local.len > 0;
}

/* One From field, one list, and every "@" accounted for: an author domain is
 * one that can be asked for. */
static void check_author(struct arena *arena, struct slice value)
{
	struct buf raw = { 0 };
	struct message m = { 0 };
	buf_add_str(&raw, "From:");
	buf_add_slice(&raw, value);
	buf_add_str(&raw, "\r\n");
	message_parse(&m, arena, buf_slice(&raw), 100);
	struct author_fact fact = author_decide(arena, &m);
	if (fact.domain.len > 0 && !dns_name_ok(fact.domain))
		abort();
	if (fact.domain.len == 0 && fact.reason.len == 0)
		abort();
	buf_free(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice value = slice_make(data, size);
	struct mailbox_list list;
	size_t domains = 0;
	mailbox_list_parse(arena, value, &list);
	mailbox_list_careless(arena, value, found, &domains);
	for (size_t i = 0; i < list.count; i++) {
		const struct list_mailbox *m = &list.items[i];
		if (m->mailbox.domain.len > 0 && !m->mailbox.literal && !dns_name_ok(m->mailbox.domain))
			abort();
		if (m->problems & ~list.problems)
			abort();
	}
	check_author(arena, value);
	arena_destroy(&arena);
	return 0;
}
