#ifndef GATEHOUSE_PROXY_SPAWN_H
#define GATEHOUSE_PROXY_SPAWN_H
/*
 * spawn: starting processes with less than we have. The child gives up root
 * for `user` (when we are root), may gain no privileges again, has its limits
 * set, and keeps only the descriptors it is given.
 */
#include <sys/types.h>

#include "base/slice.h"

struct identity {
	uid_t uid;
	gid_t gid;
	bool change;        /* we are root and a user is named */
	char name[64];
};

/* Looks user up. Empty: stay who we are. False: there is no such user. */
bool identity_find(struct slice user, struct identity *identity_r);
/* In a child: become identity for good. Ends the process on failure. */
void identity_assume(const struct identity *identity);
/* no-new-privileges, no core, as many descriptors as the hard limit allows. */
void limits_assume(void);

/* Runs this very program again with argv; fds[i] becomes descriptor 3 + i.
 * Returns the child's pid, or -1 (errno). */
pid_t spawn_self(const struct identity *identity, char *const argv[], const int *fds, size_t count);

/* A sealed memfd that holds bytes. -1: errno. */
int sealed_memfd(const char *name, struct slice bytes);
/* All of a descriptor from its beginning; malloc'd. False: errno. */
bool read_all(int fd, char **data_r, size_t *len_r);

#endif
