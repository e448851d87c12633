/*
 * The splitter is ours, not GMime's: it reports where each part lies in the
 * mail without copying, ends at a number of parts and levels (GMime has no
 * bound), and forgives what mail readers forgive; the same tables of odd
 * mails that GMime reads as one text come out as parts here. GMime is the
 * second engine; the tests hold the two against each other.
 */
#include "message/mime.h"

#include <stdlib.h>
#include "message/mime_gmime.h"
#include "message/mime_tree.h"

#define DEFAULT_PARTS 1000u
#define DEFAULT_DEPTH 50u
#define DEFAULT_HEADERS 1000u

bool mime_push(struct mime_builder *b, const struct pending_part *p)
{
	if (b->mime->count + b->pending >= b->mime->limits.parts || p->depth > b->mime->limits.depth)
		return false;
	if (b->pending == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 16;
		b->stack = xrealloc(b->stack, b->cap * sizeof(*b->stack));
	}
	b->stack[b->pending++] = *p;
	return true;
}

/* Delimiter lines. */

struct delimiter {
	size_t begin;  /* of the line end before it, or of the line */
	size_t next;   /* behind its own line end */
	bool closing;
};

static struct slice trim_end(struct slice s)
{
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* What stands behind "--boundary" up to the line end: nothing, "--", white space. */
static bool is_delimiter_tail(struct slice rest, bool *closing_r, size_t *len_r)
{
	size_t lf = slice_chr(rest, '\n');
	struct slice tail = slice_trim_left(slice_head(rest, lf));
	*len_r = lf == SLICE_NPOS ? rest.len : lf + 1;
	*closing_r = slice_starts(tail, SLICE("--"));
	if (*closing_r)
		tail = slice_from(tail, 2);
	return slice_trim(tail).len == 0;
}

/* The next delimiter line at or after `at`, which is the begin of a line. */
static bool find_delimiter(struct slice body, size_t at, struct slice boundary, struct delimiter *d)
{
	while (at < body.len) {
		struct slice line = slice_from(body, at);
		size_t len;
		if (line.data[0] == '-' && slice_starts(line, SLICE("--")) && slice_starts(slice_from(line, 2), boundary) &&
		    is_delimiter_tail(slice_from(line, 2 + boundary.len), &d->closing, &len)) {
			d->next = at + 2 + boundary.len + len;
			d->begin = at;
			if (d->begin > 0)
				d->begin--;
			if (d->begin > 0 && body.data[d->begin - 1] == '\r')
				d->begin--;
			return true;
		}
		size_t lf = slice_chr(line, '\n');
		if (lf == SLICE_NPOS)
			break;
		at += lf + 1;
	}
	return false;
}

bool mime_boundary_seen(struct slice body, struct slice boundary)
{
	struct delimiter d;
	return boundary.len > 0 && find_delimiter(body, 0, trim_end(boundary), &d) && !d.closing;
}

struct pieces {
	struct slice *list;
	size_t count, cap;
};

static void add_piece(struct arena *arena, struct pieces *pieces, struct slice piece)
{
	if (pieces->count == pieces->cap) {
		size_t cap = pieces->cap ? pieces->cap * 2 : 8;
		struct slice *more = arena_array(arena, struct slice, cap);
		if (pieces->count > 0)
			memcpy(more, pieces->list, pieces->count * sizeof(*more));
		pieces->list = more;
		pieces->cap = cap;
	}
	pieces->list[pieces->count++] = piece;
}

static bool has_text(struct slice s)
{
	return slice_trim(s).len > 0;
}

/* Room left for parts, at least one. */
static size_t room_for_parts(const struct mime_builder *b)
{
	size_t used = b->mime->count + b->pending;
	return used < b->mime->limits.parts ? b->mime->limits.parts - used : 0;
}

static void find_pieces(struct mime_builder *b, struct slice body, struct slice boundary,
	struct pieces *pieces,
			unsigned *defects)
{
	struct arena *arena = b->mime->arena;
	struct delimiter d;
	boundary = trim_end(boundary);
	if (!find_delimiter(body, 0, boundary, &d))
		return;
	if (has_text(slice_head(body, d.begin)))
		*defects |= PART_PREAMBLE;
	size_t room = room_for_parts(b);
	while (!d.closing) {
		size_t begin = d.next;
		bool last = pieces->count + 1 >= room;
		if (last || !find_delimiter(body, begin, boundary, &d)) {
			*defects |= last ? PART_TOO_MANY : PART_UNCLOSED;
			add_piece(arena, pieces, slice_from(body, begin));
			return;
		}
		/* Two delimiter lines with nothing between: the begin may lie before the part's. */
		add_piece(arena, pieces, slice_sub(body, begin, d.begin > begin ? d.begin - begin : 0));
	}
	if (has_text(slice_from(body, d.next)))
		*defects |= PART_EPILOGUE;
}

/* Cut before a last line that closes some boundary, though not this one. */
static struct slice up_to_closing(struct slice piece)
{
	struct slice text = slice_trim_right(piece);
	size_t lf = slice_rchr(text, '\n');
	struct slice line = slice_from(text, lf + 1);
	if (lf == SLICE_NPOS || !slice_starts(line, SLICE("--")) || !slice_ends(line, SLICE("--")))
		return piece;
	return slice_head(piece, lf);
}

size_t mime_split(struct mime_builder *b, size_t parent, struct slice body, struct slice boundary,
	bool alternative,
		  unsigned *defects_r)
{
	struct pieces pieces = { 0 };
	*defects_r = 0;
	if (boundary.len == 0)
		return 0;
	find_pieces(b, body, boundary, &pieces, defects_r);
	if (alternative && *defects_r & PART_UNCLOSED)
		pieces.list[pieces.count - 1] = up_to_closing(pieces.list[pieces.count - 1]);
	const struct part *part = &b->mime->parts[parent];
	struct pending_part p = {
		.parent = (int)parent, .depth = part->depth + 1,
		.alternative = alternative || part->alternative,
		.digest = slice_eq(part->type, SLICE("multipart/digest")),
	};
	for (size_t i = pieces.count; i > 0; i--) {
		p.raw = pieces.list[i - 1];
		if (!mime_push(b, &p))
			*defects_r |= PART_TOO_MANY;
	}
	return pieces.count;
}

/* Children. */

static void push_whole(struct mime_builder *b, size_t index, struct slice raw, bool message)
{
	const struct part *part = &b->mime->parts[index];
	struct pending_part p = {
		.raw = raw, .parent = (int)index, .depth = part->depth + 1, .message = message,
		.alternative = part->alternative,
	};
	if (!mime_push(b, &p))
		b->mime->parts[index].defects |= PART_TOO_MANY;
}

static void expand_multipart(struct mime_builder *b, size_t index)
{
	struct slice boundaries[MIME_MAX_BOUNDARIES], body = b->mime->parts[index].body;
	size_t count = mime_boundaries(b, &b->mime->parts[index], boundaries), chosen = 0;
	unsigned defects;
	while (chosen < count && !mime_boundary_seen(body, boundaries[chosen]))
		chosen++;
	if (chosen == count) { /* all of it is one part, as SpamAssassin has it */
		b->mime->parts[index].defects |= PART_BOUNDARY_UNSEEN;
		push_whole(b, index, body, false);
		return;
	}
	b->mime->parts[index].boundary = boundaries[chosen];
	mime_split(b, index, body, boundaries[chosen], false, &defects);
	b->mime->parts[index].defects |= defects | (chosen > 0 ? PART_ODD_BOUNDARY : 0u);
}

static void expand_message(struct mime_builder *b, size_t index)
{
	struct part *part = &b->mime->parts[index];
	if (part->encoding == ENCODING_IDENTITY || part->encoding == ENCODING_UNKNOWN) {
		push_whole(b, index, part->body, true);
		return;
	}
	part->defects |= PART_BAD_ENCODING; /* RFC 2046 5.2.1 */
	if (part->body.len > b->budget)
		return;
	b->budget -= part->body.len;
	push_whole(b, index, part_bytes(b->mime, part), true);
}

static void expand(struct mime_builder *b, size_t index)
{
	struct part *part = &b->mime->parts[index];
	bool deep = part->depth >= b->mime->limits.depth;
	if (deep && (part->is_multipart || part->is_message)) {
		part->defects |= PART_TOO_DEEP;
		part->is_multipart = part->is_message = false;
		return;
	}
	if (part->is_multipart)
		expand_multipart(b, index);
	else if (part->is_message)
		expand_message(b, index);
}

static size_t add_part(struct mime *mime)
{
	if (mime->count == mime->cap) {
		size_t cap = mime->cap ? mime->cap * 2 : 8;
		struct part *more = arena_array(mime->arena, struct part, cap);
		if (mime->count > 0)
			memcpy(more, mime->parts, mime->count * sizeof(*more));
		mime->parts = more;
		mime->cap = cap;
	}
	return mime->count++;
}

/* Offset of piece in whole; SIZE_MAX for what was decoded out of it. */
static size_t place_in(struct slice whole, struct slice piece)
{
	uintptr_t begin = (uintptr_t)whole.data, at = (uintptr_t)piece.data;
	return at >= begin && at + piece.len <= begin + whole.len ? at - begin : SIZE_MAX;
}

static void make_part(struct mime_builder *b, const struct pending_part *p)
{
	struct mime *mime = b->mime;
	size_t index = add_part(mime);
	struct part *part = &mime->parts[index];
	*part = (struct part){ .parent = p->parent, .depth = p->depth, .raw = p->raw,
		.alternative = p->alternative };
	part->begin = place_in(b->message->raw, p->raw);
	if (p->parent >= 0 && !p->alternative)
		mime->parts[p->parent].children++;
	if (p->depth > mime->max_depth)
		mime->max_depth = p->depth;
	mime_read_part(b, part, p);
	if (!p->is_forced)
		expand(b, index);
}

static void make_pending(struct mime_builder *b)
{
	while (b->pending > 0) {
		struct pending_part p = b->stack[--b->pending];
		make_part(b, &p);
	}
}

struct mime *mime_parse(const struct message *m, const struct mime_limits *limits)
{
	struct mime *mime = arena_new(m->arena, struct mime);
	mime->arena = m->arena;
	if (limits != NULL)
		mime->limits = *limits;
	if (mime->limits.parts == 0)
		mime->limits.parts = DEFAULT_PARTS;
	if (mime->limits.depth == 0)
		mime->limits.depth = DEFAULT_DEPTH;
	if (mime->limits.headers == 0)
		mime->limits.headers = DEFAULT_HEADERS;
	struct mime_builder b = { .mime = mime, .message = m, .budget = 4 * m->raw.len + 65536 };
	mime_push(&b, &(struct pending_part){ .raw = m->raw, .parent = -1, .message = true });
	make_pending(&b);
	/* Other readings come behind all parts proper. */
	for (size_t i = 0, proper = mime->count; i < proper; i++) {
		mime_salvage(&b, i);
		make_pending(&b);
	}
	free(b.stack);
	for (size_t i = 0; i < mime->count; i++)
		mime->defects |= mime->parts[i].defects;
	if (mime->limits.engine == MIME_ENGINE_GMIME && !(mime->defects & (PART_TOO_DEEP | PART_TOO_MANY)))
		return mime_gmime_parse(m, &mime->limits);
	return mime;
}
