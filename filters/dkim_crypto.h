#ifndef GATEHOUSE_FILTERS_DKIM_CRYPTO_H
#define GATEHOUSE_FILTERS_DKIM_CRYPTO_H
/*
 * dkim_crypto: the digests and public keys of DKIM and ARC over OpenSSL's
 * EVP; the one module of the filters that includes it. Objects live as long
 * as their arena.
 */
#include "base/arena.h"

enum dkim_hash { DKIM_SHA256, DKIM_SHA1 };
enum dkim_key_type { DKIM_RSA, DKIM_ED25519 };

#define DKIM_DIGEST_MAX 32

struct dkim_digest;
struct dkim_digest *dkim_digest_new(struct arena *arena, enum dkim_hash hash);
/* One that goes on from here, and leaves this one as it is. */
struct dkim_digest *dkim_digest_copy(struct arena *arena, const struct dkim_digest *digest);
void dkim_digest_add(struct dkim_digest *digest, struct slice bytes);
/* Once. The bytes live in the digest. */
struct slice dkim_digest_end(struct dkim_digest *digest);
/* In one go. Returns a slice of out. */
struct slice dkim_digest_of(enum dkim_hash hash, struct slice bytes, unsigned char out[DKIM_DIGEST_MAX]);

struct dkim_public_key;
/*
 * der: RSA as SubjectPublicKeyInfo or as RSAPublicKey (RFC 8463 and use have
 * both), Ed25519 as its 32 octets (RFC 8463 4.2). NULL: unusable, among them
 * RSA over 8,192 bits or with an exponent over 64 bits, which only serve to
 * cost time.
 */
struct dkim_public_key *dkim_public_key_new(struct arena *arena, enum dkim_key_type type, struct slice der);
unsigned dkim_public_key_bits(const struct dkim_public_key *key);
/* digest: the hash of the canonical header fields. */
bool dkim_public_key_verify(const struct dkim_public_key *key, enum dkim_hash hash, struct slice digest,
			    struct slice signature);

#endif
