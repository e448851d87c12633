#include "filters/arc.h"

#include "filters/arc_chain.h"
#include "filters/scan.h"

struct arc_state {
	struct arc_chain *chain;
};

static struct dkim_policy policy_of(const struct scan *scan)
{
	const struct arc_settings *settings = scan_settings(scan);
	return (struct dkim_policy){ .now = scan->now, .min_key_bits = (unsigned)settings->min_key_bits };
}

static const struct answer *ask(struct scan *scan, const struct dkim_signature *sig)
{
	return scan_dns(scan, sig->query, DNS_TXT, PHASE_END);
}

/* Older message signatures only tell oldest-pass: they are not worth names
 * of their own. */
static bool has_asked_name(const struct arc_chain *chain, const struct dkim_signature *ams)
{
	for (unsigned i = 0; i < chain->count; i++)
		if (slice_eq(chain->sets[i].as.query, ams->query))
			return true;
	return slice_eq(chain->sets[chain->count - 1].ams.query, ams->query);
}

/* False: a key has not been answered yet. */
static bool ask_keys(struct scan *scan, const struct arc_chain *chain)
{
	bool all = true;
	for (unsigned i = 0; i < chain->count; i++)
		if (ask(scan, &chain->sets[i].as) == NULL)
			all = false;
	return ask(scan, &chain->sets[chain->count - 1].ams) != NULL && all;
}

static void find_keys(struct scan *scan, struct arc_chain *chain)
{
	const struct dkim_policy policy = policy_of(scan);
	for (unsigned i = 0; i < chain->count; i++) {
		struct arc_set *set = &chain->sets[i];
		dkim_keys_find(scan->arena, ask(scan, &set->as), &set->as, &policy, &set->as_keys);
		set->ams_has_keys = set->ams.result == AUTH_UNKNOWN && has_asked_name(chain, &set->ams);
		if (set->ams_has_keys)
			dkim_keys_find(scan->arena, ask(scan, &set->ams), &set->ams, &policy, &set->ams_keys);
	}
}

static bool is_trusted(const struct arc_settings *settings, struct slice sealer)
{
	for (size_t i = 0; i < settings->trusted_sealers.count; i++) {
		struct slice entry = settings->trusted_sealers.items[i];
		if (slice_eq(entry, sealer) || (slice_starts(entry, SLICE(".")) && slice_ends(sealer, entry)))
			return true;
	}
	return false;
}

static void make_fact(struct scan *scan, const struct arc_chain *chain)
{
	const struct arc_settings *settings = scan_settings(scan);
	struct arc_fact *fact = &scan->facts.arc;
	fact->result = chain->result;
	fact->reason = chain->reason;
	fact->instances = chain->count;
	if (chain->count > 0)
		fact->sealer = chain->sets[chain->count - 1].as.domain;
	if (chain->result != AUTH_PASS)
		return;
	fact->authres = arena_copy(scan->arena, chain->sets[chain->count - 1].authres);
	fact->oldest_pass = chain->oldest_pass;
	fact->trusted = is_trusted(settings, fact->sealer);
}

static void note_fail(struct scan *scan, const struct arc_chain *chain)
{
	const struct arc_settings *settings = scan_settings(scan);
	const struct arc_fact *fact = &scan->facts.arc;
	bool ours = client_is_ours(&scan->client);
	if (chain->temporary) {
		if (!ours && is_trusted(settings, fact->sealer))
			scan_on_error(scan, "ARC_TEMPERROR", "4.7.5", "an ARC key could not be looked up");
		else
			scan_hit(scan, "ARC_TEMPERROR", "%.*s", SLICE_ARG(fact->reason));
		return;
	}
	struct hit *hit = scan_hit(scan, "ARC_FAIL", "%.*s", SLICE_ARG(fact->reason));
	if (settings->fail == ARC_REJECT && !ours) {
		hit->action = ACTION_REJECT;
		hit->refusal = (struct refusal){ 550, "5.7.29", SLICE("ARC validation failure") };
	}
}

static enum step at_end(struct scan *scan, struct arc_chain *chain)
{
	const struct arc_fact *fact = &scan->facts.arc;
	if (chain->result == AUTH_UNKNOWN) {
		if (!ask_keys(scan, chain))
			return STEP_NEED;
		find_keys(scan, chain);
		arc_chain_verify(scan->arena, chain);
	}
	make_fact(scan, chain);
	if (fact->result == AUTH_FAIL)
		note_fail(scan, chain);
	else if (fact->result == AUTH_NONE)
		scan_hit(scan, "ARC_NONE", NULL);
	else
		scan_hit(scan, fact->trusted ? "ARC_TRUSTED" : "ARC_PASS", "i=%u d=%.*s", fact->instances,
			 SLICE_ARG(fact->sealer));
	return STEP_DONE;
}

static enum step step(struct scan *scan, void *arg, enum phase phase)
{
	struct arc_state *state = arg;
	if (phase == PHASE_END)
		return at_end(scan, state->chain);
	const struct dkim_policy policy = policy_of(scan);
	state->chain = arc_chain_read(scan->arena, &scan->message, &policy);
	if (state->chain->result == AUTH_UNKNOWN)
		ask_keys(scan, state->chain);
	return STEP_DONE;
}

static void on_body(struct scan *scan, void *arg, struct slice chunk)
{
	struct arc_state *state = arg;
	(void)scan;
	if (state->chain->result == AUTH_UNKNOWN)
		dkim_bodies_add(state->chain->bodies, chunk);
}

static const struct setting_value consequences[] = {
	{ "score", ARC_SCORE }, { "reject", ARC_REJECT }, { NULL, 0 },
};

#define AT(member) offsetof(struct arc_settings, member)
static const struct setting settings_table[] = {
	{ .name = "trusted-sealers", .type = SETTING_DOMAINS, .offset = AT(trusted_sealers),
	  .help = "domains (d= of the newest seal) whose word on what they received is believed: "
		  "their chain may mend a DMARC failure" },
	{ .name = "min-key-bits", .type = SETTING_INT, .offset = AT(min_key_bits), .fallback = "1024",
	  .min = 512, .max = 8192, .help = "shorter RSA keys fail (RFC 8301: 1024)" },
	{ .name = "fail", .type = SETTING_ENUM, .offset = AT(fail), .fallback = "score", .values = consequences,
	  .help = "a broken chain: reject is 550 5.7.29. RFC 8617 7.3 advises against it" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "ARC_PASS", 0, "The chain of forwarders (ARC) holds" },
	{ "ARC_TRUSTED", -0.5, "The chain of forwarders (ARC) holds and ends with one we trust" },
	{ "ARC_FAIL", 0.1, "The chain of forwarders (ARC) is broken" },
	{ "ARC_NONE", 0, "No chain of forwarders (ARC)" },
	{ "ARC_TEMPERROR", 0, "A key of the chain of forwarders could not be looked up now" },
	{ NULL, 0, NULL },
};

const struct filter arc_filter = {
	.name = "arc",
	.phases = PHASE_BIT(PHASE_HEADERS) | PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct arc_state),
	.step = step,
	.body = on_body,
	.settings = settings_table,
	.settings_size = sizeof(struct arc_settings),
	.symbols = symbols,
};
