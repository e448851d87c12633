#include "base/dns_packet.h"

#include "base/buf.h"
#include "base/wire_name.h"

#define HEADER_LEN 12u
#define FLAG_RESPONSE 0x8000u
#define RCODE_MASK 0x000fu
#define RCODE_NOERROR 0u
#define RCODE_NXDOMAIN 3u
#define CLASS_IN 1u
#define RR_FIXED_LEN 10u /* type, class, ttl, rdlength */
#define CHAIN_MAX 16
#define TYPE_SRV 33

struct reader {
	struct slice packet;
	size_t at;
	bool bad; /* read past the end, or a name was malformed */
};

struct rr {
	size_t owner;      /* offsets in the packet */
	size_t rdata;
	uint16_t type, class, rdlen;
	uint32_t ttl;
};

const char *dns_rcode_name(unsigned rcode)
{
	static const char *const names[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
		"YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
	};
	return rcode < sizeof(names) / sizeof(names[0]) ? names[rcode] : "error";
}

static uint16_t u16_at(const struct reader *r, size_t at)
{
	const uint8_t *p = (const uint8_t *)r->packet.data + at;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t u32_at(const struct reader *r, size_t at)
{
	return (uint32_t)u16_at(r, at) << 16 | u16_at(r, at + 2);
}

/* The name at the reader, in lower case; 0 and bad if there is none. */
static size_t read_name(struct reader *r, uint8_t out[WIRE_NAME_MAX])
{
	size_t len = r->bad ? 0 : wire_name_unpack(r->packet, r->at, out, &r->at);
	wire_name_lower(out, len);
	r->bad = len == 0;
	return len;
}

static bool skip(struct reader *r, size_t len)
{
	if (r->bad || r->packet.len - r->at < len) {
		r->bad = true;
		return false;
	}
	r->at += len;
	return true;
}

static bool read_rr(struct reader *r, struct rr *rr)
{
	uint8_t name[WIRE_NAME_MAX];
	rr->owner = r->at;
	read_name(r, name);
	if (!skip(r, RR_FIXED_LEN))
		return false;
	size_t fixed = r->at - RR_FIXED_LEN;
	rr->type = u16_at(r, fixed);
	rr->class = u16_at(r, fixed + 2);
	rr->ttl = u32_at(r, fixed + 4);
	if (rr->ttl > INT32_MAX) /* RFC 2181 8 */
		rr->ttl = 0;
	rr->rdlen = u16_at(r, fixed + 8);
	rr->rdata = r->at;
	return skip(r, rr->rdlen);
}

/* Which rdata hold names that may be compressed (RFC 3597 4), and where. */
struct layout {
	uint16_t type;
	uint8_t before; /* octets before the names */
	uint8_t names;
	uint8_t after;  /* octets after them */
};

static const struct layout layouts[] = {
	{ DNS_A, 4, 0, 0 },
	{ DNS_AAAA, 16, 0, 0 },
	{ DNS_NS, 0, 1, 0 },
	{ DNS_CNAME, 0, 1, 0 },
	{ DNS_PTR, 0, 1, 0 },
	{ DNS_MX, 2, 1, 0 },
	{ DNS_SOA, 0, 2, 20 },
	{ TYPE_SRV, 6, 1, 0 },
};

/* Appends the rdata with its names uncompressed. False: malformed. */
static bool add_rdata(const struct reader *whole, const struct rr *rr, struct buf *out)
{
	const struct layout *layout = NULL;
	struct reader r = { whole->packet, rr->rdata, false };
	uint8_t name[WIRE_NAME_MAX];
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == rr->type)
			layout = &layouts[i];
	if (layout == NULL) {
		buf_add(out, r.packet.data + rr->rdata, rr->rdlen);
		return true;
	}
	if (!skip(&r, layout->before))
		return false;
	buf_add(out, r.packet.data + rr->rdata, layout->before);
	for (unsigned i = 0; i < layout->names; i++)
		buf_add(out, name, read_name(&r, name));
	size_t tail = r.at;
	if (!skip(&r, layout->after))
		return false;
	buf_add(out, r.packet.data + tail, layout->after);
	return r.at == rr->rdata + rr->rdlen;
}

static struct answer temperror(const char *why)
{
	return (struct answer){ .status = ANSWER_TEMPERROR, .why = why };
}

struct chain {
	struct reader r;
	struct rr *rrs;   /* of the answer section: CNAMEs and what was asked for */
	size_t count;
	uint16_t type;
	uint32_t ttl;
	uint8_t name[WIRE_NAME_MAX]; /* where it has led to */
	size_t len;
};

static bool owner_is(const struct chain *c, const struct rr *rr)
{
	uint8_t owner[WIRE_NAME_MAX];
	struct reader r = { c->r.packet, rr->owner, false };
	size_t len = read_name(&r, owner);
	return len == c->len && memcmp(owner, c->name, len) == 0;
}

static void lower_ttl(struct chain *c, uint32_t ttl)
{
	if (ttl < c->ttl)
		c->ttl = ttl;
}

/* The records at the chain's present name into *answer. False: malformed. */
static bool collect(struct arena *arena, struct chain *c, struct answer *answer)
{
	struct buf rdata = { 0 };
	bool ok = true;
	for (size_t i = 0; i < c->count && ok; i++) {
		if (c->rrs[i].type != c->type || !owner_is(c, &c->rrs[i]))
			continue;
		buf_clear(&rdata);
		ok = add_rdata(&c->r, &c->rrs[i], &rdata);
		answer->records[answer->count++] = arena_copy(arena, buf_slice(&rdata));
		lower_ttl(c, c->rrs[i].ttl);
	}
	buf_free(&rdata);
	return ok;
}

/* Goes one CNAME further. False: there is none at this name. */
static bool follow(struct chain *c)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->rrs[i].type != DNS_CNAME || !owner_is(c, &c->rrs[i]))
			continue;
		lower_ttl(c, c->rrs[i].ttl);
		struct reader r = { c->r.packet, c->rrs[i].rdata, false };
		c->len = read_name(&r, c->name);
		c->r.bad = r.bad;
		return true;
	}
	return false;
}

/* RFC 2308 5: from the SOA in the authority section. */
static void negative_ttl(struct chain *c, unsigned authority_count)
{
	struct rr rr;
	for (; authority_count > 0 && read_rr(&c->r, &rr); authority_count--) {
		if (rr.type != DNS_SOA || rr.rdlen < 4)
			continue;
		lower_ttl(c, rr.ttl);
		lower_ttl(c, u32_at(&c->r, rr.rdata + rr.rdlen - 4u));
		return;
	}
	if (c->ttl == UINT32_MAX)
		c->ttl = 0;
}

static bool read_answers(struct arena *arena, struct chain *c, unsigned count)
{
	/* A record is at least this long, so a lying count takes no memory. */
	size_t most = (c->r.packet.len - c->r.at) / (RR_FIXED_LEN + 1);
	struct rr rr;
	c->rrs = arena_array(arena, struct rr, count < most ? count : most);
	for (; count > 0; count--) {
		if (!read_rr(&c->r, &rr))
			return false;
		if (rr.class == CLASS_IN && (rr.type == DNS_CNAME || rr.type == c->type))
			c->rrs[c->count++] = rr;
	}
	return true;
}

static struct answer follow_chain(struct arena *arena, struct chain *c)
{
	struct answer answer = { .status = ANSWER_NODATA };
	answer.records = arena_array(arena, struct slice, c->count);
	for (int i = 0; i <= CHAIN_MAX; i++) {
		if (!collect(arena, c, &answer) || c->r.bad)
			return temperror("malformed answer");
		if (answer.count > 0)
			answer.status = ANSWER_FOUND;
		if (answer.count > 0 || !follow(c))
			return answer;
	}
	return temperror("CNAME loop");
}

struct answer dns_packet_read(struct arena *arena, struct slice packet, uint16_t type)
{
	struct chain c = { .r = { packet, HEADER_LEN, packet.len < HEADER_LEN }, .type = type, .ttl = UINT32_MAX };
	if (c.r.bad || !(u16_at(&c.r, 2) & FLAG_RESPONSE) || u16_at(&c.r, 4) != 1)
		return temperror("malformed answer");
	unsigned rcode = u16_at(&c.r, 2) & RCODE_MASK;
	if (rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN)
		return temperror(dns_rcode_name(rcode));
	c.len = read_name(&c.r, c.name);
	if (!skip(&c.r, 4) || u16_at(&c.r, c.r.at - 4) != type)
		return temperror("malformed answer");
	if (!read_answers(arena, &c, u16_at(&c.r, 6)))
		return temperror("malformed answer");
	struct answer answer = { .status = ANSWER_NXDOMAIN };
	if (rcode == RCODE_NOERROR)
		answer = follow_chain(arena, &c);
	if (answer.status == ANSWER_NODATA || answer.status == ANSWER_NXDOMAIN)
		negative_ttl(&c, u16_at(&c.r, 8));
	if (answer.status != ANSWER_TEMPERROR)
		answer.ttl = c.ttl;
	return answer;
}
