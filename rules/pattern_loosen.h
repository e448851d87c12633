#ifndef GATEHOUSE_RULES_PATTERN_LOOSEN_H
#define GATEHOUSE_RULES_PATTERN_LOOSEN_H
/*
 * pattern_loosen: a simpler pattern that matches wherever the given one does,
 * and perhaps elsewhere too: for vectorscan, whose automata grow with counted
 * groups and with alternatives of many strings.
 */
#include "rules/rule.h"

/* Counted groups repeat any number of times, atomic groups and possessive
 * quantifiers give back. */
struct slice pattern_loosen(struct arena *arena, struct slice source);

/*
 * A pattern that matches a fixed set of strings as a class or two: the single
 * octets, and what the longer ones begin and go on with. Empty if it is no
 * such set.
 */
struct slice pattern_loosen_letter(struct arena *arena, struct slice source);

#endif
