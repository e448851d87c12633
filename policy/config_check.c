#include "policy/config_check.h"

#include "base/buf.h"
#include "base/idn.h"
#include "policy/config_tables.h"
#include "policy/milter_address.h"

struct check {
	struct config *config;
	struct config_errors *errors;
};

/* The nth written section of a kind; NULL: it isn't written (the default policy). */
static const struct section_values *written(const struct config *config, const struct section *section,
					    size_t nth)
{
	const struct section_values *v;
	size_t at = 0;
	while ((v = settings_next(config->file, section, &at)) != NULL && nth > 0)
		nth--;
	return v;
}

#define fail(c, values, key, ...) config_error_at((c)->config, values, key, (c)->errors, __VA_ARGS__)

static void fail_nth(struct check *c, const struct section *section, size_t nth, const char *key,
		     const char *why)
{
	const struct section_values *v = written(c->config, section, nth);
	fail(c, v ? v->values : NULL, key, "%s", why);
}

static bool is_literal(struct slice s)
{
	struct ip ip;
	return s.len > 2 && s.data[0] == '[' && s.data[s.len - 1] == ']' &&
	       ip_parse(slice_sub(s, 1, s.len - 2), &ip);
}

static void check_top(struct check *c)
{
	const struct config_top *top = c->config->top;
	const void *values = settings_top(c->config->file);
	struct slice name;
	if (!is_literal(top->hostname) && !idn_domain(c->config->arena, top->hostname, &name))
		fail(c, values, "hostname", "'%.*s' is not a domain name", SLICE_ARG(top->hostname));
	if (slice_chr(top->greeting, '\n') != SLICE_NPOS || slice_chr(top->greeting, '\r') != SLICE_NPOS)
		fail(c, values, "greeting", "must be one line");
}

/* "[192.0.2.1]" and "[ipv6:2001:db8::1]", as message/address writes them. */
static void check_literals(struct check *c)
{
	const struct config_relay *relay = c->config->relay;
	for (size_t i = 0; i < relay->literals.count; i++) {
		struct slice *s = &relay->literals.items[i];
		struct ip ip;
		char text[IP_TEXT_MAX];
		if (!is_literal(*s)) {
			fail(c, relay, "literals", "'%.*s' is not an address literal (\"[192.0.2.1]\")",
			     SLICE_ARG(*s));
			continue;
		}
		ip_parse(slice_sub(*s, 1, s->len - 2), &ip);
		*s = arena_printf(c->config->arena, "[%s%s]", ip.family == 6 ? "ipv6:" : "",
				  ip_text(&ip, text));
	}
}

static void check_domains(struct check *c, const void *values, const struct slice_list *domains)
{
	for (size_t i = 0; i < domains->count; i++) {
		struct ip ip;
		if (ip_parse(domains->items[i], &ip))
			fail(c, values, "domains", "'%.*s' is an address, not a domain",
			     SLICE_ARG(domains->items[i]));
	}
}

/* "AB:CD:…" of 32 octets to lower case without colons. */
static bool canonical_fingerprint(struct arena *arena, struct slice *s)
{
	char hex[64];
	size_t n = 0;
	for (size_t i = 0; i < s->len; i++) {
		if (s->data[i] == ':')
			continue;
		if (n == sizeof(hex) || ascii_hex(s->data[i]) < 0)
			return false;
		hex[n++] = ascii_lower(s->data[i]);
	}
	*s = arena_copy(arena, slice_make(hex, n));
	return n == sizeof(hex);
}

static void check_fingerprints(struct check *c, const struct section *section, size_t nth, const char *key,
			       const struct slice_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!canonical_fingerprint(c->config->arena, &list->items[i]))
			fail_nth(c, section, nth, key,
				 "expected SHA-256 fingerprints: 64 hexadecimal digits");
}

static void check_tls(struct check *c)
{
	for (size_t i = 0; i < c->config->tls_count; i++) {
		const struct config_tls *tls = &c->config->tls[i];
		if (tls->certificate.len == 0)
			fail_nth(c, &config_tls_section, i, "certificate", "is empty");
		check_fingerprints(c, &config_tls_section, i, "client-fingerprints",
				   &tls->client_fingerprints);
	}
}

static void check_backend(struct check *c, size_t i)
{
	const struct config_backend *b = &c->config->backends[i];
	const struct section *section = &config_backend_section;
	bool server = b->address.text.len > 0;
	if (!server && b->maildir.len == 0)
		fail_nth(c, section, i, "address", "a backend needs address, or maildir");
	if (server && b->maildir.len > 0)
		fail_nth(c, section, i, "maildir", "a backend has address or maildir, not both");
	if (!server && b->protocol == BACKEND_LMTP)
		fail_nth(c, section, i, "protocol", "lmtp needs an address");
	if (b->tls == BACKEND_TLS_VERIFIED && server && b->tls_name.len == 0 && b->address.host.len == 0 &&
	    b->tls_fingerprints.count == 0)
		fail_nth(c, section, i, "tls",
			 "verified needs tls-name or tls-fingerprints, as the address is no name");
	if (b->transparent && b->address.ip.family == 0)
		fail_nth(c, section, i, "transparent", "needs an IP address as address");
	const struct section_values *v = written(c->config, section, i);
	const struct config_backend *asked = config_backend_find(c->config, b->verify_with);
	if (b->verify_with.len > 0 && (asked == NULL || asked->maildir.len > 0))
		fail(c, v->values, "verify-with", "there is no section backend %.*s with an address",
		     SLICE_ARG(b->verify_with));
	check_domains(c, v->values, &b->domains);
	check_fingerprints(c, section, i, "tls-fingerprints", &b->tls_fingerprints);
}

static void check_listen(struct check *c, size_t i)
{
	const struct config *config = c->config;
	const struct config_listen *l = &config->listens[i];
	const struct section *section = &config_listen_section;
	const struct section_values *v = written(config, section, i);
	if (l->address.host.len > 0)
		fail(c, v->values, "address", "'%.*s': listening needs an address, not a name",
		     SLICE_ARG(l->address.text));
	if (l->tls != TLS_NONE && l->certificate.len == 0)
		fail(c, v->values, "tls", "there is no certificate for it: write a section tls default { }");
	if (l->certificate.len > 0 && config_tls_find(config, l->certificate) == NULL)
		fail(c, v->values, "certificate", "there is no section tls %.*s", SLICE_ARG(l->certificate));
	for (size_t k = 0; k < l->backends.count; k++)
		if (config_backend_find(config, l->backends.items[k]) == NULL)
			fail(c, v->values, "backends", "there is no section backend %.*s",
			     SLICE_ARG(l->backends.items[k]));
	if (config->backend_count == 0)
		fail(c, v->values, "address", "a listener needs a backend: write a section backend main { }");
}

static bool is_any(const struct ip *ip)
{
	static const uint8_t ANY[16];
	struct slice bytes = ip_slice(ip);
	return bytes.len > 0 && memcmp(bytes.data, ANY, bytes.len) == 0;
}

/* Both can't be bound, or (loop) a connection to b would reach a. */
static bool same_socket(const struct endpoint *a, const struct endpoint *b)
{
	if (a->path.len > 0 || b->path.len > 0)
		return slice_eq(a->path, b->path);
	return a->port == b->port && a->ip.family != 0 && a->ip.family == b->ip.family &&
	       (ip_eq(&a->ip, &b->ip) || is_any(&a->ip) || is_any(&b->ip));
}

static void check_addresses(struct check *c)
{
	const struct config *config = c->config;
	for (size_t i = 0; i < config->listen_count; i++)
		for (size_t k = 0; k < i; k++)
			if (same_socket(&config->listens[i].address, &config->listens[k].address))
				fail(c, written(config, &config_listen_section, i)->values, "address",
				     "%.*s is taken by listen %.*s already",
				     SLICE_ARG(config->listens[i].address.text),
				     SLICE_ARG(config->listens[k].title));
}

/* A backend that is a listener of ours: mail would go round in circles. */
static bool is_loop(const struct endpoint *listen, const struct endpoint *backend)
{
	struct cidr loopback4, loopback6;
	cidr_parse(SLICE("127.0.0.0/8"), &loopback4);
	cidr_parse(SLICE("::1/128"), &loopback6);
	bool local = cidr_has(&loopback4, &backend->ip) || cidr_has(&loopback6, &backend->ip) ||
		     ip_eq(&listen->ip, &backend->ip) || backend->path.len > 0;
	return local && same_socket(listen, backend);
}

static void check_loops(struct check *c)
{
	const struct config *config = c->config;
	for (size_t i = 0; i < config->backend_count; i++)
		for (size_t k = 0; k < config->listen_count; k++)
			if (is_loop(&config->listens[k].address, &config->backends[i].address))
				fail(c, written(config, &config_backend_section, i)->values, "address",
				     "is our own listen %.*s: mail would go round in circles",
				     SLICE_ARG(config->listens[k].title));
}

static void check_milters(struct check *c)
{
	for (size_t i = 0; i < c->config->milter_count; i++) {
		const struct config_milter *m = &c->config->milters[i];
		struct endpoint ignored;
		if (!milter_address_parse(c->config->arena, m->address, &ignored))
			fail_nth(c, &config_milter_section, i, "address",
				 "expected inet:127.0.0.1:8891, inet:8891@127.0.0.1 or unix:/path");
		for (size_t k = 0; k < i; k++)
			if (slice_eq(m->address, c->config->milters[k].address))
				fail_nth(c, &config_milter_section, i, "address",
					 "is taken by another milter section");
	}
}

static bool has_door(const struct config *config, struct slice title)
{
	for (size_t i = 0; i < config->listen_count; i++)
		if (slice_eq(config->listens[i].title, title))
			return true;
	for (size_t i = 0; i < config->milter_count; i++)
		if (slice_eq(config->milters[i].title, title))
			return true;
	return false;
}

static void check_policies(struct check *c)
{
	for (size_t i = 0; i < c->config->policy_count; i++) {
		const struct config_policy *p = &c->config->policies[i];
		for (size_t k = 0; k < p->listeners.count; k++)
			if (!has_door(c->config, p->listeners.items[k]))
				fail(c, written(c->config, &config_policy_section, i)->values, "listeners",
				     "there is no section listen or milter %.*s",
				     SLICE_ARG(p->listeners.items[k]));
	}
}

/* 192.0.2.1, 2001:db8::1, either with @port. */
static bool good_resolver(struct slice s)
{
	struct ip ip;
	uint64_t port;
	size_t at = slice_chr(s, '@');
	if (at != SLICE_NPOS && (!slice_u64(slice_from(s, at + 1), UINT16_MAX, &port) || port == 0))
		return false;
	return ip_parse(at == SLICE_NPOS ? s : slice_head(s, at), &ip);
}

static void check_dns(struct check *c)
{
	const struct config_dns *dns = c->config->dns;
	for (size_t i = 0; i < dns->forward.count; i++)
		if (!good_resolver(dns->forward.items[i]))
			fail(c, dns, "forward", "'%.*s' is not address or address@port",
			     SLICE_ARG(dns->forward.items[i]));
}

static bool good_redis(struct slice s)
{
	struct endpoint e;
	struct arena *arena = arena_create();
	struct slice rest = slice_from(s, 8);
	size_t slash = slice_chr(rest, '/');
	uint64_t db;
	struct slice host = slash == SLICE_NPOS ? rest : slice_head(rest, slash);
	size_t user = slice_rchr(host, '@');
	if (user != SLICE_NPOS)
		host = slice_from(host, user + 1);
	bool ok = host.len > 0 && setting_parse_endpoint(arena, host, &e) && e.path.len == 0;
	if (slash != SLICE_NPOS && slash + 1 < rest.len)
		ok = ok && slice_u64(slice_from(rest, slash + 1), INT32_MAX, &db);
	arena_destroy(&arena);
	return ok;
}

static void check_state(struct check *c)
{
	const struct config_state *state = c->config->state;
	struct slice s = state->store;
	bool ok = slice_eq(s, SLICE("memory:")) || (slice_starts(s, SLICE("lmdb:")) && s.len > 5) ||
		  (slice_starts(s, SLICE("redis://")) && good_redis(s));
	if (!ok)
		fail(c, state, "store", "'%.*s' is not lmdb:FOLDER, redis://host:port/db or memory:",
		     SLICE_ARG(s));
}

void config_check(struct config *config, struct config_errors *errors)
{
	struct check c = { config, errors };
	check_top(&c);
	check_literals(&c);
	check_domains(&c, config->relay, &config->relay->domains);
	check_tls(&c);
	for (size_t i = 0; i < config->backend_count; i++)
		check_backend(&c, i);
	for (size_t i = 0; i < config->listen_count; i++)
		check_listen(&c, i);
	check_addresses(&c);
	check_loops(&c);
	check_milters(&c);
	check_policies(&c);
	check_dns(&c);
	check_state(&c);
}
