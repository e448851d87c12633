/*
 * One trace field to one relay. MTAs agree on little: "from HELO (rdns [ip])",
 * "from rdns ([ip] helo=HELO)", "from rdns (HELO helo) (ident@ip)" … So the
 * words before "by" are cut into what they are (a name, bracketed or bare
 * addresses, groups in parentheses), and then read by which of them there
 * are; the MTA's own words in the rest tell apart what looks the same.
 */
#include "message/received.h"

#include "message/received_line.h"

/* Addresses. */

static size_t address_run(struct slice s)
{
	size_t i = slice_starts_nocase(s, SLICE("ipv6:")) ? 5 : 0;
	while (i < s.len && (ascii_hex(s.data[i]) >= 0 || s.data[i] == '.' || s.data[i] == ':'))
		i++;
	return i;
}

/* Nothing, or a port behind an address: ":567" or ".567". */
static bool ends_ip(struct slice rest)
{
	for (size_t i = 1; i < rest.len; i++)
		if (!ascii_is_digit(rest.data[i]))
			return false;
	return rest.len == 0 || ((rest.data[0] == ':' || rest.data[0] == '.') && rest.len > 1);
}

/* Length of an IP address at the start of s, with "IPv6:" and zone; 0: none. */
size_t received_ip(struct slice s)
{
	struct ip ip;
	size_t run = address_run(s);
	if (run < 3)
		return 0;
	size_t prefix = slice_starts_nocase(s, SLICE("ipv6:")) ? 5 : 0;
	if (run < s.len && (ascii_is_alnum(s.data[run]) || s.data[run] == '-' || s.data[run] == '_'))
		return 0; /* 192.0.2.1.example.com */
	for (size_t len = run; len > prefix + 2 && len + 8 > run; len--) {
		if (ends_ip(slice_sub(s, len, run - len)) && ip_parse(slice_sub(s, prefix, len - prefix), &ip)) {
			size_t zone = len;
			if (zone < s.len && s.data[zone] == '%')
				while (zone < s.len && (ascii_is_alnum(s.data[zone]) || strchr("%._~-", s.data[zone]) != NULL))
					zone++;
			return zone;
		}
	}
	return 0;
}

/* Words. */

static struct slice take_word(struct slice *rest)
{
	size_t space = slice_chr(*rest, ' ');
	struct slice word = slice_head(*rest, space);
	*rest = slice_from(*rest, space == SLICE_NPOS ? rest->len : space + 1);
	return word;
}

/* Length of a group in parentheses at the start of s, nested ones in it; up to the end if never closed. */
static size_t group_len(struct slice s)
{
	size_t depth = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '(')
			depth++;
		else if (s.data[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

struct slice received_value_of(struct slice s, const char *key)
{
	size_t at = slice_find_nocase(s, slice_str(key));
	if (at == SLICE_NPOS)
		return SLICE_EMPTY;
	s = slice_from(s, at + strlen(key));
	size_t end = 0;
	while (end < s.len && s.data[end] != ' ' && s.data[end] != ')')
		end++;
	return slice_head(s, end);
}

/* What stands inside a pair of parentheses. */
static struct received_group read_group(struct slice inside)
{
	struct received_group g = { .text = inside };
	struct slice s = slice_trim(inside);
	g.spaced = s.data != inside.data;
	if (slice_starts_nocase(s, SLICE("HELO ")) || slice_starts_nocase(s, SLICE("EHLO ")) ||
	    slice_starts_nocase(s, SLICE("LHLO ")) || slice_eq_nocase(s, SLICE("HELO")) || slice_eq_nocase(s,
	    	SLICE("EHLO"))) {
		g.kind = GROUP_HELO;
		g.name = slice_trim(slice_from(s, 4));
		return g;
	}
	size_t ip = received_ip(s), bracket = slice_chr(s, '[');
	bool doubled = ip > 0 && slice_starts(slice_from(s, ip), SLICE(" [")); /* (192.0.2.1 [192.0.2.1]) */
	if (ip > 0 && !doubled) {
		g.kind = GROUP_BARE_IP;
		g.ip = slice_head(s, ip);
		g.rest = slice_from(s, ip);
		return g;
	}
	size_t at = slice_rchr(slice_head(s, bracket == SLICE_NPOS ? slice_chr(s, ' ') : bracket), '@');
	size_t after = at == SLICE_NPOS ? 0 : at + 1;
	if (at != SLICE_NPOS && (ip = received_ip(slice_from(s, after))) > 0) {
		g.kind = GROUP_BARE_IP;
		g.ident = slice_head(s, at);
		g.has_ident = true;
		g.ip = slice_sub(s, after, ip);
		g.rest = slice_from(s, after + ip);
		return g;
	}
	if (bracket == SLICE_NPOS || (ip = received_ip(slice_from(s, bracket + 1))) == 0)
		return g;
	struct slice before = slice_head(s, bracket);
	g.ip = slice_sub(s, bracket + 1, ip);
	size_t close = slice_chr(slice_from(s, bracket), ']');
	g.port = s.data[bracket + 1 + ip] != ']';
	g.rest = slice_from(s, close == SLICE_NPOS ? s.len : bracket + close + 1);
	if (at != SLICE_NPOS && after == bracket) {
		g.kind = GROUP_BRACKET_IP;
		g.ident = slice_head(s, at);
		g.has_ident = true;
	} else if (before.len == 0) {
		g.kind = GROUP_BRACKET_IP;
	} else if (before.data[before.len - 1] == '=') { /* helo=[192.0.2.1] */
		g.ip = SLICE_EMPTY;
	} else if (slice_chr(slice_trim_right(before), ' ') == SLICE_NPOS) {
		g.kind = GROUP_NAME_IP;
		g.name = slice_trim_right(before);
		g.glued = before.data[before.len - 1] != ' ';
	}
	return g;
}

static void add_group(struct received_line *l, struct received_group g)
{
	if (l->group_count < RECEIVED_GROUPS)
		l->groups[l->group_count++] = g;
}

/* "(authenticated …)", "[192.0.2.1]", words: up to " by ". */
static void read_groups(struct received_line *l, struct slice s)
{
	while (s.len > 0) {
		if (s.data[0] == '(') {
			size_t len = group_len(s);
			bool closed = s.data[len - 1] == ')';
			add_group(l, read_group(slice_sub(s, 1, len - (closed ? 2 : 1))));
			s = slice_from(s, len);
		} else if (s.data[0] == '[' && received_ip(slice_from(s, 1 + (s.len > 1 && s.data[1] == '('))) > 0) {
			size_t paren = s.len > 1 && s.data[1] == '(' ? 1 : 0, ip = received_ip(slice_from(s, 1 + paren));
			struct received_group g = {
				.kind = GROUP_SQUARE, .ip = slice_sub(s, 1 + paren, ip), .glued = paren > 0,
			};
			size_t close = slice_chr(s, ']');
			add_group(l, g);
			s = slice_from(s, close == SLICE_NPOS ? s.len : close + 1);
		} else {
			size_t next = slice_chr(slice_from(s, 1), ' ');
			s = slice_from(s, next == SLICE_NPOS ? s.len : next + 1);
		}
		s = slice_trim_left(s);
	}
}

/* The first word: a name, an address in brackets or bare, or a name with a group glued to it. */
static void read_from(struct received_line *l, struct slice head)
{
	if (slice_starts(head, SLICE("(")) || head.len == 0) {
		read_groups(l, head);
		return;
	}
	struct slice rest = head, word = take_word(&rest);
	size_t paren = slice_chr(word, '(');
	l->from = word;
	if (slice_starts(word, SLICE("[")) && received_ip(slice_from(word, 1)) > 0) {
		l->from_ip = slice_sub(word, 1, received_ip(slice_from(word, 1)));
		l->from_bracketed = true;
		size_t close = slice_chr(word, ']');
		l->from_port = close != SLICE_NPOS && close + 1 < word.len;
	} else if (received_ip(word) == word.len) {
		l->from_ip = word;
	} else if (paren != SLICE_NPOS && paren > 0) {
		l->from = slice_head(word, paren);
		l->from_glued = true;
		rest = slice_from(head, paren);
	}
	read_groups(l, rest);
}

/* Cleaning. */

static struct slice squeeze(struct arena *arena, struct slice value)
{
	char *out = arena_alloc(arena, value.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++)
		if (!ascii_is_space(value.data[i]))
			out[len++] = value.data[i];
		else if (len > 0 && out[len - 1] != ' ')
			out[len++] = ' ';
	while (len > 0 && (out[len - 1] == ' ' || out[len - 1] == ';'))
		len--;
	return slice_make(out, len);
}

/* Without "; Tue, 23 May 2006 13:06:35 -0400". */
static struct slice without_date(struct slice s)
{
	size_t semicolon = slice_rchr(s, ';');
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
	};
	/* Five or six words from the end: "[Tue,] 23 May 2006 13:06:35 -0400". */
	size_t at = s.len;
	struct slice word[6];
	for (size_t i = 0; i < 6; i++) {
		size_t space = slice_rchr(slice_head(s, at), ' ');
		size_t begin = space == SLICE_NPOS ? 0 : space + 1;
		word[i] = slice_sub(s, begin, at - begin);
		if (i == 4) {
			uint64_t n;
			bool month = false;
			for (size_t m = 0; m < 12; m++)
				month = month || slice_eq(word[3], slice_str(months[m]));
			struct slice day = slice_trim(word[4]);
			if (semicolon != SLICE_NPOS && day.len > 0 && day.data[0] == ';')
				day = slice_from(day, 1);
			if (!month || !slice_u64(day, 99, &n) || slice_chr(word[1], ':') == SLICE_NPOS || !slice_u64(word[2],
				9999, &n))
				return s;
			at = begin;
		} else if (i == 5) {
			static const char *const days[] = { "Mon,", "Tue,", "Wed,", "Thu,", "Fri,", "Sat,", "Sun," };
			for (size_t d = 0; d < 7; d++)
				if (slice_ends(word[5], slice_str(days[d])))
					begin += word[5].len - 4, at = begin;
		} else {
			at = begin;
		}
		if (at == 0)
			return SLICE_EMPTY;
		if (i < 4 || (i == 4 && s.data[at - 1] == ' '))
			at--;
	}
	s = slice_head(s, at);
	while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == ';'))
		s.len--;
	return s;
}

/* Characters that would break the form of X-Spam-Relays-*. */
static struct slice cleaned(struct arena *arena, struct slice s)
{
	char *out = arena_str(arena, s);
	for (size_t i = 0; i < s.len; i++)
		if (ascii_is_space(out[i]) || out[i] == '\0' || strchr("#[]()<>|", out[i]) != NULL)
			out[i] = '!';
	return slice_make(out, s.len);
}

static struct slice clean_ip(struct slice s)
{
	if (slice_starts_nocase(s, SLICE("ipv6:")))
		s = slice_from(s, 5);
	s = slice_head(s, slice_chr(s, '%'));
	size_t colon = slice_rchr(s, ':');
	bool mapped = colon != SLICE_NPOS && slice_chr(s, '.') != SLICE_NPOS && slice_find_nocase(s,
		SLICE("ffff:")) != SLICE_NPOS;
	return mapped ? slice_from(s, colon + 1) : s;
}

static void finish(struct arena *arena, struct relay *r)
{
	while (r->rdns.len > 0 && r->rdns.data[r->rdns.len - 1] == '.')
		r->rdns.len--;
	if (slice_eq_nocase(r->rdns, SLICE("unknown")) || slice_starts(r->rdns, SLICE("[")))
		r->rdns = SLICE_EMPTY;
	r->ip_text = cleaned(arena, clean_ip(r->ip_text));
	if (!ip_parse(r->ip_text, &r->ip))
		r->ip = (struct ip){ 0 };
	r->private_ip = ip_is_private(&r->ip);
	r->rdns = cleaned(arena, r->rdns);
	r->helo = cleaned(arena, r->helo);
	r->by = cleaned(arena, r->by);
	r->ident = cleaned(arena, r->ident);
	r->id = cleaned(arena, r->id);
	r->auth = cleaned(arena, r->auth);
	struct slice from = slice_trim(r->envfrom);
	while (slice_starts(from, SLICE("<")))
		from = slice_from(from, 1);
	while (slice_ends(from, SLICE(">")))
		from.len--;
	r->envfrom = cleaned(arena, from);
}

/* The place of " by " outside parentheses, or the first there is. */
static size_t find_by(struct slice s, const char *by)
{
	size_t first = slice_find(s, slice_str(by)), depth = 0;
	if (slice_starts(s, slice_str(by + 1)))
		return 0;
	for (size_t i = 0; i + 4 <= s.len; i++) {
		if (s.data[i] == '(')
			depth++;
		else if (s.data[i] == ')' && depth > 0)
			depth--;
		else if (depth == 0 && s.data[i] == ' ' && slice_starts(slice_from(s, i), slice_str(by)))
			return i;
	}
	return first;
}

static bool prepare(struct arena *arena, struct slice value, struct received_line *l)
{
	struct slice s = squeeze(arena, value);
	l->whole = s;
	l->lower = slice_starts(s, SLICE("from "));
	if (!slice_starts_nocase(s, SLICE("from ")) && !slice_starts_nocase(s, SLICE("(from ")))
		return false;
	s = without_date(s);
	size_t glued = slice_find(s, SLICE(")by "));
	if (glued != SLICE_NPOS)
		s = arena_printf(arena, "%.*s) by %.*s", SLICE_ARG(slice_head(s, glued)), SLICE_ARG(slice_from(s,
			glued + 4)));
	l->whole = s;
	bool group = slice_starts(s, SLICE("("));
	struct slice rest = slice_from(s, group ? 6 : 5);
	const char *word = slice_starts(s, SLICE("FROM ")) ? " BY " : " by ";
	size_t by = find_by(rest, word);
	struct slice head = slice_head(rest, by);
	if (group) { /* "(from user@localhost) by x": the parenthesis holds all of it */
		l->parenthesised = true;
		if (slice_ends(head, SLICE(")")))
			head.len--;
	}
	read_from(l, head);
	if (by == SLICE_NPOS)
		return true;
	rest = slice_from(rest, by == 0 && slice_starts(rest, slice_str(word + 1)) ? 3 : by + 4);
	l->by = take_word(&rest);
	while (slice_ends(l->by, SLICE(";")))
		l->by.len--;
	l->tail = rest;
	return true;
}

bool received_parse(struct arena *arena, struct slice value, struct relay *relay_r, bool *harmless_r)
{
	struct received_line line = { .group_count = 0 };
	*relay_r = (struct relay){ .header = SIZE_MAX };
	*harmless_r = true;
	if (!prepare(arena, value, &line))
		return false;
	enum received_kind kind = received_read(&line, relay_r);
	*harmless_r = kind == RECEIVED_HARMLESS;
	if (kind != RECEIVED_RELAY)
		return false;
	finish(arena, relay_r);
	return true;
}
