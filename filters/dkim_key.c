#include "filters/dkim_key.h"

#include "message/taglist.h"

#define RECORDS_MAX 16 /* looked at */

/* A record that is no key for this signature: why. */
struct refusal_of_key {
	enum auth_result result;
	const char *reason;
	enum dkim_flaw flaw;
	unsigned bits;
	bool testing;
};

static struct refusal_of_key permanent(const char *reason)
{
	return (struct refusal_of_key){ .result = AUTH_PERMERROR, .reason = reason };
}

static struct slice value_of(const struct taglist *tags, const char *name, struct slice fallback)
{
	const struct tag *tag = taglist_get(tags, name);
	return tag ? tag->value : fallback;
}

static const char *hash_name(enum dkim_hash hash)
{
	return hash == DKIM_SHA1 ? "sha1" : "sha256";
}

static const char *type_name(enum dkim_key_type type)
{
	return type == DKIM_RSA ? "rsa" : "ed25519";
}

/* g= of RFC 4871 3.6.1, with one "*" at most: the local part of i= is meant. */
static bool is_granted(struct slice granularity, const struct dkim_signature *sig)
{
	size_t at = slice_rchr(sig->identity, '@'), star = slice_chr(granularity, '*');
	struct slice local = slice_head(sig->identity, at == SLICE_NPOS ? 0 : at);
	if (granularity.len == 0 || star == SLICE_NPOS)
		return granularity.len > 0 && slice_eq(granularity, local);
	struct slice before = slice_head(granularity, star), behind = slice_from(granularity, star + 1);
	return local.len >= before.len + behind.len && slice_starts(local, before) && slice_ends(local, behind);
}

/* NULL: the record's tags allow its use for this signature. */
static const char *unfit(const struct taglist *tags, const struct dkim_signature *sig,
			 const struct dkim_policy *policy)
{
	const struct tag *h = taglist_get(tags, "h");
	if (!slice_eq(value_of(tags, "v", SLICE("DKIM1")), SLICE("DKIM1")))
		return "key of an unknown version";
	if (!slice_eq_nocase(value_of(tags, "k", SLICE("rsa")), slice_str(type_name(sig->key_type))))
		return "key of another type than a=";
	if (h != NULL && !taglist_has(h->value, slice_str(hash_name(sig->hash))))
		return "key not for this hash (h=)";
	struct slice services = value_of(tags, "s", SLICE("*"));
	if (!taglist_has(services, SLICE("*")) && !taglist_has(services, SLICE("email")))
		return "key not for mail (s=)";
	if (taglist_has(value_of(tags, "t", SLICE_EMPTY), SLICE("s")) && sig->instance == 0 &&
	    !dkim_identity_ok(sig, true))
		return "i= is a subdomain, which the key forbids (t=s)";
	if (policy->obsolete && sig->instance == 0 && !is_granted(value_of(tags, "g", SLICE("*")), sig))
		return "key not for this local part (g=)";
	return NULL;
}

static bool key_from_p(struct arena *arena, const struct taglist *tags, const struct dkim_signature *sig,
		       const struct dkim_policy *policy, struct dkim_key *key_r, struct refusal_of_key *why_r)
{
	const struct tag *p = taglist_get(tags, "p");
	struct slice der;
	if (p == NULL || (p->value.len > 0 && !taglist_base64(arena, p->value, &der))) {
		*why_r = permanent(p ? "key is not base64" : "key record without p=");
		return false;
	}
	if (p->value.len == 0) {
		*why_r = permanent("key revoked");
		why_r->flaw = DKIM_FLAW_REVOKED;
		return false;
	}
	key_r->key = dkim_public_key_new(arena, sig->key_type, der);
	if (key_r->key == NULL) {
		*why_r = permanent("key is unusable");
		return false;
	}
	key_r->bits = dkim_public_key_bits(key_r->key);
	if (sig->key_type == DKIM_RSA && key_r->bits < policy->min_key_bits) {
		*why_r = (struct refusal_of_key){ .result = AUTH_POLICY, .reason = "key too short",
						  .flaw = DKIM_FLAW_WEAK_KEY, .bits = key_r->bits };
		return false;
	}
	return true;
}

static bool read_record(struct arena *arena, struct slice record, const struct dkim_signature *sig,
			const struct dkim_policy *policy, struct dkim_key *key_r, struct refusal_of_key *why_r)
{
	struct taglist tags;
	const char *problem;
	*key_r = (struct dkim_key){ 0 };
	if (taglist_parse(record, &tags) != TAGLIST_OK) {
		*why_r = permanent("key record is malformed");
		return false;
	}
	key_r->testing = taglist_has(value_of(&tags, "t", SLICE_EMPTY), SLICE("y"));
	problem = unfit(&tags, sig, policy);
	if (problem != NULL)
		*why_r = permanent(problem);
	bool ok = problem == NULL && key_from_p(arena, &tags, sig, policy, key_r, why_r);
	if (!ok)
		why_r->testing = key_r->testing;
	return ok;
}

static void take_refusal(struct dkim_keys *keys, const struct refusal_of_key *why)
{
	if (keys->result != AUTH_UNKNOWN)
		return;
	keys->result = why->result;
	keys->reason = why->reason;
	keys->flaw = why->flaw;
	keys->bits = why->bits;
	keys->testing = why->testing;
}

static void read_records(struct arena *arena, const struct answer *answer, const struct dkim_signature *sig,
			 const struct dkim_policy *policy, struct dkim_keys *keys)
{
	for (size_t i = 0; i < answer->count && i < RECORDS_MAX && keys->count < DKIM_KEYS_MAX; i++) {
		struct slice record = dns_txt(arena, answer->records[i]);
		struct refusal_of_key why;
		struct dkim_key *key = &keys->keys[keys->count];
		if (!read_record(arena, record, sig, policy, key, &why)) {
			take_refusal(keys, &why);
			continue;
		}
		if (keys->count++ == 0)
			keys->record = record;
	}
}

void dkim_keys_find(struct arena *arena, const struct answer *answer, const struct dkim_signature *sig,
		    const struct dkim_policy *policy, struct dkim_keys *keys_r)
{
	*keys_r = (struct dkim_keys){ .result = AUTH_UNKNOWN };
	if (answer->status == ANSWER_TEMPERROR) {
		keys_r->result = AUTH_TEMPERROR;
		keys_r->reason = "key look-up failed for now";
		return;
	}
	if (answer->status == ANSWER_FOUND)
		read_records(arena, answer, sig, policy, keys_r);
	if (keys_r->count > 0) {
		keys_r->result = AUTH_UNKNOWN;
		keys_r->reason = NULL;
		keys_r->flaw = DKIM_FLAW_NONE;
		keys_r->bits = keys_r->keys[0].bits;
		keys_r->testing = keys_r->keys[0].testing;
	} else if (keys_r->result == AUTH_UNKNOWN) {
		take_refusal(keys_r, &(struct refusal_of_key){ .result = AUTH_PERMERROR,
							       .reason = "no key for the signature" });
	}
}
