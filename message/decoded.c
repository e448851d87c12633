/*
 * Puts the texts of a mail together as SpamAssassin defines them: body from
 * the subject and the rendered parts, rawbody from the parts as decoded.
 */
#include "message/decoded.h"

#include "base/buf.h"
#include "message/attachment.h"

#include "message/charset.h"
#include "message/encoded_word.h"
#include "message/mime_gmime.h"
#include "message/skeleton.h"
#include "message/text_space.h"

#define DEFAULT_BODY_PART 50000u
#define DEFAULT_RAWBODY_PART 500000u
#define CUT_SLACK 1024u     /* a part is cut at a line end or space this far behind the limit */
#define PIECE_MAX 2048u     /* octets of a piece of body; rawbody pieces have up to twice that */

struct composer {
	struct message *message;
	struct decoded *decoded;
	struct decode_limits limits;
	size_t html_cap;
};

static struct arena *arena_of(struct composer *c)
{
	return c->message->arena;
}

/* Headers. */

struct slice message_header_text(struct message *m, const struct header *h)
{
	size_t index = (size_t)(h - m->headers);
	if (m->decoded == NULL || index >= m->header_count)
		return header_decode(m->arena, h->name, h->value);
	struct slice *kept = &m->decoded->headers[index];
	if (kept->data == NULL) {
		*kept = header_decode(m->arena, h->name, h->value);
		if (kept->data == NULL)
			*kept = SLICE("");
	}
	return *kept;
}

/* The last one counts, as with SpamAssassin. */
static struct slice subject_of(struct composer *c)
{
	struct message *m = c->message;
	for (size_t i = m->header_count; i > 0; i--)
		if (!m->headers[i - 1].broken && slice_eq_nocase(m->headers[i - 1].name, SLICE("Subject")))
			return message_header_text(m, &m->headers[i - 1]);
	return SLICE_EMPTY;
}

/* Pieces. */

static void add_piece(struct arena *arena, struct text *t, size_t *cap, struct slice piece)
{
	if (t->count == *cap) {
		size_t more_cap = *cap ? *cap * 2 : 16;
		struct slice *more = arena_array(arena, struct slice, more_cap);
		if (t->count > 0)
			memcpy(more, t->pieces, t->count * sizeof(*more));
		t->pieces = more;
		*cap = more_cap;
	}
	t->pieces[t->count++] = piece;
}

/* Lines, those that are too long cut behind a space if there is one. */
static struct text cut_lines(struct arena *arena, struct slice all)
{
	struct text t = { .all = all };
	size_t cap = 0;
	while (all.len > 0) {
		size_t lf = slice_chr(all, '\n');
		struct slice line = slice_head(all, lf == SLICE_NPOS ? all.len : lf + 1);
		while (line.len > PIECE_MAX) {
			size_t space = slice_rchr(slice_head(line, PIECE_MAX + 1), ' ');
			struct slice piece = slice_head(line, space == SLICE_NPOS ? PIECE_MAX : space + 1);
			add_piece(arena, &t, &cap, piece);
			line = slice_from(line, piece.len);
			all = slice_from(all, piece.len);
		}
		if (line.len > 0)
			add_piece(arena, &t, &cap, line);
		all = slice_from(all, line.len);
	}
	return t;
}

/* Where to cut s behind at least PIECE_MAX octets: behind a line end, a ">", a space. */
static size_t paragraph_len(struct slice s)
{
	static const char ends[] = { '\n', '>', ' ' };
	struct slice window = slice_sub(s, PIECE_MAX, PIECE_MAX);
	for (size_t i = 0; i < sizeof(ends); i++) {
		size_t at = slice_chr(window, ends[i]);
		if (at != SLICE_NPOS)
			return PIECE_MAX + at + 1;
	}
	return PIECE_MAX + 1;
}

static void cut_paragraphs(struct arena *arena, struct text *t, size_t *cap, struct slice part)
{
	while (part.len > 2 * PIECE_MAX) {
		size_t n = paragraph_len(part);
		add_piece(arena, t, cap, slice_head(part, n));
		part = slice_from(part, n);
	}
	if (part.len > 0)
		add_piece(arena, t, cap, part);
}

/* At most max octets, and somewhat more up to a good place; never inside a character. */
static struct slice cut_part(struct slice s, size_t max, const char *places, bool *cut)
{
	if (s.len <= max)
		return s;
	*cut = true;
	struct slice window = slice_sub(s, max, CUT_SLACK + 1);
	for (; *places != '\0'; places++) {
		size_t at = slice_chr(window, *places);
		if (at != SLICE_NPOS)
			return slice_head(s, max + at + 1);
	}
	while (max > 0 && ((unsigned char)s.data[max] & 0xc0) == 0x80)
		max--;
	return slice_head(s, max);
}

/* Body. */

static bool is_graphic(struct slice s, size_t i)
{
	return i < s.len && s.data[i] > ' ' && s.data[i] < 0x7f;
}

/* What stays as it is: words, and single spaces between them. */
static size_t plain_len(struct slice s)
{
	size_t i = 0;
	while (i < s.len) {
		if (is_graphic(s, i))
			i++;
		else if (s.data[i] == ' ' && is_graphic(s, i + 1))
			i += 2;
		else if (text_space_len(slice_from(s, i)) == 0)
			i++;
		else
			break;
	}
	return i;
}

/* Each run of white space is one space; where an empty line is in it, that is one line end, and what
 * stands before and after it one space each. */
static void add_normalised(struct buf *out, struct slice s)
{
	while (s.len > 0) {
		size_t i = plain_len(s), lines = 0, n;
		buf_add(out, s.data, i);
		s = slice_from(s, i);
		if (s.len == 0)
			return;
		for (i = 0; (n = text_space_len(slice_from(s, i))) > 0; i += n)
			lines += s.data[i] == '\n';
		struct slice run = slice_head(s, i);
		if (lines < 2 || run.data[0] != '\n')
			buf_add_char(out, ' ');
		if (lines > 1)
			buf_add_char(out, '\n');
		if (lines > 1 && run.data[run.len - 1] != '\n')
			buf_add_char(out, ' ');
		s = slice_from(s, i);
	}
}

static struct html *html_of(struct composer *c, struct part *part)
{
	if (part->html != NULL)
		return part->html;
	struct decoded *d = c->decoded;
	part->html = html_render(arena_of(c), part_text(d->mime, part), &c->limits.html);
	if (d->html_count == c->html_cap) {
		c->html_cap = c->html_cap ? c->html_cap * 2 : 4;
		struct html **more = arena_array(arena_of(c), struct html *, c->html_cap);
		if (d->html_count > 0)
			memcpy(more, d->html, d->html_count * sizeof(*more));
		d->html = more;
	}
	d->html[d->html_count++] = part->html;
	return part->html;
}

/* Is the part text of the mail, as it is shown? */
static bool is_body_part(const struct part *part)
{
	return part->is_text && part->children == 0 && !part->alternative;
}

struct bodies {
	struct buf all, visible, hidden;
};

/* An empty line between parts. */
static void add_body(struct composer *c, struct buf *out, struct slice s)
{
	if (out->len > 0)
		buf_add_char(out, '\n');
	buf_add_slice(out, cut_part(s, c->limits.body_part, "\n ", &c->decoded->cut));
}

static void collect_bodies(struct composer *c, struct bodies *b)
{
	struct mime *mime = c->decoded->mime;
	for (size_t i = 0; i < mime->count; i++) {
		struct part *part = &mime->parts[i];
		if (!is_body_part(part)) {
			/* An empty line as for a text, but nothing is shown. */
			bool leaf = part->children == 0 && !part->alternative;
			if (leaf && b->all.len > 0)
				buf_add_char(&b->all, '\n');
			if (leaf && b->visible.len > 0)
				buf_add_char(&b->visible, '\n');
			continue;
		}
		if (!part->is_html) {
			add_body(c, &b->all, part_text(mime, part));
			add_body(c, &b->visible, part_text(mime, part));
			continue;
		}
		struct html *html = html_of(c, part);
		add_body(c, &b->all, html->text);
		add_body(c, &b->visible, html->visible);
		if (html->hidden.len > 0)
			add_body(c, &b->hidden, html->hidden);
	}
}

static struct text finish_body(struct composer *c, struct buf *raw, const struct slice *subject)
{
	struct buf out = { 0 };
	if (subject != NULL) {
		buf_add_slice(&out, *subject);
		buf_add_char(&out, '\n');
	}
	add_normalised(&out, buf_slice(raw));
	struct text t = cut_lines(arena_of(c), arena_copy(arena_of(c), buf_slice(&out)));
	buf_free(&out);
	buf_free(raw);
	return t;
}

/* Without HTML all is visible: the body without its subject. */
static struct text behind_subject(const struct text *body, size_t subject_len)
{
	struct text t = { .all = slice_from(body->all, subject_len + 1), .pieces = body->pieces, .count = body->count };
	for (; t.count > 0 && t.pieces[0].data < t.all.data; t.count--)
		t.pieces++;
	return t;
}

static void make_bodies(struct composer *c)
{
	struct bodies b = { .all = { 0 } };
	struct slice subject = subject_of(c);
	collect_bodies(c, &b);
	c->decoded->body = finish_body(c, &b.all, &subject);
	if (c->decoded->html_count == 0)
		c->decoded->visible = behind_subject(&c->decoded->body, subject.len);
	else
		c->decoded->visible = finish_body(c, &b.visible, NULL);
	buf_free(&b.visible);
	c->decoded->hidden = finish_body(c, &b.hidden, NULL);
}

/* Rawbody. */

static bool is_rawbody_part(const struct part *part)
{
	if (part->children > 0 || part->alternative || slice_eq(part->type, SLICE("text/calendar")))
		return false;
	return part->is_html || slice_starts(part->type, SLICE("text/")) || slice_starts(part->type,
		SLICE("message/"));
}

static void add_lf(struct buf *out, struct slice s)
{
	while (s.len > 0) {
		size_t cr = slice_chr(s, '\r');
		bool end = cr != SLICE_NPOS && cr + 1 < s.len && s.data[cr + 1] == '\n';
		buf_add_slice(out, slice_head(s, cr == SLICE_NPOS || end ? cr : cr + 1));
		s = slice_from(s, cr == SLICE_NPOS ? s.len : cr + 1);
	}
}

static void make_rawbody(struct composer *c)
{
	struct mime *mime = c->decoded->mime;
	struct buf all = { 0 };
	size_t *ends = arena_array(arena_of(c), size_t, mime->count), parts = 0, cap = 0;
	for (size_t i = 0; i < mime->count; i++) {
		struct part *part = &mime->parts[i];
		if (!is_rawbody_part(part))
			continue;
		struct slice s = cut_part(part_bytes(mime, part), c->limits.rawbody_part, "\n> ", &c->decoded->cut);
		add_lf(&all, s);
		ends[parts++] = all.len;
	}
	struct text *t = &c->decoded->rawbody;
	t->all = arena_copy(arena_of(c), buf_slice(&all));
	buf_free(&all);
	for (size_t i = 0, begin = 0; i < parts; begin = ends[i++])
		cut_paragraphs(arena_of(c), t, &cap, slice_sub(t->all, begin, ends[i] - begin));
}

/* URIs. */

static void add_html_uris(struct composer *c, const struct html *html)
{
	struct uris *uris = &c->decoded->uris;
	for (size_t i = 0; i < html->link_count; i++) {
		const struct html_link *link = &html->links[i];
		struct slice anchor = link->anchor == SIZE_MAX ? SLICE_EMPTY : link->text;
		uris_from_html(uris, link->uri, link->tag, anchor, link->hidden);
		if (link->anchor != SIZE_MAX && !slice_eq(link->uri, link->written))
			uris_from_html(uris, link->written, link->tag, anchor, link->hidden);
	}
}

/* A bare address or name can't go over a line end, so that pieces can be looked at one by one. */
static void make_uris(struct composer *c)
{
	struct decoded *d = c->decoded;
	uris_init(&d->uris, arena_of(c), &c->limits.uri);
	/* All of it first; what also stands where the eye sees it is then not hidden. */
	for (size_t i = 0; i < d->body.count; i++)
		uris_from_text(&d->uris, d->body.pieces[i], d->hidden.count > 0);
	for (size_t i = 0; d->hidden.count > 0 && i < d->visible.count; i++)
		uris_from_text(&d->uris, d->visible.pieces[i], false);
	for (size_t i = 0; i < d->html_count; i++)
		add_html_uris(c, d->html[i]);
	const struct message *m = c->message;
	for (size_t i = 0; i < m->header_count; i++)
		if (slice_eq_nocase(m->headers[i].name, SLICE("DKIM-Signature")) ||
		    slice_eq_nocase(m->headers[i].name, SLICE("DomainKey-Signature")))
			uris_from_dkim(&d->uris, header_unfold(arena_of(c), m->headers[i].value));
	d->cut = d->cut || d->uris.cut;
}

static void fill_limits(struct decode_limits *limits)
{
	if (limits->body_part == 0)
		limits->body_part = DEFAULT_BODY_PART;
	if (limits->rawbody_part == 0)
		limits->rawbody_part = DEFAULT_RAWBODY_PART;
}

struct decoded *message_decode(struct message *m, const struct decode_limits *limits)
{
	if (m->decoded != NULL)
		return m->decoded;
	struct composer c = { .message = m, .decoded = arena_new(m->arena, struct decoded) };
	if (limits != NULL)
		c.limits = *limits;
	fill_limits(&c.limits);
	m->decoded = c.decoded;
	c.decoded->headers = arena_array(m->arena, struct slice, m->header_count);
	for (size_t i = 0; i < m->header_count; i++)
		message_header_text(m, &m->headers[i]);
	c.decoded->mime = mime_parse(m, &c.limits.mime);
	c.decoded->missing_blank_line = c.decoded->mime->parts[0].defects & PART_NO_BLANK_LINE ||
		m->body.data == NULL;
	make_bodies(&c);
	make_rawbody(&c);
	make_uris(&c);
	c.decoded->cut = c.decoded->cut || c.decoded->mime->defects & (PART_TOO_DEEP | PART_TOO_MANY);
	return c.decoded;
}

struct slice decoded_full(struct message *m)
{
	struct decoded *d = message_decode(m, NULL);
	if (d->full.data == NULL && m->raw.len > 0) {
		struct buf out = { 0 };
		add_lf(&out, m->raw);
		d->full = arena_copy(m->arena, buf_slice(&out));
		buf_free(&out);
	}
	return d->full;
}

void message_decode_preload(void)
{
	charset_preload();
	mime_gmime_start();
	attachment_preload();
	skeleton_preload();
}
