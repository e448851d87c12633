#ifndef GATEHOUSE_PROXY_RECIPIENT_CHECK_H
#define GATEHOUSE_PROXY_RECIPIENT_CHECK_H
/*
 * recipient_check: does the backend take this recipient? Asked of the backend
 * that gets the mail, or first of the one that its verify-with names; what
 * either said of the address itself is remembered in the state for
 * verify-cache, for all workers.
 *
 * Keys of the store: rcpt:TITLE LOCAL@DOMAIN, TITLE being the asked backend's;
 * the value is its reply, "250" or "550 5.1.1 text".
 */
#include "proxy/transaction.h"

/* Asks for the scan's current recipient, on the transaction's delivery. As
 * delivery_rcpt(): one outcome, one call at a time. */
void recipient_check_ask(struct transaction *t, outcome_fn *fn, void *arg);
/* Nothing more is called. */
void recipient_check_cancel(struct transaction *t);

#endif
