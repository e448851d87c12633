/*
 * gatehouse check: reads the configuration as `run` would, and says what is
 * wrong and what is dangerous.
 */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "base/json.h"
#include "filters/registry.h"
#include "proxy/cli_config.h"
#include "proxy/commands.h"

static const char usage[] =
	"usage: gatehouse check [-c FILE] [--rules PATH...] [--json]\n"
	"       gatehouse check --reference\n"
	"Reads the configuration and the rules; prints what is wrong (exit status 78) or dangerous.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --rules PATH...    rule files and folders, instead of those of the configuration\n"
	"  --json             one JSON object\n"
	"  --reference        print gatehouse.conf(5), the manual of all settings, in mdoc\n";

struct options {
	const char *config;
	struct cli_paths rules;
	bool json;
};

/* All that was found. */
struct report {
	struct arena *arena;
	struct config_errors errors, warnings;
	const struct config *config; /* NULL: it can't be read */
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },  { "rules", required_argument, NULL, 'r' },
	{ "json", no_argument, NULL, 'j' },	     { "reference", no_argument, NULL, 'R' },
	{ "help", no_argument, NULL, 'h' },	     { NULL, 0, NULL, 0 },
};

enum mode { MODE_CHECK, MODE_REFERENCE, MODE_HELP, MODE_BAD };

static enum mode read_options(int argc, char **argv, struct options *o)
{
	enum mode mode = MODE_CHECK;
	int c;
	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'r': cli_paths_add(&o->rules, optarg); break;
		case 'j': o->json = true; break;
		case 'R': mode = MODE_REFERENCE; break;
		case 'h': return MODE_HELP;
		default: return MODE_BAD;
		}
	}
	if (optind < argc && o->rules.count == 0) {
		fprintf(stderr, "gatehouse check: unexpected argument '%s'\n", argv[optind]);
		return MODE_BAD;
	}
	for (; optind < argc; optind++)
		cli_paths_add(&o->rules, argv[optind]);
	return mode;
}

static void json_errors(struct json *j, const char *key, const struct config_errors *errors)
{
	json_key(j, key);
	json_open_array(j);
	for (size_t i = 0; i < errors->count; i++) {
		json_open_object(j);
		json_str(j, "file", errors->list[i].file);
		json_num(j, "line", errors->list[i].line);
		json_str(j, "message", errors->list[i].message);
		json_close_object(j);
	}
	json_close_array(j);
}

static void print_json(const struct report *r, bool ok)
{
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	json_open_object(&j);
	json_flag(&j, "ok", ok);
	json_errors(&j, "errors", &r->errors);
	json_errors(&j, "warnings", &r->warnings);
	json_close_object(&j);
	puts(buf_cstr(&out));
	buf_free(&out);
}

static void print_text(const struct report *r, bool ok)
{
	cli_print_errors(stderr, "", &r->errors);
	cli_print_errors(stderr, "warning: ", &r->warnings);
	if (ok)
		puts("The configuration is good.");
}

static int check(const struct options *o)
{
	struct arena *arena = arena_create();
	struct report r = { .arena = arena, .errors = { .arena = arena }, .warnings = { .arena = arena } };
	struct config *config = cli_config_read(arena, o->config, &o->rules, &r.errors);
	r.config = config;
	if (config != NULL)
		config_warnings(config, &r.warnings);
	bool ok = r.errors.total == 0;
	(o->json ? print_json : print_text)(&r, ok);
	arena_destroy(&arena);
	return ok ? EX_OK : EX_CONFIG;
}

int cli_check(int argc, char **argv)
{
	struct options o = { 0 };
	int status = EX_OK;
	switch (read_options(argc, argv, &o)) {
	case MODE_CHECK: status = check(&o); break;
	case MODE_REFERENCE: config_print_reference(stdout, filter_sections()); break;
	case MODE_HELP: fputs(usage, stdout); break;
	case MODE_BAD: fputs(usage, stderr); status = EX_USAGE; break;
	}
	cli_paths_free(&o.rules);
	return status;
}
