#ifndef GATEHOUSE_RULES_RULE_COND_H
#define GATEHOUSE_RULES_RULE_COND_H
/*
 * rule_cond: the conditions of `if` and `ifplugin`. To rule files we are
 * SpamAssassin 4.0.1 with those of its plugins whose rules we can honour,
 * plus what can(Gatehouse::…) asks.
 */
#include "base/arena.h"

#define SPAMASSASSIN_VERSION "4.000001"
#define SPAMASSASSIN_VERSION_NUMBER 4.000001
#define PERL_VERSION_NUMBER 5.036

/* True or false in *value_r; false with *error_r on a syntax error. */
bool rule_condition_eval(struct arena *arena, struct slice text, bool net, bool *value_r, const char **error_r);
bool rule_plugin_loaded(struct slice name);

#endif
