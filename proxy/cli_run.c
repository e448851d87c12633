/* gatehouse run, status, reload. */
#include <stdio.h>
#include <sysexits.h>

#include "filters/registry.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"
#include "proxy/control.h"
#include "proxy/master.h"

static const char run_usage[] =
	"usage: gatehouse run [-c FILE]\n"
	"Runs the gateway in the foreground. SIGHUP reads the configuration again, SIGTERM ends it when its\n"
	"sessions have ended.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF "\n";

static const char status_usage[] =
	"usage: gatehouse status [-c FILE] [--json]\n"
	"Prints the counters of the gateway that runs with this configuration.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF "\n"
	"  --json             one JSON object\n"
	"Exit status 69: it doesn't run.\n";

static const char reload_usage[] =
	"usage: gatehouse reload [-c FILE]\n"
	"Has the gateway that runs with this configuration read it again. A bad one is refused with file and\n"
	"line (exit status 78), and the old one stays in force.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF "\n"
	"Exit status 69: it doesn't run.\n";

/* 0: go on; else the exit status + 1. json NULL: not an option here. */
static int options(int argc, char **argv, const char *usage, const char **path, bool *json)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	*path = GATEHOUSE_CONF;
	optind = 1;
	while ((c = cli_option(argv[0], argc, argv, ":c:h", json != NULL ? longs : longs + 1)) != -1) {
		switch (c) {
		case 'c': *path = optarg; break;
		case 'j': *json = true; break;
		case 'h': fputs(usage, stdout); return EX_OK + 1;
		default: return EX_USAGE + 1;
		}
	}
	return optind == argc ? 0 : cli_bad_usage(argv[0], "unexpected argument '%s'", argv[optind]) + 1;
}

int cli_run(int argc, char **argv)
{
	const char *path;
	int status = options(argc, argv, run_usage, &path, NULL);
	return status ? status - 1 : master_run(path);
}

static int ask_master(int argc, char **argv, const char *usage, const char *command, const char *json_command)
{
	const char *path;
	char socket_path[CONTROL_PATH_MAX];
	bool json = false;
	int status = options(argc, argv, usage, &path, json_command ? &json : NULL);
	if (status)
		return status - 1;
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = config_read(arena, path, SLICE_EMPTY, filter_sections(), &errors);
	if (config == NULL) {
		cli_print_errors(stderr, "", &errors);
		arena_destroy(&arena);
		return EX_CONFIG;
	}
	control_path(config, socket_path);
	arena_destroy(&arena);
	return control_ask(socket_path, json ? json_command : command);
}

int cli_status(int argc, char **argv)
{
	return ask_master(argc, argv, status_usage, "status", "status json");
}

int cli_reload(int argc, char **argv)
{
	return ask_master(argc, argv, reload_usage, "reload", NULL);
}
