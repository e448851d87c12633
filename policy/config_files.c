/* config_files: is what the configuration names there? */
#include <errno.h>
#include <unistd.h>

#include "policy/config.h"
#include "policy/config_tables.h"

struct files {
	const struct config *config;
	struct config_errors *errors;
};

/* Only what surely isn't there: what we may not see, those who run may. */
static void need(struct files *f, const void *values, const char *key, struct slice path)
{
	if (path.len == 0 || access(path.data, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
		return;
	config_error_at(f->config, values, key, f->errors, "%.*s: %s", SLICE_ARG(path), strerror(errno));
}

static void need_certificates(struct files *f)
{
	const struct section_values *v;
	for (size_t at = 0; (v = settings_next(f->config->file, &config_tls_section, &at)) != NULL;) {
		const struct config_tls *tls = v->values;
		need(f, tls, "certificate", tls->certificate);
		need(f, tls, "key", tls->key);
	}
}

static void need_authorities(struct files *f)
{
	const struct section_values *v;
	for (size_t at = 0; (v = settings_next(f->config->file, &config_backend_section, &at)) != NULL;) {
		const struct config_backend *backend = v->values;
		need(f, backend, "tls-ca", backend->tls_ca);
	}
}

void config_check_files(const struct config *config, struct config_errors *errors)
{
	struct files f = { config, errors };
	need_certificates(&f);
	need_authorities(&f);
	need(&f, config->dns, "zone-file", config->dns->zone_file);
	need(&f, config->dns, "trust-anchor", config->dns->trust_anchor);
	for (size_t i = 0; i < config->rules->paths.count; i++)
		need(&f, config->rules, "paths", config->rules->paths.items[i]);
}
