#include "rules/rule_header.h"

#include "base/buf.h"
#include "message/encoded_word.h"
#include "rules/header_address.h"

/* Of all fields of a name together; more are not looked at. */
#define VALUES_MAX 1000u
#define MAILBOXES_MAX 1000u

struct values {
	struct arena *arena;
	struct slice *list;
	size_t count, cap;
};

static void add(struct values *v, struct slice text)
{
	if (v->count == VALUES_MAX)
		return;
	if (v->count == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 8;
		struct slice *list = arena_array(v->arena, struct slice, cap);
		if (v->count > 0)
			memcpy(list, v->list, v->count * sizeof(*list));
		v->list = list;
		v->cap = cap;
	}
	v->list[v->count++] = text;
}

/* ---- fields ---- */

/* Line ends as LF, one at the end, without the leading white space. */
static struct slice raw_value(struct arena *arena, struct slice value)
{
	value = slice_trim_left(value);
	char *out = arena_alloc(arena, value.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] != '\r' || i + 1 == value.len || value.data[i + 1] != '\n')
			out[n++] = value.data[i];
	if (n == 0 || out[n - 1] != '\n')
		out[n++] = '\n';
	return slice_make(out, n);
}

static struct slice with_line_end(struct arena *arena, struct slice text)
{
	char *out = arena_alloc(arena, text.len + 1);
	if (text.len > 0)
		memcpy(out, text.data, text.len);
	out[text.len] = '\n';
	return slice_make(out, text.len + 1);
}

static struct slice decoded_value(struct rule_scan *s, const struct header *h)
{
	return with_line_end(s->arena, message_header_text(s->in.message, h));
}

/* Another filter's word, or a forged one: no rule sees it, as with SpamAssassin. */
static bool is_seen(const struct header *h)
{
	return !h->broken && !slice_starts_nocase(h->name, SLICE("X-Spam-"));
}

static void add_fields(struct rule_scan *s, struct values *v, struct slice name, bool raw)
{
	const struct message *m = s->in.message;
	for (size_t i = 0; i < m->header_count && v->count < VALUES_MAX; i++) {
		const struct header *h = &m->headers[i];
		if (slice_eq_nocase(h->name, name) && is_seen(h))
			add(v, raw ? raw_value(s->arena, h->value) : decoded_value(s, h));
	}
}

static void add_relays(struct rule_scan *s, struct values *v, struct slice relays, bool raw)
{
	(void)s;
	(void)raw;
	add(v, relays.data != NULL ? relays : SLICE(""));
}

/* Fields [from, to) as they stand, or decoded. */
static void add_all(struct rule_scan *s, struct values *v, size_t from, size_t to, bool raw)
{
	const struct message *m = s->in.message;
	for (size_t i = from; i < to && i < m->header_count; i++) {
		const struct header *h = &m->headers[i];
		if (!h->broken && !is_seen(h))
			continue;
		if (raw)
			add(v, raw_value(s->arena, h->field));
		else if (!h->broken)
			add(v, arena_printf(s->arena, "%.*s: %.*s\n", SLICE_ARG(h->name),
					    SLICE_ARG(message_header_text(s->in.message, h))));
	}
}

/* The field by which the first relay that is not one of the first n came in. */
static size_t boundary(const struct rule_scan *s, size_t n)
{
	if (n >= s->relays->count)
		return SLICE_NPOS;
	return s->relays->list[n].header;
}

/* Down to and with the field that our own hosts wrote last. */
static void add_ours(struct rule_scan *s, struct values *v, size_t relays, bool raw)
{
	size_t at = boundary(s, relays);
	if (relays < s->relays->count && at == SIZE_MAX)
		return; /* it is the connection itself */
	add_all(s, v, 0, at == SLICE_NPOS ? s->in.message->header_count : at + 1, raw);
}

static void add_theirs(struct rule_scan *s, struct values *v, size_t relays, bool raw)
{
	if (relays >= s->relays->count)
		return;
	size_t at = boundary(s, relays);
	add_all(s, v, at == SIZE_MAX ? 0 : at, s->in.message->header_count, raw);
}

static void add_message_ids(struct rule_scan *s, struct values *v, bool raw)
{
	static const char *const names[] = {
		"X-Message-Id", "Resent-Message-Id", "X-Original-Message-ID", "Message-Id",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		add_fields(s, v, slice_str(names[i]), raw);
}

static void get_all(struct rule_scan *s, struct values *v, bool raw)
{
	add_all(s, v, 0, SIZE_MAX, raw);
}

static void get_all_trusted(struct rule_scan *s, struct values *v, bool raw)
{
	add_ours(s, v, s->relays->trusted_count, raw);
}

static void get_all_untrusted(struct rule_scan *s, struct values *v, bool raw)
{
	add_theirs(s, v, s->relays->trusted_count, raw);
}

static void get_all_internal(struct rule_scan *s, struct values *v, bool raw)
{
	add_ours(s, v, s->relays->internal_count, raw);
}

static void get_all_external(struct rule_scan *s, struct values *v, bool raw)
{
	add_theirs(s, v, s->relays->internal_count, raw);
}

static void get_trusted(struct rule_scan *s, struct values *v, bool raw)
{
	add_relays(s, v, s->relays->trusted, raw);
}

static void get_untrusted(struct rule_scan *s, struct values *v, bool raw)
{
	add_relays(s, v, s->relays->untrusted, raw);
}

static void get_internal(struct rule_scan *s, struct values *v, bool raw)
{
	add_relays(s, v, s->relays->internal, raw);
}

static void get_external(struct rule_scan *s, struct values *v, bool raw)
{
	add_relays(s, v, s->relays->external, raw);
}

static void get_to_cc(struct rule_scan *s, struct values *v, bool raw)
{
	add_fields(s, v, SLICE("To"), raw);
	add_fields(s, v, SLICE("Cc"), raw);
}

static void get_envelope_from(struct rule_scan *s, struct values *v, bool raw)
{
	(void)raw;
	if (s->has_envelope_from)
		add(v, s->envelope_from);
}

static const struct pseudo_header {
	struct slice name;
	bool exact;           /* of that case only */
	void (*get)(struct rule_scan *, struct values *, bool raw);
} pseudo_headers[] = {
	{ { "ALL", sizeof("ALL") - 1 }, true, get_all },
	{ { "ALL-TRUSTED", sizeof("ALL-TRUSTED") - 1 }, true, get_all_trusted },
	{ { "ALL-UNTRUSTED", sizeof("ALL-UNTRUSTED") - 1 }, true, get_all_untrusted },
	{ { "ALL-INTERNAL", sizeof("ALL-INTERNAL") - 1 }, true, get_all_internal },
	{ { "ALL-EXTERNAL", sizeof("ALL-EXTERNAL") - 1 }, true, get_all_external },
	{ { "MESSAGEID", sizeof("MESSAGEID") - 1 }, true, add_message_ids },
	{ { "ToCc", sizeof("ToCc") - 1 }, false, get_to_cc },
	{ { "EnvelopeFrom", sizeof("EnvelopeFrom") - 1 }, false, get_envelope_from },
	{ { "X-Spam-Relays-Trusted", sizeof("X-Spam-Relays-Trusted") - 1 }, false, get_trusted },
	{ { "X-Spam-Relays-Untrusted", sizeof("X-Spam-Relays-Untrusted") - 1 }, false, get_untrusted },
	{ { "X-Spam-Relays-Internal", sizeof("X-Spam-Relays-Internal") - 1 }, false, get_internal },
	{ { "X-Spam-Relays-External", sizeof("X-Spam-Relays-External") - 1 }, false, get_external },
};

static void get_values(struct rule_scan *s, const struct header_selector *sel, struct values *v)
{
	bool raw = (sel->parts & (HEADER_RAW | HEADER_ADDR | HEADER_NAME)) != 0;
	for (size_t i = 0; i < sizeof(pseudo_headers) / sizeof(*pseudo_headers); i++) {
		const struct pseudo_header *p = &pseudo_headers[i];
		if (p->exact ? slice_eq(sel->name, p->name) : slice_eq_nocase(sel->name, p->name)) {
			p->get(s, v, raw);
			return;
		}
	}
	add_fields(s, v, sel->name, raw);
}

/* ---- parts of a value ---- */

static struct slice phrase_text(struct rule_scan *s, struct slice phrase)
{
	struct slice text = encoded_word_decode(s->arena, phrase);
	char *out = arena_alloc(s->arena, text.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		bool space = ascii_is_space(text.data[i]);
		if (!space)
			out[n++] = text.data[i];
		else if (n > 0 && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	struct slice clean = slice_make(out, n);
	if (n == 0)
		return text;
	if (n >= 2 && out[0] == '\'' && out[n - 1] == '\'')
		clean = slice_sub(clean, 1, n - 2);
	return clean;
}

static void take_mailboxes(struct rule_scan *s, const struct header_selector *sel, struct values *v)
{
	struct values out = { .arena = s->arena };
	for (size_t i = 0; i < v->count && out.count < MAILBOXES_MAX; i++) {
		/* Each takes a character and something between. */
		size_t max = v->list[i].len / 2 + 1;
		max = max < MAILBOXES_MAX ? max : MAILBOXES_MAX;
		struct header_mailbox *boxes = arena_array(s->arena, struct header_mailbox, max);
		size_t n = header_addresses(s->arena, v->list[i], boxes, max);
		for (size_t k = 0; k < n; k++) {
			if ((sel->parts & HEADER_ADDR) && boxes[k].address.len > 0)
				add(&out, boxes[k].address);
			else if (!(sel->parts & HEADER_ADDR) && boxes[k].has_phrase)
				add(&out, sel->parts & HEADER_RAW ? boxes[k].phrase : phrase_text(s, boxes[k].phrase));
		}
	}
	*v = out;
}

static bool host_of_word(struct rule_scan *s, struct slice word, struct uri_host *host_r)
{
	return word.len > 0 && word.len < 256 &&
	       uri_host(s->arena, arena_printf(s->arena, "http://%.*s/", SLICE_ARG(word)), host_r);
}

static bool is_host_char(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || (unsigned char)c >= 0x80;
}

/* Past an "@" first, else the first name with a known top-level domain. */
static bool find_host(struct rule_scan *s, struct slice text, struct uri_host *host_r)
{
	struct slice behind = address_domain_part(text);
	size_t n = 0;
	while (n < behind.len && is_host_char(behind.data[n]))
		n++;
	if (host_of_word(s, slice_head(behind, n), host_r))
		return true;
	for (unsigned tries = 0; text.len > 0 && tries < 20;) {
		size_t from = 0, to;
		while (from < text.len && !is_host_char(text.data[from]))
			from++;
		for (to = from; to < text.len && is_host_char(text.data[to]); to++)
			;
		struct slice word = slice_sub(text, from, to - from);
		if (slice_chr(word, '.') != SLICE_NPOS) {
			tries++;
			if (host_of_word(s, word, host_r))
				return true;
		}
		text = slice_from(text, to);
	}
	return false;
}

static void take_hosts(struct rule_scan *s, const struct header_selector *sel, struct values *v)
{
	struct values out = { .arena = s->arena };
	for (size_t i = 0; i < v->count; i++) {
		struct uri_host host;
		if (find_host(s, v->list[i], &host))
			add(&out, sel->parts & HEADER_DOMAIN ? host.domain : host.host);
	}
	*v = out;
}

static struct slice reversed(struct rule_scan *s, const struct ip *ip)
{
	struct slice name = dns_reverse_name(s->arena, ip_slice(ip), SLICE(""));
	struct slice tails[] = { SLICE(".in-addr.arpa"), SLICE(".ip6.arpa") };
	for (size_t i = 0; i < 2; i++)
		if (slice_ends(name, tails[i]))
			return slice_head(name, name.len - tails[i].len);
	return name;
}

static bool is_ip_char(char c)
{
	return ascii_hex(c) >= 0 || c == '.' || c == ':';
}

static bool find_ip(struct slice text, struct ip *ip_r)
{
	while (text.len > 0) {
		size_t from = 0, to;
		while (from < text.len && !is_ip_char(text.data[from]))
			from++;
		for (to = from; to < text.len && is_ip_char(text.data[to]); to++)
			;
		if (to > from && to - from < IP_TEXT_MAX && ip_parse(slice_sub(text, from, to - from), ip_r))
			return true;
		text = slice_from(text, to);
	}
	return false;
}

static void take_ips(struct rule_scan *s, const struct header_selector *sel, struct values *v)
{
	struct values out = { .arena = s->arena };
	for (size_t i = 0; i < v->count; i++) {
		struct ip ip;
		char text[IP_TEXT_MAX];
		if (!find_ip(v->list[i], &ip))
			continue;
		if (sel->parts & HEADER_REVIP)
			add(&out, reversed(s, &ip));
		else
			add(&out, arena_copy(s->arena, slice_str(ip_text(&ip, text))));
	}
	*v = out;
}

static void get_parts(struct rule_scan *s, const struct header_selector *sel, struct values *v)
{
	get_values(s, sel, v);
	if (v->count > 1 && (sel->parts & HEADER_FIRST))
		v->count = 1;
	else if (v->count > 1 && (sel->parts & HEADER_LAST)) {
		v->list[0] = v->list[v->count - 1];
		v->count = 1;
	}
	if (v->count > 0 && (sel->parts & (HEADER_ADDR | HEADER_NAME)))
		take_mailboxes(s, sel, v);
	if (v->count > 0 && (sel->parts & HEADER_HOST))
		take_hosts(s, sel, v);
	else if (v->count > 0 && (sel->parts & HEADER_IP))
		take_ips(s, sel, v);
}

/* ---- what is asked for ---- */

bool rule_header_get(struct rule_scan *s, const struct header_selector *sel, struct slice *value_r)
{
	struct values v = { .arena = s->arena };
	get_parts(s, sel, &v);
	*value_r = SLICE_EMPTY;
	if (v.count == 0)
		return false;
	if (v.count == 1) {
		*value_r = v.list[0];
		return true;
	}
	bool lines = v.list[0].len > 0 && v.list[0].data[v.list[0].len - 1] == '\n';
	struct buf out = { 0 };
	for (size_t i = 0; i < v.count; i++) {
		if (i > 0 && !lines)
			buf_add_char(&out, '\n');
		buf_add_slice(&out, v.list[i]);
	}
	*value_r = arena_copy(s->arena, buf_slice(&out));
	buf_free(&out);
	return true;
}

static struct header_selector parse(const char *text)
{
	struct slice rest = slice_str(text), piece;
	struct header_selector sel = { .parts = 0 };
	slice_split(&rest, ':', &sel.name);
	while (rest.data != NULL && slice_split(&rest, ':', &piece)) {
		if (slice_eq(piece, SLICE("addr")))
			sel.parts |= HEADER_ADDR;
		else if (slice_eq(piece, SLICE("name")))
			sel.parts |= HEADER_NAME;
		else if (slice_eq(piece, SLICE("raw")))
			sel.parts |= HEADER_RAW;
		else if (slice_eq(piece, SLICE("host")))
			sel.parts |= HEADER_HOST;
		else if (slice_eq(piece, SLICE("domain")))
			sel.parts |= HEADER_HOST | HEADER_DOMAIN;
	}
	return sel;
}

struct slice rule_header_text(struct rule_scan *s, const char *selector)
{
	struct header_selector sel = parse(selector);
	struct slice value;
	if (sel.parts & ~(unsigned)HEADER_RAW) {
		return rule_header_list(s, selector, &value, 1) > 0 ? value : SLICE_EMPTY;
	}
	if (!rule_header_get(s, &sel, &value))
		return SLICE_EMPTY;
	return slice_trim_right(value);
}

bool rule_header_exists(struct rule_scan *s, const char *name)
{
	return message_header(s->in.message, slice_str(name), 0) != NULL;
}

size_t rule_header_list(struct rule_scan *s, const char *selector, struct slice *list, size_t max)
{
	struct header_selector sel = parse(selector);
	struct values v = { .arena = s->arena };
	get_parts(s, &sel, &v);
	for (size_t i = 0; i < v.count && i < max; i++)
		list[i] = v.list[i];
	return v.count < max ? v.count : max;
}
