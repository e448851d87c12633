#ifndef GATEHOUSE_FILTERS_PIPELINE_H
#define GATEHOUSE_FILTERS_PIPELINE_H
/*
 * pipeline: runs every filter of the table through the phases. Pure: it ends
 * with DONE or with questions to be answered.
 *
 * A door calls, in this order,
 *   pipeline_begin(scan)
 *   pipeline_enter(scan, PHASE_CONNECT), … as each phase's data is in the scan
 *   pipeline_advance(scan, phase) until it is PIPELINE_DONE, giving answers
 *     to questions_next() in between. Entering the next phase need not wait
 *     for the one before: each filter goes through its phases in order.
 *   pipeline_body(scan, chunk) after PHASE_HEADERS was entered and is DONE.
 */
#include "filters/scan.h"

enum pipeline_state { PIPELINE_DONE, PIPELINE_NEED };

/* All filters, in order of their running; NULL-terminated. */
extern const struct filter *const filter_table[];

void pipeline_begin(struct scan *scan);
/*
 * PHASE_RCPT may be entered many times, once scan->recipient is set; the one
 * before must be DONE. It is not entered for filters that the recipient's
 * policy has off. Whoever gets the mail is known with PHASE_HEADERS: from then
 * on a filter that policies alone switch on runs only if one of theirs does.
 */
void pipeline_enter(struct scan *scan, enum phase phase);
/* Runs what can run. DONE when every filter is through all entered phases up
 * to `upto`. */
enum pipeline_state pipeline_advance(struct scan *scan, enum phase upto);
void pipeline_body(struct scan *scan, struct slice chunk);
/* The deadline has come: pending questions are answered as temporary errors
 * and the filters brought to an end. Always ends DONE. */
void pipeline_give_up(struct scan *scan, enum phase upto, const char *why);

const struct filter *filter_find(struct slice name);
/* The phase whose step is running. */
enum phase pipeline_phase(const struct scan *scan);

#endif
