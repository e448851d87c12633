/* gatehouse why: all that the journal has of an id. */
#include <stdio.h>
#include <sysexits.h>

#include "base/arena.h"
#include "policy/journal.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"

static const char usage[] =
	"usage: gatehouse why [-c FILE] [--record] ID...\n"
	"Prints what became of a message, and why: its session, each finding with its evidence, each answer of\n"
	"the name servers, the policy that decided, and what would have made it different. The id stands in\n"
	"brackets at the end of each answer to a client, in the log, and in the Received field. Behind a mail\n"
	"server's milter its queue id will do.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --record           every octet of every answer too: a file for gatehouse replay\n"
	"Exit status 66: the journal has nothing of it (any more).\n";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "record", no_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
};

/* Lines with "@" are for gatehouse replay. */
static void print_lines(struct slice rest, bool record)
{
	struct slice line;
	while (rest.data != NULL && rest.len > 0 && slice_split(&rest, '\n', &line))
		if (record || !slice_starts(line, SLICE("@")))
			printf("%.*s\n", SLICE_ARG(line));
}

static bool print_entries(const char *folder, const char *id, bool record)
{
	struct buf out = { 0 };
	struct slice text = slice_str(id);
	/* As it stands in a reply. */
	if (slice_starts(text, SLICE("(")) && slice_ends(text, SLICE(")")))
		text = slice_sub(text, 1, text.len - 2);
	size_t n = journal_find(folder, text, &out);
	if (n > 0)
		print_lines(buf_slice(&out), record);
	else
		fprintf(stderr, "gatehouse why: the journal %s has nothing of %s\n", folder, id);
	buf_free(&out);
	return n > 0;
}

int cli_why(int argc, char **argv)
{
	const char *path = NULL;
	char folder[1100];
	int c, status = EX_OK;
	bool record = false;
	optind = 1;
	while ((c = cli_option("why", argc, argv, ":c:h", long_options)) != -1) {
		if (c == 'c')
			path = optarg;
		else if (c == 'r')
			record = true;
		else
			return c == 'h' ? fputs(usage, stdout), EX_OK : EX_USAGE;
	}
	if (optind == argc)
		return cli_bad_usage("why", "the id of a message is needed");
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	const struct config *config = cli_config_read(arena, path, NULL, &errors);
	if (config == NULL) {
		cli_print_errors(stderr, "", &errors);
		status = EX_CONFIG;
	} else {
		snprintf(folder, sizeof(folder), "%.*s/journal", SLICE_ARG(slice_head(config->state->directory, 1000)));
		for (int i = optind; i < argc; i++)
			status = print_entries(folder, argv[i], record) ? status : EX_NOINPUT;
	}
	arena_destroy(&arena);
	return status;
}
