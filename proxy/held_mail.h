#ifndef GATEHOUSE_PROXY_HELD_MAIL_H
#define GATEHOUSE_PROXY_HELD_MAIL_H
/* held_mail: a judged message on its way into the quarantine (policy/quarantine.h). */
#include "filters/scan.h"
#include "policy/quarantine.h"
#include "policy/verdict.h"

struct held_mail {
	char dir[1100];
	struct quarantine_entry entry;  /* in the scan's arena */
	struct slice added, content;    /* the message: header section as a backend would get it, the rest */
	int64_t keep;
	uint64_t max_size;
	char error[QUARANTINE_ERROR_MAX];
};

void held_mail_prepare(struct held_mail *held, const struct scan *scan, const struct verdict *verdict,
		       const char *id, struct slice added);
/* Writes and syncs it; now and then what is too old goes. Blocks; on any
 * thread. False: held->error says why. */
bool held_mail_store(struct held_mail *held);

/* A copy of the message as it came is to be made for gatehouse replay. */
bool held_mail_is_kept(const struct scan *scan, bool refused);
/* Makes it. Blocks; on any thread. */
void held_mail_keep(const struct scan *scan, const char *id);

#endif
