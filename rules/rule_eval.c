#include "rules/rule_eval.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct eval_function none[] = { { .name = NULL } };
static const struct eval_function *const families[] = {
	none,
};

const struct eval_function *eval_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		for (const struct eval_function *f = families[i]; f->name != NULL; f++)
			if (slice_eq(name, slice_str(f->name)))
				return f;
	return NULL;
}

void eval_evidence(struct rule_scan *scan, const struct rule *rule, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	scan->evidence[rule->index] = arena_copy(scan->arena, slice_make(text, len));
}

double eval_number(const struct rule *rule, unsigned n, double fallback)
{
	struct slice arg = eval_arg(rule, n);
	char text[40];
	if (arg.len == 0 || arg.len >= sizeof(text))
		return fallback;
	memcpy(text, arg.data, arg.len);
	text[arg.len] = '\0';
	char *end;
	double value = strtod(text, &end);
	return end == text || *end != '\0' ? fallback : value;
}

bool eval_in_range(const struct rule *rule, unsigned first, double value)
{
	return value >= eval_number(rule, first, -1e300) && value <= eval_number(rule, first + 1, 1e300);
}

enum regex_result eval_match(struct rule_scan *scan, struct slice source, unsigned flags, struct slice text)
{
	struct pattern pattern = { .source = source, .flags = flags, .set = true };
	struct arena *arena = arena_create();
	const char *error;
	enum regex_result result = REGEX_NO;
	struct regex *regex = regex_compile(arena, &pattern, &error);
	if (regex != NULL) {
		struct regex_scratch *scratch = regex_scratch_create();
		result = regex_match(regex, scratch, text, 0, NULL);
		regex_scratch_free(&scratch);
	}
	arena_destroy(&arena);
	(void)scan;
	return result;
}
