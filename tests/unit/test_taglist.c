/* taglist: RFC 6376 3.2, 2.10, 2.11. rsa_der: the keys in p=. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "filters/rsa_der.h"
#include "message/taglist.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LIT(s) { s, sizeof(s) - 1 }

static const struct {
	struct slice text;
	enum taglist_error error;
	size_t count;
	const char *name, *value; /* of one tag; NULL: none looked for */
} lists[] = {
	{ LIT("a=1"), TAGLIST_OK, 1, "a", "1" },
	{ LIT("a=1;"), TAGLIST_OK, 1, "a", "1" },
	{ LIT("a=1; \r\n "), TAGLIST_OK, 1, "a", "1" },
	{ LIT(" a = 1 ;\r\n\tbc_9 =\r\n  x y\t; D=="), TAGLIST_OK, 3, "bc_9", "x y" },
	{ LIT("D=="), TAGLIST_OK, 1, "D", "=" },
	{ LIT("a=;b="), TAGLIST_OK, 2, "b", "" },
	{ LIT("a=1; A=2"), TAGLIST_OK, 2, "A", "2" },
	{ LIT("a=\xc3\xbc"), TAGLIST_OK, 1, "a", "\xc3\xbc" },
	{ LIT(""), TAGLIST_BAD_NAME, 0, NULL, NULL },
	{ LIT(" \r\n "), TAGLIST_BAD_NAME, 0, NULL, NULL },
	{ LIT(";"), TAGLIST_BAD_NAME, 0, NULL, NULL },
	{ LIT("a=1;;b=2"), TAGLIST_BAD_NAME, 1, NULL, NULL },
	{ LIT("a=1;;"), TAGLIST_BAD_NAME, 1, NULL, NULL },
	{ LIT("=1"), TAGLIST_BAD_NAME, 0, NULL, NULL },
	{ LIT("1a=1"), TAGLIST_BAD_NAME, 0, NULL, NULL },
	{ LIT("a b=1"), TAGLIST_BAD_NAME, 0, NULL, NULL },
	{ LIT("a-b=1"), TAGLIST_BAD_NAME, 0, NULL, NULL },
	{ LIT("a=1; b"), TAGLIST_NO_EQUALS, 1, "a", "1" },
	{ LIT("a=1\0"), TAGLIST_BAD_VALUE, 0, NULL, NULL },
	{ LIT("a=1\x0b"), TAGLIST_BAD_VALUE, 0, NULL, NULL },
	{ LIT("a=1\x7f"), TAGLIST_BAD_VALUE, 0, NULL, NULL },
	{ LIT("a=1; b=2; a=3"), TAGLIST_DUPLICATE, 2, NULL, NULL },
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct taglist list;
		if (taglist_parse(lists[i].text, &list) != lists[i].error || list.count != lists[i].count)
			fail_msg("\"%s\": %zu tags", lists[i].text.data, list.count);
		if (lists[i].name == NULL)
			continue;
		const struct tag *tag = taglist_get(&list, lists[i].name);
		if (tag == NULL || !slice_eq(tag->value, slice_str(lists[i].value)))
			fail_msg("\"%s\": not %s", lists[i].text.data, lists[i].value);
	}
	struct taglist list;
	assert_int_equal(taglist_parse(SLICE_EMPTY, &list), TAGLIST_BAD_NAME);
	struct arena *arena = arena_create();
	struct slice many = SLICE("a=1");
	for (int i = 1; i <= TAGLIST_MAX; i++)
		many = arena_printf(arena, "%.*s;a%d=1", SLICE_ARG(many), i);
	assert_int_equal(taglist_parse(many, &list), TAGLIST_TOO_MANY);
	arena_destroy(&arena);
}

static void test_has(void **state)
{
	(void)state;
	assert_true(taglist_has(SLICE("From : to:\r\n Subject"), SLICE("subject")));
	assert_true(taglist_has(SLICE("from"), SLICE("FROM")));
	assert_false(taglist_has(SLICE("fromage:x-from"), SLICE("from")));
	assert_false(taglist_has(SLICE_EMPTY, SLICE("from")));
}

static const struct {
	const char *text;
	bool ok;
	struct slice bytes;
} base64s[] = {
	{ "YWJj", true, LIT("abc") }, { "YW\r\n Jj", true, LIT("abc") }, { "YWI=", true, LIT("ab") },
	{ "YWI", true, LIT("ab") }, { "YQ==", true, LIT("a") }, { "YQ= =", true, LIT("a") }, { "YQ", true, LIT("a") },
	{ "//79AA", true, LIT("\xff\xfe\xfd\x00") },
	{ "", false, { 0 } }, { "=", false, { 0 } }, { "Y", false, { 0 } }, { "YWJjY", false, { 0 } },
	{ "YQ=", false, { 0 } }, { "YWJj=", false, { 0 } }, { "YQ===", false, { 0 } }, { "Y=Q=", false, { 0 } },
	{ "YW-_", false, { 0 } }, { "YWJj!", false, { 0 } },
};

static void test_base64(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(base64s); i++) {
		struct slice out;
		bool ok = taglist_base64(arena, slice_str(base64s[i].text), &out);
		if (ok != base64s[i].ok || (ok && !slice_eq(out, base64s[i].bytes)))
			fail_msg("\"%s\"", base64s[i].text);
	}
	arena_destroy(&arena);
}

static void test_qp(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice out;
	assert_true(taglist_qp(arena, SLICE("ann=40exam\r\n ple=2Eorg"), &out));
	assert_true(slice_eq(out, SLICE("ann@example.org")));
	assert_false(taglist_qp(arena, SLICE("ann=4"), &out));
	assert_false(taglist_qp(arena, SLICE("ann=xy"), &out));
	arena_destroy(&arena);
}

/* n = 0x0101 … of a few octets is enough for the form. */
static const struct {
	const char *what;
	struct slice der;
	bool ok;
} keys[] = {
	{ "bare", LIT("\x30\x08\x02\x03\x00\xff\x01\x02\x01\x03"), true },
	{ "wrapped", LIT("\x30\x1c\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
			 "\x03\x0b\x00\x30\x08\x02\x03\x00\xff\x01\x02\x01\x03"), true },
	{ "long form of length", LIT("\x30\x82\x00\x08\x02\x03\x00\xff\x01\x02\x01\x03"), true },
	{ "something behind", LIT("\x30\x08\x02\x03\x00\xff\x01\x02\x01\x03\x00"), false },
	{ "something inside", LIT("\x30\x0b\x02\x03\x00\xff\x01\x02\x01\x03\x02\x01\x05"), false },
	{ "cut off", LIT("\x30\x08\x02\x03\x00\xff\x01\x02\x01"), false },
	{ "negative modulus", LIT("\x30\x07\x02\x02\xff\x01\x02\x01\x03"), false },
	{ "even modulus", LIT("\x30\x08\x02\x03\x00\xff\x02\x02\x01\x03"), false },
	{ "even exponent", LIT("\x30\x08\x02\x03\x00\xff\x01\x02\x01\x02"), false },
	{ "zero", LIT("\x30\x08\x02\x03\x00\xff\x01\x02\x01\x00"), false },
	{ "empty number", LIT("\x30\x07\x02\x03\x00\xff\x01\x02\x00"), false },
	{ "another algorithm", LIT("\x30\x1c\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x05\x00"
				   "\x03\x0b\x00\x30\x08\x02\x03\x00\xff\x01\x02\x01\x03"), false },
	{ "length over the end", LIT("\x30\x84\x7f\xff\xff\xff\x02\x01\x03"), false },
	{ "length of no octets", LIT("\x30\x80\x02\x01\x03\x02\x01\x03\x00\x00"), false },
	{ "nothing", { NULL, 0 }, false },
};

static void test_rsa_der(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct slice n, e;
		if (rsa_der_parse(keys[i].der, &n, &e) != keys[i].ok)
			fail_msg("%s", keys[i].what);
		if (keys[i].ok)
			assert_true(slice_eq(n, SLICE("\xff\x01")) && slice_eq(e, SLICE("\x03")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists), cmocka_unit_test(test_has), cmocka_unit_test(test_base64),
		cmocka_unit_test(test_qp), cmocka_unit_test(test_rsa_der),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
