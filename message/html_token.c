#include "message/html_token.h"

#include "message/html_entity.h"

void html_tokens_init(struct html_tokens *t, struct arena *arena, struct slice source)
{
	*t = (struct html_tokens){ .arena = arena, .rest = source };
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static void skip_space(struct slice *s)
{
	size_t i = 0;
	while (i < s->len && is_space(s->data[i]))
		i++;
	*s = slice_from(*s, i);
}

static struct slice take(struct slice *s, size_t n)
{
	struct slice taken = slice_head(*s, n);
	*s = slice_from(*s, n);
	return taken;
}

/* Most are lower case already. */
static struct slice lower(struct arena *arena, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] >= 'A' && s.data[i] <= 'Z')
			return arena_lower(arena, s);
	return s;
}

/* Elements whose content is text whatever stands in it, up to their end tag. */
static const struct {
	const char *name;
	bool decodes;
} raw_elements[] = {
	{ "script", false }, { "style", false }, { "xmp", false }, { "noembed", false }, { "noframes", false },
	{ "title", true }, { "textarea", true }, { "plaintext", false },
};

static void enter_raw(struct html_tokens *t, struct slice name)
{
	if (name.len < 3 || strchr("sxntp", name.data[0]) == NULL)
		return;
	for (size_t i = 0; i < sizeof(raw_elements) / sizeof(*raw_elements); i++)
		if (slice_eq(name, slice_str(raw_elements[i].name))) {
			t->raw_until = name;
			t->raw_decodes = raw_elements[i].decodes;
		}
}

/* Offset of "</name" with a space, "/" or ">" behind it; the length if there is none. */
static size_t find_raw_end(struct slice s, struct slice name)
{
	size_t at = 0;
	while (at < s.len) {
		size_t lt = slice_chr(slice_from(s, at), '<');
		if (lt == SLICE_NPOS)
			return s.len;
		at += lt;
		struct slice tag = slice_from(s, at + 1);
		if (tag.len > name.len + 1 && tag.data[0] == '/' && slice_starts_nocase(slice_from(tag, 1), name)) {
			char c = tag.data[1 + name.len];
			if (is_space(c) || c == '/' || c == '>')
				return at;
		}
		at++;
	}
	return s.len;
}

static struct slice decoded(struct html_tokens *t, struct slice s, bool attribute)
{
	return html_entities_decode(t->arena, s, attribute);
}

static struct slice attribute_value(struct html_tokens *t)
{
	char quote = t->rest.len > 0 ? t->rest.data[0] : '\0';
	struct slice value;
	if (quote == '"' || quote == '\'') {
		take(&t->rest, 1);
		value = take(&t->rest, slice_chr(t->rest, quote));
		take(&t->rest, 1);
	} else {
		size_t i = 0;
		while (i < t->rest.len && !is_space(t->rest.data[i]) && t->rest.data[i] != '>')
			i++;
		value = take(&t->rest, i);
	}
	return decoded(t, value, true);
}

static struct slice attribute_name(struct html_tokens *t)
{
	size_t i = t->rest.len > 0 && t->rest.data[0] == '=' ? 1 : 0;
	while (i < t->rest.len && !is_space(t->rest.data[i]) && strchr("/>=", t->rest.data[i]) == NULL)
		i++;
	return lower(t->arena, take(&t->rest, i));
}

static void add_attribute(struct html_token *token, struct slice name, struct slice value)
{
	for (size_t i = 0; i < token->attribute_count; i++)
		if (slice_eq(token->attributes[i].name, name))
			return;
	if (token->attribute_count < HTML_ATTRIBUTES_MAX)
		token->attributes[token->attribute_count++] = (struct html_attribute){ name, value };
}

/* Behind the tag's name, to behind its ">". */
static void attributes(struct html_tokens *t, struct html_token *token)
{
	token->attribute_count = 0;
	for (;;) {
		skip_space(&t->rest);
		if (t->rest.len == 0)
			return;
		if (t->rest.data[0] == '>') {
			take(&t->rest, 1);
			return;
		}
		if (t->rest.data[0] == '/' || t->rest.data[0] == '\0') {
			take(&t->rest, 1);
			continue;
		}
		struct slice name = attribute_name(t), value = SLICE_EMPTY;
		skip_space(&t->rest);
		if (t->rest.len > 0 && t->rest.data[0] == '=') {
			take(&t->rest, 1);
			skip_space(&t->rest);
			value = attribute_value(t);
		}
		add_attribute(token, name, value);
	}
}

static bool tag(struct html_tokens *t, struct html_token *token, bool end)
{
	size_t i = 0;
	take(&t->rest, end ? 2 : 1);
	while (i < t->rest.len && !is_space(t->rest.data[i]) && t->rest.data[i] != '/' && t->rest.data[i] != '>')
		i++;
	token->type = end ? HTML_END : HTML_START;
	token->name = lower(t->arena, take(&t->rest, i));
	attributes(t, token);
	if (!end)
		enter_raw(t, token->name);
	return true;
}

/* At "<!--". */
static bool comment(struct html_tokens *t, struct html_token *token)
{
	token->type = HTML_COMMENT;
	struct slice s = slice_from(t->rest, 4);
	size_t at = 0, skip = 0;
	if (slice_starts(s, SLICE(">")) || slice_starts(s, SLICE("->"))) {
		skip = s.data[0] == '>' ? 1 : 2;
	} else {
		for (; at < s.len; at++) {
			size_t dash = slice_chr(slice_from(s, at), '-');
			if (dash == SLICE_NPOS) {
				at = s.len;
				break;
			}
			at += dash;
			struct slice here = slice_from(s, at);
			skip = slice_starts(here, SLICE("-->")) ? 3 : slice_starts(here, SLICE("--!>")) ? 4 : 0;
			if (skip > 0)
				break;
		}
	}
	token->text = slice_head(s, at);
	t->rest = slice_from(s, at + skip);
	return true;
}

/* At "<!", "<?" or "</" with no letter behind: up to the next ">". */
static bool declaration(struct html_tokens *t, struct html_token *token)
{
	token->type = HTML_DECLARATION;
	token->text = take(&t->rest, slice_chr(t->rest, '>'));
	token->text = slice_from(token->text, 1);
	take(&t->rest, 1);
	return true;
}

static bool text(struct html_tokens *t, struct html_token *token, size_t len)
{
	token->type = HTML_TEXT;
	token->text = decoded(t, take(&t->rest, len), false);
	return true;
}

static bool raw_text(struct html_tokens *t, struct html_token *token)
{
	size_t len = find_raw_end(t->rest, t->raw_until);
	bool decodes = t->raw_decodes, plain = slice_eq(t->raw_until, SLICE("plaintext"));
	bool shown = decodes || plain || slice_eq(t->raw_until, SLICE("xmp"));
	if (plain)
		len = t->rest.len;
	t->raw_until = SLICE_EMPTY;
	if (len == 0)
		return false;
	token->type = shown ? HTML_TEXT : HTML_RAW_TEXT;
	struct slice s = take(&t->rest, len);
	token->text = decodes ? decoded(t, s, false) : s;
	return true;
}

/* Does markup begin at "<"? */
static bool is_markup(struct slice s)
{
	if (s.len < 2)
		return false;
	char c = s.data[1];
	if (c == '/')
		return s.len > 2 && (ascii_is_alpha(s.data[2]) || s.data[2] != ' ');
	return ascii_is_alpha(c) || c == '!' || c == '?';
}

bool html_token_next(struct html_tokens *t, struct html_token *token)
{
	token->attribute_count = 0;
	if (t->raw_until.len > 0 && raw_text(t, token))
		return true;
	if (t->rest.len == 0)
		return false;
	/* A text goes on over "<" that begin nothing. */
	size_t len = 0;
	while (len < t->rest.len) {
		size_t lt = slice_chr(slice_from(t->rest, len), '<');
		if (lt == SLICE_NPOS) {
			len = t->rest.len;
			break;
		}
		len += lt;
		if (is_markup(slice_from(t->rest, len)))
			break;
		len++;
	}
	if (len > 0)
		return text(t, token, len);
	if (slice_starts(t->rest, SLICE("<!--")))
		return comment(t, token);
	if (ascii_is_alpha(t->rest.data[1]))
		return tag(t, token, false);
	if (t->rest.data[1] == '/' && t->rest.len > 2 && ascii_is_alpha(t->rest.data[2]))
		return tag(t, token, true);
	return declaration(t, token);
}

const struct slice *html_attribute(const struct html_token *token, const char *name)
{
	for (size_t i = 0; i < token->attribute_count; i++)
		if (slice_eq(token->attributes[i].name, slice_str(name)))
			return &token->attributes[i].value;
	return NULL;
}
