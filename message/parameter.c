/*
 * Readers differ on everything RFC 2045's grammar does not allow. So an odd
 * construct gives one entry as most take it, and further ones, marked
 * `alternative`, as others do: whoever looks for what a mail may be seen as
 * asks for all of them.
 */
#include "message/parameter.h"

#include <stdlib.h>

#include "base/buf.h"
#include "message/charset.h"
#include "message/encoded_word.h"
#include "message/message.h"

#define MAX_PARAMETERS 64u
#define MAX_FIELD 8192u /* octets of a field that are looked at */

/* As written: a name with RFC 2231's marks taken off, and its value. */
struct piece {
	struct slice name;
	struct slice value;
	int section;         /* of name*N; -1: none */
	bool extended;       /* name* or name*N*: percent escapes */
	bool alternative;
	size_t order;
};

struct parser {
	struct arena *arena;
	struct slice text;
	size_t at;
	struct piece pieces[MAX_PARAMETERS];
	size_t count;
	struct parameters *result;
	size_t cap;
};

static bool is_token_char(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c < 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* Without comments, which nest and may hold escapes; an unclosed one stays. */
static struct slice strip_comments(struct arena *arena, struct slice s)
{
	if (slice_chr(s, '(') == SLICE_NPOS)
		return s;
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0, opened = 0;
	unsigned depth = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c == '(' && depth++ == 0)
			opened = i;
		if (depth == 0)
			out[len++] = c;
		else if (c == '\\')
			i++;
		else if (c == ')')
			depth--;
	}
	if (depth > 0) {
		memcpy(out + len, s.data + opened, s.len - opened);
		len += s.len - opened;
	}
	return slice_make(out, len);
}

static struct slice unescape(struct arena *arena, struct slice s)
{
	if (slice_chr(s, '\\') == SLICE_NPOS)
		return s;
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '\\' && i + 1 < s.len)
			i++;
		out[len++] = s.data[i];
	}
	return slice_make(out, len);
}

static struct slice without_char(struct arena *arena, struct slice s, char c)
{
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != c)
			out[len++] = s.data[i];
	return slice_make(out, len);
}

/* Lower case, of the characters that names are made of. */
static struct slice clean_name(struct arena *arena, struct slice written)
{
	struct slice s = strip_comments(arena, written);
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++)
		if (is_token_char(s.data[i]))
			out[len++] = ascii_lower(s.data[i]);
	return slice_make(out, len);
}

/* "filename*0*" → "filename", section 0, extended. */
static void read_marks(struct piece *p)
{
	p->section = -1;
	if (p->name.len > 0 && p->name.data[p->name.len - 1] == '*') {
		p->extended = true;
		p->name.len--;
	}
	size_t star = slice_rchr(p->name, '*');
	uint64_t section;
	if (star != SLICE_NPOS && slice_u64(slice_from(p->name, star + 1), 9999, &section)) {
		p->section = (int)section;
		p->name.len = star;
	}
}

static void add_piece(struct parser *p, struct slice name, struct slice value, bool alternative)
{
	if (p->count == MAX_PARAMETERS) {
		p->result->odd = true;
		return;
	}
	struct piece *piece = &p->pieces[p->count];
	*piece = (struct piece){ .name = name, .value = value, .alternative = alternative, .order = p->count };
	read_marks(piece);
	if (piece->name.len > 0)
		p->count++;
	if (alternative)
		p->result->odd = true;
}

static bool is_file_name(struct slice name)
{
	return slice_starts(name, SLICE("name")) || slice_starts(name, SLICE("filename"));
}

/* Where a ";" was forgotten: offset of white space before "token=" in s. */
static size_t forgotten_separator(struct slice s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (!ascii_is_space(s.data[i - 1]) || !is_token_char(s.data[i]))
			continue;
		size_t begin = i;
		while (i < s.len && is_token_char(s.data[i]))
			i++;
		size_t eq = i;
		while (eq < s.len && ascii_is_space(s.data[eq]))
			eq++;
		if (eq < s.len && s.data[eq] == '=' && ascii_is_alpha(s.data[begin]))
			return begin - 1;
	}
	return SLICE_NPOS;
}

/* End of a quoted string whose opening quote is at `at`: offset of the closing one, or the end. */
static size_t quote_end(struct slice s, size_t at)
{
	for (size_t i = at + 1; i < s.len; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == '"')
			return i;
	}
	return s.len;
}

static void read_quoted(struct parser *p, struct slice name)
{
	size_t begin = p->at + 1, end = quote_end(p->text, p->at);
	struct slice inside = slice_sub(p->text, begin, end - begin);
	struct slice rest = slice_from(p->text, end < p->text.len ? end + 1 : end);
	size_t stop = slice_chr(rest, ';');
	struct slice tail = slice_trim(slice_head(rest, stop));
	add_piece(p, name, unescape(p->arena, inside), false);
	if (end >= p->text.len) { /* never closed: others end it at the ";" */
		struct slice cut = slice_head(inside, slice_chr(inside, ';'));
		add_piece(p, name, slice_trim(cut), true);
		if (cut.len < inside.len) {
			p->at = begin + cut.len;
			return;
		}
	}
	struct slice bare = strip_comments(p->arena, tail);
	size_t missed = forgotten_separator(slice_sub(p->text, end, tail.len + 2));
	if (missed != SLICE_NPOS) {
		p->at = end + missed;
		p->result->odd = true;
		return;
	}
	if (slice_trim(bare).len > 0) {
		struct slice whole = slice_sub(p->text, begin, (size_t)(tail.data + tail.len - p->text.data) - begin);
		add_piece(p, name, without_char(p->arena, whole, '"'), true);
		add_piece(p, name, slice_sub(p->text, begin - 1, whole.len + 1), true);
	}
	p->at = stop == SLICE_NPOS ? p->text.len : (size_t)(rest.data - p->text.data) + stop;
}

/* End of an unquoted value: the ";", escapes obeyed or not. */
static size_t bare_end(struct slice s, bool escapes)
{
	size_t i = 0;
	while (i < s.len && s.data[i] != ';') {
		if (escapes && s.data[i] == '\\')
			i++;
		i++;
	}
	return i < s.len ? i : s.len;
}

static void add_bare_alternatives(struct parser *p, struct slice name, struct slice written)
{
	struct slice bare = slice_trim(strip_comments(p->arena, written));
	if (bare.len != written.len)
		add_piece(p, name, bare, true);
	if (written.len > 2 && written.data[0] == '\'' && written.data[written.len - 1] == '\'')
		add_piece(p, name, slice_sub(written, 1, written.len - 2), true);
	if (slice_chr(written, '\\') != SLICE_NPOS)
		add_piece(p, name, unescape(p->arena, written), true);
	if (slice_chr(written, '"') != SLICE_NPOS)
		add_piece(p, name, slice_head(written, slice_chr(written, '"')), true);
	size_t space = 0;
	while (space < written.len && !ascii_is_space(written.data[space]) && written.data[space] != ',')
		space++;
	if (space < written.len)
		add_piece(p, name, slice_head(written, space), true);
}

static void read_bare(struct parser *p, struct slice name)
{
	struct slice rest = slice_from(p->text, p->at);
	size_t end = bare_end(rest, false), missed = forgotten_separator(slice_head(rest, end));
	if (missed != SLICE_NPOS) {
		end = missed;
		p->result->odd = true;
	}
	struct slice written = slice_trim(slice_head(rest, end));
	/* "report (1).pdf" is a name more often than a name and a comment. */
	struct slice value = is_file_name(name) ? written : slice_trim(strip_comments(p->arena, written));
	add_piece(p, name, value, false);
	if (value.len != written.len)
		add_piece(p, name, written, true);
	add_bare_alternatives(p, name, written);
	struct slice next = slice_from(rest, end + 1);
	next = slice_head(next, bare_end(next, false));
	if (end < rest.len && rest.data[end] == ';' && slice_trim(next).len > 0 && slice_chr(next,
		'=') == SLICE_NPOS)
		add_piece(p, name, slice_trim(slice_head(rest, end + 1 + next.len)), true); /* file;.exe */
	size_t escaped = bare_end(rest, true);
	if (escaped > end && missed == SLICE_NPOS)
		add_piece(p, name, unescape(p->arena, slice_trim(slice_head(rest, escaped))), true);
	p->at += end;
}

/* From behind a ";" to the next. */
static void read_one(struct parser *p)
{
	size_t begin = p->at;
	while (p->at < p->text.len && p->text.data[p->at] != '=' && p->text.data[p->at] != ';')
		p->at++;
	struct slice written = slice_trim(slice_sub(p->text, begin, p->at - begin));
	if (p->at == p->text.len || p->text.data[p->at] == ';') {
		p->result->odd = p->result->odd || strip_comments(p->arena, written).len > 0;
		return;
	}
	struct slice name = clean_name(p->arena, written);
	p->result->odd = p->result->odd || name.len != written.len;
	do
		p->at++;
	while (p->at < p->text.len && ascii_is_space(p->text.data[p->at]));
	if (p->at < p->text.len && p->text.data[p->at] == '"')
		read_quoted(p, name);
	else
		read_bare(p, name);
}

/* text/plain: cut at the first ";", or where one was forgotten. */
static void read_value(struct parser *p)
{
	size_t end = bare_end(p->text, false), missed = forgotten_separator(slice_head(p->text, end));
	if (missed != SLICE_NPOS) {
		end = missed;
		p->result->odd = true;
	}
	struct slice written = slice_head(p->text, end);
	struct slice bare = slice_trim(strip_comments(p->arena, written));
	char *out = arena_alloc(p->arena, bare.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < bare.len; i++)
		if (!ascii_is_space(bare.data[i]) && bare.data[i] != '"' && bare.data[i] != '\0')
			out[len++] = ascii_lower(bare.data[i]);
		else
			p->result->odd = true;
	p->result->value = slice_make(out, len);
	p->at = end;
}

static struct parameter *add_result(struct parser *p)
{
	struct parameters *r = p->result;
	if (r->count == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 4;
		struct parameter *more = arena_array(p->arena, struct parameter, cap);
		if (r->count > 0)
			memcpy(more, r->list, r->count * sizeof(*more));
		r->list = more;
		p->cap = cap;
	}
	return &r->list[r->count++];
}

static void percent_decode(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool escape = s.data[i] == '%' && i + 2 < s.len && ascii_hex(s.data[i + 1]) >= 0 &&
			ascii_hex(s.data[i + 2]) >= 0;
		if (escape) {
			buf_add_char(out, (char)(ascii_hex(s.data[i + 1]) << 4 | ascii_hex(s.data[i + 2])));
			i += 2;
		} else {
			buf_add_char(out, s.data[i]);
		}
	}
}

/* "charset'language'text": takes the first two off. */
static struct slice take_charset(struct slice *value)
{
	size_t first = slice_chr(*value, '\'');
	size_t second = first == SLICE_NPOS ? first : slice_chr(slice_from(*value, first + 1), '\'');
	if (second == SLICE_NPOS)
		return SLICE_EMPTY;
	struct slice charset = slice_head(*value, first);
	*value = slice_from(*value, first + 1 + second + 1);
	return charset;
}

/* The sections in the order given, joined into one parameter. */
static void add_joined(struct parser *p, struct piece *const *pieces, size_t count, bool alternative)
{
	struct buf joined = { 0 };
	struct slice charset = SLICE_EMPTY;
	for (size_t i = 0; i < count; i++) {
		struct slice value = pieces[i]->value;
		if (i == 0 && pieces[i]->extended)
			charset = take_charset(&value);
		if (pieces[i]->extended)
			percent_decode(&joined, value);
		else
			buf_add_slice(&joined, value);
	}
	struct parameter *r = add_result(p);
	struct slice bytes = arena_copy(p->arena, buf_slice(&joined));
	*r = (struct parameter){ .name = pieces[0]->name, .raw = pieces[0]->value, .extended = true,
				 .alternative = alternative };
	r->value = charset_to_utf8(p->arena, bytes, charset, NULL);
	if (slice_find(r->value, SLICE("=?")) != SLICE_NPOS)
		r->value = encoded_word_decode(p->arena, r->value);
	buf_free(&joined);
}

static int by_section(const void *a, const void *b)
{
	const struct piece *const *x = a, *const *y = b;
	if ((*x)->section != (*y)->section)
		return (*x)->section < (*y)->section ? -1 : 1;
	return (*x)->order < (*y)->order ? -1 : 1;
}

/* All sections of the name that pieces[first] has: in order of their numbers, and as they came. */
static void join_sections(struct parser *p, size_t first)
{
	struct piece *found[MAX_PARAMETERS];
	size_t count = 0;
	bool sorted = true, gap = false;
	for (size_t i = first; i < p->count; i++) {
		struct piece *piece = &p->pieces[i];
		if (piece->section < 0 || piece->alternative || !slice_eq(piece->name, p->pieces[first].name))
			continue;
		sorted = sorted && (count == 0 || found[count - 1]->section < piece->section);
		found[count++] = piece;
	}
	if (!sorted)
		add_joined(p, found, count, true);
	qsort(found, count, sizeof(*found), by_section);
	for (size_t i = 0; i < count; i++)
		gap = gap || found[i]->section != (int)i;
	add_joined(p, found, count, false);
	p->result->odd = p->result->odd || !sorted || gap;
	for (size_t i = 0; i < count; i++)
		found[i]->section = -2; /* done */
}

static void add_plain(struct parser *p, const struct piece *piece)
{
	struct parameter *r = add_result(p);
	*r = (struct parameter){ .name = piece->name, .raw = piece->value, .alternative = piece->alternative };
	r->value = encoded_word_decode(p->arena, piece->value);
}

static void finish(struct parser *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct piece *piece = &p->pieces[i];
		if (piece->section == -2)
			continue;
		if (piece->section >= 0 && !piece->alternative)
			join_sections(p, i);
		else if (piece->extended)
			add_joined(p, &(struct piece *){ piece }, 1, piece->alternative);
		else
			add_plain(p, piece);
	}
	for (size_t i = 0; i < p->result->count; i++)
		for (size_t j = 0; j < i; j++)
			if (slice_eq(p->result->list[i].name, p->result->list[j].name) &&
			    p->result->list[i].extended == p->result->list[j].extended)
				p->result->odd = true;
}

struct parameters parameters_parse(struct arena *arena, struct slice field)
{
	struct parameters result = { 0 };
	struct parser p = { .arena = arena, .result = &result };
	p.text = header_unfold(arena, slice_head(field, MAX_FIELD));
	read_value(&p);
	while (p.at < p.text.len && p.count < MAX_PARAMETERS) {
		if (p.text.data[p.at] == ';' || ascii_is_space(p.text.data[p.at]))
			p.at++;
		else
			read_one(&p);
	}
	finish(&p);
	return result;
}

const struct parameter *parameters_find(const struct parameters *p, struct slice name)
{
	const struct parameter *plain = NULL;
	for (size_t i = 0; i < p->count; i++) {
		if (p->list[i].alternative || !slice_eq(p->list[i].name, name))
			continue;
		if (p->list[i].extended)
			return &p->list[i];
		if (plain == NULL)
			plain = &p->list[i];
	}
	return plain;
}

struct slice parameters_value(const struct parameters *p, struct slice name)
{
	const struct parameter *found = parameters_find(p, name);
	return found ? found->value : SLICE_EMPTY;
}
