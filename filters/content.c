#include "filters/content.h"

#include <stddef.h>

#include "base/log.h"
#include "filters/scan.h"
#include "filters/symbols.h"
#include "rules/rule_scan.h"

struct state {
	struct rule_scan *rules;
};

static const struct setting_value mime_engines[] = {
	{ "native", MIME_ENGINE_OWN }, { "gmime", MIME_ENGINE_GMIME }, { NULL, 0 },
};
static const struct setting_value html_engines[] = {
	{ "native", HTML_ENGINE_OWN }, { "libxml2", HTML_ENGINE_LIBXML }, { NULL, 0 },
};

#define AT(member) offsetof(struct content_settings, member)
static const struct setting settings[] = {
	{ .name = "job-size",
	  .type = SETTING_SIZE,
	  .offset = AT(job_size),
	  .fallback = "64kb",
	  .help = "mail larger than this is decoded and matched off the event loop" },
	{ .name = "network",
	  .type = SETTING_BOOL,
	  .offset = AT(network),
	  .fallback = "yes",
	  .help = "rules may ask DNS (lists of addresses and domains); chooses the scores for that" },
	{ .name = "mime-engine",
	  .type = SETTING_ENUM,
	  .offset = AT(mime_engine),
	  .fallback = "native",
	  .values = mime_engines,
	  .help = "who takes mails apart: our own code, lenient as mail readers are, or GMime" },
	{ .name = "html-engine",
	  .type = SETTING_ENUM,
	  .offset = AT(html_engine),
	  .fallback = "native",
	  .values = html_engines,
	  .help = "who reads HTML: our own code, which counts tags as SpamAssassin does, or libxml2" },
	{ .name = "parts",
	  .type = SETTING_BOOL,
	  .offset = AT(parts),
	  .fallback = "no",
	  .help = "sub-rules (__NAME) that hit are told too, without a score" },
	{ .name = NULL },
};

/* At the command line the client is often taken from the Received fields; it
 * is not to stand above them a second time. */
static bool is_traced(struct scan *scan, const struct received_networks *networks)
{
	if (scan->client.listener != NULL || scan->client.ip.family == 0)
		return false;
	const struct relays *relays = message_relays(&scan->message, networks, NULL);
	for (size_t i = 0; i < relays->count; i++)
		if (ip_eq(&relays->list[i].ip, &scan->client.ip))
			return true;
	return false;
}

static struct rule_scan *begin(struct scan *scan)
{
	const struct config *config = scan->snapshot->config;
	const struct config_networks *n = config->networks;
	const struct content_settings *s = scan_settings(scan);
	const struct received_networks networks = {
		.trusted = n->trusted.items, .trusted_count = n->trusted.count,
		.internal = n->internal.items, .internal_count = n->internal.count,
	};
	const struct rule_input input = {
		.arena = scan->arena,
		.all = s->parts,
		.message = &scan->message,
		.envelope = &scan->envelope,
		.client = &scan->client,
		.client_in_received = is_traced(scan, &networks),
		.envelope_known = scan->client.listener != NULL || scan->envelope.sender.text.len > 0,
		.facts = &scan->facts,
		.hits = &scan->hits,
		.questions = scan->questions,
		.now = scan->now,
		.hostname = config->top->hostname,
		.trusted = n->trusted.items, .trusted_count = n->trusted.count,
		.internal = n->internal.items, .internal_count = n->internal.count,
		.mime_engine = (enum mime_engine)s->mime_engine, .html_engine = (enum html_engine)s->html_engine,
	};
	return rule_scan_begin(scan->snapshot->rules, &input);
}

static void run_texts(void *arg)
{
	rule_scan_texts(arg);
}

static void run_conclude(void *arg)
{
	rule_scan_conclude(arg);
}

static void add_hits(struct scan *scan, struct rule_scan *rules)
{
	const struct content_settings *s = scan_settings(scan);
	size_t count;
	const struct rule_hit *list = rule_scan_hits(rules, &count);
	symbols_settle(&scan->hits, rules->rules, list, count);
	for (size_t i = 0; i < count; i++) {
		const struct rule *rule = list[i].rule;
		if (hits_find(&scan->hits, rule->name.data) != NULL)
			continue;
		struct hit hit = {
			.symbol = rule->name.data,
			.score = rule_is_hidden(rule) ? 0 : rule->score,
			.evidence = list[i].evidence,
			.describe = rule->describe,
			.action = rule->action,
			.refusal = rule->refusal,
			.phase = PHASE_END,
			.recipient = -1,
			.filter = scan->running->name,
			.shadow = rule->shadow || s->common.shadow,
		};
		hits_add(&scan->hits, &hit);
	}
}

static void log_slow(struct scan *scan, struct rule_scan *rules)
{
	const struct rule *rule;
	size_t at = 0;
	while ((rule = rule_scan_slow(rules, &at)) != NULL) {
		scan->rules_cut_off++;
		log_warn(NULL, "slow rule", "%s (%.*s:%u) ran over its time and was cut off after %.1f ms", rule->name.data,
			 SLICE_ARG(rule->file), rule->line, (double)rules->run.hits[rule->index].spent_us / 1000);
	}
}

static enum step at_end(struct scan *scan, struct state *state)
{
	const struct content_settings *s = scan_settings(scan);
	if (state->rules == NULL)
		state->rules = begin(scan);
	if (scan->message.raw.len > s->job_size &&
	    ask_job(scan->questions, run_texts, state->rules, PHASE_END) == NULL)
		return STEP_NEED;
	if (!rule_scan_answered(state->rules))
		return STEP_NEED;
	if (scan->message.raw.len > s->job_size && ask_job(scan->questions, run_conclude, state->rules, PHASE_END) == NULL)
		return STEP_NEED;
	rule_scan_conclude(state->rules);
	add_hits(scan, state->rules);
	log_slow(scan, state->rules);
	rule_scan_end(&state->rules);
	return STEP_DONE;
}

static enum step content_step(struct scan *scan, void *arg, enum phase phase)
{
	struct state *state = arg;
	if (scan->snapshot->rules == NULL)
		return STEP_DONE;
	if (phase == PHASE_END)
		return at_end(scan, state);
	if (!ruleset_asks_early(scan->snapshot->rules))
		return STEP_DONE;
	/* To have the questions on their way while the body comes. */
	struct rule_scan *early = begin(scan);
	rule_scan_headers(early);
	rule_scan_end(&early);
	return STEP_DONE;
}

/* All others: their symbols are for metas. */
static const char *const after[] = {
	"relay", "bots", "iprev", "author", "sender_login", "sender_domain", "spf", "dkim", "arc", "dmarc", "forged_from",
	"dnsbl", "rate", "reputation", "apart", "greylist", "clamd", NULL,
};

const struct filter content_filter = {
	.name = "content",
	.phases = PHASE_BIT(PHASE_HEADERS) | PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct state),
	.step = content_step,
	.after = after,
	.settings = settings,
	.settings_size = sizeof(struct content_settings),
};
