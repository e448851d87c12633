#ifndef GATEHOUSE_RULES_PATTERN_LITERALS_H
#define GATEHOUSE_RULES_PATTERN_LITERALS_H
/*
 * pattern_literals: strings of which one at least stands in any text that a
 * pattern matches. A text without any of them need not be tried.
 *
 * They are lower case; the text is to be searched without regard to (ASCII)
 * case. What this reader of patterns doesn't understand it treats as "could
 * be anything", so the answer is never too narrow.
 */
#include "rules/rule.h"

#define LITERALS_MAX 1000u
#define LITERAL_LENGTH_MAX 24u

struct literals {
	struct slice *list;
	size_t count;             /* 0: none known */
	unsigned times;           /* that many stand in each match, none over another */
	double quality;           /* how rare they are: bits, roughly */
};

/* The best set there is. false: none. The bytes live in the arena. */
bool pattern_literals(struct arena *arena, const struct pattern *pattern, struct literals *literals_r);
/*
 * As above, for texts of ASCII alone: what only other octets can match is left
 * aside. None in the list with true: no such text is matched.
 */
bool pattern_literals_ascii(struct arena *arena, const struct pattern *pattern, struct literals *literals_r);
/* All strings that the pattern matches, case aside, if it matches only these
 * and there are at most LITERALS_MAX. */
bool pattern_exact(struct arena *arena, const struct pattern *pattern, struct literals *literals_r);

#endif
