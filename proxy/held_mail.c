#include "proxy/held_mail.h"

#include <stdatomic.h>
#include <stdio.h>

#include "policy/kept.h"

#define EXPIRE_EVERY 64u /* stored mails of a worker */

static void take_recipients(struct quarantine_entry *e, const struct envelope *envelope, struct arena *arena)
{
	e->recipients = arena_array(arena, struct slice, envelope->recipient_count);
	e->recipient_params = arena_array(arena, struct slice, envelope->recipient_count);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (!envelope->recipients[i].accepted)
			continue;
		e->recipients[e->recipient_count] = envelope->recipients[i].mailbox.text;
		e->recipient_params[e->recipient_count++] = envelope->recipients[i].params;
	}
}

void held_mail_prepare(struct held_mail *held, const struct scan *scan, const struct verdict *verdict,
		       const char *id, struct slice added)
{
	const struct config_state *state = scan->snapshot->config->state;
	const struct envelope *envelope = &scan->envelope;
	const struct header *subject = message_header(&scan->message, SLICE("Subject"), 0);
	*held = (struct held_mail){
		.added = added, .content = slice_from(scan->message.raw, scan->message.head.len),
		.keep = state->quarantine_keep, .max_size = state->quarantine_size,
	};
	held->entry = (struct quarantine_entry){
		.id = slice_str(id), .time = scan->now, .client = scan->client, .sender = envelope->sender.text,
		.sender_params = envelope->params, .body_8bit = envelope->body_8bit, .smtputf8 = envelope->smtputf8,
		.score = verdict->score, .policy = verdict->policy->title, .why = verdict->why,
		.subject = subject ? slice_head(header_unfold(scan->arena, subject->value), 200) : SLICE_EMPTY,
	};
	take_recipients(&held->entry, envelope, scan->arena);
	held->entry.size = held->added.len + held->content.len;
	snprintf(held->dir, sizeof(held->dir), "%.*s/quarantine", SLICE_ARG(slice_head(state->directory, 1000)));
}

bool held_mail_store(struct held_mail *held)
{
	static atomic_uint stored;
	bool ok = quarantine_store(held->dir, &held->entry, held->added, held->content, held->error);
	if (atomic_fetch_add(&stored, 1) % EXPIRE_EVERY == 0)
		quarantine_expire(held->dir, held->entry.time - held->keep / 1000, held->max_size);
	return ok;
}

bool held_mail_is_kept(const struct scan *scan, bool refused)
{
	const struct config_state *state = scan->snapshot->config->state;
	return state->directory.len > 0 && scan->message.raw.len > 0 &&
	       (state->keep_mail == KEEP_ALL || (refused && state->keep_mail == KEEP_REFUSED));
}

void held_mail_keep(const struct scan *scan, const char *id)
{
	const struct config_state *state = scan->snapshot->config->state;
	char folder[1100];
	snprintf(folder, sizeof(folder), "%.*s/kept", SLICE_ARG(slice_head(state->directory, 1000)));
	kept_store(slice_str(folder), id, scan->message.raw, state->keep_size);
}
