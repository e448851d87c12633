#ifndef GATEHOUSE_PROXY_FOLDERS_H
#define GATEHOUSE_PROXY_FOLDERS_H
/*
 * folders: where state is kept is there, and the workers' user may write in it.
 */
#include "policy/config.h"
#include "proxy/spawn.h"

/* Makes the folders of state and of the control socket that are missing: those of
 * state for the workers' user alone. One that is there stays as it is, and is
 * named in the log if that user can't write in it. */
void folders_prepare(const struct config *config, const struct identity *identity);

#endif
