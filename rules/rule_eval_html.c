/* Eval functions about HTML parts: their facts by name. */
#include "rules/eval_pattern.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

/* What html_eval(), html_range() and html_test() call it, where it is in the facts. */
enum fact_kind { FACT_DOUBLE, FACT_UNSIGNED, FACT_SIZE, FACT_AREA, FACT_BOOL, FACT_TRUE };

static const struct fact {
	const char *name;
	enum fact_kind kind;
	size_t offset;
} facts[] = {
#define FACT(text, type, member) { text, type, offsetof(struct html_facts, member) }
	FACT("ratio", FACT_DOUBLE, ratio),
	FACT("closed_extra_ratio", FACT_DOUBLE, closed_extra_ratio),
	FACT("bad_tag_ratio", FACT_DOUBLE, bad_tag_ratio),
	FACT("non_element_ratio", FACT_DOUBLE, non_element_ratio),
	FACT("obfuscation_ratio", FACT_DOUBLE, obfuscation_ratio),
	FACT("backhair_count", FACT_UNSIGNED, backhair_count),
	FACT("tags", FACT_UNSIGNED, tags),
	FACT("elements", FACT_UNSIGNED, elements),
	FACT("length", FACT_SIZE, length),
	FACT("html_length", FACT_SIZE, html_length),
	FACT("non_space_len", FACT_SIZE, non_space_len),
	FACT("image_area", FACT_AREA, image_area),
	FACT("max_size", FACT_DOUBLE, max_size),
	FACT("min_size", FACT_DOUBLE, min_size),
	FACT("font_low_contrast", FACT_BOOL, font_low_contrast),
	FACT("font_invalid_color", FACT_BOOL, font_invalid_color),
	FACT("font_face_bad", FACT_BOOL, font_face_bad),
	FACT("form_action_mailto", FACT_BOOL, form_action_mailto),
	FACT("embeds", FACT_BOOL, embeds),
	FACT("uri_truncated", FACT_BOOL, uri_truncated),
	FACT("hidden_len", FACT_SIZE, hidden_len),
	{ "html", FACT_TRUE, 0 }, /* there is such a part */
#undef FACT
};

static const struct fact *find_fact(struct slice name)
{
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		if (slice_eq(name, slice_str(facts[i].name)))
			return &facts[i];
	return NULL;
}

static double fact_value(const struct html *html, const struct fact *fact)
{
	const char *at = (const char *)&html->facts + fact->offset;
	switch (fact->kind) {
	case FACT_DOUBLE: return *(const double *)(const void *)at;
	case FACT_UNSIGNED: return *(const unsigned *)(const void *)at;
	case FACT_SIZE: return (double)*(const size_t *)(const void *)at;
	case FACT_TRUE: return 1;
	case FACT_AREA: return (double)*(const uint64_t *)(const void *)at;
	default: return *(const bool *)(const void *)at;
	}
}

static const char *needs_fact(const struct rule *rule)
{
	return find_fact(eval_arg(rule, 0)) == NULL ? "this property of HTML is not measured" : NULL;
}

#define EACH_HTML(s, html) \
	for (size_t html_i = 0; html_i < (s)->decoded->html_count; html_i++) \
		for (const struct html *html = (s)->decoded->html[html_i]; html != NULL; html = NULL)

static double html_test(struct rule_scan *s, const struct rule *rule)
{
	const struct fact *fact = find_fact(eval_arg(rule, 0));
	EACH_HTML(s, html)
		if (fact != NULL && fact_value(html, fact) != 0)
			return 1;
	return 0;
}

static double html_range(struct rule_scan *s, const struct rule *rule)
{
	const struct fact *fact = find_fact(eval_arg(rule, 0));
	double min = eval_number(rule, 1, -1e300), max = eval_number(rule, 2, 1e300);
	EACH_HTML(s, html) {
		double value = fact != NULL ? fact_value(html, fact) : 0;
		if (fact != NULL && value > min && value <= max) {
			eval_evidence(s, rule, "%s %g", fact->name, value);
			return 1;
		}
	}
	return 0;
}

/* "< 384", "!= 0" */
static bool compares(double value, struct slice text)
{
	static const char *const operators[] = { "<=", ">=", "==", "!=", "<", ">" };
	text = slice_trim(text);
	for (size_t i = 0; i < 6; i++) {
		struct slice op = slice_str(operators[i]);
		if (!slice_starts(text, op))
			continue;
		struct slice digits = slice_trim(slice_from(text, op.len));
		bool negative = digits.len > 0 && digits.data[0] == '-';
		uint64_t number;
		if (!slice_u64(slice_from(digits, negative), 1000000000, &number))
			return false;
		double other = negative ? -(double)number : (double)number;
		switch (i) {
		case 0: return value <= other;
		case 1: return value >= other;
		case 2: return value == other;
		case 3: return value != other;
		case 4: return value < other;
		default: return value > other;
		}
	}
	return false;
}

static double html_eval(struct rule_scan *s, const struct rule *rule)
{
	const struct fact *fact = find_fact(eval_arg(rule, 0));
	EACH_HTML(s, html)
		if (fact != NULL && compares(fact_value(html, fact), eval_arg(rule, 1)))
			return 1;
	return 0;
}

static double html_tag_balance(struct rule_scan *s, const struct rule *rule)
{
	EACH_HTML(s, html) {
		const struct html_tag *tag = html_tag_find(html, eval_arg(rule, 0));
		if (tag != NULL && compares(tag->open, eval_arg(rule, 1)))
			return 1;
	}
	return 0;
}

static double html_tag_exists(struct rule_scan *s, const struct rule *rule)
{
	EACH_HTML(s, html)
		if (html_tag_find(html, eval_arg(rule, 0)) != NULL)
			return 1;
	return 0;
}

static double html_image_only(struct rule_scan *s, const struct rule *rule)
{
	EACH_HTML(s, html) {
		double length = (double)html->facts.length;
		if (html_tag_find(html, SLICE("img")) != NULL && length > eval_number(rule, 0, 0) &&
		    length <= eval_number(rule, 1, 0))
			return 1;
	}
	return 0;
}

static double html_image_ratio(struct rule_scan *s, const struct rule *rule)
{
	EACH_HTML(s, html) {
		if (html->facts.image_area == 0)
			continue;
		double ratio = (double)html->facts.non_space_len / (double)html->facts.image_area;
		if (ratio > eval_number(rule, 0, 0) && ratio <= eval_number(rule, 1, 0))
			return 1;
	}
	return 0;
}

static double html_charset_faraway(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	EACH_HTML(s, html) {
		struct slice rest = html->facts.charsets, word;
		unsigned good = 0, bad = 0;
		while (rest.data != NULL && slice_split(&rest, ' ', &word)) {
			good += word.len > 0 && eval_charset_ok(s, word);
			bad += word.len > 0 && !eval_charset_ok(s, word);
		}
		if (bad > 0 && bad >= good)
			return 1;
	}
	return 0;
}

static const struct slice *texts_of(const struct html *html, struct slice name, size_t *count_r)
{
	*count_r = 0;
	if (slice_eq(name, SLICE("title"))) {
		*count_r = html->title_count;
		return html->titles;
	}
	if (slice_eq(name, SLICE("anchor"))) {
		*count_r = html->anchor_count;
		return html->anchors;
	}
	if (slice_eq(name, SLICE("comment"))) {
		*count_r = html->comment_count;
		return html->comments;
	}
	if (slice_eq(name, SLICE("script"))) {
		*count_r = html->script_count;
		return html->scripts;
	}
	return NULL;
}

static double text_match(struct rule_scan *s, const struct rule *rule, bool wanted)
{
	bool comments = slice_eq(eval_arg(rule, 0), SLICE("comment"));
	EACH_HTML(s, html) {
		size_t n;
		const struct slice *list = texts_of(html, eval_arg(rule, 0), &n);
		for (size_t i = 0; i < n && rule->regex != NULL; i++) {
			/* Comments are matched as they stand in the source. */
			struct slice text = comments ? arena_printf(s->arena, "<!--%.*s-->", SLICE_ARG(list[i])) : list[i];
			if (eval_regex(s, rule->regex, text) == wanted)
				return 1;
		}
	}
	return 0;
}

static double html_text_match(struct rule_scan *s, const struct rule *rule)
{
	return text_match(s, rule, true);
}

static double html_text_not_match(struct rule_scan *s, const struct rule *rule)
{
	return text_match(s, rule, false);
}

static double html_title_subject_ratio(struct rule_scan *s, const struct rule *rule)
{
	const struct header_selector sel = { SLICE("Subject"), 0 };
	struct slice subject;
	if (!rule_header_get(s, &sel, &subject) || subject.len == 0)
		return 0;
	EACH_HTML(s, html)
		for (size_t i = 0; i < html->title_count; i++)
			if ((double)html->titles[i].len / (double)subject.len > eval_number(rule, 0, 1e300))
				return 1;
	return 0;
}

static double check_iframe_src(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	EACH_HTML(s, html)
		for (size_t i = 0; i < html->link_count; i++)
			if (strcmp(html->links[i].tag, "iframe") == 0)
				return 1;
	return 0;
}

const struct eval_function eval_html[] = {
	{ .name = "html_test", .fn = html_test, .min_args = 1, .max_args = 1, .check = needs_fact },
	{ .name = "html_range", .fn = html_range, .min_args = 2, .max_args = 3, .check = needs_fact },
	{ .name = "html_eval", .fn = html_eval, .min_args = 2, .max_args = 2, .check = needs_fact },
	{ .name = "html_tag_balance", .fn = html_tag_balance, .min_args = 2, .max_args = 2 },
	{ .name = "html_tag_exists", .fn = html_tag_exists, .min_args = 1, .max_args = 1 },
	{ .name = "html_image_only", .fn = html_image_only, .min_args = 2, .max_args = 2 },
	{ .name = "html_image_ratio", .fn = html_image_ratio, .min_args = 2, .max_args = 2 },
	{ .name = "html_charset_faraway", .fn = html_charset_faraway },
	{ .name = "html_text_match", .fn = html_text_match, .min_args = 2, .max_args = 2, .pattern = 2 },
	{ .name = "html_text_not_match", .fn = html_text_not_match, .min_args = 2, .max_args = 2, .pattern = 2 },
	{ .name = "html_title_subject_ratio", .fn = html_title_subject_ratio, .min_args = 1, .max_args = 1 },
	{ .name = "check_iframe_src", .fn = check_iframe_src },
	{ .name = NULL },
};
