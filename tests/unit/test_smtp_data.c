/*
 * Line endings and the end of data, against a model that takes the whole
 * input at once and is written for plainness, not for speed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "proxy/smtp_data.h"
#include "tests/lib/shared.h"

#define INPUT_MAX 3000
#define LONGEST 7
#define NEXT_COMMAND "MAIL FROM:<n>\r\n"

static const char alphabet[] = { '\r', '\n', '\0', '.', 'a' };

/* ---- the model */

struct model {
	bool ends;
	size_t taken;
	unsigned flags;
	char out[2 * INPUT_MAX];
	size_t len;
};

static bool is_at(const char *in, size_t len, size_t at, const char *what, size_t n)
{
	return at + n <= len && memcmp(in + at, what, n) == 0;
}

static bool behind_crlf(const char *in, size_t at)
{
	return at == 0 || (at >= 2 && in[at - 2] == '\r' && in[at - 1] == '\n');
}

static void model_end(struct model *m, const char *in, size_t len)
{
	m->ends = false;
	m->taken = len;
	for (size_t i = 0; i < len; i++)
		if (behind_crlf(in, i) && is_at(in, len, i, ".\r\n", 3)) {
			m->ends = true;
			m->taken = i + 3;
			return;
		}
}

/* in: the content, which the data's end or finish stands behind. */
static void model_content(struct model *m, const char *in, size_t len, bool dots)
{
	m->flags = 0;
	m->len = 0;
	for (size_t i = 0; i < len; i++) {
		if (is_at(in, len, i, "\r\n", 2)) {
			m->out[m->len++] = '\r';
			m->out[m->len++] = '\n';
			i++;
		} else if (in[i] == '\n') {
			m->flags |= SMTP_DATA_BARE_LF;
			m->out[m->len++] = '\r';
			m->out[m->len++] = '\n';
		} else if (in[i] == '.' && dots && behind_crlf(in, i)) {
			continue;
		} else {
			m->flags |= in[i] == '\r' ? SMTP_DATA_BARE_CR : in[i] == '\0' ? SMTP_DATA_NUL : 0;
			m->out[m->len++] = in[i];
		}
	}
	if (!dots && m->len > 0 && !is_at(m->out, m->len, m->len - 2, "\r\n", 2)) {
		m->out[m->len++] = '\r';
		m->out[m->len++] = '\n';
	}
}

/* ---- feeding */

enum cut { WHOLE, BYTES, THREES };

static char *room; /* INPUT_MAX octets, allocated */

static size_t feed(struct smtp_data *d, const char *in, size_t len, enum cut cut, struct buf *out, bool *end_r)
{
	size_t step = cut == WHOLE ? len : cut == BYTES ? 1 : 3, at = 0;
	*end_r = false;
	while (at < len && !*end_r) {
		size_t n = len - at < step ? len - at : step;
		char *piece = room + INPUT_MAX - n; /* so that reading over its end is seen */
		memcpy(piece, in + at, n);
		size_t took = smtp_data_feed(d, slice_make(piece, n), out, end_r);
		assert_true(*end_r || took == n);
		at += took;
	}
	return at;
}

static const char *show(const char *in, size_t len)
{
	static char text[4 * INPUT_MAX + 1];
	size_t n = 0;
	for (size_t i = 0; i < len; i++)
		n += (size_t)snprintf(text + n, 5, in[i] >= ' ' ? "%c" : "\\x%02x", in[i]);
	text[n] = '\0';
	return text;
}

/* ---- readers of what the emitter made */

static bool breaks(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

/* However lax a reader is about what ends a line (CRLF, LF, CR, with NULs in
 * between), it must find a line of one dot only at the very end. */
static void check_lax(struct slice wire)
{
	for (size_t i = 0; i < wire.len; i++) {
		if (wire.data[i] != '.' || (i > 0 && !breaks(wire.data[i - 1])))
			continue;
		if (i + 1 < wire.len && breaks(wire.data[i + 1]) && i + 3 != wire.len)
			fail_msg("a lax reader ends early: %s", show(wire.data, wire.len));
	}
}

/* By the letter of RFC 5321; gives the message back. */
static void check_strict(struct slice wire, struct slice message)
{
	struct model m;
	model_end(&m, wire.data, wire.len);
	assert_true(m.ends);
	assert_int_equal(m.taken, wire.len);
	model_content(&m, wire.data, wire.len - 3, true);
	assert_int_equal(m.flags, 0);
	if (!slice_eq(slice_make(m.out, m.len), message))
		fail_msg("read back otherwise: %s", show(wire.data, wire.len));
}

static void check_wire(struct slice message)
{
	struct buf whole = { 0 }, bytes = { 0 };
	struct smtp_stuff s;
	smtp_stuff_init(&s);
	assert_true(smtp_stuff_feed(&s, message, &whole));
	assert_true(smtp_stuff_end(&s, &whole));
	smtp_stuff_init(&s);
	for (size_t i = 0; i < message.len; i++)
		assert_true(smtp_stuff_feed(&s, slice_sub(message, i, 1), &bytes));
	assert_true(smtp_stuff_end(&s, &bytes));
	assert_true(slice_eq(buf_slice(&whole), buf_slice(&bytes)));
	check_lax(buf_slice(&whole));
	check_strict(buf_slice(&whole), message);
	buf_free(&whole);
	buf_free(&bytes);
}

/* ---- one input, all ways */

#define MODEL_FLAGS (SMTP_DATA_BARE_LF | SMTP_DATA_BARE_CR | SMTP_DATA_NUL)

static void check_data(const char *in, size_t len, enum bare_lf policy, enum cut cut)
{
	struct smtp_data_limits limits = { .bare_lf = policy };
	struct smtp_data d;
	struct buf out = { 0 };
	struct model m;
	bool end;

	model_end(&m, in, len);
	size_t taken = m.taken;
	assert_true(m.ends);
	model_content(&m, in, taken - 3, true);
	smtp_data_init(&d, SMTP_DATA_DOT, &limits);
	size_t got = feed(&d, in, len, cut, &out, &end);
	if (!end || got != taken)
		fail_msg("ended at %zu, not %zu: %s", got, taken, show(in, len));
	if ((d.flags & MODEL_FLAGS) != m.flags)
		fail_msg("flags %x, not %x: %s", d.flags, m.flags, show(in, len));
	assert_int_equal(d.size, m.len);
	bool refused = (m.flags & (SMTP_DATA_BARE_CR | SMTP_DATA_NUL)) ||
		       (m.flags != 0 && policy == BARE_LF_REFUSE);
	assert_int_equal(refused, smtp_data_refusal(&d) != NULL);
	if (!refused) {
		if (!slice_eq(buf_slice(&out), slice_make(m.out, m.len)))
			fail_msg("put out \"%s\": %s", show(out.data, out.len), show(in, len));
		if (cut == WHOLE)
			check_wire(buf_slice(&out));
	}
	buf_free(&out);
}

static void check_chunks(const char *in, size_t len, enum cut cut)
{
	struct smtp_data_limits limits = { .bare_lf = BARE_LF_NORMALISE };
	struct smtp_data d;
	struct buf out = { 0 };
	struct model m;
	bool end;

	model_content(&m, in, len, false);
	smtp_data_init(&d, SMTP_DATA_CHUNKS, &limits);
	assert_int_equal(feed(&d, in, len, cut, &out, &end), len);
	assert_false(end);
	smtp_data_finish(&d, &out);
	if ((d.flags & MODEL_FLAGS) != m.flags)
		fail_msg("chunks: flags %x, not %x: %s", d.flags, m.flags, show(in, len));
	assert_int_equal(d.size, m.len);
	if (smtp_data_refusal(&d) == NULL) {
		if (!slice_eq(buf_slice(&out), slice_make(m.out, m.len)))
			fail_msg("chunks: put out \"%s\": %s", show(out.data, out.len), show(in, len));
		check_wire(buf_slice(&out));
	}
	buf_free(&out);
}

static size_t every_string(void (*check)(const char *, size_t, size_t), size_t index)
{
	size_t count = 0;
	for (size_t len = 0; len <= LONGEST; len++) {
		size_t of_len = 1;
		for (size_t i = 0; i < len; i++)
			of_len *= sizeof(alphabet);
		for (size_t n = 0; n < of_len; n++, count++) {
			char s[LONGEST];
			for (size_t i = 0, rest = n; i < len; i++, rest /= sizeof(alphabet))
				s[i] = alphabet[rest % sizeof(alphabet)];
			check(s, len, index);
		}
	}
	return count;
}

static const char *const before[] = { "", "b", "H: v\r\n\r\nb\r\n" };

static void check_embedded(const char *s, size_t len, size_t index)
{
	static const char tail[] = "\r\n.\r\n" NEXT_COMMAND;
	char in[64];
	size_t n = strlen(before[index]);
	memcpy(in, before[index], n);
	memcpy(in + n, s, len);
	memcpy(in + n + len, tail, sizeof(tail) - 1);
	for (enum bare_lf policy = BARE_LF_NORMALISE; policy <= BARE_LF_REFUSE; policy++)
		for (enum cut cut = WHOLE; cut <= THREES; cut++)
			check_data(in, n + len + sizeof(tail) - 1, policy, cut);
	for (enum cut cut = WHOLE; cut <= THREES; cut++)
		check_chunks(in, n + len, cut);
}

static void test_every_string(void **state)
{
	(void)state;
	size_t count = 0;
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
		count += every_string(check_embedded, i);
	printf("# count: %zu strings, 9 ways each\n", count);
	assert_int_equal(count, 3 * 97656);
}

/* Any bytes at all into the emitter: it takes canonical ones only. */
static void check_emitter(const char *s, size_t len, size_t index)
{
	(void)index;
	struct model m;
	struct smtp_stuff st;
	struct buf out = { 0 };
	model_content(&m, s, len, false);
	smtp_stuff_init(&st);
	bool taken = smtp_stuff_feed(&st, slice_make(s, len), &out) && smtp_stuff_end(&st, &out);
	assert_int_equal(taken, m.flags == 0);
	out.len = 0;
	smtp_stuff_init(&st);
	bool bytewise = true;
	for (size_t i = 0; i < len; i++)
		bytewise = smtp_stuff_feed(&st, slice_make(s + i, 1), &out) && bytewise;
	assert_int_equal(smtp_stuff_end(&st, &out) && bytewise, m.flags == 0);
	buf_free(&out);
}

static void test_emitter_refuses(void **state)
{
	(void)state;
	every_string(check_emitter, 0);
}

/* ---- the known sequences */

static size_t unhex(struct slice hex, char *out)
{
	for (size_t i = 0; i + 1 < hex.len; i += 2)
		out[i / 2] = (char)(ascii_hex(hex.data[i]) * 16 + ascii_hex(hex.data[i + 1]));
	return hex.len / 2;
}

static bool next_value(struct slice *rest, const char *key, struct slice *value_r)
{
	size_t at = slice_find(*rest, slice_str(key));
	if (at == SLICE_NPOS)
		return false;
	*rest = slice_from(*rest, at + strlen(key));
	size_t end = 0;
	while (end < rest->len && ascii_is_alnum(rest->data[end]))
		end++;
	*value_r = slice_head(*rest, end);
	return true;
}

static void check_sequence(const char *s, size_t len, bool really_ends)
{
	static const char head[] = "Subject: x\r\n\r\nbody";
	static const char tail[] = "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nSubject: y\r\n\r\ntwo\r\n.\r\n";
	char in[INPUT_MAX];
	size_t n = sizeof(head) - 1;
	memcpy(in, head, n);
	memcpy(in + n, s, len);
	memcpy(in + n + len, tail, sizeof(tail) - 1);
	size_t all = n + len + sizeof(tail) - 1;
	struct model m;
	model_end(&m, in, all);
	assert_int_equal(really_ends, m.taken < all);
	for (enum bare_lf policy = BARE_LF_NORMALISE; policy <= BARE_LF_REFUSE; policy++)
		for (enum cut cut = WHOLE; cut <= THREES; cut++)
			check_data(in, all, policy, cut);
}

static void test_known_sequences(void **state)
{
	(void)state;
	struct arena *arena = arena_create();
	struct slice rest = shared_file(arena, "smtp/derived/bad_end_of_data.json"), hex, ends;
	size_t count = 0;
	if (rest.data == NULL) {
		arena_destroy(&arena);
		skip();
	}
	while (next_value(&rest, "\"hex\": \"", &hex) &&
	       next_value(&rest, "\"contains_valid_crlf_dot_crlf\": ", &ends)) {
		char s[64];
		assert_true(hex.len < sizeof(s));
		check_sequence(s, unhex(hex, s), slice_eq(ends, SLICE("true")));
		count++;
	}
	printf("# count: %zu known sequences\n", count);
	assert_true(count >= 20);
	arena_destroy(&arena);
}

/* ---- what else is reported */

static unsigned flags_of(struct slice in, struct smtp_data_limits limits, enum cut cut, size_t *kept_r)
{
	struct smtp_data d;
	struct buf out = { 0 };
	bool end;
	smtp_data_init(&d, SMTP_DATA_DOT, &limits);
	assert_int_equal(feed(&d, in.data, in.len, cut, &out, &end), in.len);
	assert_true(end);
	*kept_r = out.len;
	buf_free(&out);
	return d.flags;
}

static void test_flags(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		size_t fill; /* so many 'x' stand for each '@' */
		struct smtp_data_limits limits;
		unsigned flags;
	} table[] = {
		{ "S: a\r\n\r\nb\r\n.\r\n", 0, { 0 }, 0 },
		{ "S: \xc3\xa4\r\n\r\nb\r\n.\r\n", 0, { 0 }, SMTP_DATA_8BIT_HEADER },
		{ "S: a\r\n\r\n\xc3\xa4\r\n.\r\n", 0, { 0 }, SMTP_DATA_8BIT_BODY },
		{ "S: a\n\n\xc3\xa4\r\n.\r\n", 0, { 0 }, SMTP_DATA_8BIT_BODY | SMTP_DATA_BARE_LF },
		{ "\r\n\xff\r\n.\r\n", 0, { 0 }, SMTP_DATA_8BIT_BODY },
		{ "a\r\n.\n\xff\r\n.\r\n", 0, { 0 }, SMTP_DATA_8BIT_BODY | SMTP_DATA_BARE_LF },
		{ "@\r\n.\r\n", 998, { 0 }, 0 },
		{ "@\r\n.\r\n", 999, { 0 }, SMTP_DATA_LONG_LINE },
		{ ".@\r\n.\r\n", 998, { 0 }, 0 },
		{ "a\n.@\r\n.\r\n", 998, { 0 }, SMTP_DATA_LONG_LINE | SMTP_DATA_BARE_LF },
		{ "@@\r\n@\n@\r\n.\r\n", 499, { 0 }, SMTP_DATA_BARE_LF },
		{ "@\r\n.\r\n", 2000, { .line = 2000 }, SMTP_DATA_LONG_LINE },
		{ "@\r\n.\r\n", 2001, { .line = 2000 }, SMTP_DATA_LONG_LINE | SMTP_DATA_HUGE_LINE },
		{ "@\r\n.\r\n", 98, { .size = 100 }, 0 },
		{ "@\r\n.\r\n", 99, { .size = 100 }, SMTP_DATA_TOO_BIG },
		{ "a\n.\r\n.\r\n", 0, { .bare_lf = BARE_LF_REFUSE },
		  SMTP_DATA_BARE_LF | SMTP_DATA_BARE_LF_REFUSED },
		{ ".\r\n", 0, { 0 }, 0 },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct buf in = { 0 };
		for (const char *p = table[i].in; *p; p++)
			for (size_t n = *p == '@' ? table[i].fill : 1; n > 0; n--)
				buf_add_char(&in, *p == '@' ? 'x' : *p);
		for (enum cut cut = WHOLE; cut <= THREES; cut++) {
			size_t kept;
			unsigned got = flags_of(buf_slice(&in), table[i].limits, cut, &kept);
			if (got != table[i].flags)
				fail_msg("row %zu: flags %x, not %x", i, got, table[i].flags);
			if (table[i].limits.size > 0)
				assert_true(kept <= table[i].limits.size);
		}
		buf_free(&in);
	}
}

/* Nothing more is kept once the message is to be refused. */
static void test_refused_keeps_nothing(void **state)
{
	(void)state;
	static const char *const bad[] = { "\r", "x\ry" };
	struct smtp_data_limits limits = { 0 };
	for (size_t i = 0; i < 2; i++) {
		struct smtp_data d;
		struct buf out = { 0 };
		bool end;
		smtp_data_init(&d, SMTP_DATA_DOT, &limits);
		smtp_data_feed(&d, slice_str(bad[i]), &out, &end);
		smtp_data_feed(&d, SLICE("text\r\n"), &out, &end);
		size_t kept = out.len;
		for (int n = 0; n < 1000; n++)
			smtp_data_feed(&d, SLICE("more text\r\n"), &out, &end);
		assert_int_equal(out.len, kept);
		smtp_data_feed(&d, SLICE(".\r\n"), &out, &end);
		assert_true(end);
		assert_int_equal(smtp_data_refusal(&d)->code, 550);
		assert_string_equal(smtp_data_refusal(&d)->enhanced, "5.6.0");
		buf_free(&out);
	}
}

static void test_binary(void **state)
{
	(void)state;
	static const char in[] = "a\r\n.\r\n\n\0\r\r.\n";
	struct smtp_data_limits limits = { .bare_lf = BARE_LF_REFUSE, .size = 20 };
	struct smtp_data d;
	struct buf out = { 0 };
	bool end;
	smtp_data_init(&d, SMTP_DATA_BINARY, &limits);
	assert_int_equal(feed(&d, in, sizeof(in), THREES, &out, &end), sizeof(in));
	smtp_data_finish(&d, &out);
	assert_false(end);
	assert_true(slice_eq(buf_slice(&out), slice_make(in, sizeof(in))));
	assert_null(smtp_data_refusal(&d));
	feed(&d, in, sizeof(in), WHOLE, &out, &end);
	assert_int_equal(smtp_data_refusal(&d)->code, 552);
	buf_free(&out);
}

/* A long hostile input in small pieces takes time in proportion to its length. */
static void test_speed(void **state)
{
	(void)state;
	struct buf in = { 0 }, out = { 0 };
	static const char line[] = "Ordinary mail has lines of some seventy octets, now and then a dot.\r\n";
	while (in.len < 1 << 20)
		buf_add(&in, line, sizeof(line) - 1);
	struct smtp_data_limits limits = { 0 };
	struct smtp_data d;
	bool end;
	clock_t start = clock();
	uint64_t bytes = 0;
	for (int n = 0; n < 64; n++) {
		smtp_data_init(&d, SMTP_DATA_DOT, &limits);
		for (size_t at = 0; at < in.len; at += 65536) {
			out.len = 0;
			smtp_data_feed(&d, slice_sub(buf_slice(&in), at, 65536), &out, &end);
		}
		bytes += in.len;
	}
	double mb = (double)bytes / 1e6, s = (double)(clock() - start + 1) / CLOCKS_PER_SEC;
	printf("# count: %.0f MB/s taken in\n", mb / s);
	start = clock();
	for (int n = 0; n < 64; n++) {
		struct smtp_stuff st;
		smtp_stuff_init(&st);
		for (size_t at = 0; at < in.len; at += 65536) {
			out.len = 0;
			smtp_stuff_feed(&st, slice_sub(buf_slice(&in), at, 65536), &out);
		}
	}
	s = (double)(clock() - start + 1) / CLOCKS_PER_SEC;
	printf("# count: %.0f MB/s put out\n", mb / s);
	buf_free(&in);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_string),
		cmocka_unit_test(test_emitter_refuses),
		cmocka_unit_test(test_known_sequences),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_refused_keeps_nothing),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_speed),
	};
	room = xmalloc(INPUT_MAX);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(room);
	return failed;
}
