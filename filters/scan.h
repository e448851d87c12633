#ifndef GATEHOUSE_FILTERS_SCAN_H
#define GATEHOUSE_FILTERS_SCAN_H
/*
 * scan: one transaction as the filters see it, whatever door it came by.
 * Owned by the door; one thread at a time.
 */
#include "filters/filter.h"
#include "message/envelope.h"
#include "message/facts.h"
#include "message/hit.h"
#include "message/message.h"
#include "message/question.h"
#include "policy/snapshot.h"

struct scan {
	uint64_t id;                     /* of this process; answers find their scan by it */
	struct arena *arena;
	const struct snapshot *snapshot; /* pinned: config and rules it began with */
	int64_t now;                     /* unix seconds; all that filters know of time */
	struct client client;
	struct envelope envelope;
	struct message message;
	struct facts facts;
	struct hits hits;
	struct questions *questions;
	size_t recipient;                /* PHASE_RCPT: which one */
	unsigned rules_cut_off;          /* for running over their time */
	bool apart;                      /* its recipients come one by one (filters/state.h) */
	const struct filter *running;    /* whose step this is */
	struct pipeline *pipeline;       /* filters/pipeline.c */
};

/* In the arena; the snapshot is retained until scan_destroy. */
struct scan *scan_create(struct arena *arena, const struct snapshot *snapshot, int64_t now);

/* The running filter's settings: its own struct, beginning with filter_common. */
const void *scan_settings(const struct scan *scan);

/*
 * Notes a hit of the running filter. symbol must stand in its table; the
 * score is the table's or the administrator's. fmt makes the evidence; NULL:
 * none. Returns the hit, for action and refusal to be set at once.
 */
struct hit *scan_hit(struct scan *scan, const char *symbol, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As scan_hit, with an action and what the client would be told. text is a
 * printf format. */
struct hit *scan_refuse(struct scan *scan, const char *symbol, enum action action, uint16_t code,
			const char *enhanced, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* A look-up failed: notes symbol with the reason, and defers with
 * 451 enhanced (e.g. "4.7.24") if the filter's on-error says so. */
void scan_on_error(struct scan *scan, const char *symbol, const char *enhanced, const char *why);

/* Short forms for the running filter's questions. */
static inline const struct answer *scan_dns(struct scan *scan, struct slice name,
					    enum dns_type type, enum phase needed)
{
	return ask_dns(scan->questions, name, type, needed);
}

#endif
