#define PCRE2_CODE_UNIT_WIDTH 8
#include "rules/regex.h"

#include <pcre2.h>
#include <stdlib.h>

#include "base/buf.h"

/* A match of an honest rule on a 2 KB piece takes some hundred to some ten
 * thousand steps. */
#define MATCH_LIMIT 1000000u
#define JIT_STACK_FIRST (32u * 1024)
#define JIT_STACK_MAX (1024u * 1024)
#define OVECTOR_PAIRS 32u

struct regex {
	pcre2_code *code;
};

struct regex_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

static void free_regex(void *arg)
{
	struct regex *regex = arg;
	pcre2_code_free(regex->code);
}

static uint32_t options_of(unsigned flags)
{
	uint32_t options = PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_DUPNAMES;
	if (flags & PATTERN_I)
		options |= PCRE2_CASELESS;
	if (flags & PATTERN_M)
		options |= PCRE2_MULTILINE;
	if (flags & PATTERN_S)
		options |= PCRE2_DOTALL;
	if (flags & PATTERN_XX)
		options |= PCRE2_EXTENDED_MORE;
	else if (flags & PATTERN_X)
		options |= PCRE2_EXTENDED;
	if (flags & PATTERN_N)
		options |= PCRE2_NO_AUTO_CAPTURE;
	return options;
}

/* "{,n}" is "{0,n}" to Perl since 5.34, and plain text to PCRE2. */
static bool is_open_quantifier(struct slice s)
{
	size_t i = 2;
	if (s.len < 4 || s.data[0] != '{' || s.data[1] != ',')
		return false;
	while (i < s.len && ascii_is_digit(s.data[i]))
		i++;
	return i > 2 && i < s.len && s.data[i] == '}';
}

struct slice regex_translate(struct arena *arena, struct slice source, unsigned flags)
{
	(void)flags;
	struct buf out = { 0 };
	bool in_class = false;
	for (size_t i = 0; i < source.len; i++) {
		char c = source.data[i];
		if (c == '\\' && i + 1 < source.len) {
			buf_add_char(&out, c);
			buf_add_char(&out, source.data[++i]);
			continue;
		}
		if (!in_class && is_open_quantifier(slice_from(source, i))) {
			buf_add_str(&out, "{0");
			continue;
		}
		if (c == '[' && !in_class) {
			in_class = true;
			buf_add_char(&out, c);
			/* "]" right at the start is a member. */
			if (i + 1 < source.len && source.data[i + 1] == '^')
				buf_add_char(&out, source.data[++i]);
			if (i + 1 < source.len && source.data[i + 1] == ']')
				buf_add_char(&out, source.data[++i]);
			continue;
		}
		if (c == ']')
			in_class = false;
		buf_add_char(&out, c);
	}
	struct slice result = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return result;
}

static const char *error_text(struct arena *arena, int code, size_t offset)
{
	char text[160];
	if (pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text)) < 0)
		text[0] = '\0';
	return arena_printf(arena, "pattern, at offset %zu: %s", offset, text).data;
}

/* Of pcre2_compile(): the code is over what its 16-bit links reach. */
#define ERROR_TOO_LARGE 120

static pcre2_code *compile(struct arena *arena, struct slice source, unsigned flags, int *error_r, size_t *offset_r)
{
	source = regex_translate(arena, source, flags);
	return pcre2_compile((PCRE2_SPTR)source.data, source.len, options_of(flags), error_r, offset_r, NULL);
}

struct regex *regex_compile(struct arena *arena, const struct pattern *pattern, const char **error_r)
{
	int error;
	PCRE2_SIZE offset;
	pcre2_code *code = compile(arena, pattern->source, pattern->flags, &error, &offset);
	if (code == NULL && error == ERROR_TOO_LARGE && pattern->compact.len > 0)
		code = compile(arena, pattern->compact, pattern->flags, &error, &offset);
	if (code == NULL) {
		*error_r = error_text(arena, error, offset);
		return NULL;
	}
	error = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	if (error != 0) {
		*error_r = error_text(arena, error, 0);
		pcre2_code_free(code);
		return NULL;
	}
	struct regex *regex = arena_new(arena, struct regex);
	regex->code = code;
	arena_on_reset(arena, free_regex, regex);
	return regex;
}

/* Of pcre2_compile(): what isn't a pattern to Perl either. */
enum {
	ERROR_END_BACKSLASH = 101,
	ERROR_MISSING_SQUARE_BRACKET = 106,
	ERROR_CLASS_RANGE_ORDER = 108,
	ERROR_QUANTIFIER_INVALID = 109,
	ERROR_MISSING_CLOSING_PARENTHESIS = 114,
	ERROR_UNMATCHED_CLOSING_PARENTHESIS = 122,
};

bool regex_is_malformed(struct arena *arena, const struct pattern *pattern)
{
	int error;
	PCRE2_SIZE offset;
	pcre2_code *code = compile(arena, pattern->source, pattern->flags, &error, &offset);
	if (code != NULL) {
		pcre2_code_free(code);
		return false;
	}
	switch (error) {
	case ERROR_END_BACKSLASH:
	case ERROR_MISSING_SQUARE_BRACKET:
	case ERROR_CLASS_RANGE_ORDER:
	case ERROR_MISSING_CLOSING_PARENTHESIS:
	case ERROR_UNMATCHED_CLOSING_PARENTHESIS: return true;
	/* Perl lets some stand behind what has no width. */
	case ERROR_QUANTIFIER_INVALID: return strchr("*+?", pattern->source.data[0]) != NULL;
	default: return false;
	}
}

struct regex_scratch *regex_scratch_create(void)
{
	struct regex_scratch *scratch = xcalloc(1, sizeof(*scratch));
	scratch->data = pcre2_match_data_create(OVECTOR_PAIRS, NULL);
	scratch->context = pcre2_match_context_create(NULL);
	scratch->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MAX, NULL);
	if (scratch->data == NULL || scratch->context == NULL || scratch->stack == NULL)
		abort();
	pcre2_set_match_limit(scratch->context, MATCH_LIMIT);
	pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
	return scratch;
}

void regex_scratch_free(struct regex_scratch **scratch)
{
	if (*scratch == NULL)
		return;
	pcre2_match_data_free((*scratch)->data);
	pcre2_match_context_free((*scratch)->context);
	pcre2_jit_stack_free((*scratch)->stack);
	free(*scratch);
	*scratch = NULL;
}

enum regex_result regex_match(const struct regex *regex, struct regex_scratch *scratch, struct slice text,
			      size_t from, struct regex_match *match_r)
{
	int rc = pcre2_jit_match(regex->code, (PCRE2_SPTR)(text.data ? text.data : ""), text.len, from, 0,
				 scratch->data, scratch->context);
	if (rc == PCRE2_ERROR_NOMATCH)
		return REGEX_NO;
	if (rc < 0)
		return REGEX_LIMIT;
	if (match_r != NULL) {
		const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(scratch->data);
		match_r->start = ovector[0];
		match_r->end = ovector[1];
	}
	return REGEX_YES;
}

struct slice regex_nth_group(const struct regex_scratch *scratch, struct slice text, size_t n)
{
	const PCRE2_SIZE *ovector = pcre2_get_ovector_pointer(scratch->data);
	if (n >= pcre2_get_ovector_count(scratch->data) || ovector[2 * n] == PCRE2_UNSET)
		return SLICE_EMPTY;
	size_t start = ovector[2 * n], end = ovector[2 * n + 1];
	return start <= end && end <= text.len ? slice_sub(text, start, end - start) : SLICE_EMPTY;
}

size_t regex_size(const struct regex *regex)
{
	size_t size = 0;
	pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &size);
	return size;
}

/* The name table: two bytes of number, then the name, NUL-terminated, in entries of equal size. */
static PCRE2_SPTR name_entry(const struct regex *regex, size_t n)
{
	uint32_t count = 0, size = 0;
	PCRE2_SPTR table = NULL;
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &count);
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &table);
	return n < count ? table + n * size : NULL;
}

struct slice regex_group_name(const struct regex *regex, size_t n)
{
	PCRE2_SPTR entry = name_entry(regex, n);
	return entry == NULL ? SLICE_EMPTY : slice_str((const char *)entry + 2);
}

struct slice regex_group(const struct regex *regex, const struct regex_scratch *scratch, struct slice text,
			 struct slice name)
{
	PCRE2_SPTR entry;
	for (size_t n = 0; (entry = name_entry(regex, n)) != NULL; n++) {
		if (!slice_eq(slice_str((const char *)entry + 2), name))
			continue;
		struct slice value = regex_nth_group(scratch, text, (size_t)entry[0] << 8 | entry[1]);
		if (value.data != NULL)
			return value;
	}
	return SLICE_EMPTY;
}
