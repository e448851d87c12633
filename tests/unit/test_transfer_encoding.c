#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "message/transfer_encoding.h"
#include "message/transfer_variant.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct body_case {
	const char *name;
	enum transfer_encoding encoding;
	struct slice in, out;
	bool dirty;
};

#define B ENCODING_BASE64
#define Q ENCODING_QUOTED_PRINTABLE
#define U ENCODING_UUENCODE

static const struct body_case bodies[] = {
	{ "base64", B, SLICE("aGVsbG8sIHdvcmxk"), SLICE("hello, world"), false },
	{ "base64 lines", B, SLICE("aGVs\r\nbG8=\r\n"), SLICE("hello"), false },
	{ "base64 two pads", B, SLICE("aGVsbA=="), SLICE("hell"), false },
	{ "base64 padding in the middle", B, SLICE("aGVsbA==bG8="), SLICE("helllo"), true },
	{ "base64 quantum over lines", B, SLICE("a\nG\nV\ns\nb"), SLICE("hel"), true },
	{ "base64 no padding", B, SLICE("aGVsbG8"), SLICE("hello"), true },
	{ "base64 rubbish", B, SLICE("aG*V-s\0b!G8="), SLICE("hello"), true },
	{ "base64 empty", B, SLICE(""), SLICE(""), false },
	{ "base64 pads only", B, SLICE("===="), SLICE(""), true },
	{ "base64 all octets", B, SLICE("/+8A"), SLICE("\xff\xef\0"), false },
	{ "qp", Q, SLICE("a=3Db=\r\nc =\r\n"), SLICE("a=bc "), false },
	{ "qp lower case", Q, SLICE("=c3=a9"), SLICE("\xc3\xa9"), false },
	{ "qp trailing space", Q, SLICE("a \t\r\nb \nc  "), SLICE("a\r\nb\nc  "), false },
	{ "qp soft break and space", Q, SLICE("a=  \r\nb"), SLICE("ab"), false },
	{ "qp bad escapes", Q, SLICE("=ZZ=4 =\nx=="), SLICE("=ZZ=4 x="), true },
	{ "qp at the end", Q, SLICE("a="), SLICE("a"), false },
	{ "qp NUL", Q, SLICE("a=00b\0c"), SLICE("a\0b\0c"), false },
	{ "uuencode", U, SLICE("begin 644 x\n#0V%T\n`\nend\n"), SLICE("Cat"), false },
	{ "uuencode without begin", U, SLICE("#0V%T\n`\nend\n"), SLICE("Cat"), false },
	{ "uuencode, text before and after", U, SLICE("hi\r\nbegin 644 x\r\n#0V%T\r\n`\r\nend\r\nbye"),
	  SLICE("Cat"), false },
	{ "uuencode, spaces cut off", U, SLICE("begin 644 x\n#\n`\nend\n"), SLICE(""), false },
	{ "uuencode, short line", U, SLICE("begin 644 x\nM0V%T\nend\n"), SLICE("Cat"), true },
};

static void test_bodies(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct decoded_bytes got = transfer_decode(arena, bodies[i].in, bodies[i].encoding);
		if (!slice_eq(got.bytes, bodies[i].out) || got.dirty != bodies[i].dirty)
			fail_msg("%s: \"%.*s\", dirty %d", bodies[i].name, SLICE_ARG(got.bytes), got.dirty);
	}
	assert_true(slice_eq(qp_decode(arena, SLICE("a_b=5F "), true).bytes, SLICE("a b_ ")));
	arena_destroy(&arena);
}

struct label_case {
	const char *label;
	enum transfer_encoding encoding;
};

static const struct label_case labels[] = {
	{ "base64", B }, { " BASE64 ", B }, { "\"base64\"", B }, { "base64;", B }, { "base64 (comment)", B },
	{ "(c (d) e) base64", B }, { "\r\n base64", B }, { "quoted-printable", Q }, { "Quoted-Printable\r\n", Q },
	{ "7bit", ENCODING_IDENTITY }, { "", ENCODING_IDENTITY }, { "8Bit", ENCODING_IDENTITY }, { "x-uuencode", U },
	{ "mac-binhex40", ENCODING_BINHEX }, { "rot13", ENCODING_UNKNOWN }, { "base64x", ENCODING_UNKNOWN },
	{ "base64, quoted-printable", B },
};

static void test_labels(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(labels); i++)
		if (transfer_encoding_of(slice_str(labels[i].label)) != labels[i].encoding)
			fail_msg("%s: %s", labels[i].label,
				 transfer_encoding_name(transfer_encoding_of(slice_str(labels[i].label))));
}

/* RFC 1741 describes the container; made by hand: a fork of "Hello" with a run. */
static void test_binhex(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct decoded_bytes got = binhex_decode(arena, SLICE("(This file must be converted with BinHex 4.0)\r\n\r\n"
		":!AJ!9%9B9(4dH(3!N!8@!*!'5'9XE'm\r\nJN!!JBC!+)'9ZC!#3\"!:\r\n"));
	assert_true(slice_eq(got.bytes, SLICE("Hello \x90 aaaaaaaaaa end")));
	assert_false(got.dirty);
	got = binhex_decode(arena, SLICE(""));
	assert_int_equal(got.bytes.len, 0);
	assert_true(got.dirty);
	got = binhex_decode(arena, SLICE("::::"));
	assert_true(got.dirty);
	arena_destroy(&arena);
}

static void test_uu_find(void **state)
{
	(void)state;
	size_t begin;
	struct slice file, name;
	assert_true(uu_find(SLICE("we begin 644 now\nbegin 0644 my file.exe\nx"), &begin, &file, &name));
	assert_int_equal(begin, 17);
	assert_true(slice_eq(name, SLICE("my file.exe")));
	assert_false(uu_find(SLICE("begin 64 a\nbegin abc d\nbegin 644\nbegin 644 \n"), &begin, &file, &name));
}

static void test_variants(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice list[TRANSFER_VARIANTS_MAX];
	assert_false(transfer_is_dirty(SLICE("aGVs\r\nbG8=\r\n"), B));
	assert_false(transfer_is_dirty(SLICE("a=3D=\r\nb = \r\n"), Q));
	assert_true(transfer_is_dirty(SLICE("aGVs=bG8"), B));
	size_t n = transfer_variants(arena, SLICE("aGVs# junk\nbG8="), B, list);
	bool found = false;
	for (size_t i = 0; i < n; i++)
		found = found || slice_eq(list[i], SLICE("hello"));
	assert_true(found);
	assert_int_equal(transfer_variants(arena, SLICE("aGVsbG8="), B, list), 0);
	arena_destroy(&arena);
}

static void test_speed(void **state)
{
	(void)state;
	static const struct { const char *piece; enum transfer_encoding encoding; } hostile[] = {
		{ "aGVsbG8s", B }, { "=", B }, { "*", B }, { " ", Q }, { "= ", Q }, { "=\r\n", Q }, { "=4", Q },
		{ "begin ", U }, { "\nbegin 644 ", U }, { "M\n", U }, { "!!!!", ENCODING_BINHEX },
		{ "(This file", ENCODING_BINHEX },
	};
	for (size_t i = 0; i < COUNT(hostile); i++) {
		struct arena *arena = arena_create();
		struct buf b = { 0 };
		while (b.len < 5 << 20)
			buf_add_str(&b, hostile[i].piece);
		clock_t start = clock();
		transfer_decode(arena, buf_slice(&b), hostile[i].encoding);
		transfer_is_dirty(buf_slice(&b), hostile[i].encoding);
		double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
		if (ms > 2000)
			fail_msg("5 MB of \"%s\": %.0f ms", hostile[i].piece, ms);
		buf_free(&b);
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_binhex),
		cmocka_unit_test(test_uu_find),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_speed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
