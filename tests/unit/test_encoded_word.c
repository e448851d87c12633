#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "message/encoded_word.h"
#include "message/parameter.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct word_case {
	const char *name;
	struct slice in;
	const char *out;
};

static const struct word_case words[] = {
	{ "plain", SLICE("Hello, world"), "Hello, world" },
	{ "Q", SLICE("=?iso-8859-1?Q?Andr=E9_Pirard?="), "André Pirard" },
	{ "B", SLICE("=?utf-8?b?2LPZhNin2YU=?="), "سلام" },
	{ "Gujarati", SLICE("=?UTF-8?B?4Kqo4Kqu4Kq44KuN4Kqk4KuH?="), "નમસ્તે" },
	{ "Kazakh in KZ-1048", SLICE("=?KZ-1048?Q?=D1=BC=EB=E5=EC?="), "Сәлем" },
	{ "Persian in windows-1256", SLICE("=?windows-1256?B?08fjxQ==?="), "سامإ" },
	{ "language", SLICE("=?us-ascii*en?Q?Keith_Moore?="), "Keith Moore" },
	{ "space between words goes", SLICE("=?utf-8?Q?a?= \t =?utf-8?Q?b?="), "ab" },
	{ "space beside text stays", SLICE("x =?utf-8?Q?a?= y =?utf-8?Q?b?= z"), "x a y b z" },
	{ "inside quotes", SLICE("\"=?utf-8?Q?J=C3=B6rg?=\" <a@b>"), "\"Jörg\" <a@b>" },
	{ "no space around", SLICE("Re:=?utf-8?Q?a?=b"), "Re:ab" },
	{ "words without space", SLICE("=?utf-8?Q?a?==?utf-8?Q?b?="), "ab" },
	{ "character split", SLICE("=?utf-8?B?2LM=?= =?utf-8?B?2Q==?= =?UTF-8?B?hA==?="), "سل" },
	{ "character split, B and Q", SLICE("=?utf-8?Q?=D8?= =?utf-8?B?sw==?="), "س" },
	{ "two charsets", SLICE("=?koi8-r?Q?=C4=C1?= =?utf-8?Q?=D0=B4=D0=B0?="), "дада" },
	{ "space inside", SLICE("=?utf-8?Q?a b c?="), "a b c" },
	{ "bad base64", SLICE("=?utf-8?B?aGVs\tbG8*?="), "hello" },
	{ "bad escape", SLICE("=?utf-8?Q?a=ZZ=4?="), "a=ZZ=4" },
	{ "unknown encoding", SLICE("=?utf-8?X?abc?="), "=?utf-8?X?abc?=" },
	{ "no charset", SLICE("=??Q?abc?="), "=??Q?abc?=" },
	{ "unknown charset", SLICE("=?klingon?Q?abc?="), "abc" },
	{ "never closed", SLICE("=?utf-8?Q?abc"), "=?utf-8?Q?abc" },
	{ "first never closed", SLICE("=?utf-8?Q?abc =?utf-8?Q?d?="), "=?utf-8?Q?abc d" },
	{ "empty text", SLICE("=?utf-8?Q?" "?="), "" },
	{ "UTF-16", SLICE("=?utf-16?B?AGYAaQBsAGU=?="), "file" },
	{ "ISO-2022-JP", SLICE("=?ISO-2022-JP?B?GyRCJDMkcyRLJEEkTxsoQg==?="), "こんにちは" },
	{ "ISO-2022-JP, state across words", SLICE("=?ISO-2022-JP?B?GyRCJDMkcw==?= =?ISO-2022-JP?B?JEskQRsoQg==?="),
	  "こんにち" },
	{ "raw UTF-8", SLICE("\xd8\xb3 x"), "س x" },
	{ "raw latin1", SLICE("caf\xe9 =?utf-8?Q?=C3=A9?="), "café é" },
	{ "raw windows-1251", SLICE("\xcf\xf0\xe8\xe2\xe5\xf2, \xea\xe0\xea \xe4\xe5\xeb\xe0"), "Привет, как дела" },
	{ "NUL", SLICE("=?utf-8?Q?a=00b?="), NULL },
};

static void test_words(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(words); i++) {
		struct slice got = encoded_word_decode(arena, words[i].in);
		struct slice want = words[i].out ? slice_str(words[i].out) : SLICE("a\0b");
		if (!slice_eq(got, want))
			fail_msg("%s: \"%.*s\"", words[i].name, SLICE_ARG(got));
	}
	arena_destroy(&arena);
}

static void test_header(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice got = header_decode(arena, SLICE("Subject"),
					 SLICE(" =?utf-8?Q?a?=\r\n\t =?utf-8?Q?b?=\r\n c \r\n"));
	assert_true(slice_eq(got, SLICE("ab c")));
	got = header_decode(arena, SLICE("message-id"), SLICE(" <=?utf-8?Q?a?=@x>"));
	assert_true(slice_eq(got, SLICE("<=?utf-8?Q?a?=@x>")));
	got = header_decode(arena, SLICE("List-Post"), SLICE("=?utf-8?Q?a?="));
	assert_true(slice_eq(got, SLICE("=?utf-8?Q?a?=")));
	got = header_decode(arena, SLICE("X"), SLICE("\r\n\t\r\n"));
	assert_int_equal(got.len, 0);
	arena_destroy(&arena);
}

/* Neither many openings nor a far closing makes it slow. */
static void test_hostile(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct buf b = { 0 };
	for (int i = 0; i < 200000; i++)
		buf_add_str(&b, "=?x?q?");
	clock_t start = clock();
	assert_int_equal(encoded_word_decode(arena, buf_slice(&b)).len, b.len);
	buf_add_str(&b, "?=");
	assert_true(encoded_word_decode(arena, buf_slice(&b)).len > 1000000);
	buf_clear(&b);
	for (int i = 0; i < 100000; i++)
		buf_add_str(&b, i % 2 ? "=?utf-8?q?=D8?= " : "=?koi8-r?b?0Q?= ");
	assert_true(utf8_valid(encoded_word_decode(arena, buf_slice(&b))));
	double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	printf("# hostile encoded words: %.0f ms\n", ms);
	assert_true(ms < 5000);
	buf_free(&b);
	arena_destroy(&arena);
}

struct parameter_case {
	const char *name;
	struct slice in;
	const char *value, *key, *want;
	bool odd;
};

static const struct parameter_case parameter_cases[] = {
	{ "plain", SLICE(" text/plain; charset=utf-8"), "text/plain", "charset", "utf-8", false },
	{ "case", SLICE("Text/HTML; CharSet=\"UTF-8\""), "text/html", "charset", "UTF-8", false },
	{ "folded", SLICE(" text/plain;\r\n\tcharset=utf-8\r\n"), "text/plain", "charset", "utf-8", false },
	{ "comments", SLICE("text/plain (c); charset=us-ascii (Plain)"), "text/plain", "charset", "us-ascii", true },
	{ "escape", SLICE("x/y; name=\"a\\\"b\""), "x/y", "name", "a\"b", false },
	{ "semicolon in quotes", SLICE("x/y; name=\"a;b\"; c=d"), "x/y", "c", "d", false },
	{ "forgotten semicolon", SLICE("text/plain charset=utf-8 name=x"), "text/plain", "charset", "utf-8", true },
	{ "forgotten after quotes", SLICE("x/y; name=\"a\" charset=utf-8"), "x/y", "charset", "utf-8", true },
	{ "name with spaces", SLICE("x/y; name=my file (1).pdf; c=d"), "x/y", "name", "my file (1).pdf", true },
	{ "space at =", SLICE("x/y; name = a"), "x/y", "name", "a", false },
	{ "open quote", SLICE("x/y; name=\"a b"), "x/y", "name", "a b", true },
	{ "none", SLICE("x/y;"), "x/y", "name", "", false },
	{ "empty", SLICE(""), "", "name", "", false },
	{ "RFC 2231", SLICE("x/y; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"), "x/y", "title",
	  "This is ***fun***", false },
	{ "continuations", SLICE("x/y; title*0*=us-ascii'en'This%20is%20even%20more%20;"
				 " title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
				 " title*2=\"isn't it!\""), "x/y", "title", "This is even more ***fun*** isn't it!", false },
	{ "out of order", SLICE("x/y; n*1=b; n*0=a"), "x/y", "n", "ab", true },
	{ "extended wins", SLICE("x/y; filename=bad.txt; filename*=utf-8''%D8%B3.exe"), "x/y", "filename", "س.exe",
	  false },
	{ "windows-1256", SLICE("x/y; filename*=windows-1256''%D3%E1%C7%E3"), "x/y", "filename", "سلام", false },
	{ "encoded word", SLICE("x/y; name=\"=?koi8-r?B?xMHExQ==?=.doc\""), "x/y", "name", "даде.doc", false },
	{ "twice", SLICE("x/y; name=a; name=b"), "x/y", "name", "a", true },
	{ "raw 8-bit", SLICE("x/y; name=\"caf\xe9.doc\""), "x/y", "name", "café.doc", false },
};

static void test_parameters(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(parameter_cases); i++) {
		const struct parameter_case *t = &parameter_cases[i];
		struct parameters p = parameters_parse(arena, t->in);
		struct slice got = parameters_value(&p, slice_str(t->key));
		if (!slice_eq(p.value, slice_str(t->value)) || !slice_eq(got, slice_str(t->want)) || p.odd != t->odd)
			fail_msg("%s: \"%.*s\", %s=\"%.*s\", odd %d", t->name, SLICE_ARG(p.value), t->key, SLICE_ARG(got),
				 p.odd);
	}
	arena_destroy(&arena);
}

static void test_hostile_parameters(void **state)
{
	(void)state;
	static const char *const pieces[] = { "a=\"", ";a=b", "(", "\\", "a*1*=%", " a=b", "=", "a=b c=d " };
	struct arena *arena = arena_create();
	clock_t start = clock();
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct buf b = { 0 };
		buf_add_str(&b, "x/y;");
		while (b.len < 1 << 20)
			buf_add_str(&b, pieces[i]);
		parameters_parse(arena, buf_slice(&b));
		buf_free(&b);
	}
	double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	printf("# hostile parameters: %.0f ms\n", ms);
	assert_true(ms < 5000);
	arena_destroy(&arena);
}

/* Written, it is ASCII in words of 75 at most, and reads as it was. */
static void test_written(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", "plain", "a =? b", "é", "Сіз үлкен сыйлық ұтып алдыңыз, бірақ оны алу үшін төлем жасау керек",
		"તમે મોટું ઇનામ જીત્યા છો", "您赢得了大奖", "x😀", " é ",
	};
	struct arena *arena = arena_create();
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buf out = { 0 };
		encoded_word_add(&out, slice_str(texts[i]), " ");
		struct slice rest = buf_slice(&out), word;
		bool plain = strcmp(texts[i], "plain") == 0 || *texts[i] == '\0';
		while (!plain && rest.len > 0 && slice_split(&rest, ' ', &word))
			if (word.len > 75 || !slice_starts(word, SLICE("=?UTF-8?B?")) || !slice_ends(word, SLICE("?=")))
				fail_msg("%s: %.*s", texts[i], SLICE_ARG(word));
		struct slice back = encoded_word_decode(arena, buf_slice(&out));
		if (!slice_eq(back, slice_str(texts[i])))
			fail_msg("%s: %s", texts[i], buf_cstr(&out));
		buf_free(&out);
	}
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_hostile_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
