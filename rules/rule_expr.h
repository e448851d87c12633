#ifndef GATEHOUSE_RULES_RULE_EXPR_H
#define GATEHOUSE_RULES_RULE_EXPR_H
/*
 * rule_expr: the expressions of `meta` and of `if`, with Perl's operators and
 * precedence: ! unary- * / % + - < <= > >= == != ^ && || ?: and parentheses.
 *
 * An expression is kept as postfix code, so neither reading nor evaluating
 * recurses. Values are doubles; what is not known yet is EXPR_UNKNOWN, and
 * a result is unknown only if it could still come out either way: so a meta
 * is concluded as soon as it is certain. More is certain of values that are
 * known to lie in a range.
 */
#include <math.h>

#include "base/arena.h"

#define EXPR_UNKNOWN ((double)NAN)
static inline bool expr_known(double value)
{
	return !isnan(value);
}

#define EXPR_DEPTH_MAX 256u
#define EXPR_OPS_MAX 65536u

struct rule_expr;
struct expr_builder;

/*
 * What a name stands for. argument is what stands in parentheses behind it
 * (trimmed); data == NULL if there are none. Pushes exactly one value with
 * the two functions below and returns true; false with *error_r (static, or
 * in the arena) if the name means nothing.
 */
typedef bool (*expr_name_fn)(void *context, struct expr_builder *builder, struct slice name,
			     struct slice argument, const char **error_r);
void expr_push_number(struct expr_builder *builder, double value);
void expr_push_rule(struct expr_builder *builder, uint32_t rule);
/* The sum of rules; 0 of none. */
void expr_push_sum(struct expr_builder *builder, const uint32_t *rules, size_t count);

/* NULL with *error_r on a syntax error. */
struct rule_expr *rule_expr_parse(struct arena *arena, struct slice text, expr_name_fn name, void *context,
				  const char **error_r);
/* What a value is certain to lie in. The same twice: it is known. */
struct expr_range {
	double low, high;
};
static inline struct expr_range expr_point(double value)
{
	return (struct expr_range){ value, value };
}
/* values: by rule, none beyond 1e15. Those that aren't known are taken for
 * whole numbers, unless fractions is set. */
struct expr_range rule_expr_range(const struct rule_expr *expr, const struct expr_range *values, bool fractions);
/* Whether its value may be other than whole where those of rules are. */
bool rule_expr_fractions(const struct rule_expr *expr);
/* How many steps it takes. */
size_t rule_expr_length(const struct rule_expr *expr);
/* The value, of numbers that are known or EXPR_UNKNOWN. */
double rule_expr_eval(const struct rule_expr *expr, double (*value)(void *context, uint32_t rule), void *context);
/* Calls fn for each rule named, as often as it is named. */
void rule_expr_rules(const struct rule_expr *expr, void (*fn)(void *context, uint32_t rule), void *context);
/*
 * Calls fn for rules of which one at least isn't 0 wherever the value isn't:
 * for A && B with either. False: there are no such rules; the value may be
 * other than 0 where all rules are.
 */
bool rule_expr_wakers(const struct rule_expr *expr, void (*fn)(void *context, uint32_t rule), void *context);

#endif
