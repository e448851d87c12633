#ifndef GATEHOUSE_FILTERS_RSA_DER_H
#define GATEHOUSE_FILTERS_RSA_DER_H
/*
 * rsa_der: an RSA public key out of its DER encoding. OpenSSL 3's decoders
 * take ten times as long as the verification they are for. Pure.
 */
#include "base/slice.h"

/*
 * der: a SubjectPublicKeyInfo of rsaEncryption (RFC 3279 2.3.1) or a bare
 * RSAPublicKey (RFC 8017 A.1.1), and nothing behind it. Modulus and exponent
 * are slices of it, big-endian, without leading zeros, not empty. Both are
 * odd, or it is no key.
 */
bool rsa_der_parse(struct slice der, struct slice *modulus_r, struct slice *exponent_r);

#endif
