#include "policy/milter_address.h"

/* As an address with a port behind it. */
static struct slice host_of(struct arena *arena, struct slice host, bool v6)
{
	if (slice_eq_nocase(host, SLICE("localhost")))
		host = v6 ? SLICE("::1") : SLICE("127.0.0.1");
	bool bare = slice_chr(host, ':') != SLICE_NPOS && host.data[0] != '[';
	return bare ? arena_printf(arena, "[%.*s]", SLICE_ARG(host)) : host;
}

static bool parse_inet(struct arena *arena, struct slice rest, bool v6, struct endpoint *e)
{
	size_t at = slice_chr(rest, '@'), colon = slice_rchr(rest, ':');
	struct slice host = SLICE("*"), port = rest;
	if (at != SLICE_NPOS) {
		port = slice_head(rest, at);
		host = slice_from(rest, at + 1);
	} else if (colon != SLICE_NPOS) {
		host = slice_head(rest, colon);
		port = slice_from(rest, colon + 1);
	}
	host = host_of(arena, host, v6);
	return setting_parse_endpoint(arena, arena_printf(arena, "%.*s:%.*s", SLICE_ARG(host), SLICE_ARG(port)), e) &&
	       e->host.len == 0;
}

bool milter_address_parse(struct arena *arena, struct slice text, struct endpoint *e)
{
	size_t colon = slice_chr(text, ':');
	if (colon == SLICE_NPOS)
		return false;
	struct slice kind = slice_head(text, colon), rest = slice_from(text, colon + 1);
	bool ok, v6 = slice_eq(kind, SLICE("inet6"));
	if (slice_eq(kind, SLICE("unix")) || slice_eq(kind, SLICE("local")))
		ok = setting_parse_endpoint(arena, arena_printf(arena, "unix:%.*s", SLICE_ARG(rest)), e);
	else
		ok = (v6 || slice_eq(kind, SLICE("inet"))) && parse_inet(arena, rest, v6, e);
	if (ok)
		e->text = arena_copy(arena, text);
	return ok;
}
