#include "tests/lib/config_scan.h"

#include <stdio.h>
#include <stdlib.h>

#include "filters/registry.h"
#include "message/address.h"
#include "tests/lib/zone_driver.h"

static void die(const char *what, struct slice text)
{
	fprintf(stderr, "config_scan: %s: %.*s\n", what, SLICE_ARG(text));
	abort();
}

struct snapshot *config_snapshot(const char *text)
{
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = config_read(arena, "-", slice_str(text), filter_sections(), &errors);
	if (config == NULL)
		die("line",
		    arena_printf(arena, "%u: %.*s", errors.list[0].line, SLICE_ARG(errors.list[0].message)));
	return snapshot_create(config, NULL, 1);
}

static bool has(const struct cidr_list *list, const struct ip *ip)
{
	return cidr_list_has(list->items, list->count, ip);
}

static void set_envelope(struct scan *scan, const struct config_mail *mail)
{
	struct slice from = slice_str(mail->mail_from ? mail->mail_from : "");
	const struct config *config = scan->snapshot->config;
	if (mail->ip != NULL && !ip_parse(slice_str(mail->ip), &scan->client.ip))
		die("address", slice_str(mail->ip));
	scan->client.helo = slice_str(mail->helo ? mail->helo : "");
	scan->client.login = slice_str(mail->login ? mail->login : "");
	scan->client.submission = mail->submission;
	scan->client.trusted = has(&config->networks->trusted, &scan->client.ip);
	scan->client.internal = has(&config->networks->internal, &scan->client.ip);
	scan->client.relay_network = has(&config->relay->networks, &scan->client.ip);
	/* What a door would not take has no domain: the filters see it all the same. */
	if (address_parse(scan->arena, from, ADDRESS_MAIL, &scan->envelope.sender) != ADDRESS_OK)
		scan->envelope.sender.text = from;
}

struct scan *config_scan(struct arena *arena, const struct snapshot *snapshot, const struct config_mail *mail,
			 const struct zone *zone)
{
	struct scan *scan = scan_create(arena, snapshot, mail->now);
	set_envelope(scan, mail);
	pipeline_begin(scan);
	for (enum phase phase = PHASE_CONNECT; phase <= PHASE_MAIL; phase++) {
		pipeline_enter(scan, phase);
		zone_driver_run(scan, phase, zone);
	}
	message_parse(&scan->message, arena, mail->raw, 1000);
	scan->message.size = mail->raw.len;
	pipeline_enter(scan, PHASE_HEADERS);
	zone_driver_run(scan, PHASE_HEADERS, zone);
	pipeline_body(scan, scan->message.body);
	pipeline_enter(scan, PHASE_END);
	zone_driver_run(scan, PHASE_END, zone);
	return scan;
}

struct verdict config_verdict(const struct scan *scan)
{
	struct verdict verdict;
	const struct verdict_input in = {
		.snapshot = scan->snapshot, .client = &scan->client, .envelope = &scan->envelope,
		.hits = &scan->hits, .arena = scan->arena, .facts = &scan->facts,
	};
	verdict_at_end(&in, &verdict);
	return verdict;
}
