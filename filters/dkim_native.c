#include "filters/dkim_engine.h"
#include "filters/dkim_hash.h"

struct job {
	struct dkim_check *check;
	struct slice header_hash;
	size_t body;             /* number in bodies */
};

struct native {
	struct dkim_bodies *bodies;
	struct job *jobs;
	size_t count;
};

static void *begin(struct arena *arena, const struct message *message, struct dkim_check *checks, size_t count)
{
	struct native *n = arena_new(arena, struct native);
	struct field_index *index = NULL;
	n->bodies = dkim_bodies_new(arena);
	n->jobs = arena_array(arena, struct job, count ? count : 1);
	for (size_t i = 0; i < count; i++) {
		if (!checks[i].wanted)
			continue;
		if (index == NULL)
			index = field_index_new(arena, message);
		n->jobs[n->count++] = (struct job){
			.check = &checks[i],
			.header_hash = dkim_header_hash(arena, index, checks[i].sig),
			.body = dkim_bodies_want(n->bodies, checks[i].sig),
		};
	}
	return n;
}

static void body(void *engine, struct slice chunk)
{
	struct native *n = engine;
	dkim_bodies_add(n->bodies, chunk);
}

static enum dkim_verdict verify(const struct native *n, const struct job *job)
{
	struct dkim_check *c = job->check;
	c->body_length = dkim_bodies_total(n->bodies, job->body);
	if (c->sig->has_length && c->sig->length > c->body_length)
		return DKIM_LENGTH_TOO_LARGE;
	if (!slice_eq(dkim_bodies_hash(n->bodies, job->body), c->sig->body_hash))
		return DKIM_BODY_DIFFERS;
	for (size_t i = 0; i < c->keys.count; i++) {
		if (dkim_public_key_verify(c->keys.keys[i].key, c->sig->hash, job->header_hash,
					   c->sig->signature)) {
			c->key_used = i;
			return DKIM_VERIFIED;
		}
	}
	return DKIM_HEADER_DIFFERS;
}

static void finish(void *engine)
{
	struct native *n = engine;
	dkim_bodies_end(n->bodies);
	for (size_t i = 0; i < n->count; i++)
		if (n->jobs[i].check->keys.result == AUTH_UNKNOWN)
			n->jobs[i].check->verdict = verify(n, &n->jobs[i]);
}

const struct dkim_engine dkim_native = { .name = "native", .begin = begin, .body = body, .finish = finish };
