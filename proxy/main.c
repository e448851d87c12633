/* gatehouse: one program, many commands. Adding one: a row here, its function in commands.h. */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/nearest.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static const struct command COMMANDS[] = {
	{ "run", cli_run, "run the gateway in the foreground" },
	{ "check", cli_check, "read the configuration and the rules, say what is wrong with them" },
	{ "scan", cli_scan, "run saved mail through all filters" },
	{ "rules", cli_rules, "list the rules, explain one" },
	{ "spf", cli_spf, "what SPF says of a client, a HELO name and a sender" },
	{ "why", cli_why, "what became of a message, and why" },
	{ "replay", cli_replay, "a session of the journal again, under the rules of today" },
	{ "shadow", cli_shadow, "what runs in shadow would have done" },
	{ "quarantine", cli_quarantine, "list, show, release or expire mail that was put aside" },
	{ "status", cli_status, "counters of a running gateway" },
	{ "reload", cli_reload, "have a running gateway read its configuration again" },
	{ "compiler", compiler_main, NULL }, /* these are executed by the master only */
	{ "rule-images", rule_images_main, NULL },
	{ "worker", worker_main, NULL },
	{ "milter-worker", milter_worker_main, NULL },
};
#define COMMAND_COUNT (sizeof(COMMANDS) / sizeof(*COMMANDS))

static void print_usage(FILE *out)
{
	fputs("usage: gatehouse COMMAND [ARGUMENTS]\n"
	      "       gatehouse COMMAND --help\n"
	      "       gatehouse --version\n\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (COMMANDS[i].help != NULL)
			fprintf(out, "  %-12s %s\n", COMMANDS[i].name, COMMANDS[i].help);
	fputs("\nManuals: gatehouse(8), gatehouse.conf(5), gatehouse-rules(5)\n", out);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(COMMANDS[i].name, name) == 0)
			return &COMMANDS[i];
	return NULL;
}

static int unknown(const char *name)
{
	struct nearest n = nearest_begin(slice_str(name));
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (COMMANDS[i].help != NULL)
			nearest_try(&n, slice_str(COMMANDS[i].name));
	if (n.best.len > 0)
		return cli_bad_usage("", "unknown command '%s': did you mean '%.*s'?", name, SLICE_ARG(n.best));
	return cli_bad_usage("", "unknown command '%s'", name);
}

static int help_of(const char *name)
{
	const struct command *command = find(name);
	char option[] = "--help";
	char *argv[] = { (char *)(uintptr_t)name, option, NULL };
	return command == NULL ? unknown(name) : command->run(2, argv);
}

/* What the program says of itself; -1: the word is none of these. */
static int about(const char *word)
{
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		puts("gatehouse " GATEHOUSE_VERSION);
		return EX_OK;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		print_usage(stdout);
		return EX_OK;
	}
	return -1;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return EX_USAGE;
	}
	if (argc > 2 && strcmp(argv[1], "help") == 0)
		return help_of(argv[2]);
	int status = about(argv[1]);
	if (status >= 0)
		return status;
	const struct command *command = find(argv[1]);
	return command == NULL ? unknown(argv[1]) : command->run(argc - 1, argv + 1);
}
