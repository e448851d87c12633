#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/log_out.h"

static int saved = -1;
static FILE *file;

static void capture(void)
{
	file = tmpfile();
	saved = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
}

/* What was written since capture(); NUL-terminated. */
static struct buf captured(void)
{
	struct buf b = { 0 };
	char chunk[4096];
	size_t n;
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(file);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&b, chunk, n);
	fclose(file);
	buf_cstr(&b);
	return b;
}

static bool is_stamp(const char *s)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '0' ? !ascii_is_digit(s[i]) : s[i] != form[i])
			return false;
	return true;
}

static void test_logfmt(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		size_t len;
		const char *want;
	} cases[] = {
		{ "plain-1.2:3/[x]", 15, "plain-1.2:3/[x]" },
		{ "", 0, "\"\"" },
		{ "two words", 9, "\"two words\"" },
		{ "a=b", 3, "\"a=b\"" },
		{ "a\"b", 3, "\"a\\\"b\"" },
		{ "a\\b", 3, "\"a\\\\b\"" },
		{ "x\nlevel=error", 13, "\"x\\nlevel=error\"" },
		{ "x\ry\tz", 5, "\"x\\x0dy\\tz\"" },
		{ "\0", 1, "\"\\x00\"" },
		{ "caf\xc3\xa9", 5, "\"caf\xc3\xa9\"" },
		{ "caf\xe9", 4, "\"caf\\xe9\"" },
		{ "\x1b[2J", 4, "\"\\x1b[2J\"" },
		{ "\xc2\x9b" "2J", 4, "\"\\xc2\\x9b2J\"" },
	};
	log_open(LOG_TO_STDERR, LOG_LOGFMT, LOG_INFO, "smtp-1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct log_field field = { "k", slice_make(cases[i].value, cases[i].len) };
		char want[256];
		capture();
		log_event(LOG_INFO, NULL, "session end", &field, 1);
		struct buf got = captured();
		snprintf(want, sizeof(want), " level=info process=smtp-1 event=\"session end\" k=%s\n",
			 cases[i].want);
		assert_true(slice_starts(buf_slice(&got), SLICE("time=")));
		assert_true(is_stamp(got.data + 5));
		assert_string_equal(got.data + 5 + 24, want);
		buf_free(&got);
	}
}

static void test_inherited(void **state)
{
	(void)state;
	struct log_field a[] = { { "session", SLICE("S1") }, { "client", SLICE("192.0.2.1") } };
	struct log_field b[] = { { "transaction", SLICE("T1") } };
	struct log_context session = { NULL, a, 2 }, transaction = { &session, b, 1 };
	log_open(LOG_TO_STDERR, LOG_LOGFMT, LOG_WARN, "smtp");
	capture();
	log_info(&transaction, "not", "shown");
	log_debug(&transaction, "not", "shown");
	log_warn(&transaction, "backend", "refused: %d %s", 550, "5.1.1");
	log_error(NULL, "end", "x");
	struct buf got = captured();
	const char *line = strstr(got.data, "level=");
	assert_non_null(line);
	assert_true(slice_starts(slice_str(line), SLICE("level=warn process=smtp event=backend session=S1 "
		"client=192.0.2.1 transaction=T1 msg=\"refused: 550 5.1.1\"\ntime=")));
	assert_non_null(strstr(line, "level=error process=smtp event=end msg=x\n"));
	assert_null(strstr(got.data, "shown"));
	assert_true(log_enabled(LOG_ERROR));
	assert_false(log_enabled(LOG_INFO));
	buf_free(&got);
}

static void test_json(void **state)
{
	(void)state;
	struct log_field f[] = { { "from", slice_make("a\"\n\xff\0", 5) }, { "n", SLICE("5") } };
	log_open(LOG_TO_STDERR, LOG_JSON, LOG_DBG, "smtp");
	capture();
	log_event(LOG_DBG, NULL, "mail", f, 2);
	struct buf got = captured();
	assert_true(slice_starts(buf_slice(&got), SLICE("{\"time\":\"")));
	assert_string_equal(got.data + 9 + 24, "\",\"level\":\"debug\",\"process\":\"smtp\",\"event\":\"mail\","
					       "\"from\":\"a\\\"\\n\\\\xff\\u0000\",\"n\":\"5\"}\n");
	buf_free(&got);
}

static void test_bounds(void **state)
{
	(void)state;
	struct log_field many[300];
	struct log_context chain[40];
	for (size_t i = 0; i < 300; i++)
		many[i] = (struct log_field){ "k", SLICE("v") };
	for (size_t i = 0; i < 40; i++)
		chain[i] = (struct log_context){ i ? &chain[i - 1] : NULL, many, 1 };
	log_open(LOG_TO_STDERR, LOG_LOGFMT, LOG_INFO, "a process name that is longer than it may be");
	capture();
	log_event(LOG_INFO, &chain[39], "e", many, 300);
	struct buf got = captured();
	assert_non_null(strstr(got.data, "fields_dropped="));
	assert_ptr_equal(strchr(got.data, '\n'), got.data + got.len - 1);
	buf_free(&got);
}

#define LINES 200

static void *many_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info(NULL, "thread", "%s", (const char *)arg);
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	char text[3000];
	pthread_t threads[3];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_open(LOG_TO_STDERR, LOG_LOGFMT, LOG_INFO, "t");
	capture();
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, many_lines, text);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	struct buf got = captured();
	struct slice line, rest = buf_slice(&got);
	size_t lines = 0;
	while (slice_split(&rest, '\n', &line) && line.len > 0) {
		assert_true(slice_starts(line, SLICE("time=")));
		assert_int_equal(line.len, sizeof("time=2026-01-01T00:00:00.000Z level=info process=t event=thread msg=") - 1 + 2999);
		lines++;
	}
	assert_int_equal(lines, 3 * LINES);
	buf_free(&got);
}

static void test_no_journal(void **state)
{
	(void)state;
	if (log_out_journal_there()) {
		print_message("skipped: there is a journal\n");
		skip();
	}
	capture();
	log_open(LOG_TO_JOURNAL, LOG_LOGFMT, LOG_INFO, "t");
	log_info(NULL, "e", "kept");
	struct buf got = captured();
	assert_non_null(strstr(got.data, "there is no journal"));
	assert_non_null(strstr(got.data, "msg=kept"));
	buf_free(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logfmt), cmocka_unit_test(test_inherited), cmocka_unit_test(test_json),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_threads),
		cmocka_unit_test(test_no_journal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
