/*
 * Running an expression. Each value on the stack is the range that it is
 * certain to lie in; a number that is known is a range of one.
 */
#include "rules/rule_expr_private.h"

#define NUMBER_MAX 1e15        /* integers are exact up to here, and nothing overflows */

static struct expr_range point(double v)
{
	return (struct expr_range){ v, v, v == floor(v) };
}

static const struct expr_range anything = { -NUMBER_MAX, NUMBER_MAX, false };
static const struct expr_range yes_or_no = { 0, 1, true };

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
	return (struct expr_range){ fmin(a.low, b.low), fmax(a.high, b.high), a.whole && b.whole };
}

/* What is left of it if it isn't 0. */
static struct expr_range but_zero(struct expr_range r)
{
	if (r.whole && r.low == 0)
		r.low = 1;
	else if (r.whole && r.high == 0)
		r.high = -1;
	return r;
}

static struct expr_range decide(struct expr_range condition, struct expr_range yes, struct expr_range no)
{
	if (surely(condition))
		return yes;
	return surely_not(condition) ? no : hull(yes, no);
}

static struct expr_range answer(bool yes, bool no)
{
	return yes ? point(1) : no ? point(0) : yes_or_no;
}

static struct expr_range multiply(struct expr_range a, struct expr_range b)
{
	double p = a.low * b.low, q = a.low * b.high, r = a.high * b.low, s = a.high * b.high;
	return (struct expr_range){ fmin(fmin(p, q), fmin(r, s)), fmax(fmax(p, q), fmax(r, s)), a.whole && b.whole };
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
	case OP_AND: return decide(a, b, point(0));
	case OP_OR: return surely(a) ? a : surely_not(a) ? b : hull(but_zero(a), b);
	case OP_MULTIPLY: return multiply(a, b);
	case OP_ADD: return (struct expr_range){ a.low + b.low, a.high + b.high, a.whole && b.whole };
	case OP_SUBTRACT: return (struct expr_range){ a.low - b.high, a.high - b.low, a.whole && b.whole };
	case OP_DIVIDE: case OP_MODULO: case OP_XOR:
		return is_point(a) && is_point(b) ? point(of_points(op, a.low, b.low)) : anything;
	default: return compare(op, a, b);
	}
}

static struct expr_range within(struct expr_range r)
{
	return (struct expr_range){ tame(r.low), tame(r.high), r.whole };
}

struct expr_range rule_expr_range(const struct rule_expr *expr,
				  struct expr_range (*value)(const void *context, uint32_t rule), const void *context)
{
	struct expr_range stack[EXPR_DEPTH_MAX + 1];
	size_t n = 0;
	for (size_t i = 0; i < expr->count; i++) {
		const struct instruction *in = &expr->code[i];
		switch (in->op) {
		case OP_NUMBER:
			stack[n++] = within(point(in->number));
			break;
		case OP_RULE:
			stack[n++] = within(value(context, in->rule));
			break;
		case OP_NOT:
			stack[n - 1] = answer(surely_not(stack[n - 1]), surely(stack[n - 1]));
			break;
		case OP_NEGATE:
			stack[n - 1] = (struct expr_range){ -stack[n - 1].high, -stack[n - 1].low, stack[n - 1].whole };
			break;
		case OP_COLON:
			n -= 2;
			stack[n - 1] = decide(stack[n - 1], stack[n], stack[n + 1]);
			break;
		default:
			n--;
			stack[n - 1] = within(both(in->op, stack[n - 1], stack[n]));
		}
	}
	return stack[0];
}

struct known_or_not {
	double (*value)(void *context, uint32_t rule);
	void *context;
};

static struct expr_range range_of(const void *context, uint32_t rule)
{
	const struct known_or_not *k = context;
	double v = k->value(k->context, rule);
	return expr_known(v) ? point(v) : anything;
}

double rule_expr_eval(const struct rule_expr *expr, double (*value)(void *, uint32_t), void *context)
{
	const struct known_or_not k = { value, context };
	struct expr_range r = rule_expr_range(expr, range_of, &k);
	return is_point(r) ? r.low : EXPR_UNKNOWN;
}

void rule_expr_rules(const struct rule_expr *expr, void (*fn)(void *, uint32_t), void *context)
{
	for (size_t i = 0; i < expr->count; i++)
		if (expr->code[i].op == OP_RULE)
			fn(context, expr->code[i].rule);
}
