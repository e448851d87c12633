#ifndef GATEHOUSE_RULES_REGEX_H
#define GATEHOUSE_RULES_REGEX_H
/*
 * regex: Perl's patterns by PCRE2's just-in-time compiler. The one module
 * that includes pcre2.h.
 *
 * Text is matched as bytes, as SpamAssassin does: /i folds ASCII only, \w
 * and \s are ASCII. A regex is immutable and may be used by many threads,
 * each with a scratch of its own.
 */
#include "rules/rule.h"

struct regex;
struct regex_scratch;

enum regex_result {
	REGEX_NO,
	REGEX_YES,
	REGEX_LIMIT,      /* given up: too many steps or too deep */
};

struct regex_match {
	size_t start, end; /* of the whole match */
};

/*
 * NULL with *error_r (in the arena) if it can't be compiled, or not to machine
 * code: the interpreter is too slow to be fallen back to. Freed with the arena.
 */
struct regex *regex_compile(struct arena *arena, const struct pattern *pattern, const char **error_r);
/* Of one that can't be compiled: it would be none to Perl either, so whoever wrote it has mistyped it. */
bool regex_is_malformed(struct arena *arena, const struct pattern *pattern);
/* Perl's spelling turned into PCRE2's where they differ. */
struct slice regex_translate(struct arena *arena, struct slice source, unsigned flags);

/* Octets of its code, without the machine's: how much there is to it. */
size_t regex_size(const struct regex *regex);
/* Names of (?<NAME>…) groups; the nth, or empty. */
struct slice regex_group_name(const struct regex *regex, size_t n);
/* What the group of that name matched in the last match with that scratch. */
struct slice regex_group(const struct regex *regex, const struct regex_scratch *scratch, struct slice text,
			 struct slice name);

/* The nth group of the last match; empty if it took no part. */
struct slice regex_nth_group(const struct regex_scratch *scratch, struct slice text, size_t n);

struct regex_scratch *regex_scratch_create(void);
void regex_scratch_free(struct regex_scratch **scratch);

/* From offset on (what lies before is looked behind at). match_r may be NULL. */
enum regex_result regex_match(const struct regex *regex, struct regex_scratch *scratch, struct slice text,
			      size_t from, struct regex_match *match_r);

#endif
