#ifndef GATEHOUSE_RULES_RULE_EXPR_PRIVATE_H
#define GATEHOUSE_RULES_RULE_EXPR_PRIVATE_H
/* The code of an expression, which rule_expr.c writes and rule_expr_eval.c runs. */
#include "rules/rule_expr.h"

enum op {
	OP_NUMBER, OP_RULE, OP_NOT, OP_NEGATE, OP_MULTIPLY, OP_DIVIDE, OP_MODULO, OP_ADD, OP_SUBTRACT,
	OP_LT, OP_LE, OP_GT, OP_GE, OP_EQ, OP_NE, OP_XOR, OP_AND, OP_OR,
	OP_SKIP_IF_NOT, OP_SKIP_IF, /* behind what is left of && and ||: past them if that decides */
	OP_QUESTION, OP_COLON, OP_OPEN,
};

struct instruction {
	enum op op;
	union {
		uint32_t rule;
		uint32_t target; /* of OP_SKIP…: the instruction to go on with */
		double number;
	};
};

struct rule_expr {
	struct instruction *code;
	size_t count;
};

#endif
