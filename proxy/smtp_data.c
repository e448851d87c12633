#include "proxy/smtp_data.h"

enum {
	AT_START,  /* behind CRLF, or where the data begin */
	IN_TEXT,   /* in a line; or behind a bare LF, where a dot means nothing */
	BEHIND_CR, /* a CR is held back */
	BEHIND_DOT, /* the dot that opens a line is held back */
	BEHIND_DOT_CR,
	AT_END,
	BROKEN,    /* emitter: was given what isn't canonical */
};

static const struct slice crlf = { "\r\n", 2 };

void smtp_data_init(struct smtp_data *d, enum smtp_data_mode mode, const struct smtp_data_limits *limits)
{
	*d = (struct smtp_data){
		.limits = *limits, .mode = mode, .state = AT_START, .in_header = true,
	};
}

static bool has_8bit(const char *p, size_t len)
{
	uint64_t w[4], seen = 0;
	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(w, p, sizeof(w));
		seen |= w[0] | w[1] | w[2] | w[3];
	}
	for (; len > 0; p++, len--)
		seen |= (unsigned char)*p;
	return (seen & 0x8080808080808080u) != 0;
}

static void count_size(struct smtp_data *d, size_t more)
{
	d->size += more;
	if (d->limits.size > 0 && d->size > d->limits.size)
		d->flags |= SMTP_DATA_TOO_BIG;
}

/* Puts out bytes in which every CR and LF is right. */
static void put(struct smtp_data *d, struct buf *out, struct slice run)
{
	unsigned eight = d->in_header ? SMTP_DATA_8BIT_HEADER : SMTP_DATA_8BIT_BODY;
	if (run.len == 0)
		return;
	if (!(d->flags & eight) && has_8bit(run.data, run.len))
		d->flags |= eight;
	if (d->mode != SMTP_DATA_BINARY && memchr(run.data, '\0', run.len) != NULL)
		d->flags |= SMTP_DATA_NUL;
	count_size(d, run.len);
	if (!(d->flags & SMTP_DATA_REFUSED))
		buf_add_slice(out, run);
}

static void count_line(struct smtp_data *d, size_t more)
{
	d->line_len += more;
	if (d->line_len <= SMTP_TEXT_LINE_MAX)
		return;
	d->flags |= SMTP_DATA_LONG_LINE;
	if (d->limits.line > 0 && d->line_len > d->limits.line)
		d->flags |= SMTP_DATA_HUGE_LINE;
}

/* A line is over. Behind a blank one the body begins: what waits, in[*run..at),
 * still belongs to the header section. */
static void end_line(struct smtp_data *d, struct slice in, size_t *run, size_t at, struct buf *out)
{
	if (d->in_header && d->line_len == 0) {
		put(d, out, slice_sub(in, *run, at - *run));
		*run = at;
		d->in_header = false;
	}
	d->line_len = 0;
}

static void bare_lf(struct smtp_data *d)
{
	d->flags |= SMTP_DATA_BARE_LF;
	if (d->limits.bare_lf == BARE_LF_REFUSE)
		d->flags |= SMTP_DATA_BARE_LF_REFUSED;
}

/*
 * One line, or what there is of it, from at on. Bytes to put out as they are
 * begin at *run. Returns where the next line begins.
 */
static size_t take_text(struct smtp_data *d, struct slice in, size_t at, size_t *run, struct buf *out)
{
	const char *p = in.data + at;
	const char *lf = memchr(p, '\n', in.len - at);
	size_t len = lf ? (size_t)(lf - p) : in.len - at;
	bool ends_cr = len > 0 && p[len - 1] == '\r';
	size_t text = len - ends_cr;
	size_t next = at + len + (lf != NULL);

	if (memchr(p, '\r', text) != NULL)
		d->flags |= SMTP_DATA_BARE_CR;
	count_line(d, text);
	if (lf != NULL && ends_cr) {
		d->state = AT_START;
		end_line(d, in, run, next, out);
	} else if (lf != NULL) {
		bare_lf(d);
		put(d, out, slice_sub(in, *run, at + text - *run));
		put(d, out, crlf);
		*run = next;
		end_line(d, in, run, next, out);
		d->state = IN_TEXT;
	} else {
		put(d, out, slice_sub(in, *run, at + text - *run));
		*run = next;
		d->state = ends_cr ? BEHIND_CR : IN_TEXT;
	}
	return next;
}

/* A CR that was held back is text after all. */
static void bare_cr(struct smtp_data *d)
{
	d->flags |= SMTP_DATA_BARE_CR;
	count_size(d, 1);
	count_line(d, 1);
	d->state = IN_TEXT;
}

/* The octet behind a CR that was held back. Returns how many were taken. */
static size_t take_behind_cr(struct smtp_data *d, struct slice in, size_t at, size_t *run, struct buf *out)
{
	if (in.data[at] != '\n') {
		bare_cr(d);
		return 0;
	}
	put(d, out, crlf);
	*run = at + 1;
	end_line(d, in, run, at + 1, out);
	d->state = AT_START;
	return 1;
}

/* One step of a line that began with a dot: is it the end, or was the dot a
 * stuffed one? */
static size_t take_behind_dot(struct smtp_data *d, char c)
{
	if (d->state == BEHIND_DOT) {
		d->state = c == '\r' ? BEHIND_DOT_CR : IN_TEXT;
		return c == '\r';
	}
	if (c == '\n') {
		d->state = AT_END;
		return 1;
	}
	bare_cr(d);
	return 0;
}

size_t smtp_data_feed(struct smtp_data *d, struct slice in, struct buf *out, bool *end_r)
{
	size_t at = 0, run = 0;
	*end_r = false;
	if (d->mode == SMTP_DATA_BINARY) {
		put(d, out, in);
		return in.len;
	}
	while (at < in.len && d->state != AT_END) {
		switch (d->state) {
		case BEHIND_CR:
			at += take_behind_cr(d, in, at, &run, out);
			break;
		case BEHIND_DOT:
		case BEHIND_DOT_CR:
			at += take_behind_dot(d, in.data[at]);
			run = at;
			break;
		case AT_START:
			if (d->mode == SMTP_DATA_DOT && in.data[at] == '.') {
				put(d, out, slice_sub(in, run, at - run));
				run = ++at;
				d->state = BEHIND_DOT;
				break;
			}
			/* fall through */
		default:
			at = take_text(d, in, at, &run, out);
		}
	}
	put(d, out, slice_sub(in, run, at - run));
	*end_r = d->state == AT_END;
	return at;
}

void smtp_data_finish(struct smtp_data *d, struct buf *out)
{
	if (d->mode != SMTP_DATA_CHUNKS)
		return;
	if (d->state == BEHIND_CR)
		bare_cr(d);
	if (d->line_len > 0)
		put(d, out, crlf);
	d->state = AT_END;
}

#define TEXT(s) { s, sizeof(s) - 1 }

static const struct {
	unsigned flag;
	struct refusal refusal;
} refusals[] = {
	{ SMTP_DATA_NUL, { 550, "5.6.0", TEXT("Message holds a NUL octet") } },
	{ SMTP_DATA_BARE_CR, { 550, "5.6.0", TEXT("Message holds a CR without LF") } },
	{ SMTP_DATA_BARE_LF_REFUSED, { 550, "5.6.0", TEXT("Message holds a LF without CR") } },
	{ SMTP_DATA_HUGE_LINE, { 550, "5.6.0", TEXT("Message has too long a line") } },
	{ SMTP_DATA_TOO_BIG, { 552, "5.3.4", TEXT("Message is too big") } },
};

const struct refusal *smtp_data_refusal(const struct smtp_data *d)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (d->flags & refusals[i].flag)
			return &refusals[i].refusal;
	return NULL;
}

void smtp_stuff_init(struct smtp_stuff *s)
{
	s->state = AT_START;
}

/* One line, or what there is of it; returns its length with its ending, or 0
 * if it isn't canonical. */
static size_t check_line(struct smtp_stuff *s, const char *p, size_t left)
{
	const char *lf = memchr(p, '\n', left);
	size_t len = lf ? (size_t)(lf - p) : left;
	bool ends_cr = len > 0 && p[len - 1] == '\r';
	bool bad = memchr(p, '\r', len - ends_cr) != NULL;

	if (s->state == BEHIND_CR)
		bad = len > 0 || lf == NULL;
	else if (lf != NULL)
		bad = bad || !ends_cr;
	s->state = bad ? BROKEN : lf ? AT_START : ends_cr ? BEHIND_CR : IN_TEXT;
	return len + (lf != NULL);
}

bool smtp_stuff_feed(struct smtp_stuff *s, struct slice in, struct buf *out)
{
	size_t mark = out->len, run = 0, at = 0;
	if (in.len > 0 && memchr(in.data, '\0', in.len) != NULL)
		s->state = BROKEN;
	while (at < in.len && s->state != BROKEN) {
		if (s->state == AT_START && in.data[at] == '.') {
			buf_add_slice(out, slice_sub(in, run, at - run));
			buf_add_char(out, '.');
			run = at;
		}
		at += check_line(s, in.data + at, in.len - at);
	}
	if (s->state == BROKEN) {
		out->len = mark;
		return false;
	}
	buf_add_slice(out, slice_sub(in, run, at - run));
	return true;
}

bool smtp_stuff_end(struct smtp_stuff *s, struct buf *out)
{
	if (s->state == BROKEN || s->state == BEHIND_CR)
		return false;
	if (s->state == IN_TEXT)
		buf_add_slice(out, crlf);
	buf_add_str(out, ".\r\n");
	s->state = AT_END;
	return true;
}
