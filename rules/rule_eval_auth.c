/* Eval functions on what the filters for SPF, DKIM, ARC and DMARC found. */
#include "rules/header_address.h"
#include "rules/rule_eval.h"
#include "rules/rule_header.h"

#define KEY_BITS_LEAST 1024u

static enum auth_result spf_of(const struct rule_scan *s, bool helo)
{
	const struct spf_fact *of_helo = &s->in.facts->spf_helo;
	if (!helo)
		return s->in.facts->spf.helo ? AUTH_UNKNOWN : s->in.facts->spf.result;
	return of_helo->result == AUTH_UNKNOWN && s->in.facts->spf.helo ? s->in.facts->spf.result : of_helo->result;
}

#define SPF_CHECK(word, value) \
	static double check_for_spf_##word(struct rule_scan *s, const struct rule *rule) \
	{ \
		(void)rule; \
		return spf_of(s, false) == (value); \
	} \
	static double check_for_spf_helo_##word(struct rule_scan *s, const struct rule *rule) \
	{ \
		(void)rule; \
		return spf_of(s, true) == (value); \
	}
SPF_CHECK(pass, AUTH_PASS)
SPF_CHECK(neutral, AUTH_NEUTRAL)
SPF_CHECK(none, AUTH_NONE)
SPF_CHECK(fail, AUTH_FAIL)
SPF_CHECK(softfail, AUTH_SOFTFAIL)
SPF_CHECK(permerror, AUTH_PERMERROR)
SPF_CHECK(temperror, AUTH_TEMPERROR)

static double check_spf_skipped_noenvfrom(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return !s->has_envelope_from || s->envelope_from.len == 0;
}

static double spf_listed(struct rule_scan *s, const char *a, const char *b)
{
	const struct rule_lists *l = s->rules->lists;
	return spf_of(s, false) == AUTH_PASS && s->envelope_from.len > 0 &&
	       (rule_lists_address(l, a, s->envelope_from) || rule_lists_address(l, b, s->envelope_from));
}

static double check_for_spf_welcomelist_from(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return spf_listed(s, "welcomelist_from_spf", "welcomelist_auth");
}

static double check_for_def_spf_welcomelist_from(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return spf_listed(s, "def_welcomelist_from_spf", "def_welcomelist_auth");
}

/* ---- DKIM ---- */

static bool dkim_valid(const struct dkim_fact *f)
{
	return f->result == AUTH_PASS && (f->key_bits == 0 || f->key_bits >= KEY_BITS_LEAST);
}

/* "example.com", or ".example.com" and "*.example.com" for subdomains too. */
static bool domain_fits(struct slice wanted, struct slice domain)
{
	if (slice_starts(wanted, SLICE("*.")))
		wanted = slice_from(wanted, 1);
	if (wanted.len == 0 || wanted.data[0] != '.')
		return slice_eq_nocase(wanted, domain);
	return slice_ends_nocase(domain, wanted) || slice_eq_nocase(slice_from(wanted, 1), domain);
}

static bool any_wanted(const struct rule *rule, unsigned first, struct slice domain)
{
	for (unsigned i = first; i < rule->arg_count; i++)
		if (domain_fits(rule->args[i], domain))
			return true;
	return rule->arg_count <= first;
}

static double signed_by(struct rule_scan *s, const struct rule *rule, bool valid)
{
	const struct facts *f = s->in.facts;
	for (size_t i = 0; i < f->dkim_count; i++)
		if ((!valid || dkim_valid(&f->dkim[i])) && any_wanted(rule, 0, f->dkim[i].domain)) {
			eval_evidence(s, rule, "d=%.*s", SLICE_ARG(f->dkim[i].domain));
			return 1;
		}
	return 0;
}

static double check_dkim_signed(struct rule_scan *s, const struct rule *rule)
{
	return signed_by(s, rule, false);
}

static double check_dkim_valid(struct rule_scan *s, const struct rule *rule)
{
	return signed_by(s, rule, true);
}

static bool valid_from_domain(const struct rule_scan *s, struct slice domain)
{
	const struct facts *f = s->in.facts;
	for (size_t i = 0; i < f->dkim_count; i++)
		if (dkim_valid(&f->dkim[i]) && slice_eq_nocase(f->dkim[i].domain, domain))
			return true;
	return false;
}

static bool author_signed(struct rule_scan *s, const struct rule *rule, unsigned first)
{
	struct slice list[EVAL_ADDRESSES_MAX];
	size_t n = rule_header_list(s, "From:addr", list, EVAL_ADDRESSES_MAX);
	for (size_t i = 0; i < n; i++) {
		struct slice domain = address_domain_part(list[i]);
		if (domain.len > 0 && valid_from_domain(s, domain) && any_wanted(rule, first, domain))
			return true;
	}
	return false;
}

static double check_dkim_valid_author_sig(struct rule_scan *s, const struct rule *rule)
{
	return author_signed(s, rule, 0);
}

static double check_dkim_valid_envelopefrom(struct rule_scan *s, const struct rule *rule)
{
	struct slice domain = address_domain_part(s->envelope_from);
	(void)rule;
	return domain.len > 0 && valid_from_domain(s, domain);
}

static double check_dkim_dependable(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	for (size_t i = 0; i < s->in.facts->dkim_count; i++)
		if (s->in.facts->dkim[i].testing)
			return 0;
	return s->in.facts->dkim_count > 0;
}

static double check_dkim_testing(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	for (size_t i = 0; i < s->in.facts->dkim_count; i++)
		if (s->in.facts->dkim[i].testing)
			return 1;
	return 0;
}

static double zero(struct rule_scan *s, const struct rule *rule)
{
	(void)s;
	(void)rule;
	return 0;
}

static double dkim_listed(struct rule_scan *s, const char *key, bool own_domain)
{
	const struct glob_list *list = rule_lists_globs(s->rules->lists, key);
	struct slice author[EVAL_ADDRESSES_MAX];
	size_t n = rule_header_list(s, "From:addr", author, EVAL_ADDRESSES_MAX);
	for (size_t i = 0; list != NULL && i < list->count; i++)
		for (size_t a = 0; a < n; a++) {
			if (!slice_glob(list->list[i].text, author[a]))
				continue;
			struct slice wanted = own_domain || list->list[i].domain.len == 0 ?
				address_domain_part(author[a]) : list->list[i].domain;
			size_t at = slice_rchr(wanted, '@');
			if (at != SLICE_NPOS)
				wanted = slice_from(wanted, at + 1);
			for (size_t k = 0; k < s->in.facts->dkim_count; k++)
				if (dkim_valid(&s->in.facts->dkim[k]) && domain_fits(wanted, s->in.facts->dkim[k].domain))
					return 1;
		}
	return 0;
}

static double check_for_dkim_welcomelist_from(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return dkim_listed(s, "welcomelist_from_dkim", false) || dkim_listed(s, "welcomelist_auth", true);
}

static double check_for_def_dkim_welcomelist_from(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return dkim_listed(s, "def_welcomelist_from_dkim", false) || dkim_listed(s, "def_welcomelist_auth", true);
}

/* ---- adsp_override: what the files say of an author's domain ---- */

static const struct {
	const char *word;
	char letter;
} practices[] = {
	{ "nxdomain", 'N' }, { "all", 'A' }, { "discardable", 'D' }, { "custom_low", '1' }, { "custom_med", '2' },
	{ "custom_high", '3' },
};

static char practice_of(struct rule_scan *s, struct slice domain)
{
	const struct rule_settings *set = rule_table_get(s->rules->table, "adsp_override");
	char found = 'U';
	for (const struct rule_setting *o = set ? set->first : NULL; o != NULL; o = o->next) {
		size_t n = 0;
		while (n < o->value.len && !ascii_is_space(o->value.data[n]))
			n++;
		struct slice name = slice_head(o->value, n), word = slice_trim(slice_from(o->value, n));
		bool fits = slice_starts(name, SLICE("*.")) ?
			slice_ends_nocase(domain, slice_from(name, 1)) : slice_eq_nocase(name, domain);
		if (!fits)
			continue;
		found = word.len == 0 ? 'D' : 'U';
		for (size_t i = 0; i < sizeof(practices) / sizeof(*practices); i++)
			if (slice_eq_nocase(word, slice_str(practices[i].word)))
				found = practices[i].letter;
	}
	return found;
}

static double check_dkim_adsp(struct rule_scan *s, const struct rule *rule)
{
	struct slice list[EVAL_ADDRESSES_MAX], wanted = eval_arg(rule, 0);
	size_t n = rule_header_list(s, "From:addr", list, EVAL_ADDRESSES_MAX);
	if (slice_eq(wanted, SLICE("*")))
		wanted = SLICE("NAD123");
	for (size_t i = 0; i < n; i++) {
		struct slice domain = address_domain_part(list[i]);
		if (domain.len > 0 && !valid_from_domain(s, domain) &&
		    slice_chr(wanted, practice_of(s, domain)) != SLICE_NPOS && any_wanted(rule, 1, domain))
			return 1;
	}
	return 0;
}

/* ---- ARC, DMARC ---- */

static double check_arc_signed(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->in.facts->arc.instances > 0;
}

static double check_arc_valid(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->in.facts->arc.result == AUTH_PASS;
}

static double dmarc_fails_with(const struct rule_scan *s, enum dmarc_policy policy)
{
	const struct dmarc_fact *d = &s->in.facts->dmarc;
	return d->result == AUTH_FAIL && d->policy == policy;
}

static double check_dmarc_reject(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return dmarc_fails_with(s, DMARC_POLICY_REJECT);
}

static double check_dmarc_quarantine(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return dmarc_fails_with(s, DMARC_POLICY_QUARANTINE);
}

static double check_dmarc_none(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return dmarc_fails_with(s, DMARC_POLICY_NONE);
}

static double check_dmarc_pass(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->in.facts->dmarc.result == AUTH_PASS;
}

static double check_dmarc_missing(struct rule_scan *s, const struct rule *rule)
{
	(void)rule;
	return s->in.facts->dmarc.result == AUTH_NONE;
}

#define ADSP_IS_HISTORIC "ADSP records (RFC 5617, historic) are not asked for, only adsp_override lines count"

const struct eval_function eval_auth[] = {
#define SPF_ENTRIES(word) \
	{ .name = "check_for_spf_" #word, .fn = check_for_spf_##word }, \
	{ .name = "check_for_spf_helo_" #word, .fn = check_for_spf_helo_##word }
	SPF_ENTRIES(pass), SPF_ENTRIES(neutral), SPF_ENTRIES(none), SPF_ENTRIES(fail), SPF_ENTRIES(softfail),
	SPF_ENTRIES(permerror), SPF_ENTRIES(temperror),
#undef SPF_ENTRIES
	{ .name = "check_spf_skipped_noenvfrom", .fn = check_spf_skipped_noenvfrom },
	{ .name = "check_for_spf_welcomelist_from", .fn = check_for_spf_welcomelist_from },
	{ .name = "check_for_spf_whitelist_from", .fn = check_for_spf_welcomelist_from },
	{ .name = "check_for_def_spf_welcomelist_from", .fn = check_for_def_spf_welcomelist_from },
	{ .name = "check_for_def_spf_whitelist_from", .fn = check_for_def_spf_welcomelist_from },
	{ .name = "check_dkim_signed", .fn = check_dkim_signed, .max_args = RULE_ARGS_MAX },
	{ .name = "check_dkim_valid", .fn = check_dkim_valid, .max_args = RULE_ARGS_MAX },
	{ .name = "check_dkim_verified", .fn = check_dkim_valid, .max_args = RULE_ARGS_MAX },
	{ .name = "check_dkim_valid_author_sig", .fn = check_dkim_valid_author_sig, .max_args = RULE_ARGS_MAX },
	{ .name = "check_dkim_valid_envelopefrom", .fn = check_dkim_valid_envelopefrom },
	{ .name = "check_dkim_dependable", .fn = check_dkim_dependable },
	{ .name = "check_dkim_testing", .fn = check_dkim_testing },
	{ .name = "check_dkim_signsome", .fn = zero },
	{ .name = "check_dkim_signall", .fn = zero },
	{ .name = "check_dkim_adsp", .fn = check_dkim_adsp, .approximate = ADSP_IS_HISTORIC, .min_args = 1,
	  .max_args = RULE_ARGS_MAX },
	{ .name = "check_for_dkim_welcomelist_from", .fn = check_for_dkim_welcomelist_from },
	{ .name = "check_for_dkim_whitelist_from", .fn = check_for_dkim_welcomelist_from },
	{ .name = "check_for_def_dkim_welcomelist_from", .fn = check_for_def_dkim_welcomelist_from },
	{ .name = "check_for_def_dkim_whitelist_from", .fn = check_for_def_dkim_welcomelist_from },
	{ .name = "check_arc_signed", .fn = check_arc_signed, .max_args = RULE_ARGS_MAX },
	{ .name = "check_arc_valid", .fn = check_arc_valid, .max_args = RULE_ARGS_MAX },
	{ .name = "check_dmarc_reject", .fn = check_dmarc_reject },
	{ .name = "check_dmarc_quarantine", .fn = check_dmarc_quarantine },
	{ .name = "check_dmarc_none", .fn = check_dmarc_none },
	{ .name = "check_dmarc_pass", .fn = check_dmarc_pass },
	{ .name = "check_dmarc_missing", .fn = check_dmarc_missing },
	{ .name = NULL },
};
