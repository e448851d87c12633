#ifndef GATEHOUSE_POLICY_QUARANTINE_H
#define GATEHOUSE_POLICY_QUARANTINE_H
/*
 * quarantine: mail put aside, in a folder.
 *
 *     DIR/tmp/ID           being written
 *     DIR/2026-11-22/ID    held: lines "key value", an empty line, the message
 *                          as the backend would have had it
 *     DIR/2026-11-22/ID.released
 *
 * A mail is there when its file has been written, synced, renamed, and its
 * folder synced: then, and not before, its sender is told 250. The envelope
 * stands in the file itself, so that no index can disagree with it. Released
 * is a rename: it happens after the backend's 250, so a crash in between is
 * the one case in which a mail is handed over twice.
 *
 * Several processes may use one folder. Functions block on the disk.
 */
#include "message/envelope.h"

struct quarantine_entry {
	struct slice id;          /* letters and digits */
	int64_t time;             /* unix seconds */
	struct client client;     /* ip, port, helo, name, login */
	struct slice sender, sender_params;
	bool body_8bit, smtputf8;
	struct slice *recipients, *recipient_params;
	size_t recipient_count;
	double score;
	struct slice policy, why, subject;
	uint64_t size;            /* octets of the message */
	bool released;
};

#define QUARANTINE_ERROR_MAX 300

/* Thread-safe. added and content, one behind the other, are the message. */
bool quarantine_store(const char *dir, const struct quarantine_entry *entry, struct slice added,
		      struct slice content, char error_r[QUARANTINE_ERROR_MAX]);

/* Calls fn for each entry, oldest day first; the entry lives until fn returns.
 * fn false: enough. Returns how many files could not be read. */
size_t quarantine_each(const char *dir, bool (*fn)(void *arg, const struct quarantine_entry *entry), void *arg);

struct quarantine_open {
	struct arena *arena;
	struct quarantine_entry entry;
	struct slice message, mapped;
	int fd;                   /* locked: nobody else releases it meanwhile */
};
/* By id. lock: for a release; fails while another holds it. */
bool quarantine_open(const char *dir, struct slice id, bool lock, struct quarantine_open *open_r,
		     char error_r[QUARANTINE_ERROR_MAX]);
void quarantine_close(struct quarantine_open *open);
/* The backend has it: recorded, synced. */
bool quarantine_mark_released(const char *dir, const struct quarantine_open *open,
			      char error_r[QUARANTINE_ERROR_MAX]);
/* Removes what is older than before, then the oldest until at most max_size
 * octets are held (0: any) or but one mail is left. Returns how many; those
 * that were never released are logged. */
size_t quarantine_expire(const char *dir, int64_t before, uint64_t max_size);

#endif
