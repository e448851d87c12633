#ifndef GATEHOUSE_RULES_RULE_REVIEW_H
#define GATEHOUSE_RULES_RULE_REVIEW_H
/*
 * rule_review: what is no mistake in rule files, but seldom meant: rules that
 * nobody gave a score, scores of rules that nobody defines, rules defined twice
 * or under two names, patterns that may take long. For `check`.
 */
#include "rules/ruleset.h"

enum rule_note_kind {
	NOTE_NO_SCORE,        /* a visible rule that counts by default */
	NOTE_UNDEFINED,       /* a score, description or action of what is no rule and no symbol */
	NOTE_DEFINED_AGAIN,   /* replaces an earlier definition */
	NOTE_SAME,            /* looks for what another rule looks for */
	NOTE_DANGEROUS,       /* a repetition of a repetition: may take long on some texts */
	NOTES
};
const char *rule_note_name(enum rule_note_kind kind); /* "no-score" */

struct rule_note {
	enum rule_note_kind kind;
	const struct rule *rule;
	const char *text;     /* for people; in the arena or static */
};

/* In order of the rules; in the arena. */
size_t ruleset_review(const struct ruleset *rules, struct arena *arena, struct rule_note **notes_r);

/* Whether a group that repeats without bound is itself repeated without bound. */
bool pattern_nests_repeats(struct slice source);

#endif
