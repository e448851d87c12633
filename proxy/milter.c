/*
 * What servers tell differs. Postfix: the queue id is not known at MAIL; the
 * host is "[address]" or "unknown" without a name; {client_name} is the verified one.
 * Sendmail: the host is the name by reverse DNS, verified or not; {client_resolve}
 * or "(may be forged)" in the macro _ says which.
 */
#include <stdlib.h>

#include "message/address.h"
#include "policy/place.h"
#include "proxy/milter_private.h"
#include "proxy/smtp_syntax.h"

struct milter *milter_open(struct milter_server *server, const struct milter_mta *mta, void *arg,
			   const struct milter_offers *offers)
{
	struct milter *m = xcalloc(1, sizeof(*m));
	m->server = server;
	m->mta = mta;
	m->arg = arg;
	m->offers = *offers;
	m->arena = arena_create();
	trace_id_new(&server->ids, m->id);
	atomic_fetch_add(&server->sessions, 1);
	stats_add(server->stats, server->row, STAT_SESSIONS, 1);
	stats_add(server->stats, server->row, STAT_SESSIONS_NOW, 1);
	return m;
}

void milter_close(struct milter **milter)
{
	struct milter *m = *milter;
	*milter = NULL;
	if (m == NULL)
		return;
	milter_abort(m);
	stats_add(m->server->stats, m->server->row, STAT_SESSIONS_NOW, -1);
	atomic_fetch_sub(&m->server->sessions, 1);
	arena_destroy(&m->arena);
	free(m);
}

struct slice milter_macro(const struct milter *m, const char *name)
{
	const char *value = m->mta->macro(m->arg, name);
	return value != NULL ? slice_str(value) : SLICE_EMPTY;
}

/* ---- the client */

/* A host name, or one of the ways to say that there is none. */
static struct slice host_name(struct slice s)
{
	bool none = s.len == 0 || s.data[0] == '[' || slice_eq_nocase(s, SLICE("unknown"));
	return none ? SLICE_EMPTY : s;
}

static struct slice verified_name(const struct milter *m, struct slice host)
{
	struct slice resolve = milter_macro(m, "{client_resolve}"), name = milter_macro(m, "{client_name}");
	if (resolve.len > 0 && !slice_eq_nocase(resolve, SLICE("OK")))
		return SLICE_EMPTY;
	if (slice_find(milter_macro(m, "_"), SLICE("may be forged")) != SLICE_NPOS)
		return SLICE_EMPTY;
	return host_name(name.len > 0 ? name : host);
}

void milter_connect(struct milter *m, const char *host, const struct ip *ip, uint16_t port)
{
	struct client *c = &m->client;
	arena_reset(m->arena);
	*c = (struct client){ .ip = *ip, .port = port, .esmtp = true };
	/* A client without an address sits on the server's own machine. */
	if (ip->family == 0)
		ip_parse(SLICE("127.0.0.1"), &c->ip);
	c->listener = m->server->config->title.data;
	c->name = arena_copy(m->arena, verified_name(m, slice_str(host)));
	c->relay_decided = !m->server->config->relay;
	client_place(c, m->server->snapshot->config);
}

void milter_helo(struct milter *m, const char *name)
{
	m->client.helo = arena_copy(m->arena, slice_str(name));
}

static bool is_listed(const struct slice_list *list, struct slice s)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq_nocase(list->items[i], s))
			return true;
	return false;
}

void milter_client(struct milter *m, struct client *c)
{
	uint64_t bits;
	*c = m->client;
	c->login = milter_macro(m, "{auth_authen}");
	c->auth_mechanism = milter_macro(m, "{auth_type}");
	c->tls_version = milter_macro(m, "{tls_version}");
	c->tls_cipher = milter_macro(m, "{cipher}");
	if (slice_u64(milter_macro(m, "{cipher_bits}"), 100000, &bits))
		c->tls_bits = (unsigned)bits;
	c->submission = is_listed(&m->server->config->submission_daemons, milter_macro(m, "{daemon_name}"));
	if (slice_eq_nocase(milter_macro(m, "r"), SLICE("SMTP")))
		c->esmtp = false;
}

/* ---- MAIL and RCPT */

static struct slice without_brackets(struct slice s)
{
	if (s.len >= 2 && s.data[0] == '<' && s.data[s.len - 1] == '>')
		return slice_sub(s, 1, s.len - 2);
	return s;
}

/* It is the server's to refuse it: here it is an address all the same. False:
 * it can't be parsed. */
static bool take_path(struct arena *arena, const char *arg, unsigned allow, struct mailbox *m)
{
	return address_parse_any(arena, without_brackets(slice_str(arg)), allow | ADDRESS_UTF8, m) == ADDRESS_OK;
}

static struct slice join_params(struct arena *arena, char *const *args)
{
	struct slice text = SLICE_EMPTY;
	for (; *args != NULL; args++)
		text = arena_printf(arena, "%.*s%s%s", SLICE_ARG(text), text.len ? " " : "", *args);
	return text;
}

static bool has_value(const struct smtp_params *params, struct slice keyword, struct slice value)
{
	const struct smtp_param *p = smtp_params_find(params, keyword);
	return p != NULL && slice_eq_nocase(p->value, value);
}

void milter_sender(struct arena *arena, char *const *args, struct envelope *e)
{
	struct smtp_params params = { .count = 0 };
	take_path(arena, args[0] ? args[0] : "", ADDRESS_MAIL, &e->sender);
	e->params = join_params(arena, args[0] ? args + 1 : args);
	smtp_params_parse(e->params, &params);
	const struct smtp_param *size = smtp_params_find(&params, SLICE("SIZE"));
	if (size != NULL)
		slice_u64(size->value, UINT64_MAX, &e->declared_size);
	e->body_8bit = has_value(&params, SLICE("BODY"), SLICE("8BITMIME"));
	e->body_binary = has_value(&params, SLICE("BODY"), SLICE("BINARYMIME"));
	e->smtputf8 = smtp_params_find(&params, SLICE("SMTPUTF8")) != NULL;
	e->requiretls = smtp_params_find(&params, SLICE("REQUIRETLS")) != NULL;
}

void milter_recipient(struct arena *arena, char *const *args, struct recipient *r)
{
	*r = (struct recipient){ .accepted = false };
	if (!take_path(arena, args[0] ? args[0] : "", ADDRESS_RCPT, &r->mailbox))
		r->mailbox.domain = SLICE_EMPTY; /* nobody knows where it would go: it is not ours */
	r->params = join_params(arena, args[0] ? args + 1 : args);
}
