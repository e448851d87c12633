#include "filters/dkim_crypto.h"

#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "filters/rsa_der.h"

#define RSA_BITS_MAX 8192
#define EXPONENT_BITS_MAX 64
#define ED25519_OCTETS 32

struct dkim_digest {
	EVP_MD_CTX *ctx;
	unsigned char out[EVP_MAX_MD_SIZE];
};

struct dkim_public_key {
	enum dkim_key_type type;
	EVP_PKEY *pkey;
	unsigned bits;
};

/* Fetched once: an implicit fetch at each use costs more than the hash of a
 * small mail. Not freed: they live as long as the process. */
static const EVP_MD *md_of(enum dkim_hash hash)
{
	static EVP_MD *fetched[2];
	EVP_MD *md = __atomic_load_n(&fetched[hash], __ATOMIC_ACQUIRE), *none = NULL;
	if (md != NULL)
		return md;
	md = EVP_MD_fetch(NULL, hash == DKIM_SHA256 ? "SHA256" : "SHA1", NULL);
	if (md != NULL && !__atomic_compare_exchange_n(&fetched[hash], &none, md, false, __ATOMIC_ACQ_REL,
						       __ATOMIC_ACQUIRE)) {
		EVP_MD_free(md);
		md = none;
	}
	return md != NULL ? md : hash == DKIM_SHA256 ? EVP_sha256() : EVP_sha1();
}

static void free_ctx(void *arg)
{
	EVP_MD_CTX_free(arg);
}

static struct dkim_digest *new_digest(struct arena *arena)
{
	struct dkim_digest *digest = arena_new(arena, struct dkim_digest);
	digest->ctx = EVP_MD_CTX_new();
	if (digest->ctx == NULL)
		abort(); /* out of memory */
	arena_on_reset(arena, free_ctx, digest->ctx);
	return digest;
}

struct dkim_digest *dkim_digest_new(struct arena *arena, enum dkim_hash hash)
{
	struct dkim_digest *digest = new_digest(arena);
	EVP_DigestInit_ex(digest->ctx, md_of(hash), NULL);
	return digest;
}

struct dkim_digest *dkim_digest_copy(struct arena *arena, const struct dkim_digest *digest)
{
	struct dkim_digest *copy = new_digest(arena);
	EVP_MD_CTX_copy_ex(copy->ctx, digest->ctx);
	return copy;
}

void dkim_digest_add(struct dkim_digest *digest, struct slice bytes)
{
	if (bytes.len > 0)
		EVP_DigestUpdate(digest->ctx, bytes.data, bytes.len);
}

struct slice dkim_digest_end(struct dkim_digest *digest)
{
	unsigned len = 0;
	EVP_DigestFinal_ex(digest->ctx, digest->out, &len);
	return slice_make(digest->out, len);
}

struct slice dkim_digest_of(enum dkim_hash hash, struct slice bytes, unsigned char out[DKIM_DIGEST_MAX])
{
	unsigned len = 0;
	EVP_Digest(bytes.len ? bytes.data : "", bytes.len, out, &len, md_of(hash), NULL);
	return slice_make(out, len);
}

static EVP_PKEY *rsa_from_numbers(const BIGNUM *modulus, const BIGNUM *exponent)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	if (build != NULL && ctx != NULL && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params != NULL && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

static EVP_PKEY *rsa_from_der(struct slice der)
{
	struct slice n, e;
	if (!rsa_der_parse(der, &n, &e) || n.len > RSA_BITS_MAX / 8 || e.len > EXPONENT_BITS_MAX / 8)
		return NULL;
	BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.data, (int)n.len, NULL);
	BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.data, (int)e.len, NULL);
	EVP_PKEY *pkey = NULL;
	if (modulus != NULL && exponent != NULL && !BN_is_one(exponent))
		pkey = rsa_from_numbers(modulus, exponent);
	BN_free(modulus);
	BN_free(exponent);
	return pkey;
}

static void free_pkey(void *arg)
{
	EVP_PKEY_free(arg);
}

struct dkim_public_key *dkim_public_key_new(struct arena *arena, enum dkim_key_type type, struct slice der)
{
	EVP_PKEY *pkey = NULL;
	if (type == DKIM_RSA)
		pkey = rsa_from_der(der);
	else if (type == DKIM_ED25519 && der.len == ED25519_OCTETS)
		pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)der.data, der.len);
	ERR_clear_error();
	if (pkey == NULL)
		return NULL;
	arena_on_reset(arena, free_pkey, pkey);
	struct dkim_public_key *key = arena_new(arena, struct dkim_public_key);
	key->type = type;
	key->pkey = pkey;
	key->bits = (unsigned)EVP_PKEY_get_bits(pkey);
	return key;
}

unsigned dkim_public_key_bits(const struct dkim_public_key *key)
{
	return key->bits;
}

static bool verify_rsa(EVP_PKEY *pkey, enum dkim_hash hash, struct slice digest, struct slice signature)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
	bool ok = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
		  EVP_PKEY_CTX_set_signature_md(ctx, md_of(hash)) == 1 &&
		  EVP_PKEY_verify(ctx, (const unsigned char *)signature.data, signature.len,
				  (const unsigned char *)digest.data, digest.len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

/* RFC 8463 3: PureEdDSA over the SHA-256 hash. */
static bool verify_ed25519(EVP_PKEY *pkey, struct slice digest, struct slice signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
		  EVP_DigestVerify(ctx, (const unsigned char *)signature.data, signature.len,
				   (const unsigned char *)digest.data, digest.len) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool dkim_public_key_verify(const struct dkim_public_key *key, enum dkim_hash hash, struct slice digest,
			    struct slice signature)
{
	bool ok = key->type == DKIM_RSA ? verify_rsa(key->pkey, hash, digest, signature) :
					  verify_ed25519(key->pkey, digest, signature);
	ERR_clear_error();
	return ok;
}
