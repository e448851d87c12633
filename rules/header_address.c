#include "rules/header_address.h"

#include "base/buf.h"

#define COMMENT_DEPTH 20u

struct scanner {
	struct slice s;
	size_t at;
	bool unclosed;           /* a quote had no end: no later one is looked for */
};

/* One mailbox while it is read. */
struct reading {
	struct buf plain;        /* all outside of <>, quotes undone */
	struct buf atoms;        /* the same, quotes kept: an address may stand there */
	struct buf comment;
	struct buf angle;
	bool has_angle, has_comment, any;
};

static bool more(const struct scanner *x)
{
	return x->at < x->s.len;
}

/* Past "(…)", nested; its text to out. */
static void read_comment(struct scanner *x, struct buf *out)
{
	unsigned depth = 0;
	do {
		char c = x->s.data[x->at++];
		if (c == '\\' && more(x))
			buf_add_char(out, x->s.data[x->at++]);
		else if (c == '(' && depth < COMMENT_DEPTH) {
			if (depth++ > 0)
				buf_add_char(out, c);
		} else if (c == ')') {
			if (--depth > 0)
				buf_add_char(out, c);
		} else {
			buf_add_char(out, c);
		}
	} while (more(x) && depth > 0);
}

/* Past "…"; without a closing quote it is a plain character. */
static bool read_quoted(struct scanner *x, struct buf *plain, struct buf *raw)
{
	size_t end = x->at + 1;
	if (x->unclosed)
		return false;
	while (end < x->s.len && x->s.data[end] != '"')
		end += x->s.data[end] == '\\' ? 2 : 1;
	if (end >= x->s.len) {
		x->unclosed = true;
		return false;
	}
	buf_add_slice(raw, slice_sub(x->s, x->at, end + 1 - x->at));
	for (size_t i = x->at + 1; i < end; i++) {
		if (x->s.data[i] == '\\' && i + 1 < end)
			i++;
		buf_add_char(plain, x->s.data[i]);
	}
	x->at = end + 1;
	return true;
}

/* Past "<…>"; what is inside without comments and white space. */
static void read_angle(struct scanner *x, struct reading *r)
{
	struct buf ignored = { 0 };
	x->at++;
	buf_clear(&r->angle);
	while (more(x) && x->s.data[x->at] != '>') {
		char c = x->s.data[x->at];
		if (c == '"' && read_quoted(x, &ignored, &r->angle))
			continue;
		if (c == '(')
			read_comment(x, &ignored);
		else {
			buf_add_char(&r->angle, c);
			x->at++;
		}
	}
	x->at += more(x);
	r->has_angle = r->any = true;
	buf_free(&ignored);
}

/* "local@domain" without white space inside, or nothing. */
static bool looks_like_address(struct slice s)
{
	size_t at = slice_rchr(s, '@');
	if (at == SLICE_NPOS || at == 0 || at + 1 >= s.len || s.len > 1024)
		return false;
	bool quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '"')
			quoted = !quoted;
		if (!quoted && (ascii_is_space(s.data[i]) || strchr("<>(),;:", s.data[i]) != NULL) &&
		    !(i > at && s.data[at + 1] == '[' && s.data[i] == ':'))
			return false;
	}
	return s.data[at + 1] != '.' && slice_chr(slice_from(s, at + 1), '"') == SLICE_NPOS;
}

/* The word that holds "@" among plain words. */
static struct slice address_among(struct slice text)
{
	struct slice rest = slice_trim(text), word;
	while (rest.data != NULL && rest.len > 0) {
		size_t n = 0;
		while (n < rest.len && !ascii_is_space(rest.data[n]))
			n++;
		word = slice_head(rest, n);
		rest = slice_trim_left(slice_from(rest, n));
		if (looks_like_address(word))
			return word;
	}
	return SLICE_EMPTY;
}

static void set_phrase(struct arena *arena, struct header_mailbox *m, const struct reading *r, struct slice plain)
{
	if (m->address.len > 0 && slice_eq(plain, m->address))
		plain = SLICE_EMPTY;
	if (plain.len > 0) {
		m->phrase = arena_copy(arena, plain);
		m->has_phrase = true;
	} else if (r->has_comment) {
		m->phrase = arena_copy(arena, buf_slice(&r->comment));
		m->has_phrase = true;
	}
}

static bool conclude(struct arena *arena, struct reading *r, struct header_mailbox *m)
{
	struct slice plain = slice_trim(buf_slice(&r->plain)), angle = slice_trim(buf_slice(&r->angle));
	*m = (struct header_mailbox){ .has_phrase = false };
	if (r->has_angle) {
		/* "<>" inside, or a route before ":". */
		if (looks_like_address(angle))
			m->address = arena_copy(arena, angle);
	} else {
		struct slice found = address_among(buf_slice(&r->atoms));
		m->address = found.len > 0 ? arena_copy(arena, found) : SLICE_EMPTY;
		if (found.len > 0 && found.len == slice_trim(buf_slice(&r->atoms)).len)
			plain = SLICE_EMPTY;
	}
	set_phrase(arena, m, r, plain);
	return m->address.len > 0 || m->has_phrase;
}

static void clear(struct reading *r)
{
	buf_clear(&r->plain);
	buf_clear(&r->atoms);
	buf_clear(&r->comment);
	buf_clear(&r->angle);
	r->has_angle = r->has_comment = r->any = false;
}

static void read_plain(struct scanner *x, struct reading *r)
{
	char c = x->s.data[x->at++];
	if (c == '\r' || c == '\n')
		return;
	if (c == '\t')
		c = ' ';
	buf_add_char(&r->plain, c);
	buf_add_char(&r->atoms, c);
}

/* One step; true at the end of a mailbox. */
static bool read_token(struct scanner *x, struct reading *r)
{
	char c = x->s.data[x->at];
	if (c == ',' || c == ';') {
		x->at++;
		return true;
	}
	if (c == '(') {
		r->has_comment = true;
		buf_clear(&r->comment);
		read_comment(x, &r->comment);
	} else if (c == '<') {
		read_angle(x, r);
	} else if (c == '"' && read_quoted(x, &r->plain, &r->atoms)) {
		r->any = true;
	} else if (c == ':' && !r->has_angle && slice_chr(buf_slice(&r->atoms), '@') == SLICE_NPOS) {
		/* The name of a group. */
		x->at++;
		clear(r);
	} else {
		read_plain(x, r);
	}
	return false;
}

size_t header_addresses(struct arena *arena, struct slice value, struct header_mailbox *list, size_t max)
{
	struct scanner x = { .s = value };
	struct reading r = { .any = false };
	size_t n = 0;
	while (n < max && more(&x)) {
		bool end = read_token(&x, &r);
		if (!end && more(&x))
			continue;
		if (conclude(arena, &r, &list[n]))
			n++;
		clear(&r);
	}
	buf_free(&r.plain);
	buf_free(&r.atoms);
	buf_free(&r.comment);
	buf_free(&r.angle);
	return n;
}

struct slice address_domain_part(struct slice address)
{
	size_t at = slice_rchr(address, '@');
	return at == SLICE_NPOS ? SLICE_EMPTY : slice_from(address, at + 1);
}
