#include "filters/uribl.h"

#include "filters/dnsbl.h"
#include "filters/relay.h"
#include "message/decoded.h"

struct state {
	struct message *message;
	struct dnsbl_asked asked[URIBL_DOMAINS_MAX];
	size_t count;
	bool collected;
};

static const struct filter_symbol symbols[] = {
	{ "DNSBL_TEMPERROR", 0, "a DNS list did not answer" },
	{ "DNSBL_SUSPENDED", 0, "a DNS list is not well, or refuses us: its answers don't count" },
	{ NULL, 0, NULL },
};

#define JOB_SIZE (64u * 1024) /* DESIGN 1: what is larger is decoded off the loop */

static void decode(void *arg)
{
	message_decode(((struct state *)arg)->message, NULL);
}

static bool is_known(const struct state *s, struct slice domain)
{
	for (size_t i = 0; i < s->count; i++)
		if (slice_eq(s->asked[i].domain, domain))
			return true;
	return false;
}

static void collect(const struct scan *scan, struct state *s, const struct uris *uris)
{
	s->collected = true;
	for (size_t i = 0; i < uris->count; i++)
		for (size_t k = 0; k < uris->list[i].host_count; k++) {
			const struct uri_host *h = &uris->list[i].hosts[k];
			struct ip ip;
			if (s->count < URIBL_DOMAINS_MAX && h->domain.len > 0 && !ip_parse(h->host, &ip) &&
			    !relay_is_our_domain(scan->snapshot->config->relay, h->domain) && !is_known(s, h->domain))
				s->asked[s->count++].domain = h->domain;
		}
}

static bool is_wanted(const struct config *config)
{
	for (size_t i = 0; i < config->dnslist_count; i++)
		if (config->dnslists[i].type == DNSLIST_URI)
			return true;
	return false;
}

static enum step step(struct scan *scan, void *memory, enum phase phase)
{
	struct state *s = memory;
	bool all = true;
	if (client_is_ours(&scan->client) || !is_wanted(scan->snapshot->config))
		return STEP_DONE;
	s->message = &scan->message;
	/* The rules have decoded it, where there are any. */
	if (scan->message.decoded == NULL && scan->message.raw.len > JOB_SIZE &&
	    ask_job(scan->questions, decode, s, phase) == NULL)
		return STEP_NEED;
	if (!s->collected)
		collect(scan, s, &message_decode(&scan->message, NULL)->uris);
	for (size_t i = 0; i < s->count; i++)
		all = dnsbl_look_up(scan, DNSLIST_URI, &s->asked[i], phase, false) && all;
	for (size_t i = 0; all && i < s->count; i++)
		dnsbl_look_up(scan, DNSLIST_URI, &s->asked[i], phase, true);
	return all ? STEP_DONE : STEP_NEED;
}

static const char *const after[] = { "content", NULL };

const struct filter uribl_filter = {
	.name = "uribl",
	.phases = PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct state),
	.step = step,
	.after = after,
	.symbols = symbols,
};
