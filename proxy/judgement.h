#ifndef GATEHOUSE_PROXY_JUDGEMENT_H
#define GATEHOUSE_PROXY_JUDGEMENT_H
/* judgement: what the doors do alike with a scan: from what was found to what is said and counted. */
#include "filters/scan.h"
#include "policy/verdict.h"
#include "proxy/smtp_data.h"
#include "proxy/stats.h"

/* 452 4.5.3: the scan's current recipient has to come in a message of its own. */
struct refusal judgement_other_message(const struct scan *scan, const char *id);

/* May the scan's current recipient be accepted, as far as we are concerned?
 * Sets its role. False: the refusal, without the id. */
bool judgement_recipient(struct scan *scan, const char *id, struct refusal *refusal_r);
/* The message is all there: sets what is known of it from its bytes. NULL, or
 * what is wrong with it as such. */
const struct refusal *judgement_message(struct scan *scan, const struct smtp_data *data, struct slice all);
/* At END, after all filters. Counts it too. */
void judgement_end(struct scan *scan, const char *id, struct verdict *verdict_r, struct stats *stats, unsigned row);

/* At END where each recipient has an answer of its own: the strictest of all, counted. */
void judgement_end_each(struct scan *scan, const char *id, struct verdict *strictest_r, struct stats *stats,
			unsigned row);
/* And one recipient's. On submission it is the strictest too. */
void judgement_for(struct scan *scan, const char *id, size_t recipient, struct verdict *verdict_r);

/* The scan's current recipient was refused. */
void judgement_count_refused(const struct scan *scan, struct stats *stats, unsigned row);
/* What all of it has asked; once, at its end. */
void judgement_count_asked(const struct scan *scan, struct stats *stats, unsigned row);

/* The id goes with each answer: what an administrator is asked about. */
struct slice judgement_text(struct arena *arena, struct slice text, const char *id);

#endif
