#include "filters/spf_macro.h"

#include <stdio.h>

#include "base/buf.h"

#define DOMAIN_MAX 253u       /* RFC 7208 7.3 */
#define DOMAIN_KEPT 512u      /* of an expansion's end: all that can count, and to spare */
#define DOMAIN_BUFFER 8192u   /* when it has grown so far it is cut to that */
#define PARTS_ALL UINT32_MAX

/* macro-expand, RFC 7208 7.1 */
struct macro {
	char letter;              /* lower case; '%', '_' or '-' for the short ones */
	bool url;                 /* upper-case letter: escape the value */
	bool split;               /* has transformers or delimiters */
	bool reverse;
	uint32_t parts;           /* right-hand ones to keep */
	struct slice delimiters;  /* empty: "." */
	size_t len;               /* of its text */
};

static const char delimiter_chars[] = ".-+,/_=";
static const char domain_letters[] = "slodiphv";
static const char explanation_letters[] = "slodiphvcrt";

static bool is_one_of(const char *set, char c)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Digits, "r" and delimiters up to the closing brace. */
static bool parse_transformers(struct slice s, size_t at, struct macro *m)
{
	size_t digits = at;
	uint64_t parts = 0;
	for (; at < s.len && ascii_is_digit(s.data[at]); at++)
		if (parts < PARTS_ALL)
			parts = parts * 10 + (uint64_t)(s.data[at] - '0');
	if (at > digits && parts == 0)
		return false; /* 7.3: must not be zero */
	m->parts = at == digits || parts > PARTS_ALL ? PARTS_ALL : (uint32_t)parts;
	if (at < s.len && ascii_lower(s.data[at]) == 'r') {
		m->reverse = true;
		at++;
	}
	size_t start = at;
	while (at < s.len && is_one_of(delimiter_chars, s.data[at]))
		at++;
	m->delimiters = slice_sub(s, start, at - start);
	m->split = at > digits;
	m->len = at + 1;
	return at < s.len && s.data[at] == '}';
}

/* s begins with "%". */
static bool parse_macro(struct slice s, enum spf_macro_use use, struct macro *m)
{
	*m = (struct macro){ .parts = PARTS_ALL };
	if (s.len < 2)
		return false;
	if (s.data[1] != '{') {
		m->letter = s.data[1];
		m->len = 2;
		return is_one_of("%_-", s.data[1]);
	}
	if (s.len < 4)
		return false;
	m->letter = ascii_lower(s.data[2]);
	m->url = m->letter != s.data[2];
	return is_one_of(use == SPF_MACRO_DOMAIN ? domain_letters : explanation_letters, m->letter) &&
	       parse_transformers(s, 3, m);
}

/* macro-literal: visible ASCII without "%". */
static bool is_literal(char c, enum spf_macro_use use)
{
	return (c > ' ' && c < 0x7f && c != '%') || (c == ' ' && use == SPF_MACRO_EXPLANATION);
}

/* *last_r: where the last macro begins, or SLICE_NPOS if text doesn't end in one. */
static bool check_string(struct slice text, enum spf_macro_use use, size_t *last_r)
{
	*last_r = SLICE_NPOS;
	for (size_t i = 0; i < text.len;) {
		struct macro m;
		if (is_literal(text.data[i], use)) {
			*last_r = SLICE_NPOS;
			i++;
			continue;
		}
		if (text.data[i] != '%' || !parse_macro(slice_from(text, i), use, &m))
			return false;
		*last_r = i;
		i += m.len;
	}
	return true;
}

bool spf_macro_ok(struct slice text, enum spf_macro_use use)
{
	size_t last;
	return check_string(text, use, &last);
}

/* ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum ) */
static bool is_toplabel(struct slice label)
{
	bool not_number = false;
	if (label.len == 0 || label.data[0] == '-' || label.data[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		if (!ascii_is_alnum(label.data[i]) && label.data[i] != '-')
			return false;
		not_number = not_number || !ascii_is_digit(label.data[i]);
	}
	return not_number;
}

bool spf_domain_spec_ok(struct slice text)
{
	size_t last;
	if (text.len == 0 || !check_string(text, SPF_MACRO_DOMAIN, &last))
		return false;
	if (last != SLICE_NPOS)
		return true;
	if (text.data[text.len - 1] == '.')
		text.len--;
	size_t dot = slice_rchr(text, '.');
	return dot != SLICE_NPOS && is_toplabel(slice_from(text, dot + 1));
}

bool spf_macro_uses_p(struct slice text)
{
	for (size_t i = 0; i < text.len;) {
		struct macro m;
		if (text.data[i] != '%') {
			i++;
			continue;
		}
		if (!parse_macro(slice_from(text, i), SPF_MACRO_EXPLANATION, &m))
			return false;
		if (m.letter == 'p')
			return true;
		i += m.len;
	}
	return false;
}

/* i: an address in dotted form, of IPv6 by nibbles. */
static struct slice dotted_ip(const struct ip *ip, char out[64])
{
	static const char hex[] = "0123456789ABCDEF";
	if (ip->family != 6)
		return slice_str(ip_text(ip, out));
	size_t len = 0;
	for (size_t i = 0; i < 16; i++) {
		out[len++] = hex[ip->bytes[i] >> 4];
		out[len++] = '.';
		out[len++] = hex[ip->bytes[i] & 15];
		out[len++] = '.';
	}
	return slice_make(out, len - 1);
}

/* scratch holds what is not in values as text. */
static struct slice letter_value(char letter, const struct spf_macro_values *v, char scratch[64])
{
	switch (letter) {
	case 's': return v->sender;
	case 'l': return v->local;
	case 'o': return v->sender_domain;
	case 'd': return v->domain;
	case 'i': return dotted_ip(&v->client, scratch);
	case 'c': return slice_str(ip_text(&v->client, scratch));
	case 'p': return v->validated.len > 0 ? v->validated : SLICE("unknown");
	case 'v': return v->client.family == 6 ? SLICE("ip6") : SLICE("in-addr");
	case 'h': return v->helo;
	case 'r': return v->receiver.len > 0 ? v->receiver : SLICE("unknown");
	default:
		return slice_make(scratch, (size_t)snprintf(scratch, 64, "%lld", (long long)v->now));
	}
}

static void add_text(struct buf *out, struct slice text, bool url)
{
	static const char hex[] = "0123456789ABCDEF";
	if (!url) {
		buf_add_slice(out, text);
		return;
	}
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (ascii_is_alnum(c) || is_one_of("-._~", c)) {
			buf_add_char(out, c);
			continue;
		}
		buf_add_char(out, '%');
		buf_add_char(out, hex[(unsigned char)c >> 4]);
		buf_add_char(out, hex[(unsigned char)c & 15]);
	}
}

static bool is_delimiter(const struct macro *m, char c)
{
	return m->delimiters.len == 0 ? c == '.' : slice_chr(m->delimiters, c) != SLICE_NPOS;
}

/* The last parts of the value from its left. */
static void add_parts(struct buf *out, struct slice value, const struct macro *m)
{
	size_t start = value.len;
	for (uint32_t parts = 0; start > 0; start--)
		if (is_delimiter(m, value.data[start - 1]) && ++parts == m->parts)
			break;
	value = slice_from(value, start);
	for (size_t at = 0, i = 0; i <= value.len; i++) {
		if (i < value.len && !is_delimiter(m, value.data[i]))
			continue;
		add_text(out, slice_sub(value, at, i - at), m->url);
		if (i < value.len)
			buf_add_char(out, '.');
		at = i + 1;
	}
}

/* The first parts of the value, the last of them first. */
static void add_reversed(struct buf *out, struct slice value, const struct macro *m)
{
	size_t stop = 0;
	for (uint32_t parts = 0; stop < value.len; stop++)
		if (is_delimiter(m, value.data[stop]) && ++parts == m->parts)
			break;
	value = slice_head(value, stop);
	for (size_t end = value.len, i = value.len + 1; i-- > 0;) {
		if (i > 0 && !is_delimiter(m, value.data[i - 1]))
			continue;
		add_text(out, slice_sub(value, i, end - i), m->url);
		if (i > 0)
			buf_add_char(out, '.');
		end = i > 0 ? i - 1 : 0;
	}
}

static void add_macro(struct buf *out, const struct macro *m, const struct spf_macro_values *values)
{
	char scratch[64];
	switch (m->letter) {
	case '%': buf_add_char(out, '%'); return;
	case '_': buf_add_char(out, ' '); return;
	case '-': buf_add_str(out, "%20"); return;
	default: break;
	}
	struct slice value = letter_value(m->letter, values, scratch);
	if (!m->split)
		add_text(out, value, m->url);
	else if (m->reverse)
		add_reversed(out, value, m);
	else
		add_parts(out, value, m);
}

/* Takes one literal or macro off *text. */
static bool expand_one(struct slice *text, enum spf_macro_use use, const struct spf_macro_values *values,
		       struct buf *out)
{
	struct macro m;
	if (is_literal(text->data[0], use)) {
		buf_add_char(out, text->data[0]);
		*text = slice_from(*text, 1);
		return true;
	}
	if (text->data[0] != '%' || !parse_macro(*text, use, &m))
		return false;
	add_macro(out, &m, values);
	*text = slice_from(*text, m.len);
	return true;
}

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

struct slice spf_dns_escape(struct arena *arena, struct slice name)
{
	size_t plain = 0, len = 0;
	while (plain < name.len && is_plain(name.data[plain]))
		plain++;
	if (plain == name.len)
		return name;
	char *text = arena_alloc(arena, name.len * 4 + 1);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (c >= 0x80)
			return SLICE_EMPTY;
		if (is_plain((char)c))
			text[len++] = (char)c;
		else
			len += (size_t)sprintf(text + len, "\\%03u", c);
	}
	return slice_make(text, len);
}

struct slice spf_domain_cut(struct slice name)
{
	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	while (name.len > DOMAIN_MAX) {
		size_t dot = slice_chr(name, '.');
		if (dot == SLICE_NPOS)
			break;
		name = slice_from(name, dot + 1);
	}
	return name;
}

struct slice spf_macro_domain(struct arena *arena, struct slice text, const struct spf_macro_values *values)
{
	struct buf out = { 0 };
	while (text.len > 0 && expand_one(&text, SPF_MACRO_DOMAIN, values, &out))
		if (out.len > DOMAIN_BUFFER)
			buf_consume(&out, out.len - DOMAIN_KEPT);
	struct slice name = arena_copy(arena, spf_domain_cut(buf_slice(&out)));
	buf_free(&out);
	return name;
}

/* Values come from the client: they may hold anything. */
static void make_printable(struct slice s, char *out)
{
	for (size_t i = 0; i < s.len; i++)
		out[i] = s.data[i] >= ' ' && s.data[i] < 0x7f ? s.data[i] : '?';
}

bool spf_macro_explanation(struct arena *arena, struct slice text, const struct spf_macro_values *values,
			   struct slice *explanation_r)
{
	struct buf out = { 0 };
	bool ok = true;
	while (ok && text.len > 0)
		ok = expand_one(&text, SPF_MACRO_EXPLANATION, values, &out) && out.len <= SPF_EXPLANATION_MAX;
	if (ok) {
		char *copy = arena_alloc(arena, out.len + 1);
		make_printable(buf_slice(&out), copy);
		*explanation_r = slice_make(copy, out.len);
	}
	buf_free(&out);
	return ok;
}
