#ifndef GATEHOUSE_PROXY_LISTEN_SOCKETS_H
#define GATEHOUSE_PROXY_LISTEN_SOCKETS_H
/*
 * listen_sockets: the sockets the master holds. One for each address, kept
 * over reloads so that no connection is refused, taken from systemd's socket
 * activation where one fits.
 */
#include <sys/types.h>

#include "policy/config.h"

struct listen_sockets;

/* Adopts what systemd handed over (sd_listen_fds). */
struct listen_sockets *listen_sockets_create(void);
void listen_sockets_destroy(struct listen_sockets **set);
/* The socket for that address: an open one or a new one, listening. -1: error
 * says why. */
int listen_sockets_get(struct listen_sockets *set, const struct endpoint *address, char error[200]);
/* As above, for the milter protocol; a unix socket belongs to that group
 * (empty: ours) and has that mode from its first moment on. */
int listen_sockets_get_for(struct listen_sockets *set, const struct endpoint *address, struct slice group,
			   mode_t mode, char error[200]);
/* Closes those not asked for since the last call. */
void listen_sockets_sweep(struct listen_sockets *set);
/* Closes those opened since the last call of either: their configuration was refused. */
void listen_sockets_undo(struct listen_sockets *set);

#endif
