#ifndef GATEHOUSE_PROXY_ROUTE_H
#define GATEHOUSE_PROXY_ROUTE_H
/* route: which backend takes which recipient. */
#include "proxy/session.h"

/* A backend as the choice sees it. */
struct route_candidate {
	const struct config_backend *config;
	bool healthy;
};

struct route_target {
	struct slice domain;   /* of the recipient */
	struct slice login;    /* of the client; empty: nobody */
};

/*
 * The choice itself, pure: of the candidates that take both those that name
 * the login come before the others, and then those that name the domain
 * before those that take everything; of these the healthy ones
 * (all, if none is), of these the lowest priority, and among equals chance by
 * their weights. random: any number. Returns an index, or -1.
 */
int route_pick(const struct route_candidate *candidates, size_t count, const struct route_target *target,
	       uint32_t random);

/* The backend for this recipient, of those the listener names (all, if
 * none). Who has authenticated stays with the backend that knows him, unless
 * users of some backend name him. NULL: there is none. */
struct backend *route_choose(const struct session *session, const struct mailbox *recipient);
/* It takes this recipient as well as any. */
bool route_takes(const struct session *session, const struct backend *backend, const struct mailbox *recipient);
/* Is it one of the listener's? */
bool route_has(const struct session *session, const struct backend *backend);

#endif
