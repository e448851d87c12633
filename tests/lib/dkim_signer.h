#ifndef TESTS_LIB_DKIM_SIGNER_H
#define TESTS_LIB_DKIM_SIGNER_H
/*
 * dkim_signer: keys and signatures for tests, good ones and bad ones. The
 * tags are written as given; what is hashed is said beside them.
 */
#include "filters/dkim_hash.h"

struct test_key;
/* bits 0: Ed25519. Made once for a process and kind. */
const struct test_key *test_key(unsigned bits);
/* p= of its record, base64. */
const char *test_key_p(const struct test_key *key);
/* The same as RSAPublicKey instead of SubjectPublicKeyInfo. */
const char *test_key_p_pkcs1(const struct test_key *key);

struct signing {
	const struct test_key *key;
	enum dkim_hash hash;
	enum dkim_canon header_canon, body_canon;
	const char *name;        /* of the field; NULL: DKIM-Signature */
	const char *tags;        /* all but bh= and b= */
	const char *fields;      /* h=, as hashed */
	uint64_t length;         /* l=, as hashed; 0: all */
	bool no_body_hash;       /* a seal has none */
	const char *b_tag;       /* NULL: "; b=" */
};

/* The field, with CRLF, for a message whose other fields are head (may begin
 * with signatures made before). */
struct slice sign(struct arena *arena, const struct signing *s, struct slice head, struct slice body);

#endif
