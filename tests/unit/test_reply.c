#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proxy/reply.h"

#define COUNT(t) (sizeof(t) / sizeof(*(t)))
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X500 X50 X50 X50 X50 X50 X50 X50 X50 X50 X50

static void check_enhanced(struct enhanced_code got, struct enhanced_code want)
{
	assert_int_equal(got.class, want.class);
	assert_int_equal(got.subject, want.subject);
	assert_int_equal(got.detail, want.detail);
}

static void test_enhanced(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		struct enhanced_code code;
		size_t len;
	} table[] = {
		{ "5.7.1 no", true, { 5, 7, 1 }, 6 },
		{ "2.0.0", true, { 2, 0, 0 }, 5 },
		{ "4.123.999   x", true, { 4, 123, 999 }, 12 },
		{ "5.7.1:", false, { 0 }, 0 },
		{ "3.0.0 x", false, { 0 }, 0 },
		{ "5.7 x", false, { 0 }, 0 },
		{ "5.7. x", false, { 0 }, 0 },
		{ "5..1 x", false, { 0 }, 0 },
		{ "5.1000.1", false, { 0 }, 0 },
		{ "5.1.1000", false, { 0 }, 0 },
		{ "55.1.1", false, { 0 }, 0 },
		{ "5.7.", false, { 0 }, 0 },
		{ "", false, { 0 }, 0 },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct enhanced_code c = { 0 };
		size_t len = 0;
		if (enhanced_code_parse(slice_str(table[i].text), &c, &len) != table[i].ok)
			fail_msg("%s", table[i].text);
		check_enhanced(c, table[i].code);
		assert_int_equal(len, table[i].len);
	}
}

static void test_format(void **state)
{
	(void)state;
	static const struct {
		unsigned code;
		const char *enhanced;
		struct slice text;
		const char *want;
	} table[] = {
		{ 250, "2.1.0", { "OK", 2 }, "250 2.1.0 OK\r\n" },
		{ 550, "5.7.1", { "no\nnever", 8 }, "550-5.7.1 no\r\n550 5.7.1 never\r\n" },
		{ 250, NULL, { "a\r\n\nb\n", 6 }, "250-a\r\n250-\r\n250 b\r\n" },
		{ 354, "3.0.0", { "Go ahead", 8 }, "354 Go ahead\r\n" },
		{ 250, "2.0.0", { "", 0 }, "250 2.0.0 OK\r\n" },
		{ 550, "5.0.0", { "\n\n", 2 }, "550 5.0.0 Refused\r\n" },
		{ 550, "5.7.1", { "a\r250 b", 7 }, "550 5.7.1 a?250 b\r\n" },
		{ 550, "5.7.1", { "a\tb\0c\x1b\x7f\xc3\xa4", 9 }, "550 5.7.1 a b?c????\r\n" },
		{ 550, "5.7.1", { X500 X50 " y", 552 }, "550-5.7.1 " X500 "\r\n550 5.7.1 " X50 " y\r\n" },
		{ 550, "5.7.1", { X50 " " X500, 551 }, "550-5.7.1 " X50 "\r\n550 5.7.1 " X500 "\r\n" },
		{ 250, NULL, { X500 "xxxxxx", 506 }, "250 " X500 "xxxxxx\r\n" },
		{ 250, NULL, { X500 "xxxxxx\ny", 508 }, "250-" X500 "xxxxxx\r\n250 y\r\n" },
		{ 250, NULL, { X500 "xxxxxxx", 507 }, "250-" X500 "xxxxxx\r\n250 x\r\n" },
	};
	for (size_t i = 0; i < COUNT(table); i++) {
		struct buf b = { 0 };
		reply_format(&b, table[i].code, table[i].enhanced, table[i].text);
		if (!slice_eq(buf_slice(&b), slice_str(table[i].want)))
			fail_msg("row %zu: %s", i, buf_cstr(&b));
		buf_free(&b);
	}
	struct buf b = { 0 };
	reply_printf(&b, 452, "4.5.3", "At most %d recipients", 100);
	assert_string_equal(buf_cstr(&b), "452 4.5.3 At most 100 recipients\r\n");
	buf_free(&b);
	assert_string_equal(reply_enhanced_default(250), "2.0.0");
	assert_string_equal(reply_enhanced_default(599), "5.0.0");
	assert_null(reply_enhanced_default(354));
	assert_null(reply_enhanced_default(600));
}

/* status of the first reply in text, fed step octets at a time. */
static enum reply_status feed(struct reply_parser *p, struct slice text, size_t step, size_t *taken_r)
{
	enum reply_status status = REPLY_MORE;
	*taken_r = 0;
	while (status == REPLY_MORE && *taken_r < text.len) {
		size_t consumed;
		status = reply_parse(p, slice_sub(text, *taken_r, step), &consumed);
		*taken_r += consumed;
	}
	return status;
}

static const struct {
	struct slice in;
	enum reply_status status;
	unsigned code;
	const char *text;
	size_t lines, behind;
	struct enhanced_code enhanced;
	const char *passed_on;
} replies[] = {
	{ { "250 OK\r\nX", 9 }, REPLY_DONE, 250, "OK", 1, 1, { 0 }, "250 2.0.0 OK\r\n" },
	{ { "250 2.1.5 OK\r\n", 14 }, REPLY_DONE, 250, "OK", 1, 0, { 2, 1, 5 }, "250 2.1.5 OK\r\n" },
	{ { "250\r\n", 5 }, REPLY_DONE, 250, "", 1, 0, { 0 }, "250 2.0.0 OK\r\n" },
	{ { "250 \r\n", 6 }, REPLY_DONE, 250, "", 1, 0, { 0 }, "250 2.0.0 OK\r\n" },
	{ { "250 OK\n", 7 }, REPLY_DONE, 250, "OK", 1, 0, { 0 }, "250 2.0.0 OK\r\n" },
	{ { "550-5.1.1 no\r\n550 5.1.1 such user\r\n", 35 }, REPLY_DONE, 550, "no\nsuch user", 2, 0, { 5, 1, 1 },
	  "550-5.1.1 no\r\n550 5.1.1 such user\r\n" },
	{ { "550-no\r\n550-\r\n550 never\r\n", 25 }, REPLY_DONE, 550, "no\n\nnever", 3, 0, { 0 },
	  "550-5.0.0 no\r\n550-5.0.0 \r\n550 5.0.0 never\r\n" },
	{ { "250 5.1.1 odd\r\n", 15 }, REPLY_DONE, 250, "5.1.1 odd", 1, 0, { 0 }, "250 2.0.0 5.1.1 odd\r\n" },
	{ { "354 Go\r\n", 8 }, REPLY_DONE, 354, "Go", 1, 0, { 0 }, "354 Go\r\n" },
	{ { "550 a\rb\0c\x01\r\n", 12 }, REPLY_DONE, 550, "a?b?c?", 1, 0, { 0 }, "550 5.0.0 a?b?c?\r\n" },
	{ { "550 \xc3\xa4\r\n", 8 }, REPLY_DONE, 550, "\xc3\xa4", 1, 0, { 0 }, "550 5.0.0 ??\r\n" },
	{ { "", 0 }, REPLY_MORE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250-x\r\n", 7 }, REPLY_MORE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250 OK\r", 7 }, REPLY_MORE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "\r\n", 2 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "25 OK\r\n", 7 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "2500 OK\r\n", 9 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250_OK\r\n", 8 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "100 x\r\n", 7 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "600 x\r\n", 7 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "HTTP/1.1 400\r\n", 14 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250-a\r\n550 b\r\n", 14 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250-a\r\nb\r\n", 10 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250 " X50 X50 "\r\n", 106 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250 " X50 X50, 104 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
	{ { "250-a\r\n250-b\r\n250-c\r\n250-d\r\n", 28 }, REPLY_NONSENSE, 0, NULL, 0, 0, { 0 }, NULL },
};

static void check_reply(size_t row, size_t step, struct reply_parser *p)
{
	size_t taken;
	enum reply_status status = feed(p, replies[row].in, step, &taken);
	if (status != replies[row].status)
		fail_msg("row %zu: %d %s", row, status, p->problem ? p->problem : "");
	assert_int_equal(p->problem != NULL, status == REPLY_NONSENSE);
	if (status != REPLY_DONE)
		return;
	assert_int_equal(p->reply.code, replies[row].code);
	assert_int_equal(p->reply.lines, replies[row].lines);
	assert_int_equal(replies[row].in.len - taken, replies[row].behind);
	check_enhanced(p->reply.enhanced, replies[row].enhanced);
	if (!slice_eq(p->reply.text, slice_str(replies[row].text)))
		fail_msg("row %zu: %.*s", row, SLICE_ARG(p->reply.text));
	struct buf b = { 0 };
	reply_pass_on(&b, &p->reply);
	assert_string_equal(buf_cstr(&b), replies[row].passed_on);
	buf_free(&b);
}

static void test_parse(void **state)
{
	(void)state;
	static const struct reply_limits limits = { .line = 80, .lines = 3 };
	static const size_t steps[] = { SIZE_MAX, 1, 3 };
	for (size_t s = 0; s < COUNT(steps); s++)
		for (size_t i = 0; i < COUNT(replies); i++) {
			struct reply_parser p;
			reply_parser_init(&p, &limits);
			check_reply(i, steps[s], &p);
			reply_parser_free(&p);
		}
}

/* One parser, one reply after the other, as on a connection. */
static void test_sequence(void **state)
{
	(void)state;
	struct reply_parser p;
	struct slice in = SLICE("220 hi\r\n250-a\r\n250 b\r\n354 go\r\nrubbish\r\n250 2.0.0 well\r\n");
	static const unsigned codes[] = { 220, 250, 354, 0, 250 };
	reply_parser_init(&p, NULL);
	for (size_t i = 0; i < COUNT(codes); i++) {
		size_t taken;
		enum reply_status status = feed(&p, in, SIZE_MAX, &taken);
		assert_int_equal(status, codes[i] ? REPLY_DONE : REPLY_NONSENSE);
		assert_int_equal(p.reply.code, codes[i]);
		in = slice_from(in, taken);
	}
	assert_int_equal(in.len, 0);
	assert_true(slice_eq(p.reply.text, SLICE("well")));
	reply_parser_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enhanced),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_sequence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
