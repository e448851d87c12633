#include "message/question.h"

#include <arpa/inet.h>
#include <stdio.h>

#define INITIAL_CAP 16u
#define BUCKETS 64u /* a power of two */
#define NAME_MAX_OCTETS 253u /* text form without the final dot, RFC 1035 3.1 */
#define LABEL_MAX 63u

struct entry {
	struct question q;
	uint64_t hash;
	struct entry *same_bucket;
};

struct questions {
	struct arena *arena;
	const char *asker;
	struct entry **list; /* by index */
	size_t count, cap;
	size_t taken; /* all before it are sent */
	size_t pending;
	struct entry *buckets[BUCKETS];
};

struct questions *questions_create(struct arena *arena)
{
	struct questions *qs = arena_new(arena, struct questions);
	qs->arena = arena;
	qs->asker = "";
	return qs;
}

void questions_asker(struct questions *qs, const char *asker)
{
	qs->asker = asker;
}

static struct entry *add(struct questions *qs, enum question_kind kind, enum phase needed, uint64_t hash)
{
	if (qs->count == qs->cap) {
		size_t cap = qs->cap ? qs->cap * 2 : INITIAL_CAP;
		struct entry **list = arena_array(qs->arena, struct entry *, cap);
		if (qs->count > 0)
			memcpy(list, qs->list, qs->count * sizeof(*list));
		qs->list = list;
		qs->cap = cap;
	}
	struct entry *e = arena_new(qs->arena, struct entry);
	e->q.kind = kind;
	e->q.needed = needed;
	e->q.asker = qs->asker;
	e->q.index = (uint32_t)qs->count;
	e->hash = hash;
	e->same_bucket = qs->buckets[hash % BUCKETS];
	qs->buckets[hash % BUCKETS] = e;
	qs->list[qs->count++] = e;
	qs->pending++;
	return e;
}

static const struct answer impossible_name = { .status = ANSWER_NXDOMAIN };

/* The octets of the label at s, an escape counting one; *used_r is its text. */
static size_t label_octets(struct slice s, size_t *used_r)
{
	size_t octets = 0, i = 0;
	while (i < s.len && s.data[i] != '.') {
		if (s.data[i] == '\\' && i + 3 < s.len && ascii_is_digit(s.data[i + 1]))
			i += 4;
		else if (s.data[i] == '\\')
			i += 2;
		else
			i++;
		octets++;
	}
	*used_r = i < s.len ? i : s.len;
	return octets;
}

static struct slice without_dot(struct slice name)
{
	bool escaped = name.len >= 2 && name.data[name.len - 2] == '\\';
	if (name.len > 0 && name.data[name.len - 1] == '.' && !escaped)
		name.len--;
	return name;
}

bool dns_name_ok(struct slice name)
{
	size_t total = 0;
	name = without_dot(name);
	if (name.len == 0)
		return false;
	for (;;) {
		size_t used, octets = label_octets(name, &used);
		if (octets == 0 || octets > LABEL_MAX)
			return false;
		total += octets + 1;
		if (used >= name.len)
			break;
		name = slice_from(name, used + 1);
		if (name.len == 0)
			return false;
	}
	return total - 1 <= NAME_MAX_OCTETS;
}

const struct answer *ask_dns(struct questions *qs, struct slice name, enum dns_type type, enum phase needed)
{
	name = without_dot(name);
	if (!dns_name_ok(name))
		return &impossible_name;
	uint64_t hash = slice_hash_nocase(name) * 31 + (uint64_t)type;
	for (struct entry *e = qs->buckets[hash % BUCKETS]; e != NULL; e = e->same_bucket)
		if (e->hash == hash && e->q.kind == QUESTION_DNS && e->q.type == type &&
		    slice_eq_nocase(e->q.name, name)) {
			if (needed < e->q.needed)
				e->q.needed = needed;
			return e->q.answer;
		}
	struct entry *e = add(qs, QUESTION_DNS, needed, hash);
	e->q.name = arena_lower(qs->arena, name);
	e->q.type = (uint16_t)type;
	return NULL;
}

const struct answer *ask_store(struct questions *qs, const struct store_request *request, enum phase needed)
{
	uint64_t hash = slice_hash(request->key) * 31 + (uint64_t)request->op;
	for (struct entry *e = qs->buckets[hash % BUCKETS]; e != NULL; e = e->same_bucket)
		if (e->hash == hash && e->q.kind == QUESTION_STORE && e->q.store.op == request->op &&
		    e->q.asker == qs->asker && slice_eq(e->q.name, request->key))
			return e->q.answer;
	struct entry *e = add(qs, QUESTION_STORE, needed, hash);
	e->q.store = *request;
	e->q.store.key = e->q.name = arena_copy(qs->arena, request->key);
	e->q.store.value = arena_copy(qs->arena, request->value);
	return NULL;
}

const struct answer *ask_job(struct questions *qs, void (*run)(void *), void *arg, enum phase needed)
{
	uint64_t hash = (uint64_t)(uintptr_t)arg * 31 + QUESTION_JOB;
	for (struct entry *e = qs->buckets[hash % BUCKETS]; e != NULL; e = e->same_bucket)
		if (e->q.kind == QUESTION_JOB && e->q.job.run == run && e->q.job.arg == arg &&
		    e->q.asker == qs->asker)
			return e->q.answer;
	struct entry *e = add(qs, QUESTION_JOB, needed, hash);
	e->q.job = (struct job_request){ run, arg };
	return NULL;
}

const struct answer *ask_scanner(struct questions *qs, struct slice content, enum phase needed)
{
	const uint64_t hash = QUESTION_SCANNER;
	for (struct entry *e = qs->buckets[hash % BUCKETS]; e != NULL; e = e->same_bucket)
		if (e->q.kind == QUESTION_SCANNER)
			return e->q.answer;
	add(qs, QUESTION_SCANNER, needed, hash)->q.content = content;
	return NULL;
}

struct question *questions_next(struct questions *qs)
{
	while (qs->taken < qs->count) {
		struct question *q = &qs->list[qs->taken++]->q;
		if (!q->sent && q->answer == NULL) {
			q->sent = true;
			return q;
		}
	}
	return NULL;
}

struct question *questions_at(struct questions *qs, uint32_t index)
{
	return index < qs->count ? &qs->list[index]->q : NULL;
}

size_t questions_count(const struct questions *qs)
{
	return qs->count;
}

size_t questions_pending(const struct questions *qs)
{
	return qs->pending;
}

void question_answer(struct questions *qs, uint32_t index, const struct answer *answer)
{
	struct question *q = questions_at(qs, index);
	if (q == NULL || q->answer != NULL)
		return;
	struct answer *copy = arena_new(qs->arena, struct answer);
	*copy = *answer;
	copy->value = arena_copy(qs->arena, answer->value);
	copy->records = arena_array(qs->arena, struct slice, answer->count);
	for (size_t i = 0; i < answer->count; i++)
		copy->records[i] = arena_copy(qs->arena, answer->records[i]);
	if (answer->why != NULL)
		copy->why = arena_str(qs->arena, slice_str(answer->why));
	q->answer = copy;
	qs->pending--;
}

void questions_give_up(struct questions *qs, const char *why)
{
	const struct answer answer = { .status = ANSWER_TEMPERROR, .why = why };
	for (size_t i = 0; i < qs->count; i++)
		question_answer(qs, (uint32_t)i, &answer);
}

static const char *const status_names[] = {
	[ANSWER_FOUND] = "found", [ANSWER_NODATA] = "nodata",
	[ANSWER_NXDOMAIN] = "nxdomain", [ANSWER_TEMPERROR] = "temperror",
};

const char *answer_status_name(enum answer_status status)
{
	return status_names[status];
}
