#ifndef GATEHOUSE_FILTERS_SENDER_LOGIN_H
#define GATEHOUSE_FILTERS_SENDER_LOGIN_H
/*
 * sender_login: who has logged in sends in his own name: the reverse-path,
 * and every mailbox of From and Sender, must be one that the login is
 * permitted (RFC 6409 6.1, 8.1). 553 5.7.1 else.
 */
#include "base/arena.h"
#include "filters/filter.h"

enum sender_login_when { LOGIN_ON_SUBMISSION, LOGIN_ALWAYS };

struct sender_login_settings {
	struct filter_common common;
	int when;                  /* enum sender_login_when */
	bool enforce;              /* else the symbols' scores count */
	bool header;               /* From and Sender too */
	struct slice_list permit;
	struct slice delimiter;    /* of address extensions: "+" */
	struct slice text;         /* of a refusal; %{a}: the address, %{l}: the login */
};

extern const struct filter sender_login_filter;

/*
 * Whether the login may send as local@domain. permit holds lines of a login,
 * or "*" for all, a colon, and patterns with white space between: "a@b",
 * "@b" for every address there, "*" for any characters, "{login}" for the
 * login: an address itself, or the local part at one of own.
 */
bool sender_login_permits(const struct slice_list *permit, const struct slice_list *own,
			  struct slice delimiter, struct slice login, struct slice local,
			  struct slice domain);

#endif
