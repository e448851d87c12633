#ifndef GATEHOUSE_PROXY_RESOLVER_SETUP_H
#define GATEHOUSE_PROXY_RESOLVER_SETUP_H
/* resolver_setup: a resolver as the dns section asks for it. */
#include "base/resolver.h"
#include "policy/config.h"

/* *zone_r: the zone it answers from, to be destroyed after it; NULL if none.
 * NULL: error says why. */
struct resolver *resolver_setup(struct event_base *base, const struct config *config, struct zone **zone_r,
				char error[RESOLVER_ERROR_MAX]);
/* Its settings alone, for who makes it otherwise. They point into the
 * configuration. False: error says why. */
bool resolver_settings(const struct config *config, struct zone **zone_r, struct resolver_config *settings_r,
		       char error[RESOLVER_ERROR_MAX]);

#endif
