#ifndef GATEHOUSE_FILTERS_SYMBOLS_H
#define GATEHOUSE_FILTERS_SYMBOLS_H
/*
 * symbols: the names of what filters report, which rule files may score, build
 * metas of, or define as rules of their own.
 *
 * A fact counts once. Where a rule of the files runs under a filter's name,
 * the rule decides whether it holds and its score counts; where it hits under
 * another name for the same fact, the filter's symbol is kept without a score.
 */
#include "filters/filter.h"
#include "message/hit.h"
#include "policy/config.h"
#include "rules/rule_scan.h"

/* Of the filters that are on, with the symbols of the DNS lists; ends with NULL. */
const char *const *symbol_names(struct arena *arena, const struct config *config);
/* The filter that reports it, with *symbol_r its entry; NULL: none. Not of DNS lists. */
const struct filter *symbol_filter(const char *name, const struct filter_symbol **symbol_r);

/* Sees to it that facts count once, when the rules' hits are known and those
 * of filters stand in hits. Rules that bear a filter's name are settled by
 * this alone: they are not to be added. */
void symbols_settle(struct hits *hits, const struct ruleset *rules, const struct rule_hit *list, size_t count);

#endif
