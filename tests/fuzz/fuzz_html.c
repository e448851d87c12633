/* HTML: what comes of UTF-8 is UTF-8; the visible and the hidden text together are no more than all of it
 * and the spaces between hidden ones. */
#include <stdlib.h>

#include "base/utf8.h"
#include "message/charset.h"
#include "message/html_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice source = charset_to_utf8(arena, slice_make(data, size), SLICE("utf-8"), NULL);
	struct html *html = html_render(arena, source, NULL);
	must(utf8_valid(html->text) && utf8_valid(html->visible) && utf8_valid(html->hidden));
	must(html->visible.len + html->hidden.len <= html->text.len * 2);
	must(html->visible.len <= html->text.len);
	for (size_t i = 0; i < html->link_count; i++)
		must(html->links[i].uri.len > 0 || html->links[i].written.len > 0);
	must(html->facts.elements <= html->facts.tags);
	arena_destroy(&arena);
	return 0;
}
