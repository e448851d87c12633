#include "base/settings_lex.h"

#include "base/buf.h"
#include "base/utf8.h"

struct lexer lexer_begin(struct arena *arena, struct slice file, struct slice text)
{
	struct lexer l = { .arena = arena, .rest = text, .file = file, .line = 1 };
	if (slice_starts(text, SLICE("\xef\xbb\xbf"))) /* a byte order mark */
		l.rest = slice_from(text, 3);
	l.expanded = slice_starts(text, SLICE(SETTINGS_EXPANDED));
	return l;
}

static struct token make(const struct lexer *l, enum token_kind kind, struct slice text)
{
	return (struct token){ kind, text, l->file, l->line };
}

static struct token fail(const struct lexer *l, const char *why)
{
	return make(l, TOKEN_ERROR, slice_str(why));
}

static char peek(const struct lexer *l, size_t at)
{
	return at < l->rest.len ? l->rest.data[at] : '\0';
}

static void skip(struct lexer *l, size_t n)
{
	l->rest = slice_from(l->rest, n);
}

/* `#line 12 "file"`: what follows stands there. */
static void line_mark(struct lexer *l, struct slice comment)
{
	uint64_t line;
	struct slice number;
	struct slice rest = slice_from(comment, 6);
	if (!slice_split(&rest, ' ', &number) || !slice_u64(number, UINT32_MAX - 1, &line))
		return;
	struct lexer name = { .arena = l->arena, .rest = rest };
	struct token token = lexer_next(&name);
	if (token.kind != TOKEN_STRING)
		return;
	l->file = token.text;
	l->line = (unsigned)line - 1; /* its own line's end counts one */
}

static bool skip_line_comment(struct lexer *l)
{
	size_t end = slice_chr(l->rest, '\n');
	struct slice comment = end == SLICE_NPOS ? l->rest : slice_head(l->rest, end);
	if (slice_chr(comment, '\0') != SLICE_NPOS)
		return false;
	if (l->expanded && slice_starts(comment, SLICE("#line ")))
		line_mark(l, comment);
	skip(l, comment.len);
	return true;
}

static bool skip_block_comment(struct lexer *l)
{
	size_t end = slice_find(slice_from(l->rest, 2), SLICE("*/"));
	if (end == SLICE_NPOS)
		return false;
	struct slice comment = slice_head(l->rest, end + 4);
	for (size_t i = 0; i < comment.len; i++) {
		if (comment.data[i] == '\n')
			l->line++;
		if (comment.data[i] == '\0')
			return false;
	}
	skip(l, comment.len);
	return true;
}

/* White space and comments. False: *error_r says what is wrong. */
static bool skip_blank(struct lexer *l, struct token *error_r)
{
	for (;;) {
		char c = peek(l, 0);
		if (l->rest.len == 0)
			return true;
		if (c == '\n')
			l->line++;
		if (c == '\n' || c == ' ' || c == '\t' || c == '\r') {
			skip(l, 1);
		} else if (c == '#' || (c == '/' && peek(l, 1) == '/')) {
			*error_r = fail(l, "NUL in a comment");
			if (!skip_line_comment(l))
				return false;
		} else if (c == '/' && peek(l, 1) == '*') {
			*error_r = fail(l, "this comment is not closed, or holds a NUL");
			if (!skip_block_comment(l))
				return false;
		} else {
			return true;
		}
	}
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool ends_word(char c)
{
	return is_control(c) || strchr(" {}=,()\"'#;", c) != NULL;
}

static size_t word_length(struct slice s)
{
	size_t len = 0;
	while (len < s.len && !ends_word(s.data[len]))
		len++;
	return len;
}

static struct token lex_word(struct lexer *l)
{
	struct slice word = slice_head(l->rest, word_length(l->rest));
	char next = peek(l, word.len);
	bool at_end = word.len == l->rest.len;
	if (next == '=' && word.data[word.len - 1] == '+')
		return fail(l, "+= is not supported: write the whole list");
	if (!at_end && next == '#')
		return fail(l, "put white space before the comment, or quotes around a value that holds #");
	if (!at_end && (next == '"' || next == '\''))
		return fail(l, "a quote within a word: put white space before it");
	if (!utf8_valid(word))
		return fail(l, "not UTF-8");
	struct token t = make(l, TOKEN_WORD, arena_copy(l->arena, word));
	skip(l, word.len);
	return t;
}

static const char ESCAPES[][2] = { /* those of libconfuse */
	{ 'n', '\n' }, { 't', '\t' }, { 'r', '\r' }, { 'b', '\b' }, { 'f', '\f' },
	{ 'a', '\a' }, { 'e', '\033' }, { 'v', '\v' },
};

/* \NNN, octal. Returns its length without the backslash, 0: not one. */
static size_t octal(struct slice s, unsigned *value_r)
{
	size_t len = 0;
	*value_r = 0;
	for (; len < 3 && len < s.len && s.data[len] >= '0' && s.data[len] <= '7'; len++)
		*value_r = *value_r * 8 + (unsigned)(s.data[len] - '0');
	return *value_r > 255 ? 0 : len;
}

static size_t hexadecimal(struct slice s, unsigned *value_r)
{
	size_t len = 1;
	*value_r = 0;
	for (; len < 3 && len < s.len && ascii_hex(s.data[len]) >= 0; len++)
		*value_r = *value_r * 16 + (unsigned)ascii_hex(s.data[len]);
	return len > 1 ? len : 0;
}

/* s begins behind the backslash. Returns how much of it the escape takes, 0: unknown. */
static size_t unescape(struct slice s, unsigned *value_r)
{
	char c = s.data[0];
	if (c == 'x')
		return hexadecimal(s, value_r);
	if (ascii_is_digit(c))
		return octal(s, value_r);
	*value_r = (unsigned char)c;
	if (!ascii_is_alpha(c))
		return (unsigned char)c < 0x80 && !is_control(c);
	for (size_t i = 0; i < sizeof(ESCAPES) / sizeof(*ESCAPES); i++)
		if (ESCAPES[i][0] == c) {
			*value_r = (unsigned char)ESCAPES[i][1];
			return 1;
		}
	return 0;
}

/* Of 'strings' only \' and \\ are escapes. */
static bool is_escape(struct slice s, char quote)
{
	return s.len > 1 && s.data[0] == '\\' &&
	       (quote == '"' || s.data[1] == '\'' || s.data[1] == '\\');
}

/* Into out, up to the closing quote. Returns NULL or what is wrong. */
static const char *string_body(struct slice *rest, char quote, struct buf *out)
{
	for (;;) {
		if (rest->len == 0 || rest->data[0] == '\n' || rest->data[0] == '\r')
			return "this string is not closed on its line (\\n stands for a line's end)";
		char c = rest->data[0];
		if (c == quote)
			return NULL;
		if (is_escape(*rest, quote)) {
			unsigned value;
			size_t len = unescape(slice_from(*rest, 1), &value);
			if (len == 0)
				return "unknown escape in a string: write \\\\ for a backslash";
			if (value == 0)
				return "NUL in a string";
			buf_add_char(out, (char)value);
			*rest = slice_from(*rest, len + 1);
		} else {
			if (is_control(c) && c != '\t')
				return "control character in a string: write it as \\xNN";
			buf_add_char(out, c);
			*rest = slice_from(*rest, 1);
		}
	}
}

static struct token lex_string(struct lexer *l)
{
	struct buf text = { 0 };
	struct slice rest = slice_from(l->rest, 1);
	const char *why = string_body(&rest, l->rest.data[0], &text);
	struct token t;
	rest = slice_from(rest, 1); /* the quote */
	if (why != NULL)
		t = fail(l, why);
	else if (!utf8_valid(buf_slice(&text)))
		t = fail(l, "not UTF-8");
	else if (rest.len > 0 && (!ends_word(rest.data[0]) || rest.data[0] == '"' || rest.data[0] == '\''))
		t = fail(l, "put white space behind the closing quote");
	else
		t = make(l, TOKEN_STRING, arena_copy(l->arena, buf_slice(&text)));
	buf_free(&text);
	l->rest = rest;
	return t;
}

/* Token texts outlive the text that is read. */
static const struct {
	struct slice text;
	enum token_kind kind;
} MARKS[] = {
	{ { "{", 1 }, TOKEN_OPEN },
	{ { "}", 1 }, TOKEN_CLOSE },
	{ { "=", 1 }, TOKEN_EQUALS },
	{ { ",", 1 }, TOKEN_COMMA },
	{ { "(", 1 }, TOKEN_PAREN },
	{ { ")", 1 }, TOKEN_PAREN },
};

struct token lexer_next(struct lexer *l)
{
	struct token error;
	if (!skip_blank(l, &error))
		return error;
	if (l->rest.len == 0)
		return make(l, TOKEN_END, SLICE_EMPTY);
	char c = peek(l, 0);
	for (size_t i = 0; i < sizeof(MARKS) / sizeof(*MARKS); i++)
		if (MARKS[i].text.data[0] == c) {
			skip(l, 1);
			return make(l, MARKS[i].kind, MARKS[i].text);
		}
	if (c == '"' || c == '\'')
		return lex_string(l);
	if (c == ';')
		return fail(l, "no ; here: white space separates settings");
	if (is_control(c))
		return fail(l, c == '\0' ? "a NUL octet" : "a control character");
	return lex_word(l);
}

void lexer_add_quoted(struct buf *out, struct slice text)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '$')
			buf_printf(out, "\\x%02x", c);
		else
			buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
}
