#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "policy/quarantine.h"

static char folder[64], dir[80];
static char error[QUARANTINE_ERROR_MAX];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/gatehouse_quarantine_XXXXXX");
	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(dir, sizeof(dir), "%s/q", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static bool store(const char *id, int64_t when, const char *content)
{
	struct slice recipients[] = { SLICE("bob@example.org"), SLICE("a\\b\n@x") }, params[] = { SLICE_EMPTY, SLICE("NOTIFY=NEVER") };
	struct quarantine_entry e = {
		.id = slice_str(id), .time = when, .sender = SLICE("eve@example.net"), .recipients = recipients,
		.recipient_params = params, .recipient_count = 2, .score = 8.25, .policy = SLICE("strict"),
		.why = SLICE("because"), .subject = SLICE("tab\there \x01 \xff"), .body_8bit = true, .size = 7,
	};
	ip_parse(SLICE("2001:db8::1"), &e.client.ip);
	e.client.port = 4242;
	e.client.helo = SLICE("client");
	return quarantine_store(dir, &e, SLICE("X: 1\r\n"), slice_str(content), error);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct quarantine_open o;
	assert_true(store("abc123", 1700000000, "\r\nbody\n\n= x\n"));
	assert_true(quarantine_open(dir, SLICE("abc123"), false, &o, error));
	assert_true(slice_eq(o.message, SLICE("X: 1\r\n\r\nbody\n\n= x\n")));
	assert_true(slice_eq(o.entry.sender, SLICE("eve@example.net")));
	assert_int_equal(o.entry.recipient_count, 2);
	assert_true(slice_eq(o.entry.recipients[1], SLICE("a\\b\n@x")));
	assert_true(slice_eq(o.entry.recipient_params[0], SLICE("")));
	assert_true(slice_eq(o.entry.recipient_params[1], SLICE("NOTIFY=NEVER")));
	assert_true(slice_eq(o.entry.subject, SLICE("tab\there \x01 \xff")));
	assert_int_equal(o.entry.time, 1700000000);
	assert_int_equal(o.entry.client.port, 4242);
	assert_true(o.entry.client.ip.family == 6 && o.entry.body_8bit && !o.entry.smtputf8 && !o.entry.released);
	assert_true(o.entry.score == 8.25);
	quarantine_close(&o);
}

static void test_bad_ids(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "..", "../x", "a/b", "a.released", "tmp", "a b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct quarantine_open o;
	assert_true(store("abc", 1700000000, "x"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(quarantine_open(dir, slice_str(bad[i]), false, &o, error));
		if (strcmp(bad[i], "tmp") != 0)
			assert_false(store(bad[i], 1700000000, "x"));
	}
}

static void test_release_is_once(void **state)
{
	(void)state;
	struct quarantine_open a, b;
	assert_true(store("abc", 1700000000, "x"));
	assert_true(quarantine_open(dir, SLICE("abc"), true, &a, error));
	assert_false(quarantine_open(dir, SLICE("abc"), true, &b, error));
	assert_true(quarantine_mark_released(dir, &a, error));
	quarantine_close(&a);
	assert_true(quarantine_open(dir, SLICE("abc"), true, &b, error));
	assert_true(b.entry.released);
	assert_true(quarantine_mark_released(dir, &b, error));
	quarantine_close(&b);
}

struct seen {
	size_t count;
	char first[20];
};

static bool see(void *arg, const struct quarantine_entry *e)
{
	struct seen *s = arg;
	if (s->count++ == 0)
		snprintf(s->first, sizeof(s->first), "%.*s", SLICE_ARG(e->id));
	return s->count < 3;
}

static void damage(const char *path_end, const char *text)
{
	char path[160];
	snprintf(path, sizeof(path), "%s/%s", dir, path_end);
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

/* What a crash or a stranger may leave behind is passed over, and counted. */
static void test_list(void **state)
{
	(void)state;
	struct seen s = { 0 };
	assert_int_equal(quarantine_each(dir, see, &s), 0);
	assert_true(store("new", 1700090000, "x"));
	assert_true(store("old", 1700000000, "x"));
	damage("2023-11-14/bad", "no head");
	damage("2023-11-14/empty", "");
	damage("2023-11-14/.hidden", "x");
	damage("tmp/half", "id half\n");
	assert_int_equal(quarantine_each(dir, see, &s), 2);
	assert_int_equal(s.count, 2);
	assert_string_equal(s.first, "old");
}

static void test_expire(void **state)
{
	(void)state;
	struct seen s = { 0 };
	for (int i = 0; i < 10; i++) {
		char id[16];
		snprintf(id, sizeof(id), "m%d", i);
		assert_true(store(id, 1700000000 + i * 86400, "0123456789"));
	}
	assert_int_equal(quarantine_expire(dir, 1000, 0), 0);
	assert_int_equal(quarantine_expire(dir, 1000, 1), 9);
	assert_int_equal(quarantine_each(dir, see, &s), 0);
	assert_int_equal(s.count, 1); /* larger than all that may be held: its sender has been told that it is */
	assert_true(store("again", 1700000000, "x"));
	assert_int_equal(quarantine_expire(dir, INT64_MAX, 0), 2);
}

static bool add_size(void *arg, const struct quarantine_entry *entry)
{
	(void)entry;
	++*(size_t *)arg;
	return true;
}

/* Several processes that find it too large don't each remove what is too much. */
static void test_expire_at_once(void **state)
{
	(void)state;
	enum { MAILS = 300, PROCESSES = 4 };
	size_t left = 0;
	char content[1001];
	memset(content, 'x', sizeof(content) - 1);
	content[sizeof(content) - 1] = '\0';
	for (int i = 0; i < MAILS; i++) {
		char id[16];
		snprintf(id, sizeof(id), "m%04d", i);
		assert_true(store(id, 1700000000 + i * 100, content));
	}
	log_open(LOG_TO_STDERR, LOG_LOGFMT, LOG_ERROR, "test");
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			quarantine_expire(dir, 1000, 200000);
			_exit(0);
		}
	for (int i = 0; i < PROCESSES; i++)
		wait(NULL);
	assert_int_equal(quarantine_each(dir, add_size, &left), 0);
	printf("# count %zu of %d left\n", left, MAILS);
	assert_in_range(left, 140, 200); /* each has its head too */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_bad_ids, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_release_is_once, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_list, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_expire, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_expire_at_once, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
