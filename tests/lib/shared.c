#include "tests/lib/shared.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

struct slice shared_file(struct arena *arena, const char *name)
{
	const char *top = getenv("GATEHOUSE_SHARED");
	struct slice path = arena_printf(arena, "%s/data/%s", top ? top : "../shared", name);
	FILE *f = fopen(path.data, "rb");
	if (f == NULL) {
		printf("# skipped: no %s\n", path.data);
		return SLICE_EMPTY;
	}
	struct buf b = { 0 };
	size_t got;
	while ((got = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0)
		b.len += got;
	fclose(f);
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}
