#include "message/canonical.h"

#define LINE_MAX_OCTETS 998u

struct line {
	struct slice text;   /* without line end; may hold bare CRs */
	size_t next;
	bool crlf, ended;
};

static struct line next_line(struct slice file, size_t at)
{
	size_t lf = slice_chr(slice_from(file, at), '\n');
	struct line line = { .next = file.len, .ended = lf != SLICE_NPOS };
	line.text = slice_sub(file, at, lf);
	if (!line.ended)
		return line;
	line.next = at + lf + 1;
	/* Several CRs before the LF are what a text-mode copy made of CRLF. */
	while (line.text.len > 0 && line.text.data[line.text.len - 1] == '\r') {
		line.text.len--;
		line.crlf = true;
	}
	return line;
}

struct survey {
	size_t lf, crlf, cr;
	bool exact; /* every line ends in one CRLF, and none is lone */
};

static size_t count_cr(struct slice s)
{
	size_t n = 0;
	for (size_t at = slice_chr(s, '\r'); at != SLICE_NPOS; at = slice_chr(s, '\r')) {
		n++;
		s = slice_from(s, at + 1);
	}
	return n;
}

static struct survey take_survey(struct slice file, struct canonical *c)
{
	struct survey s = { .exact = true };
	for (size_t at = 0; at < file.len;) {
		struct line line = next_line(file, at);
		s.cr += count_cr(line.text);
		if (line.text.len > LINE_MAX_OCTETS)
			c->had_long_line = true;
		if (line.ended)
			*(line.crlf ? &s.crlf : &s.lf) += 1;
		if (line.next - at != line.text.len + 2)
			s.exact = false;
		at = line.next;
	}
	c->had_bare_lf = s.lf > 0 && s.crlf > 0;
	c->had_bare_cr = s.cr > 0;
	c->had_nul = slice_chr(file, '\0') != SLICE_NPOS;
	return s;
}

static size_t put_line(char *out, struct slice text, bool in_head)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '\r') {
			out[len++] = text.data[i];
		} else if (in_head) {
			out[len++] = ' ';
		} else {
			out[len++] = '\r';
			out[len++] = '\n';
		}
	}
	out[len++] = '\r';
	out[len++] = '\n';
	return len;
}

/* "From address date", and not a From field with white space before its colon. */
static bool begins_as_mbox(struct slice file)
{
	return slice_starts(file, SLICE("From ")) && !slice_starts(slice_trim_left(slice_from(file, 5)), SLICE(":"));
}

struct canonical message_canonical(struct arena *arena, struct slice file)
{
	struct canonical c = { .bytes = file };
	if (begins_as_mbox(file)) {
		struct line first = next_line(file, 0);
		c.mbox_from = first.text;
		c.bytes = file = slice_from(file, first.next);
	}
	struct survey s = take_survey(file, &c);
	if (s.exact && s.cr == 0)
		return c;
	char *out = arena_alloc(arena, file.len + s.lf + s.cr + 2);
	size_t len = 0;
	bool in_head = true;
	for (size_t at = 0; at < file.len;) {
		struct line line = next_line(file, at);
		if (line.text.len == 0)
			in_head = false;
		len += put_line(out + len, line.text, in_head);
		at = line.next;
	}
	c.bytes = slice_make(out, len);
	return c;
}
