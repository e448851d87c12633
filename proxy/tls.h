#ifndef GATEHOUSE_PROXY_TLS_H
#define GATEHOUSE_PROXY_TLS_H
/*
 * tls: contexts of OpenSSL for both sides. Certificates and keys come as
 * descriptors (sealed memfds of the master), so a worker that is not root, or
 * has no file system any more, has them.
 */
#include "message/envelope.h"
#include "policy/config.h"

struct ssl_st;
struct tls_set;

/* Certificate and key of each tls section, read with our rights, as sealed
 * memfds: fds_r[2 i] and [2 i + 1]. False: error says why. */
bool tls_files_open(const struct config *config, int *fds_r, char error[256]);
/* Can all of it be used? What can't goes to errors, at its setting; a
 * certificate whose time is over, or hasn't begun, to dated. */
void tls_check(const struct config *config, struct config_errors *errors, struct config_errors *dated);
/* The server's contexts, one for each tls section, of such descriptors. Also
 * the client's. NULL: error says why, with the section's name. */
struct tls_set *tls_set_create(const struct config *config, const int *fds, char error[256]);
void tls_set_destroy(struct tls_set **set);

/* A server session that begins with the section of that title; the client's
 * SNI may choose another whose names fit. NULL: no such section. */
struct ssl_st *tls_server_new(struct tls_set *set, struct slice title);
/* A client session to a backend, with SNI, and with verification where the
 * backend's settings want it. NULL: error says why. */
struct ssl_st *tls_client_new(struct tls_set *set, const struct config_backend *backend, char error[256]);
/* After the handshake with a verified backend: NULL if its certificate is
 * right, else why not. */
const char *tls_client_verify(struct ssl_st *ssl, const struct config_backend *backend);

/* Fills the TLS part of client from a finished handshake; strings in the arena.
 * tls_fingerprint is set if the client showed a certificate. */
void tls_describe(struct ssl_st *ssl, struct arena *arena, struct client *client);
/* The client's certificate is on the section's list. */
bool tls_fingerprint_listed(const struct config *config, struct slice title, struct slice fingerprint);

#endif
