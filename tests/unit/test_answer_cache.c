/* answer_cache: for how long, how many, and for many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/answer_cache.h"

struct found {
	struct answer answer;
	char first[40];
};

static void note(void *arg, const struct answer *a)
{
	struct found *f = arg;
	f->answer = *a;
	f->answer.records = NULL;
	if (a->count > 0)
		memcpy(f->first, a->records[0].data, a->records[0].len);
}

static bool find(struct answer_cache *c, const char *name, uint16_t type, int64_t now, struct found *found_r)
{
	memset(found_r, 0, sizeof(*found_r));
	return answer_cache_find(c, slice_str(name), type, now, note, found_r);
}

static void keep(struct answer_cache *c, const char *name, uint16_t type, enum answer_status status, uint32_t ttl,
		 const char *record, int64_t now)
{
	char bytes[64];
	snprintf(bytes, sizeof(bytes), "%s", record ? record : ""); /* that don't stay */
	struct slice records[2] = { slice_str(bytes), SLICE("more") };
	const struct answer a = {
		.status = status, .ttl = ttl, .records = records, .count = record != NULL ? 2 : 0, .secure = true,
	};
	answer_cache_keep(c, slice_str(name), type, &a, now);
	memset(bytes, 'x', sizeof(bytes));
}

static void test_kept(void **state)
{
	struct answer_cache *c = answer_cache_create(100, 100000);
	struct found f;
	(void)state;
	keep(c, "a.example", DNS_A, ANSWER_FOUND, 10, "four", 5000);
	keep(c, "none.example", DNS_A, ANSWER_NXDOMAIN, 2, NULL, 5000);
	assert_true(find(c, "a.example", DNS_A, 5000, &f));
	assert_string_equal(f.first, "four");
	assert_int_equal(f.answer.count, 2);
	assert_int_equal(f.answer.ttl, 10);
	assert_true(f.answer.secure);
	assert_false(find(c, "a.example", DNS_TXT, 5000, &f));
	assert_false(find(c, "b.example", DNS_A, 5000, &f));
	assert_true(find(c, "none.example", DNS_A, 6999, &f));
	assert_int_equal(f.answer.status, ANSWER_NXDOMAIN);
	assert_int_equal(f.answer.ttl, 1);
	assert_false(find(c, "none.example", DNS_A, 7000, &f));
	assert_false(find(c, "none.example", DNS_A, 5000, &f)); /* gone for good */
	assert_true(find(c, "a.example", DNS_A, 14999, &f));
	assert_false(find(c, "a.example", DNS_A, 15000, &f));
	answer_cache_destroy(&c);
	answer_cache_destroy(&c);
}

static void test_not_kept(void **state)
{
	struct answer_cache *c = answer_cache_create(100, 100000);
	struct found f;
	(void)state;
	keep(c, "a.example", DNS_A, ANSWER_FOUND, 0, "four", 0);
	keep(c, "b.example", DNS_A, ANSWER_TEMPERROR, 60, NULL, 0);
	assert_false(find(c, "a.example", DNS_A, 0, &f));
	assert_false(find(c, "b.example", DNS_A, 0, &f));
	answer_cache_destroy(&c);
}

static void test_replaced(void **state)
{
	struct answer_cache *c = answer_cache_create(100, 100000);
	struct found f;
	(void)state;
	keep(c, "a.example", DNS_A, ANSWER_NODATA, 10, NULL, 0);
	keep(c, "a.example", DNS_A, ANSWER_FOUND, 20, "four", 0);
	assert_true(find(c, "a.example", DNS_A, 15000, &f));
	assert_string_equal(f.first, "four");
	answer_cache_destroy(&c);
}

/* What was used longest ago goes first: by count, by octets. */
static void test_bounds(void **state)
{
	struct answer_cache *c = answer_cache_create(10, 1 << 20);
	struct found f;
	char name[20], long_one[40];
	(void)state;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		keep(c, name, DNS_A, ANSWER_FOUND, 60, "x", 0);
	}
	assert_true(find(c, "n0", DNS_A, 0, &f));
	keep(c, "n10", DNS_A, ANSWER_FOUND, 60, "x", 0);
	assert_true(find(c, "n0", DNS_A, 0, &f));
	assert_false(find(c, "n1", DNS_A, 0, &f));
	assert_true(find(c, "n2", DNS_A, 0, &f));
	answer_cache_destroy(&c);

	c = answer_cache_create(1000, 2000);
	memset(long_one, 'y', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	int left = 0;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		keep(c, name, DNS_A, ANSWER_FOUND, 60, long_one, 0);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		left += find(c, name, DNS_A, 0, &f);
	}
	assert_in_range(left, 3, 20);
	assert_true(find(c, "n99", DNS_A, 0, &f));
	answer_cache_destroy(&c);
}

enum { THREADS = 4, TURNS = 2000, NAMES = 64 };

static void *use(void *arg)
{
	struct answer_cache *c = arg;
	struct found f;
	char name[20];
	for (int i = 0; i < TURNS; i++) {
		snprintf(name, sizeof(name), "n%d", i * 7 % NAMES);
		if (!find(c, name, DNS_A, i, &f))
			keep(c, name, DNS_A, ANSWER_FOUND, 1, name, i);
		else if (strcmp(f.first, name) != 0)
			return arg; /* another's answer */
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct answer_cache *c = answer_cache_create(NAMES / 2, 1 << 20);
	pthread_t threads[THREADS];
	void *wrong;
	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, use, c);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	answer_cache_destroy(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept), cmocka_unit_test(test_not_kept), cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
