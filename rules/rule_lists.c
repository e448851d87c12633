#include "rules/rule_lists.h"

/* Lists whose entries are globs, one or more to a line. */
static const char *const glob_keys[] = {
	"welcomelist_from", "unwelcomelist_from", "blocklist_from", "unblocklist_from", "welcomelist_to", "blocklist_to",
	"all_spam_to", "more_spam_to", "welcomelist_auth", "def_welcomelist_auth", "welcomelist_from_spf",
	"def_welcomelist_from_spf", "welcomelist_from_dkim", "def_welcomelist_from_dkim",
	"welcomelist_from_rcvd", "def_welcomelist_from_rcvd", "welcomelist_bounce_relays",
	"welcomelist_subject", "blocklist_subject",
};

/* Of these the second word belongs to the first: a relay, a signing domain. */
static bool has_domain(struct slice key)
{
	return slice_ends(key, SLICE("_rcvd")) || slice_ends(key, SLICE("_dkim"));
}

static struct slice take_word(struct slice *rest)
{
	struct slice s = slice_trim_left(*rest);
	size_t n = 0;
	while (n < s.len && !ascii_is_space(s.data[n]))
		n++;
	*rest = slice_trim_left(slice_from(s, n));
	return slice_head(s, n);
}

static void glob_add(struct arena *arena, struct glob_list *list, struct slice text, struct slice domain)
{
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;
		struct glob *grown = arena_array(arena, struct glob, cap);
		if (list->count > 0)
			memcpy(grown, list->list, list->count * sizeof(*grown));
		list->list = grown;
		list->cap = cap;
	}
	list->list[list->count++] = (struct glob){ arena_lower(arena, text), arena_lower(arena, domain) };
}

static void fill_globs(struct rule_lists *l, struct glob_list *list, const char *key)
{
	const struct rule_settings *settings = rule_table_get(l->table, key);
	list->key = slice_str(key);
	for (const struct rule_setting *s = settings ? settings->first : NULL; s != NULL; s = s->next) {
		struct slice rest = s->value, word;
		if (slice_ends(list->key, SLICE("_subject"))) {
			glob_add(l->arena, list, rest, SLICE_EMPTY);
			continue;
		}
		while ((word = take_word(&rest)).len > 0) {
			struct slice domain = has_domain(list->key) ? take_word(&rest) : SLICE_EMPTY;
			glob_add(l->arena, list, word, domain);
		}
	}
}

const struct glob_list *rule_lists_globs(const struct rule_lists *l, const char *key)
{
	for (size_t i = 0; i < l->glob_count; i++)
		if (slice_eq(l->globs[i].key, slice_str(key)))
			return &l->globs[i];
	return NULL;
}

bool rule_lists_address(const struct rule_lists *l, const char *key, struct slice address)
{
	const struct glob_list *list = rule_lists_globs(l, key);
	for (size_t i = 0; list != NULL && i < list->count; i++)
		if (slice_glob(list->list[i].text, address))
			return true;
	return false;
}

/* ---- lists with titles ---- */

static struct named_list *named_need(struct arena *arena, struct named_list **lists, size_t *count, size_t *cap,
				     struct slice name)
{
	for (size_t i = 0; i < *count; i++)
		if (slice_eq_nocase((*lists)[i].name, name))
			return &(*lists)[i];
	if (*count == *cap) {
		size_t bigger = *cap ? *cap * 2 : 8;
		struct named_list *grown = arena_array(arena, struct named_list, bigger);
		if (*count > 0)
			memcpy(grown, *lists, *count * sizeof(*grown));
		*lists = grown;
		*cap = bigger;
	}
	struct named_list *list = &(*lists)[(*count)++];
	*list = (struct named_list){ .name = name, .names = { .nocase = true } };
	return list;
}

const struct named_list *rule_lists_named(const struct rule_lists *l, bool addresses, struct slice name)
{
	const struct named_list *lists = addresses ? l->address_lists : l->uri_lists;
	size_t count = addresses ? l->address_list_count : l->uri_list_count;
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(lists[i].name, name))
			return &lists[i];
	return NULL;
}

/* "(NAME) item item !item" */
static void fill_named(struct rule_lists *l, const char *key, bool addresses)
{
	const struct rule_settings *settings = rule_table_get(l->table, key);
	for (const struct rule_setting *s = settings ? settings->first : NULL; s != NULL; s = s->next) {
		struct slice rest = s->value, name = take_word(&rest), word;
		if (name.len < 3 || name.data[0] != '(' || name.data[name.len - 1] != ')')
			continue;
		name = slice_sub(name, 1, name.len - 2);
		struct named_list *list = addresses ?
			named_need(l->arena, &l->address_lists, &l->address_list_count, &l->address_list_cap, name) :
			named_need(l->arena, &l->uri_lists, &l->uri_list_count, &l->uri_list_cap, name);
		while ((word = take_word(&rest)).len > 0) {
			bool listed = word.data[0] != '!';
			if (addresses && (slice_chr(word, '*') != SLICE_NPOS || slice_chr(word, '?') != SLICE_NPOS)) {
				glob_add(l->arena, &list->globs, word, SLICE_EMPTY);
				continue;
			}
			name_map_put(&list->names, l->arena, slice_from(word, !listed), listed);
		}
	}
}

bool named_list_has(const struct named_list *list, struct slice address)
{
	if (name_map_get(&list->names, address) == 1)
		return true;
	for (size_t i = 0; i < list->globs.count; i++)
		if (slice_glob(list->globs.list[i].text, address))
			return true;
	return false;
}

bool name_map_has_domain(const struct name_map *map, struct slice domain)
{
	while (domain.len > 0) {
		uint32_t value = name_map_get(map, domain);
		if (value != NAME_MAP_NONE)
			return value != 0;
		size_t dot = slice_chr(domain, '.');
		if (dot == SLICE_NPOS)
			return false;
		domain = slice_from(domain, dot + 1);
	}
	return false;
}

/* ---- the rest ---- */

static void fill_map(struct rule_lists *l, const char *key, struct name_map *map)
{
	const struct rule_settings *settings = rule_table_get(l->table, key);
	map->nocase = true;
	for (const struct rule_setting *s = settings ? settings->first : NULL; s != NULL; s = s->next) {
		struct slice rest = s->value, word;
		while ((word = take_word(&rest)).len > 0)
			name_map_put(map, l->arena, word, 1);
	}
}

static void fill_freemail(struct rule_lists *l)
{
	const struct rule_settings *settings = rule_table_get(l->table, "freemail_domains");
	l->freemail_domains.nocase = true;
	for (const struct rule_setting *s = settings ? settings->first : NULL; s != NULL; s = s->next) {
		struct slice rest = s->value, word;
		while ((word = take_word(&rest)).len > 0) {
			if (slice_chr(word, '*') != SLICE_NPOS || slice_chr(word, '?') != SLICE_NPOS)
				glob_add(l->arena, &l->freemail_wild, word, SLICE_EMPTY);
			else
				name_map_put(&l->freemail_domains, l->arena, word, 1);
		}
	}
	fill_globs(l, &l->freemail_welcome, "freemail_welcomelist");
}

static void fill_networks(struct rule_lists *l, const char *key, struct cidr **list_r, size_t *count_r)
{
	const struct rule_settings *settings = rule_table_get(l->table, key);
	size_t cap = 0;
	for (const struct rule_setting *s = settings ? settings->first : NULL; s != NULL; s = s->next)
		cap += s->value.len / 2 + 1;
	if (cap == 0)
		return;
	*list_r = arena_array(l->arena, struct cidr, cap);
	for (const struct rule_setting *s = settings->first; s != NULL; s = s->next) {
		struct slice rest = s->value, word;
		while ((word = take_word(&rest)).len > 0)
			if (cidr_parse(word, &(*list_r)[*count_r]))
				(*count_r)++;
	}
}

static void fill_redirectors(struct rule_lists *l)
{
	const struct rule_settings *settings = rule_table_get(l->table, "redirector_pattern");
	if (settings == NULL)
		return;
	l->redirectors = arena_array(l->arena, struct regex *, settings->count);
	for (const struct rule_setting *s = settings->first; s != NULL; s = s->next) {
		struct pattern pattern;
		const char *error = NULL;
		struct regex *regex = NULL;
		/* In the parser's form; a line that isn't is reported there. */
		if (s->value.len > 2 && (s->value.data[0] == '/' || s->value.data[0] == 'm')) {
			size_t start = s->value.data[0] == 'm' ? 1 : 0;
			size_t end = slice_rchr(s->value, s->value.data[start]);
			pattern = (struct pattern){ .source = slice_sub(s->value, start + 1, end - start - 1), .set = true };
			if (end > start && slice_chr(slice_from(s->value, end), 'i') != SLICE_NPOS)
				pattern.flags = PATTERN_I;
			if (end > start)
				regex = regex_compile(l->arena, &pattern, &error);
		}
		if (regex != NULL)
			l->redirectors[l->redirector_count++] = regex;
	}
}

struct slice rule_lists_redirect(const void *arg, struct arena *arena, struct slice uri)
{
	const struct rule_lists *l = arg;
	struct slice found = SLICE_EMPTY;
	if (l->redirector_count == 0)
		return found;
	struct regex_scratch *scratch = regex_scratch_create();
	for (size_t i = 0; i < l->redirector_count && found.len == 0; i++)
		if (regex_match(l->redirectors[i], scratch, uri, 0, NULL) == REGEX_YES)
			found = regex_nth_group(scratch, uri, 1);
	regex_scratch_free(&scratch);
	return found.len > 0 ? arena_copy(arena, found) : found;
}

struct rule_lists *rule_lists_create(const struct rule_table *table)
{
	struct rule_lists *l = arena_new(table->arena, struct rule_lists);
	l->table = table;
	l->arena = table->arena;
	l->glob_count = sizeof(glob_keys) / sizeof(*glob_keys);
	l->globs = arena_array(l->arena, struct glob_list, l->glob_count);
	for (size_t i = 0; i < l->glob_count; i++)
		fill_globs(l, &l->globs[i], glob_keys[i]);
	fill_freemail(l);
	fill_named(l, "enlist_uri_host", false);
	fill_named(l, "enlist_addrlist", true);
	fill_map(l, "uridnsbl_skip_domain", &l->uri_skip);
	fill_networks(l, "trusted_networks", &l->trusted, &l->trusted_count);
	fill_networks(l, "internal_networks", &l->internal, &l->internal_count);
	fill_networks(l, "msa_networks", &l->msa, &l->msa_count);
	fill_redirectors(l);
	return l;
}
