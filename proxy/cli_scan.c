/*
 * gatehouse scan: saved mail through the whole pipeline, as a door would take
 * it. Exit status: 0 nothing to refuse, 1 something tagged or worse, else as
 * sysexits(3).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "filters/clamd.h"
#include "filters/registry.h"
#include "message/address.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"
#include "proxy/mail_source.h"
#include "proxy/rules_setup.h"
#include "proxy/scan_report.h"
#include "proxy/slow_rules.h"

static const char usage[] =
	"usage: gatehouse scan [-c FILE] [--rules PATH]... [--client IP] [--client-name NAME] [--helo NAME]\n"
	"                      [--from ADDRESS] [--rcpt ADDRESS]... [--user LOGIN] [--zone FILE | --offline]\n"
	"                      [--time UNIX] [--json] [-v] [--slowest N] PATH...\n"
	"PATH is a mail, - (standard input), a folder with all below it, a maildir or an mbox.\n"
	"  -c, --config FILE   default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --rules PATH        rule file or folder, instead of the configuration's; may be repeated\n"
	"  --client IP         who brought the mail; else the first relay outside our networks in Received\n"
	"  --client-name NAME  its name by reverse DNS\n"
	"  --helo NAME         what it said in EHLO\n"
	"  --from ADDRESS      reverse-path, empty for <>; else Return-Path or the like\n"
	"  --rcpt ADDRESS      recipient; may be repeated\n"
	"  --user LOGIN        who the client authenticated as\n"
	"  --zone FILE         answer DNS questions from a zone file alone\n"
	"  --offline           every DNS question fails\n"
	"  --time UNIX         the time, instead of now\n"
	"  --json              an object a line, instead of a table\n"
	"  -v, --verbose       every hit with its evidence, of many mails too\n"
	"  --slowest N         behind all, on standard error: the N rules that took longest\n"
	"exit status: 0 nothing to refuse, 1 something tagged or worse, 64 and up as sysexits(3)\n";

/* For one phase of a mail. */
#define DEADLINE_MS 60000

struct options {
	const char *config, *zone;
	struct cli_paths rules, recipients;
	const char *from;
	struct scan_mail_input mail;
	bool json, verbose, offline;
	uint64_t slowest;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },      { "rules", required_argument, NULL, 'R' },
	{ "client", required_argument, NULL, 'i' },      { "client-name", required_argument, NULL, 'n' },
	{ "helo", required_argument, NULL, 'e' },        { "from", required_argument, NULL, 'f' },
	{ "rcpt", required_argument, NULL, 'r' },        { "user", required_argument, NULL, 'u' },
	{ "zone", required_argument, NULL, 'z' },        { "time", required_argument, NULL, 't' },
	{ "json", no_argument, NULL, 'j' },              { "verbose", no_argument, NULL, 'v' },
	{ "slowest", required_argument, NULL, 's' },
	{ "offline", no_argument, NULL, 'o' },           { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

enum mode { MODE_SCAN, MODE_HELP, MODE_BAD };

/* What its value should be; NULL: it is that. */
static const char *take_option(int c, struct options *o)
{
	uint64_t unix_time = 0;
	switch (c) {
	case 'c': o->config = optarg; break;
	case 'R': cli_paths_add(&o->rules, optarg); break;
	case 'i': return ip_parse(slice_str(optarg), &o->mail.client) ? NULL : "an IP address";
	case 'n': o->mail.client_name = slice_str(optarg); break;
	case 'e': o->mail.helo = slice_str(optarg); break;
	case 'f': o->from = optarg; break;
	case 'r': cli_paths_add(&o->recipients, optarg); break;
	case 'u': o->mail.login = slice_str(optarg); break;
	case 'z': o->zone = optarg; break;
	case 'j': o->json = true; break;
	case 'v': o->verbose = true; break;
	case 'o': o->offline = true; break;
	case 's': return slice_u64(slice_str(optarg), 100000, &o->slowest) ? NULL : "a number up to 100000";
	default:
		if (!slice_u64(slice_str(optarg), INT64_MAX, &unix_time))
			return "a time in seconds since 1970";
		o->mail.now = (int64_t)unix_time;
	}
	return NULL;
}

static enum mode read_options(int argc, char **argv, struct options *o)
{
	int c;
	optind = 1;
	while ((c = cli_option("scan", argc, argv, ":c:vh", long_options)) != -1) {
		if (c == 'h' || c == '?')
			return c == 'h' ? MODE_HELP : MODE_BAD;
		const char *expected = take_option(c, o);
		if (expected != NULL) {
			cli_bad_value("scan", long_options, c, expected);
			return MODE_BAD;
		}
	}
	if (optind < argc)
		return MODE_SCAN;
	cli_bad_usage("scan", "what is to be scanned?");
	return MODE_BAD;
}

/* ---- progress, on a terminal ---- */

#define BAR_WIDTH 30

struct progress {
	bool shown;           /* is there a bar to be drawn at all */
	bool drawn;
	unsigned mails;
};

static void progress_clear(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

static void progress_draw(struct progress *p, const struct mail_source *source)
{
	uint64_t done, total;
	char bar[BAR_WIDTH + 1];
	if (!p->shown)
		return;
	mail_source_progress(source, &done, &total);
	unsigned filled = total > 0 ? (unsigned)(done * BAR_WIDTH / total) : 0;
	for (unsigned i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r[%s] %3u%%  %u mails", bar, total > 0 ? (unsigned)(done * 100 / total) : 0, p->mails);
	p->drawn = true;
}

/* ---- scanning ---- */

struct run {
	const struct options *options;
	struct snapshot *snapshot;
	struct wait_driver *driver;
	struct mail_source *source;
	struct progress progress;
	bool details;
	int status;
};

static void scan_one(struct run *run, const struct mail_item *item)
{
	struct arena *arena = arena_create();
	struct scan_mail_input input = run->options->mail;
	struct scan_mail_result result;
	struct buf out = { 0 };
	input.bytes = item->bytes;
	scan_mail(arena, run->snapshot, run->driver, &input, &result);
	if (run->options->json) {
		scan_report_json(&out, item->name, &result);
		buf_add_char(&out, '\n');
	} else {
		scan_report_text(&out, item->name, &result, run->details);
	}
	progress_clear(&run->progress);
	fwrite(out.data, 1, out.len, stdout);
	if (result.verdict.action > ACTION_ACCEPT && run->status == EX_OK)
		run->status = 1;
	run->progress.mails++;
	progress_draw(&run->progress, run->source);
	buf_free(&out);
	arena_destroy(&arena);
}

static int scan_all(struct run *run)
{
	struct mail_item item;
	const char *error = NULL;
	enum mail_next next;
	int failed = EX_OK;
	while ((next = mail_source_next(run->source, &item, &error)) != MAIL_END) {
		if (next == MAIL_ITEM) {
			scan_one(run, &item);
			continue;
		}
		progress_clear(&run->progress);
		fprintf(stderr, "gatehouse scan: %.*s: %s\n", SLICE_ARG(item.name), error);
		failed = EX_NOINPUT;
	}
	progress_clear(&run->progress);
	if (fflush(stdout) != 0)
		return EX_IOERR;
	if (run->options->slowest > 0 && run->snapshot->rules != NULL)
		slow_rules_print(stderr, run->snapshot->rules, run->options->slowest, run->progress.mails);
	return failed != EX_OK ? failed : run->status;
}

/* ---- what it takes ---- */

static int open_sources(struct run *run, int argc, char **argv)
{
	for (int i = optind; i < argc; i++) {
		const char *error;
		if (!mail_source_add(run->source, argv[i], &error)) {
			fprintf(stderr, "gatehouse scan: %s: %s\n", argv[i], error);
			return EX_NOINPUT;
		}
	}
	run->details = run->options->verbose || !mail_source_many(run->source);
	run->progress.shown = mail_source_many(run->source) && isatty(STDERR_FILENO);
	return EX_OK;
}

static int with_driver(struct run *run, const struct config *config, const struct zone *zone)
{
	char error[WAIT_ERROR_MAX];
	const struct store_config store = { .url = SLICE("memory:") };
	struct scanner_config scanner;
	const struct wait_driver_config setup = {
		.scanner = clamd_scanner(run->snapshot, &scanner) ? &scanner : NULL,
		.resolver = {
			.forward = config->dns->forward.items,
			.forward_count = config->dns->forward.count,
			.zone = zone,
			.timeout = config->dns->timeout,
			.dnssec = config->dns->dnssec,
			.trust_anchor = config->dns->trust_anchor,
		},
		.no_resolver = run->options->offline,
		.store = &store,
	};
	run->driver = wait_driver_create(&setup, error);
	if (run->driver == NULL) {
		fprintf(stderr, "gatehouse scan: %s\n", error);
		return EX_UNAVAILABLE;
	}
	int status = scan_all(run);
	wait_driver_destroy(&run->driver);
	return status;
}

static int with_zone(struct run *run, const struct config *config)
{
	const char *path = run->options->zone;
	if (path == NULL && config->dns->zone_file.len > 0)
		path = config->dns->zone_file.data;
	if (path == NULL)
		return with_driver(run, config, NULL);
	struct zone *zone = zone_create();
	int status = cli_zone_read(zone, path);
	if (status == EX_OK)
		status = with_driver(run, config, zone);
	zone_destroy(&zone);
	return status;
}

static bool parse_address(struct arena *arena, const char *text, unsigned allow, struct mailbox *mailbox_r)
{
	struct slice address = slice_str(text);
	if (address.len >= 2 && address.data[0] == '<' && address.data[address.len - 1] == '>')
		address = slice_sub(address, 1, address.len - 2);
	/* A sender like it has come already, behind a server that took it. */
	bool any = allow == ADDRESS_MAIL && slice_chr(address, '@') != SLICE_NPOS;
	enum address_error error = address_parse_any(arena, address, allow | ADDRESS_UTF8, mailbox_r);
	if (any)
		return true;
	if (error != ADDRESS_OK)
		fprintf(stderr, "gatehouse scan: %s: %s\n", text, address_error_text(error));
	return error == ADDRESS_OK;
}

static bool parse_envelope(struct arena *arena, struct options *o)
{
	struct mailbox *list = arena_array(arena, struct mailbox, o->recipients.count + 1);
	if (o->from != NULL) {
		if (!parse_address(arena, o->from, ADDRESS_MAIL, &list[o->recipients.count]))
			return false;
		o->mail.sender = &list[o->recipients.count];
	}
	for (size_t i = 0; i < o->recipients.count; i++)
		if (!parse_address(arena, o->recipients.list[i].data, ADDRESS_RCPT, &list[i]))
			return false;
	o->mail.recipients = list;
	o->mail.recipient_count = o->recipients.count;
	return true;
}

static int with_config(struct run *run, struct options *o, int argc, char **argv)
{
	/* The snapshot takes the configuration's arena over. */
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = cli_config_read(arena, o->config, &o->rules, &errors);
	struct ruleset *rules = config != NULL ? rules_setup(config, &errors) : NULL;
	int status = EX_CONFIG;
	cli_print_errors(stderr, "", &errors);
	if (config == NULL || errors.count > 0) {
		if (rules != NULL)
			ruleset_release(&rules);
		arena_destroy(&arena);
		return status;
	}
	run->snapshot = snapshot_create(config, rules, 1);
	status = open_sources(run, argc, argv);
	if (status == EX_OK)
		status = with_zone(run, config);
	snapshot_release(&run->snapshot);
	return status;
}

int cli_scan(int argc, char **argv)
{
	struct options o = { .mail = { .now = time(NULL), .deadline_ms = DEADLINE_MS } };
	enum mode mode = read_options(argc, argv, &o);
	int status = mode == MODE_HELP ? EX_OK : EX_USAGE;
	if (mode == MODE_HELP)
		fputs(usage, stdout);
	if (mode == MODE_SCAN) {
		struct arena *arena = arena_create();
		struct run run = { .options = &o, .source = mail_source_open() };
		status = parse_envelope(arena, &o) ? with_config(&run, &o, argc, argv) : EX_USAGE;
		mail_source_close(&run.source);
		arena_destroy(&arena);
	}
	cli_paths_free(&o.rules);
	cli_paths_free(&o.recipients);
	return status;
}
