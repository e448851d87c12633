/*
 * The forms that a URI may take on its way to a host: what readers and
 * browsers do to it before they look the name up. The raw one comes first;
 * each step that changes it adds another, so that a rule may match any.
 */
#include "base/buf.h"
#include "base/cidr.h"
#include "base/idn.h"
#include "base/utf8.h"
#include "message/uri.h"

#define MAX_FORMS 32u      /* of one URI */
#define MAX_TARGETS 8u     /* redirectors in redirectors */

struct cleaner {
	struct arena *arena;
	const struct uri_limits *limits;
	struct slice forms[MAX_FORMS];
	size_t count;
	struct slice queue[MAX_TARGETS];
	size_t queued;
};

static void add_form(struct cleaner *c, struct slice form)
{
	form = slice_head(form, c->limits->length);
	for (size_t i = 0; i < c->count; i++)
		if (slice_eq(c->forms[i], form))
			return;
	if (c->count < MAX_FORMS && form.len > 0)
		c->forms[c->count++] = form;
}

static void add_target(struct cleaner *c, struct slice target)
{
	if (c->queued < MAX_TARGETS && slice_chr(target, '.') != SLICE_NPOS)
		c->queue[c->queued++] = target;
}

/* The octet that "%XX" at i stands for; -1: there is none. */
static int percent_octet(struct slice s, size_t i)
{
	if (s.data[i] != '%' || i + 2 >= s.len || ascii_hex(s.data[i + 1]) < 0 || ascii_hex(s.data[i + 2]) < 0)
		return -1;
	return ascii_hex(s.data[i + 1]) << 4 | ascii_hex(s.data[i + 2]);
}

static struct slice join3(struct cleaner *c, struct slice a, struct slice b, struct slice d)
{
	return arena_printf(c->arena, "%.*s%.*s%.*s", SLICE_ARG(a), SLICE_ARG(b), SLICE_ARG(d));
}

struct slice uri_percent_decode(struct arena *arena, struct slice s)
{
	if (slice_chr(s, '%') == SLICE_NPOS)
		return s;
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++) {
		int code = percent_octet(s, i);
		if (code > 0x20 && code < 0x7f) {
			out[len++] = (char)code;
			i += 2;
		} else {
			out[len++] = s.data[i];
		}
	}
	return slice_make(out, len);
}

/* Also octets that are not ASCII, where they make UTF-8. */
static struct slice percent_decode_utf8(struct arena *arena, struct slice s)
{
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (percent_octet(s, i) >= 0) {
			out[len++] = (char)percent_octet(s, i);
			i += 2;
		} else {
			out[len++] = s.data[i];
		}
	}
	struct slice all = slice_make(out, len);
	return utf8_valid(all) ? all : s;
}

/* Runs of octets that are not ASCII, where they make UTF-8: what a browser shows of a path. */
static struct slice percent_decode_letters(struct arena *arena, struct slice s)
{
	if (slice_chr(s, '%') == SLICE_NPOS)
		return s;
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len;) {
		size_t run = 0, begin = i;
		for (; i < s.len && percent_octet(s, i) >= 0x80; i += 3)
			out[len + run++] = (char)percent_octet(s, i);
		if (run > 0 && !utf8_valid(slice_make(out + len, run))) {
			run = i - begin;
			memcpy(out + len, s.data + begin, run);
		}
		len += run;
		if (run == 0)
			out[len++] = s.data[i++];
	}
	return slice_make(out, len);
}

/* Mail addresses: without what follows them, as readers link them. */
static void clean_mail(struct cleaner *c, struct slice uri)
{
	size_t at = slice_chr(uri, '@');
	if (at == SLICE_NPOS)
		return;
	for (const char *stop = "?&"; *stop != '\0'; stop++) {
		size_t end = slice_chr(slice_from(uri, at + 1), *stop);
		if (end != SLICE_NPOS && end > 0)
			add_form(c, slice_head(uri, at + 1 + end));
	}
	struct slice address = uri;
	if (slice_starts_nocase(address, SLICE("mailto:")))
		address = slice_from(address, 7);
	if (slice_find(address, SLICE("%20")) != SLICE_NPOS) {
		while (slice_starts(address, SLICE("%20")))
			address = slice_from(address, 3);
		size_t end = slice_chr(address, '@');
		while (end != SLICE_NPOS && end < address.len && strchr("?&%", address.data[end]) == NULL)
			end++;
		if (end != SLICE_NPOS)
			add_form(c, arena_printf(c->arena, "mailto:%.*s", SLICE_ARG(slice_head(address, end))));
	}
	size_t open = slice_chr(uri, '<'), close = slice_chr(uri, '>');
	if (open < close && close != SLICE_NPOS && open < at && at < close)
		add_form(c, arena_printf(c->arena, "mailto:%.*s", SLICE_ARG(slice_sub(uri, open + 1, close - open - 1))));
}

/* "&#46;" and "&#x2e;": printable ASCII, and the dots of other scripts. Length of the reference, 0: none. */
static size_t entity(struct slice s, char *c_r)
{
	uint32_t code = 0;
	size_t i = 2;
	if (!slice_starts(s, SLICE("&#")))
		return 0;
	bool hex = i < s.len && ascii_lower(s.data[i]) == 'x';
	size_t digits = i += hex;
	for (; i < s.len && i < digits + 8; i++) {
		int d = hex ? ascii_hex(s.data[i]) : ascii_is_digit(s.data[i]) ? s.data[i] - '0' : -1;
		if (d < 0)
			break;
		code = code * (hex ? 16 : 10) + (uint32_t)d;
	}
	if (i == digits || i == s.len || s.data[i] != ';')
		return 0;
	bool dot = code == 0x3002 || code == 0xff0e || code == 0xff61;
	*c_r = dot ? '.' : (char)code;
	return dot || (code > 0x20 && code < 0x7f) ? i + 1 : 0;
}

static struct slice decode_entities(struct arena *arena, struct slice s)
{
	if (slice_find(s, SLICE("&#")) == SLICE_NPOS)
		return s;
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len;) {
		char c;
		size_t n = s.data[i] == '&' ? entity(slice_from(s, i), &c) : 0;
		out[len++] = n ? c : s.data[i];
		i += n ? n : 1;
	}
	return slice_make(out, len);
}

static bool has_scheme(struct slice s)
{
	size_t i = 0;
	while (i < s.len && (ascii_is_alnum(s.data[i]) || s.data[i] == '-' || s.data[i] == '_'))
		i++;
	return i > 0 && i < s.len && s.data[i] == ':';
}

/* Length of "http:" or "https:", 0: neither. */
static size_t http_scheme(struct slice s)
{
	if (slice_starts_nocase(s, SLICE("http:")))
		return 5;
	return slice_starts_nocase(s, SLICE("https:")) ? 6 : 0;
}

/* Slashes the right way and in the right number, escapes undone, the scheme that browsers would add. */
static struct slice normalise(struct cleaner *c, struct slice uri)
{
	struct slice s = arena_copy(c->arena, uri);
	for (char *p = (char *)(uintptr_t)s.data; p < s.data + s.len; p++)
		if (*p == '\\')
			*p = '/';
	size_t scheme = http_scheme(s);
	if (scheme > 0) {
		size_t slashes = scheme;
		while (slashes < s.len && slashes < scheme + 2 && s.data[slashes] == '/')
			slashes++;
		if (slashes < scheme + 2)
			s = join3(c, slice_head(s, scheme), SLICE("//"), slice_from(s, slashes));
	}
	s = decode_entities(c->arena, uri_percent_decode(c->arena, s));
	if (!has_scheme(s))
		s = join3(c, slice_starts_nocase(s, SLICE("ftp.")) ? SLICE("ftp://") : SLICE("http://"), s, SLICE_EMPTY);
	scheme = http_scheme(s);
	if (scheme > 0) { /* http://x?y: the path is "/" */
		size_t i = scheme + 2;
		while (i < s.len && strchr("/?#", s.data[i]) == NULL)
			i++;
		if (i > scheme + 2 && i < s.len && s.data[i] != '/')
			s = join3(c, slice_head(s, i), SLICE("/"), slice_from(s, i));
	}
	return s;
}

struct http {
	struct slice scheme;     /* "http://" */
	bool auth;
	struct slice host;       /* as written */
	struct slice rest;       /* from the port or path on */
	struct slice port;       /* digits; may be empty */
	bool has_port;
};

static bool parse_http(struct slice uri, struct http *h)
{
	size_t scheme = http_scheme(uri);
	if (scheme == 0 || !slice_starts(slice_from(uri, scheme), SLICE("//")))
		return false;
	h->scheme = slice_head(uri, scheme + 2);
	struct slice s = slice_from(uri, scheme + 2);
	size_t end = 0;
	while (end < s.len && strchr("/?#", s.data[end]) == NULL)
		end++;
	size_t at = slice_chr(slice_head(s, end), '@'); /* the first, as SpamAssassin has it; the last comes below */
	h->auth = at != SLICE_NPOS;
	struct slice host = h->auth ? slice_sub(s, at + 1, end - at - 1) : slice_head(s, end);
	size_t colon = slice_chr(host, ':');
	h->host = slice_head(host, colon);
	h->rest = slice_from(s, (size_t)(host.data - s.data) + h->host.len);
	h->has_port = colon != SLICE_NPOS;
	h->port = SLICE_EMPTY;
	if (h->has_port) {
		size_t digits = 1;
		while (digits < h->rest.len && ascii_is_digit(h->rest.data[digits]))
			digits++;
		h->port = slice_sub(h->rest, 1, digits - 1);
	}
	return h->host.len > 0;
}

static bool is_https(const struct http *h)
{
	return h->scheme.len == 8;
}

static void add_without_port(struct cleaner *c, const struct http *h)
{
	bool fallback = slice_eq(h->port, is_https(h) ? SLICE("443") : SLICE("80"));
	if (fallback)
		add_form(c, join3(c, h->scheme, h->host, slice_from(h->rest, 1 + h->port.len)));
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	return true;
}

/* The host in A-labels and lower case; itself where that can't be. */
static struct slice ascii_host(struct cleaner *c, struct slice host)
{
	struct slice domain;
	if (slice_chr(host, '%') != SLICE_NPOS)
		host = percent_decode_utf8(c->arena, host);
	if (!is_ascii(host) && idn_domain(c->arena, host, &domain))
		return domain;
	return arena_lower(c->arena, host);
}

/* One number of an IPv4 address, as inet_aton(3) reads it: 0x, 0, decimal. */
static bool ip_number(struct slice s, uint64_t *value_r)
{
	unsigned base = 10;
	if (slice_starts_nocase(s, SLICE("0x"))) {
		base = 16;
		s = slice_from(s, 2);
	} else if (s.len > 1 && s.data[0] == '0') {
		base = 8;
	}
	uint64_t value = 0;
	for (size_t i = 0; i < s.len; i++) {
		int d = ascii_hex(s.data[i]);
		if (d < 0 || (unsigned)d >= base)
			return false;
		value = (value * base + (unsigned)d) & 0xffffffffffu;
	}
	*value_r = value;
	return s.len > 0;
}

/* 66.0x5e.0346.33, 0x425ee623, 1113515555: the address meant. */
static bool odd_ip(struct arena *arena, struct slice host, struct slice *text_r)
{
	uint64_t part[4] = { 0 };
	size_t count = 0;
	struct slice rest = host, piece;
	while (slice_split(&rest, '.', &piece)) {
		if (count == 4 || !ip_number(piece, &part[count]))
			return false;
		count++;
	}
	if (count != 1 && count != 4)
		return false;
	uint32_t ip = (uint32_t)part[0];
	if (count == 4)
		ip = (uint32_t)((part[0] & 255) << 24 | (part[1] & 255) << 16 | (part[2] & 255) << 8 | (part[3] & 255));
	*text_r = arena_printf(arena, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	return true;
}

/* "http://name" as browsers complete it. */
static void add_completed(struct cleaner *c, const struct http *h, struct slice host)
{
	struct slice name = slice_starts(host, SLICE("www.")) ? slice_from(host, 4) : host;
	bool plain = !is_https(h) && !h->auth && (h->port.len == 0 || slice_eq(h->port, SLICE("80")));
	if (plain && name.len > 0 && slice_chr(name, '.') == SLICE_NPOS && !slice_eq(host, SLICE("localhost")))
		add_form(c, arena_printf(c->arena, "%.*swww.%.*s.com%.*s", SLICE_ARG(h->scheme), SLICE_ARG(name),
					 SLICE_ARG(h->rest)));
}

/* What a redirector leads to: one the caller knows, else any "http:" inside. */
static void follow(struct cleaner *c, const struct http *h)
{
	struct slice whole = join3(c, h->scheme, h->host, h->rest);
	struct slice target = SLICE_EMPTY;
	if (c->limits->redirect != NULL)
		target = c->limits->redirect(c->limits->redirect_arg, c->arena, whole);
	if (target.len == 0) {
		size_t plain = slice_find_nocase(h->rest, SLICE("http:"));
		size_t secure = slice_find_nocase(h->rest, SLICE("https:"));
		size_t begin = plain < secure ? plain : secure;
		if (begin == SLICE_NPOS)
			return;
		target = slice_from(h->rest, begin);
		size_t end = 0;
		while (end < target.len && target.data[end] != '&' && target.data[end] != '#')
			end++;
		target = slice_head(target, end);
	}
	add_target(c, target);
}

static struct slice without_controls(struct arena *arena, struct slice s)
{
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] > ' ')
			out[len++] = s.data[i];
	return slice_make(out, len);
}

static void clean_host(struct cleaner *c, struct http h)
{
	add_without_port(c, &h);
	struct slice ascii = ascii_host(c, h.host);
	struct slice lower = arena_lower(c->arena, h.host);
	if (!slice_eq(ascii, lower)) {
		add_form(c, join3(c, h.scheme, ascii, h.rest));
		h.host = ascii;
		add_without_port(c, &h);
	}
	struct slice host = without_controls(c->arena, h.host);
	if (host.len < h.host.len)
		add_form(c, join3(c, h.scheme, host, h.rest));
	h.host = host;
	follow(c, &h);
	if (h.auth)
		add_form(c, join3(c, h.scheme, host, h.rest));
	struct slice ended = host;
	while (ended.len > 0 && !ascii_is_alnum(ended.data[ended.len - 1]))
		ended.len--;
	if (ended.len < host.len && ended.len > 0)
		add_form(c, join3(c, h.scheme, ended, h.rest));
	struct slice ip;
	if (odd_ip(c->arena, ended, &ip))
		add_form(c, join3(c, h.scheme, ip, h.rest));
	else
		add_completed(c, &h, ascii);
}

static struct slice strip_line_ends(struct arena *arena, struct slice s)
{
	if (slice_chr(s, '\n') == SLICE_NPOS && slice_chr(s, '\r') == SLICE_NPOS)
		return slice_trim(s);
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != '\n' && s.data[i] != '\r')
			out[len++] = s.data[i];
	return slice_trim(slice_make(out, len));
}

static bool is_mail(struct slice uri)
{
	size_t at = slice_chr(uri, '@');
	return slice_starts_nocase(uri, SLICE("mailto:")) ||
		(at != SLICE_NPOS && slice_chr(slice_head(uri, at), ':') == SLICE_NPOS);
}

static void clean_one(struct cleaner *c, struct slice uri)
{
	uri = strip_line_ends(c->arena, uri);
	add_form(c, uri);
	bool local = uri.len > 0 && (strchr("#?&", uri.data[0]) != NULL ||
				     (uri.data[0] == '/' && !slice_starts(uri, SLICE("//"))));
	if (uri.len <= 1 || local)
		return;
	if (is_mail(uri)) {
		clean_mail(c, uri);
		return;
	}
	struct slice normal = normalise(c, uri);
	add_form(c, normal);
	struct http h;
	if (parse_http(normal, &h)) {
		clean_host(c, h);
		add_form(c, join3(c, h.scheme, h.host, percent_decode_letters(c->arena, h.rest)));
	}
}

size_t uri_clean(struct arena *arena, struct slice uri, const struct uri_limits *limits,
	struct slice **forms_r)
{
	static const struct uri_limits defaults = { .length = 8192 };
	struct cleaner c = { .arena = arena, .limits = limits && limits->length ? limits : &defaults };
	c.queue[c.queued++] = slice_head(uri, c.limits->length);
	for (size_t i = 0; i < c.queued; i++)
		clean_one(&c, c.queue[i]);
	*forms_r = arena_array(arena, struct slice, c.count);
	memcpy(*forms_r, c.forms, c.count * sizeof(**forms_r));
	return c.count;
}
