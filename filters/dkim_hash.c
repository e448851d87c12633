#include "filters/dkim_hash.h"

#include "message/taglist.h"

#define NO_FIELD UINT32_MAX

/* A field name that occurs: its lowest field not yet taken, and for each
 * field the next one above of the same name. */
struct name_slot {
	struct slice name;
	uint32_t lowest, next_free;
	uint32_t round;          /* of the h= list that next_free belongs to */
};

struct field_index {
	const struct header *headers;
	uint32_t *above;
	struct name_slot *slots; /* open addressing */
	size_t mask;
	uint32_t round;
};

static struct name_slot *find_slot(const struct field_index *index, struct slice name)
{
	size_t at = slice_hash_nocase(name) & index->mask;
	while (index->slots[at].name.len > 0 && !slice_eq_nocase(index->slots[at].name, name))
		at = (at + 1) & index->mask;
	return &index->slots[at];
}

struct field_index *field_index_new(struct arena *arena, const struct message *message)
{
	struct field_index *index = arena_new(arena, struct field_index);
	size_t size = 16;
	while (size < 2 * message->header_count + 1)
		size *= 2;
	index->headers = message->headers;
	index->slots = arena_array(arena, struct name_slot, size);
	index->above = arena_array(arena, uint32_t, message->header_count + 1);
	index->mask = size - 1;
	for (uint32_t i = 0; i < message->header_count; i++) {
		const struct header *h = &message->headers[i];
		if (h->broken || h->name.len == 0)
			continue;
		struct name_slot *slot = find_slot(index, h->name);
		index->above[i] = slot->name.len > 0 ? slot->lowest : NO_FIELD;
		slot->name = h->name;
		slot->lowest = i;
	}
	return index;
}

/* The lowest field of that name that this h= list has not taken; NULL: none
 * left. */
static const struct header *take_field(struct field_index *index, struct slice name)
{
	struct name_slot *slot = find_slot(index, name);
	if (name.len == 0 || slot->name.len == 0)
		return NULL;
	if (slot->round != index->round) {
		slot->round = index->round;
		slot->next_free = slot->lowest;
	}
	if (slot->next_free == NO_FIELD)
		return NULL;
	const struct header *h = &index->headers[slot->next_free];
	slot->next_free = index->above[slot->next_free];
	return h;
}

struct slice dkim_header_hash(struct arena *arena, struct field_index *index, const struct dkim_signature *sig)
{
	struct buf canonical = { 0 };
	struct slice rest = sig->fields, name;
	unsigned char out[DKIM_DIGEST_MAX];
	index->round++;
	while (taglist_split(&rest, &name)) {
		const struct header *h = take_field(index, name);
		if (h != NULL)
			dkim_canon_header(&canonical, h->field, sig->header_canon);
	}
	dkim_canon_signature(&canonical, sig->header->field, sig->header_canon);
	struct slice hash = arena_copy(arena, dkim_digest_of(sig->hash, buf_slice(&canonical), out));
	buf_free(&canonical);
	return hash;
}

#define GATHERED 1024 /* octets put together for one call of the digest */

struct wanted {
	struct dkim_body body;
	enum dkim_hash hash;
	struct dkim_digest *digest;
	char gathered[GATHERED];
	size_t gathered_len;
	struct slice result;
	struct wanted *next;
};

struct dkim_bodies {
	struct arena *arena;
	struct wanted *first, **end;
	size_t count;
	bool ended;
};

struct dkim_bodies *dkim_bodies_new(struct arena *arena)
{
	struct dkim_bodies *bodies = arena_new(arena, struct dkim_bodies);
	bodies->arena = arena;
	bodies->end = &bodies->first;
	return bodies;
}

static void flush(struct wanted *w)
{
	dkim_digest_add(w->digest, slice_make(w->gathered, w->gathered_len));
	w->gathered_len = 0;
}

/* Canonical bytes come in pieces of a line or a line end. */
static void into_digest(void *arg, struct slice bytes)
{
	struct wanted *w = arg;
	if (bytes.len > GATHERED - w->gathered_len)
		flush(w);
	if (bytes.len > GATHERED) {
		dkim_digest_add(w->digest, bytes);
		return;
	}
	memcpy(w->gathered + w->gathered_len, bytes.data, bytes.len);
	w->gathered_len += bytes.len;
}

static struct wanted *wanted_at(const struct dkim_bodies *bodies, size_t number)
{
	struct wanted *w = bodies->first;
	while (number-- > 0)
		w = w->next;
	return w;
}

size_t dkim_bodies_want(struct dkim_bodies *bodies, const struct dkim_signature *sig)
{
	size_t number = 0;
	for (const struct wanted *w = bodies->first; w != NULL; w = w->next, number++)
		if (w->body.canon == sig->body_canon && w->hash == sig->hash && w->body.limit == sig->length)
			return number;
	struct wanted *w = arena_new(bodies->arena, struct wanted);
	w->hash = sig->hash;
	w->digest = dkim_digest_new(bodies->arena, sig->hash);
	dkim_body_init(&w->body, sig->body_canon, sig->length, into_digest, w);
	*bodies->end = w;
	bodies->end = &w->next;
	return bodies->count++;
}

void dkim_bodies_add(struct dkim_bodies *bodies, struct slice chunk)
{
	for (struct wanted *w = bodies->first; w != NULL; w = w->next)
		dkim_body_add(&w->body, chunk);
}

void dkim_bodies_end(struct dkim_bodies *bodies)
{
	for (struct wanted *w = bodies->ended ? NULL : bodies->first; w != NULL; w = w->next) {
		dkim_body_end(&w->body);
		flush(w);
		w->result = dkim_digest_end(w->digest);
	}
	bodies->ended = true;
}

struct slice dkim_bodies_hash(const struct dkim_bodies *bodies, size_t number)
{
	return wanted_at(bodies, number)->result;
}

uint64_t dkim_bodies_total(const struct dkim_bodies *bodies, size_t number)
{
	return wanted_at(bodies, number)->body.total;
}
