#include "proxy/transaction_quarantine.h"

#include <stdlib.h>

#include "proxy/held_mail.h"

struct quarantining {
	struct transaction *t;
	struct jobs *jobs;
	struct held_mail held;
	bool ok;
	void (*done)(struct transaction *t, bool ok);
};

/* On a thread. */
static void run(void *arg)
{
	struct quarantining *q = arg;
	q->ok = held_mail_store(&q->held);
}

static void on_stored(void *arg)
{
	struct quarantining *q = arg;
	struct transaction *t = q->t;
	bool ok = q->ok;
	void (*done)(struct transaction *t, bool ok) = q->done;
	if (!ok)
		log_error(session_log(t->session), "quarantine", "%s", q->held.error);
	t->quarantining = NULL;
	free(q);
	done(t, ok);
}

void transaction_quarantine(struct transaction *t, void (*done)(struct transaction *t, bool ok))
{
	struct quarantining *q = xcalloc(1, sizeof(*q));
	q->t = t;
	q->jobs = t->session->worker->jobs;
	q->done = done;
	held_mail_prepare(&q->held, t->scan, &t->verdict, t->id, buf_slice(&t->added));
	t->quarantining = q;
	jobs_add(q->jobs, run, on_stored, q);
}

void transaction_quarantine_wait(struct transaction *t)
{
	struct quarantining *q = t->quarantining;
	if (q == NULL)
		return;
	jobs_wait(q->jobs, on_stored, q);
	t->quarantining = NULL;
	free(q);
}
