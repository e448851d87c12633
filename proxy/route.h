#ifndef GATEHOUSE_PROXY_ROUTE_H
#define GATEHOUSE_PROXY_ROUTE_H
/* route: which backend takes which recipient. */
#include "proxy/session.h"

/* The backend for this recipient: of those the listener names (all, if none),
 * one whose domains name it, before one that takes everything; among equals
 * the lowest priority, then the first written. NULL: there is none. */
struct backend *route_choose(const struct session *session, const struct mailbox *recipient);
/* Is it one of the listener's? */
bool route_has(const struct session *session, const struct backend *backend);

#endif
