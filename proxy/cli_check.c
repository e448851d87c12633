/*
 * gatehouse check: reads the configuration as `run` would, and says what is
 * wrong and what is dangerous.
 */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "filters/registry.h"
#include "filters/relay.h"
#include "policy/snapshot.h"
#include "proxy/cli_check_report.h"
#include "proxy/check_policy.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"
#include "proxy/rules_setup.h"
#include "proxy/tls.h"

static const char usage[] =
	"usage: gatehouse check [-c FILE] [--rules PATH...] [--json] [-v]\n"
	"       gatehouse check --reference\n"
	"Reads the configuration and the rules, tries to relay through it as a stranger would (offline),\n"
	"and prints what is wrong (exit status 78) or dangerous.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --rules PATH...    rule files and folders, instead of those of the configuration\n"
	"  --json             one JSON object\n"
	"  -v, --verbose      list rules that are supported in full too\n"
	"  --reference        print gatehouse.conf(5), the manual of all settings, in mdoc\n";

struct options {
	const char *config;
	struct cli_paths rules;
	bool json, verbose;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },  { "rules", required_argument, NULL, 'r' },
	{ "json", no_argument, NULL, 'j' },          { "reference", no_argument, NULL, 'R' },
	{ "verbose", no_argument, NULL, 'v' },       { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

enum mode { MODE_CHECK, MODE_REFERENCE, MODE_HELP, MODE_BAD };

static enum mode read_options(int argc, char **argv, struct options *o)
{
	enum mode mode = MODE_CHECK;
	int c;
	optind = 1;
	while ((c = cli_option("check", argc, argv, ":c:hv", long_options)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'r': cli_paths_add(&o->rules, optarg); break;
		case 'j': o->json = true; break;
		case 'v': o->verbose = true; break;
		case 'R': mode = MODE_REFERENCE; break;
		case 'h': return MODE_HELP;
		default: return MODE_BAD;
		}
	}
	if (optind < argc && o->rules.count == 0) {
		cli_bad_usage("check", "unexpected argument '%s'", argv[optind]);
		return MODE_BAD;
	}
	for (; optind < argc; optind++)
		cli_paths_add(&o->rules, argv[optind]);
	return mode;
}

/* A stranger could send through us: an error at the setting that lets it happen. */
static void note_leaks(struct check_report *r)
{
	static const char *const keys[] = { "networks", "domains", "literals" };
	const struct config_relay *relay = r->config->relay;
	const struct relay_leak *leak = r->relay.leaks;
	const char *key = "domains";
	if (r->relay.leaks_seen == 0)
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (slice_find(leak->reason, slice_str(keys[i])) != SLICE_NPOS)
			key = keys[i];
	config_warning_at(r->config, relay, key, &r->errors,
			  "open relay: %zu of %zu probes by strangers would be relayed; %.*s", r->relay.leaks_seen,
			  r->relay.probes, SLICE_ARG(leak->reason));
}

static void test_relay(struct check_report *r)
{
	struct snapshot snapshot = { .config = r->config };
	const struct relay_settings *settings = snapshot_filter(&snapshot, relay_filter.name);
	relay_selftest(r->arena, r->config, settings->local_tricks, &r->relay);
	note_leaks(r);
}

static struct ruleset *load_rules(struct check_report *r)
{
	const struct config_rules *rules = r->config->rules;
	struct ruleset_options options = rules_options(r->config);
	options.net = true; /* all rules are told of */
	struct slice *there = arena_array(r->arena, struct slice, rules->paths.count);
	size_t count = 0;
	for (size_t i = 0; i < rules->paths.count; i++) /* config_check_files has reported the others */
		if (access(rules->paths.items[i].data, F_OK) == 0)
			there[count++] = rules->paths.items[i];
	return count > 0 ? ruleset_load(there, count, &options, &r->errors) : NULL;
}

static int check(const struct options *o)
{
	struct arena *arena = arena_create();
	struct ruleset *rules = NULL;
	struct check_report r = { .arena = arena, .errors = { .arena = arena }, .warnings = { .arena = arena } };
	struct config *config = cli_config_read(arena, o->config, &o->rules, &r.errors);
	r.config = config;
	if (config != NULL) {
		config_check_files(config, &r.errors);
		if (r.errors.count == 0) /* else told of already */
			tls_check(config, &r.errors, &r.errors);
		if (config->path.len > 0)
			config_warnings(config, &r.warnings);
		r.rules = rules = load_rules(&r);
		if (config->path.len > 0)
			check_policy(config, rules, &r.warnings);
		test_relay(&r);
	}
	if (o->json)
		check_report_json(&r);
	else
		check_report_text(&r, o->verbose);
	int status = check_report_ok(&r) ? EX_OK : EX_CONFIG;
	if (rules != NULL)
		ruleset_release(&rules);
	arena_destroy(&arena);
	return status;
}

int cli_check(int argc, char **argv)
{
	struct options o = { 0 };
	int status = EX_OK;
	switch (read_options(argc, argv, &o)) {
	case MODE_CHECK: status = check(&o); break;
	case MODE_REFERENCE: config_print_reference(stdout, filter_sections()); break;
	case MODE_HELP: fputs(usage, stdout); break;
	case MODE_BAD: status = EX_USAGE; break;
	}
	cli_paths_free(&o.rules);
	return status;
}
