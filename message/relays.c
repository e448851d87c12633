/* The relays of a mail, parted by trust. */
#include "base/buf.h"
#include "message/received.h"

/* RFC 1918, 5735, 6598, 4291: not addresses of the public Internet. */
static const char *const private_networks[] = {
	"10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128",
	"fe80::/10",
};
#define PRIVATE_NETWORKS (sizeof(private_networks) / sizeof(*private_networks))

bool ip_is_private(const struct ip *ip)
{
	struct cidr net;
	for (size_t i = 0; i < PRIVATE_NETWORKS; i++)
		if (cidr_parse(slice_str(private_networks[i]), &net) && cidr_has(&net, ip))
			return true;
	return false;
}

struct slice relay_as_string(struct arena *arena, const struct relay *r)
{
	return arena_printf(arena, "[ ip=%.*s rdns=%.*s helo=%.*s by=%.*s ident=%.*s envfrom=%.*s intl=%d id=%.*s auth=%.*s "
			    "msa=%d ]", SLICE_ARG(r->ip_text), SLICE_ARG(r->rdns), SLICE_ARG(r->helo), SLICE_ARG(r->by),
			    SLICE_ARG(r->ident), SLICE_ARG(r->envfrom), r->internal, SLICE_ARG(r->id),
			    SLICE_ARG(r->auth), r->msa);
}

struct chain {
	const struct received_networks *networks;
	bool configured, trusted, internal, found_msa;
};

static bool in_networks(const struct cidr *list, size_t count, const struct relay *r)
{
	return cidr_list_has(list, count, &r->ip);
}

/* Follows trust down by one relay. */
static void judge(struct chain *c, struct relay *r)
{
	const struct received_networks *n = c->networks;
	if (!c->trusted || c->found_msa)
		return;
	if (!c->configured) { /* guessed: addresses nobody outside can have, and who authenticated */
		if (!r->private_ip && r->auth.len == 0)
			c->trusted = c->internal = false;
		return;
	}
	/* One of the two lists stands for both where the other is empty. */
	const struct cidr *trusted = n->trusted_count ? n->trusted : n->internal;
	size_t trusted_count = n->trusted_count ? n->trusted_count : n->internal_count;
	const struct cidr *internal = n->internal_count ? n->internal : n->trusted;
	size_t internal_count = n->internal_count ? n->internal_count : n->trusted_count;
	if (r->auth.len == 0 && !in_networks(trusted, trusted_count, r)) {
		c->trusted = c->internal = false;
		return;
	}
	if (c->internal && r->auth.len == 0 && !in_networks(internal, internal_count, r))
		c->internal = false;
	if (in_networks(n->msa, n->msa_count, r))
		c->found_msa = r->msa = true;
}

static void add_string(struct buf *out, struct slice s)
{
	if (out->len > 0)
		buf_add_char(out, ' ');
	buf_add_slice(out, s);
}

void relays_tell(struct arena *arena, struct relays *relays)
{
	struct buf trusted = { 0 }, untrusted = { 0 }, internal = { 0 }, external = { 0 };
	for (size_t i = 0; i < relays->count; i++) {
		struct slice s = relay_as_string(arena, &relays->list[i]);
		add_string(relays->list[i].trusted ? &trusted : &untrusted, s);
		add_string(relays->list[i].internal ? &internal : &external, s);
	}
	struct { struct buf *from; struct slice *to; } pairs[] = {
		{ &trusted, &relays->trusted }, { &untrusted, &relays->untrusted }, { &internal, &relays->internal },
		{ &external, &relays->external },
	};
	for (size_t i = 0; i < 4; i++) {
		*pairs[i].to = arena_copy(arena, buf_slice(pairs[i].from));
		buf_free(pairs[i].from);
	}
}

static void add_relay(struct relays *relays, struct chain *chain, const struct relay *r)
{
	struct relay *to = &relays->list[relays->count++];
	*to = *r;
	judge(chain, to);
	to->trusted = chain->trusted;
	to->internal = chain->internal;
	relays->trusted_count += to->trusted;
	relays->internal_count += to->internal;
}

/* qmail-scanner's field tells the envelope sender of the hand-over below it. */
static struct slice scanner_sender(struct arena *arena, struct slice value)
{
	struct slice s = header_unfold(arena, value);
	size_t at = slice_find_nocase(s, SLICE("envelope-from "));
	if (slice_find(s, SLICE("with qmail-scanner")) == SLICE_NPOS || at == SLICE_NPOS)
		return SLICE_EMPTY;
	s = slice_from(s, at + 14);
	size_t open = slice_chr(s, '<');
	s = slice_from(s, open == SLICE_NPOS ? 0 : open + 1);
	size_t end = 0;
	while (end < s.len && strchr("> ,)", s.data[end]) == NULL)
		end++;
	return slice_head(s, end);
}

/* A mail fetcher begins a new trace: what is above it is the way from the mailbox. */
static bool is_fetcher(struct slice value)
{
	return slice_find(value, SLICE("with POP3")) != SLICE_NPOS || slice_find(value,
		SLICE("with IMAP")) != SLICE_NPOS;
}

struct relays *message_relays(const struct message *m, const struct received_networks *networks,
			      const struct relay *client)
{
	static const struct received_networks none = { .trusted_count = 0 };
	struct relays *relays = arena_new(m->arena, struct relays);
	struct chain chain = { .networks = networks ? networks : &none, .trusted = true, .internal = true };
	chain.configured = chain.networks->trusted_count + chain.networks->internal_count > 0;
	relays->list = arena_array(m->arena, struct relay, message_header_count(m, SLICE("Received")) + 1);
	if (client != NULL)
		add_relay(relays, &chain, client);
	struct slice sender = SLICE_EMPTY;
	for (const struct header *h = message_header(m, SLICE("Received"),
		0); h != NULL; h = message_header_next(m, h)) {
		struct relay r;
		bool harmless;
		if (received_parse(m->arena, h->value, &r, &harmless)) {
			r.header = (size_t)(h - m->headers);
			if (sender.len > 0)
				r.envfrom = sender;
			sender = SLICE_EMPTY;
			add_relay(relays, &chain, &r);
			continue;
		}
		relays->unparseable += !harmless;
		sender = harmless ? scanner_sender(m->arena, h->value) : SLICE_EMPTY;
		if (harmless && chain.trusted && is_fetcher(h->value))
			relays->count = relays->trusted_count = relays->internal_count = 0;
	}
	return relays;
}
