#ifndef GATEHOUSE_BASE_SCANNER_H
#define GATEHOUSE_BASE_SCANNER_H
/*
 * scanner: asks a virus scanner that speaks clamd's protocol (clamd(8),
 * INSTREAM) about a message. One connection a question.
 *
 * The answer: FOUND with the finding's name as value; NODATA: nothing was
 * found; TEMPERROR: no word of it (not there, too slow, too large for it).
 */
#include "base/answer.h"
#include "base/settings.h"

struct event_base;
struct scanner_query;

struct scanner_config {
	struct endpoint address; /* unix socket or IP address; no name */
	int64_t timeout;         /* ms for all of it */
};

typedef void scanner_done_fn(void *arg, const struct answer *answer);

/* content has to stay until done (called from the loop, once, never before
 * this returns) or scanner_cancel. The answer lives until done returns. */
struct scanner_query *scanner_ask(struct event_base *base, const struct scanner_config *config, struct slice content,
				  scanner_done_fn *done, void *arg);
void scanner_cancel(struct scanner_query **query);

#endif
