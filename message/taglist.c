#include "message/taglist.h"

static const char *const error_texts[] = {
	[TAGLIST_OK] = "no error",
	[TAGLIST_BAD_NAME] = "a tag has no usable name",
	[TAGLIST_NO_EQUALS] = "a tag has no \"=\"",
	[TAGLIST_BAD_VALUE] = "a tag's value has a control character",
	[TAGLIST_DUPLICATE] = "a tag comes twice",
	[TAGLIST_TOO_MANY] = "too many tags",
};

const char *taglist_error_text(enum taglist_error error)
{
	return error_texts[error];
}

static bool is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trim_fws(struct slice s)
{
	while (s.len > 0 && is_fws(s.data[0]))
		s = slice_from(s, 1);
	while (s.len > 0 && is_fws(s.data[s.len - 1]))
		s.len--;
	return s;
}

static bool name_ok(struct slice name)
{
	if (name.len == 0 || !ascii_is_alpha(name.data[0]))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && name.data[i] != '_')
			return false;
	return true;
}

static bool value_ok(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if ((c < 0x21 && !is_fws((char)c)) || c == 0x7f)
			return false;
	}
	return true;
}

static enum taglist_error parse_tag(struct slice spec, struct taglist *list)
{
	size_t equals = slice_chr(spec, '=');
	if (equals == SLICE_NPOS)
		return trim_fws(spec).len == 0 ? TAGLIST_BAD_NAME : TAGLIST_NO_EQUALS;
	struct tag tag = {
		.name = trim_fws(slice_head(spec, equals)),
		.value = trim_fws(slice_from(spec, equals + 1)),
	};
	if (!name_ok(tag.name))
		return TAGLIST_BAD_NAME;
	if (!value_ok(tag.value))
		return TAGLIST_BAD_VALUE;
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(list->tags[i].name, tag.name))
			return TAGLIST_DUPLICATE;
	if (list->count == TAGLIST_MAX)
		return TAGLIST_TOO_MANY;
	list->tags[list->count++] = tag;
	return TAGLIST_OK;
}

enum taglist_error taglist_parse(struct slice text, struct taglist *list_r)
{
	struct slice rest = slice_make(text.data ? text.data : "", text.len), spec;
	list_r->count = 0;
	while (slice_split(&rest, ';', &spec)) {
		if (rest.data == NULL && list_r->count > 0 && trim_fws(spec).len == 0)
			break; /* behind the one ";" that may end a list */
		enum taglist_error error = parse_tag(spec, list_r);
		if (error != TAGLIST_OK)
			return error;
	}
	return TAGLIST_OK;
}

const struct tag *taglist_get(const struct taglist *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(list->tags[i].name, slice_str(name)))
			return &list->tags[i];
	return NULL;
}

bool taglist_split(struct slice *rest, struct slice *piece_r)
{
	if (!slice_split(rest, ':', piece_r))
		return false;
	*piece_r = trim_fws(*piece_r);
	return true;
}

bool taglist_has(struct slice value, struct slice word)
{
	struct slice piece;
	while (taglist_split(&value, &piece))
		if (slice_eq_nocase(piece, word))
			return true;
	return false;
}

struct slice taglist_squeeze(struct arena *arena, struct slice value)
{
	char *out = arena_alloc(arena, value.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++)
		if (!is_fws(value.data[i]))
			out[len++] = value.data[i];
	return slice_make(out, len);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool taglist_base64(struct arena *arena, struct slice value, struct slice *bytes_r)
{
	struct slice text = taglist_squeeze(arena, value);
	size_t padding = 0, len = 0;
	while (padding < 2 && text.len > 0 && text.data[text.len - 1] == '=') {
		text.len--;
		padding++;
	}
	if (text.len == 0 || text.len % 4 == 1 || (padding > 0 && (text.len + padding) % 4 != 0))
		return false;
	unsigned char *out = arena_alloc(arena, text.len / 4 * 3 + 3);
	uint32_t bits = 0;
	for (size_t i = 0; i < text.len; i++) {
		int v = base64_value(text.data[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 != 0)
			out[len++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	*bytes_r = slice_make(out, len);
	return true;
}

bool taglist_qp(struct arena *arena, struct slice value, struct slice *text_r)
{
	struct slice text = taglist_squeeze(arena, value);
	char *out = arena_alloc(arena, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c == '=') {
			int high = i + 2 < text.len ? ascii_hex(text.data[i + 1]) : -1;
			int low = i + 2 < text.len ? ascii_hex(text.data[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		out[len++] = c;
	}
	*text_r = slice_make(out, len);
	return true;
}
