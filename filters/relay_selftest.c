#include "filters/relay_selftest.h"

#include "base/buf.h"
#include "base/psl.h"
#include "filters/relay.h"
#include "message/address.h"

/*
 * In a template %F is a domain of somebody else, %G the same in mixed case,
 * %O one of ours, %% a percent sign. Where a mail server rewrites or dequotes
 * the address, each of them leads to user@%F.
 */
static const struct trick {
	const char *name;
	const char *recipient;
} catalogue[] = {
	{ "plain", "user@%F" },
	{ "final dot", "user@%F." },
	{ "mixed case", "user@%G" },
	{ "A-label", "user@xn--bcher-kva.%F" },
	{ "UTF-8 domain", "user@b\xc3\xbc" "cher.%F" },
	{ "ideographic full stop", "user@mail\xe3\x80\x82%F" },
	{ "literal", "user@[192.0.2.255]" },
	{ "IPv6 literal", "user@[IPv6:2001:db8::ff]" },
	{ "mapped literal", "user@[IPv6:::ffff:192.0.2.255]" },
	{ "bang path without a domain", "%F!user" },
	{ "percent hack without a domain", "user%%%F" },
	{ "quoted @ without a domain", "\"user@%F\"" },
	{ "quoted % without a domain", "\"user%%%F\"" },
	{ "quoted ! without a domain", "\"%F!user\"" },
	{ "source route by another", "@%F:user@%F" },
	{ "no domain", "user" },
	{ "quoted local part", "\"user\"@%F" },
	{ "role address of another", "postmaster@%F" },

	{ "percent hack", "user%%%F@%O" },
	{ "percent hack, final dot", "user%%%F@%O." },
	{ "percent hack twice", "user%%%F%%%O@%O" },
	{ "quoted %", "\"user%%%F\"@%O" },
	{ "escaped %", "\"user\\%%%F\"@%O" },
	{ "full-width %", "user\xef\xbc\x85%F@%O" },
	{ "two @", "user@%F@%O" },
	{ "quoted @", "\"user@%F\"@%O" },
	{ "quoted @, final dot", "\"user@%F\"@%O." },
	{ "escaped @", "\"user\\@%F\"@%O" },
	{ "escaped @ outside quotes", "user\\@%F@%O" },
	{ "nested quotes", "\"\\\"user@%F\\\"\"@%O" },
	{ "nested quotes around the local part", "\"\\\"user\\\"@%F\"@%O" },
	{ "empty quotes", "\"\"user@%F\"\"@%O" },
	{ "full-width @", "user\xef\xbc\xa0%F@%O" },
	{ "small @", "user\xef\xb9\xab%F@%O" },
	{ "bang path", "%F!user@%O" },
	{ "bang path over us", "%O!%F!user@%O" },
	{ "bang path over us, without a domain", "%O!%F!user" },
	{ "bang path to another", "%O!user@%F" },
	{ "quoted !", "\"%F!user\"@%O" },
	{ "full-width !", "%F\xef\xbc\x81user@%O" },
	{ "bang path and percent hack", "%F!user%%%F@%O" },
	{ "source route", "@%O:user@%F" },
	{ "source route over two", "@%O,@%F:user@%F" },
	{ "source route with blanks", "@%O: user@%F" },
	{ "source route, percent hack", "@%O:user%%%F@%O" },
	{ "source route, quoted @", "@%O:\"user@%F\"@%O" },
	{ "source route, bang path", "@%O:%F!user" },
	{ "source route in quotes", "\"@%O:user@%F\"@%O" },
	{ "nested source routes", "@%O:@%O:user@%F" },
	{ "our name in front", "user@%O.%F" },
	{ "our name behind NUL", "user@%F%0@%O" },
	{ "our name behind a bracket", "user@%F>@%O" },
	{ "our name behind a comma", "user@%F,user@%O" },
	{ "our name in a comment", "user@%F(@%O)" },
	{ "our name behind a blank", "user@%F @%O" },
};

/* Clients that nobody would list one by one. Never contacted. */
static const char *const stranger_addresses[] = {
	"192.0.2.66", "5.66.66.66", "45.66.66.66", "99.66.66.66", "150.66.66.66", "203.0.113.66",
	"2001:db8:ffff::66", "2600::66", "2a00::66",
};
/* A network at least so long was meant; a shorter one is a mistake. */
#define MEANT_BITS_4 8
#define MEANT_BITS_6 16

static const char *const foreign_domains[] = { "gatehouse-relay-probe.invalid", "gatehouse-relay-probe.com" };
#define PROBE_LABEL "gatehouse-relay-probe"
#define OWN_DOMAINS_MAX 40

struct selftest {
	struct arena *arena;         /* of the report */
	const struct config *config;
	int local_tricks;
	struct relay_report *report;
	struct slice *foreign, *own;
	size_t foreign_count, own_count;
	struct client *strangers;
	size_t stranger_count;
};

/* ---- what there is to be tried */

static const struct cidr *network_of(const struct config *config, const struct ip *ip)
{
	for (size_t i = 0; i < config->relay->networks.count; i++)
		if (cidr_has(&config->relay->networks.items[i], ip))
			return &config->relay->networks.items[i];
	return NULL;
}

/* A network that somebody lists on purpose: not too big, or wholly private. */
static bool is_meant(const struct cidr *net)
{
	static const struct cidr private6[] = {
		{ { 6, { 0xfc } }, 7 },        /* RFC 4193 */
		{ { 6, { 0xfe, 0x80 } }, 10 }, /* RFC 4291 2.5.6 */
	};
	for (size_t i = 0; i < sizeof(private6) / sizeof(*private6); i++)
		if (net->bits >= private6[i].bits && cidr_has(&private6[i], &net->ip))
			return true;
	return net->bits >= (net->ip.family == 4 ? MEANT_BITS_4 : MEANT_BITS_6);
}

static bool is_listed(const struct config *config, const struct ip *ip)
{
	for (size_t i = 0; i < config->relay->networks.count; i++)
		if (is_meant(&config->relay->networks.items[i]) &&
		    cidr_has(&config->relay->networks.items[i], ip))
			return true;
	return false;
}

static void add_stranger(struct selftest *t, const struct ip *ip)
{
	if (is_listed(t->config, ip))
		return;
	t->strangers[t->stranger_count++] = (struct client){
		.ip = *ip, .relay_network = network_of(t->config, ip) != NULL,
		.helo = SLICE(PROBE_LABEL ".invalid"),
	};
}

/* The addresses above, and one of each network that is too big. */
static void collect_strangers(struct selftest *t)
{
	const struct cidr_list *networks = &t->config->relay->networks;
	size_t count = sizeof(stranger_addresses) / sizeof(*stranger_addresses);
	struct ip ip;
	t->strangers = arena_array(t->arena, struct client, count + networks->count);
	for (size_t i = 0; i < count; i++)
		if (ip_parse(slice_str(stranger_addresses[i]), &ip))
			add_stranger(t, &ip);
	for (size_t i = 0; i < networks->count; i++)
		if (!is_meant(&networks->items[i])) {
			ip = networks->items[i].ip;
			ip.bytes[ip.family == 4 ? 3 : 15] = 66;
			add_stranger(t, &ip);
		}
}

/* Somebody else's domains: two of nobody's, and one below each wildcard that
 * reaches into a registry. */
static void collect_foreign(struct selftest *t)
{
	const struct slice_list *domains = &t->config->relay->domains;
	size_t fixed = sizeof(foreign_domains) / sizeof(*foreign_domains);
	t->foreign = arena_array(t->arena, struct slice, fixed + domains->count);
	for (size_t i = 0; i < fixed; i++)
		t->foreign[t->foreign_count++] = slice_str(foreign_domains[i]);
	for (size_t i = 0; i < domains->count; i++) {
		struct slice d = domains->items[i];
		if (slice_starts(d, SLICE(".")) && psl_is_registry(slice_from(d, 1)))
			t->foreign[t->foreign_count++] =
				arena_printf(t->arena, PROBE_LABEL "%.*s", SLICE_ARG(d));
	}
}

static struct slice literal_of(struct arena *arena, const struct ip *ip)
{
	char text[IP_TEXT_MAX];
	return arena_printf(arena, "[%s%s]", ip->family == 6 ? "IPv6:" : "", ip_text(ip, text));
}

static bool is_any(const struct ip *ip)
{
	static const struct ip zero;
	return ip->family == 0 || memcmp(ip->bytes, zero.bytes, sizeof(zero.bytes)) == 0;
}

/* Our domains (a name below each wildcard; of very many only some: they
 * differ in nothing), our name, our addresses. */
static void collect_own(struct selftest *t)
{
	const struct config *c = t->config;
	t->own = arena_array(t->arena, struct slice,
			     c->relay->domains.count + c->relay->literals.count + c->listen_count + 2);
	size_t step = c->relay->domains.count / OWN_DOMAINS_MAX + 1;
	for (size_t i = 0; i < c->relay->domains.count; i += step) {
		struct slice d = c->relay->domains.items[i];
		t->own[t->own_count++] = slice_starts(d, SLICE("."))
			? arena_printf(t->arena, "mx%.*s", SLICE_ARG(d)) : d;
	}
	for (size_t i = 0; i < c->relay->literals.count; i++)
		t->own[t->own_count++] = c->relay->literals.items[i];
	for (size_t i = 0; i < c->listen_count; i++)
		if (!is_any(&c->listens[i].address.ip))
			t->own[t->own_count++] = literal_of(t->arena, &c->listens[i].address.ip);
	if (c->top->hostname.len > 0)
		t->own[t->own_count++] = c->top->hostname;
	t->own[t->own_count++] = SLICE("[127.0.0.1]");
}

/* ---- one probe */

static void add_mixed_case(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_add_char(out, i % 2 ? ascii_upper(s.data[i]) : s.data[i]);
}

static void fill_in(struct buf *out, const char *template, struct slice foreign, struct slice own)
{
	buf_clear(out);
	for (const char *p = template; *p; p++) {
		if (*p != '%') {
			buf_add_char(out, *p);
			continue;
		}
		switch (*++p) {
		case 'F': buf_add_slice(out, foreign); break;
		case 'G': add_mixed_case(out, foreign); break;
		case 'O': buf_add_slice(out, own); break;
		case '0': buf_add_char(out, '\0'); break;
		default: buf_add_char(out, *p);
		}
	}
}

/* What of the configuration let it through. */
static struct slice reason_of(const struct selftest *t, enum relay_decision decision,
			      const struct client *client, const struct mailbox *m)
{
	const struct cidr *net = network_of(t->config, &client->ip);
	struct slice entry;
	char text[IP_TEXT_MAX];
	if (decision == RELAY_CLIENT || client_is_ours(client))
		return net == NULL ? SLICE("relay.networks")
				   : arena_printf(t->arena, "relay.networks has %s/%u",
						  ip_text(&net->ip, text), net->bits);
	if (t->local_tricks == RELAY_TRICKS_ALLOW &&
	    relay_refuses(relay_decide(t->config->relay, RELAY_TRICKS_REFUSE, client, m)))
		return SLICE("local-tricks = allow in filter relay");
	if (m->literal)
		return arena_printf(t->arena, "relay.literals has %.*s", SLICE_ARG(m->domain));
	if (relay_domain_entry(t->config->relay, m->domain, &entry))
		return arena_printf(t->arena, "relay.domains has %.*s", SLICE_ARG(entry));
	return SLICE("the relay filter");
}

static void note_leak(struct selftest *t, const struct trick *trick, const struct client *client,
		      struct slice sender, struct slice recipient, struct slice reason)
{
	struct relay_report *r = t->report;
	char text[IP_TEXT_MAX];
	if (r->leaks_seen++ >= RELAY_LEAKS_MAX)
		return;
	r->leaks[r->leak_count++] = (struct relay_leak){
		.client = arena_copy(t->arena, slice_str(ip_text(&client->ip, text))),
		.sender = arena_copy(t->arena, sender), .recipient = arena_copy(t->arena, recipient),
		.trick = slice_str(trick->name), .reason = reason,
	};
}

static void probe(struct selftest *t, struct arena *scratch, const struct trick *trick,
		  const struct client *client, struct slice sender, struct slice recipient)
{
	struct mailbox m;
	t->report->probes++;
	if (address_parse(scratch, recipient, ADDRESS_RCPT | ADDRESS_UTF8, &m) != ADDRESS_OK)
		return;
	enum relay_decision decision = relay_decide(t->config->relay, t->local_tricks, client, &m);
	if (!relay_refuses(decision))
		note_leak(t, trick, client, sender, recipient, reason_of(t, decision, client, &m));
}

/* ---- all probes */

static void try_trick(struct selftest *t, struct arena *scratch, struct buf *text,
		      const struct trick *trick, struct slice foreign, struct slice own)
{
	struct slice senders[] = {
		SLICE_EMPTY, arena_printf(scratch, "user@%.*s", SLICE_ARG(foreign)),
		arena_printf(scratch, "user@%.*s", SLICE_ARG(own)),
	};
	fill_in(text, trick->recipient, foreign, own);
	for (size_t c = 0; c < t->stranger_count; c++)
		probe(t, scratch, trick, &t->strangers[c], senders[c % 3], buf_slice(text));
	arena_reset(scratch);
}

static void try_catalogue(struct selftest *t, struct arena *scratch, struct buf *text)
{
	for (size_t i = 0; i < sizeof(catalogue) / sizeof(*catalogue); i++) {
		const struct trick *trick = &catalogue[i];
		bool over_us = strstr(trick->recipient, "%O") != NULL;
		if (over_us)
			for (size_t o = 0; o < t->own_count; o++)
				try_trick(t, scratch, text, trick, t->foreign[0], t->own[o]);
		else
			for (size_t f = 0; f < t->foreign_count; f++)
				try_trick(t, scratch, text, trick, t->foreign[f], t->own[0]);
	}
}

/* Nothing is delivered to our host name and addresses unless they are listed. */
static void try_own_names(struct selftest *t, struct arena *scratch, struct buf *text)
{
	static const struct trick trick = { "own name or address that is not listed", "user@%O" };
	for (size_t o = 0; o < t->own_count; o++) {
		struct mailbox m;
		fill_in(text, "postmaster@%O", SLICE_EMPTY, t->own[o]);
		bool ours = address_parse(scratch, buf_slice(text), ADDRESS_RCPT, &m) == ADDRESS_OK &&
			    relay_is_role_address(t->config->relay, &m);
		if (!ours)
			try_trick(t, scratch, text, &trick, t->foreign[0], t->own[o]);
	}
}

void relay_selftest(struct arena *arena, const struct config *config, int local_tricks,
		    struct relay_report *report_r)
{
	struct selftest t = {
		.arena = arena, .config = config, .local_tricks = local_tricks, .report = report_r,
	};
	struct arena *scratch = arena_create();
	struct buf text = { 0 };
	*report_r = (struct relay_report){ .leaks = arena_array(arena, struct relay_leak, RELAY_LEAKS_MAX) };
	collect_strangers(&t);
	collect_foreign(&t);
	collect_own(&t);
	try_catalogue(&t, scratch, &text);
	try_own_names(&t, scratch, &text);
	buf_free(&text);
	arena_destroy(&scratch);
}
