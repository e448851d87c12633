#ifndef GATEHOUSE_PROXY_TRANSPARENT_H
#define GATEHOUSE_PROXY_TRANSPARENT_H
/*
 * transparent: sockets that speak from a client's own address (IP_TRANSPARENT,
 * ip(7), ipv6(7)). That needs CAP_NET_ADMIN, which a worker hasn't: it asks
 * the master over the control channel, and gets a bound socket back
 * (SCM_RIGHTS). The master gives them only to workers whose configuration has
 * a backend with `transparent`.
 *
 * worker → master: struct transparent_request, one a message
 * master → worker: struct transparent_answer, with the socket unless error is set
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/cidr.h"

#define CONTROL_TRANSPARENT 'T'

struct transparent_request {
	char what;           /* CONTROL_TRANSPARENT */
	uint32_t number;     /* comes back with the answer */
	struct ip address;   /* to speak from */
};

struct transparent_answer {
	char what;
	uint32_t number;
	int error;           /* errno; 0: the socket is there */
};

/* A socket of that address, not connected. -1: errno. */
int transparent_socket(const struct ip *address);
/* The master's side. */
void transparent_serve(int control, const struct transparent_request *request);

/* ---- the worker's side */

struct transparent; /* its open questions */
struct transparent_wait;

struct transparent *transparent_create(int control);
void transparent_destroy(struct transparent **asker);
/* fd -1: error says why (errno). Else it is the callback's. */
typedef void transparent_fn(void *arg, int fd, int error);
/* NULL: errno. The callback never comes before this returns. */
struct transparent_wait *transparent_ask(struct transparent *asker, const struct ip *address, transparent_fn *fn, void *arg);
void transparent_cancel(struct transparent_wait **wait);
/* A message of the master: the answer to one of them. fd: what came with it, or -1. */
void transparent_answered(struct transparent *asker, const struct transparent_answer *answer, int fd);

#endif
