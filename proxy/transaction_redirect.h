#ifndef GATEHOUSE_PROXY_TRANSACTION_REDIRECT_H
#define GATEHOUSE_PROXY_TRANSACTION_REDIRECT_H
/*
 * transaction_redirect: a transaction's message goes to verdict.redirect
 * instead of its recipients. What the backend was told of them is taken back;
 * then it, or the one whose domain the address is of, gets a transaction with
 * that one recipient.
 */
#include "proxy/delivery.h"
#include "proxy/transaction.h"

/* t->added must hold the header section. A backend that doesn't take the
 * address is our trouble: done(arg) gets a 451, so nothing is lost. The
 * outcome is one, for all recipients. t->delivery is another afterwards. */
void transaction_redirect(struct transaction *t, bool (*still_there)(void *arg), outcome_fn *done, void *arg);

#endif
