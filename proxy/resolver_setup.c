#include "proxy/resolver_setup.h"

#include <stdio.h>

#include "base/zonefile.h"

bool resolver_settings(const struct config *config, struct zone **zone_r, struct resolver_config *settings_r,
		       char error[RESOLVER_ERROR_MAX])
{
	const struct config_dns *dns = config->dns;
	struct zone_errors errors = { .count = 0 };
	*zone_r = NULL;
	if (dns->zone_file.len > 0) {
		*zone_r = zone_create();
		if (!zonefile_read(*zone_r, dns->zone_file.data, &errors)) {
			snprintf(error, RESOLVER_ERROR_MAX, "%.100s:%u: %.80s", dns->zone_file.data, errors.list[0].line,
				 errors.list[0].text);
			zone_destroy(zone_r);
			return false;
		}
	}
	*settings_r = (struct resolver_config){
		.forward = dns->forward.items, .forward_count = dns->forward.count, .zone = *zone_r,
		.timeout = dns->timeout, .dnssec = dns->dnssec, .trust_anchor = dns->trust_anchor,
	};
	return true;
}

struct resolver *resolver_setup(struct event_base *base, const struct config *config, struct zone **zone_r,
				char error[RESOLVER_ERROR_MAX])
{
	struct resolver_config settings;
	if (!resolver_settings(config, zone_r, &settings, error))
		return NULL;
	struct resolver *resolver = resolver_create(base, &settings, error);
	if (resolver == NULL)
		zone_destroy(zone_r);
	return resolver;
}
