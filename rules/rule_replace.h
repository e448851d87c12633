#ifndef GATEHOUSE_RULES_RULE_REPLACE_H
#define GATEHOUSE_RULES_RULE_REPLACE_H
/*
 * rule_replace: replace_tag and its kin. In the patterns of the rules that
 * replace_rules names, <X> becomes what `replace_tag X` says, with
 * replace_pre before and replace_post behind each tag and replace_inter
 * between two adjacent ones, where <pre P>, <post P>, <inter P> ask for it.
 */
#include "rules/rule.h"

/* Rewrites rule->pattern of all such rules. Call once, after all files are read. */
void rule_replace_tags(struct rule_table *table);

/* Letters outside of ASCII as the skeleton channel has them (message/skeleton.h);
 * ASCII, and so all of the pattern's own signs, stays. */
struct slice rule_fold_pattern(struct arena *arena, struct slice source);

#endif
