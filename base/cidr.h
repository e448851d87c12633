#ifndef GATEHOUSE_BASE_CIDR_H
#define GATEHOUSE_BASE_CIDR_H
/* ip, cidr: addresses and networks of both families. */
#include "base/slice.h"

struct ip {
	uint8_t family;    /* 4, 6, or 0: none (a unix socket, unknown) */
	uint8_t bytes[16]; /* network order; 4 or 16 of them count */
};

struct cidr {
	struct ip ip;      /* host bits are zero */
	uint8_t bits;      /* prefix length, 0..32 or 0..128 */
};

#define IP_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

/* "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1" (becomes IPv4), "IPv6:…"
 * (RFC 5321 4.1.3). No zone ids, no octal, no short forms. False: not one. */
bool ip_parse(struct slice text, struct ip *ip_r);
/* Lower case, RFC 5952. Returns out. "unknown" for family 0. */
const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX]);
bool ip_eq(const struct ip *a, const struct ip *b);
static inline struct slice ip_slice(const struct ip *ip)
{
	return slice_make(ip->bytes, ip->family == 4 ? 4 : ip->family == 6 ? 16 : 0);
}
/* From and to the system's struct sockaddr; IPv4-mapped is unmapped. */
struct sockaddr;
struct sockaddr_storage;
/* Of 4 or 16 octets, in the network's order. False: there are more or fewer. */
bool ip_from_bytes(struct slice bytes, struct ip *ip_r);
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip_r, uint16_t *port_r);
size_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *sa_r);

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. Host bits set are an
 * error: false. */
bool cidr_parse(struct slice text, struct cidr *cidr_r);
bool cidr_has(const struct cidr *net, const struct ip *ip);
bool cidr_list_has(const struct cidr *list, size_t count, const struct ip *ip);
/* The network of that many bits that ip is in. */
struct cidr cidr_of(const struct ip *ip, unsigned bits);

#endif
