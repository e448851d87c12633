#ifndef GATEHOUSE_BASE_ARENA_H
#define GATEHOUSE_BASE_ARENA_H
/*
 * arena: memory with one lifetime. Everything allocated from an arena goes
 * when the arena goes; nothing is freed singly. Not shared between threads.
 * Out of memory ends the process (fatal): nothing that was acknowledged
 * depends on it.
 */
#include "base/slice.h"

struct arena;

struct arena *arena_create(void);
/* Runs the cleanups, newest first, frees all, nulls *arena. NULL is fine. */
void arena_destroy(struct arena **arena);
/* As destroy, but the arena stays and keeps its first block for reuse. */
void arena_reset(struct arena *arena);

/* Aligned for any type; zeroed; size 0 gives a unique pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* count * size, checked for overflow (fatal). */
void *arena_calloc(struct arena *arena, size_t count, size_t size);
#define arena_new(arena, type) ((type *)arena_calloc((arena), 1, sizeof(type)))
#define arena_array(arena, type, n) ((type *)arena_calloc((arena), (n), sizeof(type)))

/* A copy of the bytes, followed by a NUL that is not counted. */
struct slice arena_copy(struct arena *arena, struct slice s);
char *arena_str(struct arena *arena, struct slice s);
struct slice arena_lower(struct arena *arena, struct slice s);
struct slice arena_printf(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* fn(arg) is called when the arena is reset or destroyed: for objects of
 * outside libraries whose life is the arena's. */
void arena_on_reset(struct arena *arena, void (*fn)(void *), void *arg);

/* Bytes taken from the system, for limits and reports. */
size_t arena_size(const struct arena *arena);

/* malloc and friends that end the process when memory runs out. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);

#endif
