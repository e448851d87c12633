/* Envelope addresses. What is taken strictly is taken laxly and means the
 * same; a local part quoted again is read as the same local part; a domain is
 * canonical at once. */
#include <stdlib.h>

#include "message/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void check_again(struct arena *arena, const struct mailbox *m, unsigned allow)
{
	struct mailbox again;
	struct slice domain, local = address_quote_local(arena, m->local);
	if (m->domain.len == 0)
		return;
	if (m->literal)
		must(address_literal(m->domain, NULL));
	else
		must(address_domain(arena, m->domain, allow & ~(unsigned)ADDRESS_UTF8, &domain) == ADDRESS_OK &&
		     slice_eq(domain, m->domain));
	struct slice text = arena_printf(arena, "%.*s@%.*s", SLICE_ARG(local), SLICE_ARG(m->domain));
	enum address_error error = address_parse(arena, text, allow, &again);
	must(error == ADDRESS_OK || error == ADDRESS_LONG_LOCAL || error == ADDRESS_TOO_LONG);
	must(error != ADDRESS_OK || (slice_eq(again.local, m->local) && slice_eq(again.domain, m->domain)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 4096)
		return 0;
	struct arena *arena = arena_create();
	struct slice in = slice_make(data + 1, size - 1);
	unsigned allow = data[0] & 0x1f;
	struct mailbox m, lax;
	if (address_parse(arena, in, allow, &m) == ADDRESS_OK) {
		must(m.text.len <= in.len && m.local.len <= m.text.len && m.domain.len <= 255 + 2);
		must(address_parse(arena, in, allow | ADDRESS_LAX, &lax) == ADDRESS_OK);
		must(slice_eq(m.local, lax.local) && slice_eq(m.domain, lax.domain));
		check_again(arena, &m, allow);
	}
	arena_destroy(&arena);
	return 0;
}
