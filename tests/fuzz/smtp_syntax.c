/* Command lines: nothing may be read outside the line, and what is found
 * must be part of it. */
#include <stdlib.h>

#include "base/cidr.h"
#include "proxy/smtp_syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct slice part, struct slice whole)
{
	if (part.len > 0 && (part.data < whole.data || part.data + part.len > whole.data + whole.len))
		abort();
}

static void parse_arg(struct arena *arena, struct slice arg)
{
	struct smtp_path path;
	struct smtp_auth auth;
	struct slice name, bytes;
	struct ip ip;
	uint64_t n;
	bool last;
	if (smtp_mail_parse(arg, &path) == SMTP_SYNTAX_OK || smtp_rcpt_parse(arg, &path) == SMTP_SYNTAX_OK) {
		within(path.path, arg);
		within(path.params_text, arg);
		for (size_t i = 0; i < path.params.count; i++) {
			within(path.params.list[i].keyword, arg);
			within(path.params.list[i].value, arg);
		}
	}
	smtp_helo_parse(arg, &name, &ip);
	within(name, arg);
	smtp_bdat_parse(arg, &n, &last);
	if (smtp_auth_parse(arg, &auth)) {
		within(auth.mechanism, arg);
		within(auth.initial, arg);
	}
	if (smtp_xtext_decode(arena, arg, &bytes) && bytes.len > arg.len)
		abort();
	struct buf x = { 0 };
	smtp_xtext_encode(&x, arg);
	if (!smtp_xtext_decode(arena, buf_slice(&x), &bytes) || !slice_eq(bytes, arg))
		abort();
	buf_free(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);
	struct arena *arena = arena_create();
	struct smtp_line line;
	while (smtp_line_next(in, 200, &line) != SMTP_LINE_MORE) {
		struct smtp_command command;
		if (line.consumed == 0 || line.consumed > in.len)
			abort();
		if (smtp_command_parse(line.text, &command)) {
			within(command.verb, in);
			within(command.arg, in);
			parse_arg(arena, command.arg);
		}
		in = slice_from(in, line.consumed);
	}
	arena_destroy(&arena);
	return 0;
}
