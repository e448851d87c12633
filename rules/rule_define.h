#ifndef GATEHOUSE_RULES_RULE_DEFINE_H
#define GATEHOUSE_RULES_RULE_DEFINE_H
/*
 * rule_define: directives that define a rule, one function for each kind, for
 * the table in rule_directive.c. What can't be read is an error with its line
 * and leaves a rule that is unsupported.
 */
#include "rules/rule_parse.h"

#define line_error(l, ...) config_error_add((l)->table->errors, (l)->file, (l)->line, __VA_ARGS__)

/* Takes the first word off; what is left is trimmed. */
struct slice rule_line_word(struct slice *rest);
/* The rule that the line's first word names; NULL with an error if it can't be one. */
struct rule *rule_line_rule(const struct rule_line *line, struct slice *rest_r);

void rule_on_header(const struct rule_line *line);
void rule_on_body(const struct rule_line *line);
void rule_on_rawbody(const struct rule_line *line);
void rule_on_full(const struct rule_line *line);
void rule_on_uri(const struct rule_line *line);
void rule_on_skeleton(const struct rule_line *line);
void rule_on_mimeheader(const struct rule_line *line);
void rule_on_uri_detail(const struct rule_line *line);
void rule_on_meta(const struct rule_line *line);
void rule_on_uribl(const struct rule_line *line);
void rule_on_askdns(const struct rule_line *line);

#endif
