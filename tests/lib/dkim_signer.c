#include "tests/lib/dkim_signer.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

struct test_key {
	unsigned bits;
	EVP_PKEY *pkey;
	char *p, *pkcs1;
};

static char *base64(const unsigned char *bytes, size_t len)
{
	char *out = malloc(len / 3 * 4 + 5);
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
	return out;
}

static void fill(struct test_key *key, unsigned bits)
{
	unsigned char *der = NULL, raw[32];
	size_t raw_len = sizeof(raw);
	key->bits = bits;
	key->pkey = bits ? EVP_RSA_gen(bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	if (bits == 0) {
		EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len);
		key->p = base64(raw, raw_len);
		return;
	}
	int len = i2d_PUBKEY(key->pkey, &der);
	key->p = base64(der, (size_t)len);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_PublicKey(key->pkey, &der);
	key->pkcs1 = base64(der, (size_t)len);
	OPENSSL_free(der);
}

static struct test_key made[8];
static size_t made_count;

static void free_keys(void)
{
	for (size_t i = 0; i < made_count; i++) {
		EVP_PKEY_free(made[i].pkey);
		free(made[i].p);
		free(made[i].pkcs1);
	}
}

const struct test_key *test_key(unsigned bits)
{
	for (size_t i = 0; i < made_count; i++)
		if (made[i].bits == bits)
			return &made[i];
	if (made_count == 8)
		abort();
	if (made_count == 0)
		atexit(free_keys);
	fill(&made[made_count], bits);
	return &made[made_count++];
}

const char *test_key_p(const struct test_key *key)
{
	return key->p;
}

const char *test_key_p_pkcs1(const struct test_key *key)
{
	return key->pkcs1;
}

static char *sign_digest(const struct signing *s, struct slice digest)
{
	unsigned char out[1024];
	size_t len = sizeof(out);
	const unsigned char *data = (const unsigned char *)digest.data;
	if (s->key->bits == 0) {
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();
		EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->key->pkey);
		EVP_DigestSign(ctx, out, &len, data, digest.len);
		EVP_MD_CTX_free(ctx);
	} else {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(s->key->pkey, NULL);
		EVP_PKEY_sign_init(ctx);
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING);
		EVP_PKEY_CTX_set_signature_md(ctx, s->hash == DKIM_SHA1 ? EVP_sha1() : EVP_sha256());
		EVP_PKEY_sign(ctx, out, &len, data, digest.len);
		EVP_PKEY_CTX_free(ctx);
	}
	return base64(out, len);
}

static char *body_hash(struct arena *arena, const struct dkim_signature *sig, struct slice body)
{
	struct dkim_bodies *bodies = dkim_bodies_new(arena);
	size_t n = dkim_bodies_want(bodies, sig);
	dkim_bodies_add(bodies, body);
	dkim_bodies_end(bodies);
	struct slice hash = dkim_bodies_hash(bodies, n);
	return base64((const unsigned char *)hash.data, hash.len);
}

struct slice sign(struct arena *arena, const struct signing *s, struct slice head, struct slice body)
{
	struct message m = { 0 };
	struct header header = { 0 };
	struct dkim_signature sig = {
		.header = &header, .hash = s->hash, .header_canon = s->header_canon, .body_canon = s->body_canon,
		.fields = slice_str(s->fields), .length = s->length ? s->length : UINT64_MAX,
	};
	const char *name = s->name ? s->name : "DKIM-Signature", *b_tag = s->b_tag ? s->b_tag : "; b=";
	char *bh = body_hash(arena, &sig, body);
	message_parse(&m, arena, head, 10000);
	header.field = arena_printf(arena, "%s: %s%s%s%s\r\n", name, s->tags, s->no_body_hash ? "" : "; bh=",
				    s->no_body_hash ? "" : bh, b_tag);
	struct slice digest = dkim_header_hash(arena, field_index_new(arena, &m), &sig);
	char *b = sign_digest(s, digest);
	struct slice field = arena_printf(arena, "%.*s%s\r\n", (int)header.field.len - 2, header.field.data, b);
	free(bh);
	free(b);
	return field;
}
