/*
 * Running an expression. Each value on the stack is the range that it is
 * certain to lie in; a number that is known is a range of one.
 */
#include "rules/rule_expr_private.h"

#define NUMBER_MAX 1e15        /* integers are exact up to here, and nothing overflows */

static const struct expr_range anything = { -NUMBER_MAX, NUMBER_MAX };
static const struct expr_range yes_or_no = { 0, 1 };

static inline double min(double a, double b)
{
	return a < b ? a : b;
}

static inline double max(double a, double b)
{
	return a > b ? a : b;
}

static bool is_point(struct expr_range r)
{
	return r.low == r.high;
}

static bool surely(struct expr_range r)
{
	return r.low > 0 || r.high < 0;
}

static bool surely_not(struct expr_range r)
{
	return r.low == 0 && r.high == 0;
}

static double tame(double v)
{
	return v > NUMBER_MAX ? NUMBER_MAX : v < -NUMBER_MAX ? -NUMBER_MAX : v;
}

static struct expr_range hull(struct expr_range a, struct expr_range b)
{
	return (struct expr_range){ min(a.low, b.low), max(a.high, b.high) };
}

/* What is left of a whole number if it isn't 0. */
static struct expr_range but_zero(struct expr_range r)
{
	return (struct expr_range){ r.low == 0 ? 1 : r.low, r.high == 0 ? -1 : r.high };
}

static struct expr_range decide(struct expr_range condition, struct expr_range yes, struct expr_range no)
{
	if (surely(condition))
		return yes;
	return surely_not(condition) ? no : hull(yes, no);
}

static struct expr_range answer(bool yes, bool no)
{
	return yes ? expr_point(1) : no ? expr_point(0) : yes_or_no;
}

static struct expr_range multiply(struct expr_range a, struct expr_range b)
{
	double p = a.low * b.low, q = a.low * b.high, r = a.high * b.low, s = a.high * b.high;
	return (struct expr_range){ min(min(p, q), min(r, s)), max(max(p, q), max(r, s)) };
}

static double of_points(enum op op, double a, double b)
{
	if (op == OP_XOR)
		return (double)((int64_t)a ^ (int64_t)b);
	if (op == OP_DIVIDE)
		return b == 0 ? 0 : a / b;
	return (int64_t)b == 0 ? 0 : (double)((int64_t)a % (int64_t)b);
}

static struct expr_range compare(enum op op, struct expr_range a, struct expr_range b)
{
	bool same = is_point(a) && is_point(b) && a.low == b.low, apart = a.high < b.low || b.high < a.low;
	switch (op) {
	case OP_LT: return answer(a.high < b.low, a.low >= b.high);
	case OP_LE: return answer(a.high <= b.low, a.low > b.high);
	case OP_GT: return answer(a.low > b.high, a.high <= b.low);
	case OP_GE: return answer(a.low >= b.high, a.high < b.low);
	case OP_EQ: return answer(same, apart);
	default: return answer(apart, same);
	}
}

static struct expr_range both(enum op op, struct expr_range a, struct expr_range b)
{
	switch (op) {
	case OP_MULTIPLY: return multiply(a, b);
	case OP_SUBTRACT: return (struct expr_range){ a.low - b.high, a.high - b.low };
	case OP_DIVIDE: case OP_MODULO: case OP_XOR:
		return is_point(a) && is_point(b) ? expr_point(of_points(op, a.low, b.low)) : anything;
	default: return compare(op, a, b);
	}
}

static struct expr_range within(struct expr_range r)
{
	return (struct expr_range){ tame(r.low), tame(r.high) };
}

/* Each instruction leaves its value on top of the stack. */
static struct expr_range run(const struct rule_expr *expr, const struct expr_range *values, bool fractions,
			     struct expr_range (*value)(const void *context, uint32_t rule), const void *context)
{
	struct expr_range stack[EXPR_DEPTH_MAX + 2], *top = stack;
	*top = expr_point(0); /* of nothing at all */
	for (size_t i = 0; i < expr->count; i++) {
		const struct instruction *in = &expr->code[i];
		switch (in->op) {
		case OP_NUMBER:
			*++top = within(expr_point(in->number));
			break;
		case OP_RULE:
			*++top = values != NULL ? values[in->rule] : within(value(context, in->rule));
			break;
		case OP_NOT:
			*top = answer(surely_not(*top), surely(*top));
			break;
		case OP_NEGATE:
			*top = (struct expr_range){ -top->high, -top->low };
			break;
		case OP_COLON:
			top -= 2;
			*top = decide(*top, top[1], top[2]);
			break;
		case OP_SKIP_IF_NOT:
			i = surely_not(*top) ? in->target - 1 : i;
			break;
		case OP_SKIP_IF:
			i = surely(*top) ? in->target - 1 : i;
			break;
		case OP_AND: /* the left isn't surely 0: that was skipped */
			top--;
			if (surely(*top))
				*top = top[1];
			else
				*top = (struct expr_range){ min(top[1].low, 0), max(top[1].high, 0) };
			break;
		case OP_OR:
			top--;
			*top = surely_not(*top) ? top[1] : hull(fractions ? *top : but_zero(*top), top[1]);
			break;
		case OP_ADD:
			top--;
			top->low += top[1].low;
			top->high += top[1].high;
			break;
		default:
			top--;
			*top = within(both(in->op, *top, top[1]));
		}
	}
	return within(*top);
}

struct expr_range rule_expr_range(const struct rule_expr *expr, const struct expr_range *values, bool fractions)
{
	return run(expr, values, fractions, NULL, NULL);
}

bool rule_expr_fractions(const struct rule_expr *expr)
{
	for (size_t i = 0; i < expr->count; i++) {
		const struct instruction *in = &expr->code[i];
		if (in->op == OP_DIVIDE || (in->op == OP_NUMBER && in->number != floor(in->number)))
			return true;
	}
	return false;
}

size_t rule_expr_length(const struct rule_expr *expr)
{
	return expr->count;
}

struct known_or_not {
	double (*value)(void *context, uint32_t rule);
	void *context;
};

static struct expr_range range_of(const void *context, uint32_t rule)
{
	const struct known_or_not *k = context;
	double v = k->value(k->context, rule);
	return expr_known(v) ? expr_point(v) : anything;
}

double rule_expr_eval(const struct rule_expr *expr, double (*value)(void *, uint32_t), void *context)
{
	const struct known_or_not k = { value, context };
	struct expr_range r = run(expr, NULL, true, range_of, &k);
	return is_point(r) ? r.low : EXPR_UNKNOWN;
}

void rule_expr_rules(const struct rule_expr *expr, void (*fn)(void *, uint32_t), void *context)
{
	for (size_t i = 0; i < expr->count; i++)
		if (expr->code[i].op == OP_RULE)
			fn(context, expr->code[i].rule);
}
