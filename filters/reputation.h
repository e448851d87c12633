#ifndef GATEHOUSE_FILTERS_REPUTATION_H
#define GATEHOUSE_FILTERS_REPUTATION_H
/*
 * reputation: how much ham and spam a sending system (state_who) brought
 * before, by the verdicts it got. What reputation itself added to a score is
 * not learnt from, so that no opinion feeds on itself. Off until enabled.
 */
#include "filters/scan.h"
#include "policy/verdict.h"

struct reputation_settings {
	struct filter_common common;
	int64_t messages;        /* seen before there is an opinion */
	int64_t memory;          /* ms the counts last */
};

/* Known counts; false: asked, no answer yet. A store that fails: both 0. */
bool reputation_read(struct scan *scan, enum phase needed, int64_t *ham_r, int64_t *spam_r);
/* At most one request. */
size_t reputation_learn(const struct scan *scan, const struct verdict *verdict, struct store_request *request_r);

extern const struct filter reputation_filter;

#endif
