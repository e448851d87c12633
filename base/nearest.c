#include "base/nearest.h"

#define MAX_NAME 64

static unsigned min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned edit_distance(struct slice a, struct slice b)
{
	/* Three rows of the table of distances between prefixes. */
	unsigned rows[3][MAX_NAME + 1];
	a = slice_head(a, MAX_NAME);
	b = slice_head(b, MAX_NAME);
	for (unsigned j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			char x = ascii_lower(a.data[i - 1]), y = ascii_lower(b.data[j - 1]);
			row[j] = min(min(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == ascii_lower(b.data[j - 2]) &&
			    y == ascii_lower(a.data[i - 2]))
				row[j] = min(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

struct nearest nearest_begin(struct slice wanted)
{
	unsigned limit = (unsigned)min((unsigned)slice_head(wanted, MAX_NAME).len / 3, 4);
	return (struct nearest){ .wanted = wanted, .distance = (limit ? limit : 1) + 1 };
}

void nearest_try(struct nearest *n, struct slice candidate)
{
	unsigned distance = edit_distance(n->wanted, candidate);
	if (distance < n->distance) {
		n->distance = distance;
		n->best = candidate;
	}
}
