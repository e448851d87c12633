#include "proxy/replay.h"

#include "message/canonical.h"
#include "policy/place.h"
#include "proxy/judgement.h"
#include "proxy/scan_mail.h"

struct replaying {
	const struct replay_input *in;
	struct replay_result *out;
	struct scan *scan;
	struct wait *wait;
};

static void phase(struct replaying *r, enum phase phase)
{
	pipeline_enter(r->scan, phase);
	wait_run(r->wait, r->scan, phase, r->in->deadline_ms);
}

/* What the client was counts; where it stands in our networks is today's matter. */
static void begin(struct replaying *r)
{
	const struct session_record *record = r->in->record;
	struct scan *scan = r->scan;
	client_copy(&scan->client, &record->client, scan->arena);
	client_place(&scan->client, scan->snapshot->config);
	scan->envelope = record->envelope;
	scan->envelope.recipients = NULL;
	scan->envelope.recipient_count = scan->envelope.recipient_cap = 0;
	pipeline_begin(scan);
	phase(r, PHASE_CONNECT);
	phase(r, PHASE_HELO);
	phase(r, PHASE_MAIL);
}

static void recipient(struct replaying *r, size_t of_record)
{
	struct scan *scan = r->scan;
	const struct recipient *then = &r->in->record->envelope.recipients[of_record];
	struct recipient now = { .mailbox = then->mailbox, .params = then->params };
	size_t at = scan->envelope.recipient_count;
	struct refusal refusal = { 0 };
	envelope_add(&scan->envelope, &now, scan->arena);
	scan->recipient = at;
	phase(r, PHASE_RCPT);
	scan->envelope.recipients[at].accepted = judgement_recipient(scan, r->in->id, &refusal);
	r->out->refusals[at] = refusal;
	r->out->recipients[at] = of_record;
}

static void content(struct replaying *r)
{
	const struct session_record *record = r->in->record;
	struct canonical mail = message_canonical(r->scan->arena, r->in->mail);
	mail.had_bare_lf = mail.had_bare_lf || record->had_bare_lf;
	mail.had_long_line = mail.had_long_line || record->had_long_line;
	scan_mail_content(r->scan, r->wait, &mail, record->had_8bit_header, r->in->deadline_ms);
}

/* Of rules and filters that read the mail. */
static void findings_of_then(struct replaying *r)
{
	const struct session_record *record = r->in->record;
	for (size_t i = 0; i < record->hit_count; i++)
		if (record->hits[i].hit.phase >= PHASE_HEADERS)
			hits_add(&r->scan->hits, &record->hits[i].hit);
}

static bool any_accepted(const struct scan *scan)
{
	for (size_t i = 0; i < scan->envelope.recipient_count; i++)
		if (scan->envelope.recipients[i].accepted)
			return true;
	return scan->envelope.recipient_count == 0;
}

static struct verdict_input input_of(const struct replaying *r)
{
	const struct scan *scan = r->scan;
	return (struct verdict_input){
		.snapshot = scan->snapshot, .client = &scan->client, .envelope = &scan->envelope, .hits = &scan->hits,
		.arena = scan->arena, .facts = &scan->facts, .id = r->in->id, .apart = scan->apart,
	};
}

static void judge(struct replaying *r)
{
	struct replay_result *out = r->out;
	struct verdict_input in = input_of(r);
	verdict_at_end(&in, &out->verdict);
	const struct refusal *said = &out->verdict.refusal;
	if (!any_accepted(r->scan)) {
		size_t last = r->scan->envelope.recipient_count - 1;
		verdict_at_rcpt(&in, last, r->scan->envelope.recipients[last].role, &out->verdict);
		said = &out->refusals[last];
	}
	if (said->code != 0)
		out->reply = arena_printf(r->scan->arena, "%u %s %.*s", said->code, said->enhanced,
					  SLICE_ARG(said->text));
}

void replay_run(struct arena *arena, const struct snapshot *snapshot, struct wait_driver *driver,
		const struct replay_input *in, struct replay_result *out)
{
	const struct session_record *record = in->record;
	struct replaying r = { .in = in, .out = out, .scan = scan_create(arena, snapshot, record->now) };
	*out = (struct replay_result){
		.scan = r.scan,
		.refusals = arena_array(arena, struct refusal, record->envelope.recipient_count + 1),
		.recipients = arena_array(arena, size_t, record->envelope.recipient_count + 1),
	};
	r.wait = wait_begin(driver, r.scan->questions, record->now);
	begin(&r);
	for (size_t i = 0; i < record->envelope.recipient_count; i++)
		if (record->fates[i] != FATE_BACKEND)
			recipient(&r, i);
	if (in->mail.data != NULL)
		content(&r);
	else
		findings_of_then(&r);
	judge(&r);
	wait_end(&r.wait);
}
