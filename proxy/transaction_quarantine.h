#ifndef GATEHOUSE_PROXY_TRANSACTION_QUARANTINE_H
#define GATEHOUSE_PROXY_TRANSACTION_QUARANTINE_H
/* transaction_quarantine: a transaction's message goes to the disk, on the job pool: into the quarantine, or as a
 * copy for gatehouse replay. One of both at a time. */
#include "proxy/transaction.h"

/* t->added must hold the header section. done is called from the loop; ok: it
 * is on disk. The transaction may not go before: transaction_quarantine_wait. */
void transaction_quarantine(struct transaction *t, void (*done)(struct transaction *t, bool ok));
/* True: a copy is made (state.keep-mail), and done is called from the loop. */
bool transaction_keep(struct transaction *t, bool refused, void (*done)(struct transaction *t));
/* Before the transaction goes: waits for what is under way; done does not come then. */
void transaction_quarantine_wait(struct transaction *t);

#endif
