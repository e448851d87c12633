/* What follows from the head of one part, and its decoded body. */
#include "message/charset.h"
#include "message/encoded_word.h"
#include "message/mime_tree.h"

#define MAX_SAME_FIELD 4u      /* of Content-Type fields in one part that are looked at */
#define MAX_NAMES 16u
#define MAX_BROKEN_LINES 3u    /* more of them in a message's head, and its body has begun */

/* The head of a body part. */

static size_t line_len(struct slice s)
{
	size_t lf = slice_chr(s, '\n');
	return lf == SLICE_NPOS ? s.len : lf + 1;
}

static bool is_blank_line(struct slice line)
{
	return slice_eq(line, SLICE("\r\n")) || slice_eq(line, SLICE("\n"));
}

/* ftext, then white space, then ":" (RFC 5322 3.6.8, 4.5.8). */
static bool begins_field(struct slice line)
{
	size_t i = 0;
	while (i < line.len && line.data[i] > 32 && line.data[i] < 127 && line.data[i] != ':')
		i++;
	size_t name = i;
	while (i < line.len && (line.data[i] == ' ' || line.data[i] == '\t'))
		i++;
	return name > 0 && i < line.len && line.data[i] == ':';
}

/* Do the lines up to a blank one still hold a MIME field? Then a line that is none is rubbish that
 * readers pass over, not the begin of the body. */
static bool mime_field_follows(struct slice rest)
{
	for (unsigned lines = 0; rest.len > 0 && lines < 20; lines++) {
		struct slice line = slice_head(rest, line_len(rest));
		if (is_blank_line(line))
			return false;
		if (slice_starts_nocase(line, SLICE("content-")) && begins_field(line))
			return true;
		rest = slice_from(rest, line.len);
	}
	return false;
}

/* Length of the head without the blank line; *body_r: where the body begins. */
static size_t part_head_len(struct slice raw, size_t *body_r, unsigned *defects)
{
	size_t at = 0;
	bool first = true;
	while (at < raw.len) {
		struct slice rest = slice_from(raw, at), line = slice_head(rest, line_len(rest));
		if (is_blank_line(line)) {
			*body_r = at + line.len;
			return at;
		}
		bool fold = !first && (line.data[0] == ' ' || line.data[0] == '\t');
		if (!fold && !begins_field(line)) {
			if (!mime_field_follows(slice_from(rest, line.len))) {
				*defects |= first ? PART_NO_HEADERS : PART_NO_BLANK_LINE;
				break;
			}
			*defects |= PART_BROKEN_HEADER;
		}
		first = false;
		at += line.len;
	}
	*body_r = at;
	return at;
}

static void read_part_head(struct mime_builder *b, struct part *part)
{
	size_t body = 0, len = part_head_len(part->raw, &body, &part->defects);
	struct message head = { 0 };
	message_parse(&head, b->mime->arena, slice_head(part->raw, len), b->mime->limits.headers);
	part->headers = head.headers;
	part->header_count = head.header_count;
	part->body = slice_from(part->raw, body);
}

/* The head of a message goes to the blank line, but not past a delimiter line, nor past many
 * lines that are no fields: then somebody forgot it. Nor past any such line if there is no body. */
static void read_message_head(struct part *part, const struct message *m)
{
	unsigned broken = 0, may_be_broken = m->body.data ? MAX_BROKEN_LINES : 0;
	part->headers = m->headers;
	part->header_count = m->header_count;
	part->body = m->body.data ? m->body : slice_from(part->raw, part->raw.len);
	for (size_t i = 0; i < m->header_count; i++) {
		const struct header *h = &m->headers[i];
		if (!h->broken)
			continue;
		part->defects |= PART_BROKEN_HEADER;
		if (!slice_starts(h->field, SLICE("--")) && ++broken <= may_be_broken)
			continue;
		part->header_count = i;
		part->body = slice_from(part->raw, (size_t)(h->field.data - part->raw.data));
		part->defects |= PART_NO_BLANK_LINE;
		return;
	}
}

const struct header *part_header(const struct part *part, struct slice name, size_t nth)
{
	for (size_t i = 0; i < part->header_count; i++)
		if (!part->headers[i].broken && slice_eq_nocase(part->headers[i].name, name) && nth-- == 0)
			return &part->headers[i];
	return NULL;
}

static const struct header *last_header(const struct part *part, struct slice name, size_t *count_r)
{
	const struct header *last = NULL;
	*count_r = 0;
	for (size_t i = 0; i < part->header_count; i++)
		if (!part->headers[i].broken && slice_eq_nocase(part->headers[i].name, name)) {
			last = &part->headers[i];
			++*count_r;
		}
	return last;
}

/* "Content-Type:: text/plain" */
static struct slice field_value(const struct header *h)
{
	struct slice value = slice_trim_left(h->value);
	while (value.len > 0 && value.data[0] == ':')
		value = slice_trim_left(slice_from(value, 1));
	return value;
}

/* Type. */

static bool is_type_char(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c < 0x7f && strchr("\"()<>@,;:\\[]?=", c) == NULL;
}

static bool is_media_type(struct slice s)
{
	size_t slash = slice_chr(s, '/');
	if (slash == SLICE_NPOS || slash == 0 || slash + 1 == s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_type_char(s.data[i]))
			return false;
	return slice_chr(slice_from(s, slash + 1), '/') == SLICE_NPOS;
}

/* What readers make of the declared type: texts of kinds they don't know are
 * shown as plain text. */
static struct slice effective_type(struct slice declared, bool digest)
{
	static const struct slice plain = { "text/plain", 10 };
	if (declared.len == 0)
		return digest ? SLICE("message/rfc822") : plain;
	if (!slice_starts(declared, SLICE("text")) || (declared.len > 4 && ascii_is_alnum(declared.data[4])))
		return declared;
	static const struct slice kept[] = { { "text/html", 9 }, { "text/calendar", 13 }, { "text/x-vcard", 12 } };
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (slice_eq(declared, kept[i]))
			return kept[i];
	return plain;
}

static void read_type(struct mime_builder *b, struct part *part, bool digest)
{
	size_t count;
	const struct header *h = last_header(part, SLICE("Content-Type"), &count);
	if (h != NULL)
		part->content_type = parameters_parse(b->mime->arena, field_value(h));
	part->declared_type = part->content_type.value;
	if (count > 1 || (h != NULL && !is_media_type(part->declared_type)))
		part->defects |= PART_BAD_TYPE;
	if (part->content_type.odd)
		part->defects |= PART_ODD_PARAMETERS;
	part->type = effective_type(part->declared_type, digest);
	part->charset = arena_lower(b->mime->arena, parameters_value(&part->content_type, SLICE("charset")));
}

static void read_encoding(struct part *part)
{
	size_t count;
	const struct header *h = last_header(part, SLICE("Content-Transfer-Encoding"), &count);
	part->encoding = h ? transfer_encoding_of(field_value(h)) : ENCODING_IDENTITY;
	if (count > 1 || part->encoding == ENCODING_UNKNOWN || (h != NULL && slice_chr(h->value, ',') != SLICE_NPOS))
		part->defects |= PART_BAD_ENCODING;
}

/* Names. */

struct names {
	struct arena *arena;
	struct slice list[MAX_NAMES];
	size_t count;
};

static void add_name(struct names *names, struct slice name)
{
	name = slice_trim(name);
	for (size_t i = 0; i < names->count; i++)
		if (slice_eq(names->list[i], name))
			return;
	if (name.len > 0 && names->count < MAX_NAMES)
		names->list[names->count++] = name;
}

static void add_names_of(struct names *names, const struct parameters *p, bool alternative)
{
	static const struct slice keys[] = { { "filename", 8 }, { "name", 4 } };
	for (size_t k = 0; k < 2; k++) {
		const struct parameter *best = alternative ? NULL : parameters_find(p, keys[k]);
		if (best != NULL)
			add_name(names, best->value);
		for (size_t i = 0; alternative && i < p->count; i++)
			if (slice_eq(p->list[i].name, keys[k])) {
				add_name(names, p->list[i].value);
				/* Encoded words are shown as they stand by some. */
				if (!p->list[i].extended)
					add_name(names, charset_to_utf8(names->arena, p->list[i].raw, SLICE_EMPTY, NULL));
			}
	}
}

/* Of all fields of that name, the last first: it is the one most readers obey. */
static void add_names_of_fields(struct mime_builder *b, struct names *names, const struct part *part,
	struct slice field)
{
	size_t seen = 0;
	for (size_t i = part->header_count; i > 0 && seen < MAX_SAME_FIELD; i--) {
		const struct header *h = &part->headers[i - 1];
		if (h->broken || !slice_eq_nocase(h->name, field))
			continue;
		seen++;
		struct parameters p = parameters_parse(b->mime->arena, field_value(h));
		add_names_of(names, &p, true);
	}
}

static void read_disposition(struct mime_builder *b, struct part *part)
{
	size_t count;
	const struct header *h = last_header(part, SLICE("Content-Disposition"), &count);
	if (h == NULL)
		return;
	part->content_disposition = parameters_parse(b->mime->arena, field_value(h));
	part->disposition = part->content_disposition.value;
	if (count > 1 || part->content_disposition.odd)
		part->defects |= PART_ODD_PARAMETERS;
}

static void read_names(struct mime_builder *b, struct part *part)
{
	struct names names = { .arena = b->mime->arena };
	add_names_of(&names, &part->content_disposition, false);
	add_names_of(&names, &part->content_type, false);
	add_names_of(&names, &part->content_disposition, true);
	add_names_of(&names, &part->content_type, true);
	if (part->defects & (PART_ODD_PARAMETERS | PART_BAD_TYPE)) {
		add_names_of_fields(b, &names, part, SLICE("Content-Disposition"));
		add_names_of_fields(b, &names, part, SLICE("Content-Type"));
	}
	if (names.count == 0)
		return;
	part->names = arena_array(b->mime->arena, struct slice, names.count);
	memcpy(part->names, names.list, names.count * sizeof(*part->names));
	part->name_count = names.count;
	part->name = names.list[0];
}

static bool is_html_name(struct slice name)
{
	return slice_ends_nocase(name, SLICE(".htm")) || slice_ends_nocase(name, SLICE(".html")) ||
		slice_ends_nocase(name, SLICE(".shtml")) || slice_ends_nocase(name, SLICE(".shtm"));
}

static void classify(struct part *part)
{
	part->is_multipart = slice_starts(part->type, SLICE("multipart/"));
	part->is_message = slice_eq(part->type, SLICE("message/rfc822")) ||
		slice_eq(part->type, SLICE("message/global"));
	if (part->is_multipart && parameters_value(&part->content_type, SLICE("boundary")).len == 0) {
		part->defects |= PART_NO_BOUNDARY;
		part->is_multipart = false;
		part->type = SLICE("text/plain");
	}
	if (part->is_multipart || part->is_message)
		return;
	part->is_html = slice_eq(part->type, SLICE("text/html")) || is_html_name(part->name);
	part->is_text = part->is_html || slice_eq(part->type, SLICE("text/plain"));
	part->is_attachment = slice_eq(part->disposition, SLICE("attachment")) || part->name.len > 0 ||
		!slice_starts(part->type, SLICE("text/"));
}

static struct slice read_content_id(struct mime_builder *b, const struct part *part)
{
	const struct header *h = part_header(part, SLICE("Content-ID"), 0);
	struct slice id = h ? header_unfold(b->mime->arena, h->value) : SLICE_EMPTY;
	if (id.len >= 2 && id.data[0] == '<' && id.data[id.len - 1] == '>')
		id = slice_sub(id, 1, id.len - 2);
	return id;
}

/* A stretch of text read as a file: no head, its name found in the text. */
static void read_forced(struct mime_builder *b, struct part *part, const struct pending_part *p)
{
	part->body = p->raw;
	part->encoding = p->forced;
	part->type = SLICE("application/octet-stream");
	part->is_attachment = true;
	part->name = charset_to_utf8(b->mime->arena, p->forced_name, SLICE_EMPTY, NULL);
	if (part->name.len == 0)
		return;
	part->names = arena_array(b->mime->arena, struct slice, 1);
	part->names[0] = part->name;
	part->name_count = 1;
}

void mime_read_fields(struct mime_builder *b, struct part *part, bool digest)
{
	read_type(b, part, digest);
	read_encoding(part);
	read_disposition(b, part);
	part->content_id = read_content_id(b, part);
	read_names(b, part);
	classify(part);
}

void mime_read_part(struct mime_builder *b, struct part *part, const struct pending_part *p)
{
	if (p->is_forced) {
		read_forced(b, part, p);
		return;
	}
	if (p->parent < 0) {
		read_message_head(part, b->message);
	} else if (p->message) {
		struct message inner = { 0 };
		message_parse(&inner, b->mime->arena, part->raw, b->mime->limits.headers);
		read_message_head(part, &inner);
	} else {
		read_part_head(b, part);
	}
	mime_read_fields(b, part, p->digest);
}

/* Boundaries. */

static void add_boundary(struct slice list[MIME_MAX_BOUNDARIES], size_t *count, struct slice boundary)
{
	boundary = slice_trim_right(boundary);
	for (size_t i = 0; i < *count; i++)
		if (slice_eq(list[i], boundary))
			return;
	if (boundary.len > 0 && *count < MIME_MAX_BOUNDARIES)
		list[(*count)++] = boundary;
}

size_t mime_boundaries(struct mime_builder *b, const struct part *part,
	struct slice list[MIME_MAX_BOUNDARIES])
{
	static const struct slice key = { "boundary", 8 };
	size_t count = 0, fields = 0;
	add_boundary(list, &count, parameters_value(&part->content_type, key));
	for (size_t i = part->header_count; i > 0 && fields < MAX_SAME_FIELD; i--) {
		const struct header *h = &part->headers[i - 1];
		if (h->broken || !slice_eq_nocase(h->name, SLICE("Content-Type")))
			continue;
		fields++;
		struct parameters p = parameters_parse(b->mime->arena, field_value(h));
		for (size_t k = 0; k < p.count; k++)
			if (slice_eq(p.list[k].name, key)) {
				add_boundary(list, &count, p.list[k].value);
				add_boundary(list, &count, p.list[k].raw);
			}
	}
	return count;
}

/* Decoded bodies. */

struct slice part_bytes(struct mime *mime, struct part *part)
{
	if (!part->have_bytes) {
		struct decoded_bytes d = transfer_decode(mime->arena, part->body, part->encoding);
		part->bytes = d.bytes;
		part->have_bytes = true;
		if (d.dirty)
			part->defects |= PART_DIRTY_ENCODING;
		mime->defects |= part->defects;
	}
	return part->bytes;
}

/* CRLF, and CR alone, as LF. */
static struct slice lf_lines(struct arena *arena, struct slice s)
{
	if (slice_chr(s, '\r') == SLICE_NPOS)
		return s;
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	while (s.len > 0) {
		size_t cr = slice_chr(s, '\r');
		struct slice run = slice_head(s, cr);
		memcpy(out + len, run.data, run.len);
		len += run.len;
		s = slice_from(s, run.len);
		if (s.len == 0)
			break;
		if (s.len == 1 || s.data[1] != '\n')
			out[len++] = '\n';
		s = slice_from(s, 1);
	}
	return slice_make(out, len);
}

struct slice part_text(struct mime *mime, struct part *part)
{
	if (!part->have_text) {
		struct charset_info info;
		struct slice text = charset_to_utf8(mime->arena, part_bytes(mime, part), part->charset, &info);
		part->text = lf_lines(mime->arena, text);
		part->have_text = true;
		if (info.unknown_label || info.invalid)
			part->defects |= PART_BAD_CHARSET;
		mime->defects |= part->defects;
	}
	return part->text;
}
