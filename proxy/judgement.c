#include "proxy/judgement.h"

#include "filters/dnsbl.h"
#include "filters/relay.h"
#include "proxy/trace.h"

static struct verdict_input input_of(const struct scan *scan, const char *id)
{
	return (struct verdict_input){
		.snapshot = scan->snapshot, .client = &scan->client, .envelope = &scan->envelope,
		.hits = &scan->hits, .arena = scan->arena, .facts = &scan->facts, .id = id,
		.apart = scan->apart,
	};
}

struct slice judgement_text(struct arena *arena, struct slice text, const char *id)
{
	if (slice_find(text, slice_str(id)) != SLICE_NPOS)
		return text;
	return arena_printf(arena, "%.*s (%s)", SLICE_ARG(text), id);
}

struct refusal judgement_other_message(const struct scan *scan, const char *id)
{
	struct verdict_input in = input_of(scan, id);
	return verdict_other_message(&in, scan->recipient);
}

bool judgement_recipient(struct scan *scan, const char *id, struct refusal *refusal_r)
{
	struct verdict_input in = input_of(scan, id);
	struct recipient *r = &scan->envelope.recipients[scan->recipient];
	struct verdict verdict;
	r->role = relay_is_role_address(scan->snapshot->config->relay, &r->mailbox);
	verdict_at_rcpt(&in, scan->recipient, r->role, &verdict);
	if (verdict.refusal.code != 0)
		*refusal_r = verdict.refusal;
	else if (!scan->envelope.prdr && !verdict_can_share(&in, scan->recipient))
		*refusal_r = verdict_other_message(&in, scan->recipient);
	else
		return true;
	return false;
}

const struct refusal *judgement_message(struct scan *scan, const struct smtp_data *data, struct slice all)
{
	static const struct refusal loop = { 554, "5.4.6", { "Too many hops: a mail loop", 26 } };
	/* Behind the last field that is read, a forged one could hide. */
	static const struct refusal fields = { 554, "5.6.0", { "Too many header fields", 22 } };
	const struct config_limits *limits = scan->snapshot->config->limits;
	const struct refusal *bad = smtp_data_refusal(data);
	struct message *m = &scan->message;
	if (bad != NULL)
		return bad;
	message_parse(m, scan->arena, all, (size_t)limits->headers);
	m->size = all.len;
	m->had_bare_lf = data->flags & SMTP_DATA_BARE_LF;
	m->had_long_line = data->flags & SMTP_DATA_LONG_LINE;
	m->had_8bit_header = data->flags & SMTP_DATA_8BIT_HEADER;
	if (m->head_cut)
		return &fields;
	return trace_hops(m) > (size_t)limits->received_headers ? &loop : NULL;
}

static void count(const struct scan *scan, enum action action, struct stats *stats, unsigned row)
{
	static const enum counter counters[ACTIONS] = {
		[ACTION_TAG] = STAT_TAGGED,       [ACTION_GREYLIST] = STAT_DEFERRED,
		[ACTION_DEFER] = STAT_DEFERRED,   [ACTION_QUARANTINE] = STAT_QUARANTINED,
		[ACTION_REJECT] = STAT_REJECTED,     [ACTION_REDIRECT] = STAT_REDIRECTED,
	};
	stats_set(stats, row, STAT_DNSLISTS_SUSPENDED, dnsbl_suspended());
	stats_add(stats, row, STAT_MESSAGES, 1);
	stats_add(stats, row, STAT_RULES_CUT_OFF, scan->rules_cut_off);
	if (counters[action] != STAT_SESSIONS)
		stats_add(stats, row, counters[action], 1);
}

void judgement_count_refused(const struct scan *scan, struct stats *stats, unsigned row)
{
	bool relay = false;
	for (size_t i = 0; i < scan->hits.count && !relay; i++)
		relay = scan->hits.list[i].recipient == (int)scan->recipient &&
			slice_starts(slice_str(scan->hits.list[i].symbol), SLICE("RELAY_DENIED"));
	stats_add(stats, row, STAT_RCPT_REFUSED, 1);
	if (relay)
		stats_add(stats, row, STAT_RELAY_DENIED, 1);
}

void judgement_count_asked(const struct scan *scan, struct stats *stats, unsigned row)
{
	int64_t names = 0;
	for (uint32_t i = 0; i < questions_count(scan->questions); i++)
		names += questions_at(scan->questions, i)->kind == QUESTION_DNS;
	if (names > 0)
		stats_add(stats, row, STAT_DNS_QUESTIONS, names);
}

void judgement_end(struct scan *scan, const char *id, struct verdict *verdict_r, struct stats *stats, unsigned row)
{
	struct verdict_input in = input_of(scan, id);
	verdict_at_end(&in, verdict_r);
	count(scan, verdict_r->action, stats, row);
}

static void strictest_of(const struct verdict_input *in, struct verdict *v)
{
	struct verdict one;
	bool any = false;
	for (size_t i = 0; i < in->envelope->recipient_count; i++) {
		if (!in->envelope->recipients[i].accepted)
			continue;
		verdict_for(in, (int)i, &one);
		if (!any || one.action > v->action)
			*v = one;
		any = true;
	}
}

void judgement_end_each(struct scan *scan, const char *id, struct verdict *strictest_r, struct stats *stats, unsigned row)
{
	struct verdict_input in = input_of(scan, id);
	strictest_of(&in, strictest_r);
	count(scan, strictest_r->action, stats, row);
}

void judgement_for(struct scan *scan, const char *id, size_t recipient, struct verdict *verdict_r)
{
	struct verdict_input in = input_of(scan, id);
	if (scan->client.submission)
		strictest_of(&in, verdict_r);
	else
		verdict_for(&in, (int)recipient, verdict_r);
}
