#include "base/log.h"

#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log_out.h"
#include "base/utf8.h"

#define MAX_FIELDS 128 /* of a line with all it inherits; more are dropped, and the line says so */

static struct {
	enum log_target target;
	enum log_format format;
	enum log_level level;
	char process[32];
} log_state = { LOG_TO_STDERR, LOG_LOGFMT, LOG_INFO, "gatehouse" };

static const struct {
	const char *name;
	int severity; /* RFC 5424 6.2.1 */
} LEVELS[] = {
	[LOG_ERROR] = { "error", 3 },
	[LOG_WARN] = { "warn", 4 },
	[LOG_INFO] = { "info", 6 },
	[LOG_DBG] = { "debug", 7 },
};

struct fields {
	struct log_pair list[MAX_FIELDS];
	size_t count, dropped;
};

void log_open(enum log_target target, enum log_format format, enum log_level level, const char *process)
{
	log_state.target = target;
	log_state.format = format;
	log_state.level = level;
	size_t len = strnlen(process, sizeof(log_state.process) - 1);
	memcpy(log_state.process, process, len);
	log_state.process[len] = '\0';
	if (target == LOG_TO_SYSLOG)
		log_out_syslog_open(log_state.process);
	if (target == LOG_TO_JOURNAL && !log_out_journal_there()) {
		log_state.target = LOG_TO_STDERR;
		log_warn(NULL, "log", "there is no journal: logging to stderr");
	}
}

bool log_enabled(enum log_level level)
{
	return level <= log_state.level;
}

static void field_add(struct fields *f, const char *key, struct slice value)
{
	if (f->count < MAX_FIELDS)
		f->list[f->count++] = (struct log_pair){ key, value };
	else
		f->dropped++;
}

#define MAX_PARENTS 16

static void add_inherited(struct fields *f, const struct log_context *context)
{
	const struct log_context *chain[MAX_PARENTS];
	size_t depth = 0;
	for (; context != NULL && depth < MAX_PARENTS; context = context->parent)
		chain[depth++] = context;
	while (depth-- > 0)
		for (size_t i = 0; i < chain[depth]->count; i++)
			field_add(f, chain[depth]->fields[i].key, chain[depth]->fields[i].value);
}

static bool needs_quotes(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
			return true;
	}
	return value.len == 0;
}

static void add_quoted_character(struct buf *out, struct slice octets, uint32_t code)
{
	if (code == '"' || code == '\\')
		buf_printf(out, "\\%c", (int)code);
	else if (code == '\n')
		buf_add_str(out, "\\n");
	else if (code == '\t')
		buf_add_str(out, "\\t");
	else
		utf8_add_printable(out, octets);
}

static void add_logfmt_value(struct buf *out, struct slice value)
{
	if (!needs_quotes(value)) {
		buf_add_slice(out, value);
		return;
	}
	buf_add_char(out, '"');
	while (value.len > 0) {
		uint32_t code = 0;
		size_t len = utf8_next(value, &code);
		add_quoted_character(out, slice_head(value, len ? len : 1), code);
		value = slice_from(value, len ? len : 1);
	}
	buf_add_char(out, '"');
}

static void format_logfmt(struct buf *out, const struct fields *f)
{
	for (size_t i = 0; i < f->count; i++) {
		if (i > 0)
			buf_add_char(out, ' ');
		buf_add_str(out, f->list[i].key);
		buf_add_char(out, '=');
		add_logfmt_value(out, f->list[i].value);
	}
	if (f->dropped > 0)
		buf_printf(out, " fields_dropped=%zu", f->dropped);
}

static void format_json(struct buf *out, const struct fields *f)
{
	struct json j = json_begin(out);
	json_open_object(&j);
	for (size_t i = 0; i < f->count; i++)
		json_str(&j, f->list[i].key, f->list[i].value);
	if (f->dropped > 0)
		json_num(&j, "fields_dropped", (int64_t)f->dropped);
	json_close_object(&j);
}

/* RFC 3339, UTC, milliseconds. */
static struct slice time_stamp(char *out, size_t size)
{
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	int more = snprintf(out + len, size - len, ".%03ldZ", now.tv_nsec / 1000000);
	return slice_make(out, len + (size_t)more);
}

static void write_line(enum log_level level, const struct fields *f, size_t own)
{
	struct buf line = { 0 };
	(log_state.format == LOG_JSON ? format_json : format_logfmt)(&line, f);
	switch (log_state.target) {
	case LOG_TO_SYSLOG:
		log_out_syslog(LEVELS[level].severity, buf_cstr(&line));
		break;
	case LOG_TO_JOURNAL:
		log_out_journal(LEVELS[level].severity, log_state.process, buf_slice(&line), f->list + own,
				f->count - own);
		break;
	case LOG_TO_STDERR:
		buf_add_char(&line, '\n');
		log_out_stderr(buf_slice(&line));
		break;
	}
	buf_free(&line);
}

void log_event(enum log_level level, const struct log_context *context, const char *event,
	       const struct log_field *fields, size_t count)
{
	char stamp[64];
	struct fields f;
	if (!log_enabled(level))
		return;
	f.count = f.dropped = 0;
	if (log_state.target == LOG_TO_STDERR) { /* the others stamp lines themselves */
		field_add(&f, "time", time_stamp(stamp, sizeof(stamp)));
		field_add(&f, "level", slice_str(LEVELS[level].name));
		field_add(&f, "process", slice_str(log_state.process));
	}
	size_t own = f.count;
	field_add(&f, "event", slice_str(event));
	add_inherited(&f, context);
	for (size_t i = 0; i < count; i++)
		field_add(&f, fields[i].key, fields[i].value);
	write_line(level, &f, own);
}

void log_line(enum log_level level, const struct log_context *context, const char *event,
	      const char *fmt, ...)
{
	if (!log_enabled(level))
		return;
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	struct log_field field = { "msg", buf_slice(&text) };
	log_event(level, context, event, &field, 1);
	buf_free(&text);
}
