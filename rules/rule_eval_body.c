/* Eval functions about the text as a whole. */
#include "rules/eval_pattern.h"
#include "rules/rule_eval.h"

#define STOCK_KINDS 64u

struct eval_body_stats {
	bool have_difference, have_vertical, have_stock;
	double difference;         /* percent of the HTML's words that the text lacks; the worst alternative */
	double html_words, text_words;
	double vertical;
	double stock;
};

static struct eval_body_stats *stats_of(struct rule_scan *s)
{
	if (s->evals->body == NULL)
		s->evals->body = arena_new(s->arena, struct eval_body_stats);
	return s->evals->body;
}

/* ---- multipart/alternative: does the plain text say what the HTML says? ---- */

static bool is_word_byte(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

static void count_words(struct rule_scan *s, struct name_map *words, struct slice text)
{
	while (text.len > 0) {
		size_t from = 0, to;
		while (from < text.len && ascii_is_space(text.data[from]))
			from++;
		bool word = false;
		for (to = from; to < text.len && !ascii_is_space(text.data[to]); to++)
			word = word || is_word_byte(text.data[to]);
		if (word) {
			struct slice w = slice_sub(text, from, to - from);
			uint32_t n = name_map_get(words, w);
			name_map_put(words, s->arena, w, n == NAME_MAP_NONE ? 1 : n + 1);
		}
		text = slice_from(text, to);
	}
}

static bool lies_in(const struct mime *mime, size_t part, size_t container)
{
	for (int up = mime->parts[part].parent; up >= 0; up = mime->parts[up].parent)
		if ((size_t)up == container)
			return true;
	return false;
}

static void compare_words(struct eval_body_stats *b, const struct name_map *html, const struct name_map *text)
{
	size_t left = 0;
	if (html->count == 0)
		return;
	b->html_words = (double)html->count;
	b->text_words = (double)text->count;
	for (size_t i = 0; i < html->cap; i++) {
		if (html->slots[i].key.data == NULL)
			continue;
		uint32_t n = name_map_get(text, html->slots[i].key);
		left += n == NAME_MAP_NONE || html->slots[i].value > n;
	}
	double difference = (double)left / (double)html->count * 100;
	if (difference > b->difference)
		b->difference = difference;
}

static void compare_parts(struct rule_scan *s, struct eval_body_stats *b, size_t container)
{
	struct mime *mime = s->decoded->mime;
	struct name_map html = { .count = 0 }, text = { .count = 0 };
	for (size_t i = container + 1; i < mime->count; i++) {
		struct part *p = &mime->parts[i];
		if (!slice_starts(p->type, SLICE("text")) || p->alternative || !lies_in(mime, i, container))
			continue;
		if (p->html != NULL) {
			count_words(s, &html, p->html->text);
			if (html.count == 0 && html_tag_find(p->html, SLICE("img")) != NULL)
				name_map_put(&html, s->arena, SLICE("\n"), 1);
		} else if (p->is_text) {
			count_words(s, &text, part_text(mime, p));
		}
	}
	compare_words(b, &html, &text);
}

static bool is_invitation(const struct mime *mime)
{
	return mime->count == 3 && slice_eq(mime->parts[0].type, SLICE("multipart/alternative")) &&
	       slice_eq(mime->parts[1].type, SLICE("text/html")) &&
	       slice_eq(mime->parts[2].type, SLICE("text/calendar"));
}

static const struct eval_body_stats *difference_of(struct rule_scan *s)
{
	struct eval_body_stats *b = stats_of(s);
	const struct mime *mime = s->decoded->mime;
	if (b->have_difference)
		return b;
	b->have_difference = true;
	for (size_t i = 0; i < mime->count && !is_invitation(mime); i++)
		if (slice_eq(mime->parts[i].type, SLICE("multipart/alternative")))
			compare_parts(s, b, i);
	return b;
}

static double multipart_alternative_difference(struct rule_scan *s, const struct rule *rule)
{
	double difference = difference_of(s)->difference, min = eval_number(rule, 0, 0);
	return (min == 0 || difference > min) && difference <= eval_number(rule, 1, 1e300);
}

static double multipart_alternative_difference_count(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_body_stats *b = difference_of(s);
	return b->html_words > eval_number(rule, 1, 1e300) &&
	       b->text_words / b->html_words > eval_number(rule, 0, 1e300);
}

/* ---- lines ---- */

static double check_blank_line_ratio(struct rule_scan *s, const struct rule *rule)
{
	double min = eval_number(rule, 0, 0), max = eval_number(rule, 1, 100), least = eval_number(rule, 2, 1);
	double blank = 0, lines = 0;
	const struct text *raw = &s->decoded->rawbody;
	for (size_t i = 0; i < raw->count; i++) {
		struct slice rest = raw->pieces[i];
		while (rest.len > 0) {
			size_t end = slice_chr(rest, '\n');
			struct slice line = end == SLICE_NPOS ? rest : slice_head(rest, end);
			rest = slice_from(rest, end == SLICE_NPOS ? rest.len : end + 1);
			lines++;
			blank += slice_trim(line).len == 0;
		}
	}
	double ratio = lines < (least < 1 ? 1 : least) ? -1 : 100 * blank / lines;
	return (min == 0 || ratio > min) && ratio <= max;
}

/* How much of a line is spaces: the worst one, in percent of what is not. */
static double tvd_vertical_words(struct rule_scan *s, const struct rule *rule)
{
	struct eval_body_stats *b = stats_of(s);
	const struct text *body = &s->decoded->body;
	double max = eval_number(rule, 1, 101);
	if (!b->have_vertical) {
		b->have_vertical = true;
		b->vertical = -1;
		for (size_t i = 0; i < body->count; i++) {
			size_t spaces = 0, len = body->pieces[i].len;
			if (len <= 5)
				continue;
			for (size_t k = 0; k < len; k++)
				spaces += body->pieces[i].data[k] == ' ';
			size_t others = len - spaces;
			double percent = spaces > others || others == 0 ? 100 : (double)(100 * spaces / others);
			if (percent > b->vertical)
				b->vertical = percent;
		}
	}
	return b->vertical >= eval_number(rule, 0, 0) && b->vertical < (max >= 100 ? 101 : max);
}

static double check_body_length(struct rule_scan *s, const struct rule *rule)
{
	struct slice body = s->in.message->body;
	size_t length = body.len;
	for (size_t i = 0; i + 1 < body.len; i++)
		length -= body.data[i] == '\r' && body.data[i + 1] == '\n';
	return (double)length <= eval_number(rule, 0, 0);
}

/* ---- "Symbol: …", "Price: …" ---- */

static struct slice letters_of(struct rule_scan *s, struct slice text)
{
	char *out = arena_alloc(s->arena, text.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++)
		if (ascii_is_alpha(text.data[i]))
			out[n++] = ascii_lower(text.data[i]);
	return slice_make(out, n);
}

static double count_stock_words(struct rule_scan *s, struct slice text)
{
	struct name_map found = { .count = 0 };
	struct regex_match m;
	size_t from = 0;
	while (found.count < STOCK_KINDS && eval_search(s, STOCK_LINE, text, from, &m)) {
		struct slice label = letters_of(s, eval_group(s, text, 1));
		from = m.end > from ? m.end : from + 1;
		if (eval_is(s, STOCK_WORD, label))
			name_map_put(&found, s->arena, arena_copy(s->arena, eval_group(s, label, 1)), 1);
	}
	return (double)found.count;
}

static double check_stock_info(struct rule_scan *s, const struct rule *rule)
{
	struct eval_body_stats *b = stats_of(s);
	struct mime *mime = s->decoded->mime;
	for (size_t i = 0; i < mime->count && !b->have_stock; i++)
		if (slice_eq(mime->parts[i].type, SLICE("text/plain")) && mime->parts[i].is_text) {
			b->stock = count_stock_words(s, part_text(mime, &mime->parts[i]));
			b->have_stock = true;
		}
	b->have_stock = true;
	return eval_number(rule, 0, 0) == 0 || b->stock >= eval_number(rule, 0, 0);
}

/* ---- text and signature ("-- ") of the first plain part ---- */

static bool signature_lengths(struct rule_scan *s, double *body_r, double *signature_r)
{
	struct mime *mime = s->decoded->mime;
	size_t i = 0;
	while (i < mime->count && !(slice_eq(mime->parts[i].type, SLICE("text/plain")) && mime->parts[i].is_text))
		i++;
	if (i == mime->count)
		return false;
	struct slice text = part_text(mime, &mime->parts[i]), rest = text, line;
	*body_r = (double)text.len;
	*signature_r = 0;
	while (rest.data != NULL && slice_split(&rest, '\n', &line)) {
		if (!slice_eq(line, SLICE("--")) && !slice_eq(line, SLICE("-- ")))
			continue;
		size_t behind = (size_t)(line.data - text.data) + line.len;
		if (text.len - behind > 4) {
			*body_r = (double)(line.data - text.data);
			*signature_r = (double)(text.len - behind);
		}
	}
	return true;
}

static double plaintext_body_length(struct rule_scan *s, const struct rule *rule)
{
	double body, signature;
	return signature_lengths(s, &body, &signature) && eval_in_range(rule, 0, body);
}

static double plaintext_sig_length(struct rule_scan *s, const struct rule *rule)
{
	double body, signature;
	return signature_lengths(s, &body, &signature) && eval_in_range(rule, 0, signature);
}

static double plaintext_body_sig_ratio(struct rule_scan *s, const struct rule *rule)
{
	double body, signature;
	return signature_lengths(s, &body, &signature) &&
	       eval_in_range(rule, 0, signature > 0 ? body / signature : 1e6);
}

const struct eval_function eval_body[] = {
	{ .name = "multipart_alternative_difference", .fn = multipart_alternative_difference,
	  .min_args = 2, .max_args = 2 },
	{ .name = "multipart_alternative_difference_count", .fn = multipart_alternative_difference_count,
	  .min_args = 2, .max_args = 2 },
	{ .name = "check_blank_line_ratio", .fn = check_blank_line_ratio, .min_args = 2, .max_args = 3 },
	{ .name = "tvd_vertical_words", .fn = tvd_vertical_words, .min_args = 2, .max_args = 2 },
	{ .name = "check_body_length", .fn = check_body_length, .min_args = 1, .max_args = 1 },
	{ .name = "check_stock_info", .fn = check_stock_info, .min_args = 1, .max_args = 1 },
	{ .name = "plaintext_body_length", .fn = plaintext_body_length, .min_args = 1, .max_args = 2 },
	{ .name = "plaintext_sig_length", .fn = plaintext_sig_length, .min_args = 1, .max_args = 2 },
	{ .name = "plaintext_body_sig_ratio", .fn = plaintext_body_sig_ratio, .min_args = 1, .max_args = 2 },
	{ .name = NULL },
};
