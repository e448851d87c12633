#include "proxy/smtp_syntax.h"

#include "base/cidr.h"
#include "base/utf8.h"
#include "message/address.h"

#define DOMAIN_MAX 255 /* RFC 5321 4.5.3.1.2 */
#define LABEL_MAX 63   /* RFC 1035 2.3.4 */
#define MECHANISM_MAX 20 /* RFC 4422 3.1 */

/* ---- lines */

enum smtp_line_status smtp_line_next(struct slice in, size_t max, struct smtp_line *line_r)
{
	*line_r = (struct smtp_line){ 0 };
	size_t lf = slice_chr(in, '\n');
	line_r->ended = lf != SLICE_NPOS;
	if (!line_r->ended && in.len < max)
		return SMTP_LINE_MORE;
	line_r->consumed = line_r->ended ? lf + 1 : in.len;
	if (!line_r->ended || line_r->consumed > max)
		return SMTP_LINE_TOO_LONG;
	line_r->bare_lf = lf == 0 || in.data[lf - 1] != '\r';
	line_r->text = slice_head(in, lf - !line_r->bare_lf);
	return SMTP_LINE_OK;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice skip_blanks(struct slice s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = slice_from(s, 1);
	return s;
}

static struct slice trim_blanks(struct slice s)
{
	s = skip_blanks(s);
	while (s.len > 0 && is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (((unsigned char)s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f)
			return true;
	return false;
}

/* Up to the next blank; *rest_r is what follows the blanks. */
static struct slice first_word(struct slice s, struct slice *rest_r)
{
	size_t len = 0;
	while (len < s.len && !is_blank(s.data[len]))
		len++;
	*rest_r = skip_blanks(slice_from(s, len));
	return slice_head(s, len);
}

static bool all_of(struct slice s, bool (*is)(char))
{
	for (size_t i = 0; i < s.len; i++)
		if (!is(s.data[i]))
			return false;
	return s.len > 0;
}

bool smtp_command_parse(struct slice line, struct smtp_command *command_r)
{
	struct slice rest, verb = first_word(line, &rest);
	*command_r = (struct smtp_command){ 0 };
	if (has_control(line) || !all_of(verb, ascii_is_alnum))
		return false;
	command_r->verb = verb;
	command_r->arg = trim_blanks(rest);
	return true;
}

/* ---- parameters */

static const char *const syntax_errors[] = {
	[SMTP_SYNTAX_OK] = "no error",
	[SMTP_SYNTAX_NO_FROM_TO] = "FROM: or TO: expected",
	[SMTP_SYNTAX_NO_PATH] = "address expected",
	[SMTP_SYNTAX_BAD_PATH] = "malformed path",
	[SMTP_SYNTAX_BAD_PARAM] = "malformed parameter",
	[SMTP_SYNTAX_REPEATED_PARAM] = "parameter given twice",
	[SMTP_SYNTAX_MANY_PARAMS] = "too many parameters",
};

const char *smtp_syntax_error_text(enum smtp_syntax_error error)
{
	return syntax_errors[error];
}

static bool is_keyword_char(char c)
{
	return ascii_is_alnum(c) || c == '-';
}

/* RFC 5321 4.1.2 esmtp-value leaves "=" out; real clients write it. UTF-8 is
 * RFC 6531's. */
static bool is_value_char(char c)
{
	return c > ' ' ? c != 0x7f : (unsigned char)c >= 0x80;
}

static bool param_parse(struct slice word, struct smtp_param *param_r)
{
	size_t eq = slice_chr(word, '=');
	param_r->has_value = eq != SLICE_NPOS;
	param_r->keyword = slice_head(word, eq);
	param_r->value = param_r->has_value ? slice_from(word, eq + 1) : SLICE_EMPTY;
	if (!all_of(param_r->keyword, is_keyword_char) || param_r->keyword.data[0] == '-')
		return false;
	return !param_r->has_value || all_of(param_r->value, is_value_char);
}

enum smtp_syntax_error smtp_params_parse(struct slice text, struct smtp_params *params_r)
{
	params_r->count = 0;
	text = skip_blanks(text);
	while (text.len > 0) {
		struct smtp_param param;
		if (!param_parse(first_word(text, &text), &param))
			return SMTP_SYNTAX_BAD_PARAM;
		if (smtp_params_find(params_r, param.keyword) != NULL)
			return SMTP_SYNTAX_REPEATED_PARAM;
		if (params_r->count == SMTP_PARAMS_MAX)
			return SMTP_SYNTAX_MANY_PARAMS;
		params_r->list[params_r->count++] = param;
	}
	return SMTP_SYNTAX_OK;
}

const struct smtp_param *smtp_params_find(const struct smtp_params *params, struct slice keyword)
{
	for (size_t i = 0; i < params->count; i++)
		if (slice_eq_nocase(params->list[i].keyword, keyword))
			return &params->list[i];
	return NULL;
}

/* ---- MAIL and RCPT */

/* Offset of the first octet outside quotes that stop() likes; SLICE_NPOS if
 * there is none, or a quote stays open. */
static size_t find_unquoted(struct slice s, bool (*stop)(char))
{
	bool quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		if (quoted && s.data[i] == '\\')
			i++;
		else if (s.data[i] == '"')
			quoted = !quoted;
		else if (!quoted && stop(s.data[i]))
			return i;
	}
	return SLICE_NPOS;
}

static bool is_close(char c)
{
	return c == '>';
}

static bool is_bracket(char c)
{
	return c == '<' || c == '>';
}

/* Takes the path off *text. */
static enum smtp_syntax_error take_path(struct slice *text, struct smtp_path *path_r)
{
	size_t end;
	path_r->no_brackets = text->data[0] != '<';
	if (path_r->no_brackets) {
		end = find_unquoted(*text, is_blank);
		path_r->path = slice_head(*text, end);
		*text = slice_from(*text, end == SLICE_NPOS ? text->len : end);
		if (find_unquoted(path_r->path, is_bracket) != SLICE_NPOS)
			return SMTP_SYNTAX_BAD_PATH;
	} else {
		*text = slice_from(*text, 1);
		end = find_unquoted(*text, is_close);
		if (end == SLICE_NPOS)
			return SMTP_SYNTAX_BAD_PATH;
		path_r->path = trim_blanks(slice_head(*text, end));
		*text = slice_from(*text, end + 1);
	}
	path_r->source_route = slice_starts(path_r->path, SLICE("@"));
	return text->len > 0 && !is_blank(text->data[0]) ? SMTP_SYNTAX_BAD_PATH : SMTP_SYNTAX_OK;
}

static enum smtp_syntax_error path_parse(struct slice arg, struct slice prefix, struct smtp_path *path_r)
{
	*path_r = (struct smtp_path){ 0 };
	if (!slice_starts_nocase(arg, prefix))
		return SMTP_SYNTAX_NO_FROM_TO;
	arg = trim_blanks(slice_from(arg, prefix.len));
	if (arg.len == 0)
		return SMTP_SYNTAX_NO_PATH;
	enum smtp_syntax_error error = take_path(&arg, path_r);
	if (error != SMTP_SYNTAX_OK)
		return error;
	path_r->params_text = skip_blanks(arg);
	return smtp_params_parse(path_r->params_text, &path_r->params);
}

enum smtp_syntax_error smtp_mail_parse(struct slice arg, struct smtp_path *path_r)
{
	return path_parse(arg, SLICE("FROM:"), path_r);
}

enum smtp_syntax_error smtp_rcpt_parse(struct slice arg, struct smtp_path *path_r)
{
	return path_parse(arg, SLICE("TO:"), path_r);
}

/* ---- HELO */

static bool is_label(struct slice label)
{
	return label.len <= LABEL_MAX && all_of(label, is_keyword_char) && label.data[0] != '-' &&
	       label.data[label.len - 1] != '-';
}

/* Labels of a host name; 0: it is none. A final dot is taken. A last label of
 * digits alone makes it no name (RFC 1123 2.1). */
static size_t host_labels(struct slice name)
{
	size_t count = 0;
	struct slice label = SLICE_EMPTY;
	if (slice_ends(name, SLICE(".")))
		name.len--;
	while (slice_split(&name, '.', &label)) {
		if (!is_label(label))
			return 0;
		count++;
	}
	return all_of(label, ascii_is_digit) ? 0 : count;
}

static enum smtp_helo classify(struct slice name, struct ip *ip_r)
{
	size_t labels;
	bool word = false;
	if (address_literal(name, ip_r))
		return SMTP_HELO_LITERAL;
	if (ip_parse(name, ip_r))
		return SMTP_HELO_BARE_IP;
	if (name.len > DOMAIN_MAX || name.data[0] == '[' || !utf8_valid(name))
		return SMTP_HELO_GARBAGE;
	labels = host_labels(name);
	if (labels > 0)
		return labels > 1 ? SMTP_HELO_DOMAIN : SMTP_HELO_SINGLE;
	for (size_t i = 0; i < name.len; i++)
		word = word || ascii_is_alnum(name.data[i]) || (unsigned char)name.data[i] >= 0x80;
	return word ? SMTP_HELO_SLOPPY : SMTP_HELO_GARBAGE;
}

enum smtp_helo smtp_helo_parse(struct slice arg, struct slice *name_r, struct ip *ip_r)
{
	struct ip ip = { 0 };
	struct slice more;
	*name_r = first_word(trim_blanks(arg), &more);
	if (name_r->len == 0)
		return SMTP_HELO_EMPTY;
	enum smtp_helo helo = classify(*name_r, &ip);
	if (ip_r != NULL)
		*ip_r = ip;
	return more.len > 0 && helo != SMTP_HELO_GARBAGE ? SMTP_HELO_SLOPPY : helo;
}

/* ---- the other commands */

bool smtp_bdat_parse(struct slice arg, uint64_t *size_r, bool *last_r)
{
	struct slice rest, number = first_word(arg, &rest);
	*last_r = rest.len > 0;
	if (rest.len > 0 && !slice_eq_nocase(trim_blanks(rest), SLICE("LAST")))
		return false;
	return slice_u64(number, INT64_MAX, size_r);
}

static bool is_mechanism_char(char c)
{
	return is_keyword_char(c) || c == '_';
}

static bool is_base64_char(char c)
{
	return ascii_is_alnum(c) || c == '+' || c == '/' || c == '=';
}

bool smtp_auth_parse(struct slice arg, struct smtp_auth *auth_r)
{
	struct slice rest;
	*auth_r = (struct smtp_auth){ 0 };
	auth_r->mechanism = first_word(arg, &rest);
	if (auth_r->mechanism.len > MECHANISM_MAX || !all_of(auth_r->mechanism, is_mechanism_char))
		return false;
	rest = trim_blanks(rest);
	auth_r->has_initial = rest.len > 0;
	if (!slice_eq(rest, SLICE("=")))
		auth_r->initial = rest;
	return !auth_r->has_initial || all_of(rest, is_base64_char);
}

bool smtp_auth_is_response(struct slice line)
{
	return line.len == 0 || slice_eq(line, SLICE("*")) || all_of(line, is_base64_char);
}

static bool is_xchar(char c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

bool smtp_xtext_decode(struct arena *arena, struct slice text, struct slice *bytes_r)
{
	char *out = arena_alloc(arena, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		int high, low;
		if (is_xchar(text.data[i])) {
			out[len++] = text.data[i];
			continue;
		}
		if (text.data[i] != '+' || text.len - i < 3)
			return false;
		high = ascii_hex(text.data[i + 1]);
		low = ascii_hex(text.data[i + 2]);
		if (high < 0 || low < 0)
			return false;
		out[len++] = (char)(high << 4 | low);
		i += 2;
	}
	*bytes_r = slice_make(out, len);
	return true;
}

void smtp_xtext_encode(struct buf *out, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (is_xchar(bytes.data[i]))
			buf_add_char(out, bytes.data[i]);
		else
			buf_printf(out, "+%02X", (unsigned)(unsigned char)bytes.data[i]);
	}
}

bool smtp_is_xtext(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (is_xchar(text.data[i]))
			continue;
		if (text.data[i] != '+' || text.len - i < 3 || ascii_hex(text.data[i + 1]) < 0 ||
		    ascii_hex(text.data[i + 2]) < 0)
			return false;
		i += 2;
	}
	return true;
}

bool smtp_dsn_ret_ok(struct slice value)
{
	return slice_eq_nocase(value, SLICE("FULL")) || slice_eq_nocase(value, SLICE("HDRS"));
}

#define ENVID_MAX 100u
#define ORCPT_MAX 500u

bool smtp_dsn_envid_ok(struct slice value)
{
	return value.len > 0 && value.len <= ENVID_MAX && smtp_is_xtext(value);
}

bool smtp_dsn_notify_ok(struct slice value)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY" };
	struct slice word, rest = value;
	unsigned seen = 0;
	if (slice_eq_nocase(value, SLICE("NEVER")))
		return true;
	while (slice_split(&rest, ',', &word)) {
		size_t i = 0;
		while (i < 3 && !slice_eq_nocase(word, slice_str(words[i])))
			i++;
		if (i == 3 || (seen & 1u << i))
			return false;
		seen |= 1u << i;
	}
	return seen != 0;
}

bool smtp_dsn_orcpt_ok(struct slice value)
{
	size_t semicolon = slice_chr(value, ';');
	if (semicolon == SLICE_NPOS || semicolon == 0 || value.len > ORCPT_MAX)
		return false;
	struct slice type = slice_head(value, semicolon), address = slice_from(value, semicolon + 1);
	for (size_t i = 0; i < type.len; i++)
		if (!ascii_is_alnum(type.data[i]) && type.data[i] != '-')
			return false;
	return address.len > 0 && (slice_eq_nocase(type, SLICE("utf-8")) || smtp_is_xtext(address));
}
