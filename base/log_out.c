/* Includes libsystemd's journal. */
#include "base/log_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/arena.h"

void log_out_stderr(struct slice line)
{
	while (line.len > 0) {
		ssize_t n = write(STDERR_FILENO, line.data, line.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nowhere left to say so */
		line = slice_from(line, (size_t)n);
	}
}

void log_out_syslog_open(const char *process)
{
	static char ident[64]; /* openlog keeps the pointer */
	closelog();
	snprintf(ident, sizeof(ident), "gatehouse/%s", process);
	openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_out_syslog(int severity, const char *line)
{
	syslog(severity, "%s", line);
}

bool log_out_journal_there(void)
{
	return access("/run/systemd/journal/socket", W_OK) == 0; /* systemd-journald.service(8) */
}

/* Journal field names: capitals, digits and underscores (systemd.journal-fields(7)). */
static void add_field_name(struct buf *out, const char *key)
{
	buf_add_str(out, "GATEHOUSE_");
	for (; *key != '\0'; key++)
		buf_add_char(out, ascii_is_alnum(*key) ? ascii_upper(*key) : '_');
	buf_add_char(out, '=');
}

void log_out_journal(int severity, const char *process, struct slice line, const struct log_pair *pairs,
		     size_t count)
{
	struct buf text = { 0 };
	size_t n = count + 3;
	size_t *ends = xcalloc(n, sizeof(*ends));
	struct iovec *iov = xcalloc(n, sizeof(*iov));

	buf_printf(&text, "PRIORITY=%d", severity);
	ends[0] = text.len;
	buf_printf(&text, "SYSLOG_IDENTIFIER=gatehouse/%s", process);
	ends[1] = text.len;
	buf_add_str(&text, "MESSAGE=");
	buf_add_slice(&text, line);
	ends[2] = text.len;
	for (size_t i = 0; i < count; i++) {
		add_field_name(&text, pairs[i].key);
		buf_add_slice(&text, pairs[i].value);
		ends[i + 3] = text.len;
	}
	for (size_t i = 0; i < n; i++) {
		size_t start = i ? ends[i - 1] : 0;
		iov[i] = (struct iovec){ text.data + start, ends[i] - start };
	}
	if (sd_journal_sendv(iov, (int)n) < 0) {
		struct buf copy = { 0 };
		buf_add_slice(&copy, line);
		buf_add_char(&copy, '\n');
		log_out_stderr(buf_slice(&copy));
		buf_free(&copy);
	}
	free(iov);
	free(ends);
	buf_free(&text);
}
