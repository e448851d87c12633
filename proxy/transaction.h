#ifndef GATEHOUSE_PROXY_TRANSACTION_H
#define GATEHOUSE_PROXY_TRANSACTION_H
/*
 * transaction: from MAIL to the reply to its content (RFC 5321 3.3).
 *
 *   transaction_begin      MAIL: scan and pipeline start; MAIL is answered at once
 *   transaction_recipient  RCPT: filters, verdict, backend, reply
 *   transaction_data       DATA: 354, then transaction_feed with what comes
 *   transaction_chunk      BDAT: the octets of a chunk, to transaction_feed
 *   the end                filters, verdict, backend, reply, one log line
 *
 * Each of them ends with a reply to the client and session_resume().
 */
#include "filters/scan.h"
#include "message/address.h"
#include "policy/verdict.h"
#include "proxy/content.h"
#include "proxy/session.h"
#include "proxy/smtp_data.h"

struct transaction {
	struct session *session;
	struct arena *arena;
	struct scan *scan;
	struct delivery *delivery;   /* from the first recipient that our checks accept */
	struct content *content;
	struct smtp_data data;
	struct verdict verdict;
	struct buf chunk;            /* canonical bytes of one read */
	struct buf added;            /* header lines of ours, and the kept ones */
	size_t accepted;             /* recipients */
	size_t body_fed;             /* octets of the message that body() has had, header included */
	size_t header_len;           /* with the blank line; 0: not complete */
	bool filters_running;        /* driver_run is under way */
	bool wants_recipient;        /* RCPT waits for that */
	bool headers_done, storage_failed;
	bool in_chunks, chunk_last;  /* content comes by BDAT; this chunk is the last */
	uint64_t chunk_size, chunk_left;
	int64_t t_mail, t_rcpt, t_data, t_end, t_filtered, t_done; /* monotonic ms */
	struct recipient_check *check; /* proxy/recipient_check.c; NULL: not under way */
	struct each *each;           /* proxy/transaction_each.c; NULL: one answer for all */
	struct quarantining *quarantining; /* proxy/transaction_quarantine.c; NULL: not under way */
	char id[TRACE_ID_LEN + 1];
	char reply[256];             /* what the client was told, for the log */
};

void transaction_begin(struct session *s, const struct envelope *envelope);
void transaction_recipient(struct session *s, const struct recipient *recipient);
void transaction_data(struct session *s);
/* BDAT (RFC 3030 2): size octets come; last: the message ends with them. */
void transaction_chunk(struct session *s, uint64_t size, bool last);
/* Takes content off the session's stream. Its end may be among it. */
void transaction_feed(struct session *s, struct slice in);
/* Ends it without a reply (RSET, EHLO, the client has gone). */
void transaction_abort(struct session *s, const char *why);

#endif
