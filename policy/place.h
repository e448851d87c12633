#ifndef GATEHOUSE_POLICY_PLACE_H
#define GATEHOUSE_POLICY_PLACE_H
/* place: where a client stands in the networks of the configuration. */
#include "message/envelope.h"
#include "policy/config.h"

/* Sets relay_network, trusted and internal by the client's address. */
void client_place(struct client *client, const struct config *config);

#endif
