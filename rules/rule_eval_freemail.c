/* Eval functions about addresses at providers where anybody gets one. */
#include "base/buf.h"
#include "rules/eval_pattern.h"
#include "rules/header_address.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

#define BODY_EMAILS_MAX 40u
#define LINK_EMAILS_MAX 20u

struct eval_freemail_state {
	struct slice emails[BODY_EMAILS_MAX]; /* freemail addresses in the text */
	size_t count;
	bool over;                            /* too many for it to mean something */
};

static bool in_globs(const struct glob_list *list, struct slice text)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_glob(list->list[i].text, text))
			return true;
	return false;
}

/* address is lower case. */
static bool is_freemail(struct rule_scan *s, struct slice address)
{
	const struct rule_lists *l = s->rules->lists;
	struct slice domain = address_domain_part(address);
	if (domain.len == 0 || in_globs(&l->freemail_welcome, address) || in_globs(&l->freemail_welcome, domain) ||
	    eval_is(s, IS_ROLE_ADDRESS, address))
		return false;
	return name_map_has(&l->freemail_domains, domain) || in_globs(&l->freemail_wild, domain);
}

static bool pattern_ok(struct rule_scan *s, const struct rule *rule, struct slice address)
{
	return rule->regex == NULL || eval_regex(s, rule->regex, address);
}

static double any_freemail(struct rule_scan *s, const struct rule *rule, const struct slice *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_freemail(s, list[i]) && pattern_ok(s, rule, list[i])) {
			eval_evidence(s, rule, "%.*s", SLICE_ARG(list[i]));
			return 1;
		}
	return 0;
}

static size_t lower_addresses(struct rule_scan *s, const char *selector, struct slice *list)
{
	size_t n = rule_header_list(s, selector, list, EVAL_ADDRESSES_MAX);
	for (size_t i = 0; i < n; i++)
		list[i] = arena_lower(s->arena, list[i]);
	return n;
}

static double check_freemail_from(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_addresses *from = eval_from_addresses(s);
	return any_freemail(s, rule, from->list, from->count);
}

static double check_freemail_header(struct rule_scan *s, const struct rule *rule)
{
	struct slice list[EVAL_ADDRESSES_MAX], name = eval_arg(rule, 0);
	if (slice_ends(name, SLICE(":addr")))
		name.len -= 5;
	struct slice selector = arena_printf(s->arena, "%.*s:addr", SLICE_ARG(name));
	return any_freemail(s, rule, list, lower_addresses(s, selector.data, list));
}

/* ---- addresses in the text ---- */

struct found {
	struct slice list[BODY_EMAILS_MAX];
	size_t count;
};

static void add_email(struct found *f, struct slice email)
{
	for (size_t i = 0; i < f->count; i++)
		if (slice_eq(f->list[i], email))
			return;
	if (f->count < BODY_EMAILS_MAX)
		f->list[f->count++] = email;
}

static bool valid_email(struct rule_scan *s, struct slice email)
{
	struct uri_host host;
	return uri_host(s->arena, arena_printf(s->arena, "http://%.*s/", SLICE_ARG(address_domain_part(email))), &host);
}

/* Links that are no text themselves: mailto: of <a>. */
static void from_links(struct rule_scan *s, struct found *f)
{
	const struct uris *uris = &s->decoded->uris;
	for (size_t i = 0; i < uris->count && f->count < LINK_EMAILS_MAX; i++) {
		const struct uri *uri = &uris->list[i];
		if (!(uri->types & URI_A) || (uri->types & URI_PARSED) ||
		    !slice_starts_nocase(uri->raw, SLICE("mailto:")))
			continue;
		struct slice rest = slice_from(uri->raw, 7);
		struct regex_match m;
		if (eval_search(s, EMAIL, rest, 0, &m) && m.start == 0)
			add_email(f, arena_lower(s->arena, eval_group(s, rest, 1)));
	}
}

/* An address in <> or before a "Name:" line is quoted from another mail. */
static void from_line(struct rule_scan *s, struct found *f, struct slice line)
{
	struct regex_match m;
	size_t from = 0;
	if (slice_chr(line, '@') == SLICE_NPOS)
		return;
	while (f->count < BODY_EMAILS_MAX && eval_search(s, EMAIL, line, from, &m)) {
		struct slice email = eval_group(s, line, 1), behind = slice_from(line, m.end);
		bool mailto = slice_ends_nocase(slice_head(line, m.start), SLICE("mailto:"));
		from = m.end;
		if (!mailto && eval_is(s, EMAIL_QUOTED, behind))
			continue;
		if (valid_email(s, email))
			add_email(f, arena_lower(s->arena, email));
	}
}

/* Without the addresses that stand in links. */
static struct slice without_links(struct rule_scan *s, struct slice line)
{
	struct buf out = { 0 };
	struct regex_match m;
	size_t from = 0;
	if (slice_find_nocase(line, SLICE("http")) == SLICE_NPOS)
		return line;
	while (eval_search(s, EMAIL_NOISE_URI, line, from, &m) && m.end > from) {
		buf_add_slice(&out, slice_sub(line, from, m.start - from));
		buf_add_char(&out, ' ');
		from = m.end;
	}
	buf_add_slice(&out, slice_from(line, from));
	struct slice result = arena_copy(s->arena, buf_slice(&out));
	buf_free(&out);
	return result;
}

static const struct eval_freemail_state *body_of(struct rule_scan *s)
{
	if (s->evals->freemail != NULL)
		return s->evals->freemail;
	struct eval_freemail_state *b = s->evals->freemail = arena_new(s->arena, struct eval_freemail_state);
	const struct rule_table *t = s->rules->table;
	struct found found = { .count = 0 };
	size_t max_all = (size_t)rule_table_number(t, "freemail_max_body_emails", 5);
	size_t max_free = (size_t)rule_table_number(t, "freemail_max_body_freemails", 3);
	bool skip = rule_table_number(t, "freemail_skip_when_over_max", 1) != 0;
	from_links(s, &found);
	for (size_t i = 0; i < s->decoded->body.count && found.count < BODY_EMAILS_MAX; i++)
		from_line(s, &found, without_links(s, s->decoded->body.pieces[i]));
	b->over = skip && found.count >= max_all;
	for (size_t i = 0; i < found.count && !b->over; i++)
		if (is_freemail(s, found.list[i]))
			b->emails[b->count++] = found.list[i];
	b->over = b->over || (skip && b->count >= max_free);
	return b;
}

static double check_freemail_body(struct rule_scan *s, const struct rule *rule)
{
	const struct eval_freemail_state *b = body_of(s);
	return b->over ? 0 : any_freemail(s, rule, b->emails, b->count);
}

static size_t count_freemail(struct rule_scan *s, const struct slice *list, size_t n)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += is_freemail(s, list[i]);
	return count;
}

static bool lists_meet(const struct slice *a, size_t n, const struct slice *b, size_t m)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < m; k++)
			if (slice_eq(a[i], b[k]))
				return true;
	return false;
}

/* Answers would go to another freemail address than the one that is shown. */
static double check_freemail_replyto(struct rule_scan *s, const struct rule *rule)
{
	struct slice from[EVAL_ADDRESSES_MAX], reply[EVAL_ADDRESSES_MAX];
	bool bulk = rule_table_number(s->rules->table, "freemail_skip_bulk_envfrom", 1) != 0;
	if (bulk && s->has_envelope_from && eval_is(s, IS_BULK_SENDER, s->envelope_from))
		return 0;
	size_t from_count = lower_addresses(s, "From:addr", from), reply_count = lower_addresses(s, "Reply-To:addr", reply);
	bool from_free = count_freemail(s, from, from_count) > 0, reply_free = count_freemail(s, reply, reply_count) > 0;
	if (from_free && reply_free && !lists_meet(from, from_count, reply, reply_count)) {
		eval_evidence(s, rule, "%.*s -> %.*s", SLICE_ARG(from[0]), SLICE_ARG(reply[0]));
		return 1;
	}
	bool reply_only = !slice_eq(eval_arg(rule, 0), SLICE("reply"));
	if (reply_only ? !reply_free : (reply_count > 0 && !reply_free) || !from_free)
		return 0;
	const struct eval_freemail_state *b = body_of(s);
	const struct slice *list = reply_only || reply_free ? reply : from;
	size_t n = reply_only || reply_free ? reply_count : from_count;
	for (size_t i = 0; i < b->count && !b->over; i++)
		for (size_t k = 0; k < n; k++)
			if (!slice_eq(b->emails[i], list[k])) {
				eval_evidence(s, rule, "%.*s, in the text %.*s", SLICE_ARG(list[k]),
					      SLICE_ARG(b->emails[i]));
				return 1;
			}
	return 0;
}

const struct eval_function eval_freemail[] = {
	{ .name = "check_freemail_from", .fn = check_freemail_from, .max_args = 1, .pattern = 1 },
	{ .name = "check_freemail_header", .fn = check_freemail_header, .min_args = 1, .max_args = 2, .pattern = 2 },
	{ .name = "check_freemail_body", .fn = check_freemail_body, .max_args = 1, .pattern = 1 },
	{ .name = "check_freemail_replyto", .fn = check_freemail_replyto, .max_args = 1 },
	{ .name = NULL },
};
