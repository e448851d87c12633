#ifndef GATEHOUSE_RULES_RULE_EXPR_PRIVATE_H
#define GATEHOUSE_RULES_RULE_EXPR_PRIVATE_H
/* The code of an expression, which rule_expr.c writes and rule_expr_eval.c runs. */
#include "rules/rule_expr.h"

enum op {
	OP_NUMBER, OP_RULE, OP_NOT, OP_NEGATE, OP_MULTIPLY, OP_DIVIDE, OP_MODULO, OP_ADD, OP_SUBTRACT,
	OP_LT, OP_LE, OP_GT, OP_GE, OP_EQ, OP_NE, OP_XOR, OP_AND, OP_OR, OP_QUESTION, OP_COLON, OP_OPEN,
};

struct instruction {
	enum op op;
	uint32_t rule;
	double number;
};

struct rule_expr {
	struct instruction *code;
	size_t count;
};

#endif
