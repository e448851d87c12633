/* Which rules an expression can't do without. */
#include <stdlib.h>

#include "rules/rule_expr_private.h"

/* A set of rules of which one at least isn't 0 wherever the value isn't; none
 * is known if `any` is set. */
struct wakers {
	bool any;
	uint32_t *list;
	size_t count;
};

static struct wakers none(void)
{
	return (struct wakers){ .any = false };
}

static struct wakers unknown(struct wakers *a, struct wakers *b)
{
	free(a->list);
	free(b->list);
	return (struct wakers){ .any = true };
}

static struct wakers one(uint32_t rule)
{
	struct wakers w = { .list = xmalloc(sizeof(rule)), .count = 1 };
	w.list[0] = rule;
	return w;
}

/* Either has to be there: the set of fewer rules will do. */
static struct wakers fewer(struct wakers *a, struct wakers *b)
{
	bool left = b->any || (!a->any && a->count <= b->count);
	struct wakers *keep = left ? a : b, *drop = left ? b : a;
	free(drop->list);
	return *keep;
}

static struct wakers join(struct wakers *a, struct wakers *b)
{
	if (a->any || b->any)
		return unknown(a, b);
	a->list = xrealloc(a->list, (a->count + b->count + 1) * sizeof(*a->list));
	if (b->count > 0)
		memcpy(a->list + a->count, b->list, b->count * sizeof(*b->list));
	a->count += b->count;
	free(b->list);
	return *a;
}

/* x > k and x >= k hold only of what isn't 0, if k is a number that 0 falls short of. */
static bool zero_fails(enum op op, const struct instruction *right)
{
	if (right->op != OP_NUMBER)
		return false;
	return op == OP_GT ? right->number >= 0 : op == OP_GE && right->number > 0;
}

static struct wakers combine(const struct instruction *in, struct wakers *a, struct wakers *b)
{
	switch (in->op) {
	case OP_AND: case OP_MULTIPLY:
		return fewer(a, b);
	case OP_OR: case OP_ADD: case OP_SUBTRACT:
		return join(a, b);
	default:
		if (!zero_fails(in->op, in - 1))
			return unknown(a, b);
		free(b->list);
		return *a;
	}
}

/* The stack of values, as rule_expr_range() has it, of sets. */
static struct wakers of_code(const struct rule_expr *expr)
{
	struct wakers stack[EXPR_DEPTH_MAX + 2], *top = stack;
	*top = none(); /* of nothing at all */
	for (const struct instruction *in = expr->code; in < expr->code + expr->count; in++) {
		switch (in->op) {
		case OP_NUMBER:
			*++top = in->number == 0 ? none() : (struct wakers){ .any = true };
			break;
		case OP_RULE:
			*++top = one(in->rule);
			break;
		case OP_NOT:
			free(top->list);
			*top = (struct wakers){ .any = true };
			break;
		case OP_NEGATE: case OP_SKIP_IF: case OP_SKIP_IF_NOT:
			break;
		case OP_COLON:
			top -= 2;
			free(top->list);
			*top = join(&top[1], &top[2]);
			break;
		default:
			top--;
			*top = combine(in, top, &top[1]);
		}
	}
	return *top;
}

bool rule_expr_wakers(const struct rule_expr *expr, void (*fn)(void *, uint32_t), void *context)
{
	struct wakers w = of_code(expr);
	for (size_t i = 0; i < w.count; i++)
		fn(context, w.list[i]);
	free(w.list);
	return !w.any;
}
