#include "tests/lib/corpus.h"

#include <fts.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"

static bool unpack(struct arena *arena, const char *name, const char *folder)
{
	const char *top = getenv("GATEHOUSE_SHARED");
	struct slice pattern =
		arena_printf(arena, "%s/data/corpora/%s/*.tar.xz", top ? top : "../shared", name);
	struct slice mark = arena_printf(arena, "%s/.complete", folder);
	glob_t found = { 0 };
	if (access(mark.data, F_OK) == 0)
		return true;
	bool there = glob(pattern.data, 0, NULL, &found) == 0;
	if (!there)
		printf("# skipped: no %s\n", pattern.data);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct slice command =
		    arena_printf(arena, "mkdir -p '%s' && tar -xJf '%s' -C '%s' && touch '%s'", folder,
				 found.gl_pathv[i], folder, mark.data);
		there = there && system(command.data) == 0;
	}
	globfree(&found);
	return there;
}

static void read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	size_t got;
	buf_clear(b);
	while (f != NULL && (got = fread(buf_reserve(b, 65536), 1, 65536, f)) > 0)
		b->len += got;
	if (f != NULL)
		fclose(f);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

bool corpus_each(const char *name, const char *part,
		 void (*mail)(void *arg, const char *path, struct slice bytes), void *arg)
{
	struct arena *arena = arena_create();
	char *folder = arena_str(arena, arena_printf(arena, "build/corpora/%s", name));
	char *const roots[] = { folder, NULL };
	bool there = unpack(arena, name, folder);
	FTS *walk = there ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
	struct buf bytes = { 0 };
	for (FTSENT *e; walk != NULL && (e = fts_read(walk)) != NULL;) {
		if (e->fts_info != FTS_F || e->fts_name[0] == '.' || strstr(e->fts_path, part) == NULL)
			continue;
		read_file(e->fts_path, &bytes);
		mail(arg, e->fts_path, buf_slice(&bytes));
	}
	if (walk != NULL)
		fts_close(walk);
	buf_free(&bytes);
	arena_destroy(&arena);
	return there;
}
