/* gatehouse run, status, reload. */
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

#include "filters/registry.h"
#include "proxy/cli_config.h"
#include "proxy/commands.h"
#include "proxy/control.h"
#include "proxy/master.h"

static void usage(FILE *out, const char *command, bool json)
{
	fprintf(out, "usage: gatehouse %s [-c FILE]%s\n  -c, --config FILE   default %s\n", command, json ? " [--json]" : "",
		GATEHOUSE_CONF);
}

/* 0: go on; else the exit status + 1. json NULL: not an option here. */
static int options(int argc, char **argv, const char **path, bool *json)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;
	*path = GATEHOUSE_CONF;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		if (c == 'c') {
			*path = optarg;
		} else if (c == 'j' && json != NULL) {
			*json = true;
		} else {
			usage(c == 'h' ? stdout : stderr, argv[0], json != NULL);
			return (c == 'h' ? EX_OK : EX_USAGE) + 1;
		}
	}
	if (optind == argc)
		return 0;
	usage(stderr, argv[0], json != NULL);
	return EX_USAGE + 1;
}

int cli_run(int argc, char **argv)
{
	const char *path;
	int status = options(argc, argv, &path, NULL);
	return status ? status - 1 : master_run(path);
}

static int ask_master(int argc, char **argv, const char *command, const char *json_command)
{
	const char *path;
	char socket_path[CONTROL_PATH_MAX];
	bool json = false;
	int status = options(argc, argv, &path, json_command ? &json : NULL);
	if (status)
		return status - 1;
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = config_read(arena, path, SLICE_EMPTY, filter_sections(), &errors);
	if (config == NULL) {
		cli_print_errors(stderr, NULL, &errors);
		arena_destroy(&arena);
		return EX_CONFIG;
	}
	control_path(config, socket_path);
	arena_destroy(&arena);
	return control_ask(socket_path, json ? json_command : command);
}

int cli_status(int argc, char **argv)
{
	return ask_master(argc, argv, "status", "status json");
}

int cli_reload(int argc, char **argv)
{
	return ask_master(argc, argv, "reload", NULL);
}
