#ifndef TESTS_LIB_ARC_SEALER_H
#define TESTS_LIB_ARC_SEALER_H
/* arc_sealer: ARC sets for tests, on top of a message's header section. */
#include "tests/lib/dkim_signer.h"

struct sealing {
	const struct test_key *key;
	const char *domain, *selector;
	unsigned instance;
	const char *cv;
	const char *authres;     /* behind "i=N; " */
	const char *comment;     /* before "i", "=", N and ";", or NULL */
	const char *ams_tags;    /* more tags of the AMS, or NULL */
};

/* head with the set's three fields before it. sets: the sets before this one,
 * as ARC's seal hashes them; grows. */
struct slice seal(struct arena *arena, const struct sealing *s, struct slice head, struct slice body,
		  struct buf *sets);

#endif
