#ifndef GATEHOUSE_BASE_LOG_OUT_H
#define GATEHOUSE_BASE_LOG_OUT_H
/*
 * log_out: where log lines go. Apart from log.c because <syslog.h> has names
 * (LOG_INFO) that base/log.h has too. severity is RFC 5424's number.
 */
#include "base/buf.h"

struct log_pair {
	const char *key;
	struct slice value;
};

/* line ends in a newline; one write(2), so that lines don't mix. */
void log_out_stderr(struct slice line);
void log_out_syslog_open(const char *process);
void log_out_syslog(int severity, const char *line);
/* Is there a journal to write to? libsystemd drops lines without a word if not. */
bool log_out_journal_there(void);
/* Each pair becomes a field GATEHOUSE_KEY of the entry; MESSAGE is line. */
void log_out_journal(int severity, const char *process, struct slice line, const struct log_pair *pairs,
		     size_t count);

#endif
