#include "proxy/envelope_lines.h"

#include "proxy/backend.h"

/* Which capability a parameter of MAIL or RCPT needs. */
static const struct {
	const char *keyword;
	unsigned cap;
} params[] = {
	{ "SIZE", CAP_SIZE },       { "BODY", CAP_8BITMIME }, { "SMTPUTF8", CAP_SMTPUTF8 }, { "RET", CAP_DSN },
	{ "ENVID", CAP_DSN },       { "NOTIFY", CAP_DSN },    { "ORCPT", CAP_DSN },         { "AUTH", CAP_AUTH },
	{ "REQUIRETLS", CAP_REQUIRETLS }, { "PRDR", CAP_PRDR },
};

static unsigned cap_of(struct slice keyword)
{
	for (size_t i = 0; i < sizeof(params) / sizeof(*params); i++)
		if (slice_eq_nocase(keyword, slice_str(params[i].keyword)))
			return params[i].cap;
	return 0;
}

static void add_params(struct buf *line, struct slice text, unsigned caps)
{
	struct slice word;
	if (text.len == 0)
		return;
	while (slice_split(&text, ' ', &word)) {
		size_t eq = slice_chr(word, '=');
		if (word.len > 0 && (cap_of(slice_head(word, eq == SLICE_NPOS ? word.len : eq)) & caps))
			buf_printf(line, " %.*s", SLICE_ARG(word));
	}
}

void envelope_add_mail(struct buf *line, const struct envelope *e, unsigned caps)
{
	buf_printf(line, "MAIL FROM:<%.*s>", SLICE_ARG(e->sender.text));
	add_params(line, e->params, caps);
	buf_add_str(line, "\r\n");
}

void envelope_add_rcpt(struct buf *line, const struct recipient *r, unsigned caps)
{
	buf_printf(line, "RCPT TO:<%.*s>", SLICE_ARG(r->mailbox.text));
	add_params(line, r->params, caps);
	buf_add_str(line, "\r\n");
}
