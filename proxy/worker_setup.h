#ifndef GATEHOUSE_PROXY_WORKER_SETUP_H
#define GATEHOUSE_PROXY_WORKER_SETUP_H
/* worker_setup: what every kind of worker does with what the master handed it (worker_fds.h). */
#include "policy/snapshot.h"

/* A terminal's, a service manager's: the master steers its workers by the channel. */
void worker_ignore_signals(void);
/* Of the sealed configuration. NULL: said why on stderr. */
struct snapshot *worker_snapshot(uint64_t generation);
/* Folder for content that is too big for memory. */
struct slice worker_spool(const struct config *config);
/* Opens what decoding needs of files, then shuts. Before there are threads. Files may be written below the state's folders, the
 * spool's and the rule cache's; delivers: below those of maildirs too. */
void worker_enter_sandbox(const struct config *config, bool delivers);
/* Tells the master that connections are accepted. */
void worker_say_ready(void);

#endif
