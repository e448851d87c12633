#ifndef GATEHOUSE_MESSAGE_URI_LIST_H
#define GATEHOUSE_MESSAGE_URI_LIST_H
/* uri_list: what uri.c and uri_text.c share. Private to them. */
#include "message/uri.h"

struct uri_finding {
	struct slice uri;
	unsigned types;
	const char *tag;
	struct slice anchor;
	bool hidden;
	bool must_host;        /* no entry unless some form has a valid host */
};

void uris_add(struct uris *uris, const struct uri_finding *finding);
bool uri_known_tld(struct slice tld);
/* At least two labels, of letters, digits, "-" inside and "_" (not in the last two), none over 63 octets. ASCII. */
bool uri_valid_host(struct slice host);

#endif
