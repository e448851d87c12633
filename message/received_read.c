/*
 * What the words of a trace field mean. The decisions follow SpamAssassin's,
 * so that X-Spam-Relays-* mean the same to its rules: which word is the HELO
 * name and which the host's name depends on the MTA that wrote them.
 */
#include "message/received_line.h"

static bool has(const struct received_line *l, const char *text)
{
	return slice_find(l->whole, slice_str(text)) != SLICE_NPOS;
}

static bool tail_has(const struct received_line *l, const char *text)
{
	return slice_find(l->tail, slice_str(text)) != SLICE_NPOS;
}

static bool tail_starts(const struct received_line *l, const char *text)
{
	return slice_starts(l->tail, slice_str(text));
}

static const struct received_group *find_group(const struct received_line *l, enum received_group_kind kind)
{
	for (size_t i = 0; i < l->group_count; i++)
		if (l->groups[i].kind == kind)
			return &l->groups[i];
	return NULL;
}

/* The group that holds the client's address. */
static const struct received_group *address_group(const struct received_line *l)
{
	for (size_t i = 0; i < l->group_count; i++)
		if (l->groups[i].ip.len > 0)
			return &l->groups[i];
	return NULL;
}

static bool is_helo_char(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("-.^+_&:=?!@%*$\\/", c) != NULL);
}

/* "helo=name" or "HELO name" anywhere. */
static struct slice any_helo(const struct received_line *l)
{
	static const char *const keys[] = { "helo=", "HELO ", "EHLO " };
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		size_t at = slice_find(l->whole, slice_str(keys[i]));
		if (at == SLICE_NPOS || (at > 0 && ascii_is_alnum(l->whole.data[at - 1])))
			continue;
		struct slice s = slice_from(l->whole, at + 5);
		size_t n = 0;
		while (n < s.len && is_helo_char(s.data[n]))
			n++;
		if (n > 0)
			return slice_head(s, n);
	}
	return SLICE_EMPTY;
}

/* " id XYZ", three characters at least. */
static struct slice find_id(const struct received_line *l)
{
	struct slice s = l->whole, key = l->lower || l->parenthesised ? SLICE(" id ") : SLICE(" ID ");
	for (size_t at; (at = slice_find(s, key)) != SLICE_NPOS;) {
		s = slice_from(s, at + 4);
		struct slice id = slice_starts(s, SLICE("<")) ? slice_from(s, 1) : s;
		size_t n = 0;
		while (n < id.len && strchr(" <>;", id.data[n]) == NULL)
			n++;
		if (n >= 3)
			return slice_head(id, n);
	}
	return SLICE_EMPTY;
}

/* Authentication. */

/* The word behind " with ", if it is one that only authenticated clients get (RFC 3848, RFC 6531). */
static struct slice with_auth(const struct received_line *l)
{
	static const char *const words[] = {
		"ESMTPA", "ESMTPSA", "LMTPA", "LMTPSA", "LMTPA", "UTF8SMTPA", "UTF8SMTPSA", "UTF8LMTPA", "UTF8LMTPSA",
			"ASMTP",
		"HTTP", "HTTPS", "HTTPU", "SMTPA", "SMTPSA",
	};
	struct slice s = l->whole;
	for (size_t at; (at = slice_find_nocase(s, SLICE(" with "))) != SLICE_NPOS;) {
		s = slice_from(s, at + 6);
		size_t end = 0;
		while (end < s.len && s.data[end] != ' ' && s.data[end] != ';')
			end++;
		struct slice word = slice_head(s, end);
		for (size_t i = 0; i + 2 < sizeof(words) / sizeof(*words); i++)
			if (slice_eq_nocase(word, slice_str(words[i])))
				return word;
	}
	return SLICE_EMPTY;
}

static const struct received_group *group_with(const struct received_line *l, const char *text)
{
	for (size_t i = 0; i < l->group_count; i++)
		if (slice_find(l->groups[i].text, slice_str(text)) != SLICE_NPOS)
			return &l->groups[i];
	return NULL;
}

/* "(AUTH: LOGIN user, …)" as Courier writes it behind the address. */
static struct slice courier_auth(const struct received_line *l)
{
	static const char *const mechanisms[] = { "LOGIN", "PLAIN", "DIGEST-MD5", "CRAM-MD5" };
	const struct received_group *g = group_with(l, "AUTH: ");
	if (g == NULL || g->text.data[0] != 'A' || address_group(l) == NULL)
		return SLICE_EMPTY;
	struct slice rest = slice_from(g->text, 6);
	struct slice word = slice_head(rest, slice_chr(rest, ' '));
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++)
		if (slice_eq(word, slice_str(mechanisms[i])))
			return word;
	return SLICE_EMPTY;
}

/* The name in the group behind "by": what the server calls itself. */
static struct slice server_name(const struct received_line *l)
{
	if (!tail_starts(l, "("))
		return SLICE_EMPTY;
	return slice_sub(l->tail, 1, slice_chr(l->tail, ')') - 1);
}

/* GMX lets its own customers in without saying so. */
static struct slice gmx_auth(const struct received_line *l)
{
	static const struct { const char *by, *smtp, *esmtp; } sites[] = {
		{ "mail.gmx.net", "GMX (SMTP / mail.gmx.net)", "GMX (ESMTP / mail.gmx.net)" },
		{ "mail.gmx.com", "GMX (SMTP / mail.gmx.com)", "GMX (ESMTP / mail.gmx.com)" },
	};
	if (find_group(l, GROUP_HELO) == NULL || find_group(l, GROUP_SQUARE) == NULL || !tail_starts(l, "("))
		return SLICE_EMPTY;
	for (size_t i = 0; i < 2; i++)
		if (slice_eq(l->by, slice_str(sites[i].by)))
			return slice_str(tail_has(l, ") with ESMTP") ? sites[i].esmtp : sites[i].smtp);
	return SLICE_EMPTY;
}

static struct slice other_auth(const struct received_line *l)
{
	const struct received_group *address = address_group(l);
	if (courier_auth(l).len > 0)
		return courier_auth(l);
	if (address != NULL && address->kind != GROUP_BARE_IP && group_with(l, "authenticated") != NULL)
		return SLICE("Sendmail");
	if (tail_has(l, " (authenticated as ") || (has(l, " (authenticated as ") && tail_starts(l, "(")))
		return SLICE("CriticalPath");
	if (group_with(l, "Authenticated sender: ") != NULL && tail_starts(l, "(") && tail_has(l, ") with "))
		return slice_eq(server_name(l), SLICE("Postfix")) ? SLICE("Postfix") : SLICE("Postfix ()");
	static const char *const pronto[] = { "HTTP", "SMTP", "XIMSS", "IMAP" };
	size_t at = slice_find(l->whole, SLICE("CommuniGate Pro "));
	for (size_t i = 0; at != SLICE_NPOS && has(l, " (account ") && i < 4; i++)
		if (slice_starts(slice_from(l->whole, at + 16), slice_str(pronto[i])))
			return SLICE("Communigate");
	if (has(l, " with Microsoft Exchange Server HTTP-DAV"))
		return SLICE("HTTP-DAV");
	if (gmx_auth(l).len > 0)
		return gmx_auth(l);
	at = slice_find_nocase(l->whole, SLICE(" (via HTTP"));
	return at != SLICE_NPOS && l->by.len > 0 ? received_value_of(slice_from(l->whole, at), "(via ") :
		SLICE_EMPTY;
}

static struct slice find_auth(const struct received_line *l)
{
	struct slice with = l->by.len > 0 ? with_auth(l) : SLICE_EMPTY;
	return with.len > 0 ? with : other_auth(l);
}

static struct slice find_tls(const struct received_line *l)
{
	size_t at = slice_find_nocase(l->whole, SLICE("TLSv"));
	if (at == SLICE_NPOS)
		at = slice_find(l->whole, SLICE("TLS1"));
	if (at == SLICE_NPOS)
		return SLICE_EMPTY;
	struct slice s = slice_from(l->whole, at);
	size_t n = 0;
	while (n < s.len && (ascii_is_alnum(s.data[n]) || s.data[n] == '.' || s.data[n] == '_'))
		n++;
	return slice_head(s, n);
}

static struct slice find_with(const struct received_line *l)
{
	size_t at = slice_find_nocase(l->tail, SLICE("with "));
	struct slice s = slice_from(l->tail, at == SLICE_NPOS ? l->tail.len : at + 5);
	return slice_head(s, slice_chr(s, ' '));
}

static struct slice find_envfrom(const struct received_line *l)
{
	if (has(l, "[XMail ") && tail_has(l, " from <")) {
		struct slice s = received_value_of(l->tail, " from <");
		return slice_head(s, slice_chr(s, '>'));
	}
	static const char *const keys[] = {
		"return-path: ", "return-path ", "envelope-sender ", "envelope-sender=", "envelope-from ", "envelope-from=",
	};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct slice s = received_value_of(l->whole, keys[i]);
		while (s.len > 0 && !ascii_is_alnum(s.data[s.len - 1]) && s.data[s.len - 1] != '_')
			s.len--; /* ends at a word */
		if (s.len > 0)
			return s;
	}
	return SLICE_EMPTY;
}

/* Shapes. Each returns false if the line has not its shape. */

/* helo= and ident= beside an address. */
static void read_pairs(struct slice s, struct relay *r)
{
	struct slice helo = received_value_of(s, "helo="), ident = received_value_of(s, "ident=");
	if (helo.len > 0)
		r->helo = helo;
	if (ident.len > 0)
		r->ident = ident;
}

/* "… (SquirrelMail authenticated user x) by y with HTTP": the first address not far before "by" */
static bool read_webmail(const struct received_line *l, struct relay *r)
{
	if (!group_with(l, "SquirrelMail authenticated user ") && !group_with(l, "NaSMail authenticated user "))
		return false;
	size_t end = l->by.len > 0 ? (size_t)(l->by.data - l->whole.data) : 0;
	for (size_t i = 5; i + 13 < end; i++) {
		size_t ip = ascii_is_alnum(l->whole.data[i - 1]) ? 0 : received_ip(slice_from(l->whole, i));
		if (ip == 0 || end < i + ip + 13 || end - i - ip > 84)
			continue;
		r->ip_text = slice_sub(l->whole, i, ip);
		r->helo = SLICE_EMPTY;
		return slice_starts(l->tail, SLICE("with HTTP"));
	}
	return false;
}

/* "from [192.0.2.1] (…) by", "from 192.0.2.1 by" */
static bool read_address_first(const struct received_line *l, struct relay *r)
{
	if (l->from_ip.len == 0)
		return false;
	const struct received_group *helo = find_group(l, GROUP_HELO), *address = address_group(l);
	bool plain = l->group_count == 0;
	if (address != NULL && !slice_starts(address->text, SLICE("account "))) {
		bool web = slice_find(l->tail, SLICE("with HTTP")) != SLICE_NPOS && address->kind == GROUP_BRACKET_IP;
		if (!web || l->from_bracketed)
			return false; /* a HELO name that is an address */
	}
	if (plain && l->tail.len == 0)
		return false;
	if (!l->from_bracketed && plain && !tail_starts(l, "with ") && !tail_starts(l, "(SMTPL") &&
	    !tail_starts(l, "(InterScan") && !(tail_starts(l, "(") && has(l, "(WebMailUI)")) &&
	    !slice_ends(l->by, SLICE(".hotmail.msn.com")))
		return false;
	r->ip_text = l->from_ip;
	r->helo = SLICE_EMPTY;
	if (helo != NULL)
		r->helo = helo->name;
	for (size_t i = 0; i < l->group_count; i++)
		read_pairs(l->groups[i].text, r);
	size_t account = slice_find(l->whole, SLICE(" HELO "));
	if (helo == NULL && account != SLICE_NPOS && group_with(l, "account "))
		r->helo = received_value_of(l->whole, " HELO ");
	return true;
}

/* "with SMTP", without "id" behind it: qmail's. */
static bool is_qmail(const struct received_line *l)
{
	static const char *const protocols[] = { "SMTP", "QMQP" };
	for (size_t i = 0; i < 2; i++) {
		struct slice s = l->tail;
		for (size_t at; (at = slice_find(s, slice_str(protocols[i]))) != SLICE_NPOS;) {
			bool word = (at == 0 && s.data != l->tail.data) || (s.data + at > l->tail.data &&
				s.data[(ptrdiff_t)at - 1] == ' ');
			s = slice_from(s, at + 4);
			if (word && !slice_starts(s, SLICE(" id ")) && slice_find(l->tail, SLICE("with ")) != SLICE_NPOS)
				return true;
		}
	}
	return false;
}

/* "from rdns (HELO helo) (ident@192.0.2.1) by" */
static bool read_helo_group(const struct received_line *l, struct relay *r)
{
	const struct received_group *helo = find_group(l, GROUP_HELO), *address = address_group(l);
	if (helo == NULL || address == NULL || address < helo)
		return false;
	r->rdns = l->from;
	r->helo = slice_chr(helo->name, ' ') == SLICE_NPOS ? helo->name : r->helo;
	r->ident = address->ident;
	r->ip_text = address->ip;
	return true;
}

/* "from helo (rdns [192.0.2.1]) by": Sendmail, Postfix and most others */
static bool read_name_group(const struct received_line *l, struct relay *r)
{
	const struct received_group *g = address_group(l);
	if (g == NULL || g->kind != GROUP_NAME_IP)
		return false;
	if (l->from.len == 0) { /* from (helo [ip]) */
		r->helo = g->name;
		r->ip_text = g->ip;
		return true;
	}
	struct slice name = g->name;
	size_t at = slice_chr(name, '@');
	if (at != SLICE_NPOS && !g->glued) {
		r->ident = slice_head(name, at);
		if (slice_starts(r->ident, SLICE("IDENT:")))
			r->ident = slice_from(r->ident, 6);
		name = slice_from(name, at + 1);
	}
	r->helo = l->from;
	r->ip_text = g->ip;
	r->rdns = name;
	if (slice_starts(name, SLICE("<unknown")) || slice_eq(name, SLICE("softdnserr")))
		r->rdns = SLICE_EMPTY;
	return true;
}

/* "from X ([192.0.2.1] …) by": X is the HELO name, or the host's */
static bool read_bracket_group(const struct received_line *l, struct relay *r)
{
	const struct received_group *g = address_group(l);
	if (g == NULL || g->kind != GROUP_BRACKET_IP)
		return false;
	struct slice pair = received_value_of(g->rest, "helo=");
	r->ip_text = g->ip;
	if (l->from.len == 0 || g->spaced) {
		r->helo = pair.len > 0 ? pair : SLICE_EMPTY;
		return true;
	}
	bool exim = has(l, "Exim") && !has(l, " SMTPSVC");
	bool names_host = exim || (pair.len > 0 && tail_starts(l, "with ") && !has(l, "(ecelerity"));
	if (g->has_ident) {
		bool sendmail = tail_starts(l, "(");
		r->helo = l->from;
		r->rdns = sendmail ? SLICE_EMPTY : l->from;
		r->ident = g->ident;
		return true;
	}
	if (has(l, "(ecelerity")) {
		r->helo = pair;
		return true;
	}
	bool qmail = g->rest.len == 0 && !g->port && is_qmail(l) && !has(l, "Lotus") && !has(l, " SMTPSVC") &&
		!has(l, " via smtpd ");
	bool verified = has(l, "(CommuniGate Pro") && slice_eq(slice_trim(g->rest), SLICE("verified"));
	bool other = g->rest.len > 0 && !exim && !has(l, " SMTPSVC") && pair.len == 0 && !verified &&
		!slice_starts(slice_trim(g->rest), SLICE("["));
	if (!other || r->helo.len == 0)
		r->helo = l->from;
	if (names_host || qmail || verified)
		r->rdns = l->from;
	read_pairs(g->rest, r);
	return true;
}

/* The name behind a further " by " in the rest: some hosts pass a mail on inside. */
static struct slice last_by(const struct received_line *l)
{
	struct slice s = l->tail, by = SLICE_EMPTY;
	for (size_t at; (at = slice_find(s, SLICE(" by "))) != SLICE_NPOS;) {
		s = slice_from(s, at + 4);
		size_t space = slice_chr(s, ' ');
		if (space != SLICE_NPOS)
			by = slice_head(s, space);
	}
	return by;
}

/* "from X (192.0.2.1) by" */
static bool read_bare_group(const struct received_line *l, struct relay *r)
{
	const struct received_group *g = address_group(l);
	if (g == NULL || g->kind != GROUP_BARE_IP)
		return false;
	r->ip_text = g->ip;
	r->ident = g->ident;
	if (l->from.len == 0)
		return true;
	if (l->from_glued) { /* name(192.0.2.1, HELO helo) via smap */
		if (slice_ends(r->by, SLICE(",")))
			r->by.len--;
		struct slice claim = received_value_of(l->whole, "claiming to be ");
		r->rdns = l->from;
		struct slice helo = received_value_of(g->text, "HELO ");
		if (claim.len > 2)
			helo = slice_sub(claim, 1, claim.len - 2);
		r->helo = helo;
		return true;
	}
	r->helo = l->from;
	struct slice by = last_by(l);
	if (by.len > 0)
		r->by = by;
	if (!has(l, "(Scalix SMTP Relay") && !has(l, "[XMail "))
		r->rdns = l->from;
	return true;
}

/* "from X [192.0.2.1] by" */
static bool read_square(const struct received_line *l, struct relay *r)
{
	const struct received_group *g = address_group(l);
	if (g == NULL || g->kind != GROUP_SQUARE)
		return false;
	const struct received_group *other = l->groups[0].kind == GROUP_OTHER ? &l->groups[0] : NULL;
	r->ip_text = g->ip;
	r->helo = l->from;
	if (l->from.len == 0 && other != NULL)
		r->helo = slice_make(other->text.data - 1, other->text.len + 2);
	if (has(l, "Exim")) {
		r->rdns = l->from;
		if (other != NULL && g > other)
			r->helo = other->text;
	}
	return true;
}

typedef bool (*shape)(const struct received_line *l, struct relay *r);
static const shape shapes[] = {
	read_webmail, read_address_first, read_helo_group, read_name_group, read_bracket_group, read_bare_group,
		read_square,
};

/* Fields that describe no hand-over between hosts, or one that names no address. */
static bool is_harmless(const struct received_line *l)
{
	if (l->parenthesised || slice_chr(l->from, '@') != SLICE_NPOS)
		return true;
	const struct received_group *g = l->group_count > 0 ? &l->groups[0] : NULL;
	if (has(l, "with POP3") || has(l, "with IMAP") || has(l, " with local") || has(l, "(LSMTP for"))
		return true;
	if (g == NULL) /* from X by Y with … */
		return tail_starts(l, "with ") || tail_starts(l, "via ") || tail_starts(l, "for ") || tail_starts(l, "(") ||
			(l->by.len == 0 && has(l, " id "));
	if (find_group(l, GROUP_HELO) != NULL)
		return false;
	static const char *const local[] = {
		"localhost", "@localhost", "unix socket", "UNIX: localhost", "[local]", "unknown", "unverified", "?.?.?.?",
		"AUTH: ", "Jetsend",
	};
	for (size_t i = 0; i < sizeof(local) / sizeof(*local); i++)
		if (group_with(l, local[i]) != NULL)
			return true;
	return has(l, "named ") || has(l, "qmail-scanner") || has(l, " with Thrift") || has(l,
		"(Content Technologies ") ||
		has(l, "BSMTP");
}

/* A hand-over inside one host, or by mail fetchers, although it names an address. */
static bool is_skipped(const struct received_line *l)
{
	const struct received_group *g = address_group(l);
	bool fetched = has(l, "with POP3") || has(l, "with IMAP");
	if (fetched && (g == NULL || g->kind == GROUP_SQUARE || g->kind == GROUP_BARE_IP))
		return true;
	if (has(l, "Exim") && has(l, " with local"))
		return true;
	return has(l, "with local for") || has(l, "with qmail-scanner");
}

/* "from X by Y; date": nothing to go by. */
static bool is_bare(const struct received_line *l)
{
	return l->group_count == 0 && l->by.len > 0 && !l->from_bracketed &&
		(l->tail.len == 0 || l->tail.data[0] == ';');
}

enum received_kind received_read(const struct received_line *l, struct relay *r)
{
	if (is_skipped(l) || is_bare(l))
		return RECEIVED_HARMLESS;
	r->id = find_id(l);
	r->helo = any_helo(l);
	r->by = l->by;
	r->auth = find_auth(l);
	r->tls = find_tls(l);
	r->with = find_with(l);
	r->envfrom = l->lower ? find_envfrom(l) : SLICE_EMPTY;
	bool matched = false;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes) && !matched; i++)
		matched = shapes[i](l, r);
	if (!matched && is_harmless(l))
		return RECEIVED_HARMLESS;
	if (!matched && l->from_bracketed)
		r->ip_text = l->from_ip;
	if (!matched && r->helo.len == 0)
		r->helo = l->from;
	if (has(l, " with mapi id "))
		r->id = SLICE_EMPTY;
	return r->ip_text.len > 0 && r->by.len > 0 ? RECEIVED_RELAY : RECEIVED_UNPARSEABLE;
}
