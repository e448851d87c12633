#include "proxy/cli_config.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/utf8.h"
#include "filters/registry.h"

void cli_paths_add(struct cli_paths *paths, const char *path)
{
	paths->list = xrealloc(paths->list, (paths->count + 1) * sizeof(*paths->list));
	paths->list[paths->count++] = slice_str(path);
}

void cli_paths_free(struct cli_paths *paths)
{
	free(paths->list);
	*paths = (struct cli_paths){ 0 };
}

static void set_rules(struct config *config, const struct cli_paths *rules)
{
	struct config_rules *own = arena_new(config->arena, struct config_rules);
	*own = *config->rules;
	own->paths.items = arena_array(config->arena, struct slice, rules->count);
	own->paths.count = rules->count;
	for (size_t i = 0; i < rules->count; i++)
		own->paths.items[i] = arena_copy(config->arena, rules->list[i]);
	config->rules = own;
}

struct config *cli_config_read(struct arena *arena, const char *path, const struct cli_paths *rules,
			       struct config_errors *errors)
{
	if (path == NULL && access(GATEHOUSE_CONF, F_OK) == 0)
		path = GATEHOUSE_CONF;
	struct config *config = config_read(arena, path, SLICE_EMPTY, filter_sections(), errors);
	if (config != NULL && rules != NULL && rules->count > 0)
		set_rules(config, rules);
	return config;
}

int cli_zone_read(struct zone *zone, const char *path)
{
	struct zone_errors errors;
	if (zonefile_read(zone, path, &errors))
		return EX_OK;
	const struct zone_error *first = &errors.list[0];
	if (first->line == 0) {
		fprintf(stderr, "%s: %s\n", path, first->text);
		return EX_NOINPUT;
	}
	fprintf(stderr, "%s:%u: %s\n", path, first->line, first->text);
	return EX_DATAERR;
}

void cli_print_errors(FILE *out, const char *kind, const struct config_errors *errors)
{
	struct buf line = { 0 };
	for (size_t i = 0; i < errors->count; i++) {
		const struct config_error *e = &errors->list[i];
		buf_clear(&line);
		utf8_add_printable(&line, e->file);
		if (e->line > 0)
			buf_printf(&line, ":%u", e->line);
		buf_printf(&line, "%s%s", e->file.len > 0 ? ": " : "", kind);
		utf8_add_printable(&line, e->message);
		fprintf(out, "%s\n", buf_cstr(&line));
	}
	buf_free(&line);
}
