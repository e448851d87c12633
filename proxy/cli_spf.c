/*
 * gatehouse spf: what SPF says of a client, its HELO name and a sender, for
 * administrators. By the settings of the configuration's sections dns and
 * filter spf.
 */
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "base/json.h"
#include "filters/spf.h"
#include "message/address.h"
#include "message/received_spf.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"
#include "proxy/driver_wait.h"

static const char usage[] =
	"usage: gatehouse spf [-c FILE] [--zone FILE] [--engine native|libspf2] --client IP --helo NAME\n"
	"                     --from ADDRESS [--receiver NAME] [--time UNIX] [--json]\n"
	"Checks the sender's SPF record (RFC 7208). With an empty ADDRESS the HELO name is checked.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --zone FILE        answer DNS questions from a zone file alone\n"
	"  --engine NAME      instead of the configuration's\n"
	"  --receiver NAME    our host name, for %{r} and Received-SPF\n"
	"  --time UNIX        the time, for %{t}\n";

struct options {
	const char *config, *zone, *client, *from;
	const struct spf_engine *engine;
	struct spf_request request;
	bool json;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },   { "zone", required_argument, NULL, 'z' },
	{ "engine", required_argument, NULL, 'e' },   { "client", required_argument, NULL, 'i' },
	{ "helo", required_argument, NULL, 'n' },     { "from", required_argument, NULL, 'f' },
	{ "receiver", required_argument, NULL, 'r' }, { "time", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },           { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

enum mode { MODE_CHECK, MODE_HELP, MODE_BAD };

/* What its value should be; NULL: it is that. */
static const char *take_option(int c, struct options *o)
{
	uint64_t unix_time = 0;
	switch (c) {
	case 'c': o->config = optarg; break;
	case 'z': o->zone = optarg; break;
	case 'i':
		o->client = optarg;
		return ip_parse(slice_str(optarg), &o->request.client) ? NULL : "an IP address";
	case 'n': o->request.helo = slice_str(optarg); break;
	case 'f': o->from = optarg; break;
	case 'r': o->request.receiver = slice_str(optarg); break;
	case 'j': o->json = true; break;
	case 'e':
		o->engine = spf_engine_find(slice_str(optarg));
		return o->engine != NULL ? NULL : "one of native, libspf2";
	default:
		if (!slice_u64(slice_str(optarg), INT64_MAX, &unix_time))
			return "a time in seconds since 1970";
		o->request.now = (int64_t)unix_time;
	}
	return NULL;
}

static enum mode read_options(int argc, char **argv, struct options *o)
{
	int c;
	optind = 1;
	while ((c = cli_option("spf", argc, argv, ":c:h", long_options)) != -1) {
		if (c == 'h' || c == '?')
			return c == 'h' ? MODE_HELP : MODE_BAD;
		const char *expected = take_option(c, o);
		if (expected != NULL) {
			cli_bad_value("spf", long_options, c, expected);
			return MODE_BAD;
		}
	}
	if (optind < argc)
		cli_bad_usage("spf", "unexpected argument '%s'", argv[optind]);
	else if (o->client == NULL || o->from == NULL)
		cli_bad_usage("spf", "--client and --from are needed");
	else
		return MODE_CHECK;
	return MODE_BAD;
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

/* What the domain or the client wrote may hold anything: a terminal doesn't get it raw. */
static void print_line(const char *name, struct slice value)
{
	struct buf out = { 0 };
	for (size_t i = 0; i < value.len; i++)
		buf_add_char(&out, value.data[i] >= ' ' && value.data[i] < 0x7f ? value.data[i] : '?');
	if (value.len > 0)
		printf("%-12s %s\n", name, buf_cstr(&out));
	buf_free(&out);
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

/* The evaluation as a whole (RFC 7208 4.6.4: at least 20 s). */
#define DEADLINE_MS 60000

static int check(const struct options *o, struct arena *arena, struct wait_driver *driver)
{
	const struct spf_request *request = &o->request;
	struct questions *qs = questions_create(arena);
	struct wait *wait = wait_begin(driver, qs, request->now);
	struct spf_check *run = spf_check_begin(arena, qs, o->engine, request);
	while (spf_check_step(run) == STEP_NEED)
		if (!wait_answers(wait, DEADLINE_MS))
			questions_give_up(qs, "timeout");
	wait_end(&wait);
	const struct spf_outcome *outcome = spf_check_outcome(run);
	const struct received_spf field = { &outcome->fact, request->client, request->helo, request->receiver };
	(o->json ? print_json : print_text)(outcome, received_spf_line(arena, &field));
	return EX_OK;
}

/* 0, or the exit status. */
static int check_with_dns(const struct options *o, const struct config_dns *dns, struct arena *arena,
			  const struct zone *zone)
{
	char error[WAIT_ERROR_MAX];
	const struct wait_driver_config setup = {
		.resolver = {
			.forward = dns->forward.items,
			.forward_count = dns->forward.count,
			.zone = zone,
			.timeout = dns->timeout,
			.dnssec = dns->dnssec,
			.trust_anchor = dns->trust_anchor,
		},
	};
	struct wait_driver *driver = wait_driver_create(&setup, error);
	if (driver == NULL) {
		fprintf(stderr, "gatehouse spf: %s\n", error);
		return EX_UNAVAILABLE;
	}
	int status = check(o, arena, driver);
	wait_driver_destroy(&driver);
	return status;
}

static void use_settings(struct options *o, const struct config *config)
{
	for (size_t i = 0; i < config->filter_count; i++) {
		if (!slice_eq(config->filters[i].name, slice_str(spf_filter.name)))
			continue;
		o->request.limits = spf_settings_limits(config->filters[i].values);
		if (o->engine == NULL)
			o->engine = spf_settings_engine(config->filters[i].values);
	}
	if (o->zone == NULL && config->dns->zone_file.len > 0)
		o->zone = config->dns->zone_file.data;
}

/* As a door gets it under SMTPUTF8: with A-labels. */
static void set_sender(struct arena *arena, struct options *o)
{
	struct slice domain;
	spf_request_mail_from(&o->request, slice_str(o->from));
	bool ascii = true;
	for (size_t i = 0; i < o->request.domain.len; i++)
		ascii = ascii && (unsigned char)o->request.domain.data[i] < 0x80;
	if (!ascii && address_domain(arena, o->request.domain, ADDRESS_UTF8 | ADDRESS_LAX, &domain) == ADDRESS_OK)
		o->request.domain = domain;
}

static int check_with_config(struct options *o, struct arena *arena)
{
	struct config_errors errors = { .arena = arena };
	const struct config *config = cli_config_read(arena, o->config, NULL, &errors);
	if (config == NULL) {
		cli_print_errors(stderr, "", &errors);
		return EX_CONFIG;
	}
	use_settings(o, config);
	if (o->zone == NULL)
		return check_with_dns(o, config->dns, arena, NULL);
	struct zone *zone = zone_create();
	int status = cli_zone_read(zone, o->zone);
	if (status == 0)
		status = check_with_dns(o, config->dns, arena, zone);
	zone_destroy(&zone);
	return status;
}

int cli_spf(int argc, char **argv)
{
	struct options o = { .request = { .now = time(NULL) } };
	enum mode mode = read_options(argc, argv, &o);
	if (mode == MODE_HELP)
		fputs(usage, stdout);
	if (mode != MODE_CHECK)
		return mode == MODE_HELP ? EX_OK : EX_USAGE;
	struct arena *arena = arena_create();
	set_sender(arena, &o);
	int status = check_with_config(&o, arena);
	arena_destroy(&arena);
	return status;
}
