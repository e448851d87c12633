#ifndef GATEHOUSE_PROXY_STATS_H
#define GATEHOUSE_PROXY_STATS_H
/*
 * stats: counters of all workers in memory they share with the master. Each
 * worker writes its own row; anybody may read. A row outlives its worker, so
 * totals don't go back when one dies; what is "now" is cleared.
 */
#include "base/cidr.h"

enum counter {
	STAT_SESSIONS,         /* begun */
	STAT_SESSIONS_NOW,
	STAT_SESSIONS_REFUSED, /* 421 at the door */
	STAT_MESSAGES,         /* that reached a verdict */
	STAT_ACCEPTED,         /* acknowledged with 250 */
	STAT_TAGGED,
	STAT_REJECTED,
	STAT_DEFERRED,
	STAT_QUARANTINED,
	STAT_REDIRECTED,
	STAT_RCPT_REFUSED,
	STAT_RELAY_DENIED,
	STAT_BACKEND_FAILURES,
	STAT_BYTES_IN,
	STAT_DNS_QUESTIONS,
	STAT_RULES_CUT_OFF,    /* for running over rules.rule-budget on a mail */
	STAT_DNSLISTS_SUSPENDED, /* now; as the worker with most knows */
	STAT_LOOP_STALLS,      /* longer than 20 ms */
	STAT_LOOP_WORST_US,
	STATS
};

struct stats;

/* Rows for that many workers, shared over fork and exec by *fd_r (a memfd). */
struct stats *stats_create(unsigned rows, int *fd_r);
/* Maps what another process created. NULL: errno. */
struct stats *stats_attach(int fd);
/* Lets go of them; others may still have them. */
void stats_destroy(struct stats **stats);
const char *stat_name(enum counter counter);

void stats_add(struct stats *stats, unsigned row, enum counter counter, int64_t amount);
void stats_max(struct stats *stats, unsigned row, enum counter counter, int64_t value);
void stats_set(struct stats *stats, unsigned row, enum counter counter, int64_t value);
/* Over all rows: the sum; of _WORST_ and _SUSPENDED the greatest. */
int64_t stats_total(const struct stats *stats, enum counter counter);
/* A worker died: nothing of it is "now" any more. */
void stats_clear_now(struct stats *stats, unsigned row);

/* Sessions of one client over all workers, by a table of hashed addresses:
 * two clients that share a slot are counted together (1 in 65,536). delta is
 * +1 or -1; returns the sum after it. */
unsigned stats_client(struct stats *stats, unsigned row, const struct ip *ip, int delta);

#endif
