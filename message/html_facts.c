/*
 * The counts that SpamAssassin's HTML rules ask for, defined as there, so that
 * the rules' limits mean the same. Its idea of what is invisible is not the
 * eye's (html_style.h): it knows colours, <font> sizes, display and visibility.
 */
#include "message/html_color.h"
#include "message/html_render.h"
#include "message/html_style.h"
#include "message/text_space.h"

#define MAX_LOOKS 100000u
#define DEFAULT_SIZE 3.0

static size_t index_of(const char *name)
{
	return html_element_index(html_element_find(slice_str(name)));
}

void html_counter_init(struct html_counter *c, struct arena *arena, struct html_facts *facts)
{
	c->arena = arena;
	c->facts = facts;
	c->base_size = DEFAULT_SIZE;
	facts->min_size = facts->max_size = DEFAULT_SIZE;
	c->td = index_of("td");
	c->tr = index_of("tr");
	c->font = index_of("font");
	c->a = index_of("a");
	c->title = index_of("title");
	c->script = index_of("script");
	c->style = index_of("style");
	c->look_cap = 64;
	c->looks = arena_array(arena, struct html_look, c->look_cap);
	c->looks[0] = (struct html_look){ .element = UINT16_MAX, .size = DEFAULT_SIZE, .color = 0,
		.background = 0xffffff };
	c->look_count = 1;
}

/* Names that are no elements get a number too, the first so many. SIZE_MAX: no more room. */
static size_t tag_number(struct html_counter *c, struct slice name, const struct html_element *element)
{
	if (element != NULL)
		return html_element_index(element);
	for (size_t i = 0; i < c->other_count; i++)
		if (slice_eq(c->other[i], name))
			return HTML_ELEMENTS_MAX + i;
	if (c->other_count == HTML_OTHER_TAGS)
		return SIZE_MAX;
	c->other[c->other_count++] = name;
	return HTML_ELEMENTS_MAX + c->other_count - 1;
}

/* "o:p", "st1:city": Microsoft's name spaces. */
static bool is_namespaced(struct slice name)
{
	size_t i = slice_starts(name, SLICE("st")) ? 3 : slice_starts(name, SLICE("o")) ? 1 : name.len;
	if (i >= name.len || name.data[i] != ':' || (i == 3 && !ascii_is_digit(name.data[2])) || i + 1 == name.len)
		return false;
	for (i++; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && name.data[i] != '_' && name.data[i] != '-')
			return false;
	return true;
}

static void count_tag(struct html_counter *c, struct slice name, const struct html_element *element, int step)
{
	struct html_facts *f = c->facts;
	bool valid = (element != NULL && element->flags & ELEMENT_VALID) || is_namespaced(name);
	size_t n = tag_number(c, name, element);
	bool first = n != SIZE_MAX && !c->seen[n];
	f->elements += valid;
	c->elements_seen += valid && first;
	f->tags++;
	c->tags_seen += first;
	if (n == SIZE_MAX)
		return;
	c->seen[n] = true;
	c->starts[n] += step > 0;
	c->open[n] += step;
	if (c->open[n] < 0) {
		c->open[n] = 0;
		c->closed_extra++;
	}
}

/* Colours and sizes. */

static struct html_look *top(struct html_counter *c)
{
	return &c->looks[c->look_count - 1];
}

static void push_look(struct html_counter *c, const struct html_look *look)
{
	if (c->look_count == MAX_LOOKS)
		return;
	if (c->look_count == c->look_cap) {
		struct html_look *more = arena_array(c->arena, struct html_look, c->look_cap * 2);
		memcpy(more, c->looks, c->look_count * sizeof(*more));
		c->looks = more;
		c->look_cap *= 2;
	}
	c->looks[c->look_count++] = *look;
	c->stacked[look->element]++;
}

static void pop_look(struct html_counter *c)
{
	c->stacked[top(c)->element]--;
	c->look_count--;
}

static void close_look(struct html_counter *c, size_t element)
{
	if (c->stacked[element] == 0)
		return;
	while (top(c)->element != element)
		pop_look(c);
	pop_look(c);
}

/* A cell ends the cell before it, a row the row, where nobody closed them. */
static void close_table_look(struct html_counter *c, size_t element)
{
	if (c->stacked[element] == 0)
		return;
	while (top(c)->element == c->font || top(c)->element == c->td ||
	       (element == c->tr && top(c)->element == c->tr))
		pop_look(c);
}

/* A size attribute: "2", "+1", "-1". */
static bool read_size(struct slice value, double base, double *size_r)
{
	value = slice_trim_left(value);
	bool minus = slice_starts(value, SLICE("-")), relative = minus || slice_starts(value, SLICE("+"));
	double n = 0;
	size_t i = relative, digits = i;
	while (i < value.len && ascii_is_digit(value.data[i]) && i < digits + 6)
		n = n * 10 + (value.data[i++] - '0');
	if (i == digits)
		return false;
	*size_r = relative ? base + (minus ? -n : n) : n;
	return true;
}

/* SpamAssassin knows neither hsl() nor currentcolor. */
static int32_t style_color(struct slice value)
{
	if (slice_starts_nocase(value, SLICE("hsl")) || slice_starts_nocase(value, SLICE("currentcolor")))
		return COLOR_INVALID;
	return css_color(value);
}

static void read_style(void *arg, struct slice name, struct slice value)
{
	struct html_look *look = arg;
	if (slice_eq_nocase(name, SLICE("color")) || slice_eq_nocase(name, SLICE("background-color"))) {
		int32_t color = style_color(value);
		if (color != COLOR_INHERIT)
			*(name.len == 5 ? &look->color : &look->background) = color;
	} else if (slice_eq(name, SLICE("background"))) {
		int32_t color = css_background(value);
		if (color >= 0)
			look->background = color;
	} else if (slice_eq(name, SLICE("display"))) {
		look->display_none = slice_eq_nocase(value, SLICE("none"));
	} else if (slice_eq(name, SLICE("visibility"))) {
		look->visibility_hidden = slice_eq_nocase(value, SLICE("hidden"));
	}
}

static void apply_attributes(struct html_counter *c, const struct html_token *token, bool takes_style,
			     struct html_look *look)
{
	bool font = slice_eq(token->name, SLICE("font")), body = slice_eq(token->name, SLICE("body"));
	for (size_t i = 0; i < token->attribute_count; i++) {
		struct slice name = token->attributes[i].name, value = token->attributes[i].value;
		if ((body && slice_eq(name, SLICE("text"))) || (font && slice_eq(name, SLICE("color")))) {
			look->color = html_color(value);
		} else if (font && slice_eq(name, SLICE("size"))) {
			read_size(value, c->base_size, &look->size);
		} else if (slice_eq(name, SLICE("style")) && takes_style) {
			html_declarations(value, read_style, look);
			if (look->background == COLOR_TRANSPARENT)
				look->background = top(c)->background;
			if (look->color == COLOR_TRANSPARENT)
				look->color = look->background;
		}
		if (look->size > c->facts->max_size)
			c->facts->max_size = look->size;
		else if (look->size < c->facts->min_size)
			c->facts->min_size = look->size;
	}
}

static void open_look(struct html_counter *c, const struct html_token *token,
	const struct html_element *element)
{
	size_t n = slice_eq(token->name, SLICE("th")) ? c->td : html_element_index(element);
	const struct slice *size = html_attribute(token, "size");
	if (slice_eq(token->name, SLICE("basefont")) && size != NULL && read_size(*size, 0, &c->base_size))
		return;
	if (n == c->td || n == c->tr)
		close_table_look(c, n);
	struct html_look look = *top(c);
	look.element = (uint16_t)n;
	if (slice_eq(token->name, SLICE("big")))
		look.size++;
	else if (slice_eq(token->name, SLICE("small")))
		look.size--;
	else
		apply_attributes(c, token, element->flags & ELEMENT_TAKES_STYLE, &look);
	push_look(c, &look);
}

/* What a tag is looked at for by itself. */

/* A run of letters, spaces and hyphens that begins and ends right, quotes allowed around it. */
static bool face_name(struct slice *rest, bool first)
{
	struct slice s = *rest;
	if (s.len > 0 && (s.data[0] == '"' || s.data[0] == '\'' || (first && s.data[0] == '.')))
		s = slice_from(s, 1);
	size_t n = 0;
	while (n < s.len && (ascii_is_alpha(s.data[n]) || s.data[n] == ' ' || s.data[n] == '-'))
		n++;
	bool begins = n > 1 && (ascii_is_alpha(s.data[0]) || (first && s.data[0] == ' '));
	if (!begins || !ascii_is_alpha(s.data[n - 1]))
		return false;
	s = slice_from(s, n);
	if (s.len > 0 && ascii_is_digit(s.data[0]))
		s = slice_from(s, 1);
	if (s.len > 0 && (s.data[0] == '"' || s.data[0] == '\''))
		s = slice_from(s, 1);
	*rest = s;
	return true;
}

static bool face_is_bad(struct slice face)
{
	struct slice rest = slice_trim_left(face);
	bool first = true;
	do {
		if (!first)
			rest = slice_trim_left(slice_from(rest, 1));
		if (!face_name(&rest, first))
			return true;
		first = false;
	} while (rest.len > 0 && rest.data[0] == ',');
	if (rest.len > 0 && rest.data[0] == ';')
		rest = slice_from(rest, 1);
	return rest.len > 0 && !slice_eq(rest, SLICE("\n"));
}

/* "120", "50%" of that many pixels; 200 where nobody knows. */
static uint64_t extent(struct slice value, uint64_t percent)
{
	uint64_t n = 0;
	bool share = value.len > 1 && value.data[value.len - 1] == '%';
	if (!slice_u64(slice_head(value, value.len - share), 1000000, &n))
		n = 0;
	return n == 0 ? 200 : share ? n * percent : n;
}

static void count_image(struct html_facts *f, const struct html_token *token)
{
	const struct slice *width = html_attribute(token, "width"), *height = html_attribute(token, "height");
	f->images++;
	if (width == NULL || height == NULL)
		return;
	/* The screen is taken to be 800 by 600. */
	uint64_t w = extent(*width, 8), h = extent(*height, 6);
	f->image_area += w * h;
	f->images_sized_1 += w <= 1 && h <= 1;
}

static void add_charset(struct html_counter *c, const struct html_token *token)
{
	const struct slice *equiv = html_attribute(token, "http-equiv"), *content = html_attribute(token, "content");
	if (equiv == NULL || content == NULL || slice_find_nocase(*equiv, SLICE("content-type")) == SLICE_NPOS)
		return;
	size_t at = slice_find_nocase(*content, SLICE("charset"));
	struct slice s = slice_trim_left(slice_from(*content, at == SLICE_NPOS ? content->len : at + 7));
	if (!slice_starts(s, SLICE("=")))
		return;
	s = slice_trim_left(slice_from(s, 1));
	if (s.len > 0 && (s.data[0] == '"' || s.data[0] == '\''))
		s = slice_from(s, 1);
	size_t end = 0;
	while (end < s.len && s.data[end] != '"' && s.data[end] != '\'')
		end++;
	struct slice *all = &c->facts->charsets;
	if (end > 0)
		*all = arena_printf(c->arena, "%.*s%s%.*s", SLICE_ARG(*all), all->len ? " " : "", SLICE_ARG(slice_head(s,
			end)));
}

static void count_input(struct html_facts *f, const struct html_token *token)
{
	const struct slice *type = html_attribute(token, "type");
	f->password_inputs += type != NULL && slice_eq_nocase(slice_trim(*type), SLICE("password"));
}

static void test_tag(struct html_counter *c, const struct html_token *token)
{
	struct html_facts *f = c->facts;
	struct slice name = token->name;
	const struct slice *value;
	if (slice_eq(name, SLICE("font")) && (value = html_attribute(token, "face")) != NULL)
		f->font_face_bad = f->font_face_bad || face_is_bad(*value);
	if (slice_eq(name, SLICE("img")))
		count_image(f, token);
	if (slice_eq(name, SLICE("form"))) {
		f->forms++;
		value = html_attribute(token, "action");
		if (value != NULL && slice_find_nocase(*value, SLICE("mailto:")) != SLICE_NPOS)
			f->form_action_mailto = true;
	}
	f->embeds = f->embeds || slice_eq(name, SLICE("object")) || slice_eq(name, SLICE("embed"));
	f->scripts += slice_eq(name, SLICE("script"));
	f->styles += slice_eq(name, SLICE("style"));
	f->iframes += slice_eq(name, SLICE("iframe"));
	if (slice_eq(name, SLICE("input")))
		count_input(f, token);
	if (slice_eq(name, SLICE("meta")))
		add_charset(c, token);
}

void html_count_start(struct html_counter *c, const struct html_token *token,
	const struct html_element *element)
{
	count_tag(c, token->name, element, 1);
	if (element == NULL || !(element->flags & (ELEMENT_VALID | ELEMENT_TRICK)))
		return;
	if (element->flags & ELEMENT_STYLES)
		open_look(c, token, element);
	test_tag(c, token);
}

void html_count_end(struct html_counter *c, struct slice name, const struct html_element *element)
{
	count_tag(c, name, element, -1);
	if (element == NULL || !(element->flags & ELEMENT_STYLES) || slice_eq(name, SLICE("body")))
		return;
	close_look(c, slice_eq(name, SLICE("th")) ? c->td : html_element_index(element));
}

/* Texts. */

static bool is_invisible(struct html_counter *c)
{
	const struct html_look *look = top(c);
	if (look->color == look->background ||
	    (look->color >= 0 && look->background >= 0 && colors_are_close(look->color, look->background))) {
		c->facts->font_low_contrast = true;
		return true;
	}
	if (look->color == COLOR_INVALID || look->background == COLOR_INVALID) {
		c->facts->font_invalid_color = true;
		return true;
	}
	return look->size <= 1 || look->display_none || look->visibility_hidden;
}

/* Length of the character at s if it is neither white space nor ASCII punctuation, else 0. */
static size_t word_character(struct slice s)
{
	if (s.len == 0 || (unsigned char)s.data[0] < 0x80)
		return s.len > 0 && ascii_is_alnum(s.data[0]) ? 1 : 0;
	return text_space_len(s) > 0 ? 0 : utf8_next(s, NULL);
}

#define RUN_MAX 8u /* longer runs than seven are all alike */

static size_t run_at_start(struct slice s)
{
	size_t run = 0, n;
	while (run < RUN_MAX && (n = word_character(s)) > 0) {
		s = slice_from(s, n);
		run++;
	}
	return run;
}

static size_t run_at_end(struct slice s)
{
	size_t run = 0;
	while (run < RUN_MAX && s.len > 0) {
		size_t begin = s.len - 1;
		while (begin > 0 && s.len - begin < 4 && (s.data[begin] & 0xc0) == 0x80)
			begin--;
		if (word_character(slice_from(s, begin)) != s.len - begin)
			break;
		s.len = begin;
		run++;
	}
	return run;
}

/* Words that a tag stands in: "V<b>iag</b>ra". */
static void count_obfuscation(struct html_counter *c, struct slice before, struct slice text)
{
	size_t tail = run_at_end(before), head = run_at_start(text);
	if (tail == 0 || head == 0)
		return;
	c->obfuscation++;
	if (tail < RUN_MAX && head < RUN_MAX)
		c->backhair |= (uint64_t)1 << (tail * 8 + head);
}

bool html_is_blank(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (ascii_is_space(text.data[i]))
			continue;
		if (!slice_starts(slice_from(text, i), SLICE("\xc2\xa0")))
			return false;
		i++;
	}
	return true;
}

bool html_count_text(struct html_counter *c, struct slice before, struct slice text)
{
	count_obfuscation(c, before, text);
	return !html_is_blank(text) && is_invisible(c);
}

static double share(unsigned part, unsigned all)
{
	return all == 0 ? 0 : (double)part / all;
}

void html_counter_finish(struct html_counter *c)
{
	struct html_facts *f = c->facts;
	f->closed_extra_ratio = share(c->closed_extra, f->tags);
	f->bad_tag_ratio = share(f->tags - f->elements, f->tags);
	f->non_element_ratio = share(c->tags_seen - c->elements_seen, c->tags_seen);
	f->obfuscation_ratio = share(c->obfuscation, f->tags);
	f->backhair_count = (unsigned)__builtin_popcountll(c->backhair);
	f->tag_list = arena_array(c->arena, struct html_tag, c->tags_seen);
	for (size_t i = 0; i < HTML_ELEMENTS_MAX + HTML_OTHER_TAGS; i++) {
		if (!c->seen[i])
			continue;
		struct slice name = i < HTML_ELEMENTS_MAX ? slice_str(html_element_name(i)) :
			c->other[i - HTML_ELEMENTS_MAX];
		f->tag_list[f->tag_count++] = (struct html_tag){ .name = name, .open = c->open[i], .starts = c->starts[i] };
	}
}
