#include "filters/judged.h"

static bool is_judged_itself(const struct client *client)
{
	return client->ip.family != 0 && !client->trusted;
}

bool judged_known(const struct scan *scan, enum phase phase)
{
	return phase >= PHASE_HEADERS || is_judged_itself(&scan->client);
}

struct judged judged_host(const struct scan *scan)
{
	const struct client *client = &scan->client;
	if (is_judged_itself(client))
		return (struct judged){ client->ip, client->helo, client->name, false };
	return (struct judged){ .received = true };
}
