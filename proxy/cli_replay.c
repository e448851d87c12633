/*
 * gatehouse replay: what became of a message under the rules of then, beside
 * what would become of it under today's. Exit status: 0 the same, 1 another
 * action, else as sysexits(3).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "filters/clamd.h"
#include "message/message.h"
#include "policy/journal.h"
#include "policy/kept.h"
#include "policy/quarantine.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"
#include "proxy/mail_source.h"
#include "proxy/replay.h"
#include "proxy/replay_report.h"
#include "proxy/rules_setup.h"

static const char usage[] =
	"usage: gatehouse replay [-c FILE] [--rules PATH]... [--mail FILE] [--state FOLDER] [--ask] [--json] ID|FILE...\n"
	"Runs a session of the journal again, with the answers recorded then, under the rules and the configuration\n"
	"there are now, and shows what differs. The mail is taken from --mail, from the copies that state.keep-mail\n"
	"makes, or from the quarantine; without it, what was found in it then is taken as it was. FILE is what\n"
	"gatehouse why --record printed, here or elsewhere.\n"
	"  -c, --config FILE  the configuration to try\n"
	"  --rules PATH       rule file or folder, instead of the configuration's; may be repeated\n"
	"  --mail FILE        the mail\n"
	"  --state FOLDER     where journal, copies and quarantine are, if not in that configuration's state.directory\n"
	"  --ask              ask the name servers what was not asked then; else that fails\n"
	"  --json             an object a line\n"
	"exit status: 0 the same action, 1 another one, 66 nothing is known of it, 64 and up as sysexits(3)\n";

/* For one phase. */
#define DEADLINE_MS 60000
#define RECORD_MAX (64u << 20) /* of a file */

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "rules", required_argument, NULL, 'R' },
	{ "mail", required_argument, NULL, 'm' },   { "state", required_argument, NULL, 's' },
	{ "ask", no_argument, NULL, 'a' },          { "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
};

struct options {
	const char *config, *mail, *state;
	struct cli_paths rules;
	bool ask, json;
};

struct command {
	struct options options;
	struct snapshot *snapshot;
	struct slice folder;       /* of journal, copies, quarantine */
	const struct session_record *record;
	struct replay_report *report;
};

/* ---- answers */

/* Of the store, what was not asked then is as if never seen. */
static bool recorded(void *arg, const struct question *q, struct answer *answer_r)
{
	struct command *c = arg;
	const struct answer *a = session_record_answer(c->record, q);
	if (a != NULL) {
		*answer_r = *a;
		return true;
	}
	replay_report_new_question(c->report, q);
	if (q->kind == QUESTION_STORE || c->options.ask)
		return false;
	*answer_r = (struct answer){ .status = ANSWER_TEMPERROR, .why = "not recorded" };
	return true;
}

static struct wait_driver *make_driver(struct command *c)
{
	static const struct store_config store = { .url = SLICE("memory:") };
	static struct scanner_config scanner;
	const struct config_dns *dns = c->snapshot->config->dns;
	char error[WAIT_ERROR_MAX];
	const struct wait_driver_config setup = {
		.scanner = clamd_scanner(c->snapshot, &scanner) ? &scanner : NULL,
		.resolver = { .forward = dns->forward.items, .forward_count = dns->forward.count,
			      .timeout = dns->timeout, .dnssec = dns->dnssec, .trust_anchor = dns->trust_anchor },
		.no_resolver = !c->options.ask, .store = &store, .recorded = recorded, .recorded_arg = c,
	};
	struct wait_driver *driver = wait_driver_create(&setup, error);
	if (driver == NULL)
		fprintf(stderr, "gatehouse replay: %s\n", error);
	return driver;
}

/* ---- the mail */

static bool mail_of_file(struct arena *arena, const char *path, struct slice *mail_r)
{
	struct mail_source *source = mail_source_open();
	struct mail_item item;
	const char *error = "holds no mail";
	bool ok = mail_source_add(source, path, &error) && mail_source_next(source, &item, &error) == MAIL_ITEM;
	if (ok)
		*mail_r = arena_copy(arena, item.bytes);
	else
		fprintf(stderr, "gatehouse replay: %s: %s\n", path, error);
	mail_source_close(&source);
	return ok;
}

/* Ours stand on top; the last of them is an X-Spam field, and no other mail has such. */
static struct slice without_ours(struct arena *arena, struct slice mail)
{
	struct message m = { 0 };
	size_t end = 0;
	message_parse(&m, arena, mail, SIZE_MAX);
	for (size_t i = 0; i < m.header_count; i++)
		if (slice_starts_nocase(m.headers[i].name, SLICE("X-Spam-")))
			end = (size_t)(m.headers[i].field.data + m.headers[i].field.len - mail.data);
	return slice_from(mail, end);
}

static bool mail_of_quarantine(struct arena *arena, struct slice folder, struct slice id, struct slice *mail_r)
{
	struct quarantine_open held;
	char error[QUARANTINE_ERROR_MAX];
	struct slice dir = arena_printf(arena, "%.*s/quarantine", SLICE_ARG(folder));
	if (!quarantine_open(dir.data, id, false, &held, error))
		return false;
	*mail_r = without_ours(arena, arena_copy(arena, held.message));
	quarantine_close(&held);
	return true;
}

/* False: said why. No mail is no error. */
static bool find_mail(struct command *c, struct arena *arena, struct slice id, struct slice *mail_r, const char **from_r)
{
	struct slice kept = arena_printf(arena, "%.*s/kept", SLICE_ARG(c->folder));
	*mail_r = SLICE_EMPTY;
	*from_r = "not there";
	if (c->options.mail != NULL) {
		*from_r = c->options.mail;
		return mail_of_file(arena, c->options.mail, mail_r);
	}
	if (kept_read(arena, kept, id, mail_r))
		*from_r = "kept";
	else if (mail_of_quarantine(arena, c->folder, id, mail_r))
		*from_r = "in the quarantine";
	return true;
}

/* ---- */

static int replay(struct command *c, struct arena *arena, struct slice id, const struct session_record *record)
{
	struct replay_report *report = arena_new(arena, struct replay_report);
	struct replay_result result;
	struct replay_input in = { .record = record, .id = arena_str(arena, id), .deadline_ms = DEADLINE_MS };
	*report = (struct replay_report){ .arena = arena, .id = id, .record = record };
	if (!find_mail(c, arena, id, &in.mail, &report->mail_from))
		return EX_NOINPUT;
	report->mail_missing = in.mail.data == NULL && record->has_message;
	c->record = record;
	c->report = report;
	struct wait_driver *driver = make_driver(c);
	if (driver == NULL)
		return EX_UNAVAILABLE;
	replay_run(arena, c->snapshot, driver, &in, &result);
	struct buf out = { 0 };
	bool same = replay_report_write(&out, report, &result, c->options.json);
	fwrite(out.data, 1, out.len, stdout);
	buf_free(&out);
	wait_driver_destroy(&driver);
	return same ? EX_OK : 1;
}

/* "= ID TIME HOW" */
static struct slice id_of(struct slice entries)
{
	struct slice line = slice_from(slice_head(entries, slice_chr(entries, '\n')), 2);
	return slice_starts(entries, SLICE("= ")) ? slice_head(line, slice_chr(line, ' ')) : SLICE_EMPTY;
}

static size_t read_entries(const char *path, struct buf *out)
{
	char part[65536];
	FILE *f = fopen(path, "r");
	for (size_t n; f != NULL && (n = fread(part, 1, sizeof(part), f)) > 0 && out->len < RECORD_MAX;)
		buf_add_slice(out, slice_make(part, n));
	if (f != NULL)
		fclose(f);
	return out->len > 0;
}

static int replay_id(struct command *c, const char *text)
{
	struct slice id = slice_str(text);
	struct buf entries = { 0 };
	struct session_record record;
	char journal[1100];
	/* As it stands in a reply. */
	if (slice_starts(id, SLICE("(")) && slice_ends(id, SLICE(")")))
		id = slice_sub(id, 1, id.len - 2);
	snprintf(journal, sizeof(journal), "%.*s/journal", SLICE_ARG(slice_head(c->folder, 1000)));
	int status = EX_NOINPUT;
	bool is_file = access(text, R_OK) == 0;
	size_t n = is_file ? read_entries(text, &entries) : journal_find(journal, id, &entries);
	struct arena *arena = arena_create();
	if (is_file)
		id = arena_copy(arena, id_of(buf_slice(&entries)));
	if (n > 0 && session_record_read(arena, arena_copy(arena, buf_slice(&entries)), &record))
		status = replay(c, arena, id, &record);
	else
		fprintf(stderr, "gatehouse replay: %s has %s %s\n", is_file ? "the file" : journal,
			n > 0 ? "no record of" : "nothing of", text);
	arena_destroy(&arena);
	buf_free(&entries);
	return status;
}

static bool read_snapshot(struct command *c)
{
	/* The snapshot takes the configuration's arena over. */
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = cli_config_read(arena, c->options.config, &c->options.rules, &errors);
	struct ruleset *rules = config != NULL ? rules_setup(config, &errors) : NULL;
	cli_print_errors(stderr, "", &errors);
	if (config == NULL || errors.count > 0) {
		if (rules != NULL)
			ruleset_release(&rules);
		arena_destroy(&arena);
		return false;
	}
	c->snapshot = snapshot_create(config, rules, 1);
	c->folder = c->options.state != NULL ? slice_str(c->options.state) : config->state->directory;
	return true;
}

/* 0: go on; else an exit status to leave with, plus one. */
static int read_options(int argc, char **argv, struct options *o)
{
	int c;
	optind = 1;
	while ((c = cli_option("replay", argc, argv, ":c:h", long_options)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'R': cli_paths_add(&o->rules, optarg); break;
		case 'm': o->mail = optarg; break;
		case 's': o->state = optarg; break;
		case 'a': o->ask = true; break;
		case 'j': o->json = true; break;
		case 'h': fputs(usage, stdout); return EX_OK + 1;
		default: return EX_USAGE + 1;
		}
	}
	if (optind == argc)
		return cli_bad_usage("replay", "an id, or a file of gatehouse why --record, is needed") + 1;
	if (o->mail != NULL && optind + 1 < argc)
		return cli_bad_usage("replay", "--mail is the mail of one id; here are several") + 1;
	return 0;
}

int cli_replay(int argc, char **argv)
{
	struct command c = { 0 };
	int status = read_options(argc, argv, &c.options) - 1;
	if (status < 0 && !read_snapshot(&c))
		status = EX_CONFIG;
	if (status < 0) {
		status = EX_OK;
		for (int i = optind; i < argc; i++) {
			int one = replay_id(&c, argv[i]);
			status = one > status ? one : status;
		}
		snapshot_release(&c.snapshot);
	}
	cli_paths_free(&c.options.rules);
	return status;
}
