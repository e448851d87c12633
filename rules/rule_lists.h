#ifndef GATEHOUSE_RULES_RULE_LISTS_H
#define GATEHOUSE_RULES_RULE_LISTS_H
/*
 * rule_lists: what rule files say beside rules, made ready to be asked:
 * lists of addresses and domains, redirectors, networks, shorteners.
 */
#include "base/cidr.h"
#include "rules/regex.h"
#include "rules/rule.h"

/* A pattern of an address or host name: "*" and "?" as in file names. */
struct glob {
	struct slice text;     /* lower case */
	struct slice domain;   /* second word, of …_from_rcvd and …_auth lists; may be empty */
};

struct glob_list {
	struct slice key;      /* "welcomelist_from" */
	struct glob *list;
	size_t count, cap;
};

/* Names in a list with a title of its own: enlist_uri_host (SHORTENER) … */
struct named_list {
	struct slice name;
	struct name_map names;     /* 1: listed; 0: excepted */
	struct glob_list globs;    /* address lists: the entries with "*" or "?" */
};

struct rule_lists {
	const struct rule_table *table;
	struct arena *arena;
	struct name_map freemail_domains;
	struct glob_list freemail_wild, freemail_welcome;
	struct glob_list *globs;
	size_t glob_count, glob_cap;
	struct named_list *uri_lists, *address_lists;
	size_t uri_list_count, uri_list_cap, address_list_count, address_list_cap;
	struct name_map uri_skip;            /* uridnsbl_skip_domain */
	struct regex **redirectors;
	size_t redirector_count;
	struct cidr *trusted, *internal, *msa;
	size_t trusted_count, internal_count, msa_count;
};

struct rule_lists *rule_lists_create(const struct rule_table *table);
/* An address against the list of that key: "welcomelist_from". */
bool rule_lists_address(const struct rule_lists *lists, const char *key, struct slice address);
const struct glob_list *rule_lists_globs(const struct rule_lists *lists, const char *key);
const struct named_list *rule_lists_named(const struct rule_lists *lists, bool addresses, struct slice name);
/* The address, or a glob that fits it. */
bool named_list_has(const struct named_list *list, struct slice address);
/* The domain or one of its parents in a map; a value of 0 says no. */
bool name_map_has_domain(const struct name_map *map, struct slice domain);
/* The target of a redirector that redirector_pattern lines know; empty: none. */
struct slice rule_lists_redirect(const void *lists, struct arena *arena, struct slice uri);

#endif
