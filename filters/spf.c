#include "filters/spf.h"

#include <stddef.h>

#include "filters/judged.h"
#include "filters/spf_macro.h"
#include "message/received_spf.h"

struct state {
	struct judged judged;
	struct spf_request request;
	struct spf_check *mail, *helo; /* NULL: not checked */
	bool begun, concluded;
};

/* Indices into spf_engines. */
static const struct setting_value engine_values[] = { { "native", 0 }, { "libspf2", 1 }, { NULL, 0 } };
static const struct setting_value consequences[] = {
	{ "score", SPF_SCORE }, { "reject", SPF_REJECT }, { "ignore", SPF_IGNORE }, { NULL, 0 },
};

#define AT(member) offsetof(struct spf_settings, member)
static const struct setting spf_settings_table[] = {
	{ .name = "engine", .type = SETTING_ENUM, .offset = AT(engine), .fallback = "native",
	  .values = engine_values, .help = "who evaluates records: native (all of RFC 7208) or libspf2" },
	{ .name = "fail", .type = SETTING_ENUM, .offset = AT(fail), .fallback = "score", .values = consequences,
	  .help = "what a fail of MAIL FROM does: score, reject (550 5.7.23) or ignore" },
	{ .name = "softfail", .type = SETTING_ENUM, .offset = AT(softfail), .fallback = "score",
	  .values = consequences, .help = "what a softfail of MAIL FROM does" },
	{ .name = "permerror", .type = SETTING_ENUM, .offset = AT(permerror), .fallback = "score",
	  .values = consequences, .help = "what a broken record does: score, reject (550 5.7.24) or ignore" },
	{ .name = "helo", .type = SETTING_BOOL, .offset = AT(helo), .fallback = "yes",
	  .help = "check the HELO name beside MAIL FROM" },
	{ .name = "helo-fail", .type = SETTING_ENUM, .offset = AT(helo_fail), .fallback = "score",
	  .values = consequences, .help = "what a fail of the HELO name does" },
	{ .name = "trusted-forwarders", .type = SETTING_CIDRS, .offset = AT(trusted_forwarders),
	  .help = "hosts that forward mail to us: their mail is not checked" },
	{ .name = "lookups", .type = SETTING_INT, .offset = AT(lookups), .fallback = "10", .min = 1, .max = 50,
	  .help = "terms of a record, with all it includes, that may need look-ups (RFC 7208 4.6.4)" },
	{ .name = "void-lookups", .type = SETTING_INT, .offset = AT(void_lookups), .fallback = "2", .min = 0,
	  .max = 50, .help = "of them, how many may find nothing" },
	{ .name = "mx-names", .type = SETTING_INT, .offset = AT(mx_names), .fallback = "10", .min = 1, .max = 50,
	  .help = "MX records that one mx may have" },
	{ .name = "ptr-names", .type = SETTING_INT, .offset = AT(ptr_names), .fallback = "10", .min = 1,
	  .max = 50, .help = "names of the client that ptr and %{p} look at" },
	{ .name = "text", .type = SETTING_STRING, .offset = AT(text),
	  .fallback = "%{o} does not let %{c} send its mail (SPF)", .help = "of a refusal; SPF macros are expanded" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "SPF_PASS", 0, "SPF: the client may send for this domain" },
	{ "SPF_FAIL", 2.0, "SPF: the client may not send for this domain" },
	{ "SPF_SOFTFAIL", 1.0, "SPF: the client probably may not send for this domain" },
	{ "SPF_NEUTRAL", 0.1, "SPF: the domain says nothing about the client" },
	{ "SPF_NONE", 0, "SPF: the domain has no record" },
	{ "SPF_PERMERROR", 0.5, "SPF: the domain's record can not be used" },
	{ "SPF_TEMPERROR", 0, "SPF: the record could not be looked up" },
	{ "SPF_HELO_PASS", 0, "SPF: the client may use its HELO name" },
	{ "SPF_HELO_FAIL", 1.0, "SPF: the client may not use its HELO name" },
	{ "SPF_HELO_SOFTFAIL", 0.5, "SPF: the client probably may not use its HELO name" },
	{ "SPF_HELO_NEUTRAL", 0, "SPF: the HELO name's record says nothing about the client" },
	{ "SPF_HELO_NONE", 0, "SPF: the HELO name has no record" },
	{ "SPF_HELO_PERMERROR", 0.2, "SPF: the HELO name's record can not be used" },
	{ "SPF_HELO_TEMPERROR", 0, "SPF: the HELO name's record could not be looked up" },
	{ "SPF_FORWARDER", 0, "SPF: not checked, a trusted forwarder brings it" },
	{ NULL, 0, NULL },
};

static const struct {
	const char *mail, *helo;
} symbol_of[] = {
	[AUTH_NONE] = { "SPF_NONE", "SPF_HELO_NONE" },
	[AUTH_PASS] = { "SPF_PASS", "SPF_HELO_PASS" },
	[AUTH_FAIL] = { "SPF_FAIL", "SPF_HELO_FAIL" },
	[AUTH_SOFTFAIL] = { "SPF_SOFTFAIL", "SPF_HELO_SOFTFAIL" },
	[AUTH_NEUTRAL] = { "SPF_NEUTRAL", "SPF_HELO_NEUTRAL" },
	[AUTH_TEMPERROR] = { "SPF_TEMPERROR", "SPF_HELO_TEMPERROR" },
	[AUTH_PERMERROR] = { "SPF_PERMERROR", "SPF_HELO_PERMERROR" },
};

struct spf_limits spf_settings_limits(const struct spf_settings *settings)
{
	return (struct spf_limits){
		.terms = (unsigned)settings->lookups,
		.voids = (unsigned)settings->void_lookups,
		.mx_names = (unsigned)settings->mx_names,
		.ptr_names = (unsigned)settings->ptr_names,
	};
}

const struct spf_engine *spf_settings_engine(const struct spf_settings *settings)
{
	return spf_engines[settings->engine];
}

static struct spf_request common_request(const struct scan *scan, const struct spf_settings *s,
					 const struct judged *judged, enum phase phase)
{
	return (struct spf_request){
		.client = judged->ip,
		.helo = judged->helo,
		.receiver = scan->snapshot->config->top->hostname,
		.now = scan->now,
		.needed = phase,
		.limits = spf_settings_limits(s),
	};
}

/* The sender with its domain as A-labels, the local part as it was written. */
static void set_sender(struct spf_request *request, const struct mailbox *sender)
{
	spf_request_mail_from(request, sender->text);
	if (sender->domain.len > 0)
		request->domain = sender->domain;
}

static void begin(struct scan *scan, struct state *state, const struct spf_settings *s, enum phase phase)
{
	state->begun = true;
	state->judged = judged_host(scan);
	if (state->judged.ip.family == 0) {
		state->concluded = true;
		return;
	}
	if (cidr_list_has(s->trusted_forwarders.items, s->trusted_forwarders.count, &state->judged.ip)) {
		scan_hit(scan, "SPF_FORWARDER", NULL);
		state->concluded = true;
		return;
	}
	const struct spf_engine *engine = spf_settings_engine(s);
	state->request = common_request(scan, s, &state->judged, phase);
	set_sender(&state->request, &scan->envelope.sender);
	state->mail = spf_check_begin(scan->arena, scan->questions, engine, &state->request);
	if (s->helo && !state->request.identity_helo) {
		struct spf_request helo = state->request;
		spf_request_helo(&helo);
		state->helo = spf_check_begin(scan->arena, scan->questions, engine, &helo);
	}
}

static struct slice evidence(struct scan *scan, const struct spf_fact *fact, const struct ip *ip)
{
	char text[IP_TEXT_MAX];
	struct slice why = fact->problem.len > 0 ? fact->problem : fact->mechanism;
	return arena_printf(scan->arena, "%.*s from %s%s%.*s", SLICE_ARG(fact->sender), ip_text(ip, text),
			    why.len > 0 ? ": " : "", SLICE_ARG(why));
}

/* What the client is told: our text, and the domain's own marked as such (RFC 7208 6.2). */
static struct slice refusal_text(struct scan *scan, const struct state *state, const struct spf_settings *s,
				 const struct spf_fact *fact)
{
	struct slice text = SLICE("SPF check failed");
	const struct spf_macro_values values = {
		.sender = fact->sender,
		.local = state->request.local,
		.sender_domain = fact->domain,
		.domain = fact->domain,
		.client = state->judged.ip,
		.validated = state->judged.name,
		.helo = state->judged.helo,
		.receiver = state->request.receiver,
		.now = scan->now,
	};
	spf_macro_explanation(scan->arena, s->text, &values, &text);
	if (fact->explanation.len == 0)
		return text;
	return arena_printf(scan->arena, "%.*s\nThe domain %.*s explains: %.*s", SLICE_ARG(text),
			    SLICE_ARG(fact->domain), SLICE_ARG(fact->explanation));
}

static enum spf_consequence consequence_of(const struct spf_settings *s, enum auth_result result, bool helo)
{
	if (helo)
		return result == AUTH_FAIL ? (enum spf_consequence)s->helo_fail : SPF_SCORE;
	switch (result) {
	case AUTH_FAIL: return (enum spf_consequence)s->fail;
	case AUTH_SOFTFAIL: return (enum spf_consequence)s->softfail;
	case AUTH_PERMERROR: return (enum spf_consequence)s->permerror;
	default: return SPF_SCORE;
	}
}

static void report(struct scan *scan, const struct state *state, const struct spf_fact *fact, bool helo)
{
	const struct spf_settings *s = scan_settings(scan);
	const char *symbol = helo ? symbol_of[fact->result].helo : symbol_of[fact->result].mail;
	struct slice what = evidence(scan, fact, &state->judged.ip);
	if (fact->result == AUTH_TEMPERROR && !helo) {
		scan_on_error(scan, symbol, "4.7.24", arena_str(scan->arena, what));
		return;
	}
	enum spf_consequence consequence = consequence_of(s, fact->result, helo);
	if (consequence == SPF_IGNORE)
		return;
	struct hit *hit = scan_hit(scan, symbol, "%.*s", SLICE_ARG(what));
	if (consequence == SPF_SCORE)
		return;
	hit->action = ACTION_REJECT;
	hit->refusal = (struct refusal){
		.code = 550, /* RFC 7372 3.2 */
		.enhanced = fact->result == AUTH_PERMERROR ? "5.7.24" : "5.7.23",
		.text = refusal_text(scan, state, s, fact),
	};
}

static void conclude(struct scan *scan, struct state *state)
{
	state->concluded = true;
	scan->facts.spf = spf_check_outcome(state->mail)->fact;
	report(scan, state, &scan->facts.spf, false);
	if (state->helo != NULL) {
		scan->facts.spf_helo = spf_check_outcome(state->helo)->fact;
		report(scan, state, &scan->facts.spf_helo, true);
	} else if (scan->facts.spf.helo) {
		scan->facts.spf_helo = scan->facts.spf;
	}
}

static enum step step(struct scan *scan, void *memory, enum phase phase)
{
	struct state *state = memory;
	if (state->concluded || client_is_ours(&scan->client) || !judged_known(scan, phase))
		return STEP_DONE;
	if (!state->begun)
		begin(scan, state, scan_settings(scan), phase);
	if (state->concluded)
		return STEP_DONE;
	bool need = spf_check_step(state->mail) == STEP_NEED;
	if (state->helo != NULL)
		need = spf_check_step(state->helo) == STEP_NEED || need;
	if (need)
		return STEP_NEED;
	conclude(scan, state);
	return STEP_DONE;
}

struct slice spf_received_field(const struct scan *scan)
{
	if (scan->facts.spf.result == AUTH_UNKNOWN)
		return SLICE_EMPTY;
	struct judged judged = judged_host(scan);
	const struct received_spf spf = {
		.fact = &scan->facts.spf,
		.client = judged.ip,
		.helo = judged.helo,
		.receiver = scan->snapshot->config->top->hostname,
	};
	return received_spf_field(scan->arena, &spf);
}

const struct filter spf_filter = {
	.name = "spf",
	.phases = PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_HEADERS),
	.state_size = sizeof(struct state),
	.step = step,
	.settings = spf_settings_table,
	.settings_size = sizeof(struct spf_settings),
	.symbols = symbols,
};
