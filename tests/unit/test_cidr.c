#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cidr.h"

static const struct {
	const char *text;
	const char *canonical; /* NULL: no address */
	int family;
} addresses[] = {
	{ "192.0.2.1", "192.0.2.1", 4 },
	{ "0.0.0.0", "0.0.0.0", 4 },
	{ "255.255.255.255", "255.255.255.255", 4 },
	{ "::", "::", 6 },
	{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1", 6 },
	{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 6 },
	{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6 },
	{ "::ffff:192.0.2.1", "192.0.2.1", 4 },
	{ "::FFFF:c000:201", "192.0.2.1", 4 },
	{ "IPv6:2001:db8::1", "2001:db8::1", 6 },
	{ "ipv6:::1", "::1", 6 },
	{ "IPv6:::ffff:192.0.2.1", "192.0.2.1", 4 },
	{ "64:ff9b::192.0.2.33", "64:ff9b::c000:221", 6 },
	{ "IPv6:192.0.2.1", NULL, 0 },
	{ "IPv6:", NULL, 0 },
	{ "", NULL, 0 },
	{ "192.0.2", NULL, 0 },
	{ "192.0.2.256", NULL, 0 },
	{ "192.0.2.01", NULL, 0 },
	{ "0xc0.0.2.1", NULL, 0 },
	{ "3221225985", NULL, 0 },
	{ " 192.0.2.1", NULL, 0 },
	{ "192.0.2.1 ", NULL, 0 },
	{ "192.0.2.1.", NULL, 0 },
	{ "fe80::1%eth0", NULL, 0 },
	{ "1::2::3", NULL, 0 },
	{ ":::", NULL, 0 },
	{ "12345::", NULL, 0 },
	{ "2001:db8:0000:0000:0000:0000:0000:00000000000000000001", NULL, 0 },
};

static void test_addresses(void **state)
{
	(void)state;
	char text[IP_TEXT_MAX];
	struct ip ip;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		bool ok = ip_parse(slice_str(addresses[i].text), &ip);
		if (ok != (addresses[i].canonical != NULL))
			fail_msg("%s: %s", addresses[i].text, ok ? "taken" : "refused");
		if (!ok)
			continue;
		assert_int_equal(ip.family, addresses[i].family);
		assert_string_equal(ip_text(&ip, text), addresses[i].canonical);
	}
	assert_false(ip_parse(SLICE("192.0.2.1\0"), &ip));
	assert_string_equal(ip_text(&(struct ip){ 0 }, text), "unknown");
}

static const struct {
	const char *net;
	int bits; /* -1: no network */
	const char *in, *out;
} networks[] = {
	{ "192.0.2.0/24", 24, "192.0.2.255", "192.0.3.0" },
	{ "192.0.2.1", 32, "192.0.2.1", "192.0.2.2" },
	{ "192.0.2.128/25", 25, "192.0.2.200", "192.0.2.127" },
	{ "192.0.2.4/30", 30, "192.0.2.7", "192.0.2.8" },
	{ "0.0.0.0/0", 0, "203.0.113.9", "::1" },
	{ "::/0", 0, "2001:db8::1", "192.0.2.1" },
	{ "2001:db8::/32", 32, "2001:db8:ffff::1", "2001:db9::" },
	{ "2001:db8::8/125", 125, "2001:db8::f", "2001:db8::10" },
	{ "::1", 128, "::1", "::2" },
	{ "::ffff:192.0.2.0/120", 24, "192.0.2.9", "192.0.3.9" },
	{ "::ffff:0:0/96", 0, "198.51.100.1", "::1" },
	{ "192.0.2.1/24", -1, NULL, NULL },
	{ "192.0.2.0/33", -1, NULL, NULL },
	{ "192.0.2.0/", -1, NULL, NULL },
	{ "192.0.2.0/024", -1, NULL, NULL },
	{ "192.0.2.0/-1", -1, NULL, NULL },
	{ "192.0.2.0/2 4", -1, NULL, NULL },
	{ "192.0.2.0/24/24", -1, NULL, NULL },
	{ "192.0.2/24", -1, NULL, NULL },
	{ "::ffff:192.0.2.0/24", -1, NULL, NULL },
	{ "2001:db8::/129", -1, NULL, NULL },
	{ "2001:db8::1/64", -1, NULL, NULL },
	{ "/24", -1, NULL, NULL },
	{ "", -1, NULL, NULL },
	{ "example.org", -1, NULL, NULL },
};

static void test_networks(void **state)
{
	(void)state;
	struct cidr net;
	struct ip ip;
	for (size_t i = 0; i < sizeof(networks) / sizeof(*networks); i++) {
		bool ok = cidr_parse(slice_str(networks[i].net), &net);
		if (ok != (networks[i].bits >= 0))
			fail_msg("%s: %s", networks[i].net, ok ? "taken" : "refused");
		if (!ok)
			continue;
		assert_int_equal(net.bits, networks[i].bits);
		assert_true(ip_parse(slice_str(networks[i].in), &ip));
		assert_true(cidr_has(&net, &ip));
		assert_true(cidr_list_has(&net, 1, &ip));
		assert_true(ip_parse(slice_str(networks[i].out), &ip));
		assert_false(cidr_has(&net, &ip));
		assert_false(cidr_has(&net, &(struct ip){ 0 }));
	}
	assert_false(cidr_list_has(NULL, 0, &ip));
}

/* Against a plain bit-by-bit model, for all prefix lengths. */
static bool model_has(const struct ip *net, unsigned bits, const struct ip *ip)
{
	for (unsigned i = 0; i < bits; i++) {
		unsigned mask = 0x80u >> (i % 8);
		if ((net->bytes[i / 8] & mask) != (ip->bytes[i / 8] & mask))
			return false;
	}
	return true;
}

static void test_against_model(void **state)
{
	(void)state;
	struct ip base, other;
	assert_true(ip_parse(SLICE("2001:db8:a5a5:5a5a:ffff::f0f0"), &base));
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct cidr net = cidr_of(&base, bits);
		assert_int_equal(net.bits, bits);
		assert_true(model_has(&base, bits, &net.ip));
		for (unsigned k = bits; k < 128; k++)
			assert_false(net.ip.bytes[k / 8] & (0x80u >> (k % 8)));
		for (unsigned flip = 0; flip < 128; flip++) {
			other = base;
			other.bytes[flip / 8] ^= (uint8_t)(0x80u >> (flip % 8));
			assert_int_equal(cidr_has(&net, &other), model_has(&base, bits, &other));
		}
	}
	assert_int_equal(cidr_of(&base, 999).bits, 128);
}

static void test_sockaddr(void **state)
{
	(void)state;
	static const char *const texts[] = { "192.0.2.1", "2001:db8::1", "::" };
	struct sockaddr_storage sa;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct ip ip, back;
	uint16_t port = 1;
	for (size_t i = 0; i < 3; i++) {
		assert_true(ip_parse(slice_str(texts[i]), &ip));
		assert_int_equal(ip_to_sockaddr(&ip, 2525, &sa), ip.family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_true(ip_from_sockaddr((struct sockaddr *)&sa, &back, &port));
		assert_true(ip_eq(&ip, &back));
		assert_int_equal(port, 2525);
	}
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(25) };
	memcpy(mapped.sin6_addr.s6_addr + 10, "\xff\xff\xc0\x00\x02\x01", 6);
	assert_true(ip_from_sockaddr((struct sockaddr *)&mapped, &back, &port));
	assert_true(ip_parse(SLICE("192.0.2.1"), &ip));
	assert_true(ip_eq(&ip, &back));
	assert_false(ip_from_sockaddr((struct sockaddr *)&un, &back, &port));
	assert_int_equal(back.family, 0);
	assert_int_equal(port, 0);
	assert_int_equal(ip_to_sockaddr(&back, 25, &sa), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_networks),
		cmocka_unit_test(test_against_model), cmocka_unit_test(test_sockaddr),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
