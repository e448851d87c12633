#include "filters/scan.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "filters/pipeline.h"
#include "rules/ruleset.h"

static void drop_snapshot(void *arg)
{
	struct snapshot *s = arg;
	snapshot_release(&s);
}

struct scan *scan_create(struct arena *arena, const struct snapshot *snapshot, int64_t now)
{
	struct scan *scan = arena_new(arena, struct scan);
	struct snapshot *held = snapshot_retain(snapshot);
	arena_on_reset(arena, drop_snapshot, held);
	scan->arena = arena;
	scan->snapshot = held;
	scan->now = now;
	scan->hits.arena = arena;
	scan->message.arena = arena;
	scan->questions = questions_create(arena);
	return scan;
}

const void *scan_settings(const struct scan *scan)
{
	return snapshot_filter(scan->snapshot, scan->running->name);
}

static const struct filter_symbol *symbol_of(const struct filter *filter, const char *symbol)
{
	for (const struct filter_symbol *s = filter->symbols; s != NULL && s->name != NULL; s++)
		if (strcmp(s->name, symbol) == 0)
			return s;
	return NULL;
}

/* What rule files say of a symbol that they don't define. */
static void take_words(const struct scan *scan, struct hit *hit)
{
	const struct ruleset *rules = scan->snapshot->rules;
	const struct rule *rule = rules != NULL ? rule_table_find(rules->table, slice_str(hit->symbol)) : NULL;
	if (rule == NULL || !rule_told_by_filter(rule))
		return;
	hit->shadow = hit->shadow || rule->shadow;
	if (rule->describe != NULL)
		hit->describe = rule->describe;
	hit->action = rule->action;
	hit->refusal = rule->refusal;
}

static struct hit *add_hit(struct scan *scan, const char *symbol, struct slice evidence)
{
	const struct filter_symbol *s = symbol_of(scan->running, symbol);
	const struct filter_common *common = scan_settings(scan);
	struct hit hit = {
		.symbol = s ? s->name : symbol,
		.score = snapshot_score(scan->snapshot, symbol, s ? s->score : 0),
		.describe = s ? s->describe : NULL,
		.evidence = evidence,
		.phase = pipeline_phase(scan),
		.recipient = pipeline_phase(scan) == PHASE_RCPT ? (int)scan->recipient : -1,
		.filter = scan->running->name,
		.shadow = common != NULL && common->shadow,
	};
	take_words(scan, &hit);
	return hits_add(&scan->hits, &hit);
}

static struct slice format(struct arena *arena, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static struct slice format(struct arena *arena, const char *fmt, va_list ap)
{
	struct buf b = { 0 };
	buf_vprintf(&b, fmt, ap);
	struct slice s = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return s;
}

struct hit *scan_hit(struct scan *scan, const char *symbol, const char *fmt, ...)
{
	struct slice evidence = SLICE_EMPTY;
	if (fmt != NULL) {
		va_list ap;
		va_start(ap, fmt);
		evidence = format(scan->arena, fmt, ap);
		va_end(ap);
	}
	return add_hit(scan, symbol, evidence);
}

struct hit *scan_refuse(struct scan *scan, const char *symbol, enum action action, uint16_t code,
			const char *enhanced, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct slice text = format(scan->arena, fmt, ap);
	va_end(ap);
	struct hit *hit = add_hit(scan, symbol, text);
	hit->action = action;
	hit->refusal = (struct refusal){ code, enhanced, text };
	return hit;
}

void scan_on_error(struct scan *scan, const char *symbol, const char *enhanced, const char *why)
{
	const struct filter_common *common = scan_settings(scan);
	if (common != NULL && common->on_error == ON_ERROR_DEFER)
		scan_refuse(scan, symbol, ACTION_DEFER, 451, enhanced, "Temporary failure: %s", why);
	else
		scan_hit(scan, symbol, "%s", why);
}
