#include "filters/spf_record.h"

#include <arpa/inet.h>

#include "filters/spf_macro.h"

/* What may stand behind a mechanism's name. */
enum { NO_DOMAIN, MAY_DOMAIN, MUST_DOMAIN };

static const struct mechanism {
	const char *name;
	enum spf_term_kind kind;
	int domain;
	bool cidr;     /* dual-cidr-length */
} mechanisms[] = {
	{ "all", SPF_ALL, NO_DOMAIN, false },
	{ "include", SPF_INCLUDE, MUST_DOMAIN, false },
	{ "a", SPF_A, MAY_DOMAIN, true },
	{ "mx", SPF_MX, MAY_DOMAIN, true },
	{ "ptr", SPF_PTR, MAY_DOMAIN, false },
	{ "ip4", SPF_IP4, NO_DOMAIN, true },
	{ "ip6", SPF_IP6, NO_DOMAIN, true },
	{ "exists", SPF_EXISTS, MUST_DOMAIN, false },
};

static const char *const names[] = {
	[SPF_ALL] = "all", [SPF_INCLUDE] = "include", [SPF_A] = "a", [SPF_MX] = "mx", [SPF_PTR] = "ptr",
	[SPF_IP4] = "ip4", [SPF_IP6] = "ip6", [SPF_EXISTS] = "exists", [SPF_REDIRECT] = "redirect",
	[SPF_EXP] = "exp", [SPF_OTHER_MODIFIER] = "modifier",
};

const char *spf_term_name(enum spf_term_kind kind)
{
	return names[kind];
}

static const struct slice version = { "v=spf1", 6 };

bool spf_record_is(struct slice txt)
{
	return slice_starts_nocase(txt, version) && (txt.len == version.len || txt.data[version.len] == ' ');
}

/* Digits without a leading zero, at most max. */
static bool parse_bits(struct slice digits, unsigned max, uint8_t *bits_r)
{
	uint64_t bits;
	if ((digits.len > 1 && digits.data[0] == '0') || !slice_u64(digits, max, &bits))
		return false;
	*bits_r = (uint8_t)bits;
	return true;
}

/* Where the digits at the end of s begin, if a slash stands before them; else SLICE_NPOS. */
static size_t digits_behind_slash(struct slice s)
{
	size_t at = s.len;
	while (at > 0 && ascii_is_digit(s.data[at - 1]))
		at--;
	return at > 0 && at < s.len && s.data[at - 1] == '/' ? at : SLICE_NPOS;
}

/*
 * Takes dual-cidr-length off the end: a domain-spec may hold slashes, so it is
 * read from behind. What looks like none is left to be judged as a domain.
 */
static bool take_dual_cidr(struct slice *s, struct spf_term *term)
{
	size_t at = digits_behind_slash(*s);
	if (at != SLICE_NPOS && at >= 2 && s->data[at - 2] == '/') {
		if (!parse_bits(slice_from(*s, at), 128, &term->bits6))
			return false;
		*s = slice_head(*s, at - 2);
		at = digits_behind_slash(*s);
	}
	if (at == SLICE_NPOS)
		return true;
	if (!parse_bits(slice_from(*s, at), 32, &term->bits4))
		return false;
	*s = slice_head(*s, at - 1);
	return true;
}

static bool parse_network(struct slice text, int family, unsigned char *bytes)
{
	char copy[INET6_ADDRSTRLEN];
	if (text.len == 0 || text.len >= sizeof(copy) || slice_chr(text, '\0') != SLICE_NPOS)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, bytes) == 1;
}

/* ":" ip-network [ "/" length ]. Not ip_parse(): an IPv4-mapped network stays IPv6 here (RFC 7208 5). */
static const char *parse_ip(struct slice rest, struct spf_term *term)
{
	bool v4 = term->kind == SPF_IP4;
	uint8_t *bits = v4 ? &term->bits4 : &term->bits6;
	if (rest.len == 0 || rest.data[0] != ':')
		return "an address must follow";
	rest = slice_from(rest, 1);
	size_t slash = slice_chr(rest, '/');
	if (slash != SLICE_NPOS) {
		if (!parse_bits(slice_from(rest, slash + 1), v4 ? 32 : 128, bits))
			return "bad prefix length";
		rest = slice_head(rest, slash);
	}
	term->network.family = v4 ? 4 : 6;
	if (!parse_network(rest, v4 ? AF_INET : AF_INET6, term->network.bytes))
		return v4 ? "bad IPv4 address" : "bad IPv6 address";
	return NULL;
}

/* What follows a mechanism's name. NULL: all well. */
static const char *parse_arguments(const struct mechanism *m, struct slice rest, struct spf_term *term)
{
	if (m->kind == SPF_IP4 || m->kind == SPF_IP6)
		return parse_ip(rest, term);
	if (m->cidr && !take_dual_cidr(&rest, term))
		return "bad prefix length";
	if (rest.len == 0)
		return m->domain == MUST_DOMAIN ? "a domain must follow" : NULL;
	if (m->domain == NO_DOMAIN || rest.data[0] != ':')
		return "unexpected text";
	term->domain = slice_from(rest, 1);
	return spf_domain_spec_ok(term->domain) ? NULL : "bad domain";
}

static const char *parse_mechanism(struct slice text, size_t name_len, struct spf_term *term)
{
	struct slice name = slice_head(text, name_len);
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++)
		if (slice_eq_nocase(name, slice_str(mechanisms[i].name))) {
			term->kind = mechanisms[i].kind;
			return parse_arguments(&mechanisms[i], slice_from(text, name_len), term);
		}
	return "unknown mechanism";
}

static bool is_modifier_name(struct slice name)
{
	if (name.len == 0 || !ascii_is_alpha(name.data[0]))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!ascii_is_alnum(name.data[i]) && slice_chr(SLICE("-_."), name.data[i]) == SLICE_NPOS)
			return false;
	return true;
}

static const char *parse_modifier(struct slice text, size_t name_len, struct spf_term *term)
{
	struct slice name = slice_head(text, name_len);
	term->qualifier = 0;
	term->domain = slice_from(text, name_len + 1);
	if (!is_modifier_name(name))
		return "bad name of a modifier";
	if (slice_eq_nocase(name, SLICE("redirect")))
		term->kind = SPF_REDIRECT;
	else if (slice_eq_nocase(name, SLICE("exp")))
		term->kind = SPF_EXP;
	else {
		term->kind = SPF_OTHER_MODIFIER;
		return spf_macro_ok(term->domain, SPF_MACRO_MODIFIER) ? NULL : "bad macro";
	}
	return spf_domain_spec_ok(term->domain) ? NULL : "bad domain";
}

/* NULL: all well. A modifier's "=" comes before any ":" or "/" (4.6.1). */
static const char *parse_term(struct slice text, struct spf_term *term)
{
	*term = (struct spf_term){ .text = text, .qualifier = '+', .bits4 = 32, .bits6 = 128 };
	bool qualified = slice_chr(SLICE("+-~?"), text.data[0]) != SLICE_NPOS;
	if (qualified) {
		term->qualifier = text.data[0];
		text = slice_from(text, 1);
	}
	size_t end = 0;
	while (end < text.len && slice_chr(SLICE("=:/"), text.data[end]) == SLICE_NPOS)
		end++;
	if (end == text.len || text.data[end] != '=')
		return parse_mechanism(text, end, term);
	return qualified ? "a modifier takes no qualifier" : parse_modifier(text, end, term);
}

/* The next run of octets between spaces. */
static bool next_word(struct slice *rest, struct slice *word_r)
{
	size_t at = 0, end;
	while (at < rest->len && rest->data[at] == ' ')
		at++;
	for (end = at; end < rest->len && rest->data[end] != ' ';)
		end++;
	*word_r = slice_sub(*rest, at, end - at);
	*rest = slice_from(*rest, end);
	return word_r->len > 0;
}

bool spf_term_next(struct slice *rest, struct spf_term *term_r)
{
	struct slice word;
	return next_word(rest, &word) && parse_term(word, term_r) == NULL;
}

bool spf_record_check(struct slice txt, struct spf_record *record_r, struct spf_syntax_error *error_r)
{
	struct slice rest = slice_from(txt, version.len), word;
	*record_r = (struct spf_record){ .terms = rest };
	while (next_word(&rest, &word)) {
		struct spf_term term;
		*error_r = (struct spf_syntax_error){ word, parse_term(word, &term) };
		if (error_r->why != NULL)
			return false;
		struct slice *once = term.kind == SPF_REDIRECT ? &record_r->redirect
				     : term.kind == SPF_EXP    ? &record_r->exp
							       : NULL;
		if (once == NULL)
			continue;
		error_r->why = "given twice"; /* RFC 7208 6 */
		if (once->len > 0)
			return false;
		*once = term.domain;
	}
	return true;
}

bool spf_prefix_match(const struct ip *client, const void *address, unsigned bits)
{
	const unsigned char *bytes = address;
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(client->bytes, bytes, whole) != 0)
		return false;
	return rest == 0 || (client->bytes[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}
