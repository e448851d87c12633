#ifndef GATEHOUSE_MESSAGE_SKELETON_H
#define GATEHOUSE_MESSAGE_SKELETON_H
/*
 * skeleton: text without its disguises, and the signs of a disguise. The one
 * module that includes ICU. Input that is not valid UTF-8 is taken with
 * U+FFFD in its place. Pure; thread-safe; linear time.
 */
#include "base/arena.h"

/* Opens ICU's data and builds the tables, so that nothing is left to do at
 * the first mail. Called before the sandbox closes; else at first use. */
void skeleton_preload(void);

/*
 * Text for rules to match, readable: NFKC, case folded, invisible characters
 * and piled-up marks gone, digits of all scripts as ASCII, Arabic and Persian
 * letters that stand for each other as one, and letters that look like those
 * of another script (UTS #39) as that script's: "Рaypаl" becomes "paypal". A
 * word is read in the script that its unmistakable letters are in; a word
 * that could be either goes with the rest of the text. ASCII stays as it is,
 * but for case.
 */
struct slice skeleton_text(struct arena *arena, struct slice utf8);

/*
 * For comparing alone, not readable: two strings look alike if these are
 * equal. UTS #39's skeleton, and beyond it marks gone, i as l, vv as w.
 */
struct slice skeleton_confusable(struct arena *arena, struct slice utf8);

/*
 * The same for names, word by word: letters and digits as skeleton_text reads
 * them and skeleton_confusable compares them, one space for all that stands
 * between; signs, emoji and trade marks are between.
 */
struct slice skeleton_words(struct arena *arena, struct slice utf8);

/* A-labels as the U-labels that a mail reader shows (UTS #46); the name
 * itself where it has none or they are not valid. */
struct slice skeleton_domain(struct arena *arena, struct slice domain);

enum skeleton_sign {
	SKELETON_MIXED = 1 << 0,      /* a word of letters of scripts that don't go together */
	SKELETON_BIDI = 1 << 1,       /* embeds or overrides the direction (UAX #9) */
	SKELETON_INVISIBLE = 1 << 2,  /* invisible characters within a word, where its script has no use for them */
	SKELETON_CONTROL = 1 << 3,    /* C0 or C1 but tab and line ends; NUL */
	SKELETON_NUL = 1 << 4,
	SKELETON_NEWLINE = 1 << 5,    /* CR or LF */
};
unsigned skeleton_signs(struct slice utf8);

#endif
