#ifndef GATEHOUSE_PROXY_TRANSACTION_QUARANTINE_H
#define GATEHOUSE_PROXY_TRANSACTION_QUARANTINE_H
/* transaction_quarantine: a transaction's message goes into the quarantine, on the job pool. */
#include "proxy/transaction.h"

/* t->added must hold the header section. done is called from the loop; ok: it
 * is on disk. The transaction may not go before: transaction_quarantine_wait. */
void transaction_quarantine(struct transaction *t, void (*done)(struct transaction *t, bool ok));
/* Before the transaction goes: waits for what is under way; done does not come then. */
void transaction_quarantine_wait(struct transaction *t);

#endif
