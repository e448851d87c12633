#ifndef GATEHOUSE_PROXY_TRANSACTION_LOG_H
#define GATEHOUSE_PROXY_TRANSACTION_LOG_H
/* The one log line of a transaction. */
#include "proxy/transaction.h"

/* how: "accept", "reject" …: what became of it. */
void transaction_log(const struct transaction *t, const char *how);

#endif
