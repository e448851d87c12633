#include "message/html_style.h"

#include <stdlib.h>

#include "message/html_color.h"
#include "message/html_text.h"

#define DEFAULT_PX 16.0
#define UNREADABLE_PX 2.0    /* at most: no eye reads it */
#define FAR_PX 500.0         /* that far to the left or above is outside */
#define FAINT 0.1            /* opacity */

void html_style_default(struct html_style *style)
{
	*style = (struct html_style){ .font_px = DEFAULT_PX, .color = 0x000000, .background = 0xffffff };
}

/* What one set of declarations says, before it is put together. */
struct reading {
	struct html_style *style;
	double parent_px;
	bool positioned, clips, no_height, no_width;
};

static struct slice trim_value(struct slice s)
{
	s = slice_trim(s);
	if (slice_ends_nocase(s, SLICE("!important")))
		s = slice_trim_right(slice_head(s, s.len - 10));
	return s;
}

/* A number at the start of s; *unit_r: what follows it. */
static bool number(struct slice s, double *value_r, struct slice *unit_r)
{
	char text[32];
	size_t i = 0;
	while (i < s.len && i < sizeof(text) - 1 &&
	       (ascii_is_digit(s.data[i]) || s.data[i] == '.' || (i == 0 && (s.data[i] == '-' || s.data[i] == '+'))))
		i++;
	memcpy(text, s.data ? s.data : "", i);
	text[i] = '\0';
	char *end;
	*value_r = strtod(text, &end);
	*unit_r = slice_from(s, i);
	return end != text;
}

static const struct {
	const char *name;
	double px;       /* of one; 0: relative to the parent's size */
	double share;
} units[] = {
	{ "px", 1, 0 }, { "pt", 4.0 / 3, 0 }, { "em", 0, 1 }, { "rem", DEFAULT_PX, 0 }, { "%", 0, 0.01 }, { "ex",
	  0, 0.5 },
	{ "in", 96, 0 }, { "cm", 37.8, 0 }, { "mm", 3.78, 0 }, { "pc", 16, 0 }, { "vw", 10, 0 }, { "vh", 8, 0 },
};

/* A length in pixels. False: none, or of a unit nobody knows. */
static bool length(struct slice s, double parent_px, double *px_r)
{
	struct slice unit;
	double value;
	if (!number(s, &value, &unit))
		return false;
	*px_r = value;
	if (unit.len == 0 || ascii_is_space(unit.data[0]))
		return true;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (slice_starts_nocase(unit, slice_str(units[i].name))) {
			*px_r = value * (units[i].px > 0 ? units[i].px : units[i].share * parent_px);
			return true;
		}
	return false;
}

static void read_display(struct reading *r, struct slice value)
{
	if (slice_starts_nocase(value, SLICE("none")))
		r->style->hidden |= HTML_HIDDEN_DISPLAY;
}

static void read_visibility(struct reading *r, struct slice value)
{
	if (slice_eq_nocase(value, SLICE("hidden")) || slice_eq_nocase(value, SLICE("collapse")))
		r->style->not_visible = true;
	else if (slice_eq_nocase(value, SLICE("visible")))
		r->style->not_visible = false;
}

static void read_opacity(struct reading *r, struct slice value)
{
	struct slice unit;
	double v;
	if (number(value, &v, &unit) && (slice_starts(unit, SLICE("%")) ? v / 100 : v) < FAINT)
		r->style->hidden |= HTML_HIDDEN_VISIBILITY;
}

static void read_font_size(struct reading *r, struct slice value)
{
	double px;
	if (length(value, r->parent_px, &px))
		r->style->font_px = px;
	else if (value.len > 0 && ascii_is_alpha(value.data[0]) && !slice_eq_nocase(value, SLICE("inherit")))
		r->style->font_px = DEFAULT_PX; /* small, x-large … */
}

/* font: bold 0/0 a */
static void read_font(struct reading *r, struct slice value)
{
	struct slice rest = value, word;
	while (rest.data != NULL && slice_split(&rest, ' ', &word)) {
		double px;
		uint64_t weight;
		struct slice size = slice_head(word, slice_chr(word, '/'));
		if (slice_u64(size, 1000, &weight) && weight >= 100)
			continue;
		if (length(size, r->parent_px, &px)) {
			r->style->font_px = px;
			return;
		}
	}
}

static void read_color(struct reading *r, struct slice value)
{
	int32_t color = css_color(value);
	if (color >= 0)
		r->style->color = color;
	if (color != COLOR_INVALID && color != COLOR_INHERIT)
		r->style->color_clear = color == COLOR_TRANSPARENT;
}

static void read_background_color(struct reading *r, struct slice value)
{
	int32_t color = css_color(value);
	if (color >= 0)
		r->style->background = color;
}

static void read_background(struct reading *r, struct slice value)
{
	int32_t color = css_background(value);
	if (color >= 0)
		r->style->background = color;
	else if (slice_find_nocase(value, SLICE("url(")) != SLICE_NPOS ||
		 slice_find_nocase(value, SLICE("gradient(")) != SLICE_NPOS)
		r->style->background = COLOR_INHERIT;
}

static void read_position(struct reading *r, struct slice value)
{
	r->positioned = r->positioned || slice_eq_nocase(value, SLICE("absolute")) ||
		slice_eq_nocase(value, SLICE("fixed")) || slice_eq_nocase(value, SLICE("relative"));
}

static bool is_far(struct reading *r, struct slice value)
{
	double px;
	return length(value, r->parent_px, &px) && px <= -FAR_PX;
}

static void read_offset(struct reading *r, struct slice value)
{
	if (is_far(r, value))
		r->style->hidden |= HTML_HIDDEN_OFF_SCREEN;
}

static void read_clip(struct reading *r, struct slice value)
{
	if (slice_starts_nocase(value, SLICE("rect(0")) || slice_starts_nocase(value, SLICE("rect(1px")) ||
	    slice_starts_nocase(value, SLICE("inset(100%")) || slice_starts_nocase(value, SLICE("inset(50%")) ||
	    slice_starts_nocase(value, SLICE("circle(0")))
		r->style->hidden |= HTML_HIDDEN_OFF_SCREEN;
}

static void read_transform(struct reading *r, struct slice value)
{
	if (slice_starts_nocase(value, SLICE("scale(0)")) || slice_starts_nocase(value, SLICE("scale(0,")))
		r->style->hidden |= HTML_HIDDEN_VISIBILITY;
}

static void read_overflow(struct reading *r, struct slice value)
{
	r->clips = r->clips || slice_starts_nocase(value, SLICE("hidden"));
}

static void read_height(struct reading *r, struct slice value)
{
	double px;
	r->no_height = r->no_height || (length(value, r->parent_px, &px) && px >= 0 && px <= 1);
}

static void read_width(struct reading *r, struct slice value)
{
	double px;
	r->no_width = r->no_width || (length(value, r->parent_px, &px) && px >= 0 && px <= 1);
}

static const struct {
	const char *name;
	void (*read)(struct reading *r, struct slice value);
} properties[] = {
	{ "display", read_display }, { "visibility", read_visibility }, { "opacity", read_opacity },
	{ "font-size", read_font_size }, { "font", read_font }, { "color", read_color },
	{ "background-color", read_background_color }, { "background", read_background }, { "position",
	  read_position },
	{ "left", read_offset }, { "top", read_offset }, { "text-indent", read_offset }, { "margin-left",
	  read_offset },
	{ "margin-top", read_offset }, { "clip", read_clip }, { "clip-path", read_clip }, { "transform",
	  read_transform },
	{ "overflow", read_overflow }, { "max-height", read_height }, { "height", read_height }, { "max-width",
	  read_width },
	{ "width", read_width },
};

static void read_one(void *arg, struct slice name, struct slice value)
{
	if (name.len == 0 || strchr("dvofcbpltmhw", ascii_lower(name.data[0])) == NULL)
		return;
	for (size_t i = 0; i < sizeof(properties) / sizeof(*properties); i++)
		if (slice_eq_nocase(name, slice_str(properties[i].name))) {
			properties[i].read(arg, trim_value(value));
			return;
		}
}

/* Length of a declaration: up to a ";" outside quotes and parentheses. */
static size_t declaration_len(struct slice s)
{
	unsigned depth = 0;
	char quote = '\0';
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == ';' && depth == 0)
			return i;
	}
	/* A quote or parenthesis that nobody closed: back to the first ";". */
	if (quote != '\0' || depth > 0)
		return slice_chr(s, ';') == SLICE_NPOS ? s.len : slice_chr(s, ';');
	return s.len;
}

void html_declarations(struct slice declarations, void (*fn)(void *arg, struct slice name,
	struct slice value), void *arg)
{
	for (unsigned n = 0; declarations.len > 0 && n < 256; n++) {
		struct slice one = slice_head(declarations, declaration_len(declarations));
		size_t colon = slice_chr(one, ':');
		if (colon != SLICE_NPOS)
			fn(arg, slice_trim(slice_head(one, colon)), slice_trim(slice_from(one, colon + 1)));
		declarations = slice_from(declarations, one.len + 1);
	}
}

void html_style_apply(struct html_style *style, struct slice declarations)
{
	struct reading r = { .style = style, .parent_px = style->font_px };
	html_declarations(declarations, read_one, &r);
	if (r.clips && (r.no_height || r.no_width))
		style->hidden |= HTML_HIDDEN_MAX_HEIGHT;
}

unsigned html_style_hides(const struct html_style *style)
{
	unsigned hidden = style->hidden;
	if (style->not_visible)
		hidden |= HTML_HIDDEN_VISIBILITY;
	if (style->font_px <= UNREADABLE_PX)
		hidden |= HTML_HIDDEN_SIZE;
	if (style->color_clear || (style->color >= 0 && style->background >= 0 &&
				   colors_are_close(style->color, style->background)))
		hidden |= HTML_HIDDEN_COLOUR;
	return hidden;
}

/* Style sheets. */

#define MAX_RULES 512u
#define MAX_MATCHES 4000000u  /* comparisons in one sheet's life */

enum select_by { BY_NAME, BY_CLASS, BY_ID };

struct rule {
	uint64_t hash;        /* of the class or id, lower case; of the name if there is neither */
	enum select_by by;
	struct slice name;    /* required too; empty: any */
	struct slice declarations;
};

struct html_sheet {
	struct arena *arena;
	struct rule rules[MAX_RULES];
	size_t count, matches;
};

struct html_sheet *html_sheet_create(struct arena *arena)
{
	struct html_sheet *sheet = arena_new(arena, struct html_sheet);
	sheet->arena = arena;
	return sheet;
}

static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.data[i]) && s.data[i] != '-' && s.data[i] != '_')
			return false;
	return s.len > 0;
}

/* "td.hide", ".hide", "#x", "div": the last word, when those before it are names of elements. */
static void add_selector(struct html_sheet *sheet, struct slice selector, struct slice declarations)
{
	selector = slice_trim(selector);
	size_t space;
	while ((space = slice_chr(selector, ' ')) != SLICE_NPOS) {
		if (!is_name(slice_head(selector, space)))
			return;
		selector = slice_trim_left(slice_from(selector, space));
	}
	size_t mark = 0;
	while (mark < selector.len && selector.data[mark] != '.' && selector.data[mark] != '#')
		mark++;
	struct rule rule = { .by = BY_NAME, .name = slice_head(selector, mark), .declarations = declarations };
	struct slice key = rule.name;
	if (mark < selector.len) {
		rule.by = selector.data[mark] == '.' ? BY_CLASS : BY_ID;
		key = slice_from(selector, mark + 1);
	}
	if (!is_name(key) || (rule.name.len > 0 && !is_name(rule.name)) || sheet->count == MAX_RULES)
		return;
	rule.hash = slice_hash_nocase(key);
	sheet->rules[sheet->count++] = rule;
}

static struct slice without_comments(struct arena *arena, struct slice css)
{
	if (slice_find(css, SLICE("/*")) == SLICE_NPOS)
		return css;
	char *out = arena_alloc(arena, css.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < css.len;) {
		if (css.data[i] == '/' && i + 1 < css.len && css.data[i + 1] == '*') {
			i += 2;
			while (i < css.len && !(css.data[i] == '/' && css.data[i - 1] == '*'))
				i++;
			i++;
		} else {
			out[len++] = css.data[i++];
		}
	}
	return slice_make(out, len);
}

/* Offset behind the block whose "{" is at `open`. */
static size_t block_end(struct slice css, size_t open)
{
	size_t depth = 0;
	for (size_t i = open; i < css.len; i++) {
		if (css.data[i] == '{')
			depth++;
		else if (css.data[i] == '}' && --depth == 0)
			return i + 1;
	}
	return css.len;
}

static bool applies_everywhere(struct slice at_rule)
{
	return slice_starts_nocase(at_rule, SLICE("@media")) && slice_chr(at_rule, '(') == SLICE_NPOS &&
		slice_find_nocase(at_rule, SLICE("print")) == SLICE_NPOS;
}

void html_sheet_add(struct html_sheet *sheet, struct slice css)
{
	css = without_comments(sheet->arena, css);
	while (css.len > 0 && sheet->count < MAX_RULES) {
		size_t open = slice_chr(css, '{');
		if (open == SLICE_NPOS)
			return;
		struct slice selectors = slice_trim(slice_head(css, open)), selector;
		size_t semicolon = slice_rchr(selectors, ';'); /* @import …; */
		if (semicolon != SLICE_NPOS)
			selectors = slice_trim_left(slice_from(selectors, semicolon + 1));
		while (slice_starts(selectors, SLICE("}")))
			selectors = slice_trim_left(slice_from(selectors, 1));
		if (slice_starts(selectors, SLICE("@"))) {
			css = slice_from(css, applies_everywhere(selectors) ? open + 1 : block_end(css, open));
			continue;
		}
		struct slice block = slice_from(css, open + 1);
		size_t close = slice_chr(block, '}');
		block = slice_head(block, close);
		while (selectors.data != NULL && slice_split(&selectors, ',', &selector))
			add_selector(sheet, selector, block);
		css = slice_from(css, open + 1 + block.len + 1);
	}
}

#define MAX_CLASSES 16u

/* What an element offers to selectors. */
struct selected {
	uint64_t name, id, classes[MAX_CLASSES];
	size_t class_count;
	bool has_id;
};

static void hash_classes(struct selected *e, struct slice rest)
{
	while (e->class_count < MAX_CLASSES) {
		rest = slice_trim_left(rest);
		size_t end = 0;
		while (end < rest.len && !ascii_is_space(rest.data[end]))
			end++;
		if (end == 0)
			return;
		e->classes[e->class_count++] = slice_hash_nocase(slice_head(rest, end));
		rest = slice_from(rest, end);
	}
}

static bool selects(const struct rule *rule, const struct selected *e)
{
	if (rule->by == BY_NAME)
		return rule->hash == e->name;
	if (rule->name.len > 0 && slice_hash_nocase(rule->name) != e->name)
		return false;
	if (rule->by == BY_ID)
		return e->has_id && rule->hash == e->id;
	for (size_t i = 0; i < e->class_count; i++)
		if (e->classes[i] == rule->hash)
			return true;
	return false;
}

void html_sheet_apply(struct html_sheet *sheet, struct html_style *style, struct slice name,
	const struct slice *classes,
		      const struct slice *id)
{
	struct selected e = { .name = slice_hash_nocase(name), .has_id = id != NULL };
	if (id != NULL)
		e.id = slice_hash_nocase(slice_trim(*id));
	if (classes != NULL)
		hash_classes(&e, *classes);
	for (enum select_by by = BY_NAME; by <= BY_ID; by++)
		for (size_t i = 0; i < sheet->count && sheet->matches < MAX_MATCHES; i++) {
			sheet->matches++;
			if (sheet->rules[i].by == by && selects(&sheet->rules[i], &e))
				html_style_apply(style, sheet->rules[i].declarations);
		}
}
