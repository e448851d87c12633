#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "message/canonical.h"
#include "message/mime.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct mime *parse(struct arena *arena, struct slice text, const struct mime_limits *limits)
{
	struct message *m = arena_new(arena, struct message);
	message_parse(m, arena, message_canonical(arena, text).bytes, 200000);
	return mime_parse(m, limits);
}

/* The tree as one line: "multipart/mixed(text/plain text/html)", other readings with a "?". */
static void print_part(struct buf *out, const struct mime *mime, size_t index)
{
	bool first = true;
	buf_add_slice(out, mime->parts[index].type);
	for (size_t i = index + 1; i < mime->count; i++) {
		if (mime->parts[i].parent != (int)index)
			continue;
		buf_add_str(out, first ? "(" : " ");
		if (mime->parts[i].alternative)
			buf_add_char(out, '?');
		print_part(out, mime, i);
		first = false;
	}
	if (!first)
		buf_add_char(out, ')');
}

struct tree_case {
	const char *name, *text, *tree;
	unsigned defects;
};

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

static const struct tree_case trees[] = {
	{ "plain", "Subject: x\n\nhello\n", "text/plain", 0 },
	{ "no body", "Subject: x\n", "text/plain", 0 },
	{ "empty", "", "text/plain", 0 },
	{ "two parts", MIXED "--b\n\none\n--b\nContent-Type: text/html\n\n<p>two\n--b--\n",
	  "multipart/mixed(text/plain text/html)",
	  0 },
	{ "preamble, epilogue", MIXED "pre\n--b\n\none\n--b--\npost\n", "multipart/mixed(text/plain)",
	  PART_PREAMBLE | PART_EPILOGUE },
	{ "unclosed", MIXED "--b\n\none\n", "multipart/mixed(text/plain)", PART_UNCLOSED },
	{ "space behind delimiters", MIXED "--b \t\n\none\n--b-- \n", "multipart/mixed(text/plain)", 0 },
	{ "longer boundary is another", MIXED "--b\n\none\n--bb\n\ntwo\n--b--\n", "multipart/mixed(text/plain)", 0 },
	{ "no boundary", "Content-Type: multipart/mixed\n\none\n", "text/plain", PART_NO_BOUNDARY },
	{ "boundary unseen", MIXED "one\n", "multipart/mixed(text/plain)", PART_BOUNDARY_UNSEEN | PART_NO_HEADERS },
	{ "no headers", MIXED "--b\none\n--b--\n", "multipart/mixed(text/plain)", PART_NO_HEADERS },
	{ "no blank line", MIXED "--b\nContent-Type: text/html\none\n--b--\n", "multipart/mixed(text/html)",
	  PART_NO_BLANK_LINE },
	{ "rubbish in the head", MIXED "--b\nrubbish\nContent-Type: text/html\n\none\n--b--\n",
	  "multipart/mixed(text/html)",
	  PART_BROKEN_HEADER },
	{ "part without a body", MIXED "--b\nContent-Type: text/html\n--b--\n", "multipart/mixed(text/html)", 0 },
	{ "empty parts", MIXED "--b\n--b\n--b--\n", "multipart/mixed(text/plain text/plain)", 0 },
	{ "nested", MIXED "--b\nContent-Type: multipart/alternative; boundary=c\n\n"
	  "--c\n\n1\n--c\n\n2\n--c--\n--b\n\n3\n--b--\n",
	  "multipart/mixed(multipart/alternative(text/plain text/plain) text/plain)", 0 },
	{ "outer delimiter ends inner", MIXED "--b\nContent-Type: multipart/mixed; boundary=c\n\n"
	  "--c\n\n1\n--b\n\n2\n--b--\n",
	  "multipart/mixed(multipart/mixed(text/plain) text/plain)", PART_UNCLOSED },
	{ "message", MIXED "--b\nContent-Type: message/rfc822\n\nSubject: y\n\ninner\n--b--\n",
	  "multipart/mixed(message/rfc822(text/plain))", 0 },
	{ "digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: y\n\ninner\n--b--\n",
	  "multipart/digest(message/rfc822(text/plain))", 0 },
	{ "message in base64", MIXED "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
	  "U3ViamVjdDogeQoKaW5uZXIK\n--b--\n", "multipart/mixed(message/rfc822(text/plain))", PART_BAD_ENCODING },
	{ "kinds of text", MIXED "--b\nContent-Type: text/enriched\n\n1\n"
	  "--b\nContent-Type: text/calendar\n\n2\n--b--\n",
	  "multipart/mixed(text/plain text/calendar)", 0 },
	{ "unreadable type", "Content-Type: nonsense\n\n1\n", "nonsense", PART_BAD_TYPE },
	{ "two types", "Content-Type: text/html\nContent-Type: text/plain\n\n1\n", "text/plain", PART_BAD_TYPE },
	{ "delimiter in the head", "Subject: x\nContent-Type: multipart/mixed; boundary=b\n"
	  "--b\nContent-Type: text/html\n\n1\n--b--\n",
	  "multipart/mixed(text/html)", PART_NO_BLANK_LINE | PART_BROKEN_HEADER },
	{ "structure without a type", "Subject: x\n\n--b\nContent-Type: text/html\n\n1\n--b--\n",
	  "text/plain(?text/html)",
	  PART_ODD_BOUNDARY },
	{ "uuencode", "Subject: x\n\nhi\nbegin 644 a.exe\n#0V%T\n`\nend\n",
	  "text/plain(?application/octet-stream)", 0 },
	{ "boundary in comment", "Content-Type: multipart/mixed; boundary=b (c)\n\n--b\n\n1\n--b--\n",
	  "multipart/mixed(text/plain)",
	  PART_ODD_PARAMETERS },
};

static void test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(trees); i++) {
		struct arena *arena = arena_create();
		struct buf out = { 0 };
		struct mime *mime = parse(arena, slice_str(trees[i].text), NULL);
		print_part(&out, mime, 0);
		if (!slice_eq(buf_slice(&out), slice_str(trees[i].tree)) || mime->defects != trees[i].defects)
			fail_msg("%s: %.*s, defects %x, want %x", trees[i].name, SLICE_ARG(buf_slice(&out)), mime->defects,
				 trees[i].defects);
		buf_free(&out);
		arena_destroy(&arena);
	}
}

static void test_part(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct mime *mime = parse(arena, SLICE(
		"Content-Type: multipart/related; boundary=\"b c\"\n\n"
		"--b c\n"
		"Content-Type: text/plain; charset=WINDOWS-1256\nContent-Transfer-Encoding: quoted-printable\n\n"
		"=D3=E1=C7=E3=\n \n"
		"--b c\n"
		"Content-Type: image/gif; name=\"a.gif\"\nContent-Disposition: Inline; filename*=utf-8''%D8%B3.gif\n"
		"Content-ID: <x@y>\nContent-Transfer-Encoding: base64\n\n"
		"R0lG\n"
		"--b c--\n"), NULL);
	assert_int_equal(mime->count, 3);
	struct part *text = &mime->parts[1], *image = &mime->parts[2];
	assert_true(slice_eq(text->charset, SLICE("windows-1256")));
	assert_true(slice_eq(part_text(mime, text), SLICE("سلام ")));
	assert_true(text->is_text && !text->is_html && !text->is_attachment);
	assert_true(slice_eq(slice_sub(mime->parts[0].raw, text->begin, 12), SLICE("Content-Type")));
	assert_true(slice_eq(image->name, SLICE("س.gif")));
	assert_int_equal(image->name_count, 2);
	assert_true(slice_eq(image->disposition, SLICE("inline")));
	assert_true(slice_eq(image->content_id, SLICE("x@y")));
	assert_true(slice_eq(part_bytes(mime, image), SLICE("GIF")));
	assert_true(image->is_attachment && !image->is_text);
	assert_non_null(part_header(image, SLICE("content-id"), 0));
	assert_null(part_header(image, SLICE("content-id"), 1));
	arena_destroy(&arena);
}

/* A file in a text that is itself encoded: it lies nowhere in the message; its name is made UTF-8. */
static void test_file_in_encoded_text(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct mime *mime = parse(arena, SLICE("Content-Transfer-Encoding: base64\n\naGkKYmVnaW4gNjQ0IGNhZukuZXhlCiMwViVUCmAKZW5kCg==\n"), NULL);
	assert_int_equal(mime->count, 2);
	struct part *file = &mime->parts[1];
	assert_true(file->alternative && file->is_attachment);
	assert_true(file->begin == SIZE_MAX && mime->parts[0].begin == 0);
	assert_true(slice_eq(file->name, SLICE("café.exe")));
	assert_true(slice_eq(part_bytes(mime, file), SLICE("Cat")));
	mime = parse(arena, SLICE("Content-Type: x/y; name=\"caf\xe9\"; name=b\n\nx\n"), NULL);
	for (size_t i = 0; i < mime->parts[0].name_count; i++)
		assert_true(utf8_valid(mime->parts[0].names[i]));
	arena_destroy(&arena);
}

static void test_limits(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct buf b = { 0 };
	buf_add_str(&b, MIXED);
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "--b\n\n%d\n", i);
	buf_add_str(&b, "--b--\n");
	struct mime *mime = parse(arena, buf_slice(&b), &(struct mime_limits){ .parts = 10 });
	assert_int_equal(mime->count, 10);
	assert_true(mime->defects & PART_TOO_MANY);
	assert_true(slice_find(mime->parts[9].body, SLICE("99")) != SLICE_NPOS);
	buf_clear(&b);
	for (int i = 0; i < 20; i++)
		buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
	mime = parse(arena, buf_slice(&b), &(struct mime_limits){ .depth = 5 });
	assert_int_equal(mime->max_depth, 5);
	assert_true(mime->defects & PART_TOO_DEEP);
	buf_free(&b);
	arena_destroy(&arena);
}

/* Mails made to exhaust; each must come apart in bounded time. */
struct hostile {
	const char *name, *head, *piece, *tail;
	size_t times;
};

static const struct hostile hostile[] = {
	{ "10,000 parts", MIXED, "--b\nContent-Type: text/plain; name=x\n\ntext\n", "--b--\n", 10000 },
	{ "25 MB, one part", MIXED "--b\n\n", "some text of a line, as long as lines are, about seventy octets, is it\n",
	  "--b--\n",
	  360000 },
	{ "a 5 MB line", MIXED "--b\n\n", "0123456789", "\n--b--\n", 500000 },
	{ "1,000 levels", "", "Content-Type: multipart/mixed; boundary=b\n\n--b\n", "", 1000 },
	{ "1,000 messages in messages", "", "Content-Type: message/rfc822\n\n", "\nhello\n", 1000 },
	{ "100,000 headers", "", "X-Header: some value\n", "\nhello\n", 100000 },
	{ "delimiters alone", MIXED, "--b\n", "", 1000000 },
	{ "dashes", MIXED, "--\n", "", 2000000 },
	{ "near delimiters", MIXED, "--bb\n--b-\n", "", 500000 },
	{ "false structure", "\n", "--x\nContent-Type: text/plain\n\n", "", 100000 },
	{ "uuencoded files", "\n", "begin 644 x\n#0V%T\nend\n", "", 100000 },
	{ "rubbish heads", MIXED, "--b\nrubbish\nrubbish\nrubbish\n", "", 100000 },
	{ "base64 that is none", MIXED "--b\nContent-Type: x/y\n\n", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\n", "",
	  200000 },
	{ "quoted boundary", "Content-Type: multipart/mixed; boundary=\"", "b;", "\"\n\n--b\n\nx\n", 4000 },
};

static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		const struct hostile *h = &hostile[i];
		struct arena *arena = arena_create();
		struct buf b = { 0 };
		buf_add_str(&b, h->head);
		for (size_t k = 0; k < h->times; k++)
			buf_add_str(&b, h->piece);
		buf_add_str(&b, h->tail);
		struct slice raw = message_canonical(arena, buf_slice(&b)).bytes;
		size_t before = arena_size(arena);
		struct message m = { 0 };
		clock_t start = clock();
		message_parse(&m, arena, raw, 200000);
		struct mime *mime = mime_parse(&m, &(struct mime_limits){ .parts = 10001, .depth = 1000 });
		for (size_t k = 0; k < mime->count; k++)
			if (mime->parts[k].is_text)
				part_text(mime, &mime->parts[k]);
		double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
		printf("# %s: %.1f MB, %zu parts, %.0f ms, %.1f MB taken\n", h->name, (double)raw.len / 1e6, mime->count,
			ms,
		       (double)(arena_size(arena) - before) / 1e6);
		assert_true(ms < 8000);
		assert_true(arena_size(arena) - before < 400u << 20);
		buf_free(&b);
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_file_in_encoded_text),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
