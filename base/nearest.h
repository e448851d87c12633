#ifndef GATEHOUSE_BASE_NEAREST_H
#define GATEHOUSE_BASE_NEAREST_H
/* nearest: "did you mean …?" */
#include "base/slice.h"

struct nearest {
	struct slice wanted;
	struct slice best;   /* empty: nothing near enough */
	unsigned distance;
};

/* Takes names up to a third of whose characters (at least one) are wrong. */
struct nearest nearest_begin(struct slice wanted);
void nearest_try(struct nearest *n, struct slice candidate);

/* Insertions, deletions, changes and swaps of neighbours that make b of a,
 * without case. Only the first 64 octets of each count. */
unsigned edit_distance(struct slice a, struct slice b);

#endif
