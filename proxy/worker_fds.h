#ifndef GATEHOUSE_PROXY_WORKER_FDS_H
#define GATEHOUSE_PROXY_WORKER_FDS_H
/*
 * What the master hands to a worker it executes: file descriptors at fixed
 * numbers, and one control channel.
 *
 * Control (SOCK_SEQPACKET, one octet a message):
 *   worker → master  'R' ready: accepts connections
 *   master → worker  'D' drain: accept no more, end when the last session has
 *   master → worker  'S' stop: as drain, and say 421 to sessions between mails
 *   both ways        'T' a socket with a client's address (proxy/transparent.h)
 * The channel's end means the other is gone: a worker drains then.
 */
enum {
	WORKER_FD_CONTROL = 3,
	WORKER_FD_STATS,
	WORKER_FD_CONFIG,   /* sealed memfd: the expanded, checked configuration */
	WORKER_FD_FIRST,    /* worker: listening sockets in order of the configuration, then for
	                       each tls section a sealed memfd of certificate and of key;
	                       milter-worker: the listening socket of its section */
};

#define CONTROL_READY 'R'
#define CONTROL_DRAIN 'D'
#define CONTROL_STOP 'S'

#endif
