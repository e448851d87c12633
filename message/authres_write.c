/*
 * Each result stands on a line of its own, and a property that would make its
 * line longer than LINE_WISHED goes to the next.
 */
#include "message/authres.h"

#include <stdio.h>

#include "base/utf8.h"

#define LINE_WISHED 78 /* RFC 5322 2.1.1 */
#define VALUE_MAX 256

struct writer {
	struct buf *out;
	size_t line;             /* offset of the line's begin */
};

static void new_line(struct writer *w)
{
	buf_add_str(w->out, "\r\n\t");
	w->line = w->out->len - 1;
}

/* text with a space before it, or on a new line if it is too long. */
static void add_piece(struct writer *w, struct slice text)
{
	if (w->out->len - w->line + 1 + text.len > LINE_WISHED)
		new_line(w);
	else
		buf_add_char(w->out, ' ');
	buf_add_slice(w->out, text);
}

/* What is no UTF-8 or a control character becomes "?". */
static void add_clean(struct buf *out, struct slice s)
{
	s = slice_head(s, VALUE_MAX);
	while (s.len > 0) {
		uint32_t code = 0;
		size_t n = utf8_next(s, &code);
		if (n == 0 || utf8_is_control(code))
			buf_add_char(out, '?');
		else
			buf_add(out, s.data, n);
		s = slice_from(s, n ? n : 1);
	}
}

static bool is_token_char(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static bool is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.data[i]))
			return false;
	return s.len > 0;
}

/* An address goes bare if both of its sides are tokens: [local-part] "@" domain-name. */
static bool is_bare_address(struct slice s)
{
	size_t at = slice_rchr(s, '@');
	return at != SLICE_NPOS && (at == 0 || is_token(slice_head(s, at))) && is_token(slice_from(s, at + 1));
}

static void add_quoted(struct buf *out, struct slice clean)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.data[i] == '"' || clean.data[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, clean.data[i]);
	}
	buf_add_char(out, '"');
}

/* name=value, unless the value is empty. */
static void add_property(struct writer *w, const char *name, struct slice value)
{
	struct buf clean = { 0 }, piece = { 0 };
	if (value.len == 0)
		return;
	add_clean(&clean, value);
	buf_printf(&piece, "%s=", name);
	if (is_token(buf_slice(&clean)) || is_bare_address(buf_slice(&clean)))
		buf_add_slice(&piece, buf_slice(&clean));
	else
		add_quoted(&piece, buf_slice(&clean));
	add_piece(w, buf_slice(&piece));
	buf_free(&clean);
	buf_free(&piece);
}

static void add_comment(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_comment(struct writer *w, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	va_start(ap, fmt);
	buf_add_char(&text, '(');
	buf_vprintf(&text, fmt, ap);
	buf_add_char(&text, ')');
	va_end(ap);
	add_piece(w, buf_slice(&text));
	buf_free(&text);
}

static void begin_result(struct writer *w, const char *method, enum auth_result result)
{
	buf_add_char(w->out, ';');
	new_line(w);
	buf_printf(w->out, "%s=%s", method, auth_result_name(result));
}

static void add_auth(struct writer *w, const struct client *client)
{
	if (client->login.len == 0)
		return;
	begin_result(w, "auth", AUTH_PASS);
	add_property(w, "smtp.auth", client->login);
}

static void add_iprev(struct writer *w, const struct iprev_fact *iprev, const struct ip *host)
{
	char text[IP_TEXT_MAX];
	if (iprev->result == AUTH_UNKNOWN)
		return;
	begin_result(w, "iprev", iprev->result);
	if (host->family != 0)
		add_property(w, "policy.iprev", slice_str(ip_text(host, text)));
}

static void add_spf(struct writer *w, const struct spf_fact *spf)
{
	if (spf->result == AUTH_UNKNOWN)
		return;
	begin_result(w, "spf", spf->result);
	add_property(w, "reason", spf->problem);
	if (spf->helo)
		add_property(w, "smtp.helo", spf->domain);
	else
		add_property(w, "smtp.mailfrom", spf->sender.len ? spf->sender : spf->domain);
}

static void add_dkim(struct writer *w, const struct dkim_fact *dkim)
{
	begin_result(w, "dkim", dkim->result);
	if (dkim->key_bits > 0 && slice_starts(dkim->algorithm, SLICE("rsa")))
		add_comment(w, "%u-bit key%s", dkim->key_bits, dkim->testing ? ", testing" : "");
	else if (dkim->testing)
		add_comment(w, "testing");
	add_property(w, "reason", dkim->reason);
	add_property(w, "header.d", dkim->domain);
	add_property(w, "header.i", dkim->identity);
	add_property(w, "header.s", dkim->selector);
	add_property(w, "header.a", dkim->algorithm);
	add_property(w, "header.b", dkim->header_b);
}

static void add_dkims(struct writer *w, const struct facts *facts)
{
	for (size_t i = 0; facts->dkim_known && i < facts->dkim_count; i++)
		add_dkim(w, &facts->dkim[i]);
	if (facts->dkim_known && facts->dkim_count == 0)
		begin_result(w, "dkim", AUTH_NONE);
}

static void add_arc(struct writer *w, const struct arc_fact *arc, const struct ip *host)
{
	char text[IP_TEXT_MAX], number[16];
	if (arc->result == AUTH_UNKNOWN)
		return;
	begin_result(w, "arc", arc->result);
	if (arc->instances > 0)
		add_comment(w, "i=%u", arc->instances);
	if (arc->result == AUTH_FAIL)
		add_property(w, "reason", arc->reason);
	if (arc->result == AUTH_PASS) {
		snprintf(number, sizeof(number), "%u", arc->oldest_pass);
		add_property(w, "header.oldest-pass", slice_str(number));
	}
	if (host->family != 0)
		add_property(w, "smtp.remote-ip", slice_str(ip_text(host, text)));
}

/* polrec: RFC 9989's; policy.dmarc: what was evaluated, RFC 7489 11.2. */
static void add_dmarc(struct writer *w, const struct dmarc_fact *dmarc)
{
	if (dmarc->result == AUTH_UNKNOWN)
		return;
	begin_result(w, "dmarc", dmarc->result);
	if (dmarc->policy != DMARC_POLICY_UNSET)
		add_comment(w, "p=%s dis=%s", dmarc_policy_name(dmarc->policy),
			    dmarc->disposition == DMARC_POLICY_UNSET ? "none" : dmarc_policy_name(dmarc->disposition));
	if (dmarc->result == AUTH_TEMPERROR || dmarc->result == AUTH_PERMERROR)
		add_property(w, "reason", dmarc->reason);
	add_property(w, "header.from", dmarc->domain);
	if (dmarc->policy != DMARC_POLICY_UNSET)
		add_property(w, "policy.dmarc", slice_str(dmarc_policy_name(dmarc->policy)));
	if (dmarc->policy_domain.len > 0 && !slice_eq(dmarc->policy_domain, dmarc->domain))
		add_property(w, "polrec.domain", dmarc->policy_domain);
}

void authres_write(struct buf *out, struct slice authserv_id, const struct facts *facts,
		   const struct client *client, const struct ip *host)
{
	struct writer w = { out, out->len };
	buf_add_str(out, "Authentication-Results:");
	add_piece(&w, authserv_id);
	size_t head = out->len;
	add_auth(&w, client);
	add_iprev(&w, &facts->iprev, host);
	add_spf(&w, &facts->spf);
	if (!facts->spf.helo)
		add_spf(&w, &facts->spf_helo);
	add_dkims(&w, facts);
	add_arc(&w, &facts->arc, host);
	add_dmarc(&w, &facts->dmarc);
	if (out->len == head)
		buf_add_str(out, "; none");
	buf_add_str(out, "\r\n");
}
