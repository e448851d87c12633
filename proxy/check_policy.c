#include "proxy/check_policy.h"

#include "base/nearest.h"
#include "filters/forged.h"
#include "filters/pipeline.h"
#include "filters/sender_login.h"
#include "policy/config_tables.h"
#include "policy/dnslist.h"
#include "policy/policy.h"
#include "policy/reply_text.h"

struct check {
	const struct config *config;
	const struct ruleset *rules;
	struct config_errors *warnings;
};

#define warn(c, values, key, ...) config_warning_at((c)->config, values, key, (c)->warnings, __VA_ARGS__)

/* ---- symbols */

static void try_filters(struct nearest *n)
{
	for (size_t i = 0; filter_table[i] != NULL; i++)
		for (const struct filter_symbol *s = filter_table[i]->symbols; s != NULL && s->name != NULL; s++)
			nearest_try(n, slice_str(s->name));
}

static void try_all(const struct check *c, struct nearest *n, bool keywords)
{
	static const char *const words[] = { "reject", "deny", "defer", "greylist", "other-message", "disagree" };
	for (size_t i = 0; keywords && i < sizeof(words) / sizeof(*words); i++)
		nearest_try(n, slice_str(words[i]));
	try_filters(n);
	for (size_t i = 0; i < c->config->dnslist_count; i++)
		nearest_try(n, slice_str(c->config->dnslists[i].symbol));
	for (size_t i = 0; c->rules != NULL && i < c->rules->table->count; i++)
		nearest_try(n, c->rules->table->list[i]->name);
}

static void check_symbols(const struct check *c, const void *values, const char *key, const struct slice_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct slice name = slice_trim(slice_head(list->items[i], slice_chr(list->items[i], '=')));
		struct nearest n = nearest_begin(name);
		try_all(c, &n, strcmp(key, "replies") == 0);
		if (slice_eq(n.best, name))
			continue;
		warn(c, values, key, "%s: nothing sets the symbol %.*s%s%.*s%s", key, SLICE_ARG(name),
		     n.best.len ? "; did you mean " : "", SLICE_ARG(n.best), n.best.len ? "?" : "");
	}
}

/* ---- policies */

static const char *const subject_names[] = { "score", NULL };

static void check_names(const struct check *c, const void *values, const char *key, struct slice text,
			const char *const *names)
{
	struct slice unknown = reply_unknown(text, names);
	if (unknown.len > 0)
		warn(c, values, key, "%s: {%.*s} stands for nothing, and is said as it is", key, SLICE_ARG(unknown));
}

static bool has_greylist(const struct config_policy *p)
{
	for (size_t i = 0; i < p->made->symbol_count; i++)
		if (p->made->symbols[i].has_action && p->made->symbols[i].action == ACTION_GREYLIST)
			return true;
	return false;
}

static void check_one(const struct check *c, const struct config_policy *p, const void *values)
{
	check_symbols(c, values, "scores", &p->scores);
	check_symbols(c, values, "actions", &p->actions);
	check_symbols(c, values, "replies", &p->replies);
	for (size_t i = 0; i < p->replies.count; i++)
		check_names(c, values, "replies", p->replies.items[i], reply_names);
	check_names(c, values, "subject-tag", p->subject_tag, subject_names);
	if ((p->greylist >= 0 || has_greylist(p)) && policy_skips(p, "greylist"))
		warn(c, values, "greylist", "greylist: filter greylist is off, so nobody is asked to come again: "
		     "write filter greylist { enabled = on }, or use = {greylist} here");
}

static void check_policies(const struct check *c)
{
	const struct section_values *v;
	size_t at = 0;
	for (size_t i = 0; (v = settings_next(c->config->file, &config_policy_section, &at)) != NULL; i++)
		check_one(c, &c->config->policies[i], v->values);
}

/* ---- "WHO: patterns" of filters */

static bool good_pattern(struct slice word)
{
	return slice_eq(word, SLICE("*")) || slice_find(word, SLICE("{login}")) != SLICE_NPOS ||
	       (slice_chr(word, '@') != SLICE_NPOS && slice_rchr(word, '@') + 1 < word.len);
}

static bool good_domain(struct slice word)
{
	return slice_chr(word, '@') == SLICE_NPOS && slice_chr(word, '.') != SLICE_NPOS;
}

/* Without a colon a text is a name alone: forged_from takes that for one that nobody may use. */
static const char *what_is_wrong(struct slice entry, bool (*good)(struct slice word))
{
	size_t colon = good == good_domain ? slice_rchr(entry, ':') : slice_chr(entry, ':'), words = 0;
	if (good == good_domain && colon == SLICE_NPOS)
		return NULL;
	struct slice rest = slice_from(entry, colon == SLICE_NPOS ? entry.len : colon + 1), word;
	if (colon == SLICE_NPOS || slice_trim(slice_head(entry, colon)).len == 0)
		return "has no \"name:\" in front";
	while (rest.data != NULL && slice_split(&rest, ' ', &word)) {
		if (word.len > 0 && !good(word))
			return "holds what can't match";
		words += word.len > 0;
	}
	return words == 0 ? "has nothing behind its colon" : NULL;
}

static void check_texts(const struct check *c, const char *filter, const char *key, size_t offset,
			bool (*good)(struct slice word))
{
	for (size_t i = 0; i < c->config->filter_count; i++) {
		const struct config_filter *f = &c->config->filters[i];
		if (!slice_eq(f->name, slice_str(filter)))
			continue;
		const struct slice_list *list = (const void *)((const char *)f->values + offset);
		for (size_t k = 0; k < list->count; k++) {
			const char *wrong = what_is_wrong(list->items[k], good);
			if (wrong != NULL)
				warn(c, f->values, key, "%s: '%.*s' %s: it does nothing", key, SLICE_ARG(list->items[k]),
				     wrong);
		}
	}
}

void check_policy(const struct config *config, const struct ruleset *rules, struct config_errors *warnings)
{
	const struct check c = { config, rules, warnings };
	check_policies(&c);
	check_texts(&c, "sender_login", "permit", offsetof(struct sender_login_settings, permit), good_pattern);
	check_texts(&c, "forged_from", "names", offsetof(struct forged_settings, names), good_domain);
}
