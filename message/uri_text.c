/*
 * Finds in running text what mail readers make links of, and what people copy
 * as one: by scheme, by "www." or "ftp.", addresses by "@", bare names by
 * their top-level domain. Follows SpamAssassin's definition, in one pass: the
 * text is cut into tokens at the characters that end a link, and each token
 * is looked through once.
 */
#include "base/psl.h"
#include "message/text_space.h"
#include "message/uri.h"
#include "message/uri_list.h"

#define MAX_LINK 2048u     /* octets behind the scheme or prefix */
#define MAX_ADDRESS 251u   /* octets on either side of "@" */
#define MAX_NAME 253u      /* RFC 1035 2.3.4 */

enum found_as { FOUND_NOTHING, FOUND_LINK, FOUND_MAIL, FOUND_NAME };

struct scanner {
	struct uris *uris;
	bool hidden;
	bool at_start;         /* the token begins the text */
	struct slice token;
	size_t next_at;        /* of "@" at or behind the place looked at; SLICE_NPOS: none */
	size_t next_stop;      /* of a character that can't stand in an address */
};

/* What ends a link, among ASCII: white space, ESC, quotes, brackets. */
static const bool ends_link[128] = {
	['\t'] = true, ['\n'] = true, ['\v'] = true, ['\f'] = true, ['\r'] = true, [0x1b] = true, [' '] = true,
	['>'] = true, ['<'] = true, ['"'] = true, ['`'] = true, ['}'] = true, [']'] = true, ['{'] = true, ['['] = true,
	['|'] = true,
};

/* What also ends an address. */
static bool ends_address(unsigned char c)
{
	return c >= 0x80 || c == ',' || c == '(' || c == '\'';
}

static bool is_word(unsigned char c)
{
	return ascii_is_alnum((char)c) || c == '_';
}

/* May a link or an address begin at i? */
static bool may_begin(struct slice t, size_t i)
{
	if (i == 0)
		return true;
	unsigned char before = (unsigned char)t.data[i - 1], here = (unsigned char)t.data[i];
	return is_word(before) != is_word(here) || before == '\'' || before == ',' || before == '(';
}

/* May a bare name begin at i? */
static bool may_begin_name(struct slice t, size_t i)
{
	return i == 0 || (strchr("!\"#$&'()*+,/:;<=>?@[\\]^`{|}~", t.data[i - 1]) != NULL && t.data[i - 1] != '\0');
}

/* "http://", "https://", "ftp://", "www.", "www1.", "www12.", "ftp.": its length. */
static size_t link_prefix(struct slice s)
{
	static const struct slice prefixes[] = {
		{ "http://", 7 }, { "https://", 8 }, { "ftp://", 6 }, { "ftp.", 4 },
	};
	char first = s.len > 0 ? ascii_lower(s.data[0]) : '\0';
	if (first != 'h' && first != 'f' && first != 'w')
		return 0;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (slice_starts_nocase(s, prefixes[i]))
			return prefixes[i].len;
	if (!slice_starts_nocase(s, SLICE("www")))
		return 0;
	size_t i = 3;
	while (i < s.len && i < 5 && ascii_is_digit(s.data[i]))
		i++;
	return i < s.len && s.data[i] == '.' ? i + 1 : 0;
}

static size_t find_stop(struct slice t, size_t i)
{
	while (i < t.len && !ends_address((unsigned char)t.data[i]))
		i++;
	return i;
}

static void look_ahead(struct scanner *sc, size_t i)
{
	struct slice t = sc->token;
	if (sc->next_at != SLICE_NPOS && sc->next_at < i) {
		size_t at = slice_chr(slice_from(t, i), '@');
		sc->next_at = at == SLICE_NPOS ? SLICE_NPOS : i + at;
	}
	if (sc->next_stop < i)
		sc->next_stop = find_stop(t, i);
}

/* Length of an address, with or without "mailto:", at i. */
static size_t match_mail(struct scanner *sc, size_t i)
{
	struct slice t = sc->token;
	if (sc->next_at == SLICE_NPOS && ascii_lower(t.data[i]) != 'm')
		return 0;
	look_ahead(sc, i);
	size_t begin = i, max = MAX_ADDRESS;
	if (slice_starts_nocase(slice_from(t, i), SLICE("mailto:"))) {
		begin = i + 7;
		max = MAX_LINK;
	} else if (sc->next_at == SLICE_NPOS || sc->next_at == i || sc->next_at - i > MAX_ADDRESS ||
		   sc->next_stop < sc->next_at) {
		return 0;
	} else {
		begin = sc->next_at + 1;
	}
	size_t end = sc->next_stop; /* behind begin: there is none in what went before */
	return end <= begin || end - begin > max ? 0 : end - i;
}

bool uri_known_tld(struct slice tld)
{
	char lower[64], second[68];
	if (tld.len == 0 || tld.len > 63)
		return false;
	for (size_t i = 0; i < tld.len; i++)
		lower[i] = ascii_lower(tld.data[i]);
	if (psl_is_registry(slice_make(lower, tld.len)))
		return true;
	if (tld.len != 2)
		return false;
	/* Some countries have only second-level registries in the list. */
	memcpy(second, "co.", 3);
	memcpy(second + 3, lower, tld.len);
	return psl_is_registry(slice_make(second, 3 + tld.len));
}

static bool is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '_' || c == '-';
}

/* Length of a bare name with a known top-level domain, port and path, to the token's end;
 * *name_r: of the name alone. */
static size_t match_name(struct slice t, size_t i, size_t *name_r)
{
	size_t end = i;
	while (end < t.len && is_name_char(t.data[end]))
		end++;
	size_t rest = end;
	if (end > i && t.data[end - 1] == '.')
		end--;
	if (end - i < 4 || end - i > MAX_NAME || !ascii_is_alnum(t.data[i]))
		return 0;
	struct slice name = slice_sub(t, i, end - i);
	size_t dot = slice_rchr(name, '.');
	if (dot == SLICE_NPOS || dot == 0 || !uri_known_tld(slice_from(name, dot + 1)))
		return 0;
	*name_r = name.len;
	size_t k = rest;
	if (k < t.len && t.data[k] == ':') {
		size_t digits = 0;
		while (k + 1 + digits < t.len && ascii_is_digit(t.data[k + 1 + digits]))
			digits++;
		if (digits == 0 || digits > 5)
			return 0;
		k += 1 + digits;
	}
	if (k < t.len && (t.data[k] != '/' || t.len - k > MAX_LINK || t.len - k == 1))
		return t.data[k] == '/' && t.len - k == 1 ? t.len - i : 0;
	return t.len - i;
}

/* As readers end a link: at ")" unless "(" came before, and before punctuation. */
static struct slice trim_link(struct slice s)
{
	size_t open = slice_chr(s, '('), close = slice_chr(s, ')');
	if (close != SLICE_NPOS && (open == SLICE_NPOS || close < open))
		s = slice_head(s, close);
	while (s.len > 0 && strchr("-~!@#^&*()_+=:;'?,.", s.data[s.len - 1]) != NULL && s.data[s.len - 1] != '\0')
		s.len--;
	return s;
}

static bool is_bare_scheme(struct slice s)
{
	size_t i = 0;
	while (i < s.len && is_word((unsigned char)s.data[i]))
		i++;
	if (i == 0 || i == s.len || s.data[i++] != ':')
		return false;
	while (i < s.len && s.data[i] == '/')
		i++;
	return i == s.len;
}

static bool dot_behind_at(struct slice s)
{
	size_t at = slice_chr(s, '@');
	return at != SLICE_NPOS && slice_chr(slice_from(s, at + 2), '.') != SLICE_NPOS;
}

/* "skype:", "email:" and such, left over before an address. */
static struct slice strip_label(struct slice s)
{
	static const struct slice labels[] = { { "skype", 5 }, { "e-mail", 6 }, { "email", 5 }, { "mail", 4 } };
	size_t skip = 0;
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels) && skip == 0; i++)
		if (slice_starts_nocase(s, labels[i]))
			skip = labels[i].len;
	if (skip < s.len && s.data[skip] != ':')
		return s;
	while (skip < s.len && s.data[skip] == ':')
		skip++;
	return slice_from(s, skip);
}

static struct slice prefixed(struct scanner *sc, const char *scheme, struct slice s)
{
	return arena_printf(sc->uris->arena, "%s%.*s", scheme, SLICE_ARG(s));
}

/* The URI with the scheme that it lacks; empty: it is none after all. */
static struct slice complete(struct scanner *sc, struct slice s, unsigned *types)
{
	*types |= URI_SCHEMELESS;
	size_t prefix = link_prefix(s);
	size_t at = slice_chr(s, '@'), slash = slice_chr(s, '/');
	if (slice_starts_nocase(s, SLICE("ftp.")))
		return prefixed(sc, "ftp://", s);
	if (prefix > 0)
		return prefixed(sc, "http://", s);
	if (at != SLICE_NPOS && slash != SLICE_NPOS && slash + 1 < at)
		return prefixed(sc, "http://", s);
	if (at != SLICE_NPOS) {
		if (!dot_behind_at(s) || slice_find(s, SLICE("&nbsp;")) != SLICE_NPOS)
			return SLICE_EMPTY;
		return prefixed(sc, "mailto:", strip_label(s));
	}
	*types |= URI_UNLINKED;
	return slice_chr(s, '.') == SLICE_NPOS ? SLICE_EMPTY : prefixed(sc, "http://", s);
}

static bool has_scheme(struct slice s)
{
	static const struct slice schemes[] = { { "http:", 5 }, { "https:", 6 }, { "ftp:", 4 }, { "mailto:", 7 } };
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (slice_starts_nocase(s, schemes[i]))
			return true;
	return false;
}

static bool mail_domain_known(struct slice uri)
{
	size_t at = slice_chr(uri, '@');
	if (at == SLICE_NPOS)
		return false;
	struct slice host = slice_from(uri, at + 1);
	size_t end = 0;
	while (end < host.len && strchr("?&>", host.data[end]) == NULL)
		end++;
	host.len = end;
	while (slice_ends(host, SLICE("%20")))
		host.len -= 3;
	size_t dot = slice_rchr(host, '.');
	return dot != SLICE_NPOS && uri_known_tld(slice_from(host, dot + 1));
}

static void found(struct scanner *sc, struct slice text, enum found_as as, struct slice name)
{
	struct slice s = trim_link(text);
	unsigned types = URI_PARSED;
	if (as == FOUND_MAIL && slice_chr(s, '@') == SLICE_NPOS)
		return;
	if (as == FOUND_NAME && !uri_valid_host(name))
		return;
	if (slice_starts_nocase(s, SLICE("cid:")) || slice_starts_nocase(s, SLICE("mid:")) || is_bare_scheme(s))
		return;
	if (!has_scheme(s))
		s = complete(sc, s, &types);
	if (slice_starts_nocase(s, SLICE("mailto:"))) {
		s = uri_percent_decode(sc->uris->arena, s);
		if (!mail_domain_known(s))
			return;
	}
	if (s.len > 0)
		uris_add(sc->uris, &(struct uri_finding){ .uri = s, .types = types, .hidden = sc->hidden,
			.must_host = true });
}

static void scan_token(struct scanner *sc)
{
	struct slice t = sc->token;
	size_t i = 0, name = 0;
	sc->next_at = slice_chr(t, '@');
	sc->next_stop = find_stop(t, 0);
	while (i < t.len) {
		size_t len = 0, prefix;
		enum found_as as = FOUND_NOTHING;
		if (may_begin(t, i)) {
			prefix = link_prefix(slice_from(t, i));
			if (prefix > 0 && i + prefix < t.len && t.len - i - prefix <= MAX_LINK) {
				len = t.len - i;
				as = FOUND_LINK;
			} else if ((len = match_mail(sc, i)) > 0) {
				as = FOUND_MAIL;
			} else if (may_begin_name(t, i) && (len = match_name(t, i, &name)) > 0) {
				as = FOUND_NAME;
			}
		}
		if (as != FOUND_NOTHING)
			found(sc, slice_sub(t, i, len), as, slice_sub(t, i, name));
		i += len > 0 ? len : 1;
	}
}

/* Cheap: has the token anything that a URI can't be without? */
static bool may_hold_uri(struct slice t)
{
	return t.len >= 4 && (slice_chr(t, '.') != SLICE_NPOS || slice_chr(t, '@') != SLICE_NPOS ||
			      slice_find(t, SLICE("://")) != SLICE_NPOS);
}

/* Length of a character that ends a link at s: also spaces of other kinds than ASCII's. */
static size_t link_end(struct slice s)
{
	unsigned char c = (unsigned char)s.data[0];
	if (c < 0x80)
		return ends_link[c] ? 1 : 0;
	return text_space_len(s);
}

void uris_from_text(struct uris *uris, struct slice text, bool hidden)
{
	struct scanner sc = { .uris = uris, .hidden = hidden };
	size_t i = 0;
	while (i < text.len) {
		size_t begin = i, end = 0;
		while (i < text.len && (end = link_end(slice_from(text, i))) == 0)
			i++;
		sc.token = slice_sub(text, begin, i - begin);
		/* ISO-2022 shifts: ESC ( B */
		if (begin > 0 && text.data[begin - 1] == '\x1b' && sc.token.len > 2 && sc.token.data[0] == '(')
			sc.token = slice_from(sc.token, 2);
		if (may_hold_uri(sc.token))
			scan_token(&sc);
		i += end;
	}
}
