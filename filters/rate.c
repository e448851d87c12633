#include "filters/rate.h"

#include "filters/relay.h"
#include "filters/state.h"

#define AT(member) offsetof(struct rate_settings, member)
#define LIMIT(key, text) \
	{ #key, SETTING_INT, AT(key), .fallback = "0", .max = 1e9, .help = text }
static const struct setting settings[] = {
	{ "enabled", SETTING_BOOL, offsetof(struct filter_common, enabled), .fallback = "off",
	  .help = "Whether messages are counted" },
	LIMIT(client, "Messages of one client address in a window; 0: any number"),
	LIMIT(network, "Messages of one client network (/24, /64)"),
	LIMIT(sender, "Messages of one envelope sender"),
	LIMIT(recipient, "Messages to one recipient"),
	LIMIT(user, "Messages of one login"),
	{ "window", SETTING_TIME, AT(window), .fallback = "1h", .min = 1000, .max = 86400000.0 * 31,
	  .help = "How long they are counted, from the first" },
	{ "close", SETTING_BOOL, AT(close), .fallback = "off",
	  .help = "Over a limit the session ends with 421, instead of 450 to the recipient" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "RATE_CLIENT", 0, "too many messages from one client" },
	{ "RATE_NETWORK", 0, "too many messages from one network" },
	{ "RATE_SENDER", 0, "too many messages from one sender" },
	{ "RATE_RECIPIENT", 0, "too many messages to one recipient" },
	{ "RATE_USER", 0, "too many messages of one user" },
	{ "RATE_TEMPERROR", 0, "the state store did not answer" },
	{ NULL, 0, NULL },
};

static struct slice client_name(const struct scan *scan)
{
	char text[IP_TEXT_MAX];
	if (client_is_ours(&scan->client) || scan->client.trusted || scan->client.ip.family == 0)
		return SLICE_EMPTY;
	return arena_copy(scan->arena, slice_str(ip_text(&scan->client.ip, text)));
}

static struct slice network_name(const struct scan *scan)
{
	return client_name(scan).len > 0 ? state_network(scan->arena, &scan->client.ip) : SLICE_EMPTY;
}

static struct slice sender_name(const struct scan *scan)
{
	return arena_lower(scan->arena, scan->envelope.sender.text);
}

static struct slice recipient_name(const struct scan *scan)
{
	return arena_lower(scan->arena, scan->envelope.recipients[scan->recipient].mailbox.text);
}

static struct slice user_name(const struct scan *scan)
{
	return arena_lower(scan->arena, scan->client.login);
}

static const struct kind {
	const char *name, *symbol;
	size_t limit;
	struct slice (*of)(const struct scan *scan); /* empty: not counted */
} kinds[] = {
	{ "client", "RATE_CLIENT", AT(client), client_name },
	{ "network", "RATE_NETWORK", AT(network), network_name },
	{ "sender", "RATE_SENDER", AT(sender), sender_name },
	{ "recipient", "RATE_RECIPIENT", AT(recipient), recipient_name },
	{ "user", "RATE_USER", AT(user), user_name },
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static int64_t limit_of(const struct rate_settings *s, const struct kind *kind)
{
	return *(const int64_t *)((const char *)s + kind->limit);
}

/* One key is asked once in a transaction: so a message counts once, to each recipient. */
static const struct answer *count(struct scan *scan, const struct kind *kind, struct slice name, int64_t window)
{
	const struct store_request r = {
		.op = STORE_ADD, .key = arena_printf(scan->arena, "rate:%s %.*s", kind->name, SLICE_ARG(name)),
		.amount = 1, .ttl = (uint32_t)(window / 1000),
	};
	return ask_store(scan->questions, &r, PHASE_RCPT);
}

static void judge(struct scan *scan, const struct kind *kind, struct slice name, const struct answer *a,
		  const struct rate_settings *s)
{
	if (a->status == ANSWER_TEMPERROR)
		state_on_error(scan, "RATE_TEMPERROR", a->why);
	else if (a->number > limit_of(s, kind))
		scan_refuse(scan, kind->symbol, ACTION_DEFER, s->close ? 421 : 450, s->close ? "4.7.0" : "4.7.1",
			    "Too many messages (%s %.*s), please try again in %u seconds", kind->name, SLICE_ARG(name),
			    a->ttl);
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	const struct rate_settings *s = scan_settings(scan);
	const struct answer *answers[KINDS];
	struct slice names[KINDS];
	bool all = true;
	(void)state, (void)phase;
	const struct mailbox *to = &scan->envelope.recipients[scan->recipient].mailbox;
	if (s == NULL || state_is_refused(scan) || relay_is_role_address(scan->snapshot->config->relay, to))
		return STEP_DONE;
	for (size_t i = 0; i < KINDS; i++) {
		names[i] = limit_of(s, &kinds[i]) > 0 ? kinds[i].of(scan) : SLICE_EMPTY;
		answers[i] = names[i].len > 0 ? count(scan, &kinds[i], names[i], s->window) : NULL;
		all = all && (names[i].len == 0 || answers[i] != NULL);
	}
	if (!all)
		return STEP_NEED;
	for (size_t i = 0; i < KINDS; i++)
		if (names[i].len > 0)
			judge(scan, &kinds[i], names[i], answers[i], s);
	return STEP_DONE;
}

static const char *const after[] = { "relay", NULL };

const struct filter rate_filter = {
	.name = "rate",
	.phases = PHASE_BIT(PHASE_RCPT),
	.step = step,
	.after = after,
	.settings = settings,
	.settings_size = sizeof(struct rate_settings),
	.symbols = symbols,
};
