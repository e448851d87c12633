#include "message/authres.h"

#include "base/cidr.h"
#include "message/address.h"
#include "message/encoded_word.h"

struct lex {
	struct slice s;
	size_t at;
	bool bad; /* a comment or quoted string without end */
};

static bool more(const struct lex *lex)
{
	return lex->at < lex->s.len;
}

static char peek(const struct lex *lex)
{
	return more(lex) ? lex->s.data[lex->at] : '\0';
}

static bool is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_comment(struct lex *lex)
{
	size_t depth = 0;
	do {
		char c = lex->s.data[lex->at++];
		if (c == '\\' && more(lex))
			lex->at++;
		else if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
	} while (depth > 0 && more(lex));
	lex->bad |= depth > 0;
}

/* True if there was any. */
static bool skip_cfws(struct lex *lex)
{
	size_t from = lex->at;
	while (more(lex)) {
		if (is_white(peek(lex)))
			lex->at++;
		else if (peek(lex) == '(')
			skip_comment(lex);
		else
			break;
	}
	return lex->at > from;
}

static bool take(struct lex *lex, char c)
{
	skip_cfws(lex);
	if (!more(lex) || peek(lex) != c)
		return false;
	lex->at++;
	return true;
}

/* At a DQUOTE. Appends what it quotes; a missing end is bad. */
static void add_quoted(struct lex *lex, struct buf *out)
{
	lex->at++;
	while (more(lex) && peek(lex) != '"') {
		if (peek(lex) == '\\' && lex->at + 1 < lex->s.len)
			lex->at++;
		if (peek(lex) != '\r' && peek(lex) != '\n')
			buf_add_char(out, peek(lex));
		lex->at++;
	}
	if (more(lex))
		lex->at++;
	else
		lex->bad = true;
}

/* A word: quoted strings and other characters up to white space, a comment,
 * ";" or one of stop. */
static struct slice take_word(struct arena *arena, struct lex *lex, const char *stop)
{
	struct buf word = { 0 };
	skip_cfws(lex);
	while (more(lex)) {
		char c = peek(lex);
		if (c == '"') {
			add_quoted(lex, &word);
			continue;
		}
		if (is_white(c) || c == '(' || c == ';' || (c != '\0' && strchr(stop, c) != NULL))
			break;
		buf_add_char(&word, c);
		lex->at++;
	}
	struct slice s = arena_copy(arena, buf_slice(&word));
	buf_free(&word);
	return s;
}

static bool is_keyword(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.data[i]) && s.data[i] != '-' && s.data[i] != '_')
			return false;
	return s.len > 0;
}

static enum auth_result result_of(struct slice word)
{
	static const struct {
		const char *word;
		enum auth_result result;
	} others[] = { /* RFC 7208, DomainKeys' and Sender ID's old words */
		{ "hardfail", AUTH_FAIL }, { "error", AUTH_TEMPERROR }, { "unknown", AUTH_PERMERROR },
	};
	for (int r = AUTH_NONE; r <= AUTH_PERMERROR; r++)
		if (slice_eq_nocase(word, slice_str(auth_result_name((enum auth_result)r))))
			return (enum auth_result)r;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (slice_eq_nocase(word, slice_str(others[i].word)))
			return others[i].result;
	return AUTH_UNKNOWN;
}

static bool parse_property(struct arena *arena, struct lex *lex, struct slice name, struct authres_result *result)
{
	if (slice_eq_nocase(name, SLICE("reason"))) {
		result->reason = take_word(arena, lex, "");
		return true;
	}
	if (result->property_count == AUTHRES_PROPERTIES_MAX)
		return false;
	if (result->properties == NULL)
		result->properties = arena_array(arena, struct authres_property, AUTHRES_PROPERTIES_MAX);
	struct authres_property *p = &result->properties[result->property_count++];
	size_t dot = slice_chr(name, '.');
	p->ptype = dot == SLICE_NPOS ? SLICE_EMPTY : arena_lower(arena, slice_head(name, dot));
	p->name = arena_lower(arena, dot == SLICE_NPOS ? name : slice_from(name, dot + 1));
	p->value = take_word(arena, lex, "");
	return p->name.len > 0;
}

/* name "=" value, with CFWS around each. "." may have CFWS around it too. */
static bool take_name(struct arena *arena, struct lex *lex, struct slice *name_r)
{
	*name_r = take_word(arena, lex, "=./");
	while (take(lex, '.')) {
		struct slice rest = take_word(arena, lex, "=./");
		*name_r = arena_printf(arena, "%.*s.%.*s", SLICE_ARG(*name_r), SLICE_ARG(rest));
	}
	if (take(lex, '/')) /* method-version */
		take_word(arena, lex, "=");
	return name_r->len > 0 && take(lex, '=');
}

static bool at_end(struct lex *lex)
{
	skip_cfws(lex);
	return !more(lex) || peek(lex) == ';';
}

static bool parse_result(struct arena *arena, struct lex *lex, struct authres *authres)
{
	struct slice name;
	if (at_end(lex))
		return true; /* nothing between two ";" */
	size_t from = lex->at;
	if (slice_eq_nocase(take_word(arena, lex, "="), SLICE("none")) && at_end(lex))
		return true;
	lex->at = from;
	if (authres->count == AUTHRES_RESULTS_MAX || !take_name(arena, lex, &name) || !is_keyword(name))
		return false;
	struct authres_result *r = &authres->results[authres->count++];
	r->method = arena_lower(arena, name);
	r->word = arena_lower(arena, take_word(arena, lex, ""));
	r->result = result_of(r->word);
	if (r->word.len == 0)
		return false;
	while (!at_end(lex))
		if (!take_name(arena, lex, &name) || !parse_property(arena, lex, name, r))
			return false;
	return true;
}

static bool parse_head(struct arena *arena, struct lex *lex, struct authres *authres)
{
	uint64_t version = 1;
	authres->id = take_word(arena, lex, "");
	if (!at_end(lex) && !slice_u64(take_word(arena, lex, ""), 1000, &version))
		return false;
	authres->version = (unsigned)version;
	return authres->id.len > 0 && at_end(lex);
}

bool authres_parse(struct arena *arena, struct slice value, struct authres *authres_r)
{
	struct lex lex = { .s = value };
	*authres_r = (struct authres){ 0 };
	authres_r->results = arena_array(arena, struct authres_result, AUTHRES_RESULTS_MAX);
	bool ok = parse_head(arena, &lex, authres_r);
	while (ok && !lex.bad && take(&lex, ';'))
		ok = parse_result(arena, &lex, authres_r);
	ok = ok && !lex.bad && !more(&lex);
	if (!ok)
		*authres_r = (struct authres){ 0 };
	return ok;
}

struct slice authres_property(const struct authres_result *result, const char *ptype, const char *name)
{
	for (size_t i = 0; i < result->property_count; i++)
		if (slice_eq(result->properties[i].ptype, slice_str(ptype)) &&
		    slice_eq(result->properties[i].name, slice_str(name)))
			return result->properties[i].value;
	return SLICE_EMPTY;
}

/* A name as it is compared: A-labels, lower case, no final dot; what is no
 * name only in lower case. */
static struct slice normal_id(struct arena *arena, struct slice id)
{
	struct slice name;
	while (id.len > 0 && id.data[id.len - 1] == '.')
		id.len--;
	if (address_domain(arena, id, ADDRESS_UTF8 | ADDRESS_LAX, &name) == ADDRESS_OK)
		return name;
	return arena_lower(arena, id);
}

/* "id/1", as drafts wrote the version. */
static struct slice without_version(struct slice id)
{
	size_t slash = slice_rchr(id, '/');
	uint64_t version;
	if (slash != SLICE_NPOS && slice_u64(slice_from(id, slash + 1), 1000, &version))
		return slice_head(id, slash);
	return id;
}

#define ID_MAX 300 /* octets; names have at most 253 */

static bool same_id(struct arena *arena, struct slice id, struct slice ours)
{
	return id.len <= ID_MAX && slice_eq(normal_id(arena, without_version(id)), ours);
}

/* What a careless reader may leave of a word that is no name: its letters,
 * digits, dots and hyphens. */
static bool hides_id(struct arena *arena, struct slice word, struct slice ours)
{
	char *out = arena_alloc(arena, word.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < word.len; i++)
		if (ascii_is_alnum(word.data[i]) || slice_chr(SLICE(".-_"), word.data[i]) != SLICE_NPOS)
			out[len++] = word.data[i];
	return len < word.len && ours.len > 0 && slice_find_nocase(slice_make(out, len), ours) != SLICE_NPOS;
}

/* The words before the first ";" that has any before it: one of them, or all
 * of them put together, is our id, or holds it among what no name has. */
static bool head_is_ours(struct arena *arena, struct lex *lex, struct slice ours)
{
	struct buf joined = { 0 };
	bool found = false;
	while (take(lex, ';')) {
	}
	while (!found && !at_end(lex)) {
		struct slice word = take_word(arena, lex, "");
		if (joined.len <= ID_MAX)
			buf_add_slice(&joined, word);
		found = same_id(arena, word, ours) || hides_id(arena, word, ours) ||
			same_id(arena, buf_slice(&joined), ours);
	}
	found = found || hides_id(arena, buf_slice(&joined), ours);
	buf_free(&joined);
	return found;
}

static struct slice without_white(struct arena *arena, struct slice s)
{
	char *out = arena_alloc(arena, s.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < s.len; i++)
		if (!is_white(s.data[i]) && s.data[i] != '\0')
			out[len++] = s.data[i];
	return slice_make(out, len);
}

static bool text_is_ours(struct arena *arena, struct slice text, struct slice ours)
{
	struct lex lex = { .s = text };
	if (head_is_ours(arena, &lex, ours))
		return true;
	return lex.bad && ours.len > 0 && slice_find_nocase(without_white(arena, text), ours) != SLICE_NPOS;
}

bool authres_is_ours(struct slice value, struct slice authserv_id)
{
	struct arena *arena = arena_create();
	struct slice ours = normal_id(arena, authserv_id);
	bool found = text_is_ours(arena, value, ours);
	if (!found && slice_find(value, SLICE("=?")) != SLICE_NPOS) {
		/* on the text without quotes: an encoded word may stand within them */
		struct slice decoded = encoded_word_decode(arena, header_unfold(arena, value));
		found = text_is_ours(arena, decoded, ours);
	}
	arena_destroy(&arena);
	return found;
}

/* The name up to the colon without white space, control and 8-bit characters: what
 * is left when a reader drops them. */
static bool name_starts(const struct header *field, struct slice prefix, bool whole)
{
	size_t colon = slice_chr(field->field, ':'), at = 0;
	struct slice name = slice_head(field->field, colon == SLICE_NPOS ? 0 : colon);
	for (size_t i = 0; i < name.len && (whole || at < prefix.len); i++) {
		unsigned char c = (unsigned char)name.data[i];
		if (c <= ' ' || c >= 0x7f)
			continue;
		if (at == prefix.len || ascii_lower((char)c) != prefix.data[at])
			return false;
		at++;
	}
	return colon != SLICE_NPOS && at == prefix.len;
}

bool authres_must_remove(const struct header *field, struct slice authserv_id)
{
	if (name_starts(field, SLICE("x-spam-"), false) || name_starts(field, SLICE("x-gatehouse-"), false))
		return true;
	if (!name_starts(field, SLICE("authentication-results"), true))
		return false;
	size_t colon = slice_chr(field->field, ':');
	return authres_is_ours(slice_from(field->field, colon + 1), authserv_id);
}

struct removals authres_removals(struct arena *arena, const struct message *message, struct slice authserv_id)
{
	struct removals r = { arena_array(arena, size_t, message->header_count + 1), 0 };
	for (size_t i = 0; i < message->header_count; i++)
		if (authres_must_remove(&message->headers[i], authserv_id))
			r.fields[r.count++] = i;
	return r;
}
