#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "filters/registry.h"
#include "message/address.h"
#include "policy/lists.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct list *make(struct arena *arena, enum list_type type, const char *const *entries)
{
	struct list *l = list_create(arena, type, 0);
	for (size_t i = 0; entries[i] != NULL; i++)
		if (!list_add(l, slice_str(entries[i])))
			fail_msg("%s", entries[i]);
	return l;
}

static void test_networks(void **state)
{
	(void)state;
	static const char *const entries[] = {
		"192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "65.66.67.68", "97.98.99.100/32", NULL };
	static const struct {
		const char *ip, *entry;
	} table[] = {
		{ "192.0.2.255", "192.0.2.0/24" }, { "192.0.3.0", NULL }, { "198.51.100.7", "198.51.100.7" },
		{ "198.51.100.8", NULL }, { "2001:db8:ffff::1", "2001:db8::/32" }, { "2001:db9::1", NULL },
		{ "65.66.67.68", "65.66.67.68" }, { "97.66.67.68", NULL }, { "65.98.99.100", NULL },
	};
	struct arena *arena = arena_create();
	struct list *l = make(arena, LIST_NETWORKS, entries);
	for (size_t i = 0; i < COUNT(table); i++) {
		struct ip ip;
		struct slice entry = SLICE_EMPTY;
		ip_parse(slice_str(table[i].ip), &ip);
		assert_int_equal(list_has_client(l, &ip, &entry), table[i].entry != NULL);
		assert_true(slice_eq(entry, slice_str(table[i].entry)));
	}
	assert_false(list_add(l, SLICE("192.0.2.1/24")));
	assert_false(list_add(l, SLICE("example.org")));
	assert_false(list_add(l, SLICE_EMPTY));
	arena_destroy(&arena);
}

static void test_domains(void **state)
{
	(void)state;
	static const char *const entries[] = { "Example.ORG", "*.below.example", ".dot.example", "b\xc3\xbc" "cher.example",
		NULL };
	static const struct {
		const char *domain;
		bool want;
	} table[] = {
		{ "example.org", true }, { "EXAMPLE.org", true }, { "sub.example.org", false }, { "xexample.org", false },
		{ "below.example", false }, { "a.below.example", true }, { "a.b.below.example", true },
		{ "xbelow.example", false }, { "a.dot.example", true }, { "xn--bcher-kva.example", true }, { "", false },
	};
	struct arena *arena = arena_create();
	struct list *l = make(arena, LIST_DOMAINS, entries);
	for (size_t i = 0; i < COUNT(table); i++) {
		struct slice entry;
		if (list_has_domain(l, slice_str(table[i].domain), &entry) != table[i].want)
			fail_msg("%s", table[i].domain);
	}
	assert_false(list_add(l, SLICE("a b.example")));
	assert_false(list_add(l, SLICE("*.")));
	arena_destroy(&arena);
}

static void check_senders(enum list_type type, const char *const *entries, const char *const *in,
			  const char *const *out)
{
	struct arena *arena = arena_create();
	struct list *l = make(arena, type, entries);
	struct slice entry;
	for (int wanted = 0; wanted < 2; wanted++)
		for (const char *const *a = wanted ? in : out; *a != NULL; a++) {
			struct mailbox m;
			assert_int_equal(address_parse(arena, slice_str(*a), ADDRESS_MAIL, &m), ADDRESS_OK);
			if (list_has_sender(l, &m, &entry) != wanted)
				fail_msg("%s", *a);
		}
	arena_destroy(&arena);
}

static void test_senders(void **state)
{
	(void)state;
	static const char *const addresses[] = { "Ada@example.org", "\"a b\"@example.org", "<>", NULL };
	static const char *const in[] = { "ada@EXAMPLE.org", "\"ada\"@example.org", "\"a b\"@example.org", "", NULL };
	static const char *const out[] = { "ada@example.net", "xada@example.org", NULL };
	static const char *const patterns[] = { "news-*@example.org", "*@*.bulk.example", "?x@a.example", NULL };
	static const char *const fit[] = { "news-@example.org", "NEWS-1@example.org", "a@b.bulk.example",
		"zx@a.example", NULL };
	static const char *const misfit[] = { "news@example.org", "a@bulk.example", "x@a.example", "", NULL };
	check_senders(LIST_ADDRESSES, addresses, in, out);
	check_senders(LIST_PATTERNS, patterns, fit, misfit);
}

static double seconds(clock_t begin)
{
	return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* 100,000 entries: read in well under a second, looked up in microseconds. */
static void test_large_file(void **state)
{
	(void)state;
	char path[] = "/tmp/gatehouse_list_XXXXXX", text[600];
	FILE *f = fdopen(mkstemp(path), "w");
	for (unsigned i = 0; i < 100000; i++)
		fprintf(f, "# comment\nhost%u.example%u.org # no\n", i, i % 1000);
	fclose(f);
	snprintf(text, sizeof(text), "list big { type = domains file = \"%s\" }\n", path);
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	clock_t begin = clock();
	struct config *config = config_read(arena, "-", slice_str(text), filter_sections(), &errors);
	assert_non_null(config);
	assert_true(seconds(begin) < 3);
	const struct list *l = config->lists[0].loaded;
	assert_int_equal(list_count(l), 100000);
	begin = clock();
	size_t found = 0;
	for (unsigned i = 0; i < 200000; i++) {
		char name[64];
		struct slice entry;
		snprintf(name, sizeof(name), "host%u.example%u.org", i, i % 1000);
		found += list_has_domain(l, slice_str(name), &entry);
	}
	assert_int_equal(found, 100000);
	assert_true(seconds(begin) < 2);
	assert_true(arena_size(arena) < 40u << 20);
	unlink(path);
	arena_destroy(&arena);
}

static void test_file_errors_have_lines(void **state)
{
	(void)state;
	char path[] = "/tmp/gatehouse_list_XXXXXX", text[600];
	FILE *f = fdopen(mkstemp(path), "w");
	fputs("192.0.2.0/24\r\n\n# fine\nexample.org\n  10.0.0.0/8  # ours\n10.0.0.1/8\n", f);
	fclose(f);
	snprintf(text, sizeof(text), "list nets { type = networks file = \"%s\" }\n", path);
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	assert_null(config_read(arena, "-", slice_str(text), filter_sections(), &errors));
	assert_int_equal(errors.count, 2);
	assert_true(slice_eq(errors.list[0].file, slice_str(path)));
	assert_int_equal(errors.list[0].line, 4);
	assert_int_equal(errors.list[1].line, 6);
	unlink(path);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks), cmocka_unit_test(test_domains), cmocka_unit_test(test_senders),
		cmocka_unit_test(test_large_file),
		cmocka_unit_test(test_file_errors_have_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
