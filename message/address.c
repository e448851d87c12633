#include "message/address.h"

#include "base/buf.h"
#include "base/idn.h"
#include "base/utf8.h"

#define LOCAL_MAX 64      /* RFC 5321 4.5.3.1.1 */
#define LOCAL_LAX_MAX 255 /* VERP and SRS make long ones */
#define DOMAIN_MAX 255    /* RFC 5321 4.5.3.1.2 */
#define LABEL_MAX 63      /* RFC 1035 2.3.4 */
#define MAILBOX_MAX 254   /* a path of 256 without its brackets, RFC 5321 4.5.3.1.3 */

static const char *const error_texts[ADDRESS_ERRORS] = {
	[ADDRESS_OK] = "no error",
	[ADDRESS_EMPTY] = "address is empty",
	[ADDRESS_CONTROL] = "address holds a control character",
	[ADDRESS_8BIT] = "address is not ASCII, and SMTPUTF8 was not asked for",
	[ADDRESS_BAD_UTF8] = "address is not valid UTF-8",
	[ADDRESS_BAD_ROUTE] = "malformed source route",
	[ADDRESS_NO_LOCAL] = "local part is missing",
	[ADDRESS_BAD_LOCAL] = "malformed local part",
	[ADDRESS_OPEN_QUOTE] = "closing quote is missing",
	[ADDRESS_LONG_LOCAL] = "local part is too long",
	[ADDRESS_NO_DOMAIN] = "domain is missing",
	[ADDRESS_BAD_DOMAIN] = "malformed domain",
	[ADDRESS_LONG_DOMAIN] = "domain or label is too long",
	[ADDRESS_BAD_LITERAL] = "malformed address literal",
	[ADDRESS_BAD_IDN] = "domain is no valid international name",
	[ADDRESS_TOO_LONG] = "address is too long",
};

const char *address_error_text(enum address_error error)
{
	return error < ADDRESS_ERRORS ? error_texts[error] : "?";
}

static bool is_8bit(char c)
{
	return (unsigned char)c >= 0x80;
}

/* RFC 5322 3.2.3, and RFC 6531 3.3: UTF-8 was let in or kept out before. */
static bool is_atext(char c)
{
	return ascii_is_alnum(c) || is_8bit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (is_8bit(s.data[i]))
			return true;
	return false;
}

static enum address_error check_bytes(struct slice s, unsigned allow)
{
	uint32_t code;
	bool eight = has_8bit(s);
	for (size_t len; s.len > 0; s = slice_from(s, len)) {
		len = utf8_next(s, &code);
		if (len == 0)
			return allow & ADDRESS_UTF8 ? ADDRESS_BAD_UTF8 : ADDRESS_8BIT;
		if (utf8_is_control(code))
			return ADDRESS_CONTROL;
	}
	return eight && !(allow & ADDRESS_UTF8) ? ADDRESS_8BIT : ADDRESS_OK;
}

/* ---- domains */

static bool is_label_char(char c, unsigned allow)
{
	return ascii_is_alnum(c) || c == '-' || (c == '_' && (allow & ADDRESS_LAX));
}

static enum address_error check_label(struct slice label, unsigned allow)
{
	if (label.len > LABEL_MAX)
		return ADDRESS_LONG_DOMAIN;
	if (label.len == 0 || label.data[0] == '-' || label.data[label.len - 1] == '-')
		return ADDRESS_BAD_DOMAIN;
	for (size_t i = 0; i < label.len; i++)
		if (!is_label_char(label.data[i], allow))
			return ADDRESS_BAD_DOMAIN;
	return ADDRESS_OK;
}

static enum address_error check_ascii_domain(struct slice domain, unsigned allow)
{
	enum address_error error = domain.len == 0 ? ADDRESS_BAD_DOMAIN : ADDRESS_OK;
	struct slice rest = domain, label;
	while (error == ADDRESS_OK && slice_split(&rest, '.', &label))
		error = check_label(label, allow);
	return error == ADDRESS_OK && domain.len > DOMAIN_MAX ? ADDRESS_LONG_DOMAIN : error;
}

enum address_error address_domain(struct arena *arena, struct slice domain, unsigned allow,
				  struct slice *domain_r)
{
	enum address_error error = check_bytes(domain, allow);
	*domain_r = SLICE_EMPTY;
	if (error == ADDRESS_OK && has_8bit(domain) && !idn_domain(arena, domain, &domain))
		error = ADDRESS_BAD_IDN;
	if (error != ADDRESS_OK)
		return error;
	if (slice_ends(domain, SLICE(".")))
		domain.len--;
	error = check_ascii_domain(domain, allow);
	if (error == ADDRESS_OK)
		*domain_r = arena_lower(arena, domain);
	return error;
}

/* ---- literals */

bool address_literal(struct slice text, struct ip *ip_r)
{
	struct ip ip;
	struct slice inside;
	if (text.len < 3 || text.data[0] != '[' || text.data[text.len - 1] != ']')
		return false;
	inside = slice_sub(text, 1, text.len - 2);
	bool colon = slice_chr(inside, ':') != SLICE_NPOS;
	if (slice_starts_nocase(inside, SLICE("IPv6:")) != colon || !ip_parse(inside, &ip))
		return false;
	if (ip_r != NULL)
		*ip_r = ip;
	return true;
}

static enum address_error parse_literal(struct arena *arena, struct slice text, struct slice *domain_r)
{
	struct ip ip;
	char out[IP_TEXT_MAX];
	if (!address_literal(text, &ip))
		return ADDRESS_BAD_LITERAL;
	*domain_r = arena_printf(arena, "[%s%s]", ip.family == 6 ? "ipv6:" : "", ip_text(&ip, out));
	return ADDRESS_OK;
}

static enum address_error parse_domain(struct arena *arena, struct slice text, unsigned allow,
				       struct mailbox *m)
{
	if (text.len == 0)
		return ADDRESS_NO_DOMAIN;
	m->literal = text.data[0] == '[';
	return m->literal ? parse_literal(arena, text, &m->domain)
			  : address_domain(arena, text, allow, &m->domain);
}

/* ---- local parts */

static bool is_dot_string(struct slice local, bool lax)
{
	char before = '.';
	for (size_t i = 0; i < local.len; before = local.data[i++]) {
		if (local.data[i] == '.' ? before == '.' && !lax : !is_atext(local.data[i]))
			return false;
	}
	return local.len > 0 && (lax || before != '.');
}

/* At the opening quote. *len_r: octets up to and with the closing one. */
static enum address_error parse_quoted(struct arena *arena, struct slice text, struct mailbox *m, size_t *len_r)
{
	char *out = arena_alloc(arena, text.len);
	size_t len = 0, i = 1;
	for (; i < text.len && text.data[i] != '"'; i++) {
		if (text.data[i] == '\\' && (++i == text.len || is_8bit(text.data[i])))
			return i == text.len ? ADDRESS_OPEN_QUOTE : ADDRESS_BAD_LOCAL;
		out[len++] = text.data[i];
	}
	m->local = slice_make(out, len);
	m->quoted = true;
	*len_r = i + 1;
	return i < text.len ? ADDRESS_OK : ADDRESS_OPEN_QUOTE;
}

static enum address_error parse_local(struct arena *arena, struct slice text, unsigned allow,
				      struct mailbox *m, size_t *len_r)
{
	enum address_error error = ADDRESS_OK;
	if (text.data[0] == '"') {
		error = parse_quoted(arena, text, m, len_r);
	} else {
		m->local = slice_head(text, slice_chr(text, '@'));
		*len_r = m->local.len;
		if (m->local.len == 0)
			return ADDRESS_NO_LOCAL;
		if (!is_dot_string(m->local, allow & ADDRESS_LAX))
			return ADDRESS_BAD_LOCAL;
	}
	if (error == ADDRESS_OK && *len_r > (allow & ADDRESS_LAX ? LOCAL_LAX_MAX : LOCAL_MAX))
		return ADDRESS_LONG_LOCAL;
	return error;
}

/* ---- paths */

/* Octets of a domain in a route: up to "," or ":" outside brackets. */
static size_t route_domain_len(struct slice s)
{
	bool literal = false;
	size_t i = 0;
	for (; i < s.len && (literal || (s.data[i] != ',' && s.data[i] != ':')); i++)
		literal = s.data[i] == '[' || (literal && s.data[i] != ']');
	return i;
}

/* "@one,@two:" off the front of *path. */
static enum address_error take_route(struct arena *arena, struct slice *path, unsigned allow)
{
	struct slice rest = *path;
	struct mailbox hop;
	for (;;) {
		if (rest.len == 0 || rest.data[0] != '@')
			return ADDRESS_BAD_ROUTE;
		size_t len = route_domain_len(slice_from(rest, 1));
		if (parse_domain(arena, slice_sub(rest, 1, len), allow, &hop) != ADDRESS_OK)
			return ADDRESS_BAD_ROUTE;
		rest = slice_from(rest, 1 + len);
		if (rest.len == 0)
			return ADDRESS_NO_LOCAL;
		bool last = rest.data[0] == ':';
		rest = slice_from(rest, 1);
		if (last)
			break;
	}
	*path = rest;
	return rest.len == 0 ? ADDRESS_NO_LOCAL : ADDRESS_OK;
}

static bool is_bare_postmaster(const struct mailbox *m, unsigned allow)
{
	return (allow & ADDRESS_POSTMASTER) && !m->quoted &&
	       slice_eq_nocase(m->local, SLICE("postmaster"));
}

static enum address_error parse_mailbox(struct arena *arena, struct slice text, unsigned allow,
					struct mailbox *m)
{
	size_t len;
	m->text = text;
	m->utf8 = has_8bit(text);
	enum address_error error = parse_local(arena, text, allow, m, &len);
	if (error != ADDRESS_OK)
		return error;
	if (len == text.len)
		return is_bare_postmaster(m, allow) ? ADDRESS_OK : ADDRESS_NO_DOMAIN;
	if (text.data[len] != '@')
		return ADDRESS_BAD_LOCAL;
	error = parse_domain(arena, slice_from(text, len + 1), allow, m);
	if (error == ADDRESS_OK && !(allow & ADDRESS_LAX) && text.len > MAILBOX_MAX)
		return ADDRESS_TOO_LONG;
	return error;
}

enum address_error address_parse(struct arena *arena, struct slice path, unsigned allow,
				 struct mailbox *mailbox_r)
{
	struct mailbox m = { 0 };
	*mailbox_r = m;
	if (path.len == 0)
		return allow & ADDRESS_NULL ? ADDRESS_OK : ADDRESS_EMPTY;
	enum address_error error = check_bytes(path, allow);
	if (error != ADDRESS_OK)
		return error;
	m.source_route = (allow & ADDRESS_ROUTE) && path.data[0] == '@';
	if (m.source_route)
		error = take_route(arena, &path, allow);
	if (error == ADDRESS_OK)
		error = parse_mailbox(arena, arena_copy(arena, path), allow, &m);
	if (error == ADDRESS_OK)
		*mailbox_r = m;
	return error;
}

enum address_error address_parse_any(struct arena *arena, struct slice path, unsigned allow,
				     struct mailbox *mailbox_r)
{
	enum address_error error = address_parse(arena, path, allow, mailbox_r);
	size_t at = slice_rchr(path, '@');
	if (error == ADDRESS_OK)
		return error;
	mailbox_r->text = arena_copy(arena, path);
	mailbox_r->local = slice_head(mailbox_r->text, at == SLICE_NPOS ? path.len : at);
	if (at != SLICE_NPOS)
		mailbox_r->domain = arena_lower(arena, slice_from(path, at + 1));
	return error;
}

struct slice address_quote_local(struct arena *arena, struct slice local)
{
	struct buf b = { 0 };
	if (is_dot_string(local, false))
		return local;
	buf_add_char(&b, '"');
	for (size_t i = 0; i < local.len; i++) {
		if (local.data[i] == '"' || local.data[i] == '\\')
			buf_add_char(&b, '\\');
		buf_add_char(&b, local.data[i]);
	}
	buf_add_char(&b, '"');
	struct slice quoted = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return quoted;
}
