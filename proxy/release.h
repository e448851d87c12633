#ifndef GATEHOUSE_PROXY_RELEASE_H
#define GATEHOUSE_PROXY_RELEASE_H
/*
 * release: hands a mail of the quarantine to the backend that its recipients
 * belong to, as the proxy would have: same client information, same envelope,
 * same bytes. All recipients have to be of one backend.
 */
#include "policy/quarantine.h"
#include "policy/snapshot.h"

/* to: instead of the recipients there were; empty: those. Blocks. True: the
 * backend has it; reply_r is what it said, or what went wrong. */
bool release_mail(const struct snapshot *snapshot, const struct quarantine_open *mail, struct slice to,
		  char reply_r[QUARANTINE_ERROR_MAX]);

#endif
