#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/journal.h"

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/gatehouse_journal_XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void append(struct journal *j, const char *id, const char *line)
{
	char text[300];
	snprintf(text, sizeof(text), "= %s now\n%s\n\n", id, line);
	journal_append(j, slice_str(text));
}

static size_t count(const char *id)
{
	struct buf out = { 0 };
	size_t n = journal_find(folder, slice_str(id), &out);
	buf_free(&out);
	return n;
}

static void test_find(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct journal *j = journal_open(slice_str(folder), 3, 1 << 20);
	append(j, "aaa", "x = bbb\ny = 1");
	append(j, "bbb", "z");
	append(j, "aaa", "again");
	assert_int_equal(journal_find(folder, SLICE("aaa"), &out), 2);
	assert_string_equal(buf_cstr(&out), "= aaa now\nx = bbb\ny = 1\n\n= aaa now\nagain\n\n");
	assert_int_equal(count("bbb"), 1);
	assert_int_equal(count("aa"), 0);
	assert_int_equal(count("now"), 0);
	assert_int_equal(count(""), 0);
	journal_close(&j);
	assert_null(j);
	buf_free(&out);
}

static uint64_t size_of(const char *name)
{
	char path[128];
	struct stat st;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void test_bounded(void **state)
{
	(void)state;
	char id[16];
	struct journal *j = journal_open(slice_str(folder), 0, 1000);
	for (int i = 0; i < 500; i++) {
		snprintf(id, sizeof(id), "i%03d", i);
		append(j, id, "some words on it");
		assert_int_equal(count(id), 1);
	}
	assert_true(size_of("0.log") <= 1000 && size_of("0.log.1") <= 1000 && size_of("0.log.1") > 900);
	assert_int_equal(count("i000"), 0);
	assert_int_equal(count("i498"), 1);
	journal_close(&j);
	/* One that is over the size by itself is kept too. */
	j = journal_open(slice_str(folder), 0, 10);
	append(j, "long", "more than ten octets");
	assert_int_equal(count("long"), 1);
	journal_close(&j);
}

static void test_torn(void **state)
{
	(void)state;
	char path[128];
	struct journal *j = journal_open(slice_str(folder), 0, 1 << 20);
	append(j, "one", "x");
	journal_append(j, SLICE("= cut off\nin the mid"));
	journal_close(&j);
	j = journal_open(slice_str(folder), 0, 1 << 20);
	append(j, "two", "x");
	assert_int_equal(count("one"), 1);
	assert_int_equal(count("two"), 1);
	journal_close(&j);
	snprintf(path, sizeof(path), "%s/0.log", folder);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(count("one"), 0);
}

static void test_text(void **state)
{
	(void)state;
	struct buf out = { 0 };
	journal_add_text(&out, SLICE("a\nb\r\0c\x7f \xc3\xa9"), 100);
	assert_string_equal(buf_cstr(&out), "a\\x0ab\\x0d\\x00c\\x7f \xc3\xa9");
	buf_clear(&out);
	journal_add_text(&out, SLICE("abcdef"), 3);
	assert_string_equal(buf_cstr(&out), "abc…");
	buf_free(&out);
}

/* Where the next file can't be begun, entries are lost until it can. */
static void test_goes_on(void **state)
{
	(void)state;
	char away[80];
	struct journal *j = journal_open(slice_str(folder), 0, 100);
	append(j, "one", "some words");
	snprintf(away, sizeof(away), "%s.away", folder);
	assert_int_equal(rename(folder, away), 0);
	for (int i = 0; i < 5; i++)
		append(j, "lost", "words that are too many for one file and so for the next one");
	assert_int_equal(rename(away, folder), 0);
	append(j, "back", "some words");
	assert_int_equal(count("back"), 1);
	assert_int_equal(count("one"), 1);
	journal_close(&j);
}

static void test_no_folder(void **state)
{
	(void)state;
	assert_null(journal_open(SLICE("/proc/nowhere/x"), 0, 1000));
	assert_int_equal(count("one"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_find, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_bounded, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_torn, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_goes_on, make_folder, remove_folder),
		cmocka_unit_test(test_text),
		cmocka_unit_test_setup_teardown(test_no_folder, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
