#ifndef GATEHOUSE_PROXY_JOURNAL_ENTRY_H
#define GATEHOUSE_PROXY_JOURNAL_ENTRY_H
/* journal_entry: a scan and its verdict as a paragraph of the journal (policy/journal.h). */
#include "base/buf.h"
#include "filters/scan.h"
#include "policy/verdict.h"

struct journal_entry {
	const char *id;
	const char *how;                 /* what became of it: "reject", "accept", "recipient refused" … */
	struct slice reply;              /* what the client was told */
	struct slice queue_id;           /* the mail server's, of a milter; empty: none */
	const struct verdict *verdict;   /* of the message; policy NULL: there was none */
	int recipient;                   /* the one refused, or -1: the message */
	bool brief;                      /* session and questions stand in an entry before */
};

/* How an entry about a session begins: what was said is to follow, and an empty line. */
void journal_entry_of_session(struct buf *out, const struct client *client, const char *id, int64_t now);
void journal_entry_write(struct buf *out, const struct scan *scan, const struct journal_entry *entry);

#endif
