#include "filters/registry.h"

#include <pthread.h>

#include "filters/pipeline.h"

static const struct setting_value ON_ERRORS[] = {
	{ "skip", ON_ERROR_SKIP }, { "defer", ON_ERROR_DEFER }, { NULL, 0 },
};

/* Of struct filter_common; the first COMMON_OPTIONAL are not for filters that are always on. */
static const struct setting COMMON[] = {
	{ "enabled", SETTING_BOOL, offsetof(struct filter_common, enabled), .fallback = "on",
	  .help = "Whether it runs" },
	{ "shadow", SETTING_BOOL, offsetof(struct filter_common, shadow), .fallback = "off",
	  .help = "What it finds is recorded, but has no effect" },
	{ "on-error", SETTING_ENUM, offsetof(struct filter_common, on_error), .fallback = "skip",
	  .values = ON_ERRORS,
	  .help = "When a look-up fails: go on as if it had not been made, or answer 451" },
};
#define COMMON_COUNT (sizeof(COMMON) / sizeof(*COMMON))
#define COMMON_OPTIONAL 2

static bool is_own(const struct filter *filter, const char *name)
{
	for (const struct setting *s = filter->settings; s != NULL && s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return true;
	return false;
}

/* The common settings, but those that the filter has itself (another default), then its own. */
static const struct setting *compose_settings(struct arena *arena, const struct filter *filter)
{
	size_t own = 0, n = 0;
	while (filter->settings != NULL && filter->settings[own].name != NULL)
		own++;
	struct setting *all = arena_array(arena, struct setting, COMMON_COUNT + own + 1);
	for (size_t i = filter->always ? COMMON_OPTIONAL : 0; i < COMMON_COUNT; i++)
		if (!is_own(filter, COMMON[i].name))
			all[n++] = COMMON[i];
	if (own > 0)
		memcpy(all + n, filter->settings, own * sizeof(*all));
	return all;
}

static const struct section *compose(struct arena *arena, const struct filter *filter)
{
	struct section *s = arena_new(arena, struct section);
	bool has_own = filter->settings_size >= sizeof(struct filter_common);
	s->name = arena_printf(arena, "filter %s", filter->name).data;
	s->size = has_own ? filter->settings_size : sizeof(struct filter_common);
	s->settings = compose_settings(arena, filter);
	return s;
}

const struct section *const *filter_sections_of(struct arena *arena, const struct filter *const *table)
{
	size_t n = 0;
	while (table[n] != NULL)
		n++;
	const struct section **all = arena_array(arena, const struct section *, n + 1);
	for (size_t i = 0; i < n; i++)
		all[i] = compose(arena, table[i]);
	return all;
}

bool filter_is_on(const struct config *config, const char *name)
{
	const struct slice wanted = slice_str(name);
	for (size_t i = 0; i < config->filter_count; i++) {
		const struct config_filter *f = &config->filters[i];
		const struct filter_common *common = f->values;
		if (f->name.len != wanted.len || !slice_eq(f->name, wanted))
			continue;
		const struct filter *filter = common == NULL || common->enabled || f->used ? NULL : filter_find(f->name);
		return common == NULL || common->enabled || f->used || (filter != NULL && filter->always);
	}
	return true;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct section *const *sections;
/* Never given back; volatile, so that it is kept and stays reachable. */
static struct arena *volatile sections_arena;

static void make_sections(void)
{
	sections_arena = arena_create();
	sections = filter_sections_of(sections_arena, filter_table);
}

const struct section *const *filter_sections(void)
{
	pthread_once(&once, make_sections);
	return sections;
}
