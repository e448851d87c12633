/*
 * Canonical bodies: fed in pieces, in one, and by a plain reading of RFC 6376
 * 3.4.3 and 3.4.4 over the whole text. The first octets are the form, the
 * piece's length and l=.
 */
#include <stdlib.h>

#include "filters/dkim_canon.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void into_buf(void *arg, struct slice bytes)
{
	buf_add_slice(arg, bytes);
}

static uint64_t stream(struct slice text, enum dkim_canon canon, uint64_t limit, size_t piece,
	struct buf *out)
{
	struct dkim_body body;
	dkim_body_init(&body, canon, limit, into_buf, out);
	for (size_t at = 0; at < text.len; at += piece)
		dkim_body_add(&body, slice_sub(text, at, piece));
	dkim_body_end(&body);
	return body.total;
}

/* A line without its CRLF: white space at the end gone, runs of it one space. */
static void add_relaxed_line(struct buf *out, struct slice line)
{
	while (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t'))
		line.len--;
	for (size_t i = 0; i < line.len; i++) {
		bool white = line.data[i] == ' ' || line.data[i] == '\t';
		if (!white)
			buf_add_char(out, line.data[i]);
		else if (i == 0 || (line.data[i - 1] != ' ' && line.data[i - 1] != '\t'))
			buf_add_char(out, ' ');
	}
}

static void plainly(struct slice text, enum dkim_canon canon, struct buf *out)
{
	while (text.len > 0) {
		size_t crlf = slice_find(text, SLICE("\r\n"));
		struct slice line = crlf == SLICE_NPOS ? text : slice_head(text, crlf);
		text = crlf == SLICE_NPOS ? SLICE_EMPTY : slice_from(text, crlf + 2);
		if (canon == DKIM_RELAXED)
			add_relaxed_line(out, line);
		else
			buf_add_slice(out, line);
		buf_add_str(out, "\r\n");
	}
	while (out->len >= 4 && memcmp(out->data + out->len - 4, "\r\n\r\n", 4) == 0)
		out->len -= 2;
	if (out->len == 2 && memcmp(out->data, "\r\n", 2) == 0)
		out->len = 0;
	if (out->len == 0 && canon == DKIM_SIMPLE)
		buf_add_str(out, "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	enum dkim_canon canon = data[0] % 2 ? DKIM_RELAXED : DKIM_SIMPLE;
	struct slice text = slice_make(data + 3, size - 3);
	struct buf pieces = { 0 }, whole = { 0 }, plain = { 0 }, cut = { 0 };
	uint64_t total = stream(text, canon, UINT64_MAX, data[1] % 17 + 1, &pieces);
	stream(text, canon, UINT64_MAX, text.len + 1, &whole);
	plainly(text, canon, &plain);
	if (!slice_eq(buf_slice(&pieces), buf_slice(&whole)) || !slice_eq(buf_slice(&pieces), buf_slice(&plain)) ||
	    total != whole.len)
		abort();
	if (stream(text, canon, data[2], data[1] % 5 + 1, &cut) != total ||
	    !slice_eq(buf_slice(&cut), slice_head(buf_slice(&whole), data[2])))
		abort();
	buf_clear(&whole);
	dkim_canon_header(&whole, text, canon);
	dkim_canon_signature(&whole, text, canon);
	buf_free(&pieces);
	buf_free(&whole);
	buf_free(&plain);
	buf_free(&cut);
	return 0;
}
