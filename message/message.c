/*
 * Field names are RFC 5322 3.6.8 ftext. Lines may end in LF alone: BINARYMIME
 * lets it through, and then it is better seen as the line end it is.
 */
#include "message/message.h"

#define FIRST_FIELDS 8u

/* Offset behind the line end of the line at `at`. */
static size_t line_end(struct slice raw, size_t at)
{
	size_t lf = slice_chr(slice_from(raw, at), '\n');
	return lf == SLICE_NPOS ? raw.len : at + lf + 1;
}

static bool is_blank_line(struct slice line)
{
	return slice_eq(line, SLICE("\r\n")) || slice_eq(line, SLICE("\n"));
}

static struct slice without_line_end(struct slice s)
{
	if (s.len > 0 && s.data[s.len - 1] == '\n')
		s.len--;
	if (s.len > 0 && s.data[s.len - 1] == '\r')
		s.len--;
	return s;
}

static bool is_fold(struct slice raw, size_t at)
{
	return at < raw.len && (raw.data[at] == ' ' || raw.data[at] == '\t');
}

static bool is_field_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] < 33 || name.data[i] > 126)
			return false;
	return name.len > 0;
}

static struct header parse_field(struct slice field)
{
	struct header h = { .field = field };
	size_t colon = slice_chr(field, ':');
	if (colon != SLICE_NPOS)
		h.name = slice_trim_right(slice_head(field, colon));
	h.broken = colon == SLICE_NPOS || !is_field_name(h.name);
	if (h.broken)
		h.name = SLICE_EMPTY;
	h.value = without_line_end(h.broken ? field : slice_from(field, colon + 1));
	return h;
}

static bool has_8bit(struct slice s)
{
	size_t i = 0;
	uint64_t word;
	for (; i + sizeof(word) <= s.len; i += sizeof(word)) {
		memcpy(&word, s.data + i, sizeof(word));
		if (word & 0x8080808080808080u)
			return true;
	}
	for (; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

static void add_field(struct message *m, size_t *cap, struct slice field)
{
	if (m->header_count == *cap) {
		struct header *more = arena_array(m->arena, struct header, *cap ? *cap * 4 : FIRST_FIELDS);
		if (*cap > 0)
			memcpy(more, m->headers, *cap * sizeof(*more));
		*cap = *cap ? *cap * 4 : FIRST_FIELDS;
		m->headers = more;
	}
	m->headers[m->header_count++] = parse_field(field);
}

void message_parse(struct message *m, struct arena *arena, struct slice raw, size_t max_headers)
{
	size_t cap = 0, at = 0;
	m->arena = arena;
	m->raw = raw;
	m->headers = NULL;
	m->header_count = 0;
	m->head_cut = false;
	m->body = SLICE_EMPTY;
	while (at < raw.len) {
		size_t begin = at;
		at = line_end(raw, at);
		if (is_blank_line(slice_sub(raw, begin, at - begin))) {
			m->body = slice_from(raw, at);
			at = begin;
			break;
		}
		while (is_fold(raw, at))
			at = line_end(raw, at);
		if (m->header_count < max_headers)
			add_field(m, &cap, slice_sub(raw, begin, at - begin));
		else
			m->head_cut = true;
	}
	m->head = slice_head(raw, at);
	m->had_8bit_header = m->had_8bit_header || has_8bit(m->head);
}

static const struct header *find_from(const struct message *m, size_t from, struct slice name)
{
	for (size_t i = from; i < m->header_count; i++)
		if (!m->headers[i].broken && slice_eq_nocase(m->headers[i].name, name))
			return &m->headers[i];
	return NULL;
}

const struct header *message_header(const struct message *m, struct slice name, size_t nth)
{
	const struct header *h = find_from(m, 0, name);
	while (h != NULL && nth-- > 0)
		h = message_header_next(m, h);
	return h;
}

const struct header *message_header_next(const struct message *m, const struct header *after)
{
	return after->broken ? NULL : find_from(m, (size_t)(after - m->headers) + 1, after->name);
}

size_t message_header_count(const struct message *m, struct slice name)
{
	size_t count = 0;
	for (const struct header *h = find_from(m, 0, name); h != NULL; h = message_header_next(m, h))
		count++;
	return count;
}

struct slice header_unfold(struct arena *arena, struct slice value)
{
	value = slice_trim(value);
	if (slice_chr(value, '\n') == SLICE_NPOS)
		return value;
	char *out = arena_alloc(arena, value.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++) {
		bool crlf = value.data[i] == '\r' && i + 1 < value.len && value.data[i + 1] == '\n';
		if (!crlf && value.data[i] != '\n')
			out[len++] = value.data[i];
	}
	return slice_make(out, len);
}
