#include "rules/pattern_loosen.h"

#include "base/buf.h"
#include "rules/pattern_literals.h"

/* Of "{n}", "{n,}", "{n,m}", "{,m}" at the start of s; 0: no quantifier. */
static size_t braces_length(struct slice s, bool *from_zero_r)
{
	size_t i = 1;
	if (s.len < 3 || s.data[0] != '{')
		return 0;
	while (i < s.len && ascii_is_digit(s.data[i]))
		i++;
	bool low = i > 1, zero = true, high = false;
	for (size_t k = 1; k < i; k++)
		zero = zero && s.data[k] == '0';
	if (i < s.len && s.data[i] == ',')
		for (i++; i < s.len && ascii_is_digit(s.data[i]); i++)
			high = true;
	if (i >= s.len || s.data[i] != '}' || !(low || high))
		return 0;
	*from_zero_r = zero;
	return i + 1;
}

/* The whole class, from "[" to its "]". */
static size_t class_length(struct slice s)
{
	size_t i = 1;
	if (i < s.len && s.data[i] == '^')
		i++;
	if (i < s.len && s.data[i] == ']')
		i++;
	for (; i < s.len && s.data[i] != ']'; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (s.data[i] == '[' && i + 1 < s.len && s.data[i + 1] == ':') {
			size_t end = slice_find(slice_from(s, i), SLICE(":]"));
			if (end != SLICE_NPOS)
				i += end + 1;
		}
	}
	return i < s.len ? i + 1 : s.len;
}

struct slice pattern_loosen(struct arena *arena, struct slice source)
{
	struct buf out = { 0 };
	bool after_group = false, quantified = false;
	for (size_t i = 0; i < source.len;) {
		struct slice rest = slice_from(source, i);
		bool from_zero = false;
		size_t n = 1;
		if (rest.data[0] == '\\')
			n = 2;
		else if (rest.data[0] == '[')
			n = class_length(rest);
		size_t braces = braces_length(rest, &from_zero);
		if (braces > 0 && after_group) {
			buf_add_char(&out, from_zero ? '*' : '+');
			n = braces;
		} else if (slice_starts(rest, SLICE("(?>"))) {
			buf_add_str(&out, "(?:");
			n = 3;
		} else if (rest.data[0] == '+' && quantified) {
			n = 1; /* possessive */
		} else {
			n = braces > 0 ? braces : n;
			buf_add_slice(&out, slice_head(rest, n));
		}
		quantified = braces > 0 || (!quantified && strchr("*+?", rest.data[0]) != NULL && rest.data[0] != '\0');
		after_group = rest.data[0] == ')';
		i += n;
	}
	struct slice loose = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return loose;
}

struct octets {
	bool has[256];
};

static void add_octet(struct octets *set, unsigned char c)
{
	set->has[c] = true;
	set->has[(unsigned char)ascii_upper((char)c)] = true;
}

static void add_class(struct buf *out, const struct octets *set)
{
	buf_add_char(out, '[');
	for (unsigned c = 0; c < 256; c++)
		if (set->has[c])
			buf_printf(out, "\\x%02x", c);
	buf_add_char(out, ']');
}

#define LETTER_MAX 6u      /* octets of one of a letter's forms */
#define LETTER_FORMS 4u    /* fewer are no letter */

struct letter {
	struct octets single, first, later;
	size_t singles, forms, longest;
	struct buf rest;       /* alternatives that are no such set, as they are */
};

static void add_form(struct letter *l, struct slice s)
{
	l->forms++;
	if (s.len == 1) {
		add_octet(&l->single, (unsigned char)s.data[0]);
		l->singles++;
		return;
	}
	add_octet(&l->first, (unsigned char)s.data[0]);
	for (size_t k = 1; k < s.len; k++)
		add_octet(&l->later, (unsigned char)s.data[k]);
	l->longest = s.len > l->longest ? s.len : l->longest;
}

static void add_alternative(struct arena *arena, struct letter *l, struct slice source)
{
	struct pattern pattern = { .source = source, .set = true };
	struct literals strings;
	bool fixed = pattern_exact(arena, &pattern, &strings);
	for (size_t i = 0; fixed && i < strings.count; i++)
		fixed = strings.list[i].len > 0 && strings.list[i].len <= LETTER_MAX;
	for (size_t i = 0; fixed && i < strings.count; i++)
		add_form(l, strings.list[i]);
	if (!fixed) {
		buf_add_char(&l->rest, '|');
		buf_add_slice(&l->rest, source);
	}
}

/* What stands between the "(?:" and ")" of a whole group; else data == NULL. */
static struct slice group_content(struct slice source)
{
	unsigned depth = 0;
	for (size_t i = 0; i < source.len; i++) {
		if (source.data[i] == '\\')
			i++;
		else if (source.data[i] == '[')
			i += class_length(slice_from(source, i)) - 1;
		else if (source.data[i] == '(')
			depth++;
		else if (source.data[i] == ')' && --depth == 0 && i + 1 < source.len)
			return SLICE_EMPTY;
		if (depth == 0 && i == 0)
			return SLICE_EMPTY;
	}
	if (depth != 0 || !slice_starts(source, SLICE("(?:")))
		return SLICE_EMPTY;
	return slice_sub(source, 3, source.len - 4);
}

static void split_alternatives(struct arena *arena, struct letter *l, struct slice content)
{
	unsigned depth = 0;
	size_t start = 0;
	for (size_t i = 0; i <= content.len; i++) {
		if (i == content.len || (content.data[i] == '|' && depth == 0)) {
			add_alternative(arena, l, slice_sub(content, start, i - start));
			start = i + 1;
		} else if (content.data[i] == '\\') {
			i++;
		} else if (content.data[i] == '[') {
			i += class_length(slice_from(content, i)) - 1;
		} else if (content.data[i] == '(') {
			depth++;
		} else if (content.data[i] == ')' && depth > 0) {
			depth--;
		}
	}
}

struct slice pattern_loosen_letter(struct arena *arena, struct slice source)
{
	struct letter *l = arena_new(arena, struct letter);
	struct slice content = group_content(source);
	struct slice loose = SLICE_EMPTY;
	struct buf out = { 0 };
	split_alternatives(arena, l, content.data != NULL ? content : source);
	if (l->forms >= LETTER_FORMS) {
		buf_add_str(&out, "(?:");
		if (l->singles > 0)
			add_class(&out, &l->single);
		if (l->longest > 0) {
			buf_add_str(&out, l->singles > 0 ? "|" : "");
			add_class(&out, &l->first);
			add_class(&out, &l->later);
			buf_printf(&out, "{1,%zu}", l->longest - 1);
		}
		buf_add_slice(&out, buf_slice(&l->rest));
		buf_add_char(&out, ')');
		loose = arena_copy(arena, buf_slice(&out));
	}
	buf_free(&l->rest);
	buf_free(&out);
	return loose;
}
