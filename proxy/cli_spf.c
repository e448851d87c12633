/*
 * gatehouse spf: what SPF says of a client, its HELO name and a sender, for
 * administrators.
 */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "base/json.h"
#include "base/zonefile.h"
#include "filters/spf_check.h"
#include "message/received_spf.h"
#include "proxy/commands.h"
#include "proxy/commands.h"

static const char usage[] =
	"usage: gatehouse spf [--zone FILE] [--engine native|libspf2] --client IP --helo NAME --from ADDRESS\n"
	"                     [--receiver NAME] [--time UNIX] [--json]\n"
	"Checks the sender's SPF record (RFC 7208). With an empty ADDRESS the HELO name is checked.\n"
	"  --zone FILE      answer DNS questions from a zone file alone\n"
	"  --receiver NAME  our host name, for %{r} and Received-SPF\n"
	"  --time UNIX      the time, for %{t}\n";

struct options {
	const char *zone, *client, *from;
	const struct spf_engine *engine;
	struct spf_request request;
	bool json;
};

static const struct option long_options[] = {
	{ "zone", required_argument, NULL, 'z' },     { "engine", required_argument, NULL, 'e' },
	{ "client", required_argument, NULL, 'c' },   { "helo", required_argument, NULL, 'h' },
	{ "from", required_argument, NULL, 'f' },     { "receiver", required_argument, NULL, 'r' },
	{ "time", required_argument, NULL, 't' },     { "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, '?' + 128 },     { NULL, 0, NULL, 0 },
};

static int bad_usage(const char *what, const char *value)
{
	fprintf(stderr, "gatehouse spf: %s%s\n%s", what, value, usage);
	return EX_USAGE;
}

static bool take_option(int c, struct options *o)
{
	uint64_t time_given;
	switch (c) {
	case 'z': o->zone = optarg; return true;
	case 'c': o->client = optarg; return true;
	case 'h': o->request.helo = slice_str(optarg); return true;
	case 'f': o->from = optarg; return true;
	case 'r': o->request.receiver = slice_str(optarg); return true;
	case 'j': o->json = true; return true;
	case 'e':
		o->engine = spf_engine_find(slice_str(optarg));
		return o->engine != NULL;
	case 't':
		if (!slice_u64(slice_str(optarg), INT64_MAX, &time_given))
			return false;
		o->request.now = (int64_t)time_given;
		return true;
	default: return false;
	}
}

/* 0, or the exit status. */
static int read_options(int argc, char **argv, struct options *o)
{
	int c;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == '?' + 128) {
			fputs(usage, stdout);
			return -1;
		}
		if (c == '?' || !take_option(c, o))
			return bad_usage("bad value: ", c == '?' ? "" : optarg);
	}
	if (optind < argc)
		return bad_usage("unexpected argument: ", argv[optind]);
	if (o->client == NULL || o->from == NULL)
		return bad_usage("--client and --from are needed", "");
	if (o->zone == NULL)
		return bad_usage("--zone is needed: this version asks no name servers", "");
	if (!ip_parse(slice_str(o->client), &o->request.client))
		return bad_usage("not an address: ", o->client);
	return 0;
}

static void print_json(const struct spf_outcome *outcome, struct slice received)
{
	const struct spf_fact *fact = &outcome->fact;
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	json_open_object(&j);
	json_str(&j, "result", slice_str(auth_result_name(fact->result)));
	json_str(&j, "domain", fact->domain);
	json_str(&j, "explanation", fact->explanation);
	json_str(&j, "mechanism", fact->mechanism);
	json_str(&j, "problem", fact->problem);
	json_str(&j, "identity", fact->helo ? SLICE("helo") : SLICE("mailfrom"));
	json_str(&j, "sender", fact->sender);
	json_str(&j, "received_spf", received);
	json_num(&j, "lookups", outcome->lookups);
	json_close_object(&j);
	puts(buf_cstr(&out));
	buf_free(&out);
}

static void print_line(const char *name, struct slice value)
{
	if (value.len > 0)
		printf("%-12s %.*s\n", name, SLICE_ARG(value));
}

static void print_text(const struct spf_outcome *outcome, struct slice received)
{
	const struct spf_fact *fact = &outcome->fact;
	print_line("result", slice_str(auth_result_name(fact->result)));
	print_line("identity", fact->helo ? SLICE("helo") : SLICE("mailfrom"));
	print_line("sender", fact->sender);
	print_line("mechanism", fact->mechanism);
	print_line("problem", fact->problem);
	print_line("explanation", fact->explanation);
	printf("%-12s %u\n%.*s\n", "lookups", outcome->lookups, SLICE_ARG(received));
}

static void answer_from_zone(struct questions *qs, const struct zone *zone)
{
	struct question *q;
	while ((q = questions_next(qs)) != NULL) {
		struct answer answer = zone_lookup(zone, q->name, q->type);
		question_answer(qs, q->index, &answer);
	}
}

static int check(const struct options *o, struct arena *arena, struct zone *zone)
{
	struct questions *qs = questions_create(arena);
	struct spf_check *run = spf_check_begin(arena, qs, o->engine, &o->request);
	while (spf_check_step(run) == STEP_NEED)
		answer_from_zone(qs, zone);
	const struct spf_outcome *outcome = spf_check_outcome(run);
	const struct spf_request *request = &o->request;
	const struct received_spf field = { &outcome->fact, request->client, request->helo, request->receiver };
	(o->json ? print_json : print_text)(outcome, received_spf_line(arena, &field));
	return EX_OK;
}

/* 0, or the exit status. */
static int read_zone(struct zone *zone, const char *path)
{
	struct zone_errors errors;
	if (zonefile_read(zone, path, &errors))
		return 0;
	const struct zone_error *first = &errors.list[0];
	if (first->line == 0) {
		fprintf(stderr, "gatehouse spf: %s: %s\n", path, first->text);
		return EX_NOINPUT;
	}
	fprintf(stderr, "%s:%u: %s\n", path, first->line, first->text);
	return EX_DATAERR;
}

int cli_spf(int argc, char **argv)
{
	struct options o = { .engine = &spf_native, .request = { .now = time(NULL) } };
	int status = read_options(argc, argv, &o);
	if (status != 0)
		return status < 0 ? EX_OK : status;
	o.request.limits = spf_default_limits;
	spf_request_mail_from(&o.request, slice_str(o.from));
	struct zone *zone = zone_create();
	struct arena *arena = arena_create();
	status = read_zone(zone, o.zone);
	if (status == 0)
		status = check(&o, arena, zone);
	arena_destroy(&arena);
	zone_destroy(&zone);
	return status;
}
