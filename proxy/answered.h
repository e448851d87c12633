#ifndef GATEHOUSE_PROXY_ANSWERED_H
#define GATEHOUSE_PROXY_ANSWERED_H
/*
 * answered: a backend's reply as the outcome our client is to get (DESIGN 4).
 * What tells of our own trouble with the backend, not of the mail, becomes a
 * 451: it must not bounce mail.
 */
#include "proxy/delivery.h"
#include "proxy/reply.h"

#define DELIVERY_TROUBLE "Mail server has trouble, please try again later"

struct answered {
	struct outcome outcome;   /* its strings live here; code 0: nothing was answered */
	char enhanced[REPLY_ENHANCED_MAX];
	struct buf text;
	char cause[200];          /* not empty: our own trouble, for the log; the outcome is the 451 then */
};

void answered_set(struct answered *answer, const struct reply *reply);
void answered_clear(struct answered *answer);

/* The answers for single recipients, by index; zeroed: none. */
struct answered_list {
	struct answered *list;
	size_t count;
	struct outcome *outcomes; /* answered_list_outcomes() */
};

/* Room for that many, all unanswered. */
void answered_list_begin(struct answered_list *answers, size_t count);
/* The message as such was refused behind them: then nobody has it. */
void answered_list_overrule(struct answered_list *answers, const struct reply *last);
/* As struct outcome's each. Valid until the next call on the list. */
const struct outcome *answered_list_outcomes(struct answered_list *answers);
void answered_list_free(struct answered_list *answers);

#endif
