/*
 * Other readings of broken structure. What one reader takes for text another
 * shows as a file: multipart bodies whose Content-Type is doubled, misspelt or
 * hidden; encoded bodies whose encoding is; files uuencoded into text. Each
 * becomes a part of its own, marked alternative. Costs nothing on sane mail
 * but a search of each text for "begin " and "\n--".
 */
#include "message/mime_tree.h"
#include "message/transfer_variant.h"

#define MAX_SALVAGES 64u     /* readings tried in one mail */
#define LOOK 65536u          /* octets of a body that decide what it looks like */
#define ENOUGH_BASE64 40u    /* characters */

static bool may_try(struct mime_builder *b, size_t octets)
{
	if (b->salvages >= MAX_SALVAGES || octets > b->budget)
		return false;
	b->salvages++;
	b->budget -= octets;
	return true;
}

static void push_forced(struct mime_builder *b, size_t index, struct slice raw,
	enum transfer_encoding encoding,
			struct slice name)
{
	const struct part *part = &b->mime->parts[index];
	struct pending_part p = {
		.raw = raw, .parent = (int)index, .depth = part->depth + 1, .alternative = true,
		.forced = encoding, .is_forced = true, .forced_name = name,
	};
	if (may_try(b, raw.len))
		mime_push(b, &p);
}

/* Encodings. */

static bool is_base64_line(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		char c = line.data[i];
		if (!ascii_is_alnum(c) && c != '+' && c != '/' && c != '=')
			return false;
	}
	return true;
}

/* Most of it in lines of base64 and nothing else. */
static bool looks_base64(struct slice body)
{
	size_t clean = 0, all = 0;
	body = slice_head(body, LOOK);
	while (body.len > 0) {
		size_t lf = slice_chr(body, '\n');
		struct slice line = slice_trim(slice_head(body, lf));
		body = slice_from(body, lf == SLICE_NPOS ? body.len : lf + 1);
		all += line.len;
		if (is_base64_line(line))
			clean += line.len;
	}
	return clean >= ENOUGH_BASE64 && clean * 5 >= all * 4;
}

static bool looks_quoted_printable(struct slice body)
{
	size_t escapes = 0;
	body = slice_head(body, LOOK);
	for (size_t i = 0; i + 2 < body.len; i++)
		escapes += body.data[i] == '=' && ascii_hex(body.data[i + 1]) >= 0 && ascii_hex(body.data[i + 2]) >= 0;
	return escapes >= 4;
}

static bool head_is_doubtful(const struct part *part)
{
	return part->defects & (PART_BROKEN_HEADER | PART_NO_BLANK_LINE | PART_NO_HEADERS);
}

/* Is the encoding as declared beyond doubt? A file that comes in the clear is not. */
static bool encoding_is_doubtful(const struct part *part)
{
	return part->defects & PART_BAD_ENCODING || head_is_doubtful(part) ||
		(part->encoding == ENCODING_IDENTITY && (part->is_attachment || !part->is_text));
}

/* The readings of a body that is not clean in its encoding. */
static void push_variants(struct mime_builder *b, size_t index, struct slice body,
	enum transfer_encoding encoding)
{
	struct slice list[TRANSFER_VARIANTS_MAX];
	if (!transfer_is_dirty(body, encoding) || !may_try(b, body.len * 4))
		return;
	size_t count = transfer_variants(b->mime->arena, body, encoding, list);
	struct slice name = b->mime->parts[index].name;
	for (size_t i = 0; i < count; i++)
		push_forced(b, index, list[i], ENCODING_IDENTITY, name);
}

static void push_encoding(struct mime_builder *b, size_t index, struct slice body,
	enum transfer_encoding encoding)
{
	push_forced(b, index, body, encoding, b->mime->parts[index].name);
	push_variants(b, index, body, encoding);
}

static void salvage_encoding(struct mime_builder *b, size_t index, struct slice body,
	enum transfer_encoding declared)
{
	if (declared != ENCODING_BASE64 && looks_base64(body))
		push_encoding(b, index, body, ENCODING_BASE64);
	if (declared != ENCODING_QUOTED_PRINTABLE && looks_quoted_printable(body))
		push_encoding(b, index, body, ENCODING_QUOTED_PRINTABLE);
	if (declared != ENCODING_BINHEX &&
	    slice_find(slice_head(body, LOOK), SLICE("(This file must be converted")) != SLICE_NPOS)
		push_encoding(b, index, body, ENCODING_BINHEX);
}

/* Behind the first line of white space only; else behind the first line. */
static struct slice behind_blank_line(struct slice body)
{
	struct slice rest = body;
	for (unsigned lines = 0; rest.len > 0 && lines < 100; lines++) {
		size_t lf = slice_chr(rest, '\n');
		struct slice line = slice_head(rest, lf);
		rest = slice_from(rest, lf == SLICE_NPOS ? rest.len : lf + 1);
		if (slice_trim(line).len == 0)
			return rest;
	}
	size_t lf = slice_chr(body, '\n');
	return slice_from(body, lf == SLICE_NPOS ? body.len : lf + 1);
}

static void salvage_leaf(struct mime_builder *b, size_t index)
{
	const struct part *part = &b->mime->parts[index];
	struct slice body = part->body;
	enum transfer_encoding declared = part->encoding;
	if (head_is_doubtful(part) && part->parent >= 0) {
		struct slice later = behind_blank_line(body);
		if (declared == ENCODING_BASE64 || declared == ENCODING_QUOTED_PRINTABLE)
			push_encoding(b, index, later, declared);
		salvage_encoding(b, index, later, declared);
	}
	if (encoding_is_doubtful(part))
		salvage_encoding(b, index, body, declared);
	push_variants(b, index, body, declared);
}

/* Files uuencoded into a text, as readers cut them out of it. */
static void salvage_uuencode(struct mime_builder *b, size_t index)
{
	struct part *part = &b->mime->parts[index];
	if (part->encoding == ENCODING_UUENCODE || !(part->is_text || part->encoding == ENCODING_IDENTITY ||
						     part->encoding == ENCODING_UNKNOWN))
		return;
	struct slice text = part->encoding == ENCODING_IDENTITY || part->encoding == ENCODING_UNKNOWN ?
		part->body : part_bytes(b->mime, part);
	struct slice file, name;
	size_t begin;
	while (uu_find(text, &begin, &file, &name)) {
		size_t end = slice_find(file, SLICE("\nend"));
		struct slice whole = slice_head(file, end == SLICE_NPOS ? file.len : end + 4);
		push_forced(b, index, whole, ENCODING_UUENCODE, name);
		text = slice_from(file, whole.len);
	}
}

/* Structure. */

/* The boundary of the first delimiter line that a MIME field follows; empty: none. */
static struct slice guess_boundary(struct slice body)
{
	while (body.len > 0) {
		size_t lf = slice_chr(body, '\n');
		if (lf == SLICE_NPOS)
			break;
		struct slice line = slice_trim_right(slice_head(body, lf));
		body = slice_from(body, lf + 1);
		if (line.len > 2 && line.data[0] == '-' && line.data[1] == '-' &&
		    slice_starts_nocase(body, SLICE("content-")))
			return slice_from(line, 2);
	}
	return SLICE_EMPTY;
}

static size_t split_otherwise(struct mime_builder *b, size_t index, struct slice body, struct slice boundary)
{
	unsigned defects;
	if (boundary.len == 0 || !may_try(b, body.len))
		return 0;
	size_t count = mime_split(b, index, body, boundary, true, &defects);
	if (count > 0)
		b->mime->parts[index].defects |= PART_ODD_BOUNDARY;
	return count;
}

/* By every boundary that the part's fields may be read to declare, but the one used. */
static void salvage_declared(struct mime_builder *b, size_t index)
{
	struct slice boundaries[MIME_MAX_BOUNDARIES], body = b->mime->parts[index].body;
	size_t count = mime_boundaries(b, &b->mime->parts[index], boundaries);
	for (size_t i = 0; i < count; i++)
		if (!slice_eq(boundaries[i], b->mime->parts[index].boundary))
			split_otherwise(b, index, body, boundaries[i]);
}

static void salvage_structure(struct mime_builder *b, size_t index)
{
	const struct part *part = &b->mime->parts[index];
	struct slice body = part->body;
	bool split = part->is_multipart && part->boundary.len > 0;
	if (part->defects & (PART_ODD_PARAMETERS | PART_BAD_TYPE | PART_BOUNDARY_UNSEEN) ||
	    (!split && parameters_find(&part->content_type, SLICE("boundary")) != NULL))
		salvage_declared(b, index);
	if (split) /* what the boundary leaves over */
		return;
	if (!part->is_message)
		split_otherwise(b, index, body, guess_boundary(body));
}

/* Preamble and epilogue: not shown by who finds the same boundaries. */
static void salvage_outside(struct mime_builder *b, size_t index)
{
	const struct part *part = &b->mime->parts[index];
	if (!(part->defects & (PART_PREAMBLE | PART_EPILOGUE)) || part->boundary.len == 0)
		return;
	struct slice needle = arena_printf(b->mime->arena, "--%.*s", SLICE_ARG(part->boundary)), body = part->body;
	if (part->defects & PART_PREAMBLE) {
		struct slice preamble = slice_head(body, slice_find(body, needle));
		split_otherwise(b, index, preamble, guess_boundary(preamble));
	}
	struct slice closer = arena_printf(b->mime->arena, "\n%.*s--", SLICE_ARG(needle));
	size_t end = slice_find(body, closer);
	if (part->defects & PART_EPILOGUE && end != SLICE_NPOS) {
		struct slice epilogue = slice_from(body, end + closer.len);
		/* Closed by one within it of the same boundary, it may go on. */
		if (split_otherwise(b, index, epilogue, part->boundary) == 0)
			split_otherwise(b, index, epilogue, guess_boundary(epilogue));
	}
}

/* A head behind a blank line that came too early. */
static void salvage_late_head(struct mime_builder *b, size_t index)
{
	const struct part *part = &b->mime->parts[index];
	struct slice body = slice_trim_left(part->body);
	if (part->parent < 0 || !slice_starts_nocase(body, SLICE("content-")) || !may_try(b, body.len))
		return;
	mime_push(b, &(struct pending_part){ .raw = body, .parent = (int)index, .depth = part->depth + 1,
					     .alternative = true });
}

void mime_salvage(struct mime_builder *b, size_t index)
{
	const struct part *part = &b->mime->parts[index];
	if (part->alternative)
		return;
	salvage_outside(b, index);
	salvage_structure(b, index);
	if (b->mime->parts[index].children > 0 || part->is_multipart || part->is_message)
		return;
	salvage_late_head(b, index);
	salvage_leaf(b, index);
	salvage_uuencode(b, index);
}
