/* gatehouse quarantine: what was put aside, and letting it go. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "policy/quarantine.h"
#include "proxy/cli_config.h"
#include "proxy/cli_usage.h"
#include "proxy/commands.h"
#include "proxy/release.h"

static const char usage[] =
	"usage: gatehouse quarantine list [-c FILE] [--json]\n"
	"       gatehouse quarantine show [-c FILE] ID\n"
	"       gatehouse quarantine release [-c FILE] [--to ADDRESS] [--again] ID...\n"
	"       gatehouse quarantine expire [-c FILE] [--older AGE]\n"
	"list     one line a mail: id, time, score, sender, recipients, subject\n"
	"show     the message, as the server behind would have had it; its envelope on stderr\n"
	"release  hands mails to the server behind, each once: --again repeats it, --to sends it to somebody else\n"
	"expire   removes what is older than state.quarantine-keep, or than AGE (7d, 12h)\n"
	"  -c, --config FILE  default: " GATEHOUSE_CONF ", else built-in defaults\n"
	"  --json             an object a line\n";

struct options {
	const char *config, *to, *older;
	bool json, again;
};

struct command {
	struct options options;
	struct snapshot *snapshot;
	char dir[1100];
	size_t shown;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "to", required_argument, NULL, 't' },
	{ "older", required_argument, NULL, 'o' },  { "json", no_argument, NULL, 'j' },
	{ "again", no_argument, NULL, 'a' },        { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* ---- list */

/* Of one line, and nothing that a terminal would obey. */
static void print_safely(FILE *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		fputc(c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0 && (i == 0 || s.data[i - 1] == '\xc2')) ? '?' : c, out);
	}
}

static void print_time(FILE *out, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;
	char text[32];
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fputs(text, out);
}

static bool list_text(void *arg, const struct quarantine_entry *e)
{
	struct command *c = arg;
	c->shown++;
	printf("%.*s ", SLICE_ARG(e->id));
	print_time(stdout, e->time);
	printf(" %7.1f %s <", e->score, e->released ? "released" : "held    ");
	print_safely(stdout, e->sender);
	fputs("> to ", stdout);
	for (size_t i = 0; i < e->recipient_count; i++) {
		fputs(i ? ",<" : "<", stdout);
		print_safely(stdout, e->recipients[i]);
		fputc('>', stdout);
	}
	fputs("  ", stdout);
	print_safely(stdout, e->subject);
	fputc('\n', stdout);
	return true;
}

static bool list_json(void *arg, const struct quarantine_entry *e)
{
	struct command *c = arg;
	struct buf out = { 0 };
	struct json j = json_begin(&out);
	char ip[IP_TEXT_MAX];
	c->shown++;
	json_open_object(&j);
	json_str(&j, "id", e->id);
	json_num(&j, "time", e->time);
	json_flag(&j, "released", e->released);
	json_real(&j, "score", e->score);
	json_str(&j, "policy", e->policy);
	json_str(&j, "why", e->why);
	json_str(&j, "client", slice_str(ip_text(&e->client.ip, ip)));
	json_str(&j, "sender", e->sender);
	json_key(&j, "recipients");
	json_open_array(&j);
	for (size_t i = 0; i < e->recipient_count; i++)
		json_string(&j, e->recipients[i]);
	json_close_array(&j);
	json_str(&j, "subject", e->subject);
	json_num(&j, "size", (int64_t)e->size);
	json_close_object(&j);
	puts(buf_cstr(&out));
	buf_free(&out);
	return true;
}

static int list(struct command *c, int argc, char **argv)
{
	if (argc != 0)
		return cli_bad_usage("quarantine", "unexpected argument '%s'", argv[0]);
	size_t bad = quarantine_each(c->dir, c->options.json ? list_json : list_text, c);
	if (bad > 0)
		fprintf(stderr, "gatehouse quarantine: %zu files can't be read\n", bad);
	return bad > 0 ? EX_IOERR : EX_OK;
}

/* ---- show */

static int show(struct command *c, int argc, char **argv)
{
	struct quarantine_open mail;
	char error[QUARANTINE_ERROR_MAX];
	if (argc != 1)
		return cli_bad_usage("quarantine", "show needs the id of one mail");
	if (!quarantine_open(c->dir, slice_str(argv[0]), false, &mail, error)) {
		fprintf(stderr, "gatehouse quarantine: %s\n", error);
		return EX_NOINPUT;
	}
	const struct quarantine_entry *e = &mail.entry;
	char ip[IP_TEXT_MAX];
	fprintf(stderr, "%.*s: %s, score %.1f, policy %.*s: %.*s\nclient %s, sender <", SLICE_ARG(e->id),
		e->released ? "released" : "held", e->score, SLICE_ARG(e->policy), SLICE_ARG(e->why),
		ip_text(&e->client.ip, ip));
	print_safely(stderr, e->sender);
	fputs(">\n", stderr);
	for (size_t i = 0; i < e->recipient_count; i++) {
		fputs("recipient <", stderr);
		print_safely(stderr, e->recipients[i]);
		fputs(">\n", stderr);
	}
	fwrite(mail.message.data, 1, mail.message.len, stdout);
	quarantine_close(&mail);
	return EX_OK;
}

/* ---- release */

static void record(const struct quarantine_entry *e, struct slice to, const char *reply)
{
	log_line(LOG_INFO, NULL, "quarantine release", "%.*s to %.*s: %s", SLICE_ARG(e->id),
		 SLICE_ARG(to.len ? to : SLICE("its recipients")), reply);
}

static int release_one(struct command *c, const char *id)
{
	struct quarantine_open mail;
	struct slice to = slice_str(c->options.to);
	char text[QUARANTINE_ERROR_MAX];
	if (!quarantine_open(c->dir, slice_str(id), true, &mail, text)) {
		fprintf(stderr, "gatehouse quarantine: %s\n", text);
		return EX_NOINPUT;
	}
	int status = EX_OK;
	if (mail.entry.released && !c->options.again) {
		fprintf(stderr, "gatehouse quarantine: %s has been released already; --again repeats it\n", id);
		status = EX_DATAERR;
	} else if (!release_mail(c->snapshot, &mail, to, text)) {
		fprintf(stderr, "gatehouse quarantine: %s is still held: %s\n", id, text);
		status = EX_TEMPFAIL;
	} else {
		record(&mail.entry, to, text);
		/* Sent to somebody else it has not reached who it was for. */
		if (to.len == 0 && !quarantine_mark_released(c->dir, &mail, text)) {
			fprintf(stderr, "gatehouse quarantine: %s was handed over, but %s\n", id, text);
			status = EX_IOERR;
		} else {
			printf("%s released\n", id);
		}
	}
	quarantine_close(&mail);
	return status;
}

static int release(struct command *c, int argc, char **argv)
{
	int status = EX_OK;
	const struct config_log *log = c->snapshot->config->log;
	log_open((enum log_target)log->target, (enum log_format)log->format, (enum log_level)log->level, "quarantine");
	if (argc < 1)
		return cli_bad_usage("quarantine", "release needs the id of a mail");
	for (int i = 0; i < argc; i++) {
		int one = release_one(c, argv[i]);
		status = one != EX_OK ? one : status;
	}
	return status;
}

/* ---- expire */

static int expire(struct command *c, int argc, char **argv)
{
	const struct config_state *state = c->snapshot->config->state;
	int64_t keep = state->quarantine_keep;
	if (argc != 0)
		return cli_bad_usage("quarantine", "unexpected argument '%s'", argv[0]);
	if (c->options.older != NULL && !setting_parse_time(slice_str(c->options.older), &keep))
		return cli_bad_usage("quarantine", "--older: '%s' is not an age (7d, 12h)", c->options.older);
	size_t n = quarantine_expire(c->dir, (int64_t)time(NULL) - keep / 1000, state->quarantine_size);
	printf("%zu removed\n", n);
	return EX_OK;
}

/* ---- */

static const struct {
	const char *name;
	int (*run)(struct command *c, int argc, char **argv);
} verbs[] = { { "list", list }, { "show", show }, { "release", release }, { "expire", expire } };
#define VERBS (sizeof(verbs) / sizeof(*verbs))

/* 0: go on; else an exit status to leave with, less one. */
static int read_options(int argc, char **argv, struct options *o)
{
	int c;
	optind = 1;
	while ((c = cli_option("quarantine", argc, argv, ":c:h", long_options)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 't': o->to = optarg; break;
		case 'o': o->older = optarg; break;
		case 'j': o->json = true; break;
		case 'a': o->again = true; break;
		case 'h': fputs(usage, stdout); return EX_OK + 1;
		default: return EX_USAGE + 1;
		}
	}
	return 0;
}

static bool read_snapshot(struct command *c)
{
	struct arena *arena = arena_create();
	struct config_errors errors = { .arena = arena };
	struct config *config = cli_config_read(arena, c->options.config, NULL, &errors);
	if (config == NULL) {
		cli_print_errors(stderr, "", &errors);
		arena_destroy(&arena);
		return false;
	}
	c->snapshot = snapshot_create(config, NULL, 0);
	snprintf(c->dir, sizeof(c->dir), "%.*s/quarantine", SLICE_ARG(slice_head(config->state->directory, 1000)));
	return true;
}

int cli_quarantine(int argc, char **argv)
{
	struct command c = { 0 };
	int leave = read_options(argc, argv, &c.options);
	if (leave != 0)
		return leave - 1;
	const char *names[VERBS + 1] = { NULL };
	const char *verb = optind < argc ? argv[optind++] : NULL;
	for (size_t i = 0; i < VERBS; i++) {
		names[i] = verbs[i].name;
		if (verb == NULL || strcmp(verbs[i].name, verb) != 0)
			continue;
		if (!read_snapshot(&c))
			return EX_CONFIG;
		int status = verbs[i].run(&c, argc - optind, argv + optind);
		snapshot_release(&c.snapshot);
		return status;
	}
	return cli_bad_verb("quarantine", verb, names);
}
