#ifndef GATEHOUSE_PROXY_CLI_PROMOTE_H
#define GATEHOUSE_PROXY_CLI_PROMOTE_H

/* gatehouse shadow promote: what ran in shadow becomes real. argv[0] is "promote". */
int cli_promote(int argc, char **argv, const char *usage);

#endif
