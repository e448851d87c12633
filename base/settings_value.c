#include "base/settings_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/idn.h"

struct unit {
	const char *name;
	uint64_t factor;
};

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

static const struct unit SIZES[] = { /* of what is the same, the first is printed */
	{ "", 1 }, { "b", 1 },
	{ "k", KIB }, { "kb", KIB }, { "kib", KIB },
	{ "m", MIB }, { "mb", MIB }, { "mib", MIB },
	{ "g", GIB }, { "gb", GIB }, { "gib", GIB },
	{ "t", TIB }, { "tb", TIB }, { "tib", TIB },
	{ NULL, 0 },
};

static const struct unit TIMES[] = { /* milliseconds */
	{ "ms", 1 },
	{ "s", 1000 }, { "", 1000 }, { "sec", 1000 },
	{ "m", 60 * 1000 }, { "min", 60 * 1000 },
	{ "h", 3600 * 1000 },
	{ "d", 86400 * 1000 },
	{ "w", UINT64_C(7) * 86400 * 1000 },
	{ NULL, 0 },
};

/* Digits and a unit. max: of the product. */
static bool parse_unit(struct slice text, const struct unit *units, uint64_t max, uint64_t *value_r)
{
	size_t digits = 0;
	uint64_t value;
	while (digits < text.len && ascii_is_digit(text.data[digits]))
		digits++;
	if (!slice_u64(slice_head(text, digits), max, &value))
		return false;
	for (; units->name != NULL; units++) {
		if (!slice_eq_nocase(slice_from(text, digits), slice_str(units->name)))
			continue;
		if (value > max / units->factor)
			return false;
		*value_r = value * units->factor;
		return true;
	}
	return false;
}

bool setting_parse_size(struct slice text, uint64_t *bytes_r)
{
	return parse_unit(text, SIZES, INT64_MAX, bytes_r);
}

bool setting_parse_time(struct slice text, int64_t *ms_r)
{
	uint64_t ms;
	if (!parse_unit(text, TIMES, INT64_MAX, &ms))
		return false;
	*ms_r = (int64_t)ms;
	return true;
}

static bool parse_int(struct slice text, int64_t *value_r)
{
	bool minus = slice_starts(text, SLICE("-"));
	uint64_t value;
	if (!slice_u64(minus ? slice_from(text, 1) : text, INT64_MAX, &value))
		return false;
	*value_r = minus ? -(int64_t)value : (int64_t)value;
	return true;
}

/* -12.5: no exponent, no hexadecimal, no infinity, whatever the locale. */
static bool parse_float(struct slice text, double *value_r)
{
	bool minus = slice_starts(text, SLICE("-"));
	struct slice whole, part, rest = minus ? slice_from(text, 1) : text;
	uint64_t a, b = 0;
	double scale = 1;
	slice_split(&rest, '.', &whole);
	part = rest;
	if (!slice_u64(whole, UINT64_C(1) << 53, &a) || part.len > 15)
		return false;
	if (part.data != NULL && !slice_u64(part, UINT64_MAX, &b))
		return false;
	for (size_t i = 0; i < part.len; i++)
		scale *= 10;
	*value_r = ((double)a + (double)b / scale) * (minus ? -1 : 1);
	return true;
}

static const struct setting_value BOOLS[] = {
	{ "on", 1 }, { "off", 0 }, { "yes", 1 }, { "no", 0 }, { "true", 1 }, { "false", 0 }, { NULL, 0 },
};

static bool parse_word(struct slice text, const struct setting_value *values, int *value_r)
{
	for (; values != NULL && values->name != NULL; values++)
		if (slice_eq_nocase(slice_str(values->name), text)) {
			*value_r = values->value;
			return true;
		}
	return false;
}

static bool parse_port(struct slice text, uint16_t *port_r)
{
	uint64_t port;
	if (!slice_u64(text, UINT16_MAX, &port) || port == 0)
		return false;
	*port_r = (uint16_t)port;
	return true;
}

static bool parse_host(struct arena *arena, struct slice host, struct endpoint *e)
{
	bool bracketed = slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]"));
	if (bracketed)
		return slice_chr(host, ':') != SLICE_NPOS &&
		       ip_parse(slice_sub(host, 1, host.len - 2), &e->ip);
	if (slice_eq(host, SLICE("*"))) {
		e->ip = (struct ip){ .family = 4 };
		return true;
	}
	if (slice_chr(host, ':') != SLICE_NPOS)
		return false;
	if (ip_parse(host, &e->ip))
		return true;
	/* A name whose last label is a number is an address gone wrong: RFC 1123 2.1. */
	return idn_domain(arena, host, &e->host) && !ascii_is_digit(e->host.data[e->host.len - 1]);
}

bool setting_parse_endpoint(struct arena *arena, struct slice text, struct endpoint *endpoint_r)
{
	struct endpoint e = { .text = arena_copy(arena, text) };
	struct slice rest = e.text;
	if (slice_starts(rest, SLICE("unix:"))) {
		e.path = slice_from(rest, 5);
		if (e.path.len < 2 || e.path.len > 107 || e.path.data[0] != '/') /* sun_path, unix(7) */
			return false;
		*endpoint_r = e;
		return true;
	}
	if (slice_starts(rest, SLICE("inet:")))
		rest = slice_from(rest, 5);
	else if (slice_starts(rest, SLICE("inet6:")))
		rest = slice_from(rest, 6);
	size_t colon = slice_rchr(rest, ':');
	if (colon == SLICE_NPOS || !parse_port(slice_from(rest, colon + 1), &e.port) ||
	    !parse_host(arena, slice_head(rest, colon), &e))
		return false;
	*endpoint_r = e;
	return true;
}

static bool parse_domain(struct arena *arena, struct slice text, struct slice *domain_r)
{
	bool below = slice_starts(text, SLICE("*.")) || slice_starts(text, SLICE("."));
	struct slice name = below ? slice_from(text, slice_chr(text, '.') + 1) : text;
	if (!idn_domain(arena, name, domain_r))
		return false;
	if (below)
		*domain_r = arena_printf(arena, ".%.*s", SLICE_ARG(*domain_r));
	return true;
}

#define ENDPOINTS \
	"an address to listen at or connect to (192.0.2.1:25, [::1]:25, host:25, unix:/path)"

static const char *const TYPES[] = {
	[SETTING_STRING] = "a text",
	[SETTING_STRINGS] = "a list of texts",
	[SETTING_BOOL] = "on or off",
	[SETTING_INT] = "a whole number",
	[SETTING_SIZE] = "a size (4000, 64k, 50mb, 1g)",
	[SETTING_TIME] = "a time (500ms, 300s, 5m, 1h, 2d)",
	[SETTING_FLOAT] = "a number (5, 2.5)",
	[SETTING_ENUM] = "one of",
	[SETTING_CIDRS] = "an address or network (192.0.2.0/24, 2001:db8::/32)",
	[SETTING_DOMAINS] = "a domain name (example.org, or *.example.org for all below it)",
	[SETTING_MODE] = "a file mode in octal (0660)",
	[SETTING_ENDPOINT] = ENDPOINTS,
};

void settings_add_limit(struct buf *out, enum setting_type type, double value)
{
	const struct unit *units = type == SETTING_SIZE ? SIZES : type == SETTING_TIME ? TIMES : NULL;
	if (units == NULL || value == 0) {
		buf_printf(out, "%g", value);
		return;
	}
	const struct unit *best = units;
	for (const struct unit *u = units; u->name != NULL; u++)
		if (u->factor > best->factor && fmod(value, (double)u->factor) == 0)
			best = u;
	buf_printf(out, "%" PRIu64 "%s", (uint64_t)value / best->factor, best->name);
}

static void add_words(struct buf *out, const struct setting_value *values)
{
	for (const struct setting_value *v = values; v != NULL && v->name != NULL; v++)
		buf_printf(out, "%s%s", v == values ? "" : ", ", v->name);
}

/* A host address with a prefix: says the network that was probably meant. */
static void hint_network(struct slice text, struct buf *why)
{
	struct ip ip;
	uint64_t bits;
	char name[IP_TEXT_MAX];
	size_t slash = slice_chr(text, '/');
	if (slash == SLICE_NPOS || !ip_parse(slice_head(text, slash), &ip) ||
	    !slice_u64(slice_from(text, slash + 1), ip.family == 4 ? 32 : 128, &bits))
		return;
	struct cidr net = cidr_of(&ip, (unsigned)bits);
	buf_printf(why, ": bits beyond the prefix are set; the network is %s/%u", ip_text(&net.ip, name),
		   net.bits);
}

static bool not_a(const struct setting *s, struct slice text, struct buf *why)
{
	buf_printf(why, "'%.*s' is not %s", SLICE_ARG(text), TYPES[s->type]);
	if (s->type == SETTING_ENUM)
		buf_add_str(why, ": ");
	else if (s->type == SETTING_CIDRS)
		hint_network(text, why);
	else if (s->values != NULL)
		buf_add_str(why, ", nor ");
	add_words(why, s->values);
	return false;
}

static bool in_range(const struct setting *s, struct slice text, double value, struct buf *why)
{
	bool bounded = s->min != 0 || s->max != 0;
	if (!bounded && value >= 0)
		return true;
	if (bounded && value >= s->min && value <= s->max)
		return true;
	if (!bounded) {
		buf_printf(why, "%.*s is below 0", SLICE_ARG(text));
		return false;
	}
	buf_printf(why, "%.*s is out of range: from ", SLICE_ARG(text));
	settings_add_limit(why, s->type, s->min);
	buf_add_str(why, " to ");
	settings_add_limit(why, s->type, s->max);
	return false;
}

static bool convert_number(const struct setting *s, struct slice text, void *dest, struct buf *why)
{
	int64_t n = 0;
	uint64_t bytes = 0;
	double d = 0;
	int word;
	bool named = parse_word(text, s->values, &word);
	if (named)
		d = (double)(n = word);
	switch (s->type) {
	case SETTING_INT:
		if (!named && !parse_int(text, &n))
			return not_a(s, text, why);
		*(int64_t *)dest = n;
		d = (double)n;
		break;
	case SETTING_TIME:
		if (!named && !setting_parse_time(text, &n))
			return not_a(s, text, why);
		*(int64_t *)dest = n;
		d = (double)n;
		break;
	case SETTING_SIZE:
		bytes = (uint64_t)n;
		if (!named && !setting_parse_size(text, &bytes))
			return not_a(s, text, why);
		*(uint64_t *)dest = bytes;
		d = (double)bytes;
		break;
	default:
		if (!named && !parse_float(text, &d))
			return not_a(s, text, why);
		*(double *)dest = d;
		break;
	}
	return named || in_range(s, text, d, why);
}

static bool parse_mode(struct slice text, int64_t *mode_r)
{
	int64_t mode = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '7')
			return false;
		mode = mode * 8 + (text.data[i] - '0');
	}
	*mode_r = mode;
	return text.len >= 3 && text.len <= 4 && mode <= 0777;
}

static bool convert_scalar(struct arena *arena, const struct setting *s, struct slice text, void *dest,
			   struct buf *why)
{
	int word = 0;
	switch (s->type) {
	case SETTING_STRING:
		*(struct slice *)dest = arena_copy(arena, text);
		return true;
	case SETTING_BOOL:
		if (!parse_word(text, BOOLS, &word))
			return not_a(s, text, why);
		*(bool *)dest = word;
		return true;
	case SETTING_ENUM:
		if (!parse_word(text, s->values, &word))
			return not_a(s, text, why);
		*(int *)dest = word;
		return true;
	case SETTING_MODE:
		return parse_mode(text, dest) || not_a(s, text, why);
	case SETTING_ENDPOINT:
		return setting_parse_endpoint(arena, text, dest) || not_a(s, text, why);
	default:
		return convert_number(s, text, dest, why);
	}
}

static bool convert_item(struct arena *arena, const struct setting *s, struct slice text, size_t at,
			 void *dest, struct buf *why)
{
	if (s->type == SETTING_CIDRS)
		return cidr_parse(text, &((struct cidr_list *)dest)->items[at]) || not_a(s, text, why);
	struct slice *item = &((struct slice_list *)dest)->items[at];
	if (s->type == SETTING_DOMAINS)
		return parse_domain(arena, text, item) || not_a(s, text, why);
	*item = arena_copy(arena, text);
	return true;
}

static void make_list(struct arena *arena, enum setting_type type, size_t count, void *dest)
{
	if (type == SETTING_CIDRS) {
		struct cidr_list *list = dest;
		*list = (struct cidr_list){ arena_array(arena, struct cidr, count), count };
	} else {
		struct slice_list *list = dest;
		*list = (struct slice_list){ arena_array(arena, struct slice, count), count };
	}
}

void settings_convert(struct arena *arena, const struct setting *s, const struct slice *items, size_t count,
		      void *dest, settings_report *report, void *arg)
{
	struct buf why = { 0 };
	bool list = setting_is_list(s->type);
	if (list)
		make_list(arena, s->type, count, dest);
	for (size_t i = 0; i < count; i++) {
		buf_clear(&why);
		bool ok = list ? convert_item(arena, s, items[i], i, dest, &why)
			       : convert_scalar(arena, s, items[i], dest, &why);
		if (!ok)
			report(arg, i, buf_cstr(&why));
	}
	buf_free(&why);
}

/* "a, b": at most that many items. */
static size_t split_items(struct slice text, struct slice *items, size_t max)
{
	size_t count = 0;
	struct slice item;
	if (text.len == 0)
		return 0;
	while (count < max && slice_split(&text, ',', &item))
		items[count++] = slice_trim(item);
	return count;
}

#define MAX_DEFAULTS 64

static void panic(void *arg, size_t item, const char *why)
{
	const struct setting *s = arg;
	(void)item;
	fprintf(stderr, "panic: default of %s: %s\n", s->name, why);
	abort();
}

void settings_default(struct arena *arena, const struct setting *s, void *dest)
{
	struct slice items[MAX_DEFAULTS];
	size_t count = 1;
	if (s->fallback == NULL)
		return;
	items[0] = slice_str(s->fallback);
	if (setting_is_list(s->type))
		count = split_items(items[0], items, MAX_DEFAULTS);
	settings_convert(arena, s, items, count, dest, panic, (void *)(uintptr_t)s);
}
