/* URIs in texts: each has a first form, valid hosts, and cleaning its first form finds it again. */
#include <stdlib.h>

#include "message/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice text = slice_make(data, size), *forms;
	struct uris uris;
	uris_init(&uris, arena, NULL);
	uris_from_text(&uris, text, false);
	uris_from_html(&uris, text, "a", SLICE("x"), true);
	uris_from_dkim(&uris, text);
	uri_resolve(arena, SLICE("http://a.example/b/c"), text);
	uri_resolve(arena, text, SLICE("../x?y#z"));
	for (size_t i = 0; i < uris.count; i++) {
		const struct uri *u = &uris.list[i];
		must(u->types & URI_DKIM || u->cleaned_count > 0 || u->raw.len == 0 || (u->types & URI_A));
		must(!(u->types & URI_PARSED) || u->host_count > 0);
		for (size_t k = 0; k < u->host_count; k++)
			must(u->hosts[k].host.len > 0 && u->hosts[k].domain.len <= u->hosts[k].host.len);
		must(uri_clean(arena, u->raw, NULL, &forms) >= u->cleaned_count || u->cleaned_count > 0);
	}
	arena_destroy(&arena);
	return 0;
}
