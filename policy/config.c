#include "policy/config.h"

#include <unistd.h>

#include "base/buf.h"
#include "policy/config_check.h"
#include "policy/config_tables.h"
#include "policy/dnslist.h"
#include "policy/lists.h"
#include "policy/policy.h"

/* config_sections and the filters' as one NULL-terminated list. */
static const struct section *const *all_sections(struct arena *arena, const struct section *const *filters)
{
	size_t own = 0, theirs = 0;
	while (config_sections[own] != NULL)
		own++;
	while (filters != NULL && filters[theirs] != NULL)
		theirs++;
	const struct section **all = arena_array(arena, const struct section *, own + theirs + 1);
	for (size_t i = 0; i < own; i++)
		all[i] = config_sections[i];
	for (size_t i = 0; i < theirs; i++)
		all[own + i] = filters[i];
	return all;
}

/* All structs of a titled section in a row, with room for one more. */
static void *collect(struct arena *arena, const struct settings_file *file, const struct section *section,
		     size_t *count_r)
{
	size_t at = 0, n = 0;
	const struct section_values *v;
	while (settings_next(file, section, &at) != NULL)
		n++;
	char *all = arena_calloc(arena, n + 1, section->size);
	*count_r = n;
	for (at = n = 0; (v = settings_next(file, section, &at)) != NULL; n++)
		memcpy(all + n * section->size, v->values, section->size);
	return all;
}

static struct slice system_name(struct arena *arena)
{
	char name[256] = "";
	if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
		return SLICE("localhost");
	return arena_lower(arena, slice_str(name));
}

static void fill_top(struct config *config, const struct settings_file *file)
{
	struct config_top *top = arena_new(config->arena, struct config_top);
	*top = *(const struct config_top *)settings_top(file);
	if (top->hostname.len == 0)
		top->hostname = system_name(config->arena);
	config->top = top;
}

static void fill_tls(struct config *config, const struct settings_file *file)
{
	struct config_tls *tls = collect(config->arena, file, &config_tls_section, &config->tls_count);
	for (size_t i = 0; i < config->tls_count; i++)
		if (tls[i].key.len == 0)
			tls[i].key = tls[i].certificate;
	config->tls = tls;
}

/* The certificate of a listener that names none. */
static struct slice usual_certificate(const struct config *config)
{
	if (config_tls_find(config, SLICE("default")) != NULL)
		return SLICE("default");
	return config->tls_count == 1 ? config->tls[0].title : SLICE_EMPTY;
}

static void fill_listens(struct config *config, const struct settings_file *file)
{
	struct config_listen *l = collect(config->arena, file, &config_listen_section, &config->listen_count);
	for (size_t i = 0; i < config->listen_count; i++)
		if (l[i].tls != TLS_NONE && l[i].certificate.len == 0)
			l[i].certificate = usual_certificate(config);
	config->listens = l;
}

static void fill_policies(struct config *config, const struct settings_file *file)
{
	struct config_policy *p = collect(config->arena, file, &config_policy_section, &config->policy_count);
	bool found = false;
	for (size_t i = 0; i < config->policy_count; i++)
		found = found || slice_eq(p[i].title, SLICE("default"));
	if (!found) {
		const struct config_policy *usual = settings_defaults(config->arena, &config_policy_section);
		p[config->policy_count] = *usual;
		p[config->policy_count++].title = SLICE("default");
	}
	config->policies = p;
}

static void fill_lists(struct config *config, const struct settings_file *file)
{
	config->lists = collect(config->arena, file, &config_list_section, &config->list_count);
}

/* It has a switch, and that is off. */
static bool is_off(const struct section *section, const void *values)
{
	for (const struct setting *s = section->settings; s != NULL && s->name != NULL; s++)
		if (strcmp(s->name, "enabled") == 0)
			return !*(const bool *)((const char *)values + s->offset);
	return false;
}

static void fill_filters(struct config *config, const struct settings_file *file,
			 const struct section *const *filters)
{
	size_t n = 0;
	while (filters != NULL && filters[n] != NULL)
		n++;
	struct config_filter *list = arena_array(config->arena, struct config_filter, n);
	for (size_t i = 0; i < n; i++) {
		struct slice name = slice_str(filters[i]->name);
		list[i].name = slice_from(name, slice_chr(name, ' ') + 1);
		list[i].values = settings_get(file, filters[i], SLICE_EMPTY);
		list[i].off = is_off(filters[i], list[i].values);
	}
	config->filters = list;
	config->filter_count = n;
}

static struct config *fill(struct arena *arena, const struct settings_file *file,
			   const struct section *const *filters)
{
	struct config *c = arena_new(arena, struct config);
	c->arena = arena;
	c->file = file;
	fill_top(c, file);
	c->relay = settings_get(file, &config_relay_section, SLICE_EMPTY);
	c->dns = settings_get(file, &config_dns_section, SLICE_EMPTY);
	c->rules = settings_get(file, &config_rules_section, SLICE_EMPTY);
	c->networks = settings_get(file, &config_networks_section, SLICE_EMPTY);
	c->limits = settings_get(file, &config_limits_section, SLICE_EMPTY);
	c->state = settings_get(file, &config_state_section, SLICE_EMPTY);
	c->log = settings_get(file, &config_log_section, SLICE_EMPTY);
	fill_tls(c, file);
	fill_listens(c, file);
	c->milters = collect(arena, file, &config_milter_section, &c->milter_count);
	c->backends = collect(arena, file, &config_backend_section, &c->backend_count);
	fill_policies(c, file);
	fill_lists(c, file);
	fill_filters(c, file, filters);
	return c;
}

struct config *config_read(struct arena *arena, const char *path, struct slice text,
			   const struct section *const *filters, struct config_errors *errors)
{
	size_t before = errors->total;
	struct slice name = path ? arena_copy(arena, slice_str(path)) : SLICE("-");
	struct settings_file *file = settings_read(arena, name, path ? text : SLICE(""), &config_top_section,
						   all_sections(arena, filters), errors);
	if (file == NULL)
		return NULL;
	struct config *config = fill(arena, file, filters);
	config->path = path ? name : SLICE_EMPTY;
	config_check(config, errors);
	lists_load(config, errors);
	policies_make(config, errors);
	dnslists_make(config, errors);
	return errors->total == before ? config : NULL;
}

const struct config_tls *config_tls_find(const struct config *config, struct slice title)
{
	for (size_t i = 0; i < config->tls_count; i++)
		if (slice_eq(config->tls[i].title, title))
			return &config->tls[i];
	return NULL;
}

const struct config_backend *config_backend_find(const struct config *config, struct slice title)
{
	for (size_t i = 0; i < config->backend_count; i++)
		if (slice_eq(config->backends[i].title, title))
			return &config->backends[i];
	return NULL;
}

unsigned config_workers(const struct config *config)
{
	long n = (long)config->top->workers;
	if (n == 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : (unsigned)n;
}
