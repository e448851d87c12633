/*
 * The directives of rule files, one function for each kind. What it reads
 * goes into the table; patterns and expressions are checked for their form
 * here and compiled later.
 */
#include <stdlib.h>

#include "rules/rule_expr.h"
#include "rules/rule_parse.h"

#define line_error(l, ...) config_error_add((l)->table->errors, (l)->file, (l)->line, __VA_ARGS__)

static struct slice take_word(struct slice *rest)
{
	struct slice s = slice_trim_left(*rest);
	size_t n = 0;
	while (n < s.len && !ascii_is_space(s.data[n]))
		n++;
	*rest = slice_trim(slice_from(s, n));
	return slice_head(s, n);
}

static bool parse_number(struct slice word, double *value_r)
{
	char text[40];
	if (word.len == 0 || word.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_digit(word.data[i]) && strchr("+-.", word.data[i]) == NULL)
			return false;
	memcpy(text, word.data, word.len);
	text[word.len] = '\0';
	char *end;
	*value_r = strtod(text, &end);
	return *end == '\0';
}

/* The rule that the line's first word names; NULL with an error if it can't be one. */
static struct rule *named_rule(const struct rule_line *l, struct slice *rest_r)
{
	*rest_r = l->value;
	struct slice name = take_word(rest_r);
	if (!rule_name_ok(name)) {
		line_error(l, "\"%.*s\" is not the name of a rule", SLICE_ARG(name));
		return NULL;
	}
	return rule_table_need(l->table, name);
}

/* A new definition replaces an older one, but not what score, describe … said. */
static struct rule *define(const struct rule_line *l, enum rule_type type, struct slice *rest_r)
{
	struct rule *rule = named_rule(l, rest_r);
	if (rule == NULL)
		return NULL;
	if (rest_r->len == 0) {
		line_error(l, "rule %s without a definition", rule->name.data);
		return NULL;
	}
	rule->type = type;
	rule->file = l->file;
	rule->line = l->line;
	rule->text = *rest_r;
	rule->header = (struct header_selector){ SLICE_EMPTY, 0 };
	rule->exists = rule->negated = rule->has_unset = false;
	rule->unset = SLICE_EMPTY;
	rule->pattern = (struct pattern){ .set = false };
	rule->function = SLICE_EMPTY;
	rule->arg_count = 0;
	rule->condition_count = 0;
	rule->skipped = false;
	rule->status = RULE_SUPPORTED;
	rule->reason = NULL;
	return rule;
}

/* A definition that can't be read leaves no rule behind. */
static void undefine(struct rule *rule, const char *reason)
{
	rule->pattern.set = false;
	rule_downgrade(rule, RULE_UNSUPPORTED, reason);
}

/* ---- patterns ---- */

static char closing_of(char open)
{
	switch (open) {
	case '{': return '}';
	case '(': return ')';
	case '<': return '>';
	case '[': return ']';
	default: return open;
	}
}

static bool read_modifiers(struct slice text, unsigned *flags_r, const char **error_r)
{
	*flags_r = 0;
	for (size_t i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case 'i': *flags_r |= PATTERN_I; break;
		case 'm': *flags_r |= PATTERN_M; break;
		case 's': *flags_r |= PATTERN_S; break;
		case 'x': *flags_r |= *flags_r & PATTERN_X ? PATTERN_XX : PATTERN_X; break;
		case 'n': *flags_r |= PATTERN_N; break;
		case 'a': *flags_r |= PATTERN_A; break;
		case 'o': case 'p': case 'u': case 'd': case 'l': case 'g': break;
		default:
			*error_r = "unknown modifier behind the pattern";
			return false;
		}
	}
	return true;
}

/* Where the modifiers begin: letters at the very end. */
static size_t modifiers_at(struct slice text)
{
	size_t at = text.len;
	while (at > 0 && ascii_is_alpha(text.data[at - 1]))
		at--;
	return at;
}

static bool has_bare(struct slice source, char delimiter)
{
	for (size_t i = 0; i < source.len; i++) {
		if (source.data[i] == '\\')
			i++;
		else if (source.data[i] == delimiter)
			return true;
	}
	return false;
}

bool rule_parse_pattern(struct arena *arena, struct slice text, struct pattern *pattern_r, const char **error_r)
{
	(void)arena;
	text = slice_trim(text);
	size_t start = 0;
	if (slice_starts(text, SLICE("m")))
		start = 1;
	else if (slice_starts(text, SLICE("qr")))
		start = 2;
	char open = start < text.len ? text.data[start] : '\0';
	if (open == '\0' || ascii_is_alnum(open) || open == '_' || open == '\\' || ascii_is_space(open) ||
	    (start == 0 && open != '/')) {
		*error_r = "pattern without delimiters";
		return false;
	}
	char close = closing_of(open);
	size_t end = modifiers_at(text);
	if (end <= start + 1 || text.data[end - 1] != close) {
		*error_r = "pattern without its closing delimiter";
		return false;
	}
	struct slice source = slice_sub(text, start + 1, end - start - 2);
	if (close == open && has_bare(source, open)) {
		*error_r = "delimiter inside the pattern without a backslash";
		return false;
	}
	if (source.len == 0) {
		*error_r = "empty pattern";
		return false;
	}
	pattern_r->source = source;
	pattern_r->set = true;
	return read_modifiers(slice_from(text, end), &pattern_r->flags, error_r);
}

static void read_pattern(const struct rule_line *l, struct rule *rule, struct slice text)
{
	const char *error = NULL;
	if (rule_parse_pattern(l->table->arena, text, &rule->pattern, &error))
		return;
	line_error(l, "%s: %s", rule->name.data, error);
	undefine(rule, error);
}

/* ---- eval:function(arguments) ---- */

static const char *take_argument(struct slice *rest, struct slice *out)
{
	struct slice s = slice_trim_left(*rest);
	size_t n = 0;
	if (s.len > 0 && (s.data[0] == '\'' || s.data[0] == '"')) {
		n = slice_chr(slice_from(s, 1), s.data[0]);
		if (n == SLICE_NPOS)
			return "argument without its closing quote";
		*out = slice_sub(s, 1, n);
		s = slice_trim_left(slice_from(s, n + 2));
	} else {
		while (n < s.len && s.data[n] != ',')
			n++;
		*out = slice_trim(slice_head(s, n));
		s = slice_from(s, n);
		if (out->len == 0)
			return "empty argument";
	}
	if (s.len > 0 && s.data[0] != ',')
		return "arguments not separated by commas";
	*rest = slice_trim(slice_from(s, 1));
	return NULL;
}

static const char *parse_eval(struct rule *rule, struct slice text)
{
	size_t open = slice_chr(text, '(');
	if (open == SLICE_NPOS || text.len == 0 || text.data[text.len - 1] != ')')
		return "eval needs function(arguments)";
	rule->function = slice_trim(slice_head(text, open));
	if (!rule_name_ok(rule->function))
		return "eval needs function(arguments)";
	struct slice rest = slice_trim(slice_sub(text, open + 1, text.len - open - 2));
	while (rest.len > 0) {
		if (rule->arg_count == RULE_ARGS_MAX)
			return "too many arguments";
		const char *error = take_argument(&rest, &rule->args[rule->arg_count]);
		if (error != NULL)
			return error;
		rule->arg_count++;
	}
	return NULL;
}

static void read_eval(const struct rule_line *l, struct rule *rule, struct slice text)
{
	const char *error = parse_eval(rule, slice_trim(text));
	if (error == NULL)
		return;
	line_error(l, "%s: %s", rule->name.data, error);
	undefine(rule, error);
}

static void define_eval_or_pattern(const struct rule_line *l, enum rule_type pattern, enum rule_type eval)
{
	struct slice rest;
	struct rule *rule = define(l, pattern, &rest);
	if (rule == NULL)
		return;
	if (slice_starts(rest, SLICE("eval:"))) {
		rule->type = eval;
		read_eval(l, rule, slice_from(rest, 5));
	} else {
		read_pattern(l, rule, rest);
	}
}

static void on_body(const struct rule_line *l)
{
	define_eval_or_pattern(l, RULE_BODY, RULE_BODY_EVAL);
}

static void on_rawbody(const struct rule_line *l)
{
	define_eval_or_pattern(l, RULE_RAWBODY, RULE_RAWBODY_EVAL);
}

static void on_full(const struct rule_line *l)
{
	define_eval_or_pattern(l, RULE_FULL, RULE_FULL_EVAL);
}

static void define_pattern(const struct rule_line *l, enum rule_type type)
{
	struct slice rest;
	struct rule *rule = define(l, type, &rest);
	if (rule != NULL)
		read_pattern(l, rule, rest);
}

static void on_uri(const struct rule_line *l)
{
	define_pattern(l, RULE_URI);
}

static void on_skeleton(const struct rule_line *l)
{
	define_pattern(l, RULE_SKELETON);
}

/* ---- header ---- */

static const struct {
	const char *name;
	unsigned part;
} header_parts[] = {
	{ "raw", HEADER_RAW },
	{ "addr", HEADER_ADDR },
	{ "name", HEADER_NAME },
	{ "host", HEADER_HOST },
	{ "domain", HEADER_HOST | HEADER_DOMAIN },
	{ "ip", HEADER_IP },
	{ "revip", HEADER_IP | HEADER_REVIP },
	{ "first", HEADER_FIRST },
	{ "last", HEADER_LAST },
};

/* "From:addr" and the like; false: an unknown part. */
static bool parse_selector(struct slice text, struct header_selector *selector_r)
{
	if (text.len > 0 && text.data[text.len - 1] == ':')
		text.len--;
	struct slice piece;
	if (text.len == 0 || !slice_split(&text, ':', &selector_r->name))
		return false;
	selector_r->parts = 0;
	while (text.data != NULL && slice_split(&text, ':', &piece)) {
		unsigned part = 0;
		for (size_t i = 0; i < sizeof(header_parts) / sizeof(*header_parts); i++)
			if (slice_eq_nocase(piece, slice_str(header_parts[i].name)))
				part = header_parts[i].part;
		if (part == 0)
			return false;
		selector_r->parts |= part;
	}
	return selector_r->name.len > 0;
}

/* A name of a header field may hold any printable character but ":" and "~="
 * here: the operator may follow it without a space. */
static struct slice take_selector(struct slice *rest)
{
	struct slice s = slice_trim_left(*rest);
	size_t n = 0;
	while (n < s.len && !ascii_is_space(s.data[n]) && s.data[n] != '=' && s.data[n] != '!')
		n++;
	*rest = slice_trim_left(slice_from(s, n));
	return slice_head(s, n);
}

/* "[if-unset: text]" at the end. */
static void cut_unset(struct rule *rule, struct slice *text)
{
	struct slice mark = SLICE("[if-unset:");
	if (text->len == 0 || text->data[text->len - 1] != ']')
		return;
	size_t at = text->len;
	while (at > 0 && !slice_starts(slice_from(*text, at), mark))
		at--;
	if (at == 0)
		return;
	rule->has_unset = true;
	rule->unset = slice_trim(slice_sub(*text, at + mark.len, text->len - at - mark.len - 1));
	*text = slice_trim(slice_head(*text, at));
}

static const char *parse_match(struct rule *rule, struct slice rest)
{
	if (!parse_selector(take_selector(&rest), &rule->header))
		return "unknown modifier behind the header's name";
	if (slice_starts(rest, SLICE("!~")))
		rule->negated = true;
	else if (!slice_starts(rest, SLICE("=~")))
		return "=~ or !~ expected";
	rest = slice_trim(slice_from(rest, 2));
	cut_unset(rule, &rest);
	const char *error = NULL;
	return rule_parse_pattern(NULL, rest, &rule->pattern, &error) ? NULL : error;
}

static const char *parse_header(struct rule *rule, struct slice rest)
{
	if (!slice_starts(rest, SLICE("exists:")))
		return parse_match(rule, rest);
	rest = slice_from(rest, 7);
	rule->exists = true;
	return parse_selector(take_word(&rest), &rule->header) ? NULL : "exists: needs a header's name";
}

static void define_header(const struct rule_line *l, enum rule_type type)
{
	struct slice rest;
	struct rule *rule = define(l, type, &rest);
	if (rule == NULL)
		return;
	if (type == RULE_HEADER && slice_starts(rest, SLICE("eval:"))) {
		rule->type = RULE_HEADER_EVAL;
		read_eval(l, rule, slice_from(rest, 5));
		return;
	}
	const char *error = parse_header(rule, rest);
	if (error != NULL) {
		line_error(l, "%s: %s", rule->name.data, error);
		undefine(rule, error);
	}
}

static void on_header(const struct rule_line *l)
{
	define_header(l, RULE_HEADER);
}

static void on_mimeheader(const struct rule_line *l)
{
	define_header(l, RULE_MIMEHEADER);
}

/* ---- uri_detail: key =~ /…/  key !~ /…/ … ---- */

/* The end of a pattern that others may follow. */
static size_t pattern_length(struct slice s)
{
	size_t start = slice_starts(s, SLICE("m")) ? 1 : slice_starts(s, SLICE("qr")) ? 2 : 0;
	if (start >= s.len)
		return SLICE_NPOS;
	char close = closing_of(s.data[start]);
	size_t i = start + 1, depth = 0;
	for (; i < s.len; i++) {
		if (s.data[i] == '\\')
			i++;
		else if (close != s.data[start] && s.data[i] == s.data[start])
			depth++;
		else if (s.data[i] == close && depth-- == 0)
			break;
	}
	if (i >= s.len)
		return SLICE_NPOS;
	for (i++; i < s.len && ascii_is_alpha(s.data[i]); i++)
		;
	return i;
}

static const char *parse_condition(struct rule_condition *c, struct slice *rest)
{
	c->field = take_selector(rest);
	if (slice_starts(*rest, SLICE("!~")))
		c->negated = true;
	else if (!slice_starts(*rest, SLICE("=~")))
		return "=~ or !~ expected";
	*rest = slice_trim_left(slice_from(*rest, 2));
	size_t n = pattern_length(*rest);
	if (n == SLICE_NPOS)
		return "pattern without its closing delimiter";
	const char *error = NULL;
	if (!rule_parse_pattern(NULL, slice_head(*rest, n), &c->pattern, &error))
		return error;
	*rest = slice_trim_left(slice_from(*rest, n));
	return NULL;
}

static void on_uri_detail(const struct rule_line *l)
{
	struct rule_condition list[16];
	struct slice rest;
	struct rule *rule = define(l, RULE_URI_DETAIL, &rest);
	const char *error = NULL;
	size_t count = 0;
	if (rule == NULL)
		return;
	while (error == NULL && rest.len > 0) {
		if (count == sizeof(list) / sizeof(*list)) {
			error = "too many conditions";
			break;
		}
		list[count] = (struct rule_condition){ .negated = false };
		error = parse_condition(&list[count], &rest);
		count += error == NULL;
	}
	if (error != NULL) {
		line_error(l, "%s: %s", rule->name.data, error);
		undefine(rule, error);
		return;
	}
	rule->conditions = arena_array(l->table->arena, struct rule_condition, count);
	memcpy(rule->conditions, list, count * sizeof(*list));
	rule->condition_count = count;
}

/* ---- meta ---- */

static bool any_name(void *context, struct expr_builder *b, struct slice name, struct slice argument,
		     const char **error_r)
{
	(void)context;
	if (argument.data != NULL && !slice_eq(name, SLICE("rules_matching"))) {
		*error_r = "no such function";
		return false;
	}
	expr_push_number(b, 0);
	return true;
}

static void on_meta(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = define(l, RULE_META, &rest);
	if (rule == NULL)
		return;
	if (slice_eq(rest, SLICE("()")))
		rule->text = rest = SLICE("0");
	const char *error = NULL;
	if (rule_expr_parse(l->table->arena, rest, any_name, NULL, &error) == NULL) {
		line_error(l, "%s: %s", rule->name.data, error);
		undefine(rule, error);
	}
}

/* ---- DNS lists of URIs, askdns ---- */

static const struct {
	const char *key;
	unsigned kind;
} uribl_kinds[] = {
	{ "uridnsbl", 0 },
	{ "uridnssub", URIBL_SUB },
	{ "urirhsbl", URIBL_RHSBL },
	{ "urirhssub", URIBL_RHSBL | URIBL_SUB },
	{ "urinsrhsbl", URIBL_RHSBL | URIBL_NS },
	{ "urinsrhssub", URIBL_RHSBL | URIBL_NS | URIBL_SUB },
	{ "urifullnsrhsbl", URIBL_RHSBL | URIBL_NS | URIBL_FULL },
	{ "urifullnsrhssub", URIBL_RHSBL | URIBL_NS | URIBL_FULL | URIBL_SUB },
};

/* NAME zone record [subtest]. It is a rule only once a body eval names it. */
static void on_uribl(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = named_rule(l, &rest);
	if (rule == NULL)
		return;
	for (size_t i = 0; i < sizeof(uribl_kinds) / sizeof(*uribl_kinds); i++)
		if (slice_eq(l->key, slice_str(uribl_kinds[i].key)))
			rule->uribl.kind = uribl_kinds[i].kind;
	rule->uribl.zone = take_word(&rest);
	rule->uribl.record = take_word(&rest);
	rule->uribl.subtest = take_word(&rest);
	if (rule->uribl.zone.len > 0 && rule->uribl.zone.data[rule->uribl.zone.len - 1] == '.')
		rule->uribl.zone.len--;
	if (rule->uribl.record.len == 0 || ((rule->uribl.kind & URIBL_SUB) && rule->uribl.subtest.len == 0)) {
		line_error(l, "%s: zone and record type%s expected", rule->name.data,
			   rule->uribl.kind & URIBL_SUB ? " and subtest" : "");
		return;
	}
	rule->tflags |= TFLAG_NET;
	if (rule->type == RULE_NONE) {
		rule->type = RULE_URIBL;
		rule->file = l->file;
		rule->line = l->line;
		rule->text = l->value;
		rule->skipped = false;
		rule->status = RULE_SUPPORTED;
		rule->reason = NULL;
	}
}

static void on_askdns(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = define(l, RULE_ASKDNS, &rest);
	const char *error = NULL;
	if (rule == NULL)
		return;
	rule->tflags |= TFLAG_NET;
	rule->askdns = (struct rule_askdns){ .name = take_word(&rest) };
	rule->askdns.record = take_word(&rest);
	if (rule->askdns.record.len == 0)
		rule->askdns.record = SLICE("A");
	if (rest.len > 0 && (rest.data[0] == '/' || slice_starts(rest, SLICE("m{")))) {
		if (!rule_parse_pattern(NULL, rest, &rule->askdns.pattern, &error)) {
			line_error(l, "%s: %s", rule->name.data, error);
			undefine(rule, error);
		}
	} else {
		rule->askdns.subtest = rest;
	}
}

/* ---- what is said about rules ---- */

static void on_describe(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = named_rule(l, &rest);
	if (rule != NULL)
		rule->describe = arena_str(l->table->arena, rest);
}

static bool parse_score(struct slice word, double old, double *value_r)
{
	bool relative = word.len > 2 && word.data[0] == '(' && word.data[word.len - 1] == ')';
	if (relative)
		word = slice_sub(word, 1, word.len - 2);
	if (!parse_number(word, value_r))
		return false;
	if (relative)
		*value_r += old;
	return true;
}

static void on_score(const struct rule_line *l)
{
	struct slice rest, words[4];
	struct rule *rule = named_rule(l, &rest);
	double values[4];
	size_t n = 0;
	if (rule == NULL)
		return;
	while (rest.len > 0 && n < 4)
		words[n++] = take_word(&rest);
	bool ok = (n == 1 || n == 4) && rest.len == 0;
	for (size_t i = 0; ok && i < 4; i++)
		ok = parse_score(words[n == 4 ? i : 0], rule->scores[i], &values[i]);
	if (!ok) {
		line_error(l, "score %s: one or four numbers expected", rule->name.data);
		return;
	}
	memcpy(rule->scores, values, sizeof(values));
	rule->scored = true;
}

static const struct {
	const char *name;
	unsigned flag;
} tflag_names[] = {
	{ "net", TFLAG_NET }, { "nice", TFLAG_NICE }, { "learn", TFLAG_LEARN },
	{ "multiple", TFLAG_MULTIPLE }, { "nosubject", TFLAG_NOSUBJECT }, { "userconf", TFLAG_USERCONF },
	{ "domains_only", TFLAG_DOMAINS_ONLY }, { "ips_only", TFLAG_IPS_ONLY }, { "a", TFLAG_A },
	{ "ns", TFLAG_NS }, { "notrim", TFLAG_NOTRIM }, { "concat", TFLAG_CONCAT }, { "range", TFLAG_RANGE },
};

static void on_tflags(const struct rule_line *l)
{
	struct slice rest, word;
	struct rule *rule = named_rule(l, &rest);
	if (rule == NULL)
		return;
	while ((word = take_word(&rest)).len > 0) {
		uint64_t max;
		for (size_t i = 0; i < sizeof(tflag_names) / sizeof(*tflag_names); i++)
			if (slice_eq(word, slice_str(tflag_names[i].name)))
				rule->tflags |= tflag_names[i].flag;
		if (slice_starts(word, SLICE("maxhits=")) && slice_u64(slice_from(word, 8), 1000000, &max))
			rule->maxhits = (unsigned)max;
	}
}

static void on_priority(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = named_rule(l, &rest);
	double value;
	if (rule == NULL)
		return;
	if (!parse_number(take_word(&rest), &value) || value < -1000000 || value > 1000000)
		line_error(l, "priority %s: a number expected", rule->name.data);
	else
		rule->priority = (int)value;
}

static void on_test(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = named_rule(l, &rest);
	if (rule == NULL)
		return;
	struct slice word = take_word(&rest);
	if (!slice_eq(word, SLICE("ok")) && !slice_eq(word, SLICE("fail"))) {
		line_error(l, "test %s: ok or fail expected", rule->name.data);
		return;
	}
	if (rule->test_count == rule->test_cap) {
		size_t cap = rule->test_cap ? rule->test_cap * 2 : 4;
		struct rule_test *tests = arena_array(l->table->arena, struct rule_test, cap);
		if (rule->test_count > 0)
			memcpy(tests, rule->tests, rule->test_count * sizeof(*tests));
		rule->tests = tests;
		rule->test_cap = cap;
	}
	rule->tests[rule->test_count++] = (struct rule_test){ slice_eq(word, SLICE("ok")), rest };
}

static void on_replace_rules(const struct rule_line *l)
{
	struct slice rest = l->value, word;
	while ((word = take_word(&rest)).len > 0)
		if (rule_name_ok(word))
			rule_table_need(l->table, word)->replace_tags = true;
}

/* ---- ours ---- */

static void on_shadow(const struct rule_line *l)
{
	struct slice rest = l->value, word;
	while ((word = take_word(&rest)).len > 0) {
		if (rule_name_ok(word))
			rule_table_need(l->table, word)->shadow = true;
		else
			line_error(l, "\"%.*s\" is not the name of a rule", SLICE_ARG(word));
	}
}

/* "text", or text without quotes. */
static struct slice unquote(struct slice text)
{
	if (text.len >= 2 && text.data[0] == '"' && text.data[text.len - 1] == '"')
		return slice_sub(text, 1, text.len - 2);
	return text;
}

static void on_action(const struct rule_line *l)
{
	static const struct {
		const char *name;
		enum action action;
		uint16_t code;
		const char *enhanced;
	} actions[] = {
		{ "reject", ACTION_REJECT, 554, "5.7.1" },
		{ "defer", ACTION_DEFER, 451, "4.7.1" },
		{ "quarantine", ACTION_QUARANTINE, 0, NULL },
	};
	struct slice rest;
	struct rule *rule = named_rule(l, &rest);
	if (rule == NULL)
		return;
	struct slice word = take_word(&rest);
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (!slice_eq(word, slice_str(actions[i].name)))
			continue;
		rule->action = actions[i].action;
		rule->refusal = (struct refusal){ actions[i].code, actions[i].enhanced, unquote(rest) };
		return;
	}
	line_error(l, "action %s: reject, defer or quarantine expected", rule->name.data);
}

/* ---- settings that rules read, and those that nothing here reads ---- */

static void on_setting(const struct rule_line *l)
{
	rule_table_set(l->table, l->key, l->value, l->file, l->line);
}

/* SpamAssassin 4.0 says welcomelist and blocklist; both words mean the same. */
static void on_list(const struct rule_line *l)
{
	static const char *const words[][2] = { { "whitelist", "welcomelist" }, { "blacklist", "blocklist" } };
	struct slice key = l->key;
	for (size_t i = 0; i < 2; i++) {
		size_t at = slice_find(key, slice_str(words[i][0]));
		if (at != SLICE_NPOS)
			key = arena_printf(l->table->arena, "%.*s%s%.*s", SLICE_ARG(slice_head(key, at)), words[i][1],
					   SLICE_ARG(slice_from(key, at + strlen(words[i][0]))));
	}
	rule_table_set(l->table, key, l->value, l->file, l->line);
}

static const struct directive {
	const char *key;
	void (*fn)(const struct rule_line *);
	enum rule_type type;       /* of the rule that it defines */
} directives[] = {
	{ "header", on_header, RULE_HEADER },
	{ "body", on_body, RULE_BODY },
	{ "rawbody", on_rawbody, RULE_RAWBODY },
	{ "full", on_full, RULE_FULL },
	{ "uri", on_uri, RULE_URI },
	{ "skeleton", on_skeleton, RULE_SKELETON },
	{ "mimeheader", on_mimeheader, RULE_MIMEHEADER },
	{ "uri_detail", on_uri_detail, RULE_URI_DETAIL },
	{ "meta", on_meta, RULE_META },
	{ "askdns", on_askdns, RULE_ASKDNS },
	{ "uridnsbl", on_uribl, RULE_NONE },
	{ "uridnssub", on_uribl, RULE_NONE },
	{ "urirhsbl", on_uribl, RULE_NONE },
	{ "urirhssub", on_uribl, RULE_NONE },
	{ "urinsrhsbl", on_uribl, RULE_NONE },
	{ "urinsrhssub", on_uribl, RULE_NONE },
	{ "urifullnsrhsbl", on_uribl, RULE_NONE },
	{ "urifullnsrhssub", on_uribl, RULE_NONE },
	{ "describe", on_describe, RULE_NONE },
	{ "score", on_score, RULE_NONE },
	{ "tflags", on_tflags, RULE_NONE },
	{ "priority", on_priority, RULE_NONE },
	{ "test", on_test, RULE_NONE },
	{ "replace_rules", on_replace_rules, RULE_NONE },
	{ "shadow", on_shadow, RULE_NONE },
	{ "action", on_action, RULE_NONE },
};

/* Settings kept for eval functions and for the pattern's compiler. */
static const char *const settings[] = {
	"replace_tag", "replace_pre", "replace_inter", "replace_post", "replace_start", "replace_end",
	"util_rb_tld", "util_rb_2tld", "util_rb_3tld", "clear_util_rb",
	"redirector_pattern", "url_shortener", "clear_url_shortener",
	"freemail_domains", "freemail_max_body_emails", "freemail_max_body_freemails",
	"freemail_skip_when_over_max", "freemail_skip_bulk_envfrom",
	"enlist_uri_host", "delist_uri_host", "enlist_addrlist", "adsp_override",
	"uridnsbl_skip_domain", "clear_uridnsbl_skip_domain", "uridnsbl_max_domains", "uridnsbl_skip_mailto",
	"trusted_networks", "internal_networks", "msa_networks", "clear_trusted_networks",
	"clear_internal_networks", "clear_msa_networks", "originating_ip_headers", "clear_originating_ip_headers",
	"dns_query_restriction", "envelope_sender_header", "dns_block_rule", "ok_locales", "ok_languages",
	"rbl_headers", "required_score", "all_spam_to", "more_spam_to", "dkim_minimum_key_bits",
};

static const char *const list_settings[] = {
	"freemail_welcomelist", "freemail_whitelist", "welcomelist_bounce_relays", "whitelist_bounce_relays",
};

/* Prefixes of the address and URI lists. */
static const char *const list_prefixes[] = {
	"welcomelist_", "whitelist_", "blocklist_", "blacklist_", "def_welcomelist_", "def_whitelist_",
	"unwelcomelist_", "unwhitelist_", "unblocklist_", "unblacklist_",
};

/* Words of SpamAssassin that administrators' files hold and that have no
 * meaning for a rule set. A final "*" stands for any end. */
static const char *const ignored[] = {
	"add_header", "allow_user_rules", "always_trust_envelope_sender", "asn_*", "authres_*",
	"auto_welcomelist_*", "auto_whitelist_*", "bayes_*", "body_part_scan_size", "clear_asn_lookups",
	"clear_dns_query_restriction", "clear_dns_query_restrictions", "clear_dns_servers", "clear_headers",
	"clear_report_template", "clear_unsafe_report_template", "country_db_*", "dcc_*", "dccifd_*",
	"dkim_timeout", "dmarc_*", "dns_available", "dns_block_time", "dns_local_ports_*", "dns_options",
	"dns_server", "dns_test_interval", "do_not_use_mail_spf*", "enable_compat", "extracttext_*", "fns_*",
	"fold_headers", "freemail_add_describe_email", "freemail_import_*", "geodb_*", "hashbl_*",
	"ignore_always_matching_regexps", "ignore_received_spf_header", "inactive_languages", "loadplugin",
	"tryplugin", "lock_method", "max_short_url_redirections", "max_short_urls", "mbox_format_from_regex",
	"normalize_charset", "olemacro_*", "parse_dkim_uris", "phishing_*", "pyzor_*", "rawbody_part_scan_size",
	"razor_*", "rbl_timeout", "remove_header", "report", "report_*", "required_hits", "resource_limit_*",
	"reuse", "rewrite_header", "run_reuse_tests_only", "shortcircuit", "shortcircuit_*", "skip_rbl_checks",
	"skip_uribl_checks", "spamcop_*", "spf_timeout", "subjprefix", "textcat_*", "time_limit",
	"trigger_*", "txrep_*", "unsafe_report", "unsafe_report_template", "uri_block_*", "uri_country_db_*",
	"uridnsbl_timeout", "url_shortener_*", "use_*", "user_awl_*", "user_scores_*", "version_tag",
	"ifplugin", "score_set", "full_text", "file",
};

static bool in_list(const char *const *list, size_t count, struct slice key)
{
	for (size_t i = 0; i < count; i++) {
		struct slice name = slice_str(list[i]);
		if (name.data[name.len - 1] == '*' ? slice_starts(key, slice_head(name, name.len - 1)) :
						     slice_eq(key, name))
			return true;
	}
	return false;
}
#define IN(list, key) in_list(list, sizeof(list) / sizeof(*(list)), key)

static bool has_list_prefix(struct slice key)
{
	for (size_t i = 0; i < sizeof(list_prefixes) / sizeof(*list_prefixes); i++)
		if (slice_starts(key, slice_str(list_prefixes[i])))
			return true;
	return false;
}

/* A rule behind a plugin that we don't have: reported, unless a definition
 * outside of it exists. */
static void note_skipped(const struct rule_line *l, const struct directive *d)
{
	struct slice rest = l->value, name = take_word(&rest);
	if (d->type == RULE_NONE || !rule_name_ok(name))
		return;
	struct rule *rule = rule_table_find(l->table, name);
	if (rule != NULL && rule->type != RULE_NONE)
		return;
	rule = rule_table_need(l->table, name);
	rule->type = d->type;
	if (d->type <= RULE_FULL && slice_starts(rest, SLICE("eval:")))
		rule->type = d->type == RULE_HEADER ? RULE_HEADER_EVAL : d->type == RULE_BODY ? RULE_BODY_EVAL :
			     d->type == RULE_RAWBODY ? RULE_RAWBODY_EVAL : RULE_FULL_EVAL;
	rule->file = l->file;
	rule->line = l->line;
	rule->text = rest;
	rule->skipped = true;
	rule->status = RULE_UNSUPPORTED;
	rule->reason = l->why;
}

void rule_directive(const struct rule_line *l)
{
	for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
		if (!slice_eq(l->key, slice_str(directives[i].key)))
			continue;
		if (l->skipped)
			note_skipped(l, &directives[i]);
		else if (l->value.len == 0)
			line_error(l, "%s needs a value", directives[i].key);
		else
			directives[i].fn(l);
		return;
	}
	if (l->skipped)
		return;
	if (IN(settings, l->key))
		on_setting(l);
	else if (IN(list_settings, l->key) || has_list_prefix(l->key))
		on_list(l);
	else if (IN(ignored, l->key))
		l->table->ignored++;
	else
		line_error(l, "unknown directive \"%.*s\"", SLICE_ARG(l->key));
}
