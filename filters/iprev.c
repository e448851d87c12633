#include "filters/iprev.h"

#include <stddef.h>

#include "filters/judged.h"

/* A reverse look-up and its confirmation. */
struct reverse {
	enum auth_result result;  /* AUTH_UNKNOWN: under way */
	struct slice name;        /* confirmed, or the first */
	const char *why;          /* of a temporary error */
};

struct state {
	struct reverse client, judged;
	bool concluded;
};

static const struct setting_value consequences[] = {
	{ "score", IPREV_SCORE }, { "reject", IPREV_REJECT }, { "ignore", IPREV_IGNORE }, { NULL, 0 },
};

#define AT(member) offsetof(struct iprev_settings, member)
#define CONSEQUENCE(key, member, text)                                               \
	{                                                                            \
		.name = key, .type = SETTING_ENUM, .offset = AT(member),             \
		.fallback = "score", .values = consequences, .help = text,           \
	}
static const struct setting settings[] = {
	CONSEQUENCE("fail", fail, "when no name of the client leads back to it: score, reject (550 5.7.25), ignore"),
	CONSEQUENCE("no-name", no_name, "when its address has no name: score, reject (550 5.7.25), ignore"),
	CONSEQUENCE("helo-ours", helo_ours, "when a stranger uses our name: score, reject (550 5.7.1), ignore"),
	CONSEQUENCE("helo-bad", helo_bad, "when its HELO name can't be right: score, reject (550 5.7.1), ignore"),
	{ .name = "names", .type = SETTING_INT, .offset = AT(names), .fallback = "10", .min = 1, .max = 50,
	  .help = "PTR records that are looked at" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "IPREV_PASS", 0, "the client's address has a name that leads back to it" },
	{ "IPREV_FAIL", 1.0, "none of the names of the client's address leads back to it" },
	{ "IPREV_NONE", 1.5, "the client's address has no name" },
	{ "IPREV_TEMPERROR", 0, "the name of the client's address could not be looked up" },
	{ "HELO_BARE_IP", 1.5, "HELO with an address without brackets" },
	{ "HELO_OURS", 3.0, "HELO with our own name or a domain of ours" },
	{ "HELO_NO_DOT", 1.0, "HELO with a name that is not fully qualified" },
	{ "HELO_LITERAL_MISMATCH", 1.5, "HELO with an address literal that is not the client's" },
	{ "HELO_UNRESOLVABLE", 0.1, "HELO with a name that has no address" },
	{ NULL, 0, NULL },
};

static enum dns_type address_type(const struct ip *ip)
{
	return ip->family == 6 ? DNS_AAAA : DNS_A;
}

static bool leads_back(const struct answer *answer, const struct ip *ip)
{
	for (size_t i = 0; i < answer->count; i++)
		if (slice_eq(answer->records[i], ip_slice(ip)))
			return true;
	return false;
}

/* All names are asked for together, and judged in their order: the first that
 * leads back is it, whichever answer comes first. */
static enum step confirm(struct scan *scan, const struct answer *ptr, const struct ip *ip, struct reverse *r,
			 enum phase phase)
{
	const struct iprev_settings *s = scan_settings(scan);
	size_t count = ptr->count < (size_t)s->names ? ptr->count : (size_t)s->names;
	const struct answer *failed = NULL;
	struct slice confirmed = SLICE_EMPTY, first = SLICE_EMPTY;
	bool missing = false;
	for (size_t i = 0; i < count; i++) {
		struct slice name = dns_name(scan->arena, ptr->records[i], 0);
		const struct answer *a = scan_dns(scan, name, address_type(ip), phase);
		if (i == 0)
			first = name;
		if (a == NULL)
			missing = true;
		else if (a->status == ANSWER_TEMPERROR)
			failed = a;
		else if (!missing && confirmed.len == 0 && leads_back(a, ip))
			confirmed = name;
	}
	if (missing && confirmed.len == 0)
		return STEP_NEED;
	r->name = confirmed.len > 0 ? confirmed : first;
	r->result = confirmed.len > 0 ? AUTH_PASS : failed != NULL ? AUTH_TEMPERROR : AUTH_FAIL;
	r->why = failed != NULL ? failed->why : NULL;
	return STEP_DONE;
}

static enum step look_up(struct scan *scan, const struct ip *ip, struct reverse *r, enum phase phase)
{
	if (r->result != AUTH_UNKNOWN || ip->family == 0)
		return STEP_DONE;
	const struct answer *ptr =
		scan_dns(scan, dns_reverse_name(scan->arena, ip_slice(ip), SLICE_EMPTY), DNS_PTR, phase);
	if (ptr == NULL)
		return STEP_NEED;
	if (ptr->status == ANSWER_FOUND && ptr->count > 0)
		return confirm(scan, ptr, ip, r, phase);
	r->result = ptr->status == ANSWER_TEMPERROR ? AUTH_TEMPERROR : AUTH_PERMERROR; /* RFC 8601 2.7.3 */
	r->why = ptr->why;
	return STEP_DONE;
}

/* ---- HELO ---- */

static bool is_helo_name(struct slice helo)
{
	struct ip ip;
	return slice_chr(helo, '.') != SLICE_NPOS && helo.data[0] != '[' && !ip_parse(helo, &ip);
}

static struct slice without_final_dot(struct slice name)
{
	if (name.len > 1 && name.data[name.len - 1] == '.')
		name.len--;
	return name;
}

static bool is_our_name(const struct scan *scan, struct slice helo)
{
	const struct config *config = scan->snapshot->config;
	helo = without_final_dot(helo);
	if (slice_eq_nocase(helo, config->top->hostname))
		return true;
	for (size_t i = 0; i < config->relay->domains.count; i++)
		if (slice_eq_nocase(helo, config->relay->domains.items[i]))
			return true;
	for (size_t i = 0; i < config->relay->literals.count; i++)
		if (slice_eq_nocase(helo, config->relay->literals.items[i]))
			return true;
	return false;
}

static bool is_other_literal(struct slice helo, const struct ip *ip)
{
	struct ip given;
	return helo.data[helo.len - 1] != ']' || !ip_parse(slice_sub(helo, 1, helo.len - 2), &given) ||
	       !ip_eq(&given, ip);
}

/* The symbol; NULL: nothing wrong, or an answer is missing and *need_r set. */
static const char *judge_helo(struct scan *scan, const struct judged *judged, enum phase phase, bool *need_r)
{
	struct ip ip;
	struct slice helo = judged->helo;
	if (helo.len == 0)
		return NULL;
	if (is_our_name(scan, helo))
		return "HELO_OURS";
	if (helo.data[0] == '[')
		return is_other_literal(helo, &judged->ip) ? "HELO_LITERAL_MISMATCH" : NULL;
	if (ip_parse(helo, &ip))
		return "HELO_BARE_IP";
	if (slice_chr(without_final_dot(helo), '.') == SLICE_NPOS)
		return "HELO_NO_DOT";
	const struct answer *a = scan_dns(scan, helo, DNS_A, phase);
	const struct answer *aaaa = scan_dns(scan, helo, DNS_AAAA, phase);
	if (a == NULL || aaaa == NULL) {
		*need_r = true;
		return NULL;
	}
	bool known = a->count > 0 || aaaa->count > 0;
	bool failed = a->status == ANSWER_TEMPERROR || aaaa->status == ANSWER_TEMPERROR;
	return known || failed ? NULL : "HELO_UNRESOLVABLE";
}

/* ---- What comes of it ---- */

static void hit(struct scan *scan, const char *symbol, int consequence, const char *enhanced,
		struct slice what, const char *text)
{
	if (consequence == IPREV_IGNORE)
		return;
	struct hit *h = scan_hit(scan, symbol, "%.*s", SLICE_ARG(what));
	if (consequence != IPREV_REJECT)
		return;
	h->action = ACTION_REJECT;
	struct slice told = arena_printf(scan->arena, "%s: %.*s", text, SLICE_ARG(what));
	h->refusal = (struct refusal){ 550, enhanced, told };
}

static void report_name(struct scan *scan, const struct judged *judged, const struct reverse *r)
{
	const struct iprev_settings *s = scan_settings(scan);
	char ip[IP_TEXT_MAX];
	ip_text(&judged->ip, ip);
	struct slice what = arena_printf(scan->arena, "%s %.*s", ip, SLICE_ARG(r->name));
	if (r->result == AUTH_PASS)
		scan_hit(scan, "IPREV_PASS", "%.*s", SLICE_ARG(what));
	else if (r->result == AUTH_FAIL)
		hit(scan, "IPREV_FAIL", s->fail, "5.7.25", what, "The client's name does not lead back to its address");
	else if (r->result == AUTH_PERMERROR)
		hit(scan, "IPREV_NONE", s->no_name, "5.7.25", slice_str(arena_str(scan->arena, slice_str(ip))),
		    "The client's address has no reverse DNS name");
	else
		scan_on_error(scan, "IPREV_TEMPERROR", "4.7.25", r->why ? r->why : "no answer");
}

static void report_helo(struct scan *scan, const struct judged *judged, const char *symbol)
{
	const struct iprev_settings *s = scan_settings(scan);
	if (symbol == NULL)
		return;
	bool ours = strcmp(symbol, "HELO_OURS") == 0;
	hit(scan, symbol, ours ? s->helo_ours : s->helo_bad, "5.7.1", judged->helo, "HELO name refused");
}

/* At MAIL it is known whether the client has authenticated: only now it is judged. */
static enum step judge(struct scan *scan, struct state *state, enum phase phase)
{
	bool need = false;
	if (state->concluded || client_is_ours(&scan->client) || !judged_known(scan, phase))
		return STEP_DONE;
	struct judged judged = judged_host(scan);
	struct reverse *r = judged.received ? &state->judged : &state->client;
	if (judged.ip.family == 0) {
		state->concluded = true;
		return STEP_DONE;
	}
	const char *symbol = judge_helo(scan, &judged, phase, &need);
	if (look_up(scan, &judged.ip, r, phase) == STEP_NEED || need)
		return STEP_NEED;
	state->concluded = true;
	scan->facts.iprev = (struct iprev_fact){ r->result, r->name };
	report_name(scan, &judged, r);
	report_helo(scan, &judged, symbol);
	return STEP_DONE;
}

static enum step at_connect(struct scan *scan, struct state *state)
{
	struct reverse *r = &state->client;
	if (scan->client.name.len > 0)
		*r = (struct reverse){ AUTH_PASS, scan->client.name, NULL };
	if (look_up(scan, &scan->client.ip, r, PHASE_CONNECT) == STEP_NEED)
		return STEP_NEED;
	if (r->result == AUTH_PASS)
		scan->client.name = r->name;
	scan->client.reverse_name = r->name;
	scan->client.name_failed = r->result == AUTH_TEMPERROR;
	scan->facts.iprev = (struct iprev_fact){ r->result, r->name };
	return STEP_DONE;
}

static enum step step(struct scan *scan, void *memory, enum phase phase)
{
	if (phase == PHASE_CONNECT)
		return at_connect(scan, memory);
	if (phase != PHASE_HELO)
		return judge(scan, memory, phase);
	if (is_helo_name(scan->client.helo) && !client_is_ours(&scan->client)) {
		scan_dns(scan, scan->client.helo, DNS_A, PHASE_MAIL);
		scan_dns(scan, scan->client.helo, DNS_AAAA, PHASE_MAIL);
	}
	return STEP_DONE;
}

const struct filter iprev_filter = {
	.name = "iprev",
	.phases = PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_HELO) | PHASE_BIT(PHASE_MAIL) |
		  PHASE_BIT(PHASE_HEADERS),
	.state_size = sizeof(struct state),
	.step = step,
	.settings = settings,
	.settings_size = sizeof(struct iprev_settings),
	.symbols = symbols,
};
