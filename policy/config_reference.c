/* config_reference: the manual page of gatehouse.conf, printed from the tables that read it. */
#include <stdio.h>

#include "base/buf.h"
#include "base/settings_value.h"
#include "policy/config.h"
#include "policy/config_tables.h"

static const char HEAD[] =
	".Dd $Mdocdate$\n"
	".Dt GATEHOUSE.CONF 5\n"
	".Os\n"
	".Sh NAME\n"
	".Nm gatehouse.conf\n"
	".Nd configuration of the gatehouse mail gateway\n"
	".Sh DESCRIPTION\n"
	"The file holds settings,\n"
	".Ar key Ns = Ns Ar value ,\n"
	"and sections of them,\n"
	".Ar section Ar name No { Ar ... No } .\n"
	"Every setting has a default unless it is said to be required;\n"
	"none may be written twice.\n"
	".Bl -bullet\n"
	".It\n"
	"White space separates settings.\n"
	"Comments begin with # or // and end with the line, or stand between /* and */.\n"
	".It\n"
	"A value that holds white space or one of { } ( ) = , ; # or quotes\n"
	"is written in quotes.\n"
	"In\n"
	".Dq double\n"
	"quotes \\en, \\et, \\e\\(dq, \\e\\e and \\exNN stand for characters;\n"
	"in single quotes only \\e\\(aq and \\e\\e do.\n"
	"No variables are expanded.\n"
	".It\n"
	"A list is written {\n"
	".Ar a , b\n"
	"}, or as a value alone if it has but one.\n"
	".It\n"
	"Sizes are in octets, or with k, mb, gb (powers of 1024).\n"
	"Times are in seconds, or with ms, s, m, h, d, w.\n"
	".It\n"
	"Domain names may be written in UTF-8.\n"
	".It\n"
	".Ic include Qq Ar path\n"
	"reads another file in its place,\n"
	"relative to the folder of the file it stands in.\n"
	"With * ? or [ ] in the path all files that match are read,\n"
	"in order of their names.\n"
	".El\n";

static const char TAIL[] =
	".Sh EXAMPLES\n"
	".Bd -literal\n"
	"hostname = mx.example.org\n"
	"user = gatehouse\n"
	"listen smtp  { address = 0.0.0.0:25 }\n"
	"backend main { address = 127.0.0.1:10025  client-info = xclient }\n"
	"relay        { domains = {example.org} }\n"
	".Ed\n"
	".Sh SEE ALSO\n"
	".Xr gatehouse 1\n";

/* A text, each sentence on a line; mdoc's own characters taken away. */
static void add_text(struct buf *out, const char *text)
{
	bool line_start = true;
	for (; *text != '\0'; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			buf_add_str(out, "\\&");
		line_start = text[0] == '.' && text[1] == ' ';
		if (*text == '\\')
			buf_add_str(out, "\\e");
		else
			buf_add_char(out, *text);
		if (line_start) {
			buf_add_char(out, '\n');
			text++;
		}
	}
}

/* As add_text, as an argument of a macro. */
static void add_argument(struct buf *out, const char *text)
{
	buf_add_char(out, '"');
	for (; *text != '\0'; text++)
		if (*text == '"')
			buf_add_str(out, "\\(dq");
		else if (*text == '\\')
			buf_add_str(out, "\\e");
		else
			buf_add_char(out, *text);
	buf_add_char(out, '"');
}

static const char *const KINDS[] = {
	[SETTING_STRING] = "text", [SETTING_STRINGS] = "list", [SETTING_BOOL] = "on | off",
	[SETTING_INT] = "number", [SETTING_SIZE] = "size", [SETTING_TIME] = "time",
	[SETTING_FLOAT] = "number", [SETTING_ENUM] = "word", [SETTING_CIDRS] = "networks",
	[SETTING_DOMAINS] = "domains", [SETTING_MODE] = "mode", [SETTING_ENDPOINT] = "address",
};

static void add_default(struct buf *out, const struct setting *s)
{
	if (s->required) {
		buf_add_str(out, "Required.\n");
	} else if (s->fallback != NULL && *s->fallback != '\0') {
		buf_add_str(out, "Default:\n.Ql ");
		add_argument(out, s->fallback);
		buf_add_str(out, " .\n");
	}
}

static void add_values(struct buf *out, const struct setting *s)
{
	if (s->values != NULL) {
		buf_add_str(out, s->type == SETTING_ENUM ? "One of" : "Or");
		for (const struct setting_value *v = s->values; v->name != NULL; v++)
			buf_printf(out, "%s\n.Ql %s", v == s->values ? "" : " ,", v->name);
		buf_add_str(out, " .\n");
	}
	if (s->max != 0) {
		buf_add_str(out, "From ");
		settings_add_limit(out, s->type, s->min);
		buf_add_str(out, " to ");
		settings_add_limit(out, s->type, s->max);
		buf_add_str(out, ".\n");
	}
}

static void add_setting(struct buf *out, const struct setting *s)
{
	buf_printf(out, ".It Ic %s No = Ar ", s->name);
	add_argument(out, KINDS[s->type]);
	buf_add_char(out, '\n');
	if (s->help != NULL) {
		add_text(out, s->help);
		buf_add_str(out, ".\n");
	}
	add_default(out, s);
	add_values(out, s);
}

static void add_section(struct buf *out, const struct section *section)
{
	if (*section->name != '\0')
		buf_printf(out, ".Ss %s%s { }\n", section->name, section->titled ? " NAME" : "");
	if (section->help != NULL) {
		add_text(out, section->help);
		buf_add_str(out, ".\n");
	}
	if (section->settings == NULL || section->settings->name == NULL)
		return;
	buf_add_str(out, ".Bl -tag -width Ds\n");
	for (const struct setting *s = section->settings; s->name != NULL; s++)
		add_setting(out, s);
	buf_add_str(out, ".El\n");
}

void config_print_reference(void *file, const struct section *const *filters)
{
	struct buf out = { 0 };
	buf_add_str(&out, HEAD);
	buf_add_str(&out, ".Sh SETTINGS\n");
	add_section(&out, &config_top_section);
	buf_add_str(&out, ".Sh SECTIONS\n");
	for (size_t i = 0; config_sections[i] != NULL; i++)
		add_section(&out, config_sections[i]);
	for (size_t i = 0; filters != NULL && filters[i] != NULL; i++)
		add_section(&out, filters[i]);
	buf_add_str(&out, TAIL);
	fwrite(out.data, 1, out.len, file);
	buf_free(&out);
}
