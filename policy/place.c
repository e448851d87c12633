#include "policy/place.h"

static bool is_in(const struct cidr_list *list, const struct ip *ip)
{
	return cidr_list_has(list->items, list->count, ip);
}

void client_place(struct client *c, const struct config *config)
{
	c->relay_network = is_in(&config->relay->networks, &c->ip);
	c->trusted = is_in(&config->networks->trusted, &c->ip);
	c->internal = is_in(&config->networks->internal, &c->ip);
}
