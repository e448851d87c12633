#ifndef GATEHOUSE_RULES_LITERAL_SET_H
#define GATEHOUSE_RULES_LITERAL_SET_H
/*
 * literal_set: sets of strings as pattern_literals keeps them for each piece
 * of a pattern, and what they come to when pieces follow one another.
 */
#include "rules/pattern_literals.h"

struct literal_set {
	struct slice *list;    /* in the arena; shared by copies until one is added to */
	size_t count, cap;
};

/* What a piece of a pattern matches: the exact set of strings, or else the
 * best set known of which each match holds one. */
struct literal_piece {
	bool exact;                  /* matches the strings of `strings` and no others */
	struct literal_set strings;
	struct literal_set required; /* count 0: nothing known */
	unsigned times;              /* of them in each match; 0: one, that a lookaround looks at */
	bool never;                  /* matches nothing at all */
	double quality;              /* of required */
};

/* How rare it is to meet one of them: bits, roughly. */
double literal_quality(const struct literal_set *set);
/* Adds; a list that others may share is copied first. */
void literal_set_add(struct arena *arena, struct literal_set *set, struct slice s);
/* As above, for each of them; false: more than LITERALS_MAX. */
bool literal_set_join(struct arena *arena, struct literal_set *all, const struct literal_set *more);
/* a followed by b; false: more than max strings, or too long. */
bool literal_set_multiply(struct arena *arena, struct literal_set *a, const struct literal_set *b, size_t max);
/* Without those that hold another of the set: they add nothing. */
void literal_set_minimal(struct arena *arena, const struct literal_set *set, struct literals *out);

/* Matches the empty string alone. */
void literal_piece_empty(struct literal_piece *p);
/* Matches nothing. */
void literal_piece_never(struct literal_piece *p);
/* Could be anything. */
void literal_piece_anything(struct literal_piece *p);
/* Takes the set as what is required, that often, if it is better than what is known. */
void literal_piece_consider(struct literal_piece *p, const struct literal_set *set, unsigned times);
/* The piece n times over. */
void literal_piece_multiply(struct literal_piece *p, unsigned n);

/* Pieces one behind the other. Begin with literal_sequence_begin(). */
struct literal_sequence {
	struct arena *arena;
	size_t product_max;          /* strings that multiplying may make */
	struct literal_piece whole;
	struct literal_set run;      /* exact strings since the last gap */
	bool gap;
};
void literal_sequence_begin(struct literal_sequence *q, struct arena *arena, size_t product_max);
void literal_sequence_add(struct literal_sequence *q, const struct literal_piece *item);
void literal_sequence_end(struct literal_sequence *q, struct literal_piece *out);

#endif
