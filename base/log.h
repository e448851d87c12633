#ifndef GATEHOUSE_BASE_LOG_H
#define GATEHOUSE_BASE_LOG_H
/*
 * log: one structured line an event, logfmt or JSON, to stderr, syslog or
 * the journal. A line inherits the fields of what it belongs to: pass a
 * log_context that points to its parent's. Values are escaped: a line from
 * outside can't forge another. Thread-safe.
 */
#include <stdarg.h>

#include "base/slice.h"

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_JOURNAL };
enum log_format { LOG_LOGFMT, LOG_JSON };
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DBG };

struct log_field {
	const char *key;
	struct slice value;
};

struct log_context {
	const struct log_context *parent;
	const struct log_field *fields;
	size_t count;
};

/*
 * Before threads begin, and before a sandbox closes: syslog's socket is opened
 * here, the journal's by the first line. Without it: stderr, logfmt, info.
 * Where there is no journal, lines go to stderr.
 */
void log_open(enum log_target target, enum log_format format, enum log_level level, const char *process);
bool log_enabled(enum log_level level);

/* event: what happened, static, "session end"; then fields. */
void log_event(enum log_level level, const struct log_context *context, const char *event,
	       const struct log_field *fields, size_t count);
/* A line with a message for people: msg=… */
void log_line(enum log_level level, const struct log_context *context, const char *event,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#define log_error(ctx, event, ...) log_line(LOG_ERROR, ctx, event, __VA_ARGS__)
#define log_warn(ctx, event, ...) log_line(LOG_WARN, ctx, event, __VA_ARGS__)
#define log_info(ctx, event, ...) log_line(LOG_INFO, ctx, event, __VA_ARGS__)
#define log_debug(ctx, event, ...) \
	do { if (log_enabled(LOG_DBG)) log_line(LOG_DBG, ctx, event, __VA_ARGS__); } while (0)

#endif
