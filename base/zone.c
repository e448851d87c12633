/*
 * A hash table of owner names. Each name's ancestors are entered with it, so
 * "does it exist?" and the closest encloser (RFC 4592 2.2.1) are look-ups.
 */
#include "base/zone.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/wire_name.h"

#define FIRST_BUCKETS 256u
#define CHAIN_MAX 16 /* CNAMEs followed; libunbound follows 11 */

struct rrset {
	struct rrset *next;
	uint16_t type;
	enum zone_fault fault;
	uint32_t ttl; /* the smallest */
	size_t count, cap;
	struct slice *records;
};

struct node {
	struct node *same_bucket;
	struct slice name; /* wire form, lower case */
	uint64_t hash;
	struct rrset *sets;
	enum zone_fault fault;
	bool rooted; /* its ancestors are here */
};

struct zone {
	struct arena *arena;
	struct node **buckets;
	size_t bucket_count; /* a power of two */
	size_t nodes, records;
};

struct zone *zone_create(void)
{
	struct zone *zone = xcalloc(1, sizeof(*zone));
	zone->arena = arena_create();
	zone->bucket_count = FIRST_BUCKETS;
	zone->buckets = xcalloc(FIRST_BUCKETS, sizeof(struct node *));
	return zone;
}

void zone_destroy(struct zone **zone)
{
	if (*zone == NULL)
		return;
	arena_destroy(&(*zone)->arena);
	free((*zone)->buckets);
	free(*zone);
	*zone = NULL;
}

size_t zone_records(const struct zone *zone)
{
	return zone->records;
}

static struct node *find(const struct zone *zone, struct slice name)
{
	uint64_t hash = slice_hash(name);
	struct node *n = zone->buckets[hash & (zone->bucket_count - 1)];
	while (n != NULL && (n->hash != hash || !slice_eq(n->name, name)))
		n = n->same_bucket;
	return n;
}

static void grow(struct zone *zone)
{
	size_t count = zone->bucket_count * 2;
	struct node **buckets = xcalloc(count, sizeof(struct node *));
	for (size_t i = 0; i < zone->bucket_count; i++) {
		struct node *next;
		for (struct node *n = zone->buckets[i]; n != NULL; n = next) {
			next = n->same_bucket;
			n->same_bucket = buckets[n->hash & (count - 1)];
			buckets[n->hash & (count - 1)] = n;
		}
	}
	free(zone->buckets);
	zone->buckets = buckets;
	zone->bucket_count = count;
}

static struct node *add_node(struct zone *zone, struct slice name)
{
	if (zone->nodes >= zone->bucket_count)
		grow(zone);
	struct node *n = arena_new(zone->arena, struct node);
	n->name = arena_copy(zone->arena, name);
	n->hash = slice_hash(name);
	struct node **bucket = &zone->buckets[n->hash & (zone->bucket_count - 1)];
	n->same_bucket = *bucket;
	*bucket = n;
	zone->nodes++;
	return n;
}

static struct node *intern_lower(struct zone *zone, struct slice name)
{
	struct node *node = find(zone, name);
	return node != NULL ? node : add_node(zone, name);
}

/* The name's node; made, with those of its ancestors if wanted, if it isn't there. */
static struct node *intern(struct zone *zone, struct slice name, bool with_ancestors)
{
	uint8_t lower[WIRE_NAME_MAX];
	memcpy(lower, name.data, name.len);
	wire_name_lower(lower, name.len);
	name = slice_make(lower, name.len);
	struct node *node = intern_lower(zone, name);
	for (struct node *n = node; with_ancestors && !n->rooted;) {
		n->rooted = true;
		name = wire_name_parent(name);
		if (name.len > 0)
			n = intern_lower(zone, name);
	}
	return node;
}

static struct rrset *find_set(const struct node *node, uint16_t type)
{
	struct rrset *set = node->sets;
	while (set != NULL && set->type != type)
		set = set->next;
	return set;
}

static struct rrset *intern_set(struct zone *zone, struct node *node, uint16_t type)
{
	struct rrset *set = find_set(node, type);
	if (set != NULL)
		return set;
	set = arena_new(zone->arena, struct rrset);
	set->type = type;
	set->ttl = UINT32_MAX;
	set->next = node->sets;
	node->sets = set;
	return set;
}

void zone_add(struct zone *zone, struct slice name, uint16_t type, uint32_t ttl, struct slice rdata)
{
	struct rrset *set = intern_set(zone, intern(zone, name, true), type);
	if (set->count == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 1;
		struct slice *records = arena_array(zone->arena, struct slice, cap);
		if (set->count > 0)
			memcpy(records, set->records, set->count * sizeof(*records));
		set->records = records;
		set->cap = cap;
	}
	set->records[set->count++] = arena_copy(zone->arena, rdata);
	if (ttl < set->ttl)
		set->ttl = ttl;
	zone->records++;
}

void zone_add_name(struct zone *zone, struct slice name)
{
	intern(zone, name, true);
}

void zone_add_fault(struct zone *zone, struct slice name, uint16_t type, enum zone_fault fault)
{
	/* What doesn't exist doesn't make its parent exist. */
	struct node *node = intern(zone, name, fault != ZONE_NXDOMAIN);
	if (type == 0)
		node->fault = fault;
	else
		intern_set(zone, node, type)->fault = fault;
}

/* RFC 4592 3.3.1: the wildcard below the closest encloser, or NULL. */
static const struct node *find_wildcard(const struct zone *zone, struct slice name)
{
	uint8_t wildcard[WIRE_NAME_MAX + 2] = { 1, '*' };
	for (name = wire_name_parent(name); name.len > 0; name = wire_name_parent(name)) {
		if (find(zone, name) == NULL)
			continue;
		memcpy(wildcard + 2, name.data, name.len);
		return find(zone, slice_make(wildcard, name.len + 2));
	}
	return NULL;
}

static struct answer fault_answer(enum zone_fault fault)
{
	static const struct answer answers[] = {
		[ZONE_SERVFAIL] = { .status = ANSWER_TEMPERROR, .why = "SERVFAIL" },
		[ZONE_TIMEOUT] = { .status = ANSWER_TEMPERROR, .why = "timeout" },
		[ZONE_NXDOMAIN] = { .status = ANSWER_NXDOMAIN },
	};
	return answers[fault];
}

/* One step of the chain. False: *name_r is where a CNAME leads. */
static bool lookup_step(const struct zone *zone, struct slice name, uint16_t type, uint32_t *ttl,
			struct answer *answer_r, struct slice *target_r)
{
	const struct node *node = find(zone, name);
	if (node == NULL)
		node = find_wildcard(zone, name);
	if (node == NULL) {
		*answer_r = fault_answer(ZONE_NXDOMAIN);
		return true;
	}
	const struct rrset *set = find_set(node, type);
	const struct rrset *alias = find_set(node, DNS_CNAME);
	enum zone_fault fault = set != NULL ? set->fault : alias != NULL ? alias->fault : node->fault;
	if (fault != ZONE_NO_FAULT) {
		*answer_r = fault_answer(fault);
		return true;
	}
	if (set == NULL && alias != NULL) {
		*target_r = alias->records[0];
		*ttl = alias->ttl < *ttl ? alias->ttl : *ttl;
		return false;
	}
	*answer_r = (struct answer){ .status = ANSWER_NODATA };
	if (set != NULL)
		*answer_r = (struct answer){ .status = ANSWER_FOUND, .count = set->count,
					     .records = set->records,
					     .ttl = set->ttl < *ttl ? set->ttl : *ttl };
	return true;
}

struct answer zone_lookup(const struct zone *zone, struct slice name, uint16_t type)
{
	uint8_t wire[WIRE_NAME_MAX];
	uint32_t ttl = UINT32_MAX;
	struct answer answer;
	struct slice at = slice_make(wire, wire_name_from_text(name, SLICE_EMPTY, wire));
	if (at.len == 0)
		return fault_answer(ZONE_NXDOMAIN);
	for (int i = 0; i <= CHAIN_MAX; i++) {
		struct slice target;
		wire_name_lower(wire, at.len);
		if (lookup_step(zone, at, type, &ttl, &answer, &target))
			return answer;
		at.len = wire_name_len(target);
		if (at.len == 0)
			break;
		memcpy(wire, target.data, at.len);
	}
	return fault_answer(ZONE_SERVFAIL);
}
