#include "filters/state.h"

#include "base/psl.h"
#include "filters/registry.h"
#include "filters/reputation.h"
#include "policy/policy.h"

#define IPV4_BITS 24u
#define IPV6_BITS 64u
#define APART_TTL (8 * 3600u) /* senders retry for hours */

struct slice state_network(struct arena *arena, const struct ip *ip)
{
	char text[IP_TEXT_MAX];
	if (ip->family == 0)
		return SLICE_EMPTY;
	struct cidr net = cidr_of(ip, ip->family == 4 ? IPV4_BITS : IPV6_BITS);
	return arena_printf(arena, "%s/%u", ip_text(&net.ip, text), net.bits);
}

/* The client's confirmed name and the sender's domain are of one organisation. */
static bool is_of_sender(const struct scan *scan, struct slice *organisation_r)
{
	struct slice other, name = scan->client.name;
	return name.len > 0 && psl_organisational(name, organisation_r) &&
	       psl_organisational(scan->envelope.sender.domain, &other) && slice_eq_nocase(*organisation_r, other);
}

struct slice state_who(const struct scan *scan)
{
	const struct spf_fact *spf = &scan->facts.spf;
	struct slice organisation;
	if (spf->result == AUTH_PASS && !spf->helo)
		return arena_printf(scan->arena, "spf:%.*s", SLICE_ARG(spf->domain));
	if (is_of_sender(scan, &organisation))
		return arena_printf(scan->arena, "name:%.*s", SLICE_ARG(organisation));
	return state_network(scan->arena, &scan->client.ip);
}

bool state_is_refused(const struct scan *scan)
{
	for (size_t i = 0; i < scan->hits.count; i++) {
		const struct hit *h = &scan->hits.list[i];
		if (!h->shadow && h->recipient == (int)scan->recipient && h->action == ACTION_REJECT)
			return true;
	}
	return false;
}

void state_on_error(struct scan *scan, const char *symbol, const char *why)
{
	const struct config_state *state = scan->snapshot->config->state;
	const char *reason = why ? why : "no answer";
	if (state != NULL && state->on_error == ON_ERROR_DEFER)
		scan_refuse(scan, symbol, ACTION_DEFER, 451, "4.3.0", "Temporary failure: %s", reason);
	else
		scan_on_error(scan, symbol, "4.3.0", reason);
}

/* Recipients can disagree only where there are policies to disagree by. */
static bool has_policies(const struct snapshot *snapshot)
{
	return snapshot->config->policy_count > 1;
}

/* ---- recipients that disagreed */

static struct slice apart_key(const struct scan *scan)
{
	const struct mailbox *sender = &scan->envelope.sender;
	struct slice who = state_who(scan);
	return arena_printf(scan->arena, "apart:%.*s %.*s", SLICE_ARG(who),
			    SLICE_ARG(sender->text.len ? sender->text : SLICE("<>")));
}

static enum step apart_step(struct scan *scan, void *state, enum phase phase)
{
	(void)state;
	if (!has_policies(scan->snapshot) || scan->client.submission)
		return STEP_DONE;
	const struct store_request request = { .op = STORE_GET, .key = apart_key(scan) };
	const struct answer *answer = ask_store(scan->questions, &request, phase);
	if (answer == NULL)
		return STEP_NEED;
	scan->apart = answer->status == ANSWER_FOUND;
	return STEP_DONE;
}

static const char *const after[] = { "spf", "iprev", NULL };

const struct filter apart_filter = {
	.name = "apart",
	.phases = PHASE_BIT(PHASE_MAIL),
	.step = apart_step,
	.after = after,
};

size_t state_learn(const struct scan *scan, const struct verdict *verdict,
		   struct store_request requests[STATE_LEARN_MAX])
{
	size_t n = 0;
	if (verdict->disagreement)
		requests[n++] = (struct store_request){
			.op = STORE_PUT, .key = apart_key(scan), .value = SLICE("1"), .ttl = APART_TTL,
		};
	if (filter_is_on(scan->snapshot->config, "reputation") && !policy_skips(verdict->policy, "reputation"))
		n += reputation_learn(scan, verdict, requests + n);
	return n;
}
