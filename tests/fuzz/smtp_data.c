/* Data fed whole and in pieces must come out alike, and what comes out must
 * pass the emitter. The first octet chooses mode, policy and piece length. */
#include <stdlib.h>

#include "proxy/smtp_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static size_t run(struct smtp_data *d, struct slice in, size_t step, struct buf *out)
{
	bool end = false;
	size_t at = 0;
	while (at < in.len && !end)
		at += smtp_data_feed(d, slice_sub(in, at, step), out, &end);
	must(end || at == in.len);
	must(!end || d->mode == SMTP_DATA_DOT);
	smtp_data_finish(d, out);
	return at;
}

static void emit(struct slice message, size_t step)
{
	struct smtp_stuff s;
	struct smtp_data d;
	struct buf wire = { 0 }, back = { 0 };
	struct smtp_data_limits limits = { .bare_lf = BARE_LF_REFUSE };
	smtp_stuff_init(&s);
	for (size_t at = 0; at < message.len; at += step)
		must(smtp_stuff_feed(&s, slice_sub(message, at, step), &wire));
	bool whole = smtp_stuff_end(&s, &wire);
	smtp_data_init(&d, SMTP_DATA_DOT, &limits);
	must(!whole || run(&d, buf_slice(&wire), wire.len, &back) == wire.len);
	must(!whole || slice_starts(buf_slice(&back), message));
	must(!whole || smtp_data_refusal(&d) == NULL);
	buf_free(&wire);
	buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct smtp_data_limits limits = {
		.bare_lf = data[0] & 1 ? BARE_LF_REFUSE : BARE_LF_NORMALISE,
		.line = data[0] & 2 ? 40 : 0, .size = data[0] & 4 ? 200 : 0,
	};
	enum smtp_data_mode mode = (data[0] >> 3) % 3;
	size_t step = (size_t)(data[0] >> 5) + 1;
	struct slice in = slice_make(data + 1, size - 1);
	struct buf whole = { 0 }, pieces = { 0 };
	struct smtp_data a, b;
	smtp_data_init(&a, mode, &limits);
	smtp_data_init(&b, mode, &limits);
	must(run(&a, in, in.len, &whole) == run(&b, in, step, &pieces));
	must(a.flags == b.flags && a.size == b.size);
	if (smtp_data_refusal(&a) == NULL) {
		must(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
		must(whole.len == a.size);
		if (mode != SMTP_DATA_BINARY)
			emit(buf_slice(&whole), step);
	}
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
