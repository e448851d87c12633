#ifndef GATEHOUSE_PROXY_REPLAY_REPORT_H
#define GATEHOUSE_PROXY_REPLAY_REPORT_H
/* replay_report: then beside now. */
#include "base/buf.h"
#include "proxy/replay.h"

#define REPORT_QUESTIONS_MAX 100

struct replay_report {
	struct arena *arena;
	struct slice id;
	const struct session_record *record;
	const char *mail_from;      /* where the mail was found */
	bool mail_missing;          /* what was found in it is of then */
	struct slice questions[REPORT_QUESTIONS_MAX]; /* that were not asked then */
	size_t question_count;
};

void replay_report_new_question(struct replay_report *report, const struct question *question);
/* True: the same action as then, for the message and each recipient. */
bool replay_report_write(struct buf *out, const struct replay_report *report, const struct replay_result *result,
			 bool json);

#endif
