/*
 * A recursive-descent reader of Perl's patterns that keeps, for each piece,
 * either the exact set of strings it matches, or the best set of strings of
 * which each match holds one.
 */
#include "rules/pattern_literals.h"

#include "rules/literal_set.h"

#define DEPTH_MAX 40u
#define CLASS_MAX 64u          /* members of [abc] that are told one by one */
#define PRODUCT_MAX 64u        /* strings that multiplying may make: more wake too often */
#define PRODUCT_MAX_ASCII 256u /* letters written in many ways */

struct reader {
	struct arena *arena;
	struct slice s;
	size_t at;
	bool x, xx;
	bool ascii;            /* of texts without other octets */
	unsigned depth;
	size_t product_max;    /* strings that multiplying may make */
	bool failed;           /* something not understood: no literals at all */
};

static void read_alternatives(struct reader *r, struct literal_piece *out);

static void exact_char(struct reader *r, struct literal_piece *p, unsigned char c)
{
	char lower = ascii_lower((char)c);
	if (r->ascii && c >= 0x80) {
		literal_piece_never(p);
		return;
	}
	memset(p, 0, sizeof(*p));
	p->exact = true;
	literal_set_add(r->arena, &p->strings, arena_copy(r->arena, slice_make(&lower, 1)));
}

/* ---- atoms ---- */

static bool more(const struct reader *r)
{
	return r->at < r->s.len && !r->failed;
}

static char peek(const struct reader *r)
{
	return r->s.data[r->at];
}

static bool looking_at(const struct reader *r, const char *text)
{
	return slice_starts(slice_from(r->s, r->at), slice_str(text));
}

/* \xHH, \x{HH…}, \0, \012, \cX and the letters for control characters.
 * Returns false if the escape isn't one character. */
static bool read_char_escape(struct reader *r, unsigned char *c_r)
{
	char c = peek(r);
	unsigned value = 0;
	static const char letters[] = "ntrfae", controls[] = "\n\t\r\f\a\033";
	const char *known = c != '\0' ? strchr(letters, c) : NULL;
	if (known != NULL) {
		r->at++;
		*c_r = (unsigned char)controls[known - letters];
		return true;
	}
	if (c == 'x') {
		size_t i = r->at + 1;
		bool brace = i < r->s.len && r->s.data[i] == '{';
		size_t first = i += brace;
		while (i < r->s.len && ascii_hex(r->s.data[i]) >= 0 && i - first < (brace ? 8u : 2u))
			value = value * 16 + (unsigned)ascii_hex(r->s.data[i++]);
		if (value > 255 || (brace && (i >= r->s.len || r->s.data[i] != '}'))) {
			r->failed = true;
			return false;
		}
		r->at = i + brace;
		*c_r = (unsigned char)value;
		return true;
	}
	if (c == '0') {
		size_t i = r->at;
		while (i < r->s.len && i < r->at + 3 && r->s.data[i] >= '0' && r->s.data[i] <= '7')
			value = value * 8 + (unsigned)(r->s.data[i++] - '0');
		r->at = i;
		*c_r = (unsigned char)value;
		return true;
	}
	if (!ascii_is_alnum(c)) {
		r->at++;
		*c_r = (unsigned char)c;
		return true;
	}
	return false;
}

static void read_quoted(struct reader *r, struct literal_piece *out)
{
	struct slice rest = slice_from(r->s, r->at);
	size_t end = slice_find(rest, SLICE("\\E"));
	struct slice text = end == SLICE_NPOS ? rest : slice_head(rest, end);
	r->at += end == SLICE_NPOS ? rest.len : end + 2;
	for (size_t i = 0; i < text.len; i++)
		if (r->ascii && (unsigned char)text.data[i] >= 0x80) {
			literal_piece_never(out);
			return;
		}
	literal_piece_empty(out);
	if (text.len > LITERAL_LENGTH_MAX)
		text.len = LITERAL_LENGTH_MAX, out->exact = false;
	out->strings = (struct literal_set){ .count = 0 };
	literal_set_add(r->arena, &out->strings, arena_lower(r->arena, text));
	if (!out->exact)
		literal_piece_consider(out, &out->strings, 1);
}

static void read_backreference(struct reader *r, struct literal_piece *out)
{
	while (more(r) && ascii_is_digit(peek(r)))
		r->at++;
	literal_piece_anything(out);
}

static void read_escape(struct reader *r, struct literal_piece *out)
{
	unsigned char c;
	r->at++;
	if (!more(r)) {
		r->failed = true;
		return;
	}
	if (read_char_escape(r, &c)) {
		exact_char(r, out, c);
		return;
	}
	char letter = peek(r);
	r->at++;
	if (strchr("bBAzZGE", letter) != NULL)
		literal_piece_empty(out);
	else if (letter == 'Q')
		read_quoted(r, out);
	else if (ascii_is_digit(letter))
		read_backreference(r, out);
	else if (strchr("dDwWsSvVhHNRX", letter) != NULL)
		literal_piece_anything(out);
	else
		r->failed = true; /* \g{…}, \k<…>, \p{…}, \K, \c … */
}

/* A class as a set of its members' lower-case forms. */
static void class_piece(struct reader *r, const bool *has, struct literal_piece *out)
{
	size_t n = 0;
	bool lower[256] = { false };
	for (unsigned c = 0; c < (r->ascii ? 128u : 256u); c++)
		if (has[c])
			lower[(unsigned char)ascii_lower((char)c)] = true;
	for (unsigned c = 0; c < 256; c++)
		n += lower[c];
	if (n == 0 && r->ascii) {
		literal_piece_never(out);
		return;
	}
	if (n == 0 || n > CLASS_MAX) {
		literal_piece_anything(out);
		return;
	}
	memset(out, 0, sizeof(*out));
	out->exact = true;
	for (unsigned c = 0; c < 256; c++) {
		char byte = (char)c;
		if (lower[c])
			literal_set_add(r->arena, &out->strings, arena_copy(r->arena, slice_make(&byte, 1)));
	}
}

/* One member; false: a whole kind of characters (\d, [:alpha:]). */
static bool read_member(struct reader *r, unsigned char *c_r)
{
	if (looking_at(r, "[:")) {
		size_t end = slice_find(slice_from(r->s, r->at), SLICE(":]"));
		if (end != SLICE_NPOS) {
			r->at += end + 2;
			return false;
		}
	}
	if (peek(r) != '\\') {
		*c_r = (unsigned char)peek(r);
		r->at++;
		return true;
	}
	r->at++;
	if (!more(r))
		return false;
	if (peek(r) == 'b') {
		r->at++;
		*c_r = '\b';
		return true;
	}
	if (read_char_escape(r, c_r))
		return true;
	if (strchr("dDwWsSvVhH", peek(r)) == NULL)
		r->failed = true;
	r->at++;
	return false;
}

static void read_class(struct reader *r, struct literal_piece *out)
{
	bool has[256] = { false }, kind = false, first = true;
	r->at++;
	bool negated = more(r) && peek(r) == '^';
	r->at += negated;
	while (more(r) && (first || peek(r) != ']')) {
		unsigned char low, high;
		first = false;
		if (!read_member(r, &low)) {
			kind = true;
			continue;
		}
		high = low;
		if (looking_at(r, "-") && r->at + 1 < r->s.len && r->s.data[r->at + 1] != ']') {
			r->at++;
			if (!read_member(r, &high)) {
				kind = true;
				continue;
			}
		}
		for (unsigned c = low; c <= high; c++)
			has[c] = true;
	}
	if (!more(r)) {
		r->failed = true;
		return;
	}
	r->at++;
	if (kind || negated || r->xx)
		literal_piece_anything(out);
	else
		class_piece(r, has, out);
}

/* (?i) (?s-x) and (?i: ; true if a ":" follows and a group begins. */
static bool read_inline_flags(struct reader *r)
{
	bool on = true;
	while (more(r)) {
		char c = peek(r);
		r->at++;
		if (c == ')')
			return false;
		if (c == ':')
			return true;
		if (c == '^')
			r->x = r->xx = false;
		else if (c == '-')
			on = false;
		else if (c == 'x')
			r->x = on;
		else if (strchr("imsnpaadlu", c) == NULL)
			r->failed = true;
	}
	r->failed = true;
	return false;
}

static void skip_comment_group(struct reader *r)
{
	while (more(r) && peek(r) != ')')
		r->at++;
	r->at++;
}

/* Behind "(?<" or "(?'" or "(?P<": the name of a group. */
static void skip_name(struct reader *r)
{
	while (more(r) && (ascii_is_alnum(peek(r)) || peek(r) == '_'))
		r->at++;
	r->at++;
}

enum group { GROUP_PLAIN, GROUP_AHEAD, GROUP_NEGATIVE, GROUP_EMPTY };

/* Reads what follows "(" up to the group's content. */
static enum group read_group_start(struct reader *r)
{
	static const struct {
		const char *text;
		enum group kind;
	} starts[] = {
		{ "?:", GROUP_PLAIN }, { "?>", GROUP_PLAIN }, { "?=", GROUP_AHEAD }, { "?!", GROUP_NEGATIVE },
		{ "?<=", GROUP_AHEAD }, { "?<!", GROUP_NEGATIVE },
	};
	if (!looking_at(r, "?")) {
		if (looking_at(r, "*"))
			r->failed = true; /* verbs */
		return GROUP_PLAIN;
	}
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		if (looking_at(r, starts[i].text)) {
			r->at += strlen(starts[i].text);
			return starts[i].kind;
		}
	if (looking_at(r, "?#")) {
		skip_comment_group(r);
		return GROUP_EMPTY;
	}
	if (looking_at(r, "?<") || looking_at(r, "?'") || looking_at(r, "?P<")) {
		r->at += looking_at(r, "?P<") ? 3 : 2;
		skip_name(r);
		return GROUP_PLAIN;
	}
	if (looking_at(r, "?|") || looking_at(r, "?(") || looking_at(r, "?P") || looking_at(r, "?&") ||
	    looking_at(r, "?R") || (r->at + 1 < r->s.len && ascii_is_digit(r->s.data[r->at + 1]))) {
		r->failed = true;
		return GROUP_PLAIN;
	}
	r->at++;
	return read_inline_flags(r) ? GROUP_PLAIN : GROUP_EMPTY;
}

static void read_group(struct reader *r, struct literal_piece *out)
{
	bool x = r->x;
	r->at++;
	enum group kind = read_group_start(r);
	if (kind == GROUP_EMPTY) {
		/* Flags hold to the end of the group around: keep them. */
		literal_piece_empty(out);
		return;
	}
	if (++r->depth > DEPTH_MAX)
		r->failed = true;
	read_alternatives(r, out);
	r->depth--;
	r->x = x;
	if (r->failed || !more(r) || peek(r) != ')') {
		r->failed = true;
		return;
	}
	r->at++;
	if (kind == GROUP_NEGATIVE) {
		literal_piece_empty(out);
	} else if (kind == GROUP_AHEAD) {
		struct literal_piece inner = *out;
		literal_piece_empty(out);
		/* It takes no room, but its strings must be there: kept as a gap
		 * of its own only if they are good. */
		if (inner.exact)
			literal_piece_consider(&inner, &inner.strings, 1);
		if (inner.quality > 12 || inner.never) {
			inner.exact = false;
			inner.times = 0;
			*out = inner;
		}
	}
}

static void read_atom(struct reader *r, struct literal_piece *out)
{
	char c = peek(r);
	switch (c) {
	case '(': read_group(r, out); return;
	case '[': read_class(r, out); return;
	case '\\': read_escape(r, out); return;
	case '.': r->at++; literal_piece_anything(out); return;
	case '^': case '$': r->at++; literal_piece_empty(out); return;
	default: r->at++; exact_char(r, out, (unsigned char)c);
	}
}

/* ---- quantifiers ---- */

static bool read_number(struct reader *r, unsigned *n_r)
{
	unsigned n = 0;
	size_t start = r->at;
	while (more(r) && ascii_is_digit(peek(r))) {
		if (n < 100000)
			n = n * 10 + (unsigned)(peek(r) - '0');
		r->at++;
	}
	*n_r = n;
	return r->at > start;
}

static bool read_braces(struct reader *r, unsigned *min_r, unsigned *max_r)
{
	size_t start = r->at++;
	bool have = read_number(r, min_r);
	*max_r = *min_r;
	if (more(r) && peek(r) == ',') {
		r->at++;
		bool upper = read_number(r, max_r);
		if (!upper)
			*max_r = UINT32_MAX;
		have = have || upper;
	}
	if (have && more(r) && peek(r) == '}') {
		r->at++;
		return true;
	}
	r->at = start;
	return false;
}

/* False: none stands here. */
static bool read_quantifier(struct reader *r, unsigned *min_r, unsigned *max_r)
{
	char c = more(r) ? peek(r) : '\0';
	*min_r = c == '+';
	*max_r = c == '?' ? 1 : UINT32_MAX;
	if (c == '{') {
		if (!read_braces(r, min_r, max_r))
			return false;
	} else if (c == '?' || c == '*' || c == '+') {
		r->at++;
	} else {
		return false;
	}
	if (more(r) && (peek(r) == '?' || peek(r) == '+'))
		r->at++;
	return true;
}

static void repeat(struct reader *r, struct literal_piece *p, unsigned min, unsigned max)
{
	if (min == 0 && max == 1 && p->exact && p->strings.count < LITERALS_MAX) {
		literal_set_add(r->arena, &p->strings, SLICE(""));
		return;
	}
	if (min == 0 && p->never) {
		literal_piece_empty(p);
		return;
	}
	if (min == 0) {
		literal_piece_anything(p);
		return;
	}
	if ((min == 1 && max == 1) || p->never)
		return;
	if (!p->exact) {
		literal_piece_multiply(p, min); /* its strings stand in each repetition */
		return;
	}
	struct literal_piece once = *p;
	unsigned n = 1;
	while (n < min && literal_set_multiply(r->arena, &p->strings, &once.strings, r->product_max))
		n++;
	p->exact = n == min && max == min;
	if (!p->exact)
		literal_piece_consider(p, &p->strings, n < min ? min / n : 1);
}

/* ---- the whole ---- */

static bool skip_x(struct reader *r)
{
	if (!r->x || !more(r))
		return false;
	if (ascii_is_space(peek(r))) {
		r->at++;
		return true;
	}
	if (peek(r) != '#')
		return false;
	while (more(r) && peek(r) != '\n')
		r->at++;
	return true;
}

/* X{2,}: "XX", then whatever, and an X again: so that what stands before and
 * behind forms longer strings with it. False: not done. */
static bool add_repeated(struct reader *r, struct literal_sequence *q, const struct literal_piece *once,
			 unsigned min, unsigned max)
{
	struct literal_piece head = *once, gap;
	if (!once->exact || min == 0 || min == max)
		return false;
	for (unsigned n = 1; n < min; n++)
		if (!literal_set_multiply(r->arena, &head.strings, &once->strings, r->product_max))
			return false;
	literal_piece_anything(&gap);
	literal_sequence_add(q, &head);
	literal_sequence_add(q, &gap);
	literal_sequence_add(q, once);
	return true;
}

static void read_sequence(struct reader *r, struct literal_piece *out)
{
	struct literal_sequence *q = arena_new(r->arena, struct literal_sequence);
	literal_sequence_begin(q, r->arena, r->product_max);
	while (more(r) && peek(r) != '|' && peek(r) != ')') {
		struct literal_piece item;
		unsigned min, max;
		if (skip_x(r))
			continue;
		literal_piece_empty(&item);
		read_atom(r, &item);
		while (skip_x(r))
			;
		if (!r->failed && read_quantifier(r, &min, &max)) {
			if (add_repeated(r, q, &item, min, max))
				continue;
			repeat(r, &item, min, max);
		}
		literal_sequence_add(q, &item);
	}
	literal_sequence_end(q, out);
}

struct alternatives {
	struct literal_set exact, required;
	bool all_exact, all_required;
	unsigned times;        /* of required: the least */
	size_t read, possible;
};

static void alternatives_add(struct reader *r, struct alternatives *a, const struct literal_piece *piece)
{
	a->read++;
	if (piece->never)
		return;
	a->possible++;
	if (!piece->exact)
		a->all_exact = false;
	else if (a->all_exact)
		a->all_exact = literal_set_join(r->arena, &a->exact, &piece->strings);
	const struct literal_set *needs = piece->exact ? &piece->strings : &piece->required;
	unsigned times = piece->exact ? 1 : piece->times;
	if (needs->count == 0)
		a->all_required = false;
	else if (a->all_required)
		a->all_required = literal_set_join(r->arena, &a->required, needs);
	if (times < a->times)
		a->times = times;
}

static void read_alternatives(struct reader *r, struct literal_piece *out)
{
	struct alternatives a = { .all_exact = true, .all_required = true, .times = UINT32_MAX };
	for (;;) {
		read_sequence(r, out);
		alternatives_add(r, &a, out);
		if (!more(r) || peek(r) != '|')
			break;
		r->at++;
	}
	if (a.read == 1)
		return;
	memset(out, 0, sizeof(*out));
	out->never = a.possible == 0;
	out->exact = a.all_exact && !out->never;
	if (out->exact)
		out->strings = a.exact;
	if (a.all_required && !out->never)
		literal_piece_consider(out, &a.required, a.times);
}

static bool read_whole(struct reader *r, struct arena *arena, const struct pattern *pattern, size_t product_max,
		       bool ascii, struct literal_piece *whole)
{
	*r = (struct reader){
		.arena = arena, .s = pattern->source, .product_max = product_max, .ascii = ascii,
		.x = (pattern->flags & (PATTERN_X | PATTERN_XX)) != 0, .xx = (pattern->flags & PATTERN_XX) != 0,
	};
	read_alternatives(r, whole);
	return !r->failed && r->at == r->s.len;
}

static bool best_of(struct arena *arena, struct literal_piece *whole, struct literals *literals_r)
{
	if (whole->exact)
		literal_piece_consider(whole, &whole->strings, 1);
	if (whole->required.count == 0)
		return false;
	literal_set_minimal(arena, &whole->required, literals_r);
	literals_r->quality = whole->quality;
	literals_r->times = whole->times > 0 ? whole->times : 1;
	return literals_r->count > 0;
}

bool pattern_literals(struct arena *arena, const struct pattern *pattern, struct literals *literals_r)
{
	struct reader r;
	struct literal_piece whole;
	*literals_r = (struct literals){ .count = 0 };
	return read_whole(&r, arena, pattern, PRODUCT_MAX, false, &whole) && best_of(arena, &whole, literals_r);
}

bool pattern_literals_ascii(struct arena *arena, const struct pattern *pattern, struct literals *literals_r)
{
	struct reader r;
	struct literal_piece whole;
	*literals_r = (struct literals){ .count = 0 };
	if (!read_whole(&r, arena, pattern, PRODUCT_MAX_ASCII, true, &whole))
		return false;
	return whole.never || best_of(arena, &whole, literals_r);
}

bool pattern_exact(struct arena *arena, const struct pattern *pattern, struct literals *literals_r)
{
	struct reader r;
	struct literal_piece whole;
	*literals_r = (struct literals){ .count = 0 };
	if (!read_whole(&r, arena, pattern, LITERALS_MAX, false, &whole) || !whole.exact)
		return false;
	literals_r->list = whole.strings.list;
	literals_r->count = whole.strings.count;
	return true;
}
