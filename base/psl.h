#ifndef GATEHOUSE_BASE_PSL_H
#define GATEHOUSE_BASE_PSL_H
/*
 * psl: organisational domains by the list of public suffixes, as RFC 7489 3.2
 * has them. The one module that includes libpsl.
 */
#include "base/slice.h"

/*
 * Takes the newer of libpsl's own list and the file that the distribution
 * keeps up to date; path, unless NULL, names another file (.dat or .dafsa).
 * False: the file can't be read; libpsl's own list stays in use. Reads a
 * file: call it once, before the sandbox closes and before threads start.
 */
bool psl_load(const char *path);

/*
 * The suffix of domain that is one label below a public suffix. False: domain
 * is a public suffix itself, empty or malformed. domain is lower case,
 * A-labels; *organisational_r points into it.
 */
bool psl_organisational(struct slice domain, struct slice *organisational_r);
/* As above; a public suffix is then its own organisational domain. */
struct slice psl_organisational_or_self(struct slice domain);
/* A registry's suffix that stands in the list ("com", "co.uk"): strangers own
 * the names below it. False for private ones ("github.io") and for unknown
 * top-level domains ("lan"). */
bool psl_is_registry(struct slice domain);

#endif
