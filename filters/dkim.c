#include "filters/dkim.h"

#include "filters/dkim_engine.h"
#include "filters/scan.h"

struct dkim_state {
	const struct dkim_engine *engine;
	void *engine_state;
	struct dkim_signature *sigs;
	struct dkim_check *checks;
	size_t count;
};

static const struct dkim_engine *const engines[] = {
	[DKIM_ENGINE_NATIVE] = &dkim_native,
	[DKIM_ENGINE_OPENDKIM] = &dkim_opendkim,
};

static struct dkim_policy policy_of(const struct scan *scan, const struct dkim_settings *settings)
{
	return (struct dkim_policy){
		.now = scan->now,
		.drift = settings->clock_drift / 1000,
		.sha1 = settings->sha1,
		.obsolete = settings->obsolete,
		.min_key_bits = (unsigned)settings->min_key_bits,
	};
}

/* RFC 6008: at least eight characters of b=, more where that isn't unique. */
static size_t length_of_b(const struct dkim_state *state, size_t i)
{
	struct slice b = state->sigs[i].b;
	size_t len = 8;
	for (size_t j = 0; j < state->count; j++) {
		struct slice other = state->sigs[j].b;
		while (j != i && len < b.len && !slice_eq(b, other) && slice_eq(slice_head(b, len), slice_head(other, len)))
			len++;
	}
	return len;
}

/* What is known before the keys: others may ask for names by these domains. */
static void begin_facts(struct scan *scan, const struct dkim_state *state)
{
	struct facts *facts = &scan->facts;
	facts->dkim = arena_array(scan->arena, struct dkim_fact, state->count + 1);
	facts->dkim_count = state->count;
	for (size_t i = 0; i < state->count; i++) {
		const struct dkim_signature *sig = &state->sigs[i];
		facts->dkim[i] = (struct dkim_fact){
			.domain = sig->domain, .selector = sig->selector, .identity = sig->identity,
			.algorithm = sig->algorithm, .header_b = slice_head(sig->b, length_of_b(state, i)),
		};
	}
}

/* Reads the signatures up to the cap and asks for their keys. */
static void at_headers(struct scan *scan, struct dkim_state *state)
{
	const struct dkim_settings *settings = scan_settings(scan);
	const struct dkim_policy policy = policy_of(scan, settings);
	size_t total = message_header_count(&scan->message, SLICE("dkim-signature"));
	state->count = total < (size_t)settings->max_signatures ? total : (size_t)settings->max_signatures;
	scan->facts.dkim_ignored = total - state->count;
	state->sigs = arena_array(scan->arena, struct dkim_signature, state->count + 1);
	state->checks = arena_array(scan->arena, struct dkim_check, state->count + 1);
	const struct header *h = message_header(&scan->message, SLICE("dkim-signature"), 0);
	for (size_t i = 0; i < state->count; i++, h = message_header_next(&scan->message, h)) {
		dkim_signature_parse(scan->arena, h, DKIM_SIGNATURE, &policy, &state->sigs[i]);
		if (scan->message.head_cut && state->sigs[i].result == AUTH_UNKNOWN) { /* what it signs may be hidden */
			state->sigs[i].result = AUTH_PERMERROR;
			state->sigs[i].reason = "too many header fields";
		}
		state->checks[i].sig = &state->sigs[i];
		state->checks[i].wanted = state->sigs[i].result == AUTH_UNKNOWN;
		if (state->checks[i].wanted)
			scan_dns(scan, state->sigs[i].query, DNS_TXT, PHASE_END);
	}
	begin_facts(scan, state);
	state->engine = engines[settings->engine];
	state->engine_state = state->engine->begin(scan->arena, &scan->message, state->checks, state->count);
}

static void on_body(struct scan *scan, void *arg, struct slice chunk)
{
	struct dkim_state *state = arg;
	(void)scan;
	state->engine->body(state->engine_state, chunk);
}

/* False: a key has not been answered yet. */
static bool find_keys(struct scan *scan, struct dkim_state *state)
{
	const struct dkim_policy policy = policy_of(scan, scan_settings(scan));
	bool all = true;
	for (size_t i = 0; i < state->count; i++)
		if (state->checks[i].wanted && !scan_dns(scan, state->sigs[i].query, DNS_TXT, PHASE_END))
			all = false;
	for (size_t i = 0; all && i < state->count; i++)
		if (state->checks[i].wanted)
			dkim_keys_find(scan->arena, scan_dns(scan, state->sigs[i].query, DNS_TXT, PHASE_END),
				       &state->sigs[i], &policy, &state->checks[i].keys);
	return all;
}

static const struct {
	enum auth_result result;
	const char *reason;
} verdicts[] = {
	[DKIM_NOT_CHECKED] = { AUTH_NEUTRAL, "not checked" },
	[DKIM_VERIFIED] = { AUTH_PASS, "" },
	[DKIM_BODY_DIFFERS] = { AUTH_FAIL, "body hash did not verify" },
	[DKIM_HEADER_DIFFERS] = { AUTH_FAIL, "signature did not verify" },
	[DKIM_LENGTH_TOO_LARGE] = { AUTH_PERMERROR, "l= is larger than the body" },
	[DKIM_CANNOT] = { AUTH_NEUTRAL, "not verifiable by this engine" },
};

static void judge_verified(const struct dkim_check *c, bool partial_body, struct arena *arena,
			   struct dkim_fact *fact)
{
	fact->key_bits = c->keys.keys[c->key_used].bits;
	fact->testing = c->keys.keys[c->key_used].testing;
	if (!c->sig->has_length || c->body_length <= c->sig->length)
		return;
	fact->body_cut = true;
	fact->reason = arena_printf(arena, "l= leaves %llu octets unsigned",
				    (unsigned long long)(c->body_length - c->sig->length));
	if (!partial_body)
		fact->result = AUTH_POLICY;
}

static void conclude(struct scan *scan, const struct dkim_check *c, struct dkim_fact *fact)
{
	const struct dkim_settings *settings = scan_settings(scan);
	fact->key_bits = c->keys.bits;
	fact->testing = c->keys.testing;
	if (!c->wanted) {
		fact->result = c->sig->result;
		fact->reason = slice_str(c->sig->reason);
	} else if (c->keys.result != AUTH_UNKNOWN) {
		fact->result = c->keys.result;
		fact->reason = slice_str(c->keys.reason);
	} else {
		fact->result = verdicts[c->verdict].result;
		fact->reason = slice_str(verdicts[c->verdict].reason);
		if (c->verdict == DKIM_VERIFIED)
			judge_verified(c, settings->partial_body, scan->arena, fact);
	}
}

static const char *const flaw_symbols[] = {
	[DKIM_FLAW_NONE] = NULL,
	[DKIM_FLAW_ODD_DOMAIN] = "DKIM_ODD_DOMAIN",
	[DKIM_FLAW_SHA1] = "DKIM_SHA1",
	[DKIM_FLAW_EXPIRED] = "DKIM_EXPIRED",
	[DKIM_FLAW_WEAK_KEY] = "DKIM_WEAK_KEY",
	[DKIM_FLAW_REVOKED] = "DKIM_REVOKED",
};

static struct hit *hit_for(struct scan *scan, const char *symbol, const struct dkim_fact *f)
{
	return scan_hit(scan, symbol, "d=%.*s s=%.*s%s%.*s", SLICE_ARG(f->domain), SLICE_ARG(f->selector),
			f->reason.len ? ": " : "", SLICE_ARG(f->reason));
}

static const struct dkim_fact *first_with(const struct facts *facts, enum auth_result result)
{
	for (size_t i = 0; i < facts->dkim_count; i++)
		if (facts->dkim[i].result == result)
			return &facts->dkim[i];
	return NULL;
}

static bool whole_body_passed(const struct facts *facts)
{
	for (size_t i = 0; i < facts->dkim_count; i++)
		if (facts->dkim[i].result == AUTH_PASS && !facts->dkim[i].body_cut)
			return true;
	return false;
}

/* One hit for each kind of flaw, whatever the other signatures are. */
static void note_flaws(struct scan *scan, const struct dkim_state *state)
{
	unsigned noted = 0;
	for (size_t i = 0; i < state->count; i++) {
		const struct dkim_check *c = &state->checks[i];
		enum dkim_flaw flaw = c->wanted ? c->keys.flaw : c->sig->flaw;
		if (flaw == DKIM_FLAW_NONE || (noted >> flaw & 1))
			continue;
		noted |= 1u << flaw;
		hit_for(scan, flaw_symbols[flaw], &scan->facts.dkim[i]);
	}
	for (size_t i = 0; i < state->count; i++)
		if (scan->facts.dkim[i].body_cut && !whole_body_passed(&scan->facts)) {
			hit_for(scan, "DKIM_BODY_CUT", &scan->facts.dkim[i]);
			break;
		}
	if (scan->facts.dkim_ignored > 0)
		scan_hit(scan, "DKIM_TOO_MANY", "%zu of %zu signatures not looked at", scan->facts.dkim_ignored,
			 scan->facts.dkim_ignored + state->count);
}

/* RFC 7372 3.1. */
static const struct refusal no_pass = { 550, "5.7.20", SLICE("No passing DKIM signature found") };
static const struct refusal not_acceptable = { 550, "5.7.21", SLICE("No acceptable DKIM signature found") };
static const struct refusal no_author = { 550, "5.7.22",
					  SLICE("No valid author-matched DKIM signature found") };

static void consequence(const struct scan *scan, struct hit *hit, int what, struct refusal refusal)
{
	if (what == DKIM_SCORE || client_is_ours(&scan->client))
		return;
	hit->action = what == DKIM_REJECT ? ACTION_REJECT : ACTION_QUARANTINE;
	hit->refusal = refusal;
}

static void temporary(struct scan *scan, const struct dkim_fact *f)
{
	if (client_is_ours(&scan->client))
		hit_for(scan, "DKIM_TEMPERROR", f);
	else
		scan_on_error(scan, "DKIM_TEMPERROR", "4.7.5", "the DKIM key could not be looked up");
}

/* What the message is to DKIM when no signature passed, worst news last:
 * a temporary error may yet become a pass; a testing key's failure counts
 * for nothing (RFC 6376 3.6.1). */
static void note_no_pass(struct scan *scan)
{
	static const struct {
		enum auth_result result;
		const char *symbol;
		const struct refusal *refusal;
	} kinds[] = {
		{ AUTH_FAIL, "DKIM_FAIL", &no_pass },
		{ AUTH_POLICY, "DKIM_POLICY", &not_acceptable },
		{ AUTH_PERMERROR, "DKIM_PERMERROR", &no_pass },
		{ AUTH_NEUTRAL, "DKIM_PERMERROR", &no_pass },
	};
	const struct dkim_settings *settings = scan_settings(scan);
	const struct dkim_fact *f = first_with(&scan->facts, AUTH_TEMPERROR);
	if (f != NULL) {
		temporary(scan, f);
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		f = first_with(&scan->facts, kinds[i].result);
		if (f == NULL)
			continue;
		struct hit *hit = hit_for(scan, f->testing ? "DKIM_TESTING" : kinds[i].symbol, f);
		if (!f->testing)
			consequence(scan, hit, settings->fail, *kinds[i].refusal);
		return;
	}
	consequence(scan, scan_hit(scan, "DKIM_NONE", NULL), settings->none, no_pass);
}

/* domain is the list's entry or below it; ".x" is for names below x alone. */
static bool within(struct slice domain, struct slice entry)
{
	bool below_only = entry.len > 0 && entry.data[0] == '.';
	struct slice name = below_only ? slice_from(entry, 1) : entry;
	if (slice_eq(domain, name))
		return !below_only;
	return domain.len > name.len && slice_ends(domain, name) &&
	       domain.data[domain.len - name.len - 1] == '.';
}

static bool signed_within(const struct facts *facts, struct slice entry)
{
	for (size_t i = 0; i < facts->dkim_count; i++)
		if (facts->dkim[i].result == AUTH_PASS && within(facts->dkim[i].domain, entry))
			return true;
	return false;
}

static void check_required(struct scan *scan)
{
	const struct dkim_settings *settings = scan_settings(scan);
	struct slice author = scan->facts.author.domain;
	for (size_t i = 0; author.len > 0 && i < settings->required.count; i++) {
		struct slice entry = settings->required.items[i];
		if (!within(author, entry) || signed_within(&scan->facts, entry))
			continue;
		if (first_with(&scan->facts, AUTH_TEMPERROR) != NULL)
			continue; /* said already */
		struct hit *hit = scan_hit(scan, "DKIM_REQUIRED", "%.*s", SLICE_ARG(author));
		consequence(scan, hit, DKIM_REJECT, no_author);
		return;
	}
}

static enum step at_end(struct scan *scan, struct dkim_state *state)
{
	if (!find_keys(scan, state))
		return STEP_NEED;
	state->engine->finish(state->engine_state);
	struct facts *facts = &scan->facts;
	facts->dkim_known = true;
	for (size_t i = 0; i < state->count; i++)
		conclude(scan, &state->checks[i], &facts->dkim[i]);
	const struct dkim_fact *pass = first_with(facts, AUTH_PASS);
	if (pass != NULL)
		hit_for(scan, "DKIM_PASS", pass);
	else
		note_no_pass(scan);
	note_flaws(scan, state);
	check_required(scan);
	return STEP_DONE;
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	if (phase == PHASE_END)
		return at_end(scan, state);
	at_headers(scan, state);
	return STEP_DONE;
}

static const struct setting_value engine_names[] = {
	{ "native", DKIM_ENGINE_NATIVE }, { "libopendkim", DKIM_ENGINE_OPENDKIM }, { NULL, 0 },
};
static const struct setting_value consequences[] = {
	{ "score", DKIM_SCORE }, { "quarantine", DKIM_QUARANTINE }, { "reject", DKIM_REJECT }, { NULL, 0 },
};

#define AT(member) offsetof(struct dkim_settings, member)
static const struct setting settings_table[] = {
	{ .name = "engine", .type = SETTING_ENUM, .offset = AT(engine), .fallback = "native",
	  .values = engine_names, .help = "who verifies: our own code over OpenSSL, or the library" },
	{ .name = "max-signatures", .type = SETTING_INT, .offset = AT(max_signatures), .fallback = "8",
	  .min = 0, .max = 100, .help = "signatures looked at, from the top; the rest is ignored" },
	{ .name = "min-key-bits", .type = SETTING_INT, .offset = AT(min_key_bits), .fallback = "1024",
	  .min = 512, .max = 8192, .help = "shorter RSA keys give the result \"policy\" (RFC 8301: 1024)" },
	{ .name = "rsa-sha1", .type = SETTING_BOOL, .offset = AT(sha1), .fallback = "off",
	  .help = "verify signatures by rsa-sha1, which RFC 8301 forbids" },
	{ .name = "obsolete", .type = SETTING_BOOL, .offset = AT(obsolete), .fallback = "off",
	  .help = "take what RFC 6376 dropped: signatures of drafts, without v=; and heed g= of keys" },
	{ .name = "partial-body", .type = SETTING_BOOL, .offset = AT(partial_body), .fallback = "on",
	  .help = "let a signature pass whose l= leaves text unsigned; off: the result is \"policy\"" },
	{ .name = "clock-drift", .type = SETTING_TIME, .offset = AT(clock_drift), .fallback = "5m",
	  .help = "how far ahead a signer's clock may be (t=)" },
	{ .name = "fail", .type = SETTING_ENUM, .offset = AT(fail), .fallback = "score", .values = consequences,
	  .help = "signed, but no signature passed: reject is 550 5.7.20 or 5.7.21" },
	{ .name = "none", .type = SETTING_ENUM, .offset = AT(none), .fallback = "score", .values = consequences,
	  .help = "not signed at all: reject is 550 5.7.20" },
	{ .name = "required", .type = SETTING_DOMAINS, .offset = AT(required),
	  .help = "author domains that always sign, with those below them: without a passing signature "
		  "of theirs, 550 5.7.22" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "DKIM_PASS", -0.1, "A DKIM signature verified" },
	{ "DKIM_FAIL", 0.1, "Signed, but changed since: no DKIM signature verified" },
	{ "DKIM_POLICY", 0.3, "No DKIM signature is acceptable here" },
	{ "DKIM_PERMERROR", 0.1, "No DKIM signature can be verified" },
	{ "DKIM_TEMPERROR", 0, "A DKIM key could not be looked up now" },
	{ "DKIM_NONE", 0, "Not signed with DKIM" },
	{ "DKIM_TESTING", 0, "DKIM failed, but its domain is only testing" },
	{ "DKIM_BODY_CUT", 1.5, "DKIM signs only the beginning of the body" },
	{ "DKIM_WEAK_KEY", 0.3, "DKIM key too short to prove anything" },
	{ "DKIM_SHA1", 0.3, "DKIM signature by rsa-sha1" },
	{ "DKIM_EXPIRED", 0.1, "DKIM signature expired" },
	{ "DKIM_REVOKED", 0.3, "DKIM key revoked by its domain" },
	{ "DKIM_ODD_DOMAIN", 1.5, "DKIM signature with bytes that no domain name has" },
	{ "DKIM_TOO_MANY", 0.5, "More DKIM signatures than are looked at" },
	{ "DKIM_REQUIRED", 3.0, "The author's domain always signs, and has not" },
	{ NULL, 0, NULL },
};

const struct filter dkim_filter = {
	.name = "dkim",
	.phases = PHASE_BIT(PHASE_HEADERS) | PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct dkim_state),
	.step = step,
	.body = on_body,
	.after = (const char *const[]){ "author", NULL },
	.settings = settings_table,
	.settings_size = sizeof(struct dkim_settings),
	.symbols = symbols,
};
