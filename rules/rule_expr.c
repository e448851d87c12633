#include <stdlib.h>

#include "rules/rule_expr_private.h"

struct operator {
	const char *text;
	enum op op;
	int precedence;
};

/* Longer ones before their prefixes. Precedence as perlop(1) has it. */
static const struct operator binary_operators[] = {
	{ "<=", OP_LE, 9 }, { ">=", OP_GE, 9 }, { "==", OP_EQ, 8 }, { "!=", OP_NE, 8 },
	{ "&&", OP_AND, 4 }, { "||", OP_OR, 3 }, { "<", OP_LT, 9 }, { ">", OP_GT, 9 },
	{ "*", OP_MULTIPLY, 12 }, { "/", OP_DIVIDE, 12 }, { "%", OP_MODULO, 12 }, { "+", OP_ADD, 11 },
	{ "-", OP_SUBTRACT, 11 }, { "^", OP_XOR, 6 }, { "?", OP_QUESTION, 2 }, { ":", OP_COLON, 2 },
};
#define UNARY_PRECEDENCE 14

struct pending {
	enum op op;
	int precedence;
	size_t skip;           /* 1 + the instruction that skips it; 0: none */
};

struct expr_builder {
	struct arena *arena;
	struct slice rest;
	struct instruction *code;
	size_t count, cap;
	struct pending stack[EXPR_DEPTH_MAX]; /* operators that wait for their right side */
	size_t depth;
	size_t values, most_values;           /* on the evaluation stack */
	const char *error;
};

static void emit(struct expr_builder *b, struct instruction in)
{
	if (b->count >= EXPR_OPS_MAX) {
		b->error = "expression too long";
		return;
	}
	if (b->count == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 16;
		struct instruction *code = arena_array(b->arena, struct instruction, cap);
		if (b->count > 0)
			memcpy(code, b->code, b->count * sizeof(*code));
		b->code = code;
		b->cap = cap;
	}
	b->code[b->count++] = in;
}

static void emit_value(struct expr_builder *b, struct instruction in)
{
	emit(b, in);
	if (++b->values > b->most_values)
		b->most_values = b->values;
	if (b->values > EXPR_DEPTH_MAX)
		b->error = "expression nested too deeply";
}

void expr_push_number(struct expr_builder *b, double value)
{
	emit_value(b, (struct instruction){ .op = OP_NUMBER, .number = value });
}

void expr_push_rule(struct expr_builder *b, uint32_t rule)
{
	emit_value(b, (struct instruction){ .op = OP_RULE, .rule = rule });
}

void expr_push_sum(struct expr_builder *b, const uint32_t *rules, size_t count)
{
	expr_push_number(b, 0);
	for (size_t i = 0; i < count; i++) {
		expr_push_rule(b, rules[i]);
		emit(b, (struct instruction){ .op = OP_ADD });
		b->values--;
	}
}

/* How many values an operator takes; it leaves one. */
static size_t arity(enum op op)
{
	if (op == OP_NOT || op == OP_NEGATE)
		return 1;
	return op == OP_COLON ? 3 : 2;
}

static void apply(struct expr_builder *b, struct pending pending)
{
	enum op op = pending.op;
	if (op == OP_OPEN) {
		b->error = "missing )";
		return;
	}
	if (op == OP_QUESTION) {
		b->error = "? without :";
		return;
	}
	if (b->values < arity(op)) {
		b->error = "operand missing";
		return;
	}
	emit(b, (struct instruction){ .op = op });
	b->values -= arity(op) - 1;
	if (pending.skip > 0 && b->error == NULL)
		b->code[pending.skip - 1].target = (uint32_t)b->count;
}

static void push_operator(struct expr_builder *b, enum op op, int precedence)
{
	if (b->depth == EXPR_DEPTH_MAX) {
		b->error = "expression nested too deeply";
		return;
	}
	struct pending pending = { .op = op, .precedence = precedence };
	if (op == OP_AND || op == OP_OR) {
		emit(b, (struct instruction){ .op = op == OP_AND ? OP_SKIP_IF_NOT : OP_SKIP_IF });
		pending.skip = b->count;
	}
	b->stack[b->depth++] = pending;
}

static void skip_space(struct expr_builder *b)
{
	b->rest = slice_trim_left(b->rest);
}

static bool is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

/* Letters, digits, "_", and "::" between them. */
static struct slice take_name(struct expr_builder *b)
{
	size_t n = 0;
	while (n < b->rest.len) {
		if (is_name_char(b->rest.data[n]))
			n++;
		else if (b->rest.data[n] == ':' && n + 1 < b->rest.len && b->rest.data[n + 1] == ':')
			n += 2;
		else
			break;
	}
	struct slice name = slice_head(b->rest, n);
	b->rest = slice_from(b->rest, n);
	return name;
}

static void read_number(struct expr_builder *b)
{
	char digits[32];
	size_t n = 0;
	while (n < b->rest.len && n < sizeof(digits) - 1 &&
	       (ascii_is_digit(b->rest.data[n]) || b->rest.data[n] == '.')) {
		digits[n] = b->rest.data[n];
		n++;
	}
	digits[n] = '\0';
	char *end;
	double value = strtod(digits, &end);
	if (n == 0 || *end != '\0' || (n < b->rest.len && is_name_char(b->rest.data[n])))
		b->error = "malformed number";
	b->rest = slice_from(b->rest, n);
	expr_push_number(b, value);
}

static void read_name(struct expr_builder *b, expr_name_fn fn, void *context)
{
	struct slice name = take_name(b), argument = SLICE_EMPTY;
	skip_space(b);
	if (b->rest.len > 0 && b->rest.data[0] == '(') {
		size_t end = slice_chr(b->rest, ')');
		if (end == SLICE_NPOS) {
			b->error = "missing )";
			return;
		}
		argument = slice_trim(slice_sub(b->rest, 1, end - 1));
		b->rest = slice_from(b->rest, end + 1);
	}
	size_t before = b->values;
	if (!fn(context, b, name, argument, &b->error) && b->error == NULL)
		b->error = "unknown name";
	else if (b->error == NULL && b->values != before + 1)
		b->error = "name without a value";
}

/* Where a value is expected. Returns true once one was read. */
static bool read_operand(struct expr_builder *b, expr_name_fn fn, void *context)
{
	char c = b->rest.data[0];
	if (c == '!' || c == '-' || c == '+') {
		b->rest = slice_from(b->rest, 1);
		if (c != '+')
			push_operator(b, c == '!' ? OP_NOT : OP_NEGATE, UNARY_PRECEDENCE);
		return false;
	}
	if (c == '(') {
		b->rest = slice_from(b->rest, 1);
		push_operator(b, OP_OPEN, 0);
		return false;
	}
	if (ascii_is_digit(c) || c == '.')
		read_number(b);
	else if (is_name_char(c))
		read_name(b, fn, context);
	else
		b->error = "operand expected";
	return true;
}

static void close_parenthesis(struct expr_builder *b)
{
	b->rest = slice_from(b->rest, 1);
	while (b->error == NULL && b->depth > 0 && b->stack[b->depth - 1].op != OP_OPEN)
		apply(b, b->stack[--b->depth]);
	if (b->depth == 0)
		b->error = "unexpected )";
	else
		b->depth--;
}

/* ?: binds to the right, all else to the left; ":" meets its "?". */
static void reduce_for(struct expr_builder *b, const struct operator *op)
{
	bool right = op->op == OP_QUESTION || op->op == OP_COLON;
	while (b->error == NULL && b->depth > 0) {
		struct pending top = b->stack[b->depth - 1];
		if (top.op == OP_OPEN || (top.op == OP_QUESTION && op->op == OP_COLON))
			break;
		if (op->op == OP_COLON ? top.precedence < op->precedence :
				right ? top.precedence <= op->precedence : top.precedence < op->precedence)
			break;
		b->depth--;
		apply(b, top);
	}
}

static void read_operator(struct expr_builder *b)
{
	const size_t n = sizeof(binary_operators) / sizeof(*binary_operators);
	for (size_t i = 0; i < n; i++) {
		const struct operator *op = &binary_operators[i];
		struct slice text = slice_str(op->text);
		if (!slice_starts(b->rest, text))
			continue;
		b->rest = slice_from(b->rest, text.len);
		reduce_for(b, op);
		if (op->op == OP_COLON) {
			if (b->depth == 0 || b->stack[b->depth - 1].op != OP_QUESTION) {
				b->error = ": without ?";
				return;
			}
			b->stack[b->depth - 1] = (struct pending){ .op = OP_COLON, .precedence = op->precedence };
		} else {
			push_operator(b, op->op, op->precedence);
		}
		return;
	}
	b->error = "operator expected";
}

static void read_all(struct expr_builder *b, expr_name_fn fn, void *context)
{
	bool have = false;
	for (skip_space(b); b->error == NULL && b->rest.len > 0; skip_space(b)) {
		if (!have) {
			have = read_operand(b, fn, context);
		} else if (b->rest.data[0] == ')') {
			close_parenthesis(b);
		} else {
			read_operator(b);
			have = false;
		}
	}
	if (b->error == NULL && !have)
		b->error = "operand missing";
	while (b->error == NULL && b->depth > 0)
		apply(b, b->stack[--b->depth]);
	if (b->error == NULL && b->values != 1)
		b->error = "malformed expression";
}

struct rule_expr *rule_expr_parse(struct arena *arena, struct slice text, expr_name_fn name, void *context,
				  const char **error_r)
{
	struct expr_builder *b = xcalloc(1, sizeof(*b));
	b->arena = arena;
	b->rest = text;
	read_all(b, name, context);
	struct rule_expr *expr = NULL;
	*error_r = b->error;
	if (b->error == NULL) {
		expr = arena_new(arena, struct rule_expr);
		expr->code = b->code;
		expr->count = b->count;
	}
	free(b);
	return expr;
}
