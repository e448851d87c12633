#include "filters/sender_login.h"

#include <stddef.h>

#include "base/buf.h"
#include "filters/author.h"
#include "filters/scan.h"

#define ADDRESS_MAX 512
#define FIELDS_MAX 8 /* of one name, looked at: nobody means more than one */

static const struct setting_value whens[] = {
	{ "submission", LOGIN_ON_SUBMISSION }, { "always", LOGIN_ALWAYS }, { NULL, 0 },
};

#define AT(member) offsetof(struct sender_login_settings, member)
static const struct setting settings[] = {
	{ .name = "when", .type = SETTING_ENUM, .offset = AT(when), .fallback = "submission", .values = whens,
	  .help = "whose logins are checked: those on submission listeners, or always all" },
	{ .name = "enforce", .type = SETTING_BOOL, .offset = AT(enforce), .fallback = "yes",
	  .help = "refuse (553 5.7.1) what is not permitted; else only the score counts" },
	{ .name = "header", .type = SETTING_BOOL, .offset = AT(header), .fallback = "yes",
	  .help = "check From and Sender too, not only the reverse-path" },
	{ .name = "permit", .type = SETTING_STRINGS, .offset = AT(permit), .fallback = "*: {login}",
	  .help = "who may send as whom: \"alice: alice@example.org sales@example.org\", \"*: {login}\", "
		  "\"bob: @example.org\"" },
	{ .name = "delimiter", .type = SETTING_STRING, .offset = AT(delimiter), .fallback = "+",
	  .help = "who may send as user@domain may also send as user+anything@domain; empty: not" },
	{ .name = "text", .type = SETTING_STRING, .offset = AT(text),
	  .fallback = "<%{a}>: sender address not owned by user %{l}",
	  .help = "of a refusal; %{a} is the address, %{l} the login" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "LOGIN_SENDER", 5.0, "The reverse-path is not one that the login is permitted" },
	{ "LOGIN_FROM", 5.0, "From or Sender holds an address that the login is not permitted" },
	{ NULL, 0, NULL },
};

static bool is_own(const struct slice_list *own, struct slice domain)
{
	for (size_t i = 0; i < own->count; i++)
		if (slice_eq_nocase(own->items[i], domain))
			return true;
	return false;
}

struct asked {
	const struct slice_list *own;
	struct slice delimiter, login, local, domain;
};

/* The local part alone, or with an extension cut off. */
static bool local_matches(const struct asked *a, struct slice pattern)
{
	if (slice_glob(pattern, a->local))
		return true;
	size_t at = a->delimiter.len > 0 ? slice_find(a->local, a->delimiter) : SLICE_NPOS;
	return at != SLICE_NPOS && at > 0 && slice_glob(pattern, slice_head(a->local, at));
}

static bool address_matches(const struct asked *a, struct slice pattern)
{
	size_t at = slice_rchr(pattern, '@');
	if (at == SLICE_NPOS)
		return slice_eq(pattern, SLICE("*"));
	return slice_glob(slice_from(pattern, at + 1), a->domain) &&
	       (at == 0 || local_matches(a, slice_head(pattern, at)));
}

/* {login} in full: what is not a pattern in the login must not become one. */
static bool login_matches(const struct asked *a, struct slice before, struct slice behind)
{
	char text[ADDRESS_MAX];
	if (slice_chr(a->login, '*') != SLICE_NPOS || slice_chr(a->login, '?') != SLICE_NPOS ||
	    before.len + a->login.len + behind.len > sizeof(text))
		return false;
	if (before.len == 0 && behind.len == 0 && slice_chr(a->login, '@') == SLICE_NPOS)
		return a->login.len > 0 && local_matches(a, a->login) && is_own(a->own, a->domain);
	size_t len = 0;
	const struct slice parts[] = { before, a->login, behind };
	for (size_t i = 0; i < 3; i++) {
		if (parts[i].len > 0)
			memcpy(text + len, parts[i].data, parts[i].len);
		len += parts[i].len;
	}
	return address_matches(a, slice_make(text, len));
}

static bool pattern_matches(const struct asked *a, struct slice pattern)
{
	static const struct slice variable = SLICE("{login}");
	size_t at = slice_find(pattern, variable);
	if (at == SLICE_NPOS)
		return address_matches(a, pattern);
	return login_matches(a, slice_head(pattern, at), slice_from(pattern, at + variable.len));
}

static bool next_word(struct slice *rest, struct slice *word_r)
{
	*rest = slice_trim_left(*rest);
	size_t len = 0;
	while (len < rest->len && !ascii_is_space(rest->data[len]))
		len++;
	*word_r = slice_head(*rest, len);
	*rest = slice_from(*rest, len);
	return len > 0;
}

bool sender_login_permits(const struct slice_list *permit, const struct slice_list *own,
			  struct slice delimiter, struct slice login, struct slice local, struct slice domain)
{
	const struct asked asked = { own, delimiter, login, local, domain };
	for (size_t i = 0; i < permit->count; i++) {
		size_t colon = slice_chr(permit->items[i], ':');
		if (colon == SLICE_NPOS)
			continue;
		struct slice who = slice_trim(slice_head(permit->items[i], colon)), word;
		struct slice rest = slice_from(permit->items[i], colon + 1);
		if (!slice_eq(who, SLICE("*")) && !slice_eq_nocase(who, login))
			continue;
		while (next_word(&rest, &word))
			if (pattern_matches(&asked, word))
				return true;
	}
	return false;
}

static bool permitted(const struct scan *scan, const struct mailbox *m)
{
	const struct sender_login_settings *s = scan_settings(scan);
	return m->domain.len > 0 &&
	       sender_login_permits(&s->permit, &scan->snapshot->config->relay->domains, s->delimiter,
				    scan->client.login, m->local, m->domain);
}

static struct slice refusal_text(const struct scan *scan, struct slice template, struct slice address)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < template.len; i++) {
		struct slice rest = slice_from(template, i);
		bool is_address = slice_starts(rest, SLICE("%{a}")),
		     is_login = slice_starts(rest, SLICE("%{l}"));
		if (is_address || is_login) {
			buf_add_slice(&out, is_address ? address : scan->client.login);
			i += 3;
		} else {
			buf_add_char(&out, template.data[i]);
		}
	}
	struct slice text = arena_copy(scan->arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

static void not_permitted(struct scan *scan, const char *symbol, struct slice what, struct slice text)
{
	const struct sender_login_settings *s = scan_settings(scan);
	struct hit *hit = scan_hit(scan, symbol, "%.*s as %.*s", SLICE_ARG(scan->client.login), SLICE_ARG(what));
	if (!s->enforce)
		return;
	hit->action = ACTION_REJECT;
	hit->refusal = (struct refusal){ 553, "5.7.1", text };
}

static void foreign_address(struct scan *scan, const char *symbol, struct slice address)
{
	const struct sender_login_settings *s = scan_settings(scan);
	not_permitted(scan, symbol, address, refusal_text(scan, s->text, address));
}

/* Nobody, several, or one in doubt: not the login's, whoever it is. */
static void no_author(struct scan *scan, struct slice reason)
{
	not_permitted(scan, "LOGIN_FROM", reason,
		      arena_printf(scan->arena, "From must hold an address of user %.*s: %.*s",
				   SLICE_ARG(scan->client.login), SLICE_ARG(reason)));
}

struct search {
	const struct scan *scan;
	struct slice foreign;    /* an address that is not permitted */
};

static void careless(void *arg, struct slice local, struct slice domain)
{
	struct search *search = arg;
	const struct mailbox m = { .local = local, .domain = domain };
	if (local.len > 0 && search->foreign.len == 0 && !permitted(search->scan, &m))
		search->foreign =
		    arena_printf(search->scan->arena, "%.*s@%.*s", SLICE_ARG(local), SLICE_ARG(domain));
}

/* The first mailbox of the list that isn't permitted, or address that a
 * careless mail reader would find in the value. True: there is one. */
static bool find_in_value(struct scan *scan, struct slice value, struct slice *address_r)
{
	struct search search = { .scan = scan };
	struct mailbox_list list;
	mailbox_list_parse(scan->arena, value, &list);
	for (size_t i = 0; i < list.count; i++)
		if (!permitted(scan, &list.items[i].mailbox)) {
			const struct list_mailbox *m = &list.items[i];
			*address_r = m->mailbox.text.len > 0 ? m->mailbox.text : m->display;
			return true;
		}
	if (list.problems & MAILBOX_DOUBTFUL)
		mailbox_list_careless(scan->arena, value, careless, &search);
	*address_r = search.foreign;
	return search.foreign.len > 0;
}

static bool find_foreign(struct scan *scan, struct slice name, struct slice *address_r)
{
	const struct header *h;
	enum author_spelling spelling;
	for (size_t n = 0; (h = author_field(&scan->message, name, n, &spelling)) != NULL; n++)
		if (n == FIELDS_MAX) {
			*address_r = SLICE("of too many fields");
			return true;
		} else if (find_in_value(scan, author_field_value(h), address_r)) {
			return true;
		}
	return false;
}

static void check_header(struct scan *scan)
{
	const struct sender_login_settings *s = scan_settings(scan);
	struct slice address = SLICE_EMPTY;
	if (!s->header)
		return;
	if (find_foreign(scan, SLICE("From"), &address) || find_foreign(scan, SLICE("Sender"), &address))
		foreign_address(scan, "LOGIN_FROM", address);
	else if (scan->facts.author.domain.len == 0)
		no_author(scan, scan->facts.author.reason);
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	const struct sender_login_settings *s = scan_settings(scan);
	(void)state;
	if (scan->client.login.len == 0 || (s->when == LOGIN_ON_SUBMISSION && !scan->client.submission))
		return STEP_DONE;
	if (phase == PHASE_HEADERS)
		check_header(scan);
	else if (scan->envelope.sender.text.len > 0 && !permitted(scan, &scan->envelope.sender))
		foreign_address(scan, "LOGIN_SENDER", scan->envelope.sender.text);
	return STEP_DONE;
}

static const char *const after[] = { "author", NULL };

const struct filter sender_login_filter = {
	.name = "sender_login",
	.phases = PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_HEADERS),
	.step = step,
	.after = after,
	.settings = settings,
	.settings_size = sizeof(struct sender_login_settings),
	.symbols = symbols,
};
