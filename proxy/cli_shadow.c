/*
 * gatehouse shadow: what filters, rules and policies in shadow would have
 * done, counted out of the journal. A mail is spam here if it was tagged or
 * worse, whatever the shadow said.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/arena.h"
#include "policy/journal.h"
#include "proxy/cli_config.h"
#include "proxy/commands.h"

static const char usage[] =
	"usage: gatehouse shadow [-c FILE]\n"
	"Counts, over the journal, what ran in shadow: each symbol with the ham and spam it was found in, and each\n"
	"policy with what it would have done. To make it real, take `shadow = on` out of its section and reload.\n";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
};

struct row {
	struct slice name;
	size_t ham, spam;
};

struct summary {
	struct arena *arena;
	struct row *rows;
	size_t count, cap, mails;
};

static void count(struct summary *s, struct slice name, bool spam)
{
	size_t i = 0;
	while (i < s->count && !slice_eq(s->rows[i].name, name))
		i++;
	if (i == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 32;
		s->rows = xrealloc(s->rows, s->cap * sizeof(*s->rows));
	}
	if (i == s->count)
		s->rows[s->count++] = (struct row){ .name = arena_copy(s->arena, name) };
	s->rows[i].ham += !spam;
	s->rows[i].spam += spam;
}

/* The verdict line begins "verdict ACTION ". */
static bool is_spam(struct slice entry)
{
	size_t at = slice_find(entry, SLICE("\nverdict "));
	struct slice action = slice_from(entry, at == SLICE_NPOS ? entry.len : at + 9);
	return at != SLICE_NPOS && !slice_starts(action, SLICE("accept "));
}

static void add_line(struct summary *s, struct slice line, bool spam)
{
	struct slice rest = slice_trim_left(slice_from(line, 8));
	size_t colon = slice_find(line, SLICE(" in shadow: "));
	if (slice_starts(line, SLICE("shadow  ")))
		count(s, rest, spam);
	else if (slice_starts(line, SLICE("hit     ")) && colon != SLICE_NPOS &&
		 colon < slice_find(line, SLICE(": ")))
		count(s, slice_head(rest, slice_chr(rest, ' ')), spam);
}

static void add_entry(void *arg, struct slice entry)
{
	struct summary *s = arg;
	struct slice rest = entry, line;
	bool spam = is_spam(entry);
	s->mails++;
	while (rest.data != NULL && slice_split(&rest, '\n', &line))
		add_line(s, line, spam);
}

static int by_count(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	size_t n = x->ham + x->spam, m = y->ham + y->spam;
	return n != m ? (n < m ? 1 : -1) : slice_cmp(x->name, y->name);
}

static void print(struct summary *s)
{
	if (s->count > 0)
		qsort(s->rows, s->count, sizeof(*s->rows), by_count);
	printf("%zu entries in the journal\n%8s %8s  in shadow\n", s->mails, "ham", "spam");
	for (size_t i = 0; i < s->count; i++)
		printf("%8zu %8zu  %.*s\n", s->rows[i].ham, s->rows[i].spam, SLICE_ARG(s->rows[i].name));
}

int cli_shadow(int argc, char **argv)
{
	const char *path = NULL;
	char folder[1100];
	int c, status = EX_CONFIG;
	optind = 1;
	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		if (c == 'c')
			path = optarg;
		else
			return fputs(usage, c == 'h' ? stdout : stderr), c == 'h' ? EX_OK : EX_USAGE;
	}
	struct summary s = { .arena = arena_create() };
	struct config_errors errors = { .arena = s.arena };
	const struct config *config = cli_config_read(s.arena, path, NULL, &errors);
	if (config == NULL) {
		cli_print_errors(stderr, "", &errors);
	} else {
		snprintf(folder, sizeof(folder), "%.*s/journal", SLICE_ARG(slice_head(config->state->directory, 1000)));
		journal_each(folder, add_entry, &s);
		print(&s);
		status = EX_OK;
	}
	free(s.rows);
	arena_destroy(&s.arena);
	return status;
}
