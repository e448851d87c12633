#include "proxy/cli_usage.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "base/utf8.h"

int cli_bad_usage(const char *command, const char *format, ...)
{
	struct buf text = { 0 }, line = { 0 };
	va_list ap;
	va_start(ap, format);
	buf_vprintf(&text, format, ap);
	va_end(ap);
	utf8_add_printable(&line, buf_slice(&text));
	const char *space = *command != '\0' ? " " : "";
	fprintf(stderr, "gatehouse%s%s: %s\nTry gatehouse%s%s --help\n", space, command, buf_cstr(&line), space, command);
	buf_free(&text);
	buf_free(&line);
	return EX_USAGE;
}

static void bad_long(const char *command, const char *word, const struct option *longs)
{
	struct slice name = slice_str(word + strspn(word, "-"));
	struct nearest near = nearest_begin(slice_head(name, strcspn(name.data, "=")));
	unsigned begins = 0;
	for (const struct option *o = longs; o->name != NULL; o++) {
		nearest_try(&near, slice_str(o->name));
		begins += slice_starts(slice_str(o->name), near.wanted);
	}
	if (begins > 1)
		cli_bad_usage(command, "'%s' is the beginning of several options", word);
	else if (near.best.len > 0)
		cli_bad_usage(command, "unknown option '%s': did you mean '--%.*s'?", word, SLICE_ARG(near.best));
	else
		cli_bad_usage(command, "unknown option '%s'", word);
}

int cli_option(const char *command, int argc, char **argv, const char *shorts, const struct option *longs)
{
	opterr = 0;
	int c = getopt_long(argc, argv, shorts, longs, NULL);
	if (c != '?' && c != ':')
		return c;
	const char *word = argv[optind - 1];
	if (c == ':')
		cli_bad_usage(command, "option '%s' needs a value", word);
	else if (optopt == 0)
		bad_long(command, word, longs);
	else if (strncmp(word, "--", 2) == 0 && strchr(word, '=') != NULL)
		cli_bad_usage(command, "option '%.*s' takes no value", (int)strcspn(word, "="), word);
	else
		cli_bad_usage(command, "unknown option '-%c'", optopt);
	return '?';
}

int cli_bad_value(const char *command, const struct option *longs, int option, const char *expected)
{
	const char *name = "";
	for (const struct option *o = longs; o->name != NULL; o++)
		if (o->val == option)
			name = o->name;
	return cli_bad_usage(command, "--%s: '%s' is not %s", name, optarg, expected);
}

int cli_bad_verb(const char *command, const char *word, const char *const *verbs)
{
	struct buf all = { 0 };
	struct nearest near = nearest_begin(slice_str(word != NULL ? word : ""));
	for (size_t i = 0; verbs[i] != NULL; i++) {
		buf_printf(&all, "%s%s", i > 0 ? ", " : "", verbs[i]);
		nearest_try(&near, slice_str(verbs[i]));
	}
	if (word == NULL)
		cli_bad_usage(command, "say which: %s", buf_cstr(&all));
	else if (near.best.len > 0)
		cli_bad_usage(command, "unknown '%s': did you mean '%.*s'?", word, SLICE_ARG(near.best));
	else
		cli_bad_usage(command, "unknown '%s': it can %s", word, buf_cstr(&all));
	buf_free(&all);
	return EX_USAGE;
}
