#include "policy/policy.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "message/address.h"
#include "policy/config_tables.h"

/* ---- which one */

/* How narrow an address pattern is that matches; 0: it doesn't. */
static unsigned address_rank(struct slice pattern, const struct mailbox *m)
{
	size_t at = slice_rchr(pattern, '@');
	if (slice_eq(pattern, SLICE("*")))
		return 1;
	if (m->text.len == 0)
		return slice_eq(pattern, SLICE("<>")) ? 1000 : 0;
	struct slice domain = at == SLICE_NPOS ? pattern : slice_from(pattern, at + 1);
	if (slice_starts(domain, SLICE("*.")))
		domain = slice_from(domain, 1);
	if (domain.len > 0 && domain.data[0] == '.')
		return at != 0 && at != SLICE_NPOS ? 0 :
		       m->domain.len > domain.len && slice_ends_nocase(m->domain, domain) ? 2 + (unsigned)domain.len : 0;
	if (at == SLICE_NPOS && m->domain.len == 0)
		return slice_eq_nocase(pattern, m->local) ? 1000 : 0;
	if (!slice_eq_nocase(domain, m->domain))
		return 0;
	if (at == 0 || at == SLICE_NPOS)
		return 500;
	return slice_eq_nocase(slice_head(pattern, at), m->local) ? 1000 : 0;
}

static bool rank_addresses(const struct slice_list *list, const struct mailbox *m, unsigned *rank_r)
{
	*rank_r = 0;
	for (size_t i = 0; m != NULL && i < list->count; i++) {
		unsigned rank = address_rank(list->items[i], m);
		if (rank > *rank_r)
			*rank_r = rank;
	}
	return list->count == 0 || *rank_r > 0;
}

static bool rank_users(const struct slice_list *list, struct slice login, unsigned *rank_r)
{
	*rank_r = 0;
	for (size_t i = 0; login.len > 0 && i < list->count; i++) {
		if (slice_eq_nocase(list->items[i], login))
			*rank_r = 2;
		else if (*rank_r == 0 && slice_eq(list->items[i], SLICE("*")))
			*rank_r = 1;
	}
	return list->count == 0 || *rank_r > 0;
}

static bool rank_clients(const struct cidr_list *list, const struct ip *ip, unsigned *rank_r)
{
	*rank_r = 0;
	for (size_t i = 0; ip->family != 0 && i < list->count; i++) {
		unsigned bits = list->items[i].bits + (ip->family == 4 ? 96u : 0u) + 1;
		if (cidr_has(&list->items[i], ip) && bits > *rank_r)
			*rank_r = bits;
	}
	return list->count == 0 || *rank_r > 0;
}

static bool rank_listeners(const struct slice_list *list, const char *listener, unsigned *rank_r)
{
	*rank_r = 0;
	for (size_t i = 0; listener != NULL && i < list->count; i++)
		if (slice_eq(list->items[i], slice_str(listener)))
			*rank_r = 1;
	return list->count == 0 || *rank_r > 0;
}

/* In the order that the header names. */
enum { RANK_RECIPIENT, RANK_USER, RANK_SENDER, RANK_CLIENT, RANK_LISTENER, RANKS };

static bool narrower(const unsigned a[RANKS], const unsigned b[RANKS])
{
	for (int i = 0; i < RANKS; i++)
		if (a[i] != b[i])
			return a[i] > b[i];
	return false;
}

static bool is_default(const struct config_policy *p)
{
	return slice_eq(p->title, SLICE("default"));
}

static const struct config_policy last_resort = {
	.title = { "default", 7 }, .tag = 5, .reject = 12, .quarantine = -1, .greylist = -1, .redirect = -1,
	.discard = -1,
};

const struct config_policy *policy_find(const struct config *config, const struct client *client,
					const struct mailbox *sender, const struct mailbox *recipient, bool shadow)
{
	const struct config_policy *best = NULL, *fallback = &last_resort;
	unsigned best_rank[RANKS], rank[RANKS];
	for (size_t i = 0; i < config->policy_count; i++) {
		const struct config_policy *p = &config->policies[i];
		if (is_default(p)) {
			fallback = p;
			continue;
		}
		bool matches = rank_addresses(&p->recipients, recipient, &rank[RANK_RECIPIENT]) &&
			       rank_users(&p->users, client->login, &rank[RANK_USER]) &&
			       rank_addresses(&p->senders, sender, &rank[RANK_SENDER]) &&
			       rank_clients(&p->clients, &client->ip, &rank[RANK_CLIENT]) &&
			       rank_listeners(&p->listeners, client->listener, &rank[RANK_LISTENER]);
		if (!matches || (p->shadow && !shadow) || (best != NULL && !narrower(rank, best_rank)))
			continue;
		best = p;
		memcpy(best_rank, rank, sizeof(rank));
	}
	return best != NULL ? best : fallback;
}

static bool same_switch(double a, double b)
{
	return (a >= 0) == (b >= 0);
}

static bool same_list(const struct slice_list *a, const struct slice_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!slice_eq(a->items[i], b->items[i]))
			return false;
	return true;
}

bool policy_can_share(const struct config_policy *a, const struct config_policy *b)
{
	return a == b ||
	       (same_switch(a->tag, b->tag) && same_switch(a->quarantine, b->quarantine) &&
		same_switch(a->reject, b->reject) && same_switch(a->greylist, b->greylist) &&
		same_switch(a->discard, b->discard) && same_switch(a->redirect, b->redirect) &&
		slice_eq(a->redirect_to, b->redirect_to) && slice_eq(a->subject_tag, b->subject_tag) &&
		a->report == b->report && a->shadow == b->shadow && same_list(&a->actions, &b->actions) &&
		same_list(&a->allow, &b->allow) && same_list(&a->deny, &b->deny) && same_list(&a->skip, &b->skip) &&
		same_list(&a->use, &b->use));
}

/* ---- what it says of symbols */

static int by_name(const void *a, const void *b)
{
	return slice_cmp(((const struct policy_symbol *)a)->name, ((const struct policy_symbol *)b)->name);
}

const struct policy_symbol *policy_symbol(const struct config_policy *policy, struct slice name)
{
	const struct policy_symbol key = { .name = name };
	if (policy->made == NULL || policy->made->symbol_count == 0)
		return NULL;
	return bsearch(&key, policy->made->symbols, policy->made->symbol_count, sizeof(key), by_name);
}

static bool names(const struct slice_list *list, struct slice name)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(list->items[i], name))
			return true;
	return false;
}

bool policy_skips(const struct config_policy *policy, const char *filter)
{
	struct slice name = slice_str(filter);
	return filter != NULL &&
	       (names(&policy->skip, name) || (policy->made != NULL && names(&policy->made->off, name)));
}

struct making {
	struct config *config;
	const void *written;      /* NULL: the section isn't */
	struct policy_made *made;
	struct config_errors *errors;
};

#define fail(m, key, ...) config_error_at((m)->config, (m)->written, key, (m)->errors, __VA_ARGS__)

/* Not sorted yet: linear. */
static struct policy_symbol *entry(struct making *m, struct slice name)
{
	for (size_t i = 0; i < m->made->symbol_count; i++)
		if (slice_eq(m->made->symbols[i].name, name))
			return &m->made->symbols[i];
	struct policy_symbol *s = &m->made->symbols[m->made->symbol_count++];
	s->name = name;
	return s;
}

static bool read_score(struct making *m, struct policy_symbol *s, struct slice value)
{
	char *end, *text = arena_str(m->config->arena, value);
	s->score = strtod(text, &end);
	s->has_score = true;
	return value.len > 0 && *end == '\0' && s->score >= -1e6 && s->score <= 1e6;
}

static bool read_action(struct making *m, struct policy_symbol *s, struct slice value)
{
	static const enum action allowed[] = {
		ACTION_NONE, ACTION_TAG, ACTION_GREYLIST, ACTION_REDIRECT,
		ACTION_QUARANTINE, ACTION_DEFER, ACTION_REJECT, ACTION_DISCARD,
	};
	(void)m;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++)
		if (slice_eq(value, slice_str(action_name(allowed[i])))) {
			s->action = allowed[i];
			s->has_action = true;
			return true;
		}
	return false;
}

/* "5.7.1" behind a code of the same class. */
static bool good_enhanced(struct slice s, char first)
{
	size_t dots = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] != '.' && !ascii_is_digit(s.data[i]))
			return false;
		dots += s.data[i] == '.';
	}
	return dots == 2 && s.len >= 5 && s.len <= 9 && s.data[0] == first && s.data[1] == '.' &&
	       s.data[s.len - 1] != '.' && s.data[2] != '.';
}

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < ' ' || s.data[i] > '~')
			return false;
	return true;
}

static bool is_printable(struct slice s)
{
	uint32_t code;
	for (size_t n; s.len > 0; s = slice_from(s, n)) {
		n = utf8_next(s, &code);
		if (n == 0 || utf8_is_control(code))
			return false;
	}
	return true;
}

#define REPLY_LINES 8 /* as many as every door can say */

static bool is_reply_text(struct slice s)
{
	for (unsigned lines = 1; lines <= REPLY_LINES; lines++) {
		size_t end = slice_chr(s, '\n');
		if (!is_plain(slice_head(s, end)))
			return false;
		if (end == SLICE_NPOS)
			return true;
		s = slice_from(s, end + 1);
	}
	return false;
}

/* "550 5.7.23 text" */
static bool read_reply(struct making *m, struct policy_symbol *s, struct slice value)
{
	uint64_t code;
	size_t space = slice_chr(value, ' ');
	struct slice rest = slice_trim(slice_from(value, space == SLICE_NPOS ? value.len : space));
	size_t second = slice_chr(rest, ' ');
	if (!slice_u64(slice_head(value, space), 599, &code) || code < 400 || second == SLICE_NPOS || code == 421 ||
	    !good_enhanced(slice_head(rest, second), value.data[0]))
		return false;
	if (!is_reply_text(rest))
		return false;
	s->reply = (struct refusal){ (uint16_t)code, arena_str(m->config->arena, slice_head(rest, second)),
				     slice_trim(slice_from(rest, second)) };
	bool four = slice_eq(s->name, SLICE("defer")) || slice_eq(s->name, SLICE("greylist")) ||
		    slice_eq(s->name, SLICE("other-message")) || slice_eq(s->name, SLICE("disagree"));
	bool five = slice_eq(s->name, SLICE("reject")) || slice_eq(s->name, SLICE("deny"));
	return !(four && code >= 500) && !(five && code < 500);
}

static void read_list(struct making *m, const char *key, const struct slice_list *list, const char *form,
		      bool (*read)(struct making *m, struct policy_symbol *s, struct slice value))
{
	for (size_t i = 0; i < list->count; i++) {
		struct slice item = list->items[i];
		size_t eq = slice_chr(item, '=');
		struct slice name = slice_trim(slice_head(item, eq == SLICE_NPOS ? 0 : eq));
		if (name.len == 0 || !read(m, entry(m, name), slice_trim(slice_from(item, eq + 1))))
			fail(m, key, "'%.*s' is not %s", SLICE_ARG(item), form);
	}
}

static const struct config_list *find_list(const struct config *config, struct slice title)
{
	for (size_t i = 0; i < config->list_count; i++)
		if (slice_eq(config->lists[i].title, title))
			return &config->lists[i];
	return NULL;
}

static const struct config_list **resolve(struct making *m, const char *key, const struct slice_list *names)
{
	const struct config_list **all = arena_array(m->config->arena, const struct config_list *, names->count + 1);
	size_t n = 0;
	for (size_t i = 0; i < names->count; i++) {
		all[n] = find_list(m->config, names->items[i]);
		if (all[n] == NULL)
			fail(m, key, "there is no section list %.*s", SLICE_ARG(names->items[i]));
		else
			n++;
	}
	return all;
}

static struct config_filter *find_filter(struct making *m, const char *key, struct slice name)
{
	struct config_filter *filters = (struct config_filter *)(uintptr_t)m->config->filters;
	for (size_t i = 0; i < m->config->filter_count; i++)
		if (slice_eq(filters[i].name, name))
			return &filters[i];
	fail(m, key, "there is no filter %.*s", SLICE_ARG(name));
	return NULL;
}

static void read_switches(struct making *m, const struct config_policy *p)
{
	for (size_t i = 0; i < p->skip.count; i++) {
		find_filter(m, "skip", p->skip.items[i]);
		if (slice_eq(p->skip.items[i], SLICE("relay")))
			fail(m, "skip", "relay can't be switched off");
	}
	for (size_t i = 0; i < p->use.count; i++) {
		struct config_filter *f = find_filter(m, "use", p->use.items[i]);
		if (f != NULL)
			f->used = true;
		if (names(&p->skip, p->use.items[i]))
			fail(m, "use", "skip has %.*s too", SLICE_ARG(p->use.items[i]));
	}
}

static void find_off(struct config *config, const struct config_policy *p, struct policy_made *made)
{
	made->off.items = arena_array(config->arena, struct slice, config->filter_count);
	for (size_t i = 0; i < config->filter_count; i++)
		if (config->filters[i].off && !names(&p->use, config->filters[i].name))
			made->off.items[made->off.count++] = config->filters[i].name;
}

static bool redirects(const struct making *m, const struct config_policy *p)
{
	bool any = p->redirect >= 0;
	for (size_t i = 0; i < m->made->symbol_count; i++)
		any = any || m->made->symbols[i].action == ACTION_REDIRECT;
	return any;
}

static void check_redirect(struct making *m, const struct config_policy *p)
{
	struct mailbox to;
	if (p->redirect_to.len == 0) {
		if (redirects(m, p))
			fail(m, "redirect-to", "is missing: an address to redirect to");
		return;
	}
	enum address_error error = address_parse(m->config->arena, p->redirect_to, 0, &to);
	if (error != ADDRESS_OK)
		fail(m, "redirect-to", "'%.*s': %s", SLICE_ARG(p->redirect_to), address_error_text(error));
}

/* The domain of an address pattern as envelopes have it (message/address.h). False: nothing can match it. */
static bool canonical_pattern(struct arena *arena, struct slice *pattern)
{
	size_t at = slice_rchr(*pattern, '@');
	struct slice local = slice_head(*pattern, at == SLICE_NPOS ? 0 : at + 1), domain;
	struct slice name = slice_from(*pattern, local.len);
	bool below = slice_starts(name, SLICE("*.")) || slice_starts(name, SLICE("."));
	if (slice_eq(*pattern, SLICE("*")) || slice_eq(*pattern, SLICE("<>")) || slice_starts(name, SLICE("[")))
		return true;
	if (below)
		name = slice_from(name, slice_chr(name, '.') + 1);
	if (address_domain(arena, name, ADDRESS_UTF8 | ADDRESS_LAX, &domain) != ADDRESS_OK)
		return false;
	*pattern = arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(local), below ? "." : "", SLICE_ARG(domain));
	return true;
}

static void read_patterns(struct making *m, const char *key, struct slice_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!canonical_pattern(m->config->arena, &list->items[i]))
			fail(m, key, "'%.*s' is not user@example.org, @example.org, *.example.org or *",
			     SLICE_ARG(list->items[i]));
}

static void make(struct making *m, struct config_policy *p)
{
	size_t most = p->scores.count + p->actions.count + p->replies.count;
	m->made = arena_new(m->config->arena, struct policy_made);
	m->made->symbols = arena_array(m->config->arena, struct policy_symbol, most);
	read_list(m, "scores", &p->scores, "SYMBOL=NUMBER", read_score);
	read_list(m, "actions", &p->actions, "SYMBOL=none, tag, greylist, redirect, quarantine, defer, reject or discard",
		  read_action);
	read_list(m, "replies", &p->replies, "SYMBOL=550 5.7.1 text, in ASCII, on 8 lines at most, and its code fits",
		  read_reply);
	if (m->made->symbol_count > 0)
		qsort(m->made->symbols, m->made->symbol_count, sizeof(*m->made->symbols), by_name);
	m->made->allow = resolve(m, "allow", &p->allow);
	m->made->deny = resolve(m, "deny", &p->deny);
	read_switches(m, p);
	find_off(m->config, p, m->made);
	check_redirect(m, p);
	read_patterns(m, "recipients", &p->recipients);
	read_patterns(m, "senders", &p->senders);
	if (!is_printable(p->subject_tag))
		fail(m, "subject-tag", "must be on one line, without control characters");
	p->made = m->made;
}

void policies_make(struct config *config, struct config_errors *errors)
{
	struct config_policy *policies = (struct config_policy *)(uintptr_t)config->policies;
	const struct section_values *v;
	size_t at = 0;
	for (size_t i = 0; i < config->policy_count; i++) {
		v = settings_next(config->file, &config_policy_section, &at);
		struct making m = { .config = config, .written = v ? v->values : NULL, .errors = errors };
		make(&m, &policies[i]);
	}
}
