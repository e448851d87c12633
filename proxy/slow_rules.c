#include "proxy/slow_rules.h"

#include <stdlib.h>

struct spent {
	const struct rule *rule;
	uint64_t us;
};

static int longest_first(const void *a, const void *b)
{
	const struct spent *x = a, *y = b;
	if (x->us != y->us)
		return x->us > y->us ? -1 : 1;
	return x->rule->index < y->rule->index ? -1 : 1;
}

void slow_rules_print(FILE *out, const struct ruleset *rules, size_t n, size_t mails)
{
	size_t count = rules->table->count;
	struct spent *list = xcalloc(count + 1, sizeof(*list));
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = rules->table->list[i];
		list[i] = (struct spent){ rule, rule_engine_spent_us(rules->engine, rule) };
		total += list[i].us;
	}
	qsort(list, count, sizeof(*list), longest_first);
	fprintf(out, "%-32s %-11s %12s %7s %8s\n", "slowest rules", "matched by", "us a mail", "share", "cut off");
	for (size_t i = 0; i < count && i < n && list[i].us > 0; i++)
		fprintf(out, "%-32s %-11s %12.1f %6.1f%% %8llu\n", list[i].rule->name.data,
			rule_engine_way(rules->engine, list[i].rule), (double)list[i].us / (double)(mails ? mails : 1),
			100.0 * (double)list[i].us / (double)total,
			(unsigned long long)rule_engine_slow_count(rules->engine, list[i].rule));
	free(list);
}
