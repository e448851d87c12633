#ifndef GATEHOUSE_PROXY_COMPILER_H
#define GATEHOUSE_PROXY_COMPILER_H
/*
 * compiler: reads and checks the configuration in a short-lived process (executed, so that it has
 * nothing of ours: no sockets, no handlers), and
 * hands over its expanded text in a sealed memfd. The file names the user that
 * everything else runs as, so it is read as whoever started us; what it leads
 * to is read as that user.
 */
#include <sys/types.h>

#include "proxy/spawn.h"

/* Starts it; errors go to our stderr as file:line: message. *out_r: where the
 * text will be. first: there is none in force yet, so an expired certificate is
 * complained of, not refused. -1: errno. */
pid_t compiler_start(const char *path, bool first, int *out_r);
/*
 * The slow part, when the workers are at work already: compiles the rule images of a configuration (as its user,
 * at the lowest priority) into rules.cache. Status 0: there are new ones, which workers take at their start.
 */
pid_t compiler_images_start(int config_fd, const struct identity *identity);
/* It ended with status 0: seals the text. False: it ended otherwise. */
bool compiler_finish(int status, int out);

#endif
