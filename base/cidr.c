#include "base/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

static const uint8_t MAPPED[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

static bool is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, MAPPED, sizeof(MAPPED)) == 0;
}

static struct ip ip_make(uint8_t family, const void *bytes)
{
	struct ip ip = { .family = family };
	memcpy(ip.bytes, bytes, family == 4 ? 4 : 16);
	return ip;
}

static struct ip ip_make6(const uint8_t bytes[16])
{
	return is_mapped(bytes) ? ip_make(4, bytes + 12) : ip_make(6, bytes);
}

/* As ip_parse, and tells whether the text was an IPv4-mapped address. */
static bool parse(struct slice text, struct ip *ip_r, bool *mapped_r)
{
	char copy[IP_TEXT_MAX];
	uint8_t bytes[16];
	bool tagged = slice_starts_nocase(text, SLICE("IPv6:"));
	if (tagged)
		text = slice_from(text, 5);
	if (text.len == 0 || text.len >= sizeof(copy) || slice_chr(text, '\0') != SLICE_NPOS)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	*mapped_r = false;
	if (!tagged && inet_pton(AF_INET, copy, bytes) == 1) {
		*ip_r = ip_make(4, bytes);
		return true;
	}
	if (inet_pton(AF_INET6, copy, bytes) != 1)
		return false;
	*mapped_r = is_mapped(bytes);
	*ip_r = ip_make6(bytes);
	return true;
}

bool ip_parse(struct slice text, struct ip *ip_r)
{
	bool mapped;
	return parse(text, ip_r, &mapped);
}

/* inet_ntop() prints, and each message asks for several. */
static void text_of_4(const uint8_t bytes[4], char *out)
{
	for (size_t i = 0; i < 4; i++) {
		unsigned n = bytes[i];
		if (n >= 100)
			*out++ = (char)('0' + n / 100);
		if (n >= 10)
			*out++ = (char)('0' + n / 10 % 10);
		*out++ = (char)('0' + n % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

const char *ip_text(const struct ip *ip, char out[IP_TEXT_MAX])
{
	if (ip->family == 4)
		text_of_4(ip->bytes, out);
	else if (ip->family == 6)
		inet_ntop(AF_INET6, ip->bytes, out, IP_TEXT_MAX);
	else
		snprintf(out, IP_TEXT_MAX, "unknown");
	return out;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && slice_eq(ip_slice(a), ip_slice(b));
}

bool ip_from_bytes(struct slice bytes, struct ip *ip_r)
{
	if (bytes.len != 4 && bytes.len != 16)
		return false;
	*ip_r = bytes.len == 4 ? ip_make(4, bytes.data) : ip_make6((const uint8_t *)bytes.data);
	return true;
}

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip_r, uint16_t *port_r)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in, sa, sizeof(in));
		*ip_r = ip_make(4, &in.sin_addr);
		*port_r = ntohs(in.sin_port);
		return true;
	case AF_INET6:
		memcpy(&in6, sa, sizeof(in6));
		*ip_r = ip_make6(in6.sin6_addr.s6_addr);
		*port_r = ntohs(in6.sin6_port);
		return true;
	default:
		*ip_r = (struct ip){ 0 };
		*port_r = 0;
		return false;
	}
}

size_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *sa_r)
{
	memset(sa_r, 0, sizeof(*sa_r));
	if (ip->family == 4) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&in.sin_addr, ip->bytes, 4);
		memcpy(sa_r, &in, sizeof(in));
		return sizeof(in);
	}
	if (ip->family == 6) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
		memcpy(&in6.sin6_addr, ip->bytes, 16);
		memcpy(sa_r, &in6, sizeof(in6));
		return sizeof(in6);
	}
	return 0;
}

static unsigned max_bits(uint8_t family)
{
	return family == 4 ? 32 : family == 6 ? 128 : 0;
}

/* The first `bits` bits of a and b are the same. */
static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

struct cidr cidr_of(const struct ip *ip, unsigned bits)
{
	struct cidr net = { .ip = { .family = ip->family } };
	unsigned most = max_bits(ip->family);
	if (bits > most)
		bits = most;
	net.bits = (uint8_t)bits;
	memcpy(net.ip.bytes, ip->bytes, bits / 8);
	if (bits % 8 != 0)
		net.ip.bytes[bits / 8] = (uint8_t)(ip->bytes[bits / 8] & (0xff00u >> (bits % 8)));
	return net;
}

static bool parse_bits(struct slice text, bool mapped, unsigned most, uint64_t *bits_r)
{
	if (text.len > 1 && text.data[0] == '0')
		return false;
	if (!slice_u64(text, mapped ? 128 : most, bits_r))
		return false;
	if (mapped) {
		if (*bits_r < 96)
			return false;
		*bits_r -= 96;
	}
	return true;
}

bool cidr_parse(struct slice text, struct cidr *cidr_r)
{
	size_t slash = slice_chr(text, '/');
	struct ip ip;
	bool mapped;
	if (!parse(slash == SLICE_NPOS ? text : slice_head(text, slash), &ip, &mapped))
		return false;
	uint64_t bits = max_bits(ip.family);
	if (slash != SLICE_NPOS && !parse_bits(slice_from(text, slash + 1), mapped, (unsigned)bits, &bits))
		return false;
	struct cidr net = cidr_of(&ip, (unsigned)bits);
	if (!ip_eq(&net.ip, &ip))
		return false;
	*cidr_r = net;
	return true;
}

bool cidr_has(const struct cidr *net, const struct ip *ip)
{
	return ip->family != 0 && ip->family == net->ip.family &&
	       same_prefix(net->ip.bytes, ip->bytes, net->bits);
}

bool cidr_list_has(const struct cidr *list, size_t count, const struct ip *ip)
{
	for (size_t i = 0; i < count; i++)
		if (cidr_has(&list[i], ip))
			return true;
	return false;
}
