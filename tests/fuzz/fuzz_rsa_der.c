/* RSA keys: what rsa_der takes, OpenSSL's decoder takes for the same key. */
#include <stdlib.h>

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "filters/dkim_crypto.h"
#include "filters/rsa_der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be(const EVP_PKEY *pkey, const char *name, struct slice number)
{
	BIGNUM *bn = NULL, *own = BN_bin2bn((const unsigned char *)number.data, (int)number.len, NULL);
	if (EVP_PKEY_get_bn_param(pkey, name, &bn) != 1 || BN_cmp(bn, own) != 0)
		abort();
	BN_free(bn);
	BN_free(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice n, e;
	const unsigned char *p = data;
	if (rsa_der_parse(slice_make(data, size), &n, &e)) {
		EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)size);
		p = data;
		if (pkey == NULL)
			pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)size);
		if (pkey == NULL)
			abort();
		must_be(pkey, "n", n);
		must_be(pkey, "e", e);
		EVP_PKEY_free(pkey);
	}
	struct arena *arena = arena_create();
	struct dkim_public_key *key = dkim_public_key_new(arena, DKIM_RSA, slice_make(data, size));
	if (key != NULL)
		dkim_public_key_verify(key, DKIM_SHA256, slice_make("01234567890123456789012345678901", 32),
				       slice_make(data, size));
	arena_destroy(&arena);
	return 0;
}
