#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "base/json.h"
#include "base/utf8.h"

static const struct {
	const char *bytes;
	size_t len;
	const char *json;      /* with quotes */
	const char *printable;
} strings[] = {
	{ "", 0, "\"\"", "" },
	{ "plain", 5, "\"plain\"", "plain" },
	{ "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"", "a\"b\\c/" },
	{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"", "\\x08\\x0c\\x0a\\x0d\\x09" },
	{ "a\0b", 3, "\"a\\u0000b\"", "a\\x00b" },
	{ "\x1b[31m\x7f", 6, "\"\\u001b[31m\\u007f\"", "\\x1b[31m\\x7f" },
	{ "caf\xc3\xa9", 5, "\"caf\xc3\xa9\"", "caf\xc3\xa9" },
	{ "\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80" },
	{ "\xc2\x85", 2, "\"\\u0085\"", "\\xc2\\x85" },           /* C1 */
	{ "caf\xe9!", 5, "\"caf\\\\xe9!\"", "caf\\xe9!" },         /* Latin-1 */
	{ "\xc3", 1, "\"\\\\xc3\"", "\\xc3" },                     /* cut off */
	{ "\xc0\xaf", 2, "\"\\\\xc0\\\\xaf\"", "\\xc0\\xaf" },     /* overlong */
	{ "\xe0\x80\x80", 3, "\"\\\\xe0\\\\x80\\\\x80\"", "\\xe0\\x80\\x80" },
	{ "\xed\xa0\x80", 3, "\"\\\\xed\\\\xa0\\\\x80\"", "\\xed\\xa0\\x80" }, /* a surrogate */
	{ "\xf4\x90\x80\x80", 4, "\"\\\\xf4\\\\x90\\\\x80\\\\x80\"", "\\xf4\\x90\\x80\\x80" },
	{ "\xff\xfe", 2, "\"\\\\xff\\\\xfe\"", "\\xff\\xfe" },
};

static void check(struct buf *out, const char *want)
{
	assert_string_equal(buf_cstr(out), want);
	buf_free(out);
}

static void test_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		struct buf out = { 0 };
		struct slice s = slice_make(strings[i].bytes, strings[i].len);
		json_add_quoted(&out, s);
		check(&out, strings[i].json);
		utf8_add_printable(&out, s);
		check(&out, strings[i].printable);
	}
}

/* Every code point's own encoding is taken, whole and not cut, and nothing else of its first octets. */
static void test_utf8_all(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x110000; c++) {
		char b[4];
		size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		for (size_t i = len - 1; i > 0; i--)
			b[i] = (char)(0x80 | ((c >> (6 * (len - 1 - i))) & 0x3f));
		b[0] = (char)(len == 1 ? c : (0xf00u >> len | c >> (6 * (len - 1))));
		uint32_t got = 0;
		bool valid = c < 0xd800 || (c > 0xdfff && c <= 0x10ffff);
		if (utf8_next(slice_make(b, len), &got) != (valid ? len : 0) || (valid && got != c))
			fail_msg("U+%04X", c);
		if (utf8_next(slice_make(b, len - 1), NULL) != 0)
			fail_msg("U+%04X cut", c);
	}
}

static void test_utf8_cut(void **state)
{
	(void)state;
	struct slice s = SLICE("a\xc3\xa9\xf0\x9f\x98\x80z");
	static const size_t want[] = { 0, 1, 1, 3, 3, 3, 3, 7, 8, 8 };
	for (size_t max = 0; max < 10; max++)
		assert_int_equal(utf8_cut(s, max).len, want[max]);
	assert_int_equal(utf8_cut(SLICE("ab\xff" "c"), 10).len, 2);
	assert_true(utf8_valid(s));
	assert_true(utf8_valid(SLICE_EMPTY));
	assert_false(utf8_valid(SLICE("ab\xff" "c")));
}

static void test_structure(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	json_open_object(&j);
	json_flag(&j, "ok", true);
	json_key(&j, "list");
	json_open_array(&j);
	json_int(&j, -1);
	json_uint(&j, UINT64_MAX);
	json_null(&j);
	json_open_array(&j);
	json_close_array(&j);
	json_open_object(&j);
	json_close_object(&j);
	json_open_object(&j);
	json_str(&j, "a", SLICE("b"));
	json_num(&j, "n", INT64_MIN);
	json_close_object(&j);
	json_close_array(&j);
	json_real(&j, "x", 0.5);
	json_close_object(&j);
	check(&out, "{\"ok\":true,\"list\":[-1,18446744073709551615,null,[],{},"
		    "{\"a\":\"b\",\"n\":-9223372036854775808}],\"x\":0.5}");
}

static void test_doubles(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0" }, { 5.3, "5.3" }, { -0.001, "-0.001" }, { 1e300, "1e+300" },
		{ 0.1 + 0.2, "0.30000000000000004" }, { 12, "12" }, { NAN, "null" }, { INFINITY, "null" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = { 0 };
		struct json j = json_begin(&out);
		json_open_array(&j);
		json_double(&j, cases[i].value);
		json_double(&j, 1);
		json_close_array(&j);
		struct buf want = { 0 };
		buf_printf(&want, "[%s,1]", cases[i].text);
		check(&out, buf_cstr(&want));
		buf_free(&want);
	}
}

static void test_depth(void **state)
{
	(void)state;
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	for (int i = 0; i < JSON_DEPTH; i++)
		json_open_array(&j);
	for (int i = 0; i < JSON_DEPTH; i++)
		json_close_array(&j);
	json_open_array(&j); /* a second value at the top: no comma there */
	json_close_array(&j);
	assert_int_equal(out.len, 2 * JSON_DEPTH + 2);
	assert_int_equal(slice_chr(buf_slice(&out), ','), SLICE_NPOS);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings), cmocka_unit_test(test_utf8_all),
		cmocka_unit_test(test_utf8_cut), cmocka_unit_test(test_structure),
		cmocka_unit_test(test_doubles), cmocka_unit_test(test_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
