#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "message/skeleton.h"

static const struct {
	const char *what, *in, *want;
} texts[] = {
	{ "ASCII keeps all but case", "Make $$$ fast: 100% FREE, I rn 0O1l!",
	  "make $$$ fast: 100% free, i rn 0o1l!" },
	{ "full width", "\xef\xbc\xa6\xef\xbd\x92\xef\xbd\x85\xef\xbd\x85", "free" },
	{ "mathematical letters", "\xf0\x9d\x97\x99\xf0\x9d\x97\xbf\xf0\x9d\x97\xb2\xf0\x9d\x97\xb2",
	  "free" },
	{ "Cyrillic within Latin", "P\xd0\xb0yp\xd0\xb0l", "paypal" },
	{ "Cyrillic for a whole word in Latin text",
	  "your \xd0\xb0\xd1\x81\xd1\x81ount at \xd1\x81\xd0\xbe\xd1\x81\xd0\xbe bank",
	  "your account at coco bank" },
	{ "Cyrillic stays Cyrillic",
	  "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd1\x81\xd0\xbe\xd1\x80 "
	  "\xd0\xbe\xd1\x81\xd0\xb0",
	  "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd1\x81\xd0\xbe\xd1\x80 "
	  "\xd0\xbe\xd1\x81\xd0\xb0" },
	{ "Latin within Cyrillic", "\xd0\xbap\xd0\xb5\xd0\xb4\xd0\xb8\xd1\x82",
	  "\xd0\xba\xd1\x80\xd0\xb5\xd0\xb4\xd0\xb8\xd1\x82" },
	{ "Greek within Latin", "B\xce\xbf\xce\xbfk", "book" },
	{ "zero width",
	  "V\xe2\x80\x8bi\xe2\x80\x8c"
	  "a\xef\xbb\xbfg\xc2\xadra",
	  "viagra" },
	{ "piled marks",
	  "v\xcc\xb7i\xcc\xb7"
	  "a\xcc\xb7gra",
	  "viagra" },
	{ "accents stay", "F\xc3\x9cR Caf\xc3\xa9 na\xc3\xafve", "f\xc3\xbcr caf\xc3\xa9 na\xc3\xafve" },
	{ "accents compose", "Cafe\xcc\x81", "caf\xc3\xa9" },
	{ "Arabic yeh and kaf as Persian", "\xd9\x83\xd9\x8a\xd9\x81", "\xda\xa9\xdb\x8c\xd9\x81" },
	{ "Arabic alef, vowel marks, tatweel", "\xd8\xa3\xd9\x8e\xd9\x80\xd8\xa8", "\xd8\xa7\xd8\xa8" },
	{ "Arabic is not made Latin", "\xd9\x87\xd8\xa7", "\xd9\x87\xd8\xa7" },
	{ "Arabic and Persian digits", "\xd9\xa1\xd9\xa2\xdb\xb3", "123" },
	{ "Devanagari digits", "\xe0\xa5\xa7", "1" },
	{ "Han, Hangul and kana stay", "\xe4\xbd\xa0\xe5\xa5\xbd \xed\x95\x9c\xea\xb5\xad \xe3\x81\x82",
	  "\xe4\xbd\xa0\xe5\xa5\xbd \xed\x95\x9c\xea\xb5\xad \xe3\x81\x82" },
	{ "ligature", "\xef\xac\x81nance", "finance" },
	{ "not UTF-8",
	  "a\xff"
	  "b",
	  "a\xef\xbf\xbd"
	  "b" },
	{ "empty", "", "" },
	{ "line ends stay", "A\r\nB\tC", "a\r\nb\tc" },
};

static void test_text(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	int bad = 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct slice got = skeleton_text(arena, slice_str(texts[i].in));
		if (!slice_eq(got, slice_str(texts[i].want))) {
			print_error("%s: got \"%.*s\", want \"%s\"\n", texts[i].what, SLICE_ARG(got),
				    texts[i].want);
			bad++;
		}
		if (!slice_eq(skeleton_text(arena, got), got)) {
			print_error("%s: not stable\n", texts[i].what);
			bad++;
		}
	}
	arena_destroy(&arena);
	assert_int_equal(bad, 0);
}

static const struct {
	const char *a, *b;
	bool alike;
} pairs[] = {
	{ "paypal.com", "p\xd0\xb0yp\xd0\xb0l.com", true },
	{ "paypal.com", "paypa1.com", true },
	{ "paypal.com", "paypai.com", true },
	{ "paypal.com", "PAYPAL.COM", true },
	{ "paypal.com", "payp\xc3\xa1l.com", true },
	{ "google.com", "g00gle.com", true },
	{ "modern.example", "rnodern.example", true },
	{ "wiki.example", "vviki.example", true },
	{ "apple.com", "\xd0\xb0\xd1\x80\xd1\x80\xd3\x8f\xd0\xb5.com", true },
	{ "\xc4\xb1stanbul.example", "istanbul.example", true },
	{ "example.org", "example.net", false },
	{ "example.org", "exmaple.org", false },
	{ "bank.example", "bunk.example", false },
};

static void test_confusable(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	int bad = 0;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct slice a = skeleton_confusable(arena, slice_str(pairs[i].a));
		struct slice b = skeleton_confusable(arena, slice_str(pairs[i].b));
		if (slice_eq(a, b) != pairs[i].alike) {
			print_error("%s, %s: \"%.*s\", \"%.*s\"\n", pairs[i].a, pairs[i].b, SLICE_ARG(a),
				    SLICE_ARG(b));
			bad++;
		}
	}
	arena_destroy(&arena);
	assert_int_equal(bad, 0);
}

static const struct {
	const char *what;
	struct slice in;
	unsigned signs;
} signs[] = {
	{ "plain", SLICE("John Doe"), 0 },
	{ "German", SLICE("J\xc3\xbcrgen Gro\xc3\x9f"), 0 },
	{ "Russian and English words", SLICE("\xd0\x98\xd0\xb2\xd0\xb0\xd0\xbd Petrov"), 0 },
	{ "Japanese", SLICE("\xe6\x9d\xb1\xe4\xba\xac\xe3\x82\xbf\xe3\x83\xaf\xe3\x83\xbc"), 0 },
	{ "Latin and Cyrillic in a word", SLICE("P\xd0\xb0ypal"), SKELETON_MIXED },
	{ "Latin and Greek in a word", SLICE("micr\xce\xbfsoft"), SKELETON_MIXED },
	{ "override",
	  SLICE("abc\xe2\x80\xae"
		"fdp.exe"),
	  SKELETON_BIDI },
	{ "isolate",
	  SLICE("\xe2\x81\xa7"
		"x\xe2\x81\xa9"),
	  SKELETON_BIDI },
	{ "right-to-left mark in Hebrew", SLICE("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\xe2\x80\x8f"), 0 },
	{ "zero-width non-joiner in Persian",
	  SLICE("\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\xd8\xa7\xd9\x87\xd9\x85"), 0 },
	{ "zero-width space in Latin", SLICE("pay\xe2\x80\x8bpal"), SKELETON_INVISIBLE },
	{ "two of them in Latin", SLICE("pay\xe2\x80\x8b\xe2\x80\x8bpal"), SKELETON_INVISIBLE },
	{ "zero-width space in Cyrillic", SLICE("\xd0\xa1\xd0\xb5\xe2\x80\x8b\xd1\x80\xd0\xb3"), SKELETON_INVISIBLE },
	{ "zero-width space in Arabic", SLICE("\xd8\xb9\xd9\x84\xe2\x80\x8b\xdb\x8c"), SKELETON_INVISIBLE },
	{ "between Latin and Cyrillic", SLICE("P\xe2\x80\x8b\xd0\xb0"), SKELETON_INVISIBLE },
	{ "zero-width space in Thai", SLICE("\xe0\xb8\x81\xe0\xb8\x81\xe2\x80\x8b\xe0\xb8\x82\xe0\xb8\x82"), 0 },
	{ "a mark at the end", SLICE("Ann\xe2\x80\x8e"), 0 },
	{ "NUL", SLICE("a\0b"), SKELETON_NUL | SKELETON_CONTROL },
	{ "escape", SLICE("\x1b[31m"), SKELETON_CONTROL },
	{ "newline", SLICE("a\nb"), SKELETON_NEWLINE },
	{ "tab", SLICE("a\tb"), 0 },
	{ "C1", SLICE("a\xc2\x85"), SKELETON_CONTROL },
	{ "first is an override", SLICE("\xe2\x80\xae"), SKELETON_BIDI },
	{ "emoji", SLICE("Sale \xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9"), 0 },
	{ "empty", SLICE(""), 0 },
};

static void test_signs(void **state)
{
	(void)state;
	int bad = 0;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		unsigned got = skeleton_signs(signs[i].in);
		if (got != signs[i].signs) {
			print_error("%s: got %x, want %x\n", signs[i].what, got, signs[i].signs);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

static const struct {
	const char *what, *in, *words;
} words[] = {
	{ "plain", "Pay Pal", "pay pal" },
	{ "signs", " Pay-Pal, Inc. ", "pay pal lnc" },
	{ "trade mark", "PayPal\xe2\x84\xa2", "paypal" },
	{ "emoji", "\xf0\x9f\x94\x92Pay\xe2\x9c\x85Pal\xef\xb8\x8f", "pay pal" },
	{ "circles", "\xe2\x93\x85\xe2\x93\x90\xe2\x93\xa8", "pay" },
	{ "filled squares", "\xf0\x9f\x85\xbf\xf0\x9f\x85\xb0\xf0\x9f\x86\x88", "pay" },
	{ "borrowed letters", "P\xd0\xb0yp\xd0\xb0l", "paypal" },
	{ "tatweel and Arabic kaf", "\xd8\xa8\xd9\x80\xd8\xa7\xd9\x86\xd9\x83", "\xd8\xa8\xd8\xa7\xd9\x86\xda\xa9" },
	{ "nothing", "\xe2\x9c\x85 -", "" },
};

static void test_words(void **state)
{
	(void)state;
	int bad = 0;
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct slice got = skeleton_words(arena, slice_str(words[i].in));
		struct slice want = skeleton_confusable(arena, slice_str(words[i].words));
		if (!slice_eq(got, want)) {
			print_error("%s: got \"%.*s\"\n", words[i].what, SLICE_ARG(got));
			bad++;
		}
	}
	arena_destroy(&arena);
	assert_int_equal(bad, 0);
}

static void test_domain(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice got = skeleton_domain(arena, SLICE("xn--pypal-4ve.com"));
	assert_true(slice_eq(got, SLICE("p\xd0\xb0ypal.com")));
	assert_true(slice_eq(skeleton_domain(arena, SLICE("example.org")), SLICE("example.org")));
	skeleton_domain(arena, SLICE("xn--\xff.xn--zzzzzzzzzzz"));
	arena_destroy(&arena);
}

/* A megabyte of the worst of each kind: time grows with the length. */
static void test_time(void **state)
{
	(void)state;
	static const char *const pieces[] = { "a\xcc\xb7", "\xd0\xb0", "\xe2\x80\x8b",
					      "\xff",	   "a",	       "\xef\xb7\xba" };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct arena *arena = arena_create();
		size_t len = strlen(pieces[i]), count = (1u << 20) / len;
		char *text = arena_alloc(arena, count * len);
		for (size_t n = 0; n < count; n++)
			memcpy(text + n * len, pieces[i], len);
		clock_t begin = clock();
		skeleton_text(arena, slice_make(text, count * len));
		skeleton_confusable(arena, slice_make(text, count * len));
		skeleton_signs(slice_make(text, count * len));
		double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
		if (seconds > 10)
			fail_msg("piece %zu: %.1f s", i, seconds);
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text), cmocka_unit_test(test_confusable), cmocka_unit_test(test_signs),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_domain), cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
