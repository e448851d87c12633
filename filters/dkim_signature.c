/*
 * One table of tags, read in its order; the first that is wrong decides the
 * result. Domain, selector and the like come first, so that a signature that
 * is refused can still be named.
 */
#include "filters/dkim_signature.h"

#include "message/address.h"
#include "message/question.h"
#include "message/taglist.h"

#define SHOWN_MAX 128 /* octets of a value that didn't come as far as its reader */
#define DKIM_TIME_MAX UINT64_C(999999999999) /* 3.5: t= and x= have up to 12 digits */

struct reader {
	struct arena *arena;
	const struct dkim_policy *policy;
	const struct taglist *tags;
	enum dkim_kind kind;
	struct dkim_signature *sig;
};

/* Notes the result; false, for readers to return. */
static bool refuse(struct reader *r, const char *reason)
{
	r->sig->result = AUTH_PERMERROR;
	r->sig->reason = reason;
	return false;
}

static bool is_label_byte(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '_';
}

static bool is_ascii_name(struct slice name)
{
	size_t label = 0;
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '.' && label == 0)
			return false;
		if (name.data[i] != '.' && !is_label_byte(name.data[i]))
			return false;
		label = name.data[i] == '.' ? 0 : label + 1;
	}
	return label > 0 && dns_name_ok(name);
}

static bool has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] >= 0x80)
			return true;
	return false;
}

/* RFC 8616 3: U-labels become A-labels. Anything that is no name of letters,
 * digits, hyphens and underscores must never reach DNS. */
static bool read_name(struct reader *r, struct slice value, struct slice *name_r)
{
	struct slice name = value;
	if (has_8bit(value) &&
	    address_domain(r->arena, value, ADDRESS_UTF8 | ADDRESS_LAX, &name) != ADDRESS_OK)
		return false;
	if (!is_ascii_name(name))
		return false;
	*name_r = arena_lower(r->arena, name);
	return true;
}

static bool read_d(struct reader *r, struct slice value)
{
	if (read_name(r, value, &r->sig->domain))
		return true;
	r->sig->flaw = value.len ? DKIM_FLAW_ODD_DOMAIN : DKIM_FLAW_NONE;
	return refuse(r, value.len ? "d= is not a domain name" : "d= is empty");
}

static bool read_s(struct reader *r, struct slice value)
{
	if (!read_name(r, value, &r->sig->selector)) {
		r->sig->flaw = value.len ? DKIM_FLAW_ODD_DOMAIN : DKIM_FLAW_NONE;
		return refuse(r, value.len ? "s= is not a domain name" : "s= is empty");
	}
	r->sig->query = arena_printf(r->arena, "%.*s._domainkey.%.*s", SLICE_ARG(r->sig->selector),
				     SLICE_ARG(r->sig->domain));
	return dns_name_ok(r->sig->query) || refuse(r, "the key's name is too long");
}

static bool read_v(struct reader *r, struct slice value)
{
	return slice_eq(value, SLICE("1")) || refuse(r, "v= is not 1");
}

static const struct {
	const char *name;
	enum dkim_key_type key_type;
	enum dkim_hash hash;
} algorithms[] = {
	{ "rsa-sha256", DKIM_RSA, DKIM_SHA256 },
	{ "ed25519-sha256", DKIM_ED25519, DKIM_SHA256 },
	{ "rsa-sha1", DKIM_RSA, DKIM_SHA1 },
};

static bool read_a(struct reader *r, struct slice value)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (!slice_eq_nocase(value, slice_str(algorithms[i].name)))
			continue;
		r->sig->key_type = algorithms[i].key_type;
		r->sig->hash = algorithms[i].hash;
		if (r->sig->hash != DKIM_SHA1 || r->policy->sha1)
			return true;
		r->sig->flaw = DKIM_FLAW_SHA1;
		return refuse(r, "rsa-sha1 is no longer accepted");
	}
	return refuse(r, value.len ? "a= names an unknown algorithm" : "a= is empty");
}

static bool read_i_identity(struct reader *r, struct slice value)
{
	struct slice decoded, name;
	if (!taglist_qp(r->arena, value, &decoded))
		return refuse(r, "i= is malformed");
	r->sig->identity = decoded;
	size_t at = slice_rchr(decoded, '@');
	if (at == SLICE_NPOS || !read_name(r, slice_from(decoded, at + 1), &name))
		return refuse(r, "i= has no domain");
	r->sig->identity = arena_printf(r->arena, "%.*s@%.*s", (int)at, decoded.data, SLICE_ARG(name));
	return dkim_identity_ok(r->sig, false) || refuse(r, "i= is not within d=");
}

static bool read_i_instance(struct reader *r, struct slice value)
{
	uint64_t instance = 0;
	if (!slice_u64(value, 50, &instance) || instance == 0)
		return refuse(r, "i= is not a number from 1 to 50");
	r->sig->instance = (unsigned)instance;
	return true;
}

static bool read_i(struct reader *r, struct slice value)
{
	return r->kind == DKIM_SIGNATURE ? read_i_identity(r, value) : read_i_instance(r, value);
}

static bool canon_of(struct slice word, enum dkim_canon *canon_r)
{
	*canon_r = slice_eq_nocase(word, SLICE("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
	return *canon_r == DKIM_RELAXED || slice_eq_nocase(word, SLICE("simple"));
}

static bool read_c(struct reader *r, struct slice value)
{
	size_t slash = slice_chr(value, '/');
	struct slice header = slash == SLICE_NPOS ? value : slice_head(value, slash);
	struct slice body = slash == SLICE_NPOS ? SLICE("simple") : slice_from(value, slash + 1);
	return (canon_of(header, &r->sig->header_canon) && canon_of(body, &r->sig->body_canon)) ||
	       refuse(r, "c= names an unknown canonicalisation");
}

static bool read_h(struct reader *r, struct slice value)
{
	r->sig->fields = value;
	if (r->kind == ARC_SEAL)
		return refuse(r, "a seal must not have h=");
	if (r->kind == ARC_MESSAGE_SIGNATURE)
		return !taglist_has(value, SLICE("arc-seal")) || refuse(r, "h= signs a seal");
	if (value.len == 0)
		return refuse(r, "h= is empty");
	return taglist_has(value, SLICE("from")) || refuse(r, "From is not signed");
}

static bool read_l(struct reader *r, struct slice value)
{
	r->sig->has_length = true;
	return slice_u64(value, INT64_MAX, &r->sig->length) || refuse(r, "l= is not a number");
}

/* Unknown methods are passed over (3.5 q=); "dns" is how drafts wrote it. */
static bool read_q(struct reader *r, struct slice value)
{
	return taglist_has(value, SLICE("dns/txt")) || taglist_has(value, SLICE("dns")) ||
	       refuse(r, "q= names no known query method");
}

static bool read_t(struct reader *r, struct slice value)
{
	if (!slice_u64(value, DKIM_TIME_MAX, &r->sig->signed_at))
		return refuse(r, "t= is not a time");
	if (r->kind == DKIM_SIGNATURE && (int64_t)r->sig->signed_at > r->policy->now + r->policy->drift)
		return refuse(r, "signed in the future");
	return true;
}

static bool read_x(struct reader *r, struct slice value)
{
	if (!slice_u64(value, DKIM_TIME_MAX, &r->sig->expires))
		return refuse(r, "x= is not a time");
	if (taglist_get(r->tags, "t") != NULL && r->sig->expires <= r->sig->signed_at)
		return refuse(r, "x= is not after t=");
	if (r->policy->now <= (int64_t)r->sig->expires)
		return true;
	r->sig->flaw = DKIM_FLAW_EXPIRED;
	return refuse(r, "signature expired");
}

static bool read_bh(struct reader *r, struct slice value)
{
	return taglist_base64(r->arena, value, &r->sig->body_hash) || refuse(r, "bh= is not base64");
}

static bool read_b(struct reader *r, struct slice value)
{
	return taglist_base64(r->arena, value, &r->sig->signature) || refuse(r, "b= is not base64");
}

static bool read_cv(struct reader *r, struct slice value)
{
	static const char *const words[] = {
		[ARC_CV_NONE] = "none", [ARC_CV_FAIL] = "fail", [ARC_CV_PASS] = "pass",
	};
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_eq_nocase(value, slice_str(words[i]))) {
			r->sig->cv = (enum arc_cv)i;
			return true;
		}
	return refuse(r, "cv= is not none, fail or pass");
}

#define D (1u << DKIM_SIGNATURE)
#define M (1u << ARC_MESSAGE_SIGNATURE)
#define S (1u << ARC_SEAL)

static const struct tag_rule {
	const char *name;
	unsigned read;           /* kinds that have this tag */
	unsigned required;
	bool (*reader)(struct reader *r, struct slice value);
	const char *missing;
} rules[] = {
	{ "d", D | M | S, D | M | S, read_d, "d= is missing" },
	{ "s", D | M | S, D | M | S, read_s, "s= is missing" },
	{ "v", D, D, read_v, "v= is missing" },
	{ "i", D | M | S, M | S, read_i, "i= is missing" },
	{ "a", D | M | S, D | M | S, read_a, "a= is missing" },
	{ "c", D | M, 0, read_c, NULL },
	{ "h", D | M | S, D | M, read_h, "h= is missing" },
	{ "l", D | M, 0, read_l, NULL },
	{ "q", D | M, 0, read_q, NULL },
	{ "cv", S, S, read_cv, "cv= is missing" },
	{ "bh", D | M, D | M, read_bh, "bh= is missing" },
	{ "b", D | M | S, D | M | S, read_b, "b= is missing" },
	{ "t", D | M | S, 0, read_t, NULL },
	{ "x", D | M, 0, read_x, NULL },
};

static struct slice raw_value(const struct taglist *tags, const char *name)
{
	const struct tag *tag = taglist_get(tags, name);
	return tag ? slice_head(tag->value, 2 * SHOWN_MAX) : SLICE_EMPTY;
}

/* For people, should the signature not come as far as its readers. */
static void fill_raw(struct arena *arena, const struct taglist *tags, enum dkim_kind kind,
		     struct dkim_signature *sig)
{
	sig->domain = arena_lower(arena, raw_value(tags, "d"));
	sig->selector = arena_lower(arena, raw_value(tags, "s"));
	sig->algorithm = arena_lower(arena, raw_value(tags, "a"));
	sig->b = slice_head(taglist_squeeze(arena, raw_value(tags, "b")), SHOWN_MAX);
	if (kind == DKIM_SIGNATURE && taglist_get(tags, "i") == NULL)
		sig->identity = arena_printf(arena, "@%.*s", SLICE_ARG(sig->domain));
	else if (kind == DKIM_SIGNATURE)
		sig->identity = arena_copy(arena, raw_value(tags, "i"));
}

static void read_tags(struct reader *r)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct tag *tag = taglist_get(r->tags, rules[i].name);
		unsigned kind = 1u << r->kind;
		bool lawful = r->policy->obsolete && rules[i].reader == read_v; /* to be missing */
		if (tag == NULL && (rules[i].required & kind) && !lawful) {
			refuse(r, rules[i].missing);
			return;
		}
		if (tag != NULL && (rules[i].read & kind) && !rules[i].reader(r, tag->value))
			return;
	}
}

void dkim_signature_parse(struct arena *arena, const struct header *header, enum dkim_kind kind,
			  const struct dkim_policy *policy, struct dkim_signature *sig_r)
{
	struct taglist tags;
	struct reader r = { .arena = arena, .policy = policy, .tags = &tags, .kind = kind, .sig = sig_r };
	*sig_r = (struct dkim_signature){ .header = header, .length = UINT64_MAX };
	if (kind == ARC_MESSAGE_SIGNATURE) /* without c= sealers mean what they all use, not DKIM's simple/simple */
		sig_r->header_canon = sig_r->body_canon = DKIM_RELAXED;
	enum taglist_error error = taglist_parse(header->value, &tags);
	fill_raw(arena, &tags, kind, sig_r);
	if (error != TAGLIST_OK) {
		sig_r->flaw = error == TAGLIST_BAD_VALUE ? DKIM_FLAW_ODD_DOMAIN : DKIM_FLAW_NONE;
		refuse(&r, taglist_error_text(error));
		return;
	}
	sig_r->draft = taglist_get(&tags, "v") == NULL;
	read_tags(&r);
	if (sig_r->result == AUTH_UNKNOWN && kind == DKIM_SIGNATURE && taglist_get(&tags, "i") == NULL)
		sig_r->identity = arena_printf(arena, "@%.*s", SLICE_ARG(sig_r->domain));
}

bool dkim_identity_ok(const struct dkim_signature *sig, bool strict)
{
	size_t at = slice_rchr(sig->identity, '@');
	struct slice domain = slice_from(sig->identity, at == SLICE_NPOS ? 0 : at + 1);
	if (slice_eq_nocase(domain, sig->domain))
		return true;
	return !strict && domain.len > sig->domain.len && slice_ends_nocase(domain, sig->domain) &&
	       domain.data[domain.len - sig->domain.len - 1] == '.';
}
