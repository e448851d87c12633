/* config_warnings: what config_check lets pass, but an administrator wants to know. */
#include <unistd.h>

#include "base/buf.h"
#include "policy/config_tables.h"

struct warn {
	const struct config *config;
	struct config_errors *list;
};

#define add(w, values, key, ...) config_warning_at((w)->config, values, key, (w)->list, __VA_ARGS__)

/* The values as read of the nth section of a kind, for add(). */
static const void *nth(const struct warn *w, const struct section *section, size_t n)
{
	const struct section_values *v;
	size_t at = 0;
	while ((v = settings_next(w->config->file, section, &at)) != NULL && n > 0)
		n--;
	return v ? v->values : NULL;
}

static void doors(struct warn *w)
{
	const struct config *c = w->config;
	if (c->listen_count == 0 && c->milter_count == 0)
		add(w, NULL, NULL, "neither a listen nor a milter section: run would have nothing to do");
	if (slice_chr(c->top->hostname, '.') == SLICE_NPOS)
		add(w, settings_top(c->file), "hostname",
		    "hostname '%.*s' has no domain: other servers distrust that",
		    SLICE_ARG(c->top->hostname));
	if (c->top->user.len == 0 && geteuid() == 0 && c->listen_count + c->milter_count > 0)
		add(w, settings_top(c->file), "user", "user is not set: as root, workers would run as root");
}

/* Short enough a prefix that strangers are among them. */
static bool is_wide(const struct cidr *net)
{
	return net->bits < (net->ip.family == 4 ? 8 : 16);
}

static void wide_networks(struct warn *w, const void *values, const char *key, const struct cidr_list *list,
			  const char *means)
{
	for (size_t i = 0; i < list->count; i++) {
		char text[IP_TEXT_MAX];
		if (is_wide(&list->items[i]))
			add(w, values, key, "%s: %s/%u %s", key, ip_text(&list->items[i].ip, text),
			    list->items[i].bits, means);
	}
}

static void relay(struct warn *w)
{
	const struct config *c = w->config;
	bool mx = false;
	for (size_t i = 0; i < c->listen_count; i++)
		mx = mx || c->listens[i].role == ROLE_MX;
	if (mx && c->relay->domains.count == 0)
		add(w, c->relay, "domains", "relay.domains is empty: no mail from outside is accepted");
	for (size_t i = 0; i < c->relay->domains.count; i++) {
		struct slice d = c->relay->domains.items[i];
		if (slice_rchr(d, '.') == 0)
			add(w, c->relay, "domains",
			    "domains: %.*s takes mail for a whole top-level domain", SLICE_ARG(d));
	}
	wide_networks(w, c->relay, "networks", &c->relay->networks,
		      "lets strangers send to anybody: an open relay");
	wide_networks(w, c->networks, "trusted", &c->networks->trusted,
		      "believes Received lines of strangers");
	for (size_t i = 0; i < c->networks->internal.count; i++) {
		const struct cidr *net = &c->networks->internal.items[i];
		char text[IP_TEXT_MAX];
		if (!cidr_list_has(c->networks->trusted.items, c->networks->trusted.count, &net->ip))
			add(w, c->networks, "internal", "internal: %s/%u is not among the trusted networks",
			    ip_text(&net->ip, text), net->bits);
	}
}

static void listeners(struct warn *w)
{
	for (size_t i = 0; i < w->config->listen_count; i++) {
		const struct config_listen *l = &w->config->listens[i];
		const void *values = nth(w, &config_listen_section, i);
		if (l->role == ROLE_SUBMISSION && l->tls == TLS_NONE && !l->auth_without_tls)
			add(w, values, "tls", "listen %.*s: without tls nobody can log in to submit mail",
			    SLICE_ARG(l->title));
		if (l->auth_without_tls)
			add(w, values, "auth-without-tls",
			    "listen %.*s: passwords may cross the network in clear",
			    SLICE_ARG(l->title));
		wide_networks(w, values, "proxy-from", &l->proxy_from,
			      "lets strangers claim any client address");
	}
}

static void backends(struct warn *w)
{
	for (size_t i = 0; i < w->config->backend_count; i++) {
		const struct config_backend *b = &w->config->backends[i];
		const void *values = nth(w, &config_backend_section, i);
		bool hidden = b->client_info == CLIENT_INFO_NONE || b->client_info == CLIENT_INFO_XFORWARD;
		if (b->address.text.len > 0 && hidden && b->protocol == BACKEND_SMTP && !b->transparent)
			add(w, values, "client-info",
			    "backend %.*s takes us for the client: our address must not be in its own relay "
			    "networks (Postfix: mynetworks), or it is an open relay behind us",
			    SLICE_ARG(b->title));
	}
}

static void in_order(struct warn *w, const void *values, const char *low, double a, const char *high,
		     double b)
{
	if (a >= 0 && b >= 0 && a > b)
		add(w, values, high, "%s (%g) is below %s (%g)", high, b, low, a);
}

/* A backend takes mail for others only from who may relay: not from the clients it is told of. */
static void redirect(struct warn *w, const void *values, const struct config_policy *p)
{
	struct slice domain = slice_from(p->redirect_to, slice_rchr(p->redirect_to, '@') + 1);
	const struct slice_list *own = &w->config->relay->domains;
	bool ours = own->count == 0;
	for (size_t i = 0; i < own->count; i++) {
		struct slice d = own->items[i];
		ours = ours || slice_eq_nocase(d, domain) ||
		       (slice_starts(d, SLICE("*.")) && slice_ends_nocase(domain, slice_from(d, 1)));
	}
	if (!ours)
		add(w, values, "redirect-to", "redirect-to: the backend has to take mail for %.*s from anybody",
		    SLICE_ARG(p->redirect_to));
}

static void policies(struct warn *w)
{
	for (size_t i = 0; i < w->config->policy_count; i++) {
		const struct config_policy *p = &w->config->policies[i];
		const void *values = nth(w, &config_policy_section, i);
		in_order(w, values, "tag", p->tag, "quarantine", p->quarantine);
		in_order(w, values, "redirect", p->redirect, "quarantine", p->quarantine);
		in_order(w, values, "redirect", p->redirect, "reject", p->reject);
		if (p->redirect_to.len > 0)
			redirect(w, values, p);
		in_order(w, values, "tag", p->tag, "reject", p->reject);
		in_order(w, values, "quarantine", p->quarantine, "reject", p->reject);
		if (!slice_eq(p->title, SLICE("default")) && p->recipients.count + p->senders.count +
		    p->users.count + p->listeners.count + p->clients.count == 0)
			add(w, values, NULL, "policy %.*s names nobody: it is for all mail",
			    SLICE_ARG(p->title));
	}
}

void config_warnings(const struct config *config, struct config_errors *warnings)
{
	struct warn w = { config, warnings };
	doors(&w);
	relay(&w);
	listeners(&w);
	backends(&w);
	policies(&w);
}
