#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_BLOCK 512u /* doubled with each further block: an idle session holds one */
#define MAX_BLOCK (256u * 1024)

struct block {
	struct block *older;
	size_t size; /* of data */
	size_t used;
	max_align_t data[];
};

struct cleanup {
	struct cleanup *older;
	void (*fn)(void *);
	void *arg;
};

struct arena {
	struct block *newest;
	struct cleanup *cleanups;
	size_t total;
};

static void out_of_memory(void)
{
	fputs("fatal: out of memory\n", stderr);
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (p == NULL)
		out_of_memory();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (p == NULL)
		out_of_memory();
	return p;
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	if (p == NULL)
		out_of_memory();
	return p;
}

struct arena *arena_create(void)
{
	return xcalloc(1, sizeof(struct arena));
}

static void run_cleanups(struct arena *arena)
{
	while (arena->cleanups != NULL) {
		struct cleanup *c = arena->cleanups;
		arena->cleanups = c->older;
		c->fn(c->arg);
	}
}

static void free_blocks(struct arena *arena, bool keep_first)
{
	struct block *b = arena->newest;
	while (b != NULL && (b->older != NULL || !keep_first)) {
		struct block *older = b->older;
		arena->total -= b->size;
		free(b);
		b = older;
	}
	arena->newest = b;
	if (b != NULL)
		b->used = 0;
}

void arena_destroy(struct arena **arena)
{
	if (*arena == NULL)
		return;
	run_cleanups(*arena);
	free_blocks(*arena, false);
	free(*arena);
	*arena = NULL;
}

void arena_reset(struct arena *arena)
{
	run_cleanups(arena);
	free_blocks(arena, true);
}

static struct block *add_block(struct arena *arena, size_t need)
{
	size_t size = arena->newest ? arena->newest->size * 2 : FIRST_BLOCK;
	if (size > MAX_BLOCK)
		size = MAX_BLOCK;
	if (size < need)
		size = need;
	struct block *b = xmalloc(sizeof(*b) + size);
	b->size = size;
	b->used = 0;
	b->older = arena->newest;
	arena->newest = b;
	arena->total += size;
	return b;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	if (size > SIZE_MAX / 2)
		out_of_memory();
	size = size == 0 ? align : (size + align - 1) / align * align;
	struct block *b = arena->newest;
	if (b == NULL || b->size - b->used < size)
		b = add_block(arena, size);
	void *p = (char *)b->data + b->used;
	b->used += size;
	return memset(p, 0, size);
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		out_of_memory();
	return arena_alloc(arena, total);
}

char *arena_str(struct arena *arena, struct slice s)
{
	char *p = arena_alloc(arena, s.len + 1);
	if (s.len > 0)
		memcpy(p, s.data, s.len);
	p[s.len] = '\0';
	return p;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
	return slice_make(arena_str(arena, s), s.len);
}

struct slice arena_lower(struct arena *arena, struct slice s)
{
	char *p = arena_str(arena, s);
	for (size_t i = 0; i < s.len; i++)
		p[i] = ascii_lower(p[i]);
	return slice_make(p, s.len);
}

struct slice arena_printf(struct arena *arena, const char *fmt, ...)
{
	char room[256];
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int len = vsnprintf(room, sizeof(room), fmt, ap);
	va_end(ap);
	if (len < 0)
		len = 0;
	char *p = arena_alloc(arena, (size_t)len + 1);
	if ((size_t)len < sizeof(room))
		memcpy(p, room, (size_t)len);
	else
		vsnprintf(p, (size_t)len + 1, fmt, again);
	va_end(again);
	return slice_make(p, (size_t)len);
}

void arena_on_reset(struct arena *arena, void (*fn)(void *), void *arg)
{
	struct cleanup *c = arena_new(arena, struct cleanup);
	c->fn = fn;
	c->arg = arg;
	c->older = arena->cleanups;
	arena->cleanups = c;
}

size_t arena_size(const struct arena *arena)
{
	return arena->total;
}
