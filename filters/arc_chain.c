#include "filters/arc_chain.h"

#include "message/taglist.h"

static void fail(struct arena *arena, struct arc_chain *chain, unsigned instance, const char *what,
		 const char *why)
{
	if (chain->result == AUTH_FAIL)
		return; /* the first one counts */
	chain->result = AUTH_FAIL;
	chain->reason = instance == 0 ? arena_printf(arena, "%s%s", what, why) :
					arena_printf(arena, "i=%u: %s%s", instance, what, why);
}

/* White space and comments (CFWS, RFC 5322 3.2.2) at the front. */
static struct slice skip_cfws(struct slice s)
{
	size_t at = 0, depth = 0;
	for (; at < s.len && (depth > 0 || ascii_is_space(s.data[at]) || s.data[at] == '('); at++) {
		if (s.data[at] == '(')
			depth++;
		else if (s.data[at] == ')' && depth > 0)
			depth--;
		else if (s.data[at] == '\\')
			at++;
	}
	return slice_from(s, at < s.len ? at : s.len);
}

/* "i=N;" at the front of an ARC-Authentication-Results (4.1.1). 0: it isn't
 * there. */
static unsigned results_instance(struct slice value, struct slice *authres_r)
{
	struct slice s = skip_cfws(value);
	uint64_t instance = 0;
	size_t digits = 0;
	if (!slice_starts_nocase(s, SLICE("i")))
		return 0;
	s = skip_cfws(slice_from(s, 1));
	if (!slice_starts(s, SLICE("=")))
		return 0;
	s = skip_cfws(slice_from(s, 1));
	while (digits < s.len && ascii_is_digit(s.data[digits]))
		digits++;
	if (!slice_u64(slice_head(s, digits), ARC_INSTANCES_MAX, &instance))
		return 0;
	s = skip_cfws(slice_from(s, digits));
	if (!slice_starts(s, SLICE(";")))
		return 0;
	*authres_r = slice_from(s, 1);
	return (unsigned)instance;
}

static unsigned tag_instance(struct slice value)
{
	struct taglist tags;
	uint64_t instance = 0;
	const struct tag *tag;
	if (taglist_parse(value, &tags) != TAGLIST_OK || (tag = taglist_get(&tags, "i")) == NULL ||
	    !slice_u64(tag->value, ARC_INSTANCES_MAX, &instance))
		return 0;
	return (unsigned)instance;
}

enum part { PART_RESULTS, PART_MESSAGE_SIGNATURE, PART_SEAL, PARTS };

static const struct slice part_names[] = {
	[PART_RESULTS] = SLICE("arc-authentication-results"),
	[PART_MESSAGE_SIGNATURE] = SLICE("arc-message-signature"),
	[PART_SEAL] = SLICE("arc-seal"),
};

static const struct header **slot_of(struct arc_set *set, enum part part)
{
	return part == PART_SEAL ? &set->seal :
	       part == PART_RESULTS ? &set->results : &set->message_signature;
}

static void take_field(struct arena *arena, struct arc_chain *chain, enum part part, const struct header *h)
{
	struct slice authres = SLICE_EMPTY;
	unsigned instance = part == PART_RESULTS ? results_instance(h->value, &authres) : tag_instance(h->value);
	if (instance == 0) {
		fail(arena, chain, 0, part_names[part].data, ": malformed, or i= is not from 1 to 50");
		return;
	}
	struct arc_set *set = &chain->sets[instance - 1];
	const struct header **slot = slot_of(set, part);
	if (*slot != NULL) {
		fail(arena, chain, instance, part_names[part].data, " comes twice");
		return;
	}
	*slot = h;
	if (part == PART_RESULTS)
		set->authres = arena_copy(arena, authres);
	if (instance > chain->count)
		chain->count = instance;
}

static void collect(struct arena *arena, struct arc_chain *chain, const struct message *message)
{
	for (size_t i = 0; i < message->header_count; i++)
		for (enum part part = 0; part < PARTS; part++)
			if (slice_eq_nocase(message->headers[i].name, part_names[part])) {
				if (chain->result == AUTH_NONE) {
					chain->result = AUTH_UNKNOWN;
					chain->sets = arena_array(arena, struct arc_set, ARC_INSTANCES_MAX);
				}
				take_field(arena, chain, part, &message->headers[i]);
			}
}

static void check_complete(struct arena *arena, struct arc_chain *chain)
{
	for (unsigned i = 1; i <= chain->count; i++)
		for (enum part part = 0; part < PARTS; part++)
			if (*slot_of(&chain->sets[i - 1], part) == NULL)
				fail(arena, chain, i, part_names[part].data, " is missing");
}

/* 5.2 steps 2 and 3: the newest says whether the chain failed before; the
 * first says none, all others pass. */
static void check_cv(struct arena *arena, struct arc_chain *chain)
{
	if (chain->sets[chain->count - 1].as.cv == ARC_CV_FAIL)
		fail(arena, chain, chain->count, "sealed as failed", "");
	for (unsigned i = chain->count; i >= 1; i--)
		if (chain->sets[i - 1].as.cv != (i == 1 ? ARC_CV_NONE : ARC_CV_PASS))
			fail(arena, chain, i, "cv= is not ", i == 1 ? "none" : "pass");
}

static void read_signatures(struct arena *arena, struct arc_chain *chain, const struct dkim_policy *policy)
{
	for (unsigned i = 1; i <= chain->count; i++) {
		struct arc_set *set = &chain->sets[i - 1];
		dkim_signature_parse(arena, set->message_signature, ARC_MESSAGE_SIGNATURE, policy, &set->ams);
		dkim_signature_parse(arena, set->seal, ARC_SEAL, policy, &set->as);
		if (set->as.result != AUTH_UNKNOWN)
			fail(arena, chain, i, "seal: ", set->as.reason);
		if (set->ams.result != AUTH_UNKNOWN && i == chain->count)
			fail(arena, chain, i, "message signature: ", set->ams.reason);
	}
}

/* 5.1.1: each seal signs all sets up to its own, in order, itself last. */
static void hash_seals(struct arena *arena, struct arc_chain *chain)
{
	struct dkim_digest *running = dkim_digest_new(arena, DKIM_SHA256);
	struct buf text = { 0 };
	for (unsigned i = 0; i < chain->count; i++) {
		struct arc_set *set = &chain->sets[i];
		buf_clear(&text);
		dkim_canon_header(&text, set->results->field, DKIM_RELAXED);
		dkim_canon_header(&text, set->message_signature->field, DKIM_RELAXED);
		dkim_digest_add(running, buf_slice(&text));
		struct dkim_digest *own = dkim_digest_copy(arena, running);
		buf_clear(&text);
		dkim_canon_signature(&text, set->seal->field, DKIM_RELAXED);
		dkim_digest_add(own, buf_slice(&text));
		set->as_hash = dkim_digest_end(own);
		buf_clear(&text);
		dkim_canon_header(&text, set->seal->field, DKIM_RELAXED);
		dkim_digest_add(running, buf_slice(&text));
	}
	buf_free(&text);
}

static void hash_messages(struct arena *arena, struct arc_chain *chain, const struct message *message)
{
	struct field_index *index = field_index_new(arena, message);
	chain->bodies = dkim_bodies_new(arena);
	for (unsigned i = 0; i < chain->count; i++) {
		struct arc_set *set = &chain->sets[i];
		if (set->ams.result != AUTH_UNKNOWN)
			continue;
		set->ams_hash = dkim_header_hash(arena, index, &set->ams);
		set->body = dkim_bodies_want(chain->bodies, &set->ams);
	}
}

struct arc_chain *arc_chain_read(struct arena *arena, const struct message *message,
				 const struct dkim_policy *policy)
{
	struct arc_chain *chain = arena_new(arena, struct arc_chain);
	chain->result = AUTH_NONE;
	collect(arena, chain, message);
	if (chain->result == AUTH_UNKNOWN && message->head_cut)
		fail(arena, chain, 0, "too many header fields", "");
	if (chain->result == AUTH_UNKNOWN)
		check_complete(arena, chain);
	if (chain->result == AUTH_UNKNOWN)
		read_signatures(arena, chain, policy);
	if (chain->result == AUTH_UNKNOWN)
		check_cv(arena, chain);
	if (chain->result == AUTH_UNKNOWN) {
		hash_seals(arena, chain);
		hash_messages(arena, chain, message);
	}
	return chain;
}

static bool verifies(const struct dkim_keys *keys, const struct dkim_signature *sig, struct slice hash)
{
	for (size_t i = 0; i < keys->count; i++)
		if (dkim_public_key_verify(keys->keys[i].key, sig->hash, hash, sig->signature))
			return true;
	return false;
}

/* NULL: it holds. */
static const char *message_signature_flaw(const struct arc_chain *chain, const struct arc_set *set)
{
	if (set->ams.result != AUTH_UNKNOWN)
		return set->ams.reason;
	if (!set->ams_has_keys)
		return "no key was asked for";
	if (set->ams_keys.result != AUTH_UNKNOWN)
		return set->ams_keys.reason;
	if (set->ams.has_length && set->ams.length > dkim_bodies_total(chain->bodies, set->body))
		return "l= is larger than the body";
	if (!slice_eq(dkim_bodies_hash(chain->bodies, set->body), set->ams.body_hash))
		return "body hash did not verify";
	return verifies(&set->ams_keys, &set->ams, set->ams_hash) ? NULL : "signature did not verify";
}

static const char *seal_flaw(const struct arc_set *set)
{
	if (set->as_keys.result != AUTH_UNKNOWN)
		return set->as_keys.reason;
	return verifies(&set->as_keys, &set->as, set->as_hash) ? NULL : "signature did not verify";
}

/* 5.2 step 5. */
static unsigned find_oldest_pass(const struct arc_chain *chain)
{
	unsigned i = chain->count - 1;
	while (i >= 1 && message_signature_flaw(chain, &chain->sets[i - 1]) == NULL)
		i--;
	return i == 0 ? 0 : i + 1;
}

void arc_chain_verify(struct arena *arena, struct arc_chain *chain)
{
	if (chain->result != AUTH_UNKNOWN)
		return;
	dkim_bodies_end(chain->bodies);
	const struct arc_set *newest = &chain->sets[chain->count - 1];
	const char *flaw = message_signature_flaw(chain, newest);
	if (flaw != NULL) {
		chain->temporary = newest->ams_keys.result == AUTH_TEMPERROR;
		fail(arena, chain, chain->count, "message signature: ", flaw);
		return;
	}
	for (unsigned i = chain->count; i >= 1; i--) {
		flaw = seal_flaw(&chain->sets[i - 1]);
		if (flaw != NULL) {
			chain->temporary = chain->sets[i - 1].as_keys.result == AUTH_TEMPERROR;
			fail(arena, chain, i, "seal: ", flaw);
			return;
		}
	}
	chain->oldest_pass = find_oldest_pass(chain);
	chain->result = AUTH_PASS;
}
