#ifndef GATEHOUSE_PROXY_CLI_USAGE_H
#define GATEHOUSE_PROXY_CLI_USAGE_H
/*
 * cli_usage: how every command reads its options, and how it says what is
 * wrong with them: one line, and where its help is.
 */
#include <getopt.h>

/* "gatehouse COMMAND: …" and "Try gatehouse COMMAND --help" on stderr; command
 * may be "". Returns EX_USAGE. */
int cli_bad_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * getopt_long(3); shorts begins with ':'. '?': an option that isn't known, or
 * lacks its value, or takes none; that has been said.
 */
int cli_option(const char *command, int argc, char **argv, const char *shorts, const struct option *longs);

/* Says that the value of the option just read isn't what it should be ("an IP address"). Returns EX_USAGE. */
int cli_bad_value(const char *command, const struct option *longs, int option, const char *expected);

/* word, NULL if there is none, isn't among a command's verbs (NULL at the end): says so. Returns EX_USAGE. */
int cli_bad_verb(const char *command, const char *word, const char *const *verbs);

#endif
