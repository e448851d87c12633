#include "proxy/release.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "message/address.h"
#include "proxy/delivery.h"
#include "proxy/route.h"
#include "proxy/session.h"
#include "proxy/tls.h"

struct release {
	struct worker worker;       /* as much of one as a delivery needs */
	struct session session;     /* likewise: for route_choose */
	struct config_listen listen;
	struct config client_only;  /* the configuration without server certificates: their keys aren't ours to read */
	struct delivery_home home;
	struct delivery *delivery;
	struct envelope envelope;
	struct slice message;
	size_t next;                /* recipient to ask for */
	bool done, ok;
	char *reply;
};

static void end(struct release *r, bool ok, unsigned code, const char *enhanced, struct slice text)
{
	snprintf(r->reply, QUARANTINE_ERROR_MAX, "%u %s %.*s", code, enhanced ? enhanced : "",
		 SLICE_ARG(slice_head(text, 200)));
	r->ok = ok;
	r->done = true;
	event_base_loopbreak(r->worker.base);
}

static bool still_there(void *arg)
{
	(void)arg;
	return true;
}

static void on_content(void *arg, const struct outcome *o)
{
	const struct release *r = arg;
	/* Released is what all have. */
	for (size_t i = 0; o->each != NULL && i < r->envelope.recipient_count; i++)
		if (!o->each[i].positive) {
			end(arg, false, o->each[i].code, o->each[i].enhanced, o->each[i].text);
			return;
		}
	end(arg, o->positive, o->code, o->enhanced, o->text);
}

static void ask_next(struct release *r);

static void on_recipient(void *arg, const struct outcome *o)
{
	struct release *r = arg;
	if (!o->positive) {
		end(r, false, o->code, o->enhanced, o->text);
		return;
	}
	r->envelope.recipients[r->next++].accepted = true;
	ask_next(r);
}

static void ask_next(struct release *r)
{
	if (r->next < r->envelope.recipient_count)
		delivery_rcpt(r->delivery, r->next, on_recipient, r);
	else
		delivery_content(r->delivery, SLICE(""), r->message, still_there, on_content, r);
}

static bool say(struct release *r, const char *what)
{
	snprintf(r->reply, QUARANTINE_ERROR_MAX, "%s", what);
	return false;
}

static bool make_worker(struct release *r, const struct snapshot *snapshot)
{
	struct worker *w = &r->worker;
	int fd;
	w->snapshot = snapshot;
	w->base = event_base_new();
	w->jobs = w->base ? jobs_create(w->base, 1) : NULL;
	w->stats = stats_create(1, &fd);
	if (w->jobs == NULL || w->stats == NULL)
		return say(r, "out of resources");
	close(fd);
	size_t count = snapshot->config->backend_count;
	struct backend **list = xcalloc(count, sizeof(*list));
	for (size_t i = 0; i < count; i++)
		list[i] = backend_create(w, &snapshot->config->backends[i]);
	w->backends = list;
	w->backend_count = count;
	return true;
}

static void free_worker(struct worker *w)
{
	for (size_t i = 0; i < w->backend_count; i++)
		backend_destroy((struct backend **)(uintptr_t)&w->backends[i]);
	free((void *)(uintptr_t)w->backends);
	if (w->jobs != NULL)
		jobs_destroy(&w->jobs);
	tls_set_destroy(&w->tls);
	if (w->base != NULL)
		event_base_free(w->base);
}

/* The envelope as it was; what stands in the file was checked when it came. */
static bool make_envelope(struct release *r, const struct quarantine_open *mail, struct slice to)
{
	const struct quarantine_entry *e = &mail->entry;
	size_t count = to.len > 0 ? 1 : e->recipient_count;
	struct envelope *v = &r->envelope;
	unsigned allow = e->smtputf8 ? ADDRESS_UTF8 : 0;
	*v = (struct envelope){ .params = e->sender_params, .body_8bit = e->body_8bit, .smtputf8 = e->smtputf8,
				.recipient_count = count, .recipient_cap = count };
	v->recipients = arena_array(mail->arena, struct recipient, count);
	if (address_parse(mail->arena, e->sender, ADDRESS_MAIL | allow, &v->sender) != ADDRESS_OK)
		return say(r, "its sender is no address");
	for (size_t i = 0; i < count; i++) {
		struct recipient *rcpt = &v->recipients[i];
		rcpt->params = to.len > 0 ? SLICE_EMPTY : e->recipient_params[i];
		if (address_parse(mail->arena, to.len > 0 ? to : e->recipients[i], ADDRESS_RCPT | allow, &rcpt->mailbox)
		    != ADDRESS_OK)
			return say(r, "a recipient is no address");
	}
	return true;
}

static struct backend *one_backend(struct release *r, struct slice login)
{
	struct backend *backend = NULL;
	r->session.worker = &r->worker;
	r->session.listen = &r->listen;
	r->session.client.login = login;
	for (size_t i = 0; i < r->envelope.recipient_count; i++) {
		struct backend *b = route_choose(&r->session, &r->envelope.recipients[i].mailbox);
		if (b == NULL || (backend != NULL && b != backend))
			return NULL;
		backend = b;
	}
	return backend;
}

static void deliver(struct release *r, const struct quarantine_open *mail, struct backend *backend)
{
	r->message = mail->message;
	r->delivery = delivery_create(backend, &mail->entry.client, &r->envelope, &r->home);
	ask_next(r);
	while (!r->done && event_base_dispatch(r->worker.base) == 0)
		;
	delivery_destroy(&r->delivery);
	delivery_home_close(&r->home);
}

bool release_mail(const struct snapshot *snapshot, const struct quarantine_open *mail, struct slice to,
		  char reply_r[QUARANTINE_ERROR_MAX])
{
	struct release r = { .reply = reply_r };
	char error[256];
	say(&r, "the backend did not answer");
	bool ready = make_worker(&r, snapshot) && make_envelope(&r, mail, to);
	r.client_only = *snapshot->config;
	r.client_only.tls_count = 0;
	r.worker.tls = ready ? tls_set_create(&r.client_only, NULL, error) : NULL;
	if (ready && r.worker.tls == NULL)
		ready = say(&r, error);
	struct backend *backend = ready ? one_backend(&r, mail->entry.client.login) : NULL;
	if (ready && backend == NULL)
		say(&r, "its recipients have no backend, or not the same one");
	if (backend != NULL)
		deliver(&r, mail, backend);
	free_worker(&r.worker);
	return r.ok;
}
