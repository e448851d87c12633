#ifndef GATEHOUSE_PROXY_TRANSACTION_EACH_H
#define GATEHOUSE_PROXY_TRANSACTION_EACH_H
/*
 * transaction_each: the content's answer for each recipient (PRDR,
 * draft-hall-prdr): 353, then a reply for each accepted recipient in their
 * order, then one for the message.
 *
 * Each recipient is judged under the policy of its own. Those that get the
 * same message (the same action, the same policy's header lines) go to the
 * backend in one transaction; what it answers for each of them is passed on.
 * Nobody is told 250 before that recipient's mail is stored.
 */
#include "proxy/transaction.h"

/* The client has asked for it, and there is more than one recipient. */
bool transaction_each_due(const struct transaction *t);
/* After the filters' END. done: all has been said but the last reply. how: for
 * the log. The transaction's verdict is then the strictest of all. */
void transaction_each(struct transaction *t,
		      void (*done)(struct transaction *t, const char *how, const struct refusal *last));

#endif
