#include "proxy/delivery.h"

#include <stdlib.h>

#include "proxy/delivery_private.h"

struct delivery *delivery_create(struct backend *backend, const struct client *client,
				 const struct envelope *envelope, struct delivery_home *home)
{
	struct delivery *d = xcalloc(1, sizeof(*d));
	d->ops = backend_is_maildir(backend) ? &delivery_maildir : &delivery_smtp;
	d->backend = backend;
	d->worker = backend_worker(backend);
	d->client = client;
	d->envelope = envelope;
	d->home = home;
	return d;
}

struct backend *delivery_backend(const struct delivery *d)
{
	return d->backend;
}

void delivery_rcpt(struct delivery *d, size_t recipient, outcome_fn *fn, void *arg)
{
	d->fn = fn;
	d->arg = arg;
	d->recipient = recipient;
	d->ops->rcpt(d, recipient);
}

void delivery_content(struct delivery *d, struct slice added, struct slice content,
		      bool (*still_there)(void *arg), outcome_fn *fn, void *arg)
{
	d->fn = fn;
	d->arg = arg;
	d->added = added;
	d->content = content;
	d->still_there = still_there;
	d->ops->content(d);
}

void delivery_destroy(struct delivery **delivery)
{
	struct delivery *d = *delivery;
	if (d == NULL)
		return;
	*delivery = NULL;
	d->fn = NULL;
	d->ops->destroy(d);
	free(d);
}

void delivery_end(struct delivery *d, const struct outcome *outcome)
{
	outcome_fn *fn = d->fn;
	d->fn = NULL;
	if (fn != NULL)
		fn(d->arg, outcome); /* may destroy d */
}

void delivery_log_trouble(const struct delivery *d, const char *cause)
{
	log_warn(&d->worker->log, "backend", "%.*s: %s", SLICE_ARG(backend_config(d->backend)->title), cause);
}

void delivery_trouble(struct delivery *d, const char *enhanced, const char *text, const char *cause)
{
	delivery_log_trouble(d, cause);
	const struct outcome outcome = { .code = 451, .enhanced = enhanced, .text = slice_str(text),
					 .unreachable = d->unreachable };
	delivery_end(d, &outcome);
}

void delivery_home_close(struct delivery_home *home)
{
	backend_conn_release(&home->conn, true); /* an identity rides on it: it gets QUIT */
}
