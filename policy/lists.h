#ifndef GATEHOUSE_POLICY_LISTS_H
#define GATEHOUSE_POLICY_LISTS_H
/*
 * lists: sets of client networks, sender addresses, domains or patterns, out
 * of files and the configuration. Immutable once loaded. A look-up costs one
 * probe for each label of a domain, one for each prefix length in use; only
 * patterns are tried one after the other.
 */
#include "message/envelope.h"
#include "policy/config.h"

struct list;

/* expected: about how many entries come; a guess too low costs memory only. */
struct list *list_create(struct arena *arena, enum list_type type, size_t expected);
/*
 * entry is text without white space around it and must stay. False: it is
 * none of this type. Addresses: "user@domain"; domains: "example.org", and
 * "*.example.org" or ".example.org" for all below it; patterns: * and ?.
 */
bool list_add(struct list *list, struct slice entry);
size_t list_count(const struct list *list);

/* What of the list matched, as text; false: nothing. A list of another type matches nothing. */
bool list_has_client(const struct list *list, const struct ip *ip, struct slice *entry_r);
bool list_has_domain(const struct list *list, struct slice domain, struct slice *entry_r);
/* By type: the address, a pattern of it; <> is the text of the null reverse-path. */
bool list_has_sender(const struct list *list, const struct mailbox *sender, struct slice *entry_r);

/* Reads all list sections of a configuration; file:line of what is wrong goes to errors. */
void lists_load(struct config *config, struct config_errors *errors);

#endif
