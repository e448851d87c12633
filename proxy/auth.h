#ifndef GATEHOUSE_PROXY_AUTH_H
#define GATEHOUSE_PROXY_AUTH_H
/*
 * auth: AUTH relayed to the backend (RFC 4954). We know no passwords: every
 * response of the client goes to the backend, every challenge back, and only
 * its 235 counts. What is said is never logged. From then on the backend's
 * connection belongs to this session (delivery_home).
 */
#include "proxy/session.h"

struct auth;

/* Some server behind this listener knows AUTH, under TLS at least. */
bool auth_is_possible(const struct session *session);
/* Can this session authenticate now, and by what? NULL: no; else the
 * mechanisms, in upper case, a space between. */
const char *auth_mechanisms(const struct session *s);
/* AUTH with its argument; replies when there is something to say. */
void auth_begin(struct session *s, struct slice arg);
/* A response line while SESSION_AUTH. */
void auth_on_line(struct session *s, struct slice line);
/* The session ends. */
void auth_destroy(struct auth **auth);

/* The name a client's first response carries, for the mechanisms that show it
 * (PLAIN, LOGIN, SCRAM-*, XOAUTH2, OAUTHBEARER); empty: not shown. */
struct slice auth_login_name(struct arena *arena, struct slice mechanism, struct slice response);

#endif
