/* Meta expressions: what parses evaluates, to the same value each time, and
 * what is certain with unknown parts stays so once they are known. */
#include <stdlib.h>

#include "rules/rule_expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool any_name(void *context, struct expr_builder *b, struct slice name, struct slice argument,
		     const char **error_r)
{
	(void)context;
	(void)error_r;
	if (argument.data != NULL)
		expr_push_sum(b, (const uint32_t[]){ 1, 2, 3 }, argument.len % 4);
	else
		expr_push_rule(b, (uint32_t)(slice_hash(name) & 0xff));
	return true;
}

/* An odd rule is not known while context says so. */
static double value_of(void *context, uint32_t rule)
{
	const bool *hidden = context;
	return *hidden && rule % 2 ? EXPR_UNKNOWN : (double)(rule % 5) - 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	const char *error = NULL;
	struct rule_expr *e = rule_expr_parse(arena, slice_make(data, size), any_name, NULL, &error);
	if ((e == NULL) == (error == NULL))
		abort();
	if (e != NULL) {
		bool hidden = true, shown = false;
		double early = rule_expr_eval(e, value_of, &hidden), late = rule_expr_eval(e, value_of, &shown);
		if (!expr_known(late) || (expr_known(early) && early != late))
			abort();
	}
	arena_destroy(&arena);
	return 0;
}
