/* config_errors: what is to be said of a configuration, at its file and line. */
#include "base/buf.h"
#include "policy/config.h"

static void add(const struct config *config, const void *values, const char *key, struct config_errors *list,
		const struct buf *text)
{
	struct slice file;
	unsigned line;
	settings_where(config->file, values, key, &file, &line);
	config_error_add(list, line ? file : config->path, line, "%.*s", SLICE_ARG(buf_slice(text)));
}

void config_error_at(const struct config *config, const void *values, const char *key, struct config_errors *errors,
		     const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_printf(&text, "%s: ", key);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	add(config, values, key, errors, &text);
	buf_free(&text);
}

void config_warning_at(const struct config *config, const void *values, const char *key, struct config_errors *warnings,
		       const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	add(config, values, key, warnings, &text);
	buf_free(&text);
}
