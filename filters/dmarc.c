#include "filters/dmarc.h"

#include <stddef.h>

#include "base/buf.h"
#include "filters/dmarc_arc.h"
#include "filters/dmarc_check.h"
#include "filters/judged.h"

#define IDENTIFIERS_MAX 64
#define EXPECTED_MAX 10 /* signatures whose domain is asked for ahead of their verdict */

struct state {
	struct dmarc_check *check; /* NULL: there is no author domain */
};

static const struct setting_value methods[] = {
	{ "tree-walk", DMARC_TREE_WALK }, { "psl", DMARC_PSL }, { NULL, 0 },
};
static const struct setting_value consequences[] = {
	{ "score", DMARC_SCORE },
	{ "quarantine", DMARC_DO_QUARANTINE },
	{ "reject", DMARC_DO_REJECT },
	{ NULL, 0 },
};

#define AT(member) offsetof(struct dmarc_settings, member)
static const struct setting settings[] = {
	{ .name = "method",
	  .type = SETTING_ENUM,
	  .offset = AT(method),
	  .fallback = "tree-walk",
	  .values = methods,
	  .help = "how organisational domains are found: tree-walk (RFC 9989) or psl (RFC 7489)" },
	{ .name = "reject",
	  .type = SETTING_ENUM,
	  .offset = AT(reject),
	  .fallback = "reject",
	  .values = consequences,
	  .help = "what p=reject does on a fail: reject (550 5.7.26), quarantine or score" },
	{ .name = "quarantine",
	  .type = SETTING_ENUM,
	  .offset = AT(quarantine),
	  .fallback = "quarantine",
	  .values = consequences,
	  .help = "what p=quarantine does on a fail: quarantine, reject or score" },
	{ .name = "arc",
	  .type = SETTING_BOOL,
	  .offset = AT(arc),
	  .fallback = "yes",
	  .help = "a fail is mended by an ARC chain of a trusted sealer that saw a pass" },
	{ .name = "local-override",
	  .type = SETTING_DOMAINS,
	  .offset = AT(local_override),
	  .help = "author domains whose policy is not enforced" },
	{ .name = "forwarders",
	  .type = SETTING_DOMAINS,
	  .offset = AT(forwarders),
	  .help = "domains that forward others' mail (mailing lists): not enforced on mail that is "
		  "theirs by SPF or DKIM" },
	{ .name = "forwarder-hosts",
	  .type = SETTING_CIDRS,
	  .offset = AT(forwarder_hosts),
	  .help = "hosts that forward others' mail: not enforced on what they bring" },
	{ .name = "text",
	  .type = SETTING_STRING,
	  .offset = AT(text),
	  .fallback = "%{d} asks that mail in its name which is not authenticated is refused (DMARC)",
	  .help = "of a refusal; %{d} is the author domain, %{p} the domain of the record" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "DMARC_PASS", -0.1, "DMARC: the author domain is authenticated" },
	{ "DMARC_NONE", 0, "DMARC: the author domain has no policy" },
	{ "DMARC_NO_AUTHOR", 0, "DMARC: there is no one author domain to judge" },
	{ "DMARC_FAIL_NONE", 0, "DMARC: not authenticated, the author domain asks for nothing" },
	{ "DMARC_FAIL_QUARANTINE", 3.0, "DMARC: not authenticated, the author domain asks for quarantine" },
	{ "DMARC_FAIL_REJECT", 6.0, "DMARC: not authenticated, the author domain asks for refusal" },
	{ "DMARC_OVERRIDE", 0, "DMARC: not authenticated, but let pass by local policy or ARC" },
	{ "DMARC_PERMERROR", 0, "DMARC: the author domain's record can not be used" },
	{ "DMARC_TEMPERROR", 0, "DMARC: could not be evaluated for now" },
	{ NULL, 0, NULL },
};

/* ---- headers: what can be asked for ---- */

/* The d= of a DKIM-Signature: only to ask early, so it need not be exact. */
static struct slice signing_domain(struct arena *arena, const struct header *h)
{
	struct slice rest = header_unfold(arena, h->value), tag;
	while (slice_split(&rest, ';', &tag)) {
		tag = slice_trim(tag);
		size_t equals = slice_chr(tag, '=');
		if (equals != SLICE_NPOS && slice_eq(slice_trim(slice_head(tag, equals)), SLICE("d")))
			return arena_lower(arena, slice_trim(slice_from(tag, equals + 1)));
	}
	return SLICE_EMPTY;
}

static void at_headers(struct scan *scan, struct state *state)
{
	const struct dmarc_settings *s = scan_settings(scan);
	const struct dmarc_request request = {
		.author = scan->facts.author.domain,
		.method = (enum dmarc_method)s->method,
		.sample = (unsigned)(slice_hash(scan->message.head) % 100),
		.needed = PHASE_END,
	};
	if (request.author.len == 0)
		return;
	state->check = dmarc_check_begin(scan->arena, scan->questions, &request);
	dmarc_check_expect(state->check, scan->envelope.sender.domain);
	const struct header *h = message_header(&scan->message, SLICE("DKIM-Signature"), 0);
	for (size_t i = 0; h != NULL && i < EXPECTED_MAX; i++, h = message_header_next(&scan->message, h))
		dmarc_check_expect(state->check, signing_domain(scan->arena, h));
}

/* ---- end: the verdict ---- */

static size_t collect_identifiers(const struct facts *facts, struct dmarc_identifier *list)
{
	size_t count = 0;
	if (facts->spf.result == AUTH_PASS || facts->spf.result == AUTH_TEMPERROR)
		list[count++] = (struct dmarc_identifier){ facts->spf.domain, false,
							   facts->spf.result == AUTH_TEMPERROR };
	for (size_t i = 0; i < facts->dkim_count && count < IDENTIFIERS_MAX; i++) {
		const struct dkim_fact *f = &facts->dkim[i];
		if (f->result == AUTH_PASS || f->result == AUTH_TEMPERROR)
			list[count++] = (struct dmarc_identifier){ f->domain, true,
								   f->result == AUTH_TEMPERROR };
	}
	return count;
}

/* ".x" in a list means what is below x. */
static bool domain_listed(const struct slice_list *list, struct slice domain)
{
	for (size_t i = 0; i < list->count; i++) {
		struct slice entry = list->items[i];
		if (entry.len > 0 && entry.data[0] == '.' ? slice_ends(domain, entry)
							  : slice_eq(domain, entry))
			return true;
	}
	return false;
}

static bool is_forwarded(const struct scan *scan, const struct dmarc_settings *s, struct slice *by_r)
{
	struct dmarc_identifier list[IDENTIFIERS_MAX];
	size_t count = collect_identifiers(&scan->facts, list);
	for (size_t i = 0; i < count; i++)
		if (!list[i].unknown && domain_listed(&s->forwarders, list[i].domain)) {
			*by_r = list[i].domain;
			return true;
		}
	*by_r = SLICE("a forwarding host");
	struct ip ip = judged_host(scan).ip;
	/* Whose mail SPF does not check can't pass by SPF either. */
	return cidr_list_has(s->forwarder_hosts.items, s->forwarder_hosts.count, &ip) ||
	       hits_find(&scan->hits, "SPF_FORWARDER") != NULL;
}

static bool is_mended_by_arc(const struct scan *scan, const struct dmarc_settings *s, struct slice author)
{
	const struct arc_fact *arc = &scan->facts.arc;
	return s->arc && arc->result == AUTH_PASS && arc->trusted &&
	       dmarc_arc_vouches(scan->arena, arc->authres, author);
}

/* Sets what is to be done after all. True: a failure is let pass. */
static bool override(struct scan *scan, const struct dmarc_settings *s, struct dmarc_fact *fact)
{
	struct slice by;
	if (fact->result != AUTH_FAIL || fact->disposition <= DMARC_POLICY_NONE)
		return false;
	if (domain_listed(&s->local_override, fact->domain)) {
		fact->local_override = true;
		fact->reason = SLICE("local policy");
	} else if (is_forwarded(scan, s, &by)) {
		fact->local_override = true;
		fact->reason = arena_printf(scan->arena, "forwarded by %.*s", SLICE_ARG(by));
	} else if (is_mended_by_arc(scan, s, fact->domain)) {
		fact->arc_override = true;
		fact->reason = arena_printf(scan->arena, "ARC of %.*s", SLICE_ARG(scan->facts.arc.sealer));
	} else {
		return false;
	}
	fact->disposition = DMARC_POLICY_NONE;
	return true;
}

static struct slice refusal_text(struct arena *arena, struct slice template, const struct dmarc_fact *fact)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < template.len; i++) {
		struct slice rest = slice_from(template, i);
		bool author = slice_starts(rest, SLICE("%{d}")), record = slice_starts(rest, SLICE("%{p}"));
		if (author || record) {
			buf_add_slice(&out, author ? fact->domain : fact->policy_domain);
			i += 3;
		} else {
			buf_add_char(&out, template.data[i]);
		}
	}
	struct slice text = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return text;
}

static void consequence(struct hit *hit, int what, struct slice text)
{
	if (what == DMARC_SCORE)
		return;
	hit->action = what == DMARC_DO_REJECT ? ACTION_REJECT : ACTION_QUARANTINE;
	hit->refusal = (struct refusal){ 550, "5.7.26", text };
}

static void report_failure(struct scan *scan, const struct dmarc_settings *s, const struct dmarc_fact *fact,
			   struct slice text)
{
	bool reject = fact->disposition == DMARC_POLICY_REJECT;
	const char *symbol = reject					    ? "DMARC_FAIL_REJECT" :
			     fact->disposition == DMARC_POLICY_QUARANTINE ? "DMARC_FAIL_QUARANTINE" :
									    "DMARC_FAIL_NONE";
	struct hit *hit = scan_hit(scan, symbol, "%.*s, policy of %.*s is %s%s", SLICE_ARG(fact->domain),
				   SLICE_ARG(fact->policy_domain), dmarc_policy_name(fact->policy),
				   fact->testing ? ", in test" : "");
	if (fact->disposition > DMARC_POLICY_NONE)
		consequence(hit, reject ? s->reject : s->quarantine, text);
}

static void report(struct scan *scan, const struct dmarc_settings *s, const struct dmarc_fact *fact,
		   bool overridden)
{
	switch (fact->result) {
	case AUTH_PASS:
		scan_hit(scan, "DMARC_PASS", "%.*s by %s", SLICE_ARG(fact->domain),
			 fact->dkim_aligned ? "DKIM" : "SPF");
		break;
	case AUTH_FAIL:
		if (overridden)
			scan_hit(scan, "DMARC_OVERRIDE", "%.*s: %.*s", SLICE_ARG(fact->domain),
				 SLICE_ARG(fact->reason));
		else
			report_failure(scan, s, fact, refusal_text(scan->arena, s->text, fact));
		break;
	case AUTH_TEMPERROR:
		scan_on_error(scan, "DMARC_TEMPERROR", "4.7.0", arena_str(scan->arena, fact->reason));
		break;
	case AUTH_PERMERROR:
		scan_hit(scan, "DMARC_PERMERROR", "%.*s: %.*s", SLICE_ARG(fact->policy_domain),
			 SLICE_ARG(fact->reason));
		break;
	default:
		scan_hit(scan, fact->domain.len > 0 ? "DMARC_NONE" : "DMARC_NO_AUTHOR", "%.*s",
			 SLICE_ARG(fact->domain.len > 0 ? fact->domain : fact->reason));
		break;
	}
}

static enum step at_end(struct scan *scan, struct state *state)
{
	const struct dmarc_settings *s = scan_settings(scan);
	struct dmarc_identifier list[IDENTIFIERS_MAX];
	struct dmarc_fact fact = {
		.result = AUTH_NONE, .disposition = DMARC_POLICY_NONE, .reason = scan->facts.author.reason,
	};
	size_t count = collect_identifiers(&scan->facts, list);
	if (state->check != NULL && dmarc_check_step(state->check, list, count, &fact) == STEP_NEED)
		return STEP_NEED;
	bool overridden = override(scan, s, &fact);
	scan->facts.dmarc = fact;
	report(scan, s, &fact, overridden);
	return STEP_DONE;
}

/* A client of ours; or one of our networks brings it, and nobody else before. */
static bool is_passed_over(const struct scan *scan)
{
	return client_is_ours(&scan->client) ||
	       (scan->client.trusted && judged_host(scan).ip.family == 0);
}

static enum step step(struct scan *scan, void *memory, enum phase phase)
{
	struct state *state = memory;
	if (is_passed_over(scan))
		return STEP_DONE;
	if (phase == PHASE_HEADERS) {
		if (state->check == NULL)
			at_headers(scan, state);
		return STEP_DONE;
	}
	return at_end(scan, state);
}

static const char *const after[] = { "author", "spf", "dkim", "arc", NULL };

const struct filter dmarc_filter = {
	.name = "dmarc",
	.phases = PHASE_BIT(PHASE_HEADERS) | PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct state),
	.step = step,
	.after = after,
	.settings = settings,
	.settings_size = sizeof(struct dmarc_settings),
	.symbols = symbols,
};
