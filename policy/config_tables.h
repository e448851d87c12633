#ifndef GATEHOUSE_POLICY_CONFIG_TABLES_H
#define GATEHOUSE_POLICY_CONFIG_TABLES_H
/* config_tables: what can be written in gatehouse.conf, section by section. */
#include "policy/config.h"

extern const struct section config_top_section, config_tls_section, config_listen_section,
	config_milter_section, config_backend_section, config_relay_section, config_dns_section,
	config_rules_section, config_networks_section, config_limits_section, config_state_section,
	config_log_section, config_policy_section, config_list_section, config_dnslist_section;

/* All but the top and the filters; NULL-terminated. */
extern const struct section *const config_sections[];

#endif
