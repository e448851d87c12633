#ifndef GATEHOUSE_POLICY_KEPT_H
#define GATEHOUSE_POLICY_KEPT_H
/*
 * kept: copies of mails for `gatehouse replay`, by id, in a folder of bounded
 * size: the oldest go first. Hints, not mail: nothing waits for the disk, and
 * what can't be written is lost.
 */
#include "base/arena.h"

/* Several processes may use one folder; each may go an eighth over max_size.
 * A mail larger than an eighth isn't kept. Blocks; any thread. */
void kept_store(struct slice folder, const char *id, struct slice mail, uint64_t max_size);
/* In the arena. False: there is none. */
bool kept_read(struct arena *arena, struct slice folder, struct slice id, struct slice *mail_r);

#endif
