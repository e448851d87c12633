#ifndef GATEHOUSE_POLICY_REPLY_TEXT_H
#define GATEHOUSE_POLICY_REPLY_TEXT_H
/*
 * reply_text: an administrator's text with names in braces, filled in:
 * {id} {symbol} {describe} {evidence} {score} {required} {policy} {sender}
 * {recipient} {client} {hostname}. A name that is none of these stays as it is.
 */
#include "base/arena.h"

extern const char *const reply_names[]; /* these; NULL-terminated */
/* The first name in braces that is none of names (NULL-terminated); empty: there is none. */
struct slice reply_unknown(struct slice text, const char *const *names);

struct reply_value {
	const char *name;
	struct slice value;
};

/* values ends with name == NULL. What is filled in is cut at 200 octets;
 * octets that a reply can't carry become "?". */
struct slice reply_text(struct arena *arena, struct slice text, const struct reply_value *values);

#endif
