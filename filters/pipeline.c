/*
 * The pipeline keeps, for each filter, the phase it is to run next. A phase
 * that was entered and that a filter has not concluded is open for it. That
 * is all there is of order: a filter goes through its phases one after the
 * other, and waits in a phase for those it names in `after`.
 */
#include "filters/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

#include "filters/registry.h"
#include "policy/policy.h"

#define FILTERS_MAX 64

struct slot {
	const struct filter *filter;
	void *state;
	unsigned open;             /* phases entered, not concluded */
	uint64_t after;            /* bits of the slots it waits for */
	bool enabled;
	bool by_policy;            /* off but for the mail of policies that use it */
};

struct pipeline {
	size_t count;
	enum phase running_phase;
	struct slot slots[FILTERS_MAX];
};

enum phase pipeline_phase(const struct scan *scan)
{
	return scan->pipeline->running_phase;
}

const struct filter *filter_find(struct slice name)
{
	for (size_t i = 0; filter_table[i] != NULL; i++)
		if (slice_eq(slice_str(filter_table[i]->name), name))
			return filter_table[i];
	return NULL;
}

static uint64_t after_bits(const struct filter *filter)
{
	uint64_t bits = 0;
	for (size_t a = 0; filter->after != NULL && filter->after[a] != NULL; a++)
		for (size_t i = 0; filter_table[i] != NULL; i++)
			if (strcmp(filter_table[i]->name, filter->after[a]) == 0)
				bits |= UINT64_C(1) << i;
	return bits;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t after_of[FILTERS_MAX]; /* by place in filter_table */

static void find_after(void)
{
	for (size_t i = 0; filter_table[i] != NULL; i++) {
		if (i >= FILTERS_MAX)
			abort(); /* the table outgrew the bits of `after`: a defect of the build */
		after_of[i] = after_bits(filter_table[i]);
	}
}

void pipeline_begin(struct scan *scan)
{
	pthread_once(&once, find_after);
	struct pipeline *p = arena_new(scan->arena, struct pipeline);
	for (size_t i = 0; filter_table[i] != NULL; i++) {
		const struct filter *f = filter_table[i];
		const struct filter_common *common = snapshot_filter(scan->snapshot, f->name);
		struct slot *slot = &p->slots[p->count++];
		slot->filter = f;
		slot->after = after_of[i];
		slot->by_policy = !f->always && common != NULL && !common->enabled;
		slot->enabled = !slot->by_policy || filter_is_on(scan->snapshot->config, f->name);
		if (slot->enabled && f->state_size > 0)
			slot->state = arena_alloc(scan->arena, f->state_size);
	}
	scan->pipeline = p;
}

/* What decides which filters are on for a recipient: its policy, and the one
 * in shadow, which is to see what it would see. */
struct policies {
	const struct config_policy *real, *shadow;
};

static struct policies policies_of(const struct scan *scan, const struct mailbox *recipient)
{
	const struct config *config = scan->snapshot->config;
	const struct mailbox *sender = &scan->envelope.sender;
	return (struct policies){ policy_find(config, &scan->client, sender, recipient, false),
				  policy_find(config, &scan->client, sender, recipient, true) };
}

static bool is_skipped(const struct policies *p, const char *filter)
{
	return policy_skips(p->real, filter) && policy_skips(p->shadow, filter);
}

/* Whether any of those who get the mail have it on. */
static bool is_wanted(const struct scan *scan, const char *filter)
{
	struct policies p;
	bool any = false;
	for (size_t i = 0; i < scan->envelope.recipient_count; i++) {
		const struct recipient *r = &scan->envelope.recipients[i];
		if (!r->accepted)
			continue;
		any = true;
		p = policies_of(scan, &r->mailbox);
		if (!is_skipped(&p, filter))
			return true;
	}
	p = policies_of(scan, NULL);
	return !any && !is_skipped(&p, filter);
}

static void enter_recipient(struct scan *scan)
{
	struct pipeline *p = scan->pipeline;
	const struct envelope *e = &scan->envelope;
	const struct policies of = policies_of(scan, scan->recipient < e->recipient_count ?
							     &e->recipients[scan->recipient].mailbox : NULL);
	for (size_t i = 0; i < p->count; i++) {
		struct slot *slot = &p->slots[i];
		if (slot->enabled && (slot->filter->phases & PHASE_BIT(PHASE_RCPT)) && !is_skipped(&of, slot->filter->name))
			slot->open |= PHASE_BIT(PHASE_RCPT);
	}
}

void pipeline_enter(struct scan *scan, enum phase phase)
{
	struct pipeline *p = scan->pipeline;
	if (phase == PHASE_RCPT) {
		enter_recipient(scan);
		return;
	}
	for (size_t i = 0; i < p->count; i++) {
		struct slot *slot = &p->slots[i];
		if (phase == PHASE_HEADERS && slot->enabled && slot->by_policy)
			slot->enabled = is_wanted(scan, slot->filter->name);
		if (slot->enabled && (slot->filter->phases & PHASE_BIT(phase)))
			slot->open |= PHASE_BIT(phase);
	}
}

static bool waits_for_others(const struct pipeline *p, const struct slot *slot, unsigned bit)
{
	for (size_t i = 0; slot->after != 0 && i < p->count; i++)
		if ((slot->after >> i & 1) && (p->slots[i].open & (bit | (bit - 1))))
			return true;
	return false;
}

/* Runs the slot's open phases in order as far as they go. True: something
 * was concluded, so others that wait for it may go on. */
static bool run_slot(struct scan *scan, struct slot *slot)
{
	struct pipeline *p = scan->pipeline;
	bool concluded = false;
	while (slot->open != 0) {
		enum phase phase = (enum phase)__builtin_ctz(slot->open);
		if (waits_for_others(p, slot, PHASE_BIT(phase)))
			break;
		scan->running = slot->filter;
		p->running_phase = phase;
		questions_asker(scan->questions, slot->filter->name);
		if (slot->filter->step(scan, slot->state, phase) == STEP_NEED)
			break;
		slot->open &= ~PHASE_BIT(phase);
		concluded = true;
	}
	return concluded;
}

enum pipeline_state pipeline_advance(struct scan *scan, enum phase upto)
{
	struct pipeline *p = scan->pipeline;
	unsigned mask = PHASE_BIT(upto) | (PHASE_BIT(upto) - 1), open;
	bool concluded;
	do {
		concluded = false;
		for (size_t i = 0; i < p->count; i++)
			if (p->slots[i].open != 0 && run_slot(scan, &p->slots[i]))
				concluded = true;
		open = 0;
		for (size_t i = 0; i < p->count; i++)
			open |= p->slots[i].open;
	} while (concluded && (open & mask));
	return (open & mask) ? PIPELINE_NEED : PIPELINE_DONE;
}

void pipeline_body(struct scan *scan, struct slice chunk)
{
	struct pipeline *p = scan->pipeline;
	p->running_phase = PHASE_BODY;
	for (size_t i = 0; i < p->count; i++) {
		struct slot *slot = &p->slots[i];
		if (!slot->enabled || slot->filter->body == NULL)
			continue;
		scan->running = slot->filter;
		slot->filter->body(scan, slot->state, chunk);
	}
}

/* A filter that goes on asking is answered with errors until it ends. One
 * that never does has a defect: it is brought to an end by force. */
#define GIVE_UP_ROUNDS 100

void pipeline_give_up(struct scan *scan, enum phase upto, const char *why)
{
	struct pipeline *p = scan->pipeline;
	unsigned mask = PHASE_BIT(upto) | (PHASE_BIT(upto) - 1);
	for (int round = 0; round < GIVE_UP_ROUNDS; round++) {
		questions_give_up(scan->questions, why);
		if (pipeline_advance(scan, upto) == PIPELINE_DONE)
			return;
	}
	for (size_t i = 0; i < p->count; i++)
		p->slots[i].open &= ~mask;
}
