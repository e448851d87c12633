#ifndef GATEHOUSE_BASE_IDN_H
#define GATEHOUSE_BASE_IDN_H
/* idn: domain names in their one canonical form. Includes libidn2. */
#include "base/arena.h"

/*
 * A domain name in lower case, UTF-8 turned into A-labels (UTS #46,
 * nontransitional), without a final dot. False: not one (empty labels,
 * labels over 63 octets, over 253 in all, characters other than letters,
 * digits, - and _, a hyphen at a label's end, what IDNA refuses).
 */
bool idn_domain(struct arena *arena, struct slice name, struct slice *domain_r);

#endif
