#ifndef GATEHOUSE_TESTS_LIB_SHARED_H
#define GATEHOUSE_TESTS_LIB_SHARED_H
/* Test data that stand outside the repository: $GATEHOUSE_SHARED, else
 * ../shared beside its top. */
#include "base/arena.h"

/* The whole file at data/NAME of the shared folder, a NUL behind it; data is
 * NULL if it isn't there ("# skipped: …" is then printed). */
struct slice shared_file(struct arena *arena, const char *name);

#endif
