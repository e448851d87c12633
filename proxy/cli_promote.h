#ifndef GATEHOUSE_PROXY_CLI_PROMOTE_H
#define GATEHOUSE_PROXY_CLI_PROMOTE_H
/*
 * gatehouse shadow promote: what ran in shadow becomes real. config: NULL for
 * the usual one; write: change its lines, not only show them. Returns an exit
 * status.
 */
#include <stdbool.h>

int cli_promote(const char *config, bool write, char **names, int count);

#endif
