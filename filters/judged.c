#include "filters/judged.h"

#include "message/received.h"

static bool is_judged_itself(const struct client *client)
{
	return client->ip.family != 0 && !client->trusted;
}

bool judged_known(const struct scan *scan, enum phase phase)
{
	return phase >= PHASE_HEADERS || is_judged_itself(&scan->client);
}

static struct judged first_untrusted(const struct scan *scan)
{
	char text[IP_TEXT_MAX];
	const struct config_networks *config = scan->snapshot->config->networks;
	if (config == NULL) /* nobody beyond the client is known to be trusted or not */
		return (struct judged){ .received = true };
	const struct received_networks networks = {
		.trusted = config->trusted.items,
		.trusted_count = config->trusted.count,
		.internal = config->internal.items,
		.internal_count = config->internal.count,
	};
	const struct client *client = &scan->client;
	const struct relay top = {
		.ip = client->ip,
		.ip_text = slice_str(ip_text(&client->ip, text)),
		.rdns = client->name,
		.helo = client->helo,
		.header = SIZE_MAX,
	};
	const struct relays *relays =
		message_relays(&scan->message, &networks, client->ip.family != 0 ? &top : NULL);
	if (relays->trusted_count >= relays->count)
		return (struct judged){ .received = true };
	const struct relay *relay = &relays->list[relays->trusted_count];
	return (struct judged){ relay->ip, relay->helo, relay->rdns, true };
}

struct judged judged_host(const struct scan *scan)
{
	const struct client *client = &scan->client;
	if (is_judged_itself(client))
		return (struct judged){ client->ip, client->helo, client->name, false };
	return first_untrusted(scan);
}
