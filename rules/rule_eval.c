#include "rules/rule_eval.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rules/rule_header.h"

static const struct eval_function *const families[] = {
	eval_headers, eval_dates, eval_html, eval_mime, eval_body, eval_relays, eval_rbl, eval_auth, eval_lists,
	eval_freemail, eval_uris, eval_images, eval_forged,
};

const struct eval_function *eval_find(struct slice name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		for (const struct eval_function *f = families[i]; f->name != NULL; f++)
			if (slice_eq(name, slice_str(f->name)))
				return f;
	return NULL;
}

const struct eval_function *eval_each(size_t n)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		for (const struct eval_function *f = families[i]; f->name != NULL; f++)
			if (n-- == 0)
				return f;
	return NULL;
}

bool rule_eval_may_wait(const struct rule *rule)
{
	return rule_is_hidden(rule) && rule->eval != NULL && rule->eval->asks == EVAL_ASKS_NOTHING;
}

void eval_evidence(struct rule_scan *scan, const struct rule *rule, const char *fmt, ...)
{
	char text[300];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	scan->evidence[rule->index] = arena_copy(scan->arena, slice_make(text, len));
}

double eval_number(const struct rule *rule, unsigned n, double fallback)
{
	struct slice arg = eval_arg(rule, n);
	char text[40];
	if (arg.len == 0 || arg.len >= sizeof(text))
		return fallback;
	memcpy(text, arg.data, arg.len);
	text[arg.len] = '\0';
	char *end;
	double value = strtod(text, &end);
	return end == text || *end != '\0' ? fallback : value;
}

bool eval_in_range(const struct rule *rule, unsigned first, double value)
{
	return value >= eval_number(rule, first, -1e300) && value <= eval_number(rule, first + 1, 1e300);
}

static size_t add_addresses(struct rule_scan *s, const char *selector, struct slice *list, size_t n, size_t max)
{
	struct slice found[EVAL_ADDRESSES_MAX];
	size_t count = rule_header_list(s, selector, found, EVAL_ADDRESSES_MAX);
	for (size_t i = 0; i < count && n < max; i++) {
		struct slice address = arena_lower(s->arena, found[i]);
		bool known = address.len == 0;
		for (size_t k = 0; k < n && !known; k++)
			known = slice_eq(list[k], address);
		if (!known)
			list[n++] = address;
	}
	return n;
}

static size_t from_addresses(struct rule_scan *s, struct slice *list, size_t max)
{
	static const char *const selectors[] = {
		"From:addr", "Envelope-Sender:addr", "Resent-Sender:addr", "X-Envelope-From:addr", "EnvelopeFrom:addr",
	};
	size_t n = add_addresses(s, "Resent-From:addr", list, 0, 1);
	if (n > 0)
		return n;
	for (size_t i = 0; i < sizeof(selectors) / sizeof(*selectors); i++)
		n = add_addresses(s, selectors[i], list, n, max);
	return n;
}

static size_t to_addresses(struct rule_scan *s, struct slice *list, size_t max)
{
	static const char *const selectors[] = {
		"To:addr", "Apparently-To:addr", "Delivered-To:addr", "Envelope-Recipients:addr",
		"Apparently-Resent-To:addr", "X-Envelope-To:addr", "X-Envelope-Recipients:addr", "X-Delivered-To:addr",
		"X-Original-To:addr", "X-Rcpt-To:addr", "X-Real-To:addr", "Cc:addr",
	};
	size_t n = add_addresses(s, "Resent-To:addr", list, 0, max);
	n = add_addresses(s, "Resent-Cc:addr", list, n, max);
	if (n > 0)
		return n;
	for (size_t i = 0; i < sizeof(selectors) / sizeof(*selectors); i++)
		n = add_addresses(s, selectors[i], list, n, max);
	return n;
}

/* A dozen rules ask for the same. */
static const struct eval_addresses *kept(struct rule_scan *s, struct eval_addresses **kept,
					 size_t (*find)(struct rule_scan *, struct slice *, size_t))
{
	if (*kept == NULL) {
		struct slice list[EVAL_ADDRESSES_MAX];
		*kept = arena_new(s->arena, struct eval_addresses);
		(*kept)->count = find(s, list, EVAL_ADDRESSES_MAX);
		(*kept)->list = arena_array(s->arena, struct slice, (*kept)->count + 1);
		memcpy((*kept)->list, list, (*kept)->count * sizeof(*list));
	}
	return *kept;
}

const struct eval_addresses *eval_from_addresses(struct rule_scan *s)
{
	return kept(s, &s->evals->from, from_addresses);
}

const struct eval_addresses *eval_to_addresses(struct rule_scan *s)
{
	return kept(s, &s->evals->to, to_addresses);
}

/* Charsets of one language's script; all others are anybody's. */
static const struct {
	const char *locale, *charset; /* a prefix */
} charsets[] = {
	{ "ja", "iso-2022-jp" }, { "ja", "euc-jp" }, { "ja", "shift_jis" }, { "ja", "sjis" }, { "ja", "x-sjis" },
	{ "ko", "euc-kr" }, { "ko", "ks_c" }, { "ko", "iso-2022-kr" }, { "ko", "johab" }, { "ko", "ksc" },
	{ "ru", "koi8" }, { "ru", "windows-1251" }, { "ru", "cp1251" }, { "ru", "iso-8859-5" }, { "ru", "iso-ir-111" },
	{ "ru", "cp866" }, { "ru", "ibm866" }, { "th", "tis-620" }, { "th", "iso-8859-11" }, { "th", "windows-874" },
	{ "zh", "gb" }, { "zh", "big5" }, { "zh", "iso-2022-cn" }, { "zh", "hz-" }, { "zh", "euc-tw" },
	{ "zh", "x-euc-tw" }, { "zh", "cn-" },
};

bool eval_charset_ok(struct rule_scan *s, struct slice charset)
{
	const struct rule_settings *set = rule_table_get(s->rules->table, "ok_locales");
	if (set == NULL || slice_find(set->last->value, SLICE("all")) != SLICE_NPOS)
		return true;
	for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++)
		if (slice_starts_nocase(charset, slice_str(charsets[i].charset)))
			return slice_find(set->last->value, slice_str(charsets[i].locale)) != SLICE_NPOS;
	return true;
}

struct slice eval_squeeze(struct rule_scan *s, struct slice text)
{
	char *out = arena_alloc(s->arena, text.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_space(text.data[i]))
			out[n++] = text.data[i];
		else if (n == 0 || out[n - 1] != ' ')
			out[n++] = ' ';
	}
	return slice_make(out, n);
}

struct slice eval_domain(struct rule_scan *s, struct slice host)
{
	struct uri_host found;
	if (host.len == 0 || host.len > 255 ||
	    !uri_host(s->arena, arena_printf(s->arena, "http://%.*s/", SLICE_ARG(host)), &found))
		return host;
	return found.domain;
}
