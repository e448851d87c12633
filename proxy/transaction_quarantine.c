#include "proxy/transaction_quarantine.h"

#include <stdlib.h>

#include "proxy/held_mail.h"

struct quarantining {
	struct transaction *t;
	struct jobs *jobs;
	struct held_mail held;
	bool ok;
	void (*finished)(void *arg); /* of the job */
	void (*stored)(struct transaction *t, bool ok);
	void (*kept)(struct transaction *t);
};

static void start(struct transaction *t, struct quarantining *q, void (*run)(void *arg), void (*done)(void *arg))
{
	q->t = t;
	q->jobs = t->session->worker->jobs;
	q->finished = done;
	t->quarantining = q;
	jobs_add(q->jobs, run, done, q);
}

/* On a thread. */
static void store(void *arg)
{
	struct quarantining *q = arg;
	q->ok = held_mail_store(&q->held);
}

static void on_stored(void *arg)
{
	struct quarantining *q = arg;
	struct transaction *t = q->t;
	bool ok = q->ok;
	void (*done)(struct transaction *t, bool ok) = q->stored;
	if (!ok)
		log_error(session_log(t->session), "quarantine", "%s", q->held.error);
	t->quarantining = NULL;
	free(q);
	done(t, ok);
}

void transaction_quarantine(struct transaction *t, void (*done)(struct transaction *t, bool ok))
{
	struct quarantining *q = xcalloc(1, sizeof(*q));
	q->stored = done;
	held_mail_prepare(&q->held, t->scan, &t->verdict, t->id, buf_slice(&t->added));
	start(t, q, store, on_stored);
}

/* On a thread. */
static void keep(void *arg)
{
	const struct quarantining *q = arg;
	held_mail_keep(q->t->scan, q->t->id);
}

static void on_kept(void *arg)
{
	struct quarantining *q = arg;
	struct transaction *t = q->t;
	void (*done)(struct transaction *t) = q->kept;
	t->quarantining = NULL;
	free(q);
	done(t);
}

bool transaction_keep(struct transaction *t, bool refused, void (*done)(struct transaction *t))
{
	if (!held_mail_is_kept(t->scan, refused))
		return false;
	struct quarantining *q = xcalloc(1, sizeof(*q));
	q->kept = done;
	start(t, q, keep, on_kept);
	return true;
}

void transaction_quarantine_wait(struct transaction *t)
{
	struct quarantining *q = t->quarantining;
	if (q == NULL)
		return;
	jobs_wait(q->jobs, q->finished, q);
	t->quarantining = NULL;
	free(q);
}
