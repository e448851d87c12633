/* Eval functions about the MIME structure and how its parts are encoded. */
#include "rules/eval_pattern.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

/* RFC 5322 2.1.1, and the line end. */
#define LINE_LONG 79u

struct eval_mime_stats {
	unsigned base64_count, qp_count, attachments, html_parts, text_parts;
	bool base64_text, strange_charset, faraway_charset, alternative, qp_long_line, boundary_missing;
	bool caps_charset;
	double qp_bytes, qp_encoded, multipart_ratio, unicode_ratio;
	unsigned ascii_illegal;
	size_t longest_base64;
};

static struct slice part_value(struct rule_scan *s, const struct part *part, const char *name)
{
	const struct header *h = part_header(part, slice_str(name), 0);
	return h != NULL ? slice_trim(header_unfold(s->arena, h->value)) : SLICE_EMPTY;
}

static bool is_leaf(const struct part *part)
{
	return part->children == 0 && !part->is_multipart;
}

struct part_words {
	struct slice type;        /* of Content-Type alone */
	struct slice encoding;    /* Content-Transfer-Encoding, lower case, whole */
	struct slice disposition; /* Content-Disposition, lower case, whole */
	struct slice charset;
};

static struct part_words words_of(struct rule_scan *s, const struct part *part)
{
	return (struct part_words){
		.type = part->type,
		.encoding = arena_lower(s->arena, part_value(s, part, "Content-Transfer-Encoding")),
		.disposition = arena_lower(s->arena, part_value(s, part, "Content-Disposition")),
		.charset = part->charset,
	};
}

static bool holds(struct slice text, const char *word)
{
	return slice_find(text, slice_str(word)) != SLICE_NPOS;
}

static void count_part(struct rule_scan *s, struct eval_mime_stats *m, const struct part_words *w)
{
	bool text = slice_starts(w->type, SLICE("text"));
	if (slice_eq(w->type, SLICE("text/html")))
		m->html_parts++;
	else if (text)
		m->text_parts++;
	if (slice_eq(w->type, SLICE("multipart/alternative")))
		m->alternative = true;
	if (holds(w->encoding, "base64"))
		m->base64_count++;
	else if (holds(w->encoding, "quoted-printable"))
		m->qp_count++;
	if (holds(w->disposition, "attachment"))
		m->attachments++;
	if (text && holds(w->encoding, "base64") &&
	    (w->charset.len == 0 || eval_is(s, IS_ASCII_CHARSET, w->charset)) &&
	    !slice_starts(w->disposition, SLICE("attachment")) && !slice_starts(w->disposition, SLICE("inline")))
		m->base64_text = true;
	if (eval_is(s, IS_STRANGE_ISO, w->charset) && !eval_is(s, IS_KNOWN_ISO, w->charset))
		m->strange_charset = true;
	if (w->charset.len > 0 && !eval_charset_ok(s, w->charset))
		m->faraway_charset = true;
	if (eval_is(s, IS_CAPS_CHARSET, w->charset))
		m->caps_charset = true;
}

/* A line with its line end as LF. */
static bool next_line(struct slice *rest, struct slice *line_r, size_t *length_r)
{
	if (rest->len == 0)
		return false;
	size_t end = slice_chr(*rest, '\n');
	*line_r = end == SLICE_NPOS ? *rest : slice_head(*rest, end + 1);
	*rest = slice_from(*rest, line_r->len);
	*length_r = line_r->len;
	if (line_r->len > 1 && line_r->data[line_r->len - 2] == '\r' && line_r->data[line_r->len - 1] == '\n')
		(*length_r)--;
	return true;
}

static void count_qp_line(struct rule_scan *s, struct eval_mime_stats *m, struct slice line, size_t length)
{
	struct regex_match match;
	size_t count = 0, from = 0;
	if (length > LINE_LONG)
		m->qp_long_line = true;
	m->qp_bytes += (double)length;
	if (slice_chr(line, '=') == SLICE_NPOS)
		return;
	while (eval_search(s, QP_ENCODED, line, from, &match)) {
		count++;
		from = match.end;
	}
	if (count > 0 && eval_search(s, QP_TRAILING, line, 0, NULL))
		count -= eval_group(s, line, 1).len / 3;
	m->qp_encoded += (double)count;
}

static bool has_illegal(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];
		if (c == 0 || c >= 0x80 || (c == '\r' && (i + 1 == line.len || line.data[i + 1] != '\n')))
			return true;
	}
	return false;
}

struct text_counts {
	double normal, unicode;
};

static void count_text_line(struct rule_scan *s, struct text_counts *t, struct slice line, size_t length)
{
	struct regex_match match;
	size_t from = 0, entities = 0;
	if (slice_find(line, SLICE("&#x")) != SLICE_NPOS)
		while (eval_search(s, UNICODE_ENTITY, line, from, &match)) {
			entities++;
			from = match.end;
		}
	t->normal += (double)(length - entities * 8);
	t->unicode += (double)entities;
}

static void read_lines(struct rule_scan *s, struct eval_mime_stats *m, const struct part *part,
		       const struct part_words *w, struct text_counts *t)
{
	bool plain = slice_eq(w->type, SLICE("text/plain"));
	bool qp = slice_eq(w->encoding, SLICE("quoted-printable"));
	bool base64 = slice_eq(w->encoding, SLICE("base64"));
	bool ascii = plain && (w->charset.len == 0 || slice_eq(w->charset, SLICE("us-ascii")));
	bool unencoded = plain && (w->encoding.len == 0 || slice_eq(w->encoding, SLICE("7bit")) ||
				   slice_eq(w->encoding, SLICE("8bit")));
	struct slice rest = part->body, line;
	size_t length;
	while ((qp || base64 || ascii || unencoded) && next_line(&rest, &line, &length)) {
		if (qp)
			count_qp_line(s, m, line, length);
		if (base64 && length > m->longest_base64 && !slice_eq(w->type, SLICE("application/ics")))
			m->longest_base64 = length;
		if (ascii && has_illegal(line))
			m->ascii_illegal++;
		if (unencoded)
			count_text_line(s, t, line, length);
	}
}

static size_t lf_length(struct slice body)
{
	size_t n = body.len;
	for (size_t i = 0; i + 1 < body.len; i++)
		n -= body.data[i] == '\r' && body.data[i + 1] == '\n';
	return n;
}

/* Of the last plain and the last HTML part that are no attachments. */
static void compare_alternatives(struct rule_scan *s, struct eval_mime_stats *m)
{
	const struct mime *mime = s->decoded->mime;
	const struct part *html = NULL, *text = NULL;
	for (size_t i = mime->count; i-- > 0;) {
		const struct part *p = &mime->parts[i];
		if (!is_leaf(p) || p->alternative || slice_starts(p->disposition, SLICE("attachment")))
			continue;
		if (html == NULL && slice_eq(p->type, SLICE("text/html")))
			html = p;
		else if (text == NULL && slice_eq(p->type, SLICE("text/plain")))
			text = p;
	}
	if (html != NULL && text != NULL && html->body.len > 0)
		m->multipart_ratio = (double)lf_length(text->body) / (double)lf_length(html->body);
}

static struct eval_mime_stats *stats_of(struct rule_scan *s)
{
	if (s->evals->mime != NULL)
		return s->evals->mime;
	struct eval_mime_stats *m = s->evals->mime = arena_new(s->arena, struct eval_mime_stats);
	struct text_counts t = { 0, 0 };
	const struct mime *mime = s->decoded->mime;
	m->multipart_ratio = 1;
	for (size_t i = 0; i < mime->count; i++) {
		const struct part *part = &mime->parts[i];
		if (part->alternative)
			continue;
		struct part_words w = words_of(s, part);
		count_part(s, m, &w);
		if (is_leaf(part))
			read_lines(s, m, part, &w, &t);
		if (part->defects & (PART_UNCLOSED | PART_BOUNDARY_UNSEEN))
			m->boundary_missing = true;
	}
	if (t.normal > 0)
		m->unicode_ratio = t.unicode / t.normal;
	if (m->alternative)
		compare_alternatives(s, m);
	return m;
}

static double check_for_mime(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_mime_stats *m = stats_of(s);
	const struct {
		const char *name;
		bool value;
	} tests[] = {
		{ "mime_base64_count", m->base64_count > 0 },
		{ "mime_base64_encoded_text", m->base64_text },
		{ "mime_body_html_count", m->html_parts > 0 },
		{ "mime_body_text_count", m->text_parts > 0 },
		{ "mime_bad_iso_charset", m->strange_charset },
		{ "mime_faraway_charset", m->faraway_charset },
		{ "mime_missing_boundary", m->boundary_missing },
		{ "mime_multipart_alternative", m->alternative },
		/* Once quoted-printable text was seen its encoded characters count, not its parts. */
		{ "mime_qp_count", m->qp_bytes > 0 ? m->qp_encoded > 0 : m->qp_count > 0 },
		{ "mime_qp_long_line", m->qp_long_line },
		{ "mime_qp_ratio", m->qp_encoded > 0 },
		{ "mime_ascii_text_illegal", m->ascii_illegal > 0 },
		{ "mime_text_unicode_ratio", m->unicode_ratio > 0 },
		{ "mime_attachment", m->attachments > 0 },
		{ "mime_multipart_ratio", m->multipart_ratio > 0 },
	};
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (slice_eq(eval_arg(rule, 0), slice_str(tests[i].name)))
			return tests[i].value;
	return 0;
}

static bool top_is_html(struct rule_scan *s)
{
	return slice_starts_nocase(slice_trim_left(rule_header_text(s, "Content-Type")), SLICE("text/html"));
}

static double check_for_mime_html(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return top_is_html(s) || stats_of(s)->html_parts > 0;
}

static double check_for_mime_html_only(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_mime_stats *m = stats_of(s);
	(void)rule;
	return top_is_html(s) || (m->html_parts > 0 && m->text_parts == 0);
}

static double check_mime_multipart_ratio(struct rule_scan *s, const struct rule *rule)
{
	double ratio = stats_of(s)->multipart_ratio;
	return ratio >= eval_number(rule, 0, -1) && ratio < eval_number(rule, 1, 1e300);
}

static double check_for_ascii_text_illegal(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return stats_of(s)->ascii_illegal > 0;
}

static double check_abundant_unicode_ratio(struct rule_scan *s, const struct rule *rule)
{
	return stats_of(s)->unicode_ratio >= eval_number(rule, 0, 1e300);
}

static double check_qp_ratio(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_mime_stats *m = stats_of(s);
	return (m->qp_bytes > 0 ? m->qp_encoded / m->qp_bytes : 0) >= eval_number(rule, 0, 1e300);
}

static double check_base64_length(struct rule_scan *s, const struct rule *rule)
{
	return eval_in_range(rule, 0, (double)stats_of(s)->longest_base64);
}

static double check_ma_non_text(struct rule_scan *s, const struct rule *rule)
{
	const struct mime *mime = s->decoded->mime;
	(void)rule;
	for (size_t i = 0; i < mime->count; i++) {
		const struct part *p = &mime->parts[i];
		bool inside = false;
		for (int up = p->parent; up >= 0 && !inside; up = mime->parts[up].parent)
			inside = slice_eq(mime->parts[up].type, SLICE("multipart/alternative"));
		if (inside && is_leaf(p) && !p->alternative && !slice_starts(p->type, SLICE("text/")) &&
		    !slice_eq(p->type, SLICE("application/rtf")) && !slice_eq(p->type, SLICE("multipart/related"))) {
			eval_evidence(s, rule, "%.*s", SLICE_ARG(p->type));
			return 1;
		}
	}
	return 0;
}

static double check_msg_parse_flags(struct rule_scan *s, const struct rule *rule)
{
	static const struct {
		const char *name;
		unsigned defects;
	} flags[] = {
		{ "missing_mime_head_body_separator", PART_NO_BLANK_LINE },
		{ "missing_mime_headers", PART_NO_HEADERS },
		{ "mime_epilogue_exists", PART_EPILOGUE },
		{ "mimepart_limit_exceeded", PART_TOO_MANY },
	};
	struct slice name = eval_arg(rule, 0);
	if (slice_eq(name, SLICE("missing_head_body_separator")))
		return s->decoded->missing_blank_line;
	if (slice_eq(name, SLICE("truncated_header")))
		return s->in.message->head_cut;
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (slice_eq(name, slice_str(flags[i].name)))
			return (s->decoded->mime->defects & flags[i].defects) != 0;
	return 0;
}

static double check_for_uppercase(struct rule_scan *s, const struct rule *rule)
{
	const struct text *body = &s->decoded->body;
	double lower = 0, upper = 0, length = 0;
	if (stats_of(s)->caps_charset)
		return 0;
	for (size_t i = 0; i < body->count; i++) {
		struct slice line = body->pieces[i];
		if (!eval_is(s, IS_TWO_WORDS, line) || eval_is(s, IS_BASE64_TEXT, line))
			continue;
		length += (double)line.len;
		for (size_t k = 0; k < line.len; k++) {
			upper += line.data[k] >= 'A' && line.data[k] <= 'Z';
			lower += (line.data[k] >= 'a' && line.data[k] <= 'z') || ascii_is_digit(line.data[k]);
		}
	}
	if (length < 200 || upper + lower == 0)
		return 0;
	double percent = upper / (upper + lower) * 100;
	return percent > eval_number(rule, 0, 100) && percent <= eval_number(rule, 1, 100);
}

const struct eval_function eval_mime[] = {
	{ .name = "check_for_mime", .fn = check_for_mime, .min_args = 1, .max_args = 1 },
	{ .name = "check_for_mime_html", .fn = check_for_mime_html },
	{ .name = "check_for_mime_html_only", .fn = check_for_mime_html_only },
	{ .name = "check_mime_multipart_ratio", .fn = check_mime_multipart_ratio, .min_args = 2, .max_args = 2 },
	{ .name = "check_for_ascii_text_illegal", .fn = check_for_ascii_text_illegal },
	{ .name = "check_abundant_unicode_ratio", .fn = check_abundant_unicode_ratio, .min_args = 1, .max_args = 1 },
	{ .name = "check_qp_ratio", .fn = check_qp_ratio, .min_args = 1, .max_args = 1 },
	{ .name = "check_base64_length", .fn = check_base64_length, .min_args = 1, .max_args = 2 },
	{ .name = "check_ma_non_text", .fn = check_ma_non_text },
	{ .name = "check_msg_parse_flags", .fn = check_msg_parse_flags, .min_args = 1, .max_args = 1 },
	{ .name = "check_for_uppercase", .fn = check_for_uppercase, .min_args = 2, .max_args = 2 },
	{ .name = NULL },
};
