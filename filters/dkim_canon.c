#include "filters/dkim_canon.h"

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* The final line end may be a bare LF (message.h): it is hashed as CRLF. */
static struct slice without_line_end(struct slice field)
{
	if (slice_ends(field, SLICE("\n")))
		field.len--;
	if (slice_ends(field, SLICE("\r")))
		field.len--;
	return field;
}

/* 3.4.2: unfolded, runs of white space to one space, none at either end. */
static void add_relaxed_value(struct buf *out, struct slice value)
{
	bool space = false, begun = false;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.data[i];
		if (c == '\r' && i + 1 < value.len && value.data[i + 1] == '\n') {
			i++;
			continue;
		}
		if (is_wsp(c)) {
			space = begun;
			continue;
		}
		if (space)
			buf_add_char(out, ' ');
		buf_add_char(out, c);
		space = false;
		begun = true;
	}
}

static void add_field(struct buf *out, struct slice name, struct slice value, enum dkim_canon canon)
{
	if (canon == DKIM_SIMPLE) {
		buf_add_slice(out, name);
		buf_add_char(out, ':');
		buf_add_slice(out, value);
		return;
	}
	buf_add_lower(out, slice_trim_right(name));
	buf_add_char(out, ':');
	add_relaxed_value(out, value);
}

static void split_field(struct slice field, struct slice *name_r, struct slice *value_r)
{
	field = without_line_end(field);
	size_t colon = slice_chr(field, ':');
	*name_r = colon == SLICE_NPOS ? field : slice_head(field, colon);
	*value_r = colon == SLICE_NPOS ? SLICE_EMPTY : slice_from(field, colon + 1);
}

void dkim_canon_header(struct buf *out, struct slice field, enum dkim_canon canon)
{
	struct slice name, value;
	split_field(field, &name, &value);
	add_field(out, name, value, canon);
	buf_add(out, "\r\n", 2);
}

static bool is_b_tag(struct slice spec, size_t equals)
{
	return slice_eq(slice_trim(slice_head(spec, equals)), SLICE("b"));
}

/* The tag-list without what stands behind "b=". */
static struct buf without_b(struct slice value)
{
	struct buf out = { 0 };
	struct slice rest = slice_make(value.data ? value.data : "", value.len), spec;
	while (slice_split(&rest, ';', &spec)) {
		size_t equals = slice_chr(spec, '=');
		if (equals != SLICE_NPOS && is_b_tag(spec, equals))
			spec.len = equals + 1;
		buf_add_slice(&out, spec);
		if (rest.data != NULL)
			buf_add_char(&out, ';');
	}
	return out;
}

void dkim_canon_signature(struct buf *out, struct slice field, enum dkim_canon canon)
{
	struct slice name, value;
	split_field(field, &name, &value);
	struct buf cut = without_b(value);
	add_field(out, name, buf_slice(&cut), canon);
	buf_free(&cut);
}

void dkim_body_init(struct dkim_body *body, enum dkim_canon canon, uint64_t limit,
		    void (*sink)(void *arg, struct slice bytes), void *arg)
{
	*body = (struct dkim_body){ .canon = canon, .limit = limit, .sink = sink, .arg = arg };
}

static void emit(struct dkim_body *body, struct slice bytes)
{
	if (body->total < body->limit) {
		uint64_t room = body->limit - body->total;
		body->sink(body->arg, slice_head(bytes, room < bytes.len ? (size_t)room : bytes.len));
	}
	body->total += bytes.len;
}

static void emit_held(struct dkim_body *body)
{
	static const char lines[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
	while (body->line_ends > 0) {
		size_t n = body->line_ends < 8 ? (size_t)body->line_ends : 8;
		emit(body, slice_make(lines, 2 * n));
		body->line_ends -= n;
	}
	if (body->space)
		emit(body, SLICE(" "));
	body->space = false;
}

/* Length of the text at the front that goes out as it is. */
static size_t plain_run(struct slice s, enum dkim_canon canon)
{
	if (canon == DKIM_SIMPLE) {
		size_t cr = slice_chr(s, '\r');
		return cr == SLICE_NPOS ? s.len : cr;
	}
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c > ' ' || (c != '\r' && !is_wsp(c)))
			continue;
		/* one space between words stays what it is */
		bool inner = c == ' ' && i > 0 && i + 1 < s.len && s.data[i + 1] != '\r' && !is_wsp(s.data[i + 1]);
		if (!inner)
			return i;
	}
	return s.len;
}

static void take_cr(struct dkim_body *body, struct slice *chunk)
{
	body->cr = false;
	if (chunk->data[0] != '\n') {
		emit_held(body);
		emit(body, SLICE("\r"));
		return;
	}
	body->space = false; /* relaxed: white space at the line's end goes */
	body->line_ends++;
	*chunk = slice_from(*chunk, 1);
}

void dkim_body_add(struct dkim_body *body, struct slice chunk)
{
	while (chunk.len > 0) {
		if (body->cr) {
			take_cr(body, &chunk);
			continue;
		}
		size_t n = plain_run(chunk, body->canon);
		if (n > 0) {
			emit_held(body);
			emit(body, slice_head(chunk, n));
			chunk = slice_from(chunk, n);
			continue;
		}
		if (chunk.data[0] == '\r')
			body->cr = true;
		else
			body->space = true;
		chunk = slice_from(chunk, 1);
	}
}

/* A body that doesn't end in CRLF gets one; an empty one stays empty in
 * relaxed form and is one CRLF in simple form (3.4.3, 3.4.4). */
void dkim_body_end(struct dkim_body *body)
{
	if (body->cr) {
		emit_held(body);
		emit(body, SLICE("\r"));
		body->cr = false;
	}
	body->space = false;
	if (body->total > 0 || body->canon == DKIM_SIMPLE)
		emit(body, SLICE("\r\n"));
	body->line_ends = 0;
}
