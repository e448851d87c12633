/* dkim_canon: RFC 6376 3.4, whole and octet by octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "filters/dkim_canon.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *text, *simple, *relaxed;
} bodies[] = {
	{ " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n" }, /* 3.4.5 */
	{ "", "\r\n", "" },
	{ "\r\n", "\r\n", "" },
	{ "\r\n\r\n\r\n", "\r\n", "" },
	{ " \t\r\n  \r\n", " \t\r\n  \r\n", "" },
	{ "a", "a\r\n", "a\r\n" },
	{ "a \r\n", "a \r\n", "a\r\n" },
	{ "a ", "a \r\n", "a\r\n" },
	{ "  a", "  a\r\n", " a\r\n" },
	{ "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
	{ "a\r\n \r\n\r\nb", "a\r\n \r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n" },
	{ "a\rb\nc", "a\rb\nc\r\n", "a\rb\nc\r\n" },
	{ "a\r", "a\r\r\n", "a\r\r\n" },
	{ "a \r\r\n", "a \r\r\n", "a \r\r\n" },
	{ "a\r\n\r", "a\r\n\r\r\n", "a\r\n\r\r\n" },
	{ "\xff \x80\r\n", "\xff \x80\r\n", "\xff \x80\r\n" },
};

static void into_buf(void *arg, struct slice bytes)
{
	buf_add_slice(arg, bytes);
}

static void check_body(const char *text, enum dkim_canon canon, const char *expected, size_t piece)
{
	struct slice s = slice_str(text);
	for (uint64_t limit = 0; limit <= strlen(expected) + 1; limit++) {
		struct buf out = { 0 };
		struct dkim_body body;
		dkim_body_init(&body, canon, limit, into_buf, &out);
		for (size_t at = 0; at < s.len; at += piece)
			dkim_body_add(&body, slice_sub(s, at, piece));
		dkim_body_end(&body);
		if (body.total != strlen(expected) ||
		    !slice_eq(buf_slice(&out), slice_head(slice_str(expected), (size_t)limit)))
			fail_msg("\"%s\" by %zu", text, piece);
		buf_free(&out);
	}
}

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++)
		for (size_t piece = 1; piece < 20; piece += 6) {
			check_body(bodies[i].text, DKIM_SIMPLE, bodies[i].simple, piece);
			check_body(bodies[i].text, DKIM_RELAXED, bodies[i].relaxed, piece);
		}
}

static void test_many_blank_lines(void **state)
{
	(void)state;
	struct buf text = { 0 };
	for (int i = 0; i < 1000; i++)
		buf_add_str(&text, "\r\n");
	buf_add_str(&text, "a\r\n");
	check_body(buf_cstr(&text), DKIM_SIMPLE, buf_cstr(&text), 7);
	buf_free(&text);
}

static const struct {
	const char *field, *simple, *relaxed;
} fields[] = {
	{ "A: X\r\n", "A: X\r\n", "a:X\r\n" }, /* 3.4.5 */
	{ "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n" },
	{ "Subject:\r\n  \r\n a\r\n", "Subject:\r\n  \r\n a\r\n", "subject:a\r\n" },
	{ "X:\r\n", "X:\r\n", "x:\r\n" },
	{ "X: a:b\r\n", "X: a:b\r\n", "x:a:b\r\n" },
	{ "X: a", "X: a\r\n", "x:a\r\n" },
};

static void test_fields(void **state)
{
	(void)state;
	struct buf out = { 0 };
	for (size_t i = 0; i < COUNT(fields); i++) {
		buf_clear(&out);
		dkim_canon_header(&out, slice_str(fields[i].field), DKIM_SIMPLE);
		assert_string_equal(buf_cstr(&out), fields[i].simple);
		buf_clear(&out);
		dkim_canon_header(&out, slice_str(fields[i].field), DKIM_RELAXED);
		assert_string_equal(buf_cstr(&out), fields[i].relaxed);
	}
	buf_free(&out);
}

static const struct {
	const char *field, *simple, *relaxed;
} signatures[] = {
	{ "DKIM-Signature: a=1; b=xyz; c=2\r\n", "DKIM-Signature: a=1; b=; c=2", "dkim-signature:a=1; b=; c=2" },
	{ "DKIM-Signature: a=1; b=xyz\r\n\tuvw==\r\n", "DKIM-Signature: a=1; b=", "dkim-signature:a=1; b=" },
	{ "DKIM-Signature: b = x=y ; bh=b=z\r\n", "DKIM-Signature: b =; bh=b=z", "dkim-signature:b =; bh=b=z" },
	{ "DKIM-Signature: xb=1;\r\n b\r\n =2;\r\n", "DKIM-Signature: xb=1;\r\n b\r\n =;",
	  "dkim-signature:xb=1; b =;" },
	{ "DKIM-Signature: B=1\r\n", "DKIM-Signature: B=1", "dkim-signature:B=1" },
};

static void test_signatures(void **state)
{
	(void)state;
	struct buf out = { 0 };
	for (size_t i = 0; i < COUNT(signatures); i++) {
		buf_clear(&out);
		dkim_canon_signature(&out, slice_str(signatures[i].field), DKIM_SIMPLE);
		assert_string_equal(buf_cstr(&out), signatures[i].simple);
		buf_clear(&out);
		dkim_canon_signature(&out, slice_str(signatures[i].field), DKIM_RELAXED);
		assert_string_equal(buf_cstr(&out), signatures[i].relaxed);
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies), cmocka_unit_test(test_many_blank_lines),
		cmocka_unit_test(test_fields), cmocka_unit_test(test_signatures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
