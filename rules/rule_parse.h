#ifndef GATEHOUSE_RULES_RULE_PARSE_H
#define GATEHOUSE_RULES_RULE_PARSE_H
/*
 * rule_parse: reads files of SpamAssassin's language into a rule_table. Goes
 * on after an error: table->errors has every one with file and line. Lines
 * that SpamAssassin knows but that are no rules (its own report texts,
 * Bayes …) are counted as ignored, unknown words are errors.
 */
#include "rules/rule.h"

#define RULE_FILE_MAX (32u * 1024 * 1024)
#define RULE_INCLUDE_DEPTH 16u
#define RULE_IF_DEPTH 64u

struct rule_parse_options {
	bool net;              /* rules that ask the network may run */
	const char *language;  /* for `lang xx`; NULL: "en_US" */
};

/* A file, or all *.cf of a folder in order of their names. */
void rule_parse_path(struct rule_table *table, const char *path, const struct rule_parse_options *options);
void rule_parse_text(struct rule_table *table, struct slice file, struct slice text,
		     const struct rule_parse_options *options);

/* Perl's ways to write a pattern: /x/i m{x} m,x, qr'x'. *rest_r: what stands
 * behind it. False with *error_r. */
bool rule_parse_pattern(struct arena *arena, struct slice text, struct pattern *pattern_r, const char **error_r);

/* One line that is not about files or conditions (rule_directive.c). */
struct rule_line {
	struct rule_table *table;
	struct slice key;      /* lower case, "_" for "-" */
	struct slice value;    /* trimmed */
	struct slice file;
	unsigned line;
	bool skipped;          /* in a conditional that is false: rules are only noted */
	const char *why;       /* then: the condition that is false, if it is a plugin's */
};
void rule_directive(const struct rule_line *line);

#endif
