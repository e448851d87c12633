#include "proxy/scan_mail.h"

#include <time.h>

#include "base/clock.h"
#include "filters/relay.h"
#include "message/address.h"
#include "message/canonical.h"
#include "message/received.h"
#include "rules/rule_scan.h"

#define CHUNK (64u * 1024) /* of the body, as a door gets it */

static void place_client(struct scan *scan)
{
	const struct config *config = scan->snapshot->config;
	struct client *c = &scan->client;
	c->relay_network = cidr_list_has(config->relay->networks.items, config->relay->networks.count, &c->ip);
	c->trusted = cidr_list_has(config->networks->trusted.items, config->networks->trusted.count, &c->ip);
	c->internal = cidr_list_has(config->networks->internal.items, config->networks->internal.count, &c->ip);
}

/* The first relay that is not ours. */
static void client_from_mail(struct scan *scan)
{
	const struct config_networks *n = scan->snapshot->config->networks;
	const struct received_networks networks = {
		.trusted = n->trusted.items, .trusted_count = n->trusted.count,
		.internal = n->internal.items, .internal_count = n->internal.count,
	};
	const struct relays *relays = message_relays(&scan->message, &networks, NULL);
	if (relays->trusted_count >= relays->count)
		return;
	const struct relay *relay = &relays->list[relays->trusted_count];
	scan->client.ip = relay->ip;
	scan->client.name = relay->rdns;
	scan->client.helo = relay->helo;
}

static void sender_from_mail(struct scan *scan)
{
	struct slice address;
	if (rule_envelope_from(&scan->message, &address) && address.len > 0)
		address_parse_any(scan->arena, address, ADDRESS_MAIL | ADDRESS_UTF8, &scan->envelope.sender);
}

static void fill(struct scan *scan, const struct scan_mail_input *in)
{
	struct client *c = &scan->client;
	c->ip = in->client;
	if (in->client.family == 0)
		client_from_mail(scan);
	if (in->client_name.data != NULL)
		c->name = in->client_name;
	if (in->helo.data != NULL)
		c->helo = in->helo;
	c->esmtp = true;
	c->login = in->login;
	c->submission = in->login.len > 0; /* who logs in hands mail in */
	place_client(scan);
	if (in->sender != NULL)
		scan->envelope.sender = *in->sender;
	else
		sender_from_mail(scan);
	scan->envelope.recipient_count = in->recipient_count;
	scan->envelope.recipients = arena_array(scan->arena, struct recipient, in->recipient_count);
	for (size_t i = 0; i < in->recipient_count; i++)
		scan->envelope.recipients[i].mailbox = in->recipients[i];
}

static void run_phase(struct scan *scan, struct wait *wait, enum phase phase, int64_t deadline_ms)
{
	pipeline_enter(scan, phase);
	wait_run(wait, scan, phase, deadline_ms);
}

/* The verdict of the recipients if none of them is accepted. Without relay
 * domains there is nothing to tell ours by: then all are. */
static bool run_recipients(struct scan *scan, struct wait *wait, const struct scan_mail_input *in,
			   const struct verdict_input *about, struct verdict *refusal_r)
{
	const struct config_relay *relay = scan->snapshot->config->relay;
	bool accepted = in->recipient_count == 0, judge = relay->domains.count > 0;
	for (size_t i = 0; i < in->recipient_count; i++) {
		struct recipient *r = &scan->envelope.recipients[i];
		struct verdict v;
		scan->recipient = i;
		if (judge)
			run_phase(scan, wait, PHASE_RCPT, in->deadline_ms);
		r->role = relay_is_role_address(relay, &r->mailbox);
		verdict_at_rcpt(about, i, r->role, &v);
		r->accepted = v.action == ACTION_ACCEPT;
		accepted = accepted || r->accepted;
		if (!r->accepted && v.action >= refusal_r->action)
			*refusal_r = v;
	}
	return accepted;
}

void scan_mail_content(struct scan *scan, struct wait *wait, const struct canonical *mail, bool had_8bit_header,
		       int64_t deadline_ms)
{
	size_t max_headers = (size_t)scan->snapshot->config->limits->headers;
	message_parse(&scan->message, scan->arena, mail->bytes, max_headers);
	struct slice body = scan->message.body;
	message_parse(&scan->message, scan->arena, slice_head(mail->bytes, mail->bytes.len - body.len), max_headers);
	run_phase(scan, wait, PHASE_HEADERS, deadline_ms);
	for (size_t at = 0; at < body.len; at += CHUNK)
		pipeline_body(scan, slice_sub(body, at, CHUNK));
	message_parse(&scan->message, scan->arena, mail->bytes, max_headers);
	scan->message.size = mail->bytes.len;
	scan->message.had_bare_lf = mail->had_bare_lf;
	scan->message.had_long_line = mail->had_long_line;
	scan->message.had_8bit_header = had_8bit_header;
	run_phase(scan, wait, PHASE_END, deadline_ms);
}

void scan_mail(struct arena *arena, const struct snapshot *snapshot, struct wait_driver *driver,
	       const struct scan_mail_input *in, struct scan_mail_result *result_r)
{
	int64_t start = clock_us();
	struct canonical mail = message_canonical(arena, in->bytes);
	struct scan *scan = scan_create(arena, snapshot, in->now);
	struct wait *wait = wait_begin(driver, scan->questions, in->now);
	const struct verdict_input about = {
		.snapshot = snapshot, .client = &scan->client, .envelope = &scan->envelope, .hits = &scan->hits,
		.arena = arena, .facts = &scan->facts,
	};
	struct verdict refusal = { .action = ACTION_NONE };
	message_parse(&scan->message, arena, mail.bytes, (size_t)snapshot->config->limits->headers);
	pipeline_begin(scan);
	fill(scan, in);
	run_phase(scan, wait, PHASE_CONNECT, in->deadline_ms);
	run_phase(scan, wait, PHASE_HELO, in->deadline_ms);
	run_phase(scan, wait, PHASE_MAIL, in->deadline_ms);
	bool accepted = run_recipients(scan, wait, in, &about, &refusal);
	scan_mail_content(scan, wait, &mail, scan->message.had_8bit_header, in->deadline_ms);
	verdict_at_end(&about, &result_r->verdict);
	if (!accepted) {
		refusal.score = result_r->verdict.score;
		result_r->verdict = refusal;
	}
	wait_end(&wait);
	result_r->scan = scan;
	result_r->spent_us = clock_us() - start;
}
