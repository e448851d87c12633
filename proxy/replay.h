#ifndef GATEHOUSE_PROXY_REPLAY_H
#define GATEHOUSE_PROXY_REPLAY_H
/*
 * replay: a recorded session (proxy/session_record.h) once more, under a
 * snapshot of today, with the answers of then. Where the mail isn't there,
 * what was found in it is taken from the record.
 */
#include "proxy/driver_wait.h"
#include "proxy/session_record.h"

struct replay_input {
	const struct session_record *record;
	struct slice mail;           /* data NULL: it isn't there */
	const char *id;
	int64_t deadline_ms;         /* of one phase */
};

struct replay_result {
	struct scan *scan;
	struct verdict verdict;
	struct slice reply;          /* "554 5.7.1 …"; empty: it would be accepted, as far as we are concerned */
	struct refusal *refusals;    /* of each recipient of the scan; code 0: accepted */
	size_t *recipients;          /* which of the record each is */
};

/* Everything in the arena. The driver's `recorded` answers from the record. */
void replay_run(struct arena *arena, const struct snapshot *snapshot, struct wait_driver *driver,
		const struct replay_input *input, struct replay_result *result_r);

#endif
