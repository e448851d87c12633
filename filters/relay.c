#include "filters/relay.h"

#include "base/utf8.h"
#include "filters/scan.h"
#include "message/address.h"

/* ---- ours */

static bool entry_matches(struct slice entry, struct slice domain)
{
	if (entry.len > 1 && entry.data[0] == '.')
		return domain.len > entry.len && slice_ends_nocase(domain, entry);
	return entry.len > 0 && slice_eq_nocase(entry, domain);
}

bool relay_domain_entry(const struct config_relay *relay, struct slice domain, struct slice *entry_r)
{
	for (size_t i = 0; i < relay->domains.count; i++)
		if (entry_matches(relay->domains.items[i], domain)) {
			*entry_r = relay->domains.items[i];
			return true;
		}
	return false;
}

bool relay_is_our_domain(const struct config_relay *relay, struct slice domain)
{
	struct slice entry;
	return relay_domain_entry(relay, domain, &entry);
}

static bool is_our_literal(const struct config_relay *relay, struct slice domain)
{
	struct ip wanted, ip;
	if (!address_literal(domain, &wanted))
		return false;
	for (size_t i = 0; i < relay->literals.count; i++) {
		struct slice entry = relay->literals.items[i];
		if ((address_literal(entry, &ip) || ip_parse(entry, &ip)) && ip_eq(&ip, &wanted))
			return true;
	}
	return false;
}

static bool is_local_part(const struct mailbox *m, const char *name)
{
	return slice_eq_nocase(m->local, slice_str(name));
}

bool relay_is_role_address(const struct config_relay *relay, const struct mailbox *recipient)
{
	if (recipient->domain.len == 0)
		return is_local_part(recipient, "postmaster");
	return (is_local_part(recipient, "postmaster") || is_local_part(recipient, "abuse")) &&
	       (recipient->literal ? is_our_literal(relay, recipient->domain)
				   : relay_is_our_domain(relay, recipient->domain));
}

/* ---- tricks */

/* Characters that a backend may read as these once it has normalised UTF-8
 * (NFKC): small, double and full-width forms, and the Arabic percent sign. */
static const struct {
	uint32_t code;
	char reads_as;
} lookalikes[] = {
	{ 0xff20, '@' }, { 0xfe6b, '@' }, { 0xff05, '%' }, { 0xfe6a, '%' }, { 0x066a, '%' },
	{ 0xff01, '!' }, { 0xfe57, '!' }, { 0x203c, '!' }, { 0x2048, '!' }, { 0x2049, '!' },
};

static char read_as(uint32_t code)
{
	for (size_t i = 0; i < sizeof(lookalikes) / sizeof(*lookalikes); i++)
		if (lookalikes[i].code == code)
			return lookalikes[i].reads_as;
	return code < 0x80 ? (char)code : '\0';
}

/* local is unquoted: what stood in quotes, or behind a backslash, counts. */
static bool hides_address(struct slice local, enum relay_tricks allow)
{
	uint32_t code;
	for (size_t len; local.len > 0; local = slice_from(local, len)) {
		len = utf8_next(local, &code);
		if (len == 0)
			return true; /* no parser gives this; whatever it is, it isn't a plain address */
		char c = read_as(code);
		if (c == '@' || (allow == RELAY_TRICKS_REFUSE && (c == '%' || c == '!')))
			return true;
	}
	return false;
}

bool relay_is_trick(struct slice path)
{
	size_t at = slice_chr(path, '@');
	return slice_chr(path, '%') != SLICE_NPOS || slice_chr(path, '!') != SLICE_NPOS ||
	       (at != SLICE_NPOS && (slice_rchr(path, '@') != at || slice_starts(path, SLICE("\""))));
}

/* ---- the decision */

enum relay_decision relay_decide(const struct config_relay *relay, enum relay_tricks local_tricks,
				 const struct client *client, const struct mailbox *recipient)
{
	bool ours = recipient->literal ? is_our_literal(relay, recipient->domain)
				       : relay_is_our_domain(relay, recipient->domain);
	bool ours_to_relay = client_is_ours(client);

	if (recipient->domain.len == 0)
		return is_local_part(recipient, "postmaster") ? RELAY_LOCAL : RELAY_REFUSED;
	if (ours && (ours_to_relay || !hides_address(recipient->local, local_tricks)))
		return RELAY_LOCAL;
	if (ours_to_relay)
		return RELAY_CLIENT;
	if (ours)
		return RELAY_REFUSED_TRICK;
	return recipient->literal ? RELAY_REFUSED_LITERAL : RELAY_REFUSED;
}

/* ---- the filter */

static const struct setting_value trick_values[] = {
	{ "refuse", RELAY_TRICKS_REFUSE }, { "allow", RELAY_TRICKS_ALLOW }, { 0 },
};

static const struct setting settings[] = {
	{ "local-tricks", SETTING_ENUM, offsetof(struct relay_settings, local_tricks), .fallback = "refuse",
	  .values = trick_values,
	  .help = "Recipients of our domains with % or ! in the local part, from clients that may not relay" },
	{ 0 },
};

static const struct filter_symbol symbols[] = {
	{ "RELAY_DENIED", 0, "Recipient is not of our domains, and the client may not relay" },
	{ "RELAY_DENIED_LITERAL", 0, "Recipient is an address literal that is not in relay.literals" },
	{ "RELAY_DENIED_TRICK", 0, "Recipient hides a second address in its local part" },
	{ "RELAY_SOURCE_ROUTE", 1.0, "Recipient came with a source route" },
	{ 0 },
};

static const char *const refusal_symbols[] = {
	[RELAY_REFUSED] = "RELAY_DENIED",
	[RELAY_REFUSED_LITERAL] = "RELAY_DENIED_LITERAL",
	[RELAY_REFUSED_TRICK] = "RELAY_DENIED_TRICK",
};

static bool guards(const struct scan *scan)
{
	const struct config *config = scan->snapshot->config;
	return !scan->client.relay_decided && (config->listen_count > 0 || config->relay->domains.count > 0);
}

/* Shadowing would make an open relay of us: this filter is always enforced. */
static void refuse(struct scan *scan, enum relay_decision decision, struct slice address)
{
	struct buf evidence = { 0 };
	struct hit *hit = scan_refuse(scan, refusal_symbols[decision], ACTION_REJECT, 550, "5.7.1",
				      "Relaying denied");
	utf8_add_printable(&evidence, address);
	hit->evidence = arena_copy(scan->arena, buf_slice(&evidence));
	hit->shadow = false;
	buf_free(&evidence);
}

static enum step relay_step(struct scan *scan, void *state, enum phase phase)
{
	(void)state;
	(void)phase;
	const struct config *config = scan->snapshot->config;
	const struct relay_settings *own = scan_settings(scan);
	const struct mailbox *m = &scan->envelope.recipients[scan->recipient].mailbox;
	if (!guards(scan))
		return STEP_DONE;
	enum relay_decision decision =
		relay_decide(config->relay, own ? own->local_tricks : RELAY_TRICKS_REFUSE, &scan->client, m);
	if (relay_refuses(decision))
		refuse(scan, decision, m->text);
	if (m->source_route && !client_is_ours(&scan->client))
		scan_hit(scan, "RELAY_SOURCE_ROUTE", "<%.*s>", SLICE_ARG(m->text));
	return STEP_DONE;
}

const struct filter relay_filter = {
	.name = "relay",
	.phases = PHASE_BIT(PHASE_RCPT),
	.step = relay_step,
	.settings = settings,
	.settings_size = sizeof(struct relay_settings),
	.symbols = symbols,
	.always = true,
};
