#ifndef GATEHOUSE_POLICY_MILTER_ADDRESS_H
#define GATEHOUSE_POLICY_MILTER_ADDRESS_H
/*
 * milter_address: sockets in the ways mail servers write them:
 * unix:/path, local:/path, inet:8891@127.0.0.1, inet:127.0.0.1:8891,
 * inet6:8891@::1, inet6:[::1]:8891. An address alone or localhost, no other names.
 */
#include "base/settings.h"

bool milter_address_parse(struct arena *arena, struct slice text, struct endpoint *endpoint_r);

#endif
