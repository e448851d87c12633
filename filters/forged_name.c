/* The author's name: what it holds, what it is written with, whom it names. */
#include "base/buf.h"
#include "filters/forged.h"
#include "message/address.h"
#include "message/encoded_word.h"
#include "message/skeleton.h"

static const struct {
	unsigned sign;
	const char *symbol;
} sign_symbols[] = {
	{ SKELETON_CONTROL | SKELETON_NEWLINE, "FROM_CONTROL" },
	{ SKELETON_BIDI, "FROM_BIDI" },
	{ SKELETON_INVISIBLE, "FROM_INVISIBLE" },
	{ SKELETON_MIXED, "FROM_MIXED_SCRIPTS" },
};

/* The text of a mailbox as a reader may show it, address and all. */
static struct slice shown_address(struct arena *arena, const struct list_mailbox *m)
{
	if (!(m->problems & MAILBOX_ENCODED_ADDRESS))
		return m->mailbox.text;
	return encoded_word_decode(arena, m->mailbox.text);
}

static void check_signs(struct scan *scan, const struct forged_from *from)
{
	unsigned signs = 0;
	struct slice where = SLICE_EMPTY;
	for (size_t f = 0; f < from->count; f++)
		for (size_t i = 0; i < from->lists[f].count; i++) {
			const struct list_mailbox *m = &from->lists[f].items[i];
			unsigned of_name = skeleton_signs(m->display) | skeleton_signs(m->group);
			/* Scripts are a matter of the name and, elsewhere, of the domain. */
			of_name |= skeleton_signs(shown_address(scan->arena, m)) & ~(unsigned)SKELETON_MIXED;
			if (of_name != 0 && where.len == 0)
				where = m->display.len > 0 ? m->display : m->mailbox.text;
			signs |= of_name;
		}
	if (from->problems & MAILBOX_CONTROL)
		signs |= SKELETON_CONTROL;
	for (size_t i = 0; i < sizeof(sign_symbols) / sizeof(sign_symbols[0]); i++)
		if (signs & sign_symbols[i].sign)
			scan_hit(scan, sign_symbols[i].symbol, "%.*s", SLICE_ARG(where));
}

/* ---- an address or a domain of ours in the name ---- */

static bool is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '.' || c == '-' || c == '_' || (unsigned char)c >= 0x80;
}

/* The next run of characters that a domain could be made of, behind *at. */
static bool next_word(struct slice text, size_t *at, struct slice *word_r, bool *address_r)
{
	size_t from = *at;
	while (from < text.len && !is_name_char(text.data[from]))
		from++;
	size_t to = from;
	while (to < text.len && is_name_char(text.data[to]))
		to++;
	*at = to;
	*word_r = slice_sub(text, from, to - from);
	while (word_r->len > 0 && word_r->data[word_r->len - 1] == '.')
		word_r->len--;
	*address_r = from > 1 && text.data[from - 1] == '@';
	return to > from;
}

struct claims {
	struct slice ours, other; /* domains that the name holds */
};

static void find_claims(struct scan *scan, struct slice display, struct claims *claims)
{
	struct slice word, domain;
	bool is_address;
	for (size_t at = 0; next_word(display, &at, &word, &is_address);) {
		if (slice_chr(word, '.') == SLICE_NPOS ||
		    address_domain(scan->arena, word, ADDRESS_UTF8 | ADDRESS_LAX, &domain) != ADDRESS_OK)
			continue;
		if (forged_is_own(scan, domain)) {
			claims->ours = domain;
		} else if (is_address && scan->facts.author.domain.len > 0 &&
			   !forged_same_organisation(domain, scan->facts.author.domain)) {
			claims->other = domain;
		}
	}
}

static void check_claims(struct scan *scan, struct slice display)
{
	struct claims claims = { 0 };
	find_claims(scan, display, &claims);
	if (claims.ours.len > 0 && !forged_is_own(scan, scan->facts.author.domain))
		scan_hit(scan, "FROM_NAME_OURS", "\"%.*s\" from %.*s", SLICE_ARG(display),
			 SLICE_ARG(scan->facts.author.domain));
	else if (claims.other.len > 0)
		scan_hit(scan, "FROM_NAME_ADDRESS", "\"%.*s\" from %.*s", SLICE_ARG(display),
			 SLICE_ARG(scan->facts.author.domain));
}

/* ---- listed names ---- */

/* The look of a name: words in order with one space between them. */
static struct slice look_of_name(struct arena *arena, struct slice name)
{
	struct slice look = skeleton_confusable(arena, name);
	struct buf out = { 0 };
	for (size_t i = 0; i < look.len; i++) {
		char c = look.data[i];
		bool word = ascii_is_alnum(c) || (unsigned char)c >= 0x80;
		if (word)
			buf_add_char(&out, c);
		else if (out.len > 0 && out.data[out.len - 1] != ' ')
			buf_add_char(&out, ' ');
	}
	struct slice s = arena_copy(arena, slice_trim(buf_slice(&out)));
	buf_free(&out);
	return s;
}

/* needle in hay as whole words. */
static bool has_words(struct slice hay, struct slice needle)
{
	size_t at = 0;
	while (needle.len > 0) {
		size_t found = slice_find(slice_from(hay, at), needle);
		if (found == SLICE_NPOS)
			return false;
		at += found;
		size_t end = at + needle.len;
		if ((at == 0 || hay.data[at - 1] == ' ') && (end == hay.len || hay.data[end] == ' '))
			return true;
		at++;
	}
	return false;
}

static bool may_use_name(struct slice domains, struct slice domain)
{
	struct slice word;
	while (slice_split(&domains, ' ', &word)) {
		word = slice_trim(word);
		if (word.len > 0 && domain.len >= word.len && slice_ends_nocase(domain, word) &&
		    (domain.len == word.len || domain.data[domain.len - word.len - 1] == '.'))
			return true;
	}
	return false;
}

static void check_listed_names(struct scan *scan, const struct forged_settings *s, struct slice display)
{
	struct slice domain = scan->facts.author.domain;
	struct slice look = s->names.count > 0 ? look_of_name(scan->arena, display) : SLICE_EMPTY;
	for (size_t i = 0; i < s->names.count; i++) {
		struct slice entry = s->names.items[i];
		size_t colon = slice_rchr(entry, ':');
		struct slice name = colon == SLICE_NPOS ? entry : slice_head(entry, colon);
		struct slice domains = colon == SLICE_NPOS ? SLICE_EMPTY : slice_from(entry, colon + 1);
		if (!has_words(look, look_of_name(scan->arena, name)) || may_use_name(domains, domain))
			continue;
		scan_hit(scan, "FROM_NAME_PROTECTED", "\"%.*s\" from %.*s", SLICE_ARG(display),
			 SLICE_ARG(domain));
		return;
	}
}

void forged_name_check(struct scan *scan, const struct forged_settings *s, const struct forged_from *from)
{
	check_signs(scan, from);
	for (size_t f = 0; f < from->count; f++)
		for (size_t i = 0; i < from->lists[f].count; i++) {
			struct slice display = from->lists[f].items[i].display;
			if (display.len == 0)
				continue;
			check_claims(scan, display);
			check_listed_names(scan, s, display);
			return; /* the first name is what is shown */
		}
}
