#include "proxy/proxy_protocol.h"

#define V1_MAX 107u
#define V2_FIXED 16u
#define SMTP_PORT 25u

/* Type-length-values behind the addresses of version 2. */
enum {
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CIPHER = 0x23,
};
#define SSL_IS_ON 0x01
#define SSL_NOT_VERIFIED 1u /* by authorities: client certificates are known by fingerprint */

static const char signature[12] = { '\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n' };

static bool take_v1_address(struct slice address, struct slice port, bool v4, struct ip *ip_r, uint16_t *port_r)
{
	uint64_t number;
	if (!ip_parse(address, ip_r) || (v4 && ip_r->family != 4) || !slice_u64(port, 65535, &number))
		return false;
	*port_r = (uint16_t)number;
	return true;
}

static enum proxy_status parse_v1(struct slice in, struct proxy_header *h)
{
	size_t end = slice_find(slice_head(in, V1_MAX), SLICE("\r\n"));
	struct slice word[6], rest;
	size_t words = 0;
	if (end == SLICE_NPOS)
		return in.len >= V1_MAX ? PROXY_BAD : PROXY_MORE;
	h->consumed = end + 2;
	rest = slice_head(in, end);
	while (words < 6 && slice_split(&rest, ' ', &word[words]))
		words++;
	if (words >= 2 && slice_eq(word[1], SLICE("UNKNOWN"))) {
		h->local = true;
		return PROXY_OK;
	}
	bool v4 = words == 6 && slice_eq(word[1], SLICE("TCP4")), v6 = words == 6 && slice_eq(word[1], SLICE("TCP6"));
	bool good = (v4 || v6) && rest.data == NULL && take_v1_address(word[2], word[4], v4, &h->ip, &h->port) &&
		    take_v1_address(word[3], word[5], v4, &h->to, &h->to_port);
	return good ? PROXY_OK : PROXY_BAD;
}

static unsigned u16(const char *p)
{
	return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static bool take_v2_address(struct slice body, unsigned family, struct proxy_header *h)
{
	size_t size = family == 0x11 ? 4 : family == 0x21 ? 16 : 0;
	if (size == 0 || body.len < 2 * size + 4)
		return false;
	ip_from_bytes(slice_head(body, size), &h->ip);
	ip_from_bytes(slice_sub(body, size, size), &h->to);
	h->port = (uint16_t)u16(body.data + 2 * size);
	h->to_port = (uint16_t)u16(body.data + 2 * size + 2);
	return true;
}

static enum proxy_status parse_v2(struct slice in, struct proxy_header *h)
{
	if (in.len < V2_FIXED)
		return PROXY_MORE;
	unsigned version = (unsigned char)in.data[12], family = (unsigned char)in.data[13];
	size_t len = u16(in.data + 14);
	if (version >> 4 != 2 || (version & 15) > 1 || len > PROXY_HEADER_MAX - V2_FIXED)
		return PROXY_BAD;
	if (in.len < V2_FIXED + len)
		return PROXY_MORE;
	h->consumed = V2_FIXED + len;
	h->local = (version & 15) == 0 || family == 0;
	if (h->local)
		return PROXY_OK;
	return take_v2_address(slice_sub(in, V2_FIXED, len), family, h) ? PROXY_OK : PROXY_BAD;
}

enum proxy_status proxy_header_parse(struct slice in, struct proxy_header *h)
{
	struct slice v2 = slice_make(signature, sizeof(signature)), v1 = SLICE("PROXY ");
	*h = (struct proxy_header){ 0 };
	if (slice_starts(in, v2))
		return parse_v2(in, h);
	if (slice_starts(in, v1))
		return parse_v1(in, h);
	bool may_become = slice_starts(v2, in) || slice_starts(v1, in);
	return may_become ? PROXY_MORE : PROXY_BAD;
}

/* ---- writing */

static void add_u16(struct buf *out, size_t n)
{
	buf_add_char(out, (char)(n >> 8 & 255));
	buf_add_char(out, (char)(n & 255));
}

static void add_tlv(struct buf *out, int type, struct slice value)
{
	buf_add_char(out, (char)type);
	add_u16(out, value.len);
	buf_add_slice(out, value);
}

static void add_tls(struct buf *out, const struct client *c)
{
	static const char verify[4] = { 0, 0, 0, SSL_NOT_VERIFIED };
	struct buf ssl = { 0 };
	if (c->tls_version.len == 0)
		return;
	buf_add_char(&ssl, SSL_IS_ON);
	buf_add(&ssl, verify, sizeof(verify));
	add_tlv(&ssl, TLV_SSL_VERSION, c->tls_version);
	add_tlv(&ssl, TLV_SSL_CIPHER, c->tls_cipher);
	add_tlv(out, TLV_SSL, buf_slice(&ssl));
	buf_free(&ssl);
}

/* The form wants two addresses of one family: where ours isn't known, the client's own has to do. */
static const struct ip *other_side(const struct client *c, unsigned *port_r)
{
	bool known = c->local_ip.family == c->ip.family;
	*port_r = known ? c->local_port : SMTP_PORT;
	return known ? &c->local_ip : &c->ip;
}

static void write_v1(struct buf *out, const struct client *c)
{
	char from[IP_TEXT_MAX], to[IP_TEXT_MAX];
	unsigned port;
	const struct ip *other = other_side(c, &port);
	if (c->ip.family == 0)
		buf_add_str(out, "PROXY UNKNOWN\r\n");
	else
		buf_printf(out, "PROXY TCP%u %s %s %u %u\r\n", c->ip.family, ip_text(&c->ip, from),
			   ip_text(other, to), c->port, port);
}

static void write_v2(struct buf *out, const struct client *c)
{
	struct slice ip = ip_slice(&c->ip);
	struct buf body = { 0 };
	if (ip.len > 0) {
		unsigned port;
		buf_add_slice(&body, ip);
		buf_add_slice(&body, ip_slice(other_side(c, &port)));
		add_u16(&body, c->port);
		add_u16(&body, port);
		add_tls(&body, c);
	}
	buf_add(out, signature, sizeof(signature));
	buf_add_char(out, ip.len > 0 ? 0x21 : 0x20); /* version 2; PROXY or LOCAL */
	buf_add_char(out, ip.len == 4 ? 0x11 : ip.len == 16 ? 0x21 : 0);
	add_u16(out, body.len);
	buf_add_slice(out, buf_slice(&body));
	buf_free(&body);
}

void proxy_header_write(struct buf *out, const struct client *client, int version)
{
	if (version == 1)
		write_v1(out, client);
	else
		write_v2(out, client);
}
