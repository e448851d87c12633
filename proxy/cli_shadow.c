/*
 * gatehouse shadow: what filters, rules and policies in shadow would have
 * done, counted out of the journal. A mail is spam here if it was tagged or
 * worse, whatever the shadow said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/arena.h"
#include "base/json.h"
#include "policy/journal.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/cli_promote.h"
#include "proxy/commands.h"

static const char usage[] =
	"usage: gatehouse shadow [-c FILE] [--json]\n"
	"       gatehouse shadow promote [-c FILE] [--write] NAME...\n"
	"Counts, over the journal, what ran in shadow: each symbol with the ham and spam it was found in, and each\n"
	"symbol, list and policy with the ham and spam it would have refused. Spam is what was tagged or worse.\n"
	"promote makes it real: NAME is a symbol or rule, or the name of a filter, policy, list or dnslist section,\n"
	"with that word in front if several have it (\"policy trial\"). It shows which line to change; --write changes it.\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --json             one JSON object\n";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "json", no_argument, NULL, 'j' },
	{ "write", no_argument, NULL, 'w' },        { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct row {
	struct slice name;
	size_t ham, spam;                 /* mails it was found in, or that it would have changed */
	size_t refused_ham, refused_spam; /* that it would have refused */
};

struct summary {
	struct arena *arena;
	struct row *rows;
	size_t count, cap, mails;
};

static struct row *row(struct summary *s, struct slice name)
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
	return &s->rows[i];
}

static void count_found(struct summary *s, struct slice name, bool spam)
{
	struct row *r = row(s, name);
	r->ham += !spam;
	r->spam += spam;
}

static bool refuses(struct slice action)
{
	return slice_eq(action, SLICE("reject")) || slice_eq(action, SLICE("defer")) ||
	       slice_eq(action, SLICE("greylist"));
}

/* "symbol IPREV_NONE would have: reject", "policy trial would have: tag" */
static void count_would(struct summary *s, struct slice text, bool spam)
{
	size_t at = slice_find(text, SLICE(" would have: "));
	struct slice name = slice_head(text, at), action = slice_from(text, at + 13);
	if (at == SLICE_NPOS)
		return;
	if (slice_starts(name, SLICE("symbol ")))
		name = slice_from(name, 7); /* counted as found already */
	else
		count_found(s, text, spam);
	if (!refuses(action))
		return;
	struct row *r = row(s, slice_starts(text, SLICE("symbol ")) ? name : text);
	r->refused_ham += !spam;
	r->refused_spam += spam;
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
		count_would(s, rest, spam);
	else if (slice_starts(line, SLICE("hit     ")) && colon != SLICE_NPOS &&
		 colon < slice_find(line, SLICE(": ")))
		count_found(s, slice_head(rest, slice_chr(rest, ' ')), spam);
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

static void print_text(const struct summary *s)
{
	printf("%zu entries in the journal\n%17s %17s\n%8s %8s %8s %8s\n", s->mails, "in", "would refuse", "ham", "spam",
	       "ham", "spam");
	for (size_t i = 0; i < s->count; i++)
		printf("%8zu %8zu %8zu %8zu  %.*s\n", s->rows[i].ham, s->rows[i].spam, s->rows[i].refused_ham,
		       s->rows[i].refused_spam, SLICE_ARG(s->rows[i].name));
}

static void print_json(const struct summary *s)
{
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	json_open_object(&j);
	json_num(&j, "entries", (int64_t)s->mails);
	json_key(&j, "shadow");
	json_open_array(&j);
	for (size_t i = 0; i < s->count; i++) {
		json_open_object(&j);
		json_str(&j, "name", s->rows[i].name);
		json_num(&j, "ham", (int64_t)s->rows[i].ham);
		json_num(&j, "spam", (int64_t)s->rows[i].spam);
		json_num(&j, "refused_ham", (int64_t)s->rows[i].refused_ham);
		json_num(&j, "refused_spam", (int64_t)s->rows[i].refused_spam);
		json_close_object(&j);
	}
	json_close_array(&j);
	json_close_object(&j);
	puts(buf_cstr(&out));
	buf_free(&out);
}

static int summarize(const char *path, bool json)
{
	char folder[1100];
	int status = EX_CONFIG;
	struct summary s = { .arena = arena_create() };
	struct config_errors errors = { .arena = s.arena };
	const struct config *config = cli_config_read(s.arena, path, NULL, &errors);
	if (config == NULL) {
		cli_print_errors(stderr, "", &errors);
	} else {
		snprintf(folder, sizeof(folder), "%.*s/journal", SLICE_ARG(slice_head(config->state->directory, 1000)));
		journal_each(folder, add_entry, &s);
		if (s.count > 0)
			qsort(s.rows, s.count, sizeof(*s.rows), by_count);
		if (json)
			print_json(&s);
		else
			print_text(&s);
		status = EX_OK;
	}
	free(s.rows);
	arena_destroy(&s.arena);
	return status;
}

int cli_shadow(int argc, char **argv)
{
	static const char *const verbs[] = { "promote", NULL };
	const char *path = NULL;
	bool json = false, write = false;
	int c;
	optind = 1;
	while ((c = cli_option("shadow", argc, argv, ":c:h", long_options)) != -1) {
		switch (c) {
		case 'c': path = optarg; break;
		case 'j': json = true; break;
		case 'w': write = true; break;
		case 'h': fputs(usage, stdout); return EX_OK;
		default: return EX_USAGE;
		}
	}
	char **words = argv + optind;
	int count = argc - optind;
	if (count == 0)
		return write ? cli_bad_usage("shadow", "--write belongs to promote") : summarize(path, json);
	if (strcmp(words[0], "promote") != 0)
		return cli_bad_verb("shadow", words[0], verbs);
	if (count == 1)
		return cli_bad_usage("shadow", "promote needs the name of what is in shadow");
	return cli_promote(path, write, words + 1, count - 1);
}
