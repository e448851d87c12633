#ifndef GATEHOUSE_PROXY_COMMAND_H
#define GATEHOUSE_PROXY_COMMAND_H
/*
 * command: the SMTP commands (RFC 5321 4.1), a table. Each has a check (may it
 * come now, is its argument well formed) and a proceed (its effect). A check
 * that fails has replied.
 */
#include "proxy/session.h"

/* One line without its ending. */
void command_dispatch(struct session *session, struct slice line);
/* What this listener can offer in EHLO: capabilities of all its backends. */
struct backend_caps command_offered(const struct session *session);

#endif
