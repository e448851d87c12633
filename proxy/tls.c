#include "proxy/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy/config_tables.h"
#include "proxy/spawn.h"

struct tls_set {
	const struct config *config;
	SSL_CTX **servers; /* as config->tls */
	SSL_CTX *client;
	X509_STORE **authorities; /* as config->backends; NULL: the system's */
};

static const unsigned char session_context[] = "gatehouse";

/* ---- certificates */

static bool load_chain(SSL_CTX *ctx, BIO *bio)
{
	X509 *cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	bool ok = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;
	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		ok = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
	ERR_clear_error(); /* of the end of the file */
	return ok;
}

/* Nobody is there to be asked for one. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

static bool load_key(SSL_CTX *ctx, BIO *bio)
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	bool ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
	EVP_PKEY_free(key);
	return ok;
}

static bool load(SSL_CTX *ctx, int fd, bool (*loader)(SSL_CTX *, BIO *))
{
	char *data;
	size_t len;
	if (!read_all(fd, &data, &len))
		return false;
	BIO *bio = BIO_new_mem_buf(data, (int)len);
	bool ok = loader(ctx, bio);
	BIO_free(bio);
	OPENSSL_cleanse(data, len);
	free(data);
	return ok;
}

static int take_any_certificate(int ok, X509_STORE_CTX *ctx)
{
	(void)ok, (void)ctx; /* it is compared with the listed fingerprints, not with authorities */
	return 1;
}

static int open_sealed(struct slice path)
{
	char *data;
	size_t len;
	int fd = open(path.data, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int sealed = read_all(fd, &data, &len) ? sealed_memfd("gatehouse-tls", slice_make(data, len)) : -1;
	close(fd);
	if (sealed >= 0) {
		OPENSSL_cleanse(data, len);
		free(data);
	}
	return sealed;
}

bool tls_files_open(const struct config *config, int *fds, char error[256])
{
	for (size_t i = 0; i < config->tls_count; i++) {
		const struct slice paths[2] = { config->tls[i].certificate, config->tls[i].key };
		for (size_t k = 0; k < 2; k++) {
			fds[2 * i + k] = open_sealed(paths[k]);
			if (fds[2 * i + k] >= 0)
				continue;
			snprintf(error, 256, "tls %.*s: %.150s: %s", SLICE_ARG(config->tls[i].title), paths[k].data,
				 strerror(errno));
			for (size_t done = 0; done < 2 * i + k; done++)
				close(fds[done]);
			return false;
		}
	}
	return true;
}

/* ---- SNI */

static bool name_fits(const struct slice_list *names, struct slice name)
{
	for (size_t i = 0; i < names->count; i++) {
		struct slice n = names->items[i];
		size_t dot = slice_chr(name, '.');
		bool wildcard = n.len > 1 && n.data[0] == '.' && dot != SLICE_NPOS;
		if (slice_eq_nocase(n, name) || (wildcard && slice_eq_nocase(n, slice_from(name, dot))))
			return true;
	}
	return false;
}

static int choose_by_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_set *set = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;
	for (size_t i = 0; name != NULL && i < set->config->tls_count; i++)
		if (name_fits(&set->config->tls[i].names, slice_str(name))) {
			SSL_set_SSL_CTX(ssl, set->servers[i]);
			break;
		}
	return SSL_TLSEXT_ERR_OK;
}

/* ---- contexts */

/* NULL: *what_r is the setting that can't be had, *why_r why. set: may be NULL. */
static SSL_CTX *server_context(struct tls_set *set, const struct config_tls *tls, const int fds[2], const char **what_r,
			       const char **why_r)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	const char *what = "min-version";
	ERR_clear_error();
	bool ok = ctx != NULL && SSL_CTX_set_min_proto_version(ctx, tls->min_version) == 1;
	if (ok && tls->min_version < TLS1_2_VERSION) /* else OpenSSL has no cipher for them */
		SSL_CTX_set_security_level(ctx, 0);
	if (ok && tls->ciphers.len > 0) {
		what = "ciphers";
		ok = SSL_CTX_set_cipher_list(ctx, tls->ciphers.data) == 1;
	}
	if (ok && tls->ciphersuites.len > 0) {
		what = "ciphersuites";
		ok = SSL_CTX_set_ciphersuites(ctx, tls->ciphersuites.data) == 1;
	}
	if (ok) {
		what = "certificate";
		ok = load(ctx, fds[0], load_chain);
	}
	if (ok) {
		what = "key";
		ok = load(ctx, fds[1], load_key);
	}
	if (!ok) {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());
		*what_r = what;
		*why_r = why ? why : "can't be used";
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
				 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
	SSL_CTX_set_tlsext_servername_callback(ctx, choose_by_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, set);
	if (tls->client_fingerprints.count > 0)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, take_any_certificate);
	return ctx;
}

/* ---- checking */

struct tls_check {
	const struct config *config;
	const void *values;       /* of the section */
	struct config_errors *errors;
};

static void complain(const struct tls_check *c, struct config_errors *errors, const char *key, struct slice path,
		     const char *why)
{
	config_error_at(c->config, c->values, key, errors, "%.*s: %s", SLICE_ARG(path), why);
}

static void check_dates(const struct tls_check *c, struct config_errors *dated, struct slice path, X509 *cert)
{
	char when[64] = "", text[128];
	bool over = X509_cmp_current_time(X509_get0_notAfter(cert)) < 0;
	bool begun = X509_cmp_current_time(X509_get0_notBefore(cert)) < 0;
	if (!over && begun)
		return;
	BIO *bio = BIO_new(BIO_s_mem());
	ASN1_TIME_print(bio, over ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert));
	int n = BIO_read(bio, when, sizeof(when) - 1);
	BIO_free(bio);
	snprintf(text, sizeof(text), over ? "has expired on %.*s" : "is not valid before %.*s", n > 0 ? n : 0, when);
	complain(c, dated, "certificate", path, text);
}

static struct slice setting_of(const struct config_tls *tls, const char *what)
{
	return strcmp(what, "certificate") == 0 ? tls->certificate : strcmp(what, "key") == 0 ? tls->key :
	       strcmp(what, "ciphers") == 0 ? tls->ciphers : strcmp(what, "ciphersuites") == 0 ? tls->ciphersuites :
	       SLICE_EMPTY;
}

static void check_server(const struct tls_check *c, const struct config_tls *tls, struct config_errors *dated)
{
	const struct slice paths[2] = { tls->certificate, tls->key };
	static const char *const keys[2] = { "certificate", "key" };
	const char *what = NULL, *why = NULL;
	STACK_OF(X509) *chain = NULL;
	int fds[2];
	for (int i = 0; i < 2; i++) {
		fds[i] = open_sealed(paths[i]);
		if (fds[i] < 0)
			complain(c, c->errors, keys[i], paths[i], strerror(errno));
	}
	SSL_CTX *ctx = fds[0] >= 0 && fds[1] >= 0 ? server_context(NULL, tls, fds, &what, &why) : NULL;
	if (what != NULL)
		complain(c, c->errors, what, setting_of(tls, what), why);
	if (ctx != NULL) {
		check_dates(c, dated, paths[0], SSL_CTX_get0_certificate(ctx));
		SSL_CTX_get0_chain_certs(ctx, &chain);
		for (int i = 0; i < sk_X509_num(chain); i++)
			check_dates(c, dated, paths[0], sk_X509_value(chain, i));
	}
	SSL_CTX_free(ctx);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void check_client(const struct tls_check *c, const struct config_backend *b)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	ERR_clear_error();
	if (b->tls_ca.len > 0 && SSL_CTX_load_verify_file(ctx, b->tls_ca.data) != 1) {
		const char *why = ERR_reason_error_string(ERR_peek_last_error());
		complain(c, c->errors, "tls-ca", b->tls_ca, why ? why : "can't be read");
	}
	if (b->tls_ciphers.len > 0 && SSL_CTX_set_cipher_list(ctx, b->tls_ciphers.data) != 1)
		complain(c, c->errors, "tls-ciphers", b->tls_ciphers, "no such cipher");
	SSL_CTX_free(ctx);
}

void tls_check(const struct config *config, struct config_errors *errors, struct config_errors *dated)
{
	const struct section_values *v;
	size_t at = 0;
	struct tls_check c = { .config = config, .errors = errors };
	for (size_t i = 0; i < config->tls_count; i++) {
		v = settings_next(config->file, &config_tls_section, &at);
		c.values = v ? v->values : NULL;
		check_server(&c, &config->tls[i], dated);
	}
	at = 0;
	for (size_t i = 0; i < config->backend_count; i++) {
		v = settings_next(config->file, &config_backend_section, &at);
		c.values = v ? v->values : NULL;
		check_client(&c, &config->backends[i]);
	}
	ERR_clear_error();
}

/* Where a backend names authorities, no others count for it. */
static bool load_authorities(struct tls_set *set, char error[256])
{
	const struct config *config = set->config;
	set->authorities = xcalloc(config->backend_count + 1, sizeof(*set->authorities));
	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_backend *b = &config->backends[i];
		if (b->tls_ca.len == 0)
			continue;
		set->authorities[i] = X509_STORE_new();
		if (X509_STORE_load_file(set->authorities[i], b->tls_ca.data) != 1) {
			snprintf(error, 256, "backend %.*s: tls-ca: can't be read", SLICE_ARG(b->title));
			return false;
		}
	}
	return true;
}

struct tls_set *tls_set_create(const struct config *config, const int *fds, char error[256])
{
	struct tls_set *set = xcalloc(1, sizeof(*set));
	set->config = config;
	set->servers = xcalloc(config->tls_count, sizeof(*set->servers));
	for (size_t i = 0; i < config->tls_count; i++) {
		const char *what, *why;
		set->servers[i] = server_context(set, &config->tls[i], &fds[2 * i], &what, &why);
		if (set->servers[i] == NULL) {
			snprintf(error, 256, "tls %.*s: %s: %s", SLICE_ARG(config->tls[i].title), what, why);
			tls_set_destroy(&set);
			return NULL;
		}
	}
	set->client = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_options(set->client, SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_default_verify_paths(set->client);
	if (!load_authorities(set, error))
		tls_set_destroy(&set);
	return set;
}

void tls_set_destroy(struct tls_set **set_p)
{
	struct tls_set *set = *set_p;
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->config->tls_count; i++)
		SSL_CTX_free(set->servers[i]);
	SSL_CTX_free(set->client);
	for (size_t i = 0; set->authorities != NULL && i < set->config->backend_count; i++)
		X509_STORE_free(set->authorities[i]);
	free(set->authorities);
	free(set->servers);
	free(set);
	*set_p = NULL;
}

SSL *tls_server_new(struct tls_set *set, struct slice title)
{
	for (size_t i = 0; i < set->config->tls_count; i++)
		if (slice_eq(set->config->tls[i].title, title))
			return SSL_new(set->servers[i]);
	return NULL;
}

/* ---- to a backend */

static const char *expected_name(const struct config_backend *backend)
{
	const struct slice name = backend->tls_name.len > 0 ? backend->tls_name : backend->address.host;
	return name.len > 0 ? name.data : NULL;
}

static X509_STORE *authorities_of(const struct tls_set *set, const struct config_backend *backend)
{
	for (size_t i = 0; i < set->config->backend_count; i++)
		if (&set->config->backends[i] == backend)
			return set->authorities[i];
	return NULL;
}

SSL *tls_client_new(struct tls_set *set, const struct config_backend *backend, char error[256])
{
	const char *name = expected_name(backend);
	SSL *ssl = SSL_new(set->client);
	if (ssl == NULL) {
		snprintf(error, 256, "OpenSSL: no session");
		return NULL;
	}
	SSL_set_min_proto_version(ssl, backend->tls_min_version);
	if (backend->tls_min_version < TLS1_2_VERSION)
		SSL_set_security_level(ssl, 0);
	if (backend->tls_ciphers.len > 0)
		SSL_set_cipher_list(ssl, backend->tls_ciphers.data);
	if (name != NULL)
		SSL_set_tlsext_host_name(ssl, name);
	if (backend->tls == BACKEND_TLS_VERIFIED && backend->tls_fingerprints.count == 0 && name != NULL)
		SSL_set1_host(ssl, name);
	X509_STORE *store = authorities_of(set, backend);
	if (store != NULL)
		SSL_set1_verify_cert_store(ssl, store);
	/* Judged after the handshake, so that the log can say what was wrong. */
	SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	return ssl;
}

static bool fingerprint_of(X509 *cert, char hex[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len;
	if (cert == NULL || X509_digest(cert, EVP_sha256(), digest, &len) != 1)
		return false;
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return true;
}

/* Hexadecimal, in any case, with or without colons. */
static bool same_fingerprint(struct slice listed, const char *hex)
{
	size_t at = 0;
	for (size_t i = 0; i < listed.len; i++) {
		if (listed.data[i] == ':')
			continue;
		if (hex[at] == '\0' || ascii_lower(listed.data[i]) != hex[at])
			return false;
		at++;
	}
	return hex[at] == '\0';
}

static bool listed(const struct slice_list *list, const char *hex)
{
	for (size_t i = 0; i < list->count; i++)
		if (same_fingerprint(list->items[i], hex))
			return true;
	return false;
}

const char *tls_client_verify(SSL *ssl, const struct config_backend *backend)
{
	char hex[65];
	if (backend->tls != BACKEND_TLS_VERIFIED)
		return NULL;
	X509 *cert = SSL_get1_peer_certificate(ssl);
	bool has = fingerprint_of(cert, hex);
	X509_free(cert);
	if (!has)
		return "no certificate";
	if (backend->tls_fingerprints.count > 0)
		return listed(&backend->tls_fingerprints, hex) ? NULL : "certificate's fingerprint is not listed";
	long result = SSL_get_verify_result(ssl);
	return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

/* ---- what was agreed on */

void tls_describe(SSL *ssl, struct arena *arena, struct client *client)
{
	char hex[65];
	client->tls_version = arena_copy(arena, slice_str(SSL_get_version(ssl)));
	client->tls_cipher = arena_copy(arena, slice_str(SSL_get_cipher_name(ssl)));
	client->tls_bits = (unsigned)SSL_get_cipher_bits(ssl, NULL);
	X509 *cert = SSL_get1_peer_certificate(ssl);
	if (fingerprint_of(cert, hex))
		client->tls_fingerprint = arena_copy(arena, slice_str(hex));
	X509_free(cert);
}

bool tls_fingerprint_listed(const struct config *config, struct slice title, struct slice fingerprint)
{
	for (size_t i = 0; i < config->tls_count; i++)
		if (slice_eq(config->tls[i].title, title))
			return fingerprint.len > 0 && listed(&config->tls[i].client_fingerprints, fingerprint.data);
	return false;
}
