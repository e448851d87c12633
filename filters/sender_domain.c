#include "filters/sender_domain.h"

#include "filters/scan.h"

static const struct setting_value consequences[] = {
	{ "score", SENDER_DOMAIN_SCORE }, { "reject", SENDER_DOMAIN_REJECT }, { "ignore", SENDER_DOMAIN_IGNORE }, { NULL, 0 },
};

static const struct setting settings[] = {
	{ "null-mx", SETTING_ENUM, offsetof(struct sender_domain_settings, null_mx), .fallback = "reject",
	  .values = consequences,
	  .help = "when the sender's domain says that it takes no mail (RFC 7505): score, reject (550 5.7.27), ignore" },
	{ .name = NULL },
};

static const struct filter_symbol symbols[] = {
	{ "SENDER_NULL_MX", 4.0, "the sender's domain takes no mail, and so sends none" },
	{ "SENDER_TEMPERROR", 0, "whether the sender's domain takes mail can't be told now" },
	{ NULL, 0, NULL },
};

/* RFC 7505 3: one record, the root its name. */
static bool is_null_mx(struct scan *scan, const struct answer *mx)
{
	return mx->status == ANSWER_FOUND && mx->count == 1 &&
	       slice_eq(dns_name(scan->arena, mx->records[0], 2), SLICE("."));
}

static void note(struct scan *scan, struct slice domain)
{
	const struct sender_domain_settings *s = scan_settings(scan);
	struct hit *hit = scan_hit(scan, "SENDER_NULL_MX", "%.*s has a null MX", SLICE_ARG(domain));
	if (s->null_mx != SENDER_DOMAIN_REJECT)
		return;
	hit->action = ACTION_REJECT;
	hit->refusal = (struct refusal){
		550, "5.7.27", arena_printf(scan->arena, "Sender's domain %.*s takes no mail", SLICE_ARG(domain)),
	};
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	const struct sender_domain_settings *s = scan_settings(scan);
	const struct mailbox *sender = &scan->envelope.sender;
	(void)state;
	if (s == NULL || s->null_mx == SENDER_DOMAIN_IGNORE || client_is_ours(&scan->client) || sender->literal ||
	    sender->domain.len == 0)
		return STEP_DONE;
	const struct answer *mx = scan_dns(scan, sender->domain, DNS_MX, phase);
	if (mx == NULL)
		return STEP_NEED;
	if (mx->status == ANSWER_TEMPERROR)
		scan_on_error(scan, "SENDER_TEMPERROR", "4.4.3", mx->why ? mx->why : "no answer");
	else if (is_null_mx(scan, mx))
		note(scan, sender->domain);
	return STEP_DONE;
}

const struct filter sender_domain_filter = {
	.name = "sender_domain",
	.phases = PHASE_BIT(PHASE_MAIL),
	.step = step,
	.settings = settings,
	.settings_size = sizeof(struct sender_domain_settings),
	.symbols = symbols,
};
