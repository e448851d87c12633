#ifndef GATEHOUSE_PROXY_SESSION_RECORD_H
#define GATEHOUSE_PROXY_SESSION_RECORD_H
/*
 * session_record: what `gatehouse replay` needs of a transaction, as lines of
 * its journal entry that begin with "@": client and envelope, every answer
 * octet for octet, every finding. Not the mail.
 */
#include "base/buf.h"
#include "filters/scan.h"
#include "policy/verdict.h"

/* What became of a recipient then. */
enum recipient_fate { FATE_ACCEPTED, FATE_REFUSED, FATE_BACKEND /* refused by the mail server, or to come apart */ };

struct recorded_answer {
	enum question_kind kind;
	uint16_t type;             /* DNS; STORE: enum store_op */
	struct slice asker, name;
	struct answer answer;
};

struct recorded_hit {
	struct hit hit;
	double score;              /* under the policy of then */
};

struct session_record {
	bool has_message;          /* a message was answered; else only recipients were */
	struct slice how, reply;   /* as in the journal: "reject", "554 5.7.1 …" */
	enum action action;        /* the verdict's; ACTION_NONE: there was none */
	double score;
	int64_t now;
	struct client client;
	struct envelope envelope;  /* recipients accepted or not as then */
	enum recipient_fate *fates; /* of each */
	bool had_bare_lf, had_long_line, had_8bit_header;
	struct recorded_answer *answers;
	size_t answer_count;
	struct recorded_hit *hits;
	size_t hit_count;
	bool cut;                  /* there were more answers than are kept */
};

/* recipient: the one refused, or -1: the message. brief: the session stands in an entry before. */
void session_record_write(struct buf *out, const struct scan *scan, const struct verdict *verdict, int recipient,
			  bool brief);
/* Of all entries of one id, as journal_find gives them; the record lives in
 * the arena and points into entries. False: there is none in it. */
bool session_record_read(struct arena *arena, struct slice entries, struct session_record *record_r);
/* NULL: it was not asked then, or not kept. */
const struct answer *session_record_answer(const struct session_record *record, const struct question *question);

#endif
