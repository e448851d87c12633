/* A backend's replies, whole and octet by octet; what is passed on must be
 * one well-formed reply, and writing any text must be too. */
#include <stdlib.h>

#include "proxy/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static enum reply_status read_one(struct reply_parser *p, struct slice in, size_t step, size_t *at)
{
	enum reply_status status = REPLY_MORE;
	while (status == REPLY_MORE && *at < in.len) {
		size_t consumed;
		status = reply_parse(p, slice_sub(in, *at, step), &consumed);
		must(status == REPLY_NONSENSE || consumed > 0);
		*at += consumed;
	}
	return status;
}

/* One reply, nothing behind it, no line over 512 octets. */
static void check_written(const struct buf *b, unsigned code)
{
	static const struct reply_limits limits = { .line = REPLY_LINE_MAX, .lines = SIZE_MAX };
	struct reply_parser p;
	size_t at = 0;
	reply_parser_init(&p, &limits);
	must(read_one(&p, buf_slice(b), SIZE_MAX, &at) == REPLY_DONE);
	must(at == b->len && p.reply.code == code);
	reply_parser_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reply_limits limits = { .line = 100, .lines = 10 };
	struct slice in = slice_make(data, size);
	struct reply_parser a, b;
	struct buf out = { 0 };
	size_t at = 0, at_b = 0;
	reply_parser_init(&a, &limits);
	reply_parser_init(&b, &limits);
	for (;;) {
		enum reply_status status = read_one(&a, in, SIZE_MAX, &at);
		must(read_one(&b, in, 1, &at_b) == status);
		if (status != REPLY_DONE)
			break;
		must(at == at_b && slice_eq(a.reply.text, b.reply.text) && a.reply.lines == b.reply.lines);
		buf_clear(&out);
		reply_pass_on(&out, &a.reply);
		check_written(&out, a.reply.code);
	}
	buf_clear(&out);
	reply_format(&out, 550, "5.7.1", in);
	check_written(&out, 550);
	buf_free(&out);
	reply_parser_free(&a);
	reply_parser_free(&b);
	return 0;
}
