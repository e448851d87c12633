#ifndef GATEHOUSE_PROXY_DELIVERY_PRIVATE_H
#define GATEHOUSE_PROXY_DELIVERY_PRIVATE_H
/* What delivery*.c share. Nobody else includes this. */
#include "proxy/delivery.h"

struct delivery {
	const struct delivery_ops *ops;
	struct backend *backend;
	struct worker *worker;
	const struct client *client;
	const struct envelope *envelope;
	struct delivery_home *home;
	outcome_fn *fn;            /* of the call under way */
	void *arg;
	size_t recipient;          /* asked for by the call under way */
	struct slice added, content;
	bool (*still_there)(void *arg);
	bool unreachable;          /* of the outcome to come */
	void *impl;                /* of the kind */
};

extern const struct delivery_ops delivery_smtp, delivery_maildir;

/* Ends the call under way. */
void delivery_end(struct delivery *d, const struct outcome *outcome);
void delivery_log_trouble(const struct delivery *d, const char *cause);
/* 451 to the client, the real cause to the log. */
void delivery_trouble(struct delivery *d, const char *enhanced, const char *text, const char *cause);

#endif
