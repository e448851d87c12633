/* The author's name: what it holds, what it is written with, whom it names. */
#include "base/buf.h"
#include "filters/forged.h"
#include "message/address.h"
#include "message/encoded_word.h"
#include "message/hit.h"
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

/* ---- an address or a domain of another's in the name ---- */

#define CLAIMS_MAX 32 /* names looked at in a From field */
#define LOOKS_MAX 4   /* of them, for look-alikes: that is work for each domain of the lists */

/* What a reader may take for the author, beside the author. */
struct claims {
	struct scan *scan;
	const struct forged_settings *settings;
	size_t seen;
	struct slice ours, listed, other; /* domains that it holds: the first of each */
};

static void keep_first(struct slice *first, struct slice domain)
{
	if (first->len == 0)
		*first = domain;
}

static void claim(struct claims *c, struct slice domain, bool is_address)
{
	struct slice author = c->scan->facts.author.domain;
	if (c->seen++ >= CLAIMS_MAX)
		return;
	bool ours = forged_is_own(c->scan, domain), listed = forged_is_protected(c->settings, domain);
	if (!ours && author.len > 0 && forged_same_organisation(domain, author))
		return;
	if (!ours && !listed && c->seen <= LOOKS_MAX)
		listed = forged_lookalike(c->scan, c->settings, domain, &ours).len > 0;
	if (ours)
		keep_first(&c->ours, domain);
	else if (listed)
		keep_first(&c->listed, domain);
	else if (is_address && author.len > 0)
		keep_first(&c->other, domain);
}

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

static void claims_in_words(struct claims *c, struct slice text, bool addresses)
{
	struct slice word, domain;
	bool is_address;
	for (size_t at = 0; c->seen < CLAIMS_MAX && next_word(text, &at, &word, &is_address);)
		if (slice_chr(word, '.') != SLICE_NPOS &&
		    address_domain(c->scan->arena, word, ADDRESS_UTF8 | ADDRESS_LAX, &domain) == ADDRESS_OK)
			claim(c, domain, is_address && addresses);
}

/* "boss @ example . org": without the blanks around "@" and ".". */
static struct slice tightened(struct arena *arena, struct slice text)
{
	char *out = arena_alloc(arena, text.len + 1);
	size_t len = 0;
	bool blank = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		bool joint = c == '.' || c == '@', after_joint = len > 0 && (out[len - 1] == '.' || out[len - 1] == '@');
		if (ascii_is_space(c)) {
			blank = true;
			continue;
		}
		if (blank && !joint && !after_joint)
			out[len++] = ' ';
		out[len++] = c;
		blank = false;
	}
	return slice_make(out, len);
}

/* The ideographic full stop is a dot to whom it may concern (UTS #46). */
static struct slice with_dots(struct arena *arena, struct slice text)
{
	static const struct slice stop = SLICE("\xe3\x80\x82");
	struct buf out = { 0 };
	size_t at;
	while ((at = slice_find(text, stop)) != SLICE_NPOS) {
		buf_add_slice(&out, slice_head(text, at));
		buf_add_char(&out, '.');
		text = slice_from(text, at + stop.len);
	}
	buf_add_slice(&out, text);
	struct slice s = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return s;
}

/* As it is written, and as it looks: with wide and borrowed letters. Text in
 * which a point ends a sentence is no address, but may name one of the lists. */
static void claims_in_text(struct claims *c, struct slice text)
{
	struct arena *arena = c->scan->arena;
	claims_in_words(c, text, true);
	struct slice look = skeleton_text(arena, with_dots(arena, text)), tight = tightened(arena, look);
	if (!slice_eq_nocase(look, text))
		claims_in_words(c, look, true);
	if (!slice_eq_nocase(tight, look))
		claims_in_words(c, tight, false);
}

/* An address anywhere in the field: in a comment, in a second entry's name. */
static void claim_found(void *arg, struct slice local, struct slice domain)
{
	if (local.len > 0 && slice_chr(domain, '.') != SLICE_NPOS)
		claim(arg, domain, true);
}

static void check_claims(struct scan *scan, const struct forged_settings *s, const struct list_mailbox *m,
			 struct slice value)
{
	struct claims c = { .scan = scan, .settings = s };
	struct slice author = scan->facts.author.domain, shown = m->display.len > 0 ? m->display : m->group;
	claims_in_text(&c, m->display);
	claims_in_text(&c, m->group);
	mailbox_list_careless(scan->arena, value, claim_found, &c);
	if (c.ours.len > 0 && !forged_is_own(scan, author))
		scan_hit(scan, "FROM_NAME_OURS", "\"%.*s\" from %.*s", SLICE_ARG(shown), SLICE_ARG(author));
	else if (c.listed.len > 0)
		scan_hit(scan, "FROM_NAME_PROTECTED", "\"%.*s\" from %.*s", SLICE_ARG(shown), SLICE_ARG(author));
	else if (c.other.len > 0)
		scan_hit(scan, "FROM_NAME_ADDRESS", "%.*s beside %.*s", SLICE_ARG(c.other), SLICE_ARG(author));
}

/* ---- listed names ---- */

#define LOOK_MAX 1000 /* octets of a name; nobody is shown more */

/* needle, its spaces left out, in hay from the begin of a word to the end of
 * one: "p a y pal" is PayPal, "paypalooza" is not. */
static bool has_words(struct slice hay, struct slice needle)
{
	for (size_t from = 0; from < hay.len; from++) {
		size_t h = from, n = 0;
		if (hay.data[from] == ' ' || (from > 0 && hay.data[from - 1] != ' '))
			continue;
		while (h < hay.len && n < needle.len) {
			if (needle.data[n] == ' ')
				n++;
			else if (hay.data[h] == ' ')
				h++;
			else if (hay.data[h++] != needle.data[n++])
				break;
			else if (n == needle.len && (h == hay.len || hay.data[h] == ' '))
				return true;
		}
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

static void check_listed_names(struct scan *scan, const struct forged_settings *s, struct slice shown)
{
	struct slice domain = scan->facts.author.domain;
	struct slice look = s->names.count > 0 ? skeleton_words(scan->arena, shown) : SLICE_EMPTY;
	look = slice_head(look, LOOK_MAX);
	for (size_t i = 0; look.len > 0 && i < s->names.count; i++) {
		struct slice entry = s->names.items[i];
		size_t colon = slice_rchr(entry, ':');
		struct slice name = colon == SLICE_NPOS ? entry : slice_head(entry, colon);
		struct slice domains = colon == SLICE_NPOS ? SLICE_EMPTY : slice_from(entry, colon + 1);
		if (!has_words(look, skeleton_words(scan->arena, name)) || may_use_name(domains, domain))
			continue;
		scan_hit(scan, "FROM_NAME_PROTECTED", "\"%.*s\" from %.*s", SLICE_ARG(shown), SLICE_ARG(domain));
		return;
	}
}

/* The first entry that has a name, or whose group has one, is what is shown. */
void forged_name_check(struct scan *scan, const struct forged_settings *s, const struct forged_from *from)
{
	check_signs(scan, from);
	for (size_t f = 0; f < from->count; f++)
		for (size_t i = 0; i < from->lists[f].count; i++) {
			const struct list_mailbox *m = &from->lists[f].items[i];
			if (m->display.len == 0 && m->group.len == 0)
				continue;
			check_claims(scan, s, m, from->values[f]);
			if (hits_find(&scan->hits, "FROM_NAME_PROTECTED") == NULL)
				check_listed_names(scan, s, m->display.len > 0 ? m->display : m->group);
			return;
		}
}
