/*
 * Greeting a backend: banner, EHLO (else HELO; LHLO for LMTP), what it offers,
 * and who our client is (XCLIENT, XFORWARD; Postfix's XCLIENT_README and
 * XFORWARD_README; the PROXY protocol of HAProxy, versions 1 and 2).
 */
#include <event2/event.h>
#include <stdio.h>

#include "base/clock.h"
#include "proxy/backend_private.h"
#include "proxy/proxy_protocol.h"
#include "proxy/smtp_syntax.h"
#include "proxy/tls.h"

static const struct {
	const char *keyword;
	unsigned cap;
} keywords[] = {
	{ "PIPELINING", CAP_PIPELINING }, { "8BITMIME", CAP_8BITMIME },
	{ "SIZE", CAP_SIZE },             { "ENHANCEDSTATUSCODES", CAP_ENHANCED },
	{ "SMTPUTF8", CAP_SMTPUTF8 },     { "DSN", CAP_DSN },
	{ "CHUNKING", CAP_CHUNKING },     { "BINARYMIME", CAP_BINARYMIME },
	{ "REQUIRETLS", CAP_REQUIRETLS }, { "PRDR", CAP_PRDR },
	{ "STARTTLS", CAP_STARTTLS },     { "AUTH", CAP_AUTH },
	{ "XCLIENT", CAP_XCLIENT },       { "XFORWARD", CAP_XFORWARD },
};

/* What a proxy can't relay: EXTERNAL means the TLS peer, *-PLUS binds to the
 * TLS channel, and neither is the client's any more. */
static bool mechanism_relayable(struct slice mechanism)
{
	return !slice_eq_nocase(mechanism, SLICE("EXTERNAL")) && !slice_ends_nocase(mechanism, SLICE("-PLUS"));
}

/* Appends a word in upper case, a space before it. What doesn't fit is left out. */
static void append_word(char *list, size_t size, struct slice word)
{
	size_t len = strlen(list);
	if (word.len == 0 || len + word.len + 2 > size)
		return;
	if (len > 0)
		list[len++] = ' ';
	for (size_t i = 0; i < word.len; i++)
		list[len++] = ascii_upper(word.data[i]);
	list[len] = '\0';
}

static void take_words(char *list, size_t size, struct slice rest, bool mechanisms)
{
	struct slice word;
	while (slice_split(&rest, ' ', &word))
		if (!mechanisms || mechanism_relayable(word))
			append_word(list, size, word);
}

static void take_keyword(struct backend_caps *caps, struct slice line)
{
	size_t end = 0;
	while (end < line.len && line.data[end] != ' ' && line.data[end] != '=')
		end++;
	struct slice keyword = slice_head(line, end), rest = slice_from(line, end + 1);
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++) {
		if (!slice_eq_nocase(keyword, slice_str(keywords[i].keyword)))
			continue;
		caps->bits |= keywords[i].cap;
		if (keywords[i].cap == CAP_SIZE)
			slice_u64(slice_trim(rest), UINT64_MAX, &caps->size);
		else if (keywords[i].cap == CAP_AUTH)
			take_words(caps->auth, sizeof(caps->auth), rest, true);
		else if (keywords[i].cap == CAP_XCLIENT)
			take_words(caps->xclient, sizeof(caps->xclient), rest, false);
		else if (keywords[i].cap == CAP_XFORWARD)
			take_words(caps->xforward, sizeof(caps->xforward), rest, false);
	}
}

static void take_caps(struct backend_caps *caps, struct slice text)
{
	struct slice line, rest = text;
	*caps = (struct backend_caps){ .known = true };
	slice_split(&rest, '\n', &line); /* its name and a greeting */
	while (slice_split(&rest, '\n', &line))
		take_keyword(caps, slice_trim(line));
	if (caps->auth[0] == '\0')
		caps->bits &= ~(unsigned)CAP_AUTH;
}

static void fail(struct backend_wait *wait, const char *stage, const struct reply *reply, const char *why)
{
	if (reply != NULL)
		snprintf(wait->failure_text, sizeof(wait->failure_text), "%s: %u %.*s", stage, reply->code,
			 (int)(reply->text.len < 150 ? reply->text.len : 150), reply->text.data);
	else
		snprintf(wait->failure_text, sizeof(wait->failure_text), "%s: %.200s", stage, why);
	greet_done(wait, wait->failure_text);
}

/* ---- who the client is */

struct attribute {
	const char *name;
	struct slice value;
};

static void add_attributes(struct buf *out, const char *offered, const struct attribute *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct slice word, rest = slice_str(offered);
		bool has = false;
		while (slice_split(&rest, ' ', &word))
			has |= slice_eq_nocase(word, slice_str(list[i].name));
		if (!has)
			continue;
		buf_printf(out, " %s=", list[i].name);
		smtp_xtext_encode(out, list[i].value.len ? list[i].value : SLICE("[UNAVAILABLE]"));
	}
}

/* "IPV6:2001:db8::1"; empty: none. */
static struct slice address_value(const struct ip *ip, char text[IP_TEXT_MAX + 5])
{
	char plain[IP_TEXT_MAX];
	if (ip->family == 0)
		return SLICE_EMPTY;
	snprintf(text, IP_TEXT_MAX + 5, "%s%s", ip->family == 6 ? "IPV6:" : "", ip_text(ip, plain));
	return slice_str(text);
}

static struct slice port_value(unsigned port, char text[8])
{
	snprintf(text, 8, "%u", port);
	return port ? slice_str(text) : SLICE_EMPTY;
}

/* What DNS has may be no host name, and the server would refuse the whole command for it. */
static bool is_host_name(struct slice name)
{
	bool letter = false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		if (!ascii_is_alnum(c) && c != '-' && c != '.' && c != '_')
			return false;
		letter = letter || (c != '.' && !ascii_is_digit(c));
	}
	return letter && name.len <= 255 && name.data[0] != '-' && name.data[0] != '.' &&
	       slice_find(name, SLICE("..")) == SLICE_NPOS && slice_find(name, SLICE(".-")) == SLICE_NPOS &&
	       slice_find(name, SLICE("-.")) == SLICE_NPOS && name.data[name.len - 1] != '-';
}

static struct slice name_value(const struct client *c, struct slice name)
{
	return is_host_name(name) ? name : c->name_failed ? SLICE("[TEMPUNAVAIL]") : SLICE_EMPTY;
}

static bool is_loopback(const struct ip *ip)
{
	static const uint8_t six[16] = { [15] = 1 };
	return ip->family == 4 ? ip->bytes[0] == 127 : ip->family == 6 && memcmp(ip->bytes, six, sizeof(six)) == 0;
}

/* All that any of the two commands knows; what is offered is said. */
static void identity_line(struct buf *line, const struct backend_wait *wait, bool xclient)
{
	const struct client *c = &wait->client;
	const struct backend_caps *caps = &wait->conn->caps;
	char address[IP_TEXT_MAX + 5], to[IP_TEXT_MAX + 5], port[8], to_port[8];
	const struct attribute list[] = {
		{ "NAME", name_value(c, c->name) },
		{ "REVERSE_NAME", name_value(c, c->reverse_name) },
		{ "ADDR", address_value(&c->ip, address) },
		{ "PORT", port_value(c->port, port) },
		{ "PROTO", c->esmtp ? SLICE("ESMTP") : SLICE("SMTP") },
		{ "HELO", c->helo },
		{ "LOGIN", c->login },
		{ "DESTADDR", address_value(&c->local_ip, to) },
		{ "DESTPORT", port_value(c->local_port, to_port) },
		{ "IDENT", c->ident },
		{ "SOURCE", is_loopback(&c->ip) ? SLICE("LOCAL") : SLICE("REMOTE") },
	};
	buf_add_str(line, xclient ? "XCLIENT" : "XFORWARD");
	add_attributes(line, xclient ? caps->xclient : caps->xforward, list, sizeof(list) / sizeof(*list));
	buf_add_str(line, "\r\n");
}

static void say_hello(struct backend_wait *wait);
static bool needs_tls(struct backend_wait *wait);
static void on_banner(void *arg, const struct reply *reply, const char *why);

static void on_identity(void *arg, const struct reply *reply, const char *why)
{
	struct backend_wait *wait = arg;
	bool xclient = wait->backend->config->client_info == CLIENT_INFO_XCLIENT;
	if (reply == NULL || !reply_positive(reply)) {
		fail(wait, xclient ? "XCLIENT" : "XFORWARD", reply, why);
		return;
	}
	wait->identity_told = true;
	if (xclient) /* the session starts again with a greeting: EHLO is due */
		say_hello(wait);
	else
		greet_done(wait, NULL);
}

static void tell_identity(struct backend_wait *wait)
{
	int how = wait->backend->config->client_info;
	bool xclient = how == CLIENT_INFO_XCLIENT;
	if ((!xclient && how != CLIENT_INFO_XFORWARD) || wait->identity_told || wait->client.ip.family == 0) {
		greet_done(wait, NULL);
		return;
	}
	if (!(wait->conn->caps.bits & (xclient ? CAP_XCLIENT : CAP_XFORWARD))) {
		fail(wait, xclient ? "XCLIENT" : "XFORWARD", NULL,
		     "not offered by the backend: is our address allowed to use it there?");
		return;
	}
	struct buf line = { 0 };
	identity_line(&line, wait, xclient);
	if (xclient)
		wait->conn->bound = true;
	backend_send(wait->conn, buf_slice(&line), wait->backend->config->reply_timeout, on_identity, wait);
	buf_free(&line);
}

void greet_preamble(struct backend_wait *wait)
{
	int how = wait->backend->config->client_info;
	struct buf out = { 0 };
	if (how != CLIENT_INFO_PROXY_V1 && how != CLIENT_INFO_PROXY_V2)
		return;
	wait->conn->bound = true;
	proxy_header_write(&out, &wait->client, how == CLIENT_INFO_PROXY_V1 ? 1 : 2);
	backend_write(wait->conn, buf_slice(&out));
	buf_free(&out);
}

/* ---- hello */

/* Nobody between us and it. */
static bool is_local(const struct backend *b)
{
	const struct endpoint *e = &b->config->address;
	return e->path.len > 0 || is_loopback(&e->ip);
}

/* What REQUIRETLS asks of the way to the next server (RFC 8689 4.2.1). */
static bool keeps_tls_promise(const struct backend_wait *wait)
{
	return is_local(wait->backend) || (wait->encrypted && wait->backend->config->tls == BACKEND_TLS_VERIFIED);
}

static void greeted(struct backend_wait *wait)
{
	if (!wait->identity_told) /* XCLIENT may change what is offered to this client alone */
		wait->backend->caps = wait->conn->caps;
	tell_identity(wait);
}

static void on_hello(void *arg, const struct reply *reply, const char *why)
{
	struct backend_wait *wait = arg;
	bool lmtp = wait->backend->config->protocol == BACKEND_LMTP;
	if (reply != NULL && reply->code >= 500 && reply->code < 600 && !wait->plain_helo && !lmtp) {
		wait->plain_helo = true;
		say_hello(wait);
		return;
	}
	if (reply == NULL || reply->code != 250) {
		fail(wait, lmtp ? "LHLO" : wait->plain_helo ? "HELO" : "EHLO", reply, why);
		return;
	}
	if (wait->plain_helo)
		wait->conn->caps = (struct backend_caps){ .known = true };
	else
		take_caps(&wait->conn->caps, reply->text);
	if (!keeps_tls_promise(wait))
		wait->conn->caps.bits &= ~(unsigned)CAP_REQUIRETLS;
	if (!needs_tls(wait))
		greeted(wait);
}

static void say_hello(struct backend_wait *wait)
{
	const struct config *config = wait->backend->worker->snapshot->config;
	bool lmtp = wait->backend->config->protocol == BACKEND_LMTP;
	struct buf line = { 0 };
	buf_printf(&line, "%s %.*s\r\n", lmtp ? "LHLO" : wait->plain_helo ? "HELO" : "EHLO",
		   SLICE_ARG(config->top->hostname));
	backend_send(wait->conn, buf_slice(&line), wait->backend->config->reply_timeout, on_hello, wait);
	buf_free(&line);
}

/* ---- TLS */

static void start_handshake(struct backend_wait *wait)
{
	char error[256];
	struct ssl_st *ssl = tls_client_new(wait->backend->worker->tls, wait->backend->config, error);
	if (ssl == NULL) {
		fail(wait, "TLS", NULL, error);
		return;
	}
	wait->handshaking = true;
	const int64_t ms = wait->backend->config->connect_timeout;
	const struct timeval tv = timeval_ms(ms);
	evtimer_add(&wait->conn->timer, &tv);
	stream_start_tls(wait->conn->stream, ssl, STREAM_TLS_CLIENT);
}

void greet_ready(struct backend_wait *wait, const char *why)
{
	evtimer_del(&wait->conn->timer);
	wait->handshaking = false;
	wait->encrypted = true;
	wait->clear_then = why != NULL && wait->backend->config->tls == BACKEND_TLS_OPPORTUNISTIC &&
			   !wait->backend->config->tls_implicit;
	if (why == NULL)
		why = tls_client_verify(stream_tls(wait->conn->stream), wait->backend->config);
	if (why != NULL)
		fail(wait, "TLS", NULL, why);
	else if (wait->backend->config->tls_implicit)
		backend_send(wait->conn, SLICE_EMPTY, wait->backend->config->connect_timeout, on_banner, wait);
	else
		say_hello(wait);
}

static void on_starttls(void *arg, const struct reply *reply, const char *why)
{
	struct backend_wait *wait = arg;
	if (reply != NULL && reply->code == 220)
		start_handshake(wait);
	else if (reply != NULL && wait->backend->config->tls == BACKEND_TLS_OPPORTUNISTIC)
		greeted(wait);
	else
		fail(wait, "STARTTLS", reply, why);
}

/* True: TLS comes first. */
static bool needs_tls(struct backend_wait *wait)
{
	int tls = wait->backend->config->tls;
	if (tls == BACKEND_TLS_OFF || wait->encrypted || wait->no_tls)
		return false;
	if (wait->conn->caps.bits & CAP_STARTTLS) {
		backend_send(wait->conn, SLICE("STARTTLS\r\n"), wait->backend->config->reply_timeout, on_starttls, wait);
		return true;
	}
	if (tls != BACKEND_TLS_OPPORTUNISTIC)
		fail(wait, "STARTTLS", NULL, "not offered by the backend, and required by the settings");
	return tls != BACKEND_TLS_OPPORTUNISTIC;
}

static void on_banner(void *arg, const struct reply *reply, const char *why)
{
	struct backend_wait *wait = arg;
	if (reply == NULL || reply->code != 220)
		fail(wait, "greeting", reply, why);
	else
		say_hello(wait);
}

void greet_begin(struct backend_wait *wait)
{
	greet_preamble(wait);
	if (wait->backend->config->tls_implicit) {
		stream_flush(wait->conn->stream);
		start_handshake(wait);
		return;
	}
	backend_send(wait->conn, SLICE_EMPTY, wait->backend->config->connect_timeout, on_banner, wait);
}

void greet_begin_idle(struct backend_wait *wait)
{
	tell_identity(wait);
}
