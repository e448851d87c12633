#ifndef GATEHOUSE_PROXY_CLI_CONFIG_H
#define GATEHOUSE_PROXY_CLI_CONFIG_H
/* cli_config: what commands that take -c FILE and --rules PATH share. */
#include <stdio.h>

#include "base/zonefile.h"
#include "policy/config.h"

#define GATEHOUSE_CONF "/etc/gatehouse/gatehouse.conf"

/* Paths from the command line, in order. */
struct cli_paths {
	struct slice *list; /* malloc */
	size_t count;
};
void cli_paths_add(struct cli_paths *paths, const char *path);
void cli_paths_free(struct cli_paths *paths);

/*
 * Reads path; NULL: GATEHOUSE_CONF if there is one, else the defaults. With
 * any rules they take the place of rules.paths. NULL: see errors.
 */
struct config *cli_config_read(struct arena *arena, const char *path, const struct cli_paths *rules,
			       struct config_errors *errors);

/* Reads --zone FILE. EX_OK, or the exit status: what is wrong has been said. */
int cli_zone_read(struct zone *zone, const char *path);

/* "file:line: message" a line, kind ("warning: ") before the message. */
void cli_print_errors(FILE *out, const char *kind, const struct config_errors *errors);

#endif
