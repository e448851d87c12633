#ifndef GATEHOUSE_PROXY_TRANSACTION_LOG_H
#define GATEHOUSE_PROXY_TRANSACTION_LOG_H
/* transaction_log: the one log line of a transaction, the same through every door. */
#include "base/log.h"
#include "filters/scan.h"
#include "policy/verdict.h"

struct transaction_record {
	const struct log_context *log;
	const struct scan *scan;
	const struct verdict *verdict;
	const char *id;
	const char *action;        /* what became of it: an action's name, "abort", "backend-reject" … */
	const char *reply;         /* what the client was told */
	uint64_t size;
	struct slice backend;      /* its title; empty: none had it */
	struct slice queue_id;     /* the mail server's, of a milter; empty: none */
	bool in_use;               /* a job runs on the scan: the line has to do, without the journal */
	int64_t t_mail, t_data, t_end, t_filtered, t_done; /* monotonic ms; 0: never came */
};

/* Into the journal too, where there is one. */
void transaction_log(const struct transaction_record *record);
/* The scan's current recipient was refused: into the journal. reply: without the id. */
void transaction_log_recipient(const struct scan *scan, const char *id, const struct refusal *reply);

/* A refusal outside of a transaction: into the journal. text: without the id. */
void transaction_log_session(const struct client *client, const char *id, int64_t now, unsigned code,
			     const char *enhanced, struct slice text);

/* Opens this process's journal, by the configuration. Once, before threads begin. */
void transaction_log_open(const struct config *config, unsigned row);
void transaction_log_close(void);

#endif
