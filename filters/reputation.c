#include "filters/reputation.h"

#include "filters/state.h"
#include "policy/policy.h"

#define MOSTLY 0.9  /* share of spam that makes a bad name */
#define SELDOM 0.02 /* and the most that leaves a good one */
#define CLEARLY_HAM 2.0

#define AT(member) offsetof(struct reputation_settings, member)
static const struct setting settings[] = {
	{ "enabled", SETTING_BOOL, offsetof(struct filter_common, enabled), .fallback = "off",
	  .help = "Whether it runs, and learns" },
	{ "messages", SETTING_INT, AT(messages), .fallback = "10", .min = 1, .max = 1000000,
	  .help = "Messages seen of a sender before they count" },
	{ "memory", SETTING_TIME, AT(memory), .fallback = "30d", .min = 1000, .max = 86400000.0 * 366,
	  .help = "How long what a sender sent is remembered" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "REPUTATION_BAD", 2.0, "nearly all that this sender sent was spam" },
	{ "REPUTATION_GOOD", -1.0, "nearly nothing that this sender sent was spam" },
	{ "REPUTATION_TEMPERROR", 0, "the state store did not answer" },
	{ NULL, 0, NULL },
};

static struct slice key(const struct scan *scan, char kind)
{
	struct slice who = state_who(scan);
	return arena_printf(scan->arena, "rep:%c:%.*s", kind, SLICE_ARG(who));
}

static bool is_learnt(const struct scan *scan)
{
	return !client_is_ours(&scan->client) && !scan->client.trusted && scan->client.ip.family != 0;
}

static bool read_counts(struct scan *scan, enum phase needed, int64_t *ham_r, int64_t *spam_r, const char **why_r)
{
	const struct store_request ham = { .op = STORE_ADD, .key = key(scan, 'h') };
	const struct store_request spam = { .op = STORE_ADD, .key = key(scan, 's') };
	const struct answer *h = ask_store(scan->questions, &ham, needed);
	const struct answer *s = ask_store(scan->questions, &spam, needed);
	if (h == NULL || s == NULL)
		return false;
	bool failed = h->status == ANSWER_TEMPERROR || s->status == ANSWER_TEMPERROR;
	*why_r = failed ? (h->why ? h->why : s->why ? s->why : "no answer") : NULL;
	*ham_r = failed ? 0 : h->number;
	*spam_r = failed ? 0 : s->number;
	return true;
}

bool reputation_read(struct scan *scan, enum phase needed, int64_t *ham_r, int64_t *spam_r)
{
	const char *why;
	return read_counts(scan, needed, ham_r, spam_r, &why);
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	const struct reputation_settings *s = scan_settings(scan);
	int64_t ham, spam;
	const char *why;
	(void)state;
	if (s == NULL || !is_learnt(scan))
		return STEP_DONE;
	if (!read_counts(scan, phase, &ham, &spam, &why))
		return STEP_NEED;
	int64_t all = ham + spam;
	struct slice who = state_who(scan);
	if (why != NULL)
		state_on_error(scan, "REPUTATION_TEMPERROR", why);
	else if (all >= s->messages && (double)spam >= MOSTLY * (double)all)
		scan_hit(scan, "REPUTATION_BAD", "%.*s: %lld of %lld", SLICE_ARG(who), (long long)spam, (long long)all);
	else if (all >= s->messages && (double)spam <= SELDOM * (double)all)
		scan_hit(scan, "REPUTATION_GOOD", "%.*s: %lld of %lld", SLICE_ARG(who), (long long)spam, (long long)all);
	return STEP_DONE;
}

/* Ham: clearly below the tag. Spam: what was refused or put aside for its content or its sender. */
static char kind_of(const struct scan *scan, const struct verdict *v)
{
	double score = v->score;
	for (size_t i = 0; i < scan->hits.count; i++) {
		const struct hit *h = &scan->hits.list[i];
		if (h->filter != NULL && strcmp(h->filter, "reputation") == 0 && !h->shadow)
			score -= policy_score(v->policy, h);
	}
	bool refused = v->action == ACTION_REJECT || v->action == ACTION_QUARANTINE || v->action == ACTION_DISCARD ||
		       v->action == ACTION_REDIRECT;
	if (refused && score >= v->required && v->required > 0)
		return 's';
	return v->action == ACTION_ACCEPT && score < CLEARLY_HAM ? 'h' : '\0';
}

size_t reputation_learn(const struct scan *scan, const struct verdict *v, struct store_request *request_r)
{
	const struct reputation_settings *s = snapshot_filter(scan->snapshot, "reputation");
	char kind = is_learnt(scan) ? kind_of(scan, v) : '\0';
	if (kind == '\0')
		return 0;
	*request_r = (struct store_request){
		.op = STORE_ADD, .key = key(scan, kind), .amount = 1, .ttl = (uint32_t)(s->memory / 1000),
	};
	return 1;
}

static const char *const after[] = { "spf", "iprev", NULL };

const struct filter reputation_filter = {
	.name = "reputation",
	.phases = PHASE_BIT(PHASE_MAIL),
	.step = step,
	.after = after,
	.settings = settings,
	.settings_size = sizeof(struct reputation_settings),
	.symbols = symbols,
};
