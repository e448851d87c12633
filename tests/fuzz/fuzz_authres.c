/* Authentication-Results: read and recognised; what is read is written as
 * facts and must read back. */
#include <stdlib.h>

#include "message/authres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_back(struct arena *arena, struct slice value)
{
	struct dkim_fact dkim = { .result = AUTH_FAIL, .domain = value, .identity = value, .reason = value,
				  .header_b = value };
	struct facts facts = {
		.dkim = &dkim, .dkim_count = 1, .dkim_known = true,
		.spf = { .result = AUTH_PASS, .sender = value, .problem = value },
	};
	struct client client = { .login = value };
	struct ip host = { 0 };
	struct buf out = { 0 };
	struct authres a;
	authres_write(&out, SLICE("mx.example.org"), &facts, &client, &host);
	struct slice written = slice_from(buf_slice(&out), sizeof("Authentication-Results:") - 1);
	written.len -= 2; /* the final CRLF */
	if (!authres_parse(arena, written, &a) || a.count != 2 + (value.len > 0))
		abort();
	if (!authres_is_ours(written, SLICE("mx.example.org")) || slice_find(written, SLICE("\r\n\r")) != SLICE_NPOS)
		abort();
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice text = slice_make(data, size);
	struct header header = { .field = text, .value = text };
	struct authres a;
	if (authres_parse(arena, text, &a) && a.id.len == 0)
		abort();
	authres_is_ours(text, SLICE("mx.example.org"));
	authres_must_remove(&header, SLICE("mx.example.org"));
	write_back(arena, text);
	arena_destroy(&arena);
	return 0;
}
