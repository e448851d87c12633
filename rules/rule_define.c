/*
 * The directives that define rules. Patterns and expressions are checked for
 * their form here and compiled later.
 */
#include "rules/rule_define.h"

#include "rules/rule_expr.h"

/* A new definition replaces an older one, but not what score, describe … said. */
static struct rule *define(const struct rule_line *l, enum rule_type type, struct slice *rest_r)
{
	struct rule *rule = rule_line_rule(l, rest_r);
	if (rule == NULL)
		return NULL;
	if (rest_r->len == 0) {
		line_error(l, "rule %s without a definition", rule->name.data);
		return NULL;
	}
	if (rule->type != RULE_NONE && rule->type != RULE_URIBL && !rule->skipped) {
		rule->earlier_file = rule->file;
		rule->earlier_line = rule->line;
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

void rule_on_body(const struct rule_line *l)
{
	define_eval_or_pattern(l, RULE_BODY, RULE_BODY_EVAL);
}

void rule_on_rawbody(const struct rule_line *l)
{
	define_eval_or_pattern(l, RULE_RAWBODY, RULE_RAWBODY_EVAL);
}

void rule_on_full(const struct rule_line *l)
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

void rule_on_uri(const struct rule_line *l)
{
	define_pattern(l, RULE_URI);
}

void rule_on_skeleton(const struct rule_line *l)
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
	return parse_selector(rule_line_word(&rest), &rule->header) ? NULL : "exists: needs a header's name";
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

void rule_on_header(const struct rule_line *l)
{
	define_header(l, RULE_HEADER);
}

void rule_on_mimeheader(const struct rule_line *l)
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

void rule_on_uri_detail(const struct rule_line *l)
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

void rule_on_meta(const struct rule_line *l)
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
void rule_on_uribl(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = rule_line_rule(l, &rest);
	if (rule == NULL)
		return;
	for (size_t i = 0; i < sizeof(uribl_kinds) / sizeof(*uribl_kinds); i++)
		if (slice_eq(l->key, slice_str(uribl_kinds[i].key)))
			rule->uribl.kind = uribl_kinds[i].kind;
	rule->uribl.zone = rule_line_word(&rest);
	rule->uribl.record = rule_line_word(&rest);
	rule->uribl.subtest = rule_line_word(&rest);
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

void rule_on_askdns(const struct rule_line *l)
{
	struct slice rest;
	struct rule *rule = define(l, RULE_ASKDNS, &rest);
	const char *error = NULL;
	if (rule == NULL)
		return;
	rule->tflags |= TFLAG_NET;
	rule->askdns = (struct rule_askdns){ .name = rule_line_word(&rest) };
	rule->askdns.record = rule_line_word(&rest);
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
