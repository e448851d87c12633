/* Eval functions about header fields. */
#include <math.h>

#include "base/utf8.h"
#include "rules/eval_pattern.h"
#include "rules/header_address.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

static bool is_control(unsigned char c)
{
	return c < 0x09 || c == 0x0b || c == 0x0c || (c > 0x0d && c < 0x20);
}

/* Octets that a header must not hold; valid UTF-8 without controls may stand. */
static double check_illegal_chars(struct rule_scan *s, const struct rule *rule)
{
	struct slice name = eval_arg(rule, 0);
	if (slice_ends(name, SLICE(":raw")))
		name.len -= 4;
	const struct header_selector sel = { name, HEADER_RAW };
	struct slice text;
	size_t illegal = 0, controls = 0, high = 0, signs = 0;
	if (!rule_header_get(s, &sel, &text) || slice_trim(text).len == 0)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		controls += is_control(c);
		high += c >= 0x80;
		signs += c == 0xa2 || c == 0xa3 || c == 0xae;
		illegal += is_control(c) || c >= 0x7f;
	}
	if (high > 0 && controls == 0 && utf8_valid(text))
		return 0;
	/* One pound, cent or trade mark sign in a subject is forgiven. */
	if (illegal > 0 && signs == 1 && slice_eq_nocase(name, SLICE("Subject")))
		illegal--;
	return (double)illegal / (double)text.len >= eval_number(rule, 1, 0) &&
	       (double)illegal >= eval_number(rule, 2, 0);
}

static double check_for_missing_to_header(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return !rule_header_exists(s, "To") && !rule_header_exists(s, "Apparently-To");
}

static bool likely_caps_charset(struct rule_scan *s, struct slice raw)
{
	size_t at;
	while ((at = slice_find(raw, SLICE("=?"))) != SLICE_NPOS) {
		raw = slice_from(raw, at + 2);
		size_t end = slice_chr(raw, '?');
		if (end == SLICE_NPOS)
			return false;
		if (eval_is(s, IS_CAPS_CHARSET, slice_head(raw, end)))
			return true;
	}
	return false;
}

static double subject_is_all_caps(struct rule_scan *s, const struct rule *rule)
{
	struct slice subject = slice_trim(rule_header_text(s, "Subject"));
	struct regex_match m;
	size_t letters = 0;
	(void)rule;
	if (eval_search(s, REPLY_PREFIX, subject, 0, &m))
		subject = slice_from(subject, m.end);
	bool space = false;
	for (size_t i = 0; i < subject.len; i++) {
		space = space || ascii_is_space(subject.data[i]);
		letters += ascii_is_alpha(subject.data[i]);
		if (subject.data[i] >= 'a' && subject.data[i] <= 'z')
			return 0;
	}
	if (!space || subject.len < 10 || letters == 0)
		return 0;
	return !likely_caps_charset(s, rule_header_text(s, "Subject:raw"));
}

static bool is_word_char(char c)
{
	return ascii_is_alnum(c) || c == '_';
}

static bool word_boundary(struct slice text, size_t at)
{
	bool before = at > 0 && is_word_char(text.data[at - 1]);
	bool behind = at < text.len && is_word_char(text.data[at]);
	return before != behind;
}

static bool holds_word(struct slice text, struct slice word)
{
	for (size_t from = 0; from + word.len <= text.len;) {
		size_t at = slice_find_nocase(slice_from(text, from), word);
		if (at == SLICE_NPOS)
			return false;
		at += from;
		if (word_boundary(text, at) && word_boundary(text, at + word.len))
			return true;
		from = at + 1;
	}
	return false;
}

/* "user", "Re: user", "Re: word user", "user, …", "…, user!" */
static bool addresses_user(struct slice subject, struct slice user)
{
	struct slice rest = subject;
	if (slice_eq_nocase(subject, user))
		return true;
	if (slice_starts_nocase(rest, SLICE("re:")) || slice_starts_nocase(rest, SLICE("fw:"))) {
		rest = slice_trim_left(slice_from(rest, 3));
		if (slice_eq_nocase(rest, user))
			return true;
		size_t n = 0;
		while (n < rest.len && is_word_char(rest.data[n]))
			n++;
		if (n > 0 && n < rest.len && ascii_is_space(rest.data[n]) &&
		    slice_eq_nocase(slice_trim_left(slice_from(rest, n)), user))
			return true;
	}
	if (slice_starts(subject, user)) {
		rest = slice_trim_left(slice_from(subject, user.len));
		if (rest.len > 0 && strchr(",:;!?-", rest.data[0]) != NULL &&
		    (rest.len == 1 || ascii_is_space(rest.data[1])))
			return true;
	}
	if (subject.len > user.len + 2 && strchr(",:;!?-", subject.data[subject.len - 1]) != NULL) {
		rest = slice_head(subject, subject.len - 1);
		if (slice_ends_nocase(rest, user)) {
			rest = slice_trim_right(slice_head(rest, rest.len - user.len));
			return rest.len == 1 && rest.data[0] == ',';
		}
	}
	return false;
}

static double check_for_to_in_subject(struct rule_scan *s, const struct rule *rule)
{
	struct slice to = rule_header_text(s, "To:addr"), subject = slice_trim(rule_header_text(s, "Subject"));
	if (to.len == 0)
		return 0;
	if (slice_eq(eval_arg(rule, 0), SLICE("address")))
		return holds_word(subject, to);
	size_t at = slice_chr(to, '@');
	return addresses_user(subject, at == SLICE_NPOS ? to : slice_head(to, at));
}

/* Different values of a field of that name. */
static double check_header_count_range(struct rule_scan *s, const struct rule *rule)
{
	struct slice values[64];
	size_t n = 0;
	for (size_t i = 0; i < s->in.message->header_count && n < 64; i++) {
		const struct header *h = &s->in.message->headers[i];
		if (!slice_eq_nocase(h->name, eval_arg(rule, 0)))
			continue;
		struct slice value = message_header_text(s->in.message, h);
		bool known = false;
		for (size_t k = 0; k < n && !known; k++)
			known = slice_eq(values[k], value);
		if (!known)
			values[n++] = value;
	}
	return eval_in_range(rule, 1, (double)n);
}

static double check_unresolved_template(struct rule_scan *s, const struct rule *rule)
{
	const struct header_selector sel = { SLICE("ALL"), 0 };
	struct slice all, line;
	if (!rule_header_get(s, &sel, &all) || slice_chr(all, '%') == SLICE_NPOS)
		return 0;
	while (all.data != NULL && slice_split(&all, '\n', &line))
		if (eval_is(s, IS_TEMPLATE, line) && !eval_is(s, IS_TEMPLATE_EXEMPT, line)) {
			eval_evidence(s, rule, "%.*s", SLICE_ARG(slice_head(line, 200)));
			return 1;
		}
	return 0;
}

/* The Message-ID's host is the author's address. */
static double check_ratware_name_id(struct rule_scan *s, const struct rule *rule)
{
	struct slice id = rule_header_text(s, "MESSAGEID"), from = rule_header_text(s, "From");
	(void)rule;
	if (!eval_is(s, IS_RATWARE_ID, id))
		return 0;
	struct slice address = eval_group(s, id, 1);
	struct slice angle = arena_printf(s->arena, "<%.*s>", SLICE_ARG(address));
	size_t at = slice_find(from, angle);
	if (at == SLICE_NPOS)
		return 0;
	struct slice before = slice_trim_right(slice_head(from, at));
	return before.len > 2 && before.data[before.len - 1] == '"' &&
	       slice_chr(slice_head(before, before.len - 1), '"') != SLICE_NPOS;
}

/* "recipientdomain.recipient@" as the envelope's sender. */
static double check_ratware_envelope_from(struct rule_scan *s, const struct rule *rule)
{
	struct slice to = rule_header_text(s, "To:addr"), from = rule_header_text(s, "EnvelopeFrom:addr");
	(void)rule;
	size_t at = slice_chr(to, '@');
	if (from.len == 0 || at == SLICE_NPOS || at == 0 || eval_is(s, IS_SRS, from))
		return 0;
	struct slice domain = eval_domain(s, slice_from(to, at + 1)), user = slice_head(to, at);
	struct slice needle = arena_printf(s->arena, "%.*s.%.*s@", SLICE_ARG(domain), SLICE_ARG(user));
	for (size_t i = 0; i + needle.len <= from.len; i++) {
		struct slice here = slice_sub(from, i, needle.len);
		/* Whatever stands between domain and user. */
		if (word_boundary(from, i) && slice_eq_nocase(slice_head(here, domain.len), domain) &&
		    slice_eq_nocase(slice_from(here, domain.len + 1), slice_from(needle, domain.len + 1)))
			return 1;
	}
	return 0;
}

/* The last two labels. */
static struct slice last_labels(struct slice domain)
{
	size_t last = slice_rchr(domain, '.');
	if (last == SLICE_NPOS)
		return domain;
	size_t before = slice_rchr(slice_head(domain, last), '.');
	return before == SLICE_NPOS || before == 0 ? domain : slice_from(domain, before + 1);
}

/* Hits where they differ, whatever its name says. */
static double check_equal_from_domains(struct rule_scan *s, const struct rule *rule)
{
	struct slice from = last_labels(address_domain_part(rule_header_text(s, "From:addr")));
	struct slice envelope = last_labels(address_domain_part(rule_header_text(s, "EnvelopeFrom:addr")));
	if (from.len == 0 || envelope.len == 0 || slice_eq_nocase(from, envelope))
		return 0;
	eval_evidence(s, rule, "From %.*s, envelope %.*s", SLICE_ARG(from), SLICE_ARG(envelope));
	return 1;
}

static double check_for_matching_env_and_hdr_from(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return slice_eq_nocase(rule_header_text(s, "EnvelopeFrom:addr"), rule_header_text(s, "From:addr"));
}

/* ---- recipients ---- */

#define RECIPIENTS_MAX 256u
#define SORTED_LEAST 7u
#define SIMILAR_LEAST 5u
#define SIMILAR_PREFIX 2u

static size_t recipients(struct rule_scan *s, struct slice *list)
{
	struct slice found[RECIPIENTS_MAX];
	size_t n = rule_header_list(s, "ToCc:addr", found, RECIPIENTS_MAX), count = 0;
	if (n < SIMILAR_LEAST)
		n += rule_header_list(s, "Bcc:addr", found + n, RECIPIENTS_MAX - n);
	for (size_t i = 0; i < n; i++)
		if (count == 0 || !slice_eq_nocase(found[i], list[count - 1]))
			list[count++] = found[i];
	return count;
}

static double sorted_recipients(struct rule_scan *s, const struct rule *rule)
{
	struct slice list[RECIPIENTS_MAX];
	size_t n = recipients(s, list);
	(void)rule;
	for (size_t i = 1; i < n; i++)
		if (slice_cmp(list[i - 1], list[i]) > 0)
			return 0;
	return n >= SORTED_LEAST;
}

static double similar_recipients(struct rule_scan *s, const struct rule *rule)
{
	struct slice list[RECIPIENTS_MAX];
	size_t n = recipients(s, list), hits = 0, pairs = 0;
	for (size_t i = 0; n >= SIMILAR_LEAST && i < n; i++)
		for (size_t k = i + 1; k < n; k++) {
			struct slice a = address_domain_part(list[i]), b = address_domain_part(list[k]);
			hits += slice_eq(slice_head(list[i], SIMILAR_PREFIX), slice_head(list[k], SIMILAR_PREFIX));
			hits += slice_eq(slice_head(a, SIMILAR_PREFIX), slice_head(b, SIMILAR_PREFIX)) && !slice_eq(a, b);
			pairs++;
		}
	double ratio = pairs > 0 ? (double)hits / (double)pairs : 0;
	return ratio >= eval_number(rule, 0, -1) && ratio < eval_number(rule, 1, 1e300);
}

/* ---- charsets that the reader can't read: only if ok_locales names some ---- */

static double check_for_faraway_charset_in_headers(struct rule_scan *s, const struct rule *rule)
{
	static const char *const names[] = { "From:raw", "Subject:raw" };
	(void)rule;
	for (size_t i = 0; i < 2; i++) {
		struct slice raw = rule_header_text(s, names[i]);
		size_t at;
		while ((at = slice_find(raw, SLICE("=?"))) != SLICE_NPOS) {
			raw = slice_from(raw, at + 2);
			size_t end = slice_chr(raw, '?');
			if (end != SLICE_NPOS && !eval_charset_ok(s, slice_head(raw, end)))
				return 1;
		}
	}
	return 0;
}

static double check_for_faraway_charset(struct rule_scan *s, const struct rule *rule)
{
	const struct part *root = &s->decoded->mime->parts[0];
	size_t high = 0;
	(void)rule;
	if (root->charset.len == 0 || eval_charset_ok(s, root->charset))
		return 0;
	for (size_t i = 0; i < s->decoded->body.all.len; i++)
		high += (unsigned char)s->decoded->body.all.data[i] >= 0x80;
	return high * 4 > s->decoded->body.all.len;
}

static double never(struct rule_scan *s, const struct rule *rule)
{
	(void)s;
	(void)rule;
	return 0;
}

static double check_messageid_not_usable(struct rule_scan *s, const struct rule *rule)
{
	struct slice received = rule_header_text(s, "Received");
	(void)rule;
	return eval_is(s, IS_LIST_UNSUBSCRIBE, rule_header_text(s, "List-Unsubscribe")) || received.len == 0 ||
	       eval_is(s, IS_UNUSABLE_RELAY, received);
}

const struct eval_function eval_headers[] = {
	{ .name = "check_illegal_chars", .fn = check_illegal_chars, .min_args = 3, .max_args = 3 },
	{ .name = "check_for_missing_to_header", .fn = check_for_missing_to_header },
	{ .name = "subject_is_all_caps", .fn = subject_is_all_caps },
	{ .name = "check_for_to_in_subject", .fn = check_for_to_in_subject, .min_args = 1, .max_args = 1 },
	{ .name = "check_header_count_range", .fn = check_header_count_range, .min_args = 3, .max_args = 3 },
	{ .name = "check_unresolved_template", .fn = check_unresolved_template },
	{ .name = "check_ratware_name_id", .fn = check_ratware_name_id },
	{ .name = "check_ratware_envelope_from", .fn = check_ratware_envelope_from },
	{ .name = "check_equal_from_domains", .fn = check_equal_from_domains },
	{ .name = "check_for_matching_env_and_hdr_from", .fn = check_for_matching_env_and_hdr_from },
	{ .name = "sorted_recipients", .fn = sorted_recipients },
	{ .name = "similar_recipients", .fn = similar_recipients, .min_args = 2, .max_args = 2 },
	{ .name = "check_for_faraway_charset_in_headers", .fn = check_for_faraway_charset_in_headers },
	{ .name = "check_for_faraway_charset", .fn = check_for_faraway_charset },
	{ .name = "check_for_unique_subject_id", .fn = never },
	{ .name = "check_messageid_not_usable", .fn = check_messageid_not_usable },
	{ .name = NULL },
};
