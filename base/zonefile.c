#include "base/zonefile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/wire_name.h"

#define DEFAULT_TTL 3600u
#define TTL_MAX 0x7fffffffu /* RFC 2181 8 */
#define RDATA_MAX 65535u
#define STRING_MAX 255u

struct token {
	struct slice text; /* escapes not yet resolved */
	bool quoted;
};

/* An entry is a line, or several within parentheses. */
struct parser {
	struct zone *zone;
	struct zone_errors *errors;
	struct slice text;
	size_t at;
	unsigned line;        /* being read */
	unsigned entry_line;  /* where the entry begins */
	bool blank_start;     /* the entry begins with white space: owner as before */
	struct token *tokens;
	size_t count, cap;
	size_t next;          /* token to be used */
	uint8_t origin[WIRE_NAME_MAX], owner[WIRE_NAME_MAX];
	size_t origin_len, owner_len;
	uint32_t ttl;
	struct buf rdata;
};

static bool fail(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct parser *p, const char *fmt, ...)
{
	struct zone_errors *errors = p->errors;
	size_t room = sizeof(errors->list) / sizeof(errors->list[0]);
	if (errors->count < room) {
		struct zone_error *e = &errors->list[errors->count];
		va_list ap;
		va_start(ap, fmt);
		e->line = p->entry_line;
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
	}
	errors->count++;
	return false;
}

/* --- entries and tokens --- */

static void add_token(struct parser *p, struct slice text, bool quoted)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->tokens = xrealloc(p->tokens, p->cap * sizeof(*p->tokens));
	}
	p->tokens[p->count++] = (struct token){ text, quoted };
}

static size_t line_end(const struct parser *p)
{
	size_t len = slice_chr(slice_from(p->text, p->at), '\n');
	return len == SLICE_NPOS ? p->text.len : p->at + len;
}

/* A backslash takes the next character with it, but not the line's end. */
static size_t char_len(const struct parser *p)
{
	struct slice two = slice_sub(p->text, p->at, 2);
	return two.len == 2 && two.data[0] == '\\' && two.data[1] != '\n' ? 2 : 1;
}

/* From the opening quote to behind the closing one. */
static bool read_quoted(struct parser *p)
{
	size_t start = ++p->at;
	while (p->at < p->text.len && p->text.data[p->at] != '"' && p->text.data[p->at] != '\n')
		p->at += char_len(p);
	if (p->at >= p->text.len || p->text.data[p->at] != '"')
		return false;
	add_token(p, slice_sub(p->text, start, p->at - start), true);
	p->at++;
	return true;
}

static void read_word(struct parser *p)
{
	size_t start = p->at;
	while (p->at < p->text.len) {
		char c = p->text.data[p->at];
		if (ascii_is_space(c) || c == ';' || c == '"' || c == '(' || c == ')')
			break;
		p->at += char_len(p);
	}
	add_token(p, slice_sub(p->text, start, p->at - start), false);
}

enum entry { ENTRY_OK, ENTRY_BAD, ENTRY_FAULT };

/* Skips what is left of a bad line. */
static enum entry bad_entry(struct parser *p, const char *why)
{
	fail(p, "%s", why);
	p->at = line_end(p);
	return ENTRY_BAD;
}

/* Reads one entry's tokens. A ";!" comment that begins a line is an entry too. */
static enum entry read_entry(struct parser *p)
{
	unsigned depth = 0;
	enum entry kind = ENTRY_OK;
	p->count = p->next = 0;
	p->entry_line = p->line;
	p->blank_start = p->at < p->text.len && ascii_is_space(p->text.data[p->at]);
	while (p->at < p->text.len) {
		char c = p->text.data[p->at];
		if (c == '\n') {
			if (depth == 0)
				break;
			p->line++;
			p->at++;
		} else if (ascii_is_space(c)) {
			p->at++;
		} else if (c == ';' && p->count == 0 && depth == 0 && kind == ENTRY_OK &&
			   p->at + 1 < p->text.len && p->text.data[p->at + 1] == '!') {
			kind = ENTRY_FAULT;
			p->at += 2;
		} else if (c == ';') {
			p->at = line_end(p);
		} else if (c == '(') {
			depth++;
			p->at++;
		} else if (c == ')') {
			if (depth-- == 0)
				return bad_entry(p, "\")\" without \"(\"");
			p->at++;
		} else if (c == '"') {
			if (!read_quoted(p))
				return bad_entry(p, "the quoted string is not closed on its line");
		} else {
			read_word(p);
		}
	}
	if (depth > 0)
		return bad_entry(p, "\"(\" is not closed");
	return kind;
}

static const struct token *take(struct parser *p)
{
	return p->next < p->count ? &p->tokens[p->next++] : NULL;
}

/* --- fields --- */

static bool read_number(struct parser *p, uint64_t max, uint64_t *value_r)
{
	const struct token *t = take(p);
	if (t == NULL)
		return fail(p, "a number is missing");
	if (!slice_u64(t->text, max, value_r))
		return fail(p, "\"%.*s\" is not a number up to %llu", SLICE_ARG(t->text),
			    (unsigned long long)max);
	return true;
}

/* "3600", "1h30m" */
static bool parse_ttl(struct slice text, uint32_t *ttl_r)
{
	static const struct { char unit; uint32_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 },
	};
	uint64_t total = 0, value;
	while (text.len > 0) {
		size_t digits = 0, unit = 0;
		while (digits < text.len && ascii_is_digit(text.data[digits]))
			digits++;
		if (!slice_u64(slice_head(text, digits), TTL_MAX, &value))
			return false;
		if (digits < text.len) {
			while (unit < 5 && units[unit].unit != ascii_lower(text.data[digits]))
				unit++;
			if (unit == 5)
				return false;
			value *= units[unit].seconds;
			digits++;
		}
		total += value;
		if (total > TTL_MAX)
			return false;
		text = slice_from(text, digits);
	}
	*ttl_r = (uint32_t)total;
	return true;
}

/* A name as text into wire form. */
static size_t parse_name(struct parser *p, struct slice text, uint8_t out[WIRE_NAME_MAX])
{
	struct slice origin = slice_make(p->origin, p->origin_len);
	if (slice_eq(text, SLICE("@"))) {
		memcpy(out, origin.data, origin.len);
		return origin.len;
	}
	size_t len = wire_name_from_text(text, origin, out);
	if (len == 0)
		fail(p, "\"%.*s\" is not a domain name", SLICE_ARG(slice_head(text, 80)));
	return len;
}

static void add_u16(struct buf *b, uint64_t value)
{
	buf_add_char(b, (char)(value >> 8 & 0xff));
	buf_add_char(b, (char)(value & 0xff));
}

static void add_u32(struct buf *b, uint64_t value)
{
	add_u16(b, value >> 16);
	add_u16(b, value & 0xffff);
}

static bool rdata_name(struct parser *p)
{
	uint8_t name[WIRE_NAME_MAX];
	const struct token *t = take(p);
	if (t == NULL)
		return fail(p, "a domain name is missing");
	size_t len = parse_name(p, t->text, name);
	buf_add(&p->rdata, name, len);
	return len > 0;
}

static bool rdata_u16(struct parser *p)
{
	uint64_t value = 0;
	if (!read_number(p, UINT16_MAX, &value))
		return false;
	add_u16(&p->rdata, value);
	return true;
}

static bool rdata_address(struct parser *p, int family, size_t len, const char *what)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t address[16];
	const struct token *t = take(p);
	if (t == NULL)
		return fail(p, "the %s address is missing", what);
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(t->text));
	if (t->text.len >= sizeof(text) || inet_pton(family, text, address) != 1)
		return fail(p, "\"%.*s\" is not an %s address", SLICE_ARG(slice_head(t->text, 80)), what);
	buf_add(&p->rdata, address, len);
	return true;
}

static bool rdata_a(struct parser *p)
{
	return rdata_address(p, AF_INET, 4, "IPv4");
}

static bool rdata_aaaa(struct parser *p)
{
	return rdata_address(p, AF_INET6, 16, "IPv6");
}

static bool rdata_mx(struct parser *p)
{
	return rdata_u16(p) && rdata_name(p);
}

static bool rdata_srv(struct parser *p)
{
	for (int i = 0; i < 3; i++) /* priority, weight, port */
		if (!rdata_u16(p))
			return false;
	return rdata_name(p);
}

static bool rdata_soa(struct parser *p)
{
	uint64_t serial = 0;
	for (int i = 0; i < 2; i++) /* primary server, mailbox */
		if (!rdata_name(p))
			return false;
	if (!read_number(p, UINT32_MAX, &serial))
		return false;
	add_u32(&p->rdata, serial);
	for (int i = 0; i < 4; i++) { /* refresh, retry, expire, minimum */
		uint32_t seconds;
		const struct token *t = take(p);
		if (t == NULL || !parse_ttl(t->text, &seconds))
			return fail(p, "SOA needs a serial and four times");
		add_u32(&p->rdata, seconds);
	}
	return true;
}

/* One escaped or plain character of a string. */
static bool string_char(struct slice text, size_t *i, char *c_r)
{
	uint64_t code;
	if (text.data[*i] != '\\') {
		*c_r = text.data[(*i)++];
		return true;
	}
	if (*i + 1 >= text.len)
		return false;
	if (!ascii_is_digit(text.data[*i + 1])) {
		*c_r = text.data[*i + 1];
		*i += 2;
		return true;
	}
	if (text.len - *i < 4 || !slice_u64(slice_sub(text, *i + 1, 3), 255, &code))
		return false;
	*c_r = (char)code;
	*i += 4;
	return true;
}

/* <character-string>s of at most 255 octets; a longer one becomes several. */
static bool add_string(struct parser *p, struct slice text)
{
	size_t i = 0;
	do {
		size_t length_at = p->rdata.len, octets = 0;
		char c;
		buf_add_char(&p->rdata, 0);
		for (; i < text.len && octets < STRING_MAX; octets++) {
			if (!string_char(text, &i, &c))
				return fail(p, "a \"\\\" is not followed by a character or three digits up to 255");
			buf_add_char(&p->rdata, c);
		}
		p->rdata.data[length_at] = (char)octets;
	} while (i < text.len);
	return true;
}

static bool rdata_txt(struct parser *p)
{
	const struct token *t = take(p);
	if (t == NULL)
		return fail(p, "the text is missing");
	for (; t != NULL; t = take(p))
		if (!add_string(p, t->text))
			return false;
	return true;
}

/* RFC 3597 5: \# length hex… */
static bool rdata_generic(struct parser *p)
{
	uint64_t len = 0;
	const struct token *t;
	int high = -1;
	if (!read_number(p, RDATA_MAX, &len))
		return false;
	while ((t = take(p)) != NULL)
		for (size_t i = 0; i < t->text.len; i++) {
			int digit = ascii_hex(t->text.data[i]);
			if (digit < 0)
				return fail(p, "\"%c\" is not a hexadecimal digit", t->text.data[i]);
			if (high >= 0)
				buf_add_char(&p->rdata, (char)(high << 4 | digit));
			high = high >= 0 ? -1 : digit;
		}
	if (high >= 0 || p->rdata.len != len)
		return fail(p, "\\# says %u octets and %zu%s follow", (unsigned)len, p->rdata.len,
			    high >= 0 ? " and a half" : "");
	return true;
}

/* --- records --- */

struct rr_type {
	const char *name;
	uint16_t type;
	bool (*rdata)(struct parser *p); /* NULL: not kept */
};

static const struct rr_type rr_types[] = {
	{ "A", DNS_A, rdata_a },
	{ "AAAA", DNS_AAAA, rdata_aaaa },
	{ "CNAME", DNS_CNAME, rdata_name },
	{ "MX", DNS_MX, rdata_mx },
	{ "NS", DNS_NS, rdata_name },
	{ "PTR", DNS_PTR, rdata_name },
	{ "SOA", DNS_SOA, rdata_soa },
	{ "SPF", DNS_SPF, rdata_txt },
	{ "SRV", 33, rdata_srv },
	{ "TXT", DNS_TXT, rdata_txt },
	/* Real zones hold them; nobody here asks for them. */
	{ "AFSDB", 18, NULL },
	{ "CAA", 257, NULL },
	{ "CDNSKEY", 60, NULL },
	{ "CDS", 59, NULL },
	{ "CERT", 37, NULL },
	{ "DNSKEY", 48, NULL },
	{ "DS", 43, NULL },
	{ "HINFO", 13, NULL },
	{ "HTTPS", 65, NULL },
	{ "LOC", 29, NULL },
	{ "NAPTR", 35, NULL },
	{ "NSEC", 47, NULL },
	{ "NSEC3", 50, NULL },
	{ "NSEC3PARAM", 51, NULL },
	{ "OPENPGPKEY", 61, NULL },
	{ "RP", 17, NULL },
	{ "RRSIG", 46, NULL },
	{ "SMIMEA", 53, NULL },
	{ "SSHFP", 44, NULL },
	{ "SVCB", 64, NULL },
	{ "TLSA", 52, NULL },
	{ "URI", 256, NULL },
	{ NULL, 0, NULL },
};

/* A mnemonic, or RFC 3597's TYPEn. */
static bool find_type(struct slice name, struct rr_type *type_r)
{
	uint64_t number = 0;
	bool generic = slice_starts_nocase(name, SLICE("TYPE")) &&
		       slice_u64(slice_from(name, 4), UINT16_MAX, &number) && number > 0;
	for (const struct rr_type *t = rr_types; t->name != NULL; t++)
		if (generic ? t->type == number : slice_eq_nocase(name, slice_str(t->name))) {
			*type_r = *t;
			return true;
		}
	*type_r = (struct rr_type){ NULL, (uint16_t)number, NULL };
	return generic;
}

static bool add_record(struct parser *p, const struct rr_type *type, uint32_t ttl)
{
	struct slice owner = slice_make(p->owner, p->owner_len);
	buf_clear(&p->rdata);
	if (p->next < p->count && !p->tokens[p->next].quoted && slice_eq(p->tokens[p->next].text, SLICE("\\#"))) {
		p->next++;
		if (!rdata_generic(p))
			return false;
	} else if (type->name == NULL) {
		return fail(p, "TYPE%u needs \\# and its rdata in hexadecimal", type->type);
	} else if (type->rdata == NULL) {
		zone_add_name(p->zone, owner);
		return true;
	} else if (!type->rdata(p)) {
		return false;
	}
	if (p->next < p->count)
		return fail(p, "\"%.*s\" follows the record", SLICE_ARG(slice_head(p->tokens[p->next].text, 80)));
	if (p->rdata.len > RDATA_MAX)
		return fail(p, "the record is longer than 65535 octets");
	zone_add(p->zone, owner, type->type, ttl, buf_slice(&p->rdata));
	return true;
}

/* [TTL] [class] type rdata, TTL and class in either order. */
static bool parse_record(struct parser *p)
{
	uint32_t ttl = p->ttl;
	struct rr_type type;
	const struct token *t;
	bool had_class = false, had_ttl = false;
	while ((t = take(p)) != NULL) {
		if (!had_ttl && ascii_is_digit(t->text.len > 0 ? t->text.data[0] : 0)) {
			if (!parse_ttl(t->text, &ttl))
				return fail(p, "\"%.*s\" is not a TTL", SLICE_ARG(slice_head(t->text, 80)));
			had_ttl = true;
		} else if (!had_class && slice_eq_nocase(t->text, SLICE("IN"))) {
			had_class = true;
		} else {
			break;
		}
	}
	if (t == NULL)
		return fail(p, "the record type is missing");
	if (!find_type(t->text, &type))
		return fail(p, "record type \"%.*s\" is not known", SLICE_ARG(slice_head(t->text, 80)));
	return add_record(p, &type, ttl);
}

static bool parse_owner(struct parser *p)
{
	if (!p->blank_start)
		p->owner_len = parse_name(p, take(p)->text, p->owner);
	else if (p->owner_len == 0)
		fail(p, "there is no name before that the record could belong to");
	return p->owner_len > 0;
}

static bool parse_fault(struct parser *p)
{
	static const struct { const char *name; enum zone_fault fault; } faults[] = {
		{ "SERVFAIL", ZONE_SERVFAIL }, { "TIMEOUT", ZONE_TIMEOUT }, { "NXDOMAIN", ZONE_NXDOMAIN },
	};
	uint8_t name[WIRE_NAME_MAX];
	const struct token *t = take(p);
	size_t len = t != NULL ? parse_name(p, t->text, name) : 0, i = 0;
	if (t == NULL)
		return fail(p, "\";!\" needs a name and SERVFAIL, TIMEOUT or NXDOMAIN");
	if (len == 0)
		return false;
	for (t = take(p); t != NULL && i < 3 && !slice_eq_nocase(t->text, slice_str(faults[i].name)); i++)
		;
	if (t == NULL || i == 3)
		return fail(p, "\";!\" needs SERVFAIL, TIMEOUT or NXDOMAIN after the name");
	struct slice owner = slice_make(name, len);
	if (p->next == p->count)
		zone_add_fault(p->zone, owner, 0, faults[i].fault);
	while ((t = take(p)) != NULL) {
		struct rr_type type;
		if (!find_type(t->text, &type))
			return fail(p, "record type \"%.*s\" is not known", SLICE_ARG(slice_head(t->text, 80)));
		zone_add_fault(p->zone, owner, type.type, faults[i].fault);
	}
	return true;
}

static bool parse_origin(struct parser *p)
{
	uint8_t name[WIRE_NAME_MAX];
	const struct token *t = take(p);
	size_t len = t != NULL ? parse_name(p, t->text, name) : 0;
	if (t == NULL)
		return fail(p, "$ORIGIN needs a name");
	memcpy(p->origin, name, len);
	p->origin_len = len ? len : p->origin_len;
	return len > 0;
}

static bool parse_default_ttl(struct parser *p)
{
	const struct token *t = take(p);
	if (t == NULL || t->text.len == 0 || !parse_ttl(t->text, &p->ttl))
		return fail(p, "$TTL needs a time in seconds");
	return true;
}

static bool parse_control(struct parser *p)
{
	struct slice word = take(p)->text;
	bool ok;
	if (slice_eq_nocase(word, SLICE("$ORIGIN")))
		ok = parse_origin(p);
	else if (slice_eq_nocase(word, SLICE("$TTL")))
		ok = parse_default_ttl(p);
	else
		return fail(p, "%.*s is not supported", SLICE_ARG(slice_head(word, 80)));
	if (ok && p->next < p->count)
		return fail(p, "\"%.*s\" is too much", SLICE_ARG(slice_head(p->tokens[p->next].text, 80)));
	return ok;
}

static void parse_entry(struct parser *p, enum entry kind)
{
	if (kind == ENTRY_BAD)
		return;
	if (kind == ENTRY_FAULT)
		parse_fault(p);
	else if (p->count == 0)
		return;
	else if (!p->blank_start && !p->tokens[0].quoted && slice_starts(p->tokens[0].text, SLICE("$")))
		parse_control(p);
	else if (parse_owner(p))
		parse_record(p);
}

bool zonefile_parse(struct zone *zone, struct slice text, struct zone_errors *errors_r)
{
	struct parser p = { .zone = zone, .errors = errors_r, .text = text, .line = 1,
			    .origin_len = 1, .ttl = DEFAULT_TTL };
	errors_r->count = 0;
	while (p.at < text.len) {
		parse_entry(&p, read_entry(&p));
		p.at++; /* the line's end */
		p.line++;
	}
	free(p.tokens);
	buf_free(&p.rdata);
	return errors_r->count == 0;
}

bool zonefile_read(struct zone *zone, const char *path, struct zone_errors *errors_r)
{
	struct buf text = { 0 };
	FILE *file = fopen(path, "re");
	size_t got = 0;
	while (file != NULL && (got = fread(buf_reserve(&text, 65536), 1, 65536, file)) > 0)
		text.len += got;
	bool ok = file != NULL && !ferror(file);
	if (!ok) {
		errors_r->count = 1;
		errors_r->list[0].line = 0;
		snprintf(errors_r->list[0].text, sizeof(errors_r->list[0].text), "%s", strerror(errno));
	} else {
		ok = zonefile_parse(zone, buf_slice(&text), errors_r);
	}
	if (file != NULL)
		fclose(file);
	buf_free(&text);
	return ok;
}
