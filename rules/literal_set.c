#include "rules/literal_set.h"

#include <math.h>

#define LENGTH_MIN 3u          /* shorter ones are everywhere */

/* Bits of information in a character of mail text, roughly. */
static double weight(unsigned char c)
{
	if (c == ' ' || c == 'e')
		return 1.8;
	if (strchr("taoinsrhld", c) != NULL && c != '\0')
		return 3.0;
	if (c == '\n' || c == '.' || c == '-' || c == '/' || c == '=')
		return 3.0;
	return c >= 'a' && c <= 'z' ? 4.5 : 5.0;
}

double literal_quality(const struct literal_set *set)
{
	double often = 0; /* how often one of them is to be met */
	size_t shortest = SIZE_MAX;
	if (set->count == 0)
		return -1;
	for (size_t i = 0; i < set->count; i++) {
		double sum = 0;
		shortest = set->list[i].len < shortest ? set->list[i].len : shortest;
		for (size_t k = 0; k < set->list[i].len && k < 12; k++)
			sum += weight((unsigned char)set->list[i].data[k]);
		often += exp2(-sum);
	}
	return shortest < LENGTH_MIN ? 0.1 * (double)shortest : -log2(often);
}

static const struct slice empty_string[] = { { "", 0 } };

static void set_to_empty_string(struct literal_set *set)
{
	*set = (struct literal_set){ (struct slice *)(uintptr_t)empty_string, 1, 1 };
}

void literal_piece_empty(struct literal_piece *p)
{
	memset(p, 0, sizeof(*p));
	p->exact = true;
	set_to_empty_string(&p->strings);
}

void literal_set_add(struct arena *arena, struct literal_set *set, struct slice s)
{
	for (size_t i = 0; i < set->count; i++)
		if (slice_eq(set->list[i], s))
			return;
	if (set->count == set->cap) {
		size_t cap = set->cap < 4 ? 8 : set->cap * 2;
		struct slice *list = arena_array(arena, struct slice, cap); /* others may share the old one */
		if (set->count > 0)
			memcpy(list, set->list, set->count * sizeof(*list));
		set->list = list;
		set->cap = cap;
	}
	set->list[set->count++] = s;
}

/* So that adding to either leaves the other as it is. */
static struct literal_set set_share(const struct literal_set *set)
{
	return (struct literal_set){ set->list, set->count, set->count };
}

/* More tell no more. */
#define TIMES_MAX 16u

static double quality_of(const struct literal_set *set, unsigned times)
{
	double once = literal_quality(set);
	/* Short ones tell nothing even if there are many: a text of letters has a hundred of each. */
	return once >= 1 && times > 1 ? once * times : once;
}

void literal_piece_consider(struct literal_piece *p, const struct literal_set *set, unsigned times)
{
	double quality = quality_of(set, times);
	if (quality > p->quality && quality > 0) {
		p->required = set_share(set);
		p->quality = quality;
		p->times = times;
	}
}

void literal_piece_multiply(struct literal_piece *p, unsigned n)
{
	if (p->required.count == 0 || p->times == 0 || n < 2)
		return;
	p->times = n > TIMES_MAX / p->times ? TIMES_MAX : p->times * n;
	p->quality = quality_of(&p->required, p->times);
}

void literal_piece_never(struct literal_piece *p)
{
	memset(p, 0, sizeof(*p));
	p->never = true;
}

void literal_piece_anything(struct literal_piece *p)
{
	memset(p, 0, sizeof(*p));
}

bool literal_set_multiply(struct arena *arena, struct literal_set *a, const struct literal_set *b, size_t max)
{
	struct literal_set product = { .count = 0 };
	if (a->count * b->count > max)
		return false;
	for (size_t i = 0; i < a->count; i++)
		for (size_t k = 0; k < b->count; k++) {
			struct slice left = a->list[i], right = b->list[k];
			if (left.len + right.len > LITERAL_LENGTH_MAX)
				return false;
			char *joined = arena_alloc(arena, left.len + right.len + 1);
			if (left.len > 0)
				memcpy(joined, left.data, left.len);
			if (right.len > 0)
				memcpy(joined + left.len, right.data, right.len);
			literal_set_add(arena, &product, slice_make(joined, left.len + right.len));
		}
	*a = product;
	return true;
}

static void end_run(struct literal_sequence *q)
{
	literal_piece_consider(&q->whole, &q->run, 1);
	set_to_empty_string(&q->run);
}

void literal_sequence_begin(struct literal_sequence *q, struct arena *arena, size_t product_max)
{
	*q = (struct literal_sequence){ .arena = arena, .product_max = product_max };
	set_to_empty_string(&q->run);
}

void literal_sequence_add(struct literal_sequence *q, const struct literal_piece *item)
{
	if (item->exact) {
		if (literal_set_multiply(q->arena, &q->run, &item->strings, q->product_max))
			return;
		end_run(q);
		q->gap = true;
		q->run = set_share(&item->strings);
		return;
	}
	end_run(q);
	q->gap = true;
	q->whole.never = q->whole.never || item->never;
	literal_piece_consider(&q->whole, &item->required, item->times);
}

void literal_sequence_end(struct literal_sequence *q, struct literal_piece *out)
{
	if (q->gap) {
		end_run(q);
		q->whole.exact = false;
	} else {
		q->whole.exact = true;
		q->whole.strings = set_share(&q->run);
	}
	*out = q->whole;
}

bool literal_set_join(struct arena *arena, struct literal_set *all, const struct literal_set *more)
{
	for (size_t i = 0; i < more->count; i++) {
		if (all->count == LITERALS_MAX)
			return false;
		literal_set_add(arena, all, more->list[i]);
	}
	return true;
}

void literal_set_minimal(struct arena *arena, const struct literal_set *set, struct literals *out)
{
	out->list = arena_array(arena, struct slice, set->count);
	for (size_t i = 0; i < set->count; i++) {
		bool needed = true;
		for (size_t k = 0; k < set->count && needed; k++)
			if (k != i && slice_find(set->list[i], set->list[k]) != SLICE_NPOS &&
			    (set->list[k].len < set->list[i].len || k < i))
				needed = false;
		if (needed)
			out->list[out->count++] = set->list[i];
	}
}
