/*
 * Walks the tokens once: texts go to what the eye sees or does not, attributes
 * to links, all of it to the counts. Two stacks of styles are kept, the eye's
 * here and SpamAssassin's in html_facts.c; both end when the input does.
 *
 * The tokens are ours, not libxml2's: SpamAssassin's counts are of tags as
 * they stand, end tags that match nothing among them, which libxml2 drops; and
 * ours take a third of its time. libxml2 is the second engine.
 */
#include "message/html_text.h"

#include "base/buf.h"
#include "message/html_color.h"
#include "message/html_libxml.h"
#include "message/html_render.h"
#include "message/html_style.h"
#include "message/text_space.h"
#include "message/uri.h"

#define DEFAULT_LINKS 10000u
#define DEFAULT_SOURCE (8u << 20)
#define FIRST_STACK 64u
#define MAX_TEXTS 2000u       /* comments, scripts, titles, anchors kept, of each */
#define MAX_LINK 8192u        /* octets of one URI */
#define MAX_STACK 100000u
#define LINK_COLOR 0x0000ee

struct open_element {
	const struct html_element *element;
	struct html_style style;
};

/* Texts that grow one after the other in one buffer. */
struct texts {
	struct buf buf;
	size_t *begins;
	size_t count, cap;
};

struct renderer {
	struct arena *arena;
	struct html *html;
	struct html_limits limits;
	struct html_counter counter;
	struct html_sheet *sheet;
	struct open_element *stack;
	size_t depth, stack_cap;
	unsigned stacked[HTML_ELEMENTS_MAX];
	struct buf text, visible, hidden, piece;
	struct buf *last;          /* where the last piece went beside text; NULL: none yet */
	size_t last_len;           /* of the last piece in text */
	bool last_space;           /* it was white space that a tag made */
	bool last_invisible;
	struct texts titles, anchors, comments, scripts;
	size_t link_cap;
	struct slice base;
};

/* Collections. */

static void begin_text(struct arena *arena, struct texts *t)
{
	if (t->count == MAX_TEXTS)
		return;
	if (t->count == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		size_t *more = arena_array(arena, size_t, cap);
		if (t->count > 0)
			memcpy(more, t->begins, t->count * sizeof(*more));
		t->begins = more;
		t->cap = cap;
	}
	t->begins[t->count++] = t->buf.len;
}

static void add_to_text(struct texts *t, struct slice s)
{
	if (t->count > 0)
		buf_add_slice(&t->buf, s);
}

static size_t finish_texts(struct arena *arena, struct texts *t, struct slice **list_r)
{
	struct slice all = arena_copy(arena, buf_slice(&t->buf));
	*list_r = arena_array(arena, struct slice, t->count);
	for (size_t i = 0; i < t->count; i++) {
		size_t end = i + 1 < t->count ? t->begins[i + 1] : all.len;
		(*list_r)[i] = slice_sub(all, t->begins[i], end - t->begins[i]);
	}
	buf_free(&t->buf);
	return t->count;
}

/* Text. */

static void add_piece(struct renderer *r, struct buf *where, struct slice piece, bool space, bool invisible)
{
	/* Hidden texts from different places don't run together. */
	if (where == &r->hidden && r->last != where && where->len > 0)
		buf_add_char(where, ' ');
	buf_add_slice(&r->text, piece);
	buf_add_slice(where, piece);
	r->last = where;
	r->last_len = piece.len;
	r->last_space = space;
	r->last_invisible = invisible;
}

static void add_space(struct renderer *r, enum html_space space)
{
	static const struct slice made[] = { { "", 0 }, { "\n", 1 }, { " ", 1 }, { "\n\n", 2 } };
	bool trims = r->last != NULL && !r->last_space && !r->last_invisible && r->last_len > 0;
	if (trims && r->text.data[r->text.len - 1] == ' ') {
		r->text.len--;
		r->last->len--;
	}
	add_piece(r, &r->visible, made[space], true, false);
}

/* What a character is rendered as, '\0': itself: curly quotes are straight, as with SpamAssassin. */
static char rendered_as(struct slice s, size_t *len_r)
{
	unsigned char c = (unsigned char)s.data[0];
	*len_r = 1;
	if (c < 0x80)
		return ascii_is_space((char)c) ? ' ' : '\0';
	bool quote = c == 0xe2 && s.len > 2 && s.data[1] == '\x80' && (s.data[2] == '\x9c' || s.data[2] == '\x9d');
	*len_r = quote ? 3 : 1;
	return quote ? '"' : '\0';
}

/* White space of any kind is one space. */
static void collapse(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len;) {
		size_t begin = i, n = 1;
		char as = '\0';
		while (i < s.len && (as = rendered_as(slice_from(s, i), &n)) == '\0')
			i++;
		buf_add(out, s.data + begin, i - begin);
		if (i == s.len)
			return;
		buf_add_char(out, as);
		i += n;
		while (as == ' ' && i < s.len && ascii_is_space(s.data[i]))
			i++;
	}
}

static unsigned why_hidden(const struct renderer *r)
{
	return html_style_hides(&r->stack[r->depth - 1].style);
}

static size_t count_characters(struct slice s, size_t *blank_r)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		n += (s.data[i] & 0xc0) != 0x80;
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f) /* others are none */
			*blank_r += text_space_len(slice_from(s, i)) > 0;
	}
	return n;
}

static void on_text(struct renderer *r, struct slice text)
{
	if (r->counter.open[r->counter.a] > 0)
		add_to_text(&r->anchors, text);
	if (r->counter.open[r->counter.title] > 0)
		add_to_text(&r->titles, text);
	struct slice before = slice_from(buf_slice(&r->text), r->text.len - r->last_len);
	bool invisible = html_count_text(&r->counter, before, text);
	buf_clear(&r->piece);
	collapse(&r->piece, text);
	struct slice s = buf_slice(&r->piece);
	if (r->last != NULL && r->last_space && !invisible && s.len > 0 && s.data[0] == ' ')
		s = slice_from(s, 1);
	unsigned hidden = html_is_blank(s) ? 0 : why_hidden(r);
	size_t blank = 0;
	r->html->facts.hidden |= hidden;
	if (hidden)
		r->html->facts.hidden_len += count_characters(s, &blank);
	/* White space belongs to where the text around it is. */
	struct buf *where = hidden || (html_is_blank(s) && r->last == &r->hidden) ? &r->hidden : &r->visible;
	add_piece(r, where, s, false, invisible);
}

/* Links. */

static struct slice trim_uri(struct slice s)
{
	static const struct slice odd[] = { { "\xc2\xa0", 2 }, { "\xe2\x80\x9c", 3 }, { "\xe2\x80\x9d", 3 },
		{ "\xef\xbb\xbf", 3 } };
	for (bool more = true; more;) {
		more = false;
		s = slice_trim(s);
		for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
			if (slice_starts(s, odd[i])) {
				s = slice_from(s, odd[i].len);
				more = true;
			} else if (slice_ends(s, odd[i])) {
				s.len -= odd[i].len;
				more = true;
			}
		}
	}
	return s;
}

static bool is_final(struct slice uri)
{
	static const struct slice schemes[] = { { "data:", 5 }, { "mailto:", 7 }, { "file:", 5 }, { "cid:", 4 },
		{ "tel:", 4 } };
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (slice_starts_nocase(uri, schemes[i]))
			return true;
	return false;
}

static struct html_link *add_link(struct renderer *r, const char *tag, struct slice written)
{
	struct html *html = r->html;
	written = trim_uri(written);
	if (written.len > MAX_LINK) {
		html->facts.uri_truncated = true;
		written = slice_head(written, MAX_LINK);
	}
	if (written.len == 0)
		return NULL;
	if (html->link_count == r->limits.links) {
		html->facts.uri_truncated = true;
		return NULL;
	}
	if (html->link_count == r->link_cap) {
		r->link_cap = r->link_cap ? r->link_cap * 2 : 16;
		struct html_link *more = arena_array(r->arena, struct html_link, r->link_cap);
		if (html->link_count > 0)
			memcpy(more, html->links, html->link_count * sizeof(*more));
		html->links = more;
	}
	struct html_link *link = &html->links[html->link_count++];
	*link = (struct html_link){ .tag = tag, .written = written, .hidden = why_hidden(r) != 0 };
	link->uri = is_final(written) ? written : uri_resolve(r->arena, r->base, written);
	link->anchor = SIZE_MAX;
	return link;
}

/* <base href>: the folder of it, where it is absolute. */
static void set_base(struct renderer *r, struct slice uri)
{
	uri = trim_uri(uri);
	static const struct slice schemes[] = { { "http:", 5 }, { "https:", 6 }, { "ftp:", 4 } };
	bool absolute = false;
	for (size_t i = 0; i < 3; i++)
		absolute = absolute || slice_starts_nocase(uri, schemes[i]);
	if (!absolute || uri.len > MAX_LINK)
		return;
	size_t slash = slice_rchr(uri, '/'), dot = slice_rchr(uri, '.');
	size_t authority = slice_find(uri, SLICE("//"));
	bool file = slash != SLICE_NPOS && dot != SLICE_NPOS && dot > slash && uri.len - dot <= 5 &&
		slash > (authority == SLICE_NPOS ? 0 : authority + 1);
	if (file)
		uri = slice_head(uri, slash + 1);
	r->base = slice_ends(uri, SLICE("/")) ? uri : arena_printf(r->arena, "%.*s/", SLICE_ARG(uri));
}

/* content="0; url=http://…" */
static void add_refresh(struct renderer *r, const struct html_token *token)
{
	const struct slice *equiv = html_attribute(token, "http-equiv"), *content = html_attribute(token, "content");
	if (equiv == NULL || content == NULL || slice_find_nocase(*equiv, SLICE("refresh")) == SLICE_NPOS)
		return;
	size_t at = slice_find_nocase(*content, SLICE("url"));
	struct slice s = slice_trim_left(slice_from(*content, at == SLICE_NPOS ? content->len : at + 3));
	if (!slice_starts(s, SLICE("=")))
		return;
	s = slice_trim_left(slice_from(s, 1));
	if (s.len > 0 && (s.data[0] == '\'' || s.data[0] == '"'))
		s = slice_head(slice_from(s, 1), slice_chr(slice_from(s, 1), s.data[0]));
	add_link(r, "meta", slice_head(s, slice_chr(s, ';')));
}

/* url(…) in a style */
static void add_style_urls(struct renderer *r, struct slice style)
{
	for (unsigned n = 0; n < 8; n++) {
		size_t at = slice_find_nocase(style, SLICE("url("));
		if (at == SLICE_NPOS)
			return;
		style = slice_from(style, at + 4);
		struct slice url = slice_trim(slice_head(style, slice_chr(style, ')')));
		if (url.len >= 2 && (url.data[0] == '\'' || url.data[0] == '"'))
			url = slice_sub(url, 1, url.len - 2);
		if (!slice_starts_nocase(url, SLICE("data:")))
			add_link(r, "style", url);
	}
}

/* href, but also "x/href" of markup without spaces. */
static const struct slice *uri_attribute(const struct html_token *token, const char *name)
{
	const struct slice *value = html_attribute(token, name);
	for (size_t i = 0; value == NULL && i < token->attribute_count; i++) {
		struct slice key = token->attributes[i].name;
		size_t n = strlen(name);
		if (key.len > n + 1 && slice_ends(key, slice_str(name)) && key.data[key.len - n - 1] == '/')
			value = &token->attributes[i].value;
	}
	return value;
}

static void add_links(struct renderer *r, const struct html_token *token, const struct html_element *element)
{
	const struct slice *value;
	if (slice_eq(token->name, SLICE("meta"))) {
		add_refresh(r, token);
		return;
	}
	value = element->uri ? uri_attribute(token, element->uri) : NULL;
	struct html_link *link = value ? add_link(r, element->name, *value) : NULL;
	if (slice_eq(token->name, SLICE("a"))) {
		begin_text(r->arena, &r->anchors);
		r->html->facts.links += link != NULL;
		if (link != NULL && r->anchors.count > 0)
			link->anchor = r->anchors.count - 1;
		if ((value = html_attribute(token, "data-saferedirecturl")) != NULL)
			add_link(r, "a", *value);
	}
	if (slice_eq(token->name, SLICE("base")) && value != NULL)
		set_base(r, *value);
	if ((value = html_attribute(token, "style")) != NULL)
		add_style_urls(r, *value);
}

/* The eye's styles. */

static void push_element(struct renderer *r, const struct html_element *element,
	const struct html_style *style)
{
	if (r->depth == r->stack_cap) {
		if (r->stack_cap >= MAX_STACK)
			return;
		struct open_element *more = arena_array(r->arena, struct open_element, r->stack_cap * 2);
		memcpy(more, r->stack, r->depth * sizeof(*more));
		r->stack = more;
		r->stack_cap *= 2;
	}
	r->stack[r->depth++] = (struct open_element){ element, *style };
	r->stacked[html_element_index(element)]++;
}

static void pop_element(struct renderer *r)
{
	r->stacked[html_element_index(r->stack[--r->depth].element)]--;
}

static void close_element(struct renderer *r, const struct html_element *element)
{
	if (r->stacked[html_element_index(element)] == 0)
		return;
	while (r->stack[r->depth - 1].element != element)
		pop_element(r);
	pop_element(r);
}

static bool is_one_of(const struct html_element *element, const char *const *names)
{
	for (; element != NULL && *names != NULL; names++)
		if (strcmp(element->name, *names) == 0)
			return true;
	return false;
}

/* End tags that may be left out (HTML 13.1.2.4). */
static void close_implied(struct renderer *r, const struct html_element *element)
{
	static const char *const cells[] = { "td", "th", NULL }, *const rows[] = { "td", "th", "tr", NULL };
	static const char *const terms[] = { "dt", "dd", NULL };
	if (strcmp(element->name, "a") == 0)
		close_element(r, element);
	const struct html_element *top = r->stack[r->depth - 1].element;
	if (top == NULL)
		return;
	if (element->flags & ELEMENT_BLOCK && strcmp(top->name, "p") == 0)
		pop_element(r);
	else if ((strcmp(element->name, "li") == 0 || strcmp(element->name, "option") == 0) && top == element)
		pop_element(r);
	else if (is_one_of(element, cells) && is_one_of(top, cells))
		pop_element(r);
	else if (is_one_of(element, terms) && is_one_of(top, terms))
		pop_element(r);
	while (strcmp(element->name, "tr") == 0 && is_one_of(r->stack[r->depth - 1].element, rows))
		pop_element(r);
}

static void apply_old_attributes(struct html_style *style, const struct html_token *token)
{
	const struct slice *value;
	int32_t color;
	if (html_attribute(token, "hidden") != NULL)
		style->hidden |= HTML_HIDDEN_DISPLAY;
	if ((value = html_attribute(token, "bgcolor")) != NULL && (color = html_color(*value)) >= 0)
		style->background = color;
	if ((value = html_attribute(token, "background")) != NULL && value->len > 0)
		style->background = COLOR_INHERIT;
	bool body = slice_eq(token->name, SLICE("body"));
	if ((value = html_attribute(token, body ? "text" : "color")) != NULL && (color = html_color(*value)) >= 0)
		style->color = color;
	if (slice_eq(token->name, SLICE("a")) && html_attribute(token, "href") != NULL)
		style->color = LINK_COLOR;
	if (slice_eq(token->name, SLICE("font")) && (value = html_attribute(token, "size")) != NULL) {
		static const double px[] = { 10, 10, 13, 16, 18, 24, 32, 48 };
		uint64_t size;
		if (slice_u64(slice_trim(*value), 7, &size))
			style->font_px = size == 0 ? 1 : px[size]; /* SpamAssassin's 0 is a try to hide */
	}
}

static void open_element(struct renderer *r, const struct html_token *token,
	const struct html_element *element)
{
	close_implied(r, element);
	struct html_style style = r->stack[r->depth - 1].style;
	if (element->flags & ELEMENT_UNSEEN)
		style.hidden |= HTML_HIDDEN_DISPLAY;
	if (token->attribute_count > 0)
		apply_old_attributes(&style, token);
	if (r->sheet != NULL)
		html_sheet_apply(r->sheet, &style, token->name, html_attribute(token, "class"), html_attribute(token,
			"id"));
	const struct slice *inline_style = html_attribute(token, "style");
	if (inline_style != NULL)
		html_style_apply(&style, *inline_style);
	push_element(r, element, &style);
}

/* Tokens. */

/* Stands for all elements that nobody knows: styled as any, but nothing else. */
static const struct html_element *unknown_element(void)
{
	return html_element_find(SLICE("x-tab"));
}

static void on_start(struct renderer *r, const struct html_token *token)
{
	const struct html_element *element = html_element_find(token->name);
	bool known = element != NULL;
	html_count_start(&r->counter, token, element);
	if (!known)
		element = unknown_element();
	open_element(r, token, element);
	if (known) {
		if (element->space != SPACE_NONE)
			add_space(r, element->space);
		add_links(r, token, element);
		if (strcmp(element->name, "title") == 0)
			begin_text(r->arena, &r->titles);
		if (strcmp(element->name, "img") == 0 && r->counter.open[r->counter.a] > 0)
			add_to_text(&r->anchors, SLICE("<img>\n"));
	}
	if (element->flags & ELEMENT_VOID)
		close_element(r, element);
}

static void on_end(struct renderer *r, const struct html_token *token)
{
	const struct html_element *element = html_element_find(token->name);
	html_count_end(&r->counter, token->name, element);
	if (element == NULL)
		element = unknown_element();
	if (element->space != SPACE_NONE)
		add_space(r, element->space);
	if (strcmp(element->name, "body") != 0 && strcmp(element->name, "html") != 0)
		close_element(r, element);
}

/* The content of a script or a style sheet. */
static void on_raw_text(struct renderer *r, struct slice text)
{
	if (r->counter.open[r->counter.style] > 0) {
		if (r->sheet == NULL)
			r->sheet = html_sheet_create(r->arena);
		html_sheet_add(r->sheet, text);
	} else if (r->counter.open[r->counter.script] > 0) {
		begin_text(r->arena, &r->scripts);
		add_to_text(&r->scripts, text);
	}
}

static void on_declaration(struct renderer *r, struct slice text)
{
	if (!slice_starts_nocase(text, SLICE("!doctype")))
		return;
	r->html->facts.elements++;
	r->html->facts.tags++;
}

static void on_token(struct renderer *r, const struct html_token *token)
{
	switch (token->type) {
	case HTML_START:
		on_start(r, token);
		break;
	case HTML_END:
		on_end(r, token);
		break;
	case HTML_TEXT:
		on_text(r, token->text);
		break;
	case HTML_RAW_TEXT:
		on_raw_text(r, token->text);
		break;
	case HTML_COMMENT:
		r->html->facts.comments++;
		begin_text(r->arena, &r->comments);
		add_to_text(&r->comments, token->text);
		break;
	case HTML_DECLARATION:
		on_declaration(r, token->text);
		break;
	}
}

/* A token that does not outlive its call. */
static void on_copied_token(void *arg, const struct html_token *token)
{
	struct renderer *r = arg;
	struct html_token *copy = arena_new(r->arena, struct html_token);
	*copy = *token;
	copy->name = arena_copy(r->arena, token->name);
	copy->text = arena_copy(r->arena, token->text);
	for (size_t i = 0; i < token->attribute_count; i++) {
		copy->attributes[i].name = arena_copy(r->arena, token->attributes[i].name);
		copy->attributes[i].value = arena_copy(r->arena, token->attributes[i].value);
	}
	on_token(r, copy);
}

static void finish(struct renderer *r, struct slice source)
{
	struct html *html = r->html;
	struct html_facts *f = &html->facts;
	size_t blank = 0, ignored = 0;
	html_counter_finish(&r->counter);
	html->text = arena_copy(r->arena, buf_slice(&r->text));
	html->visible = arena_copy(r->arena, buf_slice(&r->visible));
	html->hidden = arena_copy(r->arena, buf_slice(&r->hidden));
	html->title_count = finish_texts(r->arena, &r->titles, &html->titles);
	html->anchor_count = finish_texts(r->arena, &r->anchors, &html->anchors);
	html->comment_count = finish_texts(r->arena, &r->comments, &html->comments);
	html->script_count = finish_texts(r->arena, &r->scripts, &html->scripts);
	for (size_t i = 0; i < html->link_count; i++)
		if (html->links[i].anchor < html->anchor_count)
			html->links[i].text = html->anchors[html->links[i].anchor];
	f->length = count_characters(source, &ignored);
	f->html_length = count_characters(html->text, &blank);
	f->non_space_len = f->html_length - blank;
	f->ratio = source.len > 0 ? ((double)source.len - (double)f->html_length) / (double)source.len : 0;
	buf_free(&r->text);
	buf_free(&r->visible);
	buf_free(&r->hidden);
	buf_free(&r->piece);
}

struct html *html_render(struct arena *arena, struct slice source, const struct html_limits *limits)
{
	struct renderer *r = arena_new(arena, struct renderer);
	struct html_token *token = arena_new(arena, struct html_token);
	struct html_tokens tokens;
	r->arena = arena;
	r->html = arena_new(arena, struct html);
	r->limits.links = limits && limits->links ? limits->links : DEFAULT_LINKS;
	source = slice_head(source, limits && limits->source ? limits->source : DEFAULT_SOURCE);
	r->stack_cap = FIRST_STACK;
	r->stack = arena_array(arena, struct open_element, r->stack_cap);
	html_style_default(&r->stack[r->depth++].style);
	html_counter_init(&r->counter, arena, &r->html->facts);
	html_tokens_init(&tokens, arena, source);
	if (limits != NULL && limits->engine == HTML_ENGINE_LIBXML)
		html_libxml_parse(source, on_copied_token, r);
	else
		while (html_token_next(&tokens, token))
			on_token(r, token);
	finish(r, source);
	return r->html;
}

const struct html_tag *html_tag_find(const struct html *html, struct slice name)
{
	for (size_t i = 0; i < html->facts.tag_count; i++)
		if (slice_eq_nocase(html->facts.tag_list[i].name, name))
			return &html->facts.tag_list[i];
	return NULL;
}
