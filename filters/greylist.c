#include "filters/greylist.h"

#include "filters/registry.h"
#include "filters/relay.h"
#include "filters/reputation.h"
#include "filters/state.h"

#define GOOD_HAM 5 /* messages, and no spam: a known good sender */

static const struct setting_value MODES[] = {
	{ "always", GREYLIST_ALWAYS }, { "score", GREYLIST_SCORE }, { NULL, 0 },
};

#define AT(member) offsetof(struct greylist_settings, member)
#define DAY 86400000.0
static const struct setting settings[] = {
	{ "enabled", SETTING_BOOL, offsetof(struct filter_common, enabled), .fallback = "off",
	  .help = "Whether senders not seen before have to come again" },
	{ "mode", SETTING_ENUM, AT(mode), .fallback = "score", .values = MODES,
	  .help = "always: all of them; score: those whose mail reaches the policy's greylist score" },
	{ "delay", SETTING_TIME, AT(delay), .fallback = "5m", .min = 1000, .max = DAY,
	  .help = "How long a new sender has to wait" },
	{ "window", SETTING_TIME, AT(window), .fallback = "2d", .min = 1000, .max = 30 * DAY,
	  .help = "How long after its first attempt it may come again" },
	{ "memory", SETTING_TIME, AT(memory), .fallback = "36d", .min = 1000, .max = 366 * DAY,
	  .help = "How long one that did is known, from its last mail" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "GREYLIST_WAIT", 0, "the sender is not known yet" },
	{ "GREYLIST_PASS", 0, "the sender came again after the delay" },
	{ "GREYLIST_TEMPERROR", 0, "the state store did not answer" },
	{ NULL, 0, NULL },
};

struct asking {
	struct scan *scan;
	struct slice name;       /* WHO DOMAIN */
	const struct greylist_settings *settings;
};

static const struct answer *known(const struct asking *a)
{
	const struct store_request r = {
		.op = STORE_GET, .key = arena_printf(a->scan->arena, "greyok:%.*s", SLICE_ARG(a->name)),
		.touch = true, .ttl = (uint32_t)(a->settings->memory / 1000),
	};
	return ask_store(a->scan->questions, &r, PHASE_RCPT);
}

static const struct answer *first_seen(const struct asking *a)
{
	const struct store_request r = {
		.op = STORE_GET_OR_SET, .key = arena_printf(a->scan->arena, "grey:%.*s", SLICE_ARG(a->name)),
		.value = SLICE("1"), .ttl = (uint32_t)(a->settings->window / 1000),
	};
	return ask_store(a->scan->questions, &r, PHASE_RCPT);
}

static const struct answer *make_known(const struct asking *a)
{
	const struct store_request r = {
		.op = STORE_PUT, .key = arena_printf(a->scan->arena, "greyok:%.*s", SLICE_ARG(a->name)),
		.value = SLICE("1"), .ttl = (uint32_t)(a->settings->memory / 1000),
	};
	return ask_store(a->scan->questions, &r, PHASE_RCPT);
}

static void have_wait(const struct asking *a, int64_t seconds)
{
	struct hit *hit = scan_refuse(a->scan, "GREYLIST_WAIT", ACTION_GREYLIST, 451, "4.7.1",
				      "Greylisted, please try again in %lld seconds", (long long)seconds);
	if (a->settings->mode == GREYLIST_SCORE)
		hit->action = ACTION_NONE; /* the policy's greylist score decides */
}

static enum step judge(const struct asking *a)
{
	const struct answer *k = known(a), *f, *p;
	if (k == NULL)
		return STEP_NEED;
	if (k->status == ANSWER_FOUND)
		return STEP_DONE;
	f = k->status == ANSWER_TEMPERROR ? k : first_seen(a);
	if (f == NULL)
		return STEP_NEED;
	int64_t delay = a->settings->delay / 1000;
	int64_t age = f->status == ANSWER_FOUND ? a->scan->now - f->number : 0;
	if (f->status == ANSWER_TEMPERROR) {
		state_on_error(a->scan, "GREYLIST_TEMPERROR", f->why);
	} else if (age < delay) {
		have_wait(a, age < 0 ? delay : delay - age);
	} else {
		p = make_known(a);
		if (p == NULL)
			return STEP_NEED;
		scan_hit(a->scan, "GREYLIST_PASS", "after %lld seconds", (long long)age);
	}
	return STEP_DONE;
}

/* True: known good. Without a reputation filter nobody is. */
static bool is_good(struct scan *scan, bool *need_r)
{
	int64_t ham, spam;
	*need_r = false;
	if (!filter_is_on(scan->snapshot->config, "reputation"))
		return false;
	*need_r = !reputation_read(scan, PHASE_RCPT, &ham, &spam);
	return !*need_r && ham >= GOOD_HAM && spam == 0;
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	const struct mailbox *to = &scan->envelope.recipients[scan->recipient].mailbox;
	struct slice who = state_who(scan), domain = scan->envelope.sender.domain;
	bool need;
	(void)state, (void)phase;
	if (client_is_ours(&scan->client) || scan->client.trusted || who.len == 0 ||
	    scan_settings(scan) == NULL || state_is_refused(scan) ||
	    relay_is_role_address(scan->snapshot->config->relay, to))
		return STEP_DONE;
	if (is_good(scan, &need))
		return STEP_DONE;
	if (need)
		return STEP_NEED;
	const struct asking a = {
		scan, arena_printf(scan->arena, "%.*s %.*s", SLICE_ARG(who), SLICE_ARG(domain.len ? domain : SLICE("<>"))),
		scan_settings(scan),
	};
	return judge(&a);
}

static const char *const after[] = { "relay", "spf", "iprev", NULL };

const struct filter greylist_filter = {
	.name = "greylist",
	.phases = PHASE_BIT(PHASE_RCPT),
	.step = step,
	.after = after,
	.settings = settings,
	.settings_size = sizeof(struct greylist_settings),
	.symbols = symbols,
};
