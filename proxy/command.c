#include "proxy/command.h"

#include "filters/bots.h"
#include "filters/relay.h"
#include "proxy/auth.h"
#include "proxy/route.h"
#include "proxy/smtp_syntax.h"
#include "proxy/transaction.h"

/* When a command may come. */
enum {
	NEEDS_HELO = 1 << 0,
	NEEDS_MAIL = 1 << 1,
	NO_MAIL = 1 << 2,       /* not inside a transaction */
	NO_ARGUMENT = 1 << 3,
	NEEDS_LOGIN = 1 << 4,   /* on a submission listener */
	LAST = 1 << 5,          /* nothing may be sent behind it before its reply (RFC 2920 3.1) */
};

struct command {
	const char *verb;
	unsigned flags;
	/* False: has replied. NULL: the flags say it all. */
	bool (*check)(struct session *s, struct slice arg);
	void (*proceed)(struct session *s, struct slice arg);
	const char *help;
};

/* ---- what EHLO offers */

/* LMTP does by itself what PRDR asks for. */
static bool answers_each(const struct backend *b)
{
	return backend_config(b)->protocol == BACKEND_LMTP;
}

struct backend_caps command_offered(const struct session *s)
{
	struct backend_caps offered = { .known = true, .bits = ~0u, .size = session_limits(s)->message_size };
	bool any = false;
	for (size_t i = 0; i < s->worker->backend_count; i++) {
		const struct backend *b = s->worker->backends[i];
		const struct backend_caps *caps = backend_caps(b);
		if (!route_has(s, b))
			continue;
		any = true;
		offered.bits &= caps->known ? caps->bits | (answers_each(b) ? CAP_PRDR : 0) : 0;
		if (caps->known && (caps->bits & CAP_SIZE) && caps->size > 0 && caps->size < offered.size)
			offered.size = caps->size;
	}
	if (!any)
		offered.bits = 0;
	if (!(offered.bits & CAP_CHUNKING)) /* binary goes by BDAT only */
		offered.bits &= ~(unsigned)CAP_BINARYMIME;
	return offered;
}

static const struct {
	unsigned cap;
	const char *line;
} offers[] = {
	{ CAP_8BITMIME, "8BITMIME" }, { CAP_BINARYMIME, "BINARYMIME" }, { CAP_SMTPUTF8, "SMTPUTF8" }, { CAP_DSN, "DSN" },
	{ CAP_PRDR, "PRDR" },
};

/* ---- HELO, EHLO */

static bool hello_check(struct session *s, struct slice arg)
{
	struct slice name;
	enum smtp_helo kind = smtp_helo_parse(arg, &name, NULL);
	if (kind != SMTP_HELO_EMPTY && kind != SMTP_HELO_GARBAGE)
		return true;
	session_error(s, 501, "5.5.4", "Give your host name: EHLO mail.example.org");
	return false;
}

static void take_name(struct session *s, struct slice arg, bool esmtp)
{
	struct slice name;
	smtp_helo_parse(arg, &name, NULL);
	transaction_abort(s, "hello again");
	if (s->client.helo.len > 0 && !slice_eq_nocase(s->client.helo, name))
		s->client.manners |= MANNER_HELO_CHANGED;
	if (!slice_eq(s->client.helo, name))
		s->client.helo = session_keep(s, name);
	s->client.esmtp = esmtp;
}

static void helo_proceed(struct session *s, struct slice arg)
{
	take_name(s, arg, false);
	session_reply(s, 250, NULL, s->snapshot->config->top->hostname);
}

static bool may_start_tls(const struct session *s)
{
	return s->listen->tls == TLS_STARTTLS && s->client.tls_version.len == 0 && s->worker->tls != NULL;
}

/* There each recipient comes in a message of its own. */
static bool has_lmtp(const struct session *s)
{
	for (size_t i = 0; i < s->worker->backend_count; i++)
		if (route_has(s, s->worker->backends[i]) &&
		    backend_config(s->worker->backends[i])->protocol == BACKEND_LMTP)
			return true;
	return false;
}

static void ehlo_proceed(struct session *s, struct slice arg)
{
	struct buf text = { 0 };
	take_name(s, arg, true);
	struct backend_caps caps = command_offered(s);
	buf_printf(&text, "%.*s\nPIPELINING\nCHUNKING\nSIZE %llu\nENHANCEDSTATUSCODES",
		   SLICE_ARG(s->snapshot->config->top->hostname), (unsigned long long)caps.size);
	for (size_t i = 0; i < sizeof(offers) / sizeof(*offers); i++)
		if (caps.bits & offers[i].cap)
			buf_printf(&text, "\n%s", offers[i].line);
	if (may_start_tls(s))
		buf_add_str(&text, "\nSTARTTLS");
	if ((caps.bits & CAP_REQUIRETLS) && s->client.tls_version.len > 0)
		buf_add_str(&text, "\nREQUIRETLS");
	buf_printf(&text, "\nLIMITS MAILMAX=%lld RCPTMAX=%lld", (long long)session_limits(s)->messages,
		   has_lmtp(s) ? 1LL : (long long)session_limits(s)->recipients);
	const char *mechanisms = auth_mechanisms(s);
	if (mechanisms != NULL)
		buf_printf(&text, "\nAUTH %s", mechanisms);
	session_reply(s, 250, NULL, buf_slice(&text));
	buf_free(&text);
}

/* ---- MAIL */

/* Why a MAIL or RCPT parameter isn't taken; NULL: it is. */
struct param_rule {
	const char *keyword;
	unsigned cap;          /* that must be offered; 0: always */
	bool (*take)(struct session *s, struct envelope *e, const struct smtp_param *p);
};

static bool take_size(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s;
	bool digits = p->value.len > 0 && p->value.len <= 20; /* RFC 1870 6.1 */
	for (size_t i = 0; i < p->value.len; i++)
		digits = digits && ascii_is_digit(p->value.data[i]);
	if (digits && !slice_u64(p->value, UINT64_MAX, &e->declared_size))
		e->declared_size = UINT64_MAX;
	return digits;
}

static bool take_body(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	e->body_8bit = slice_eq_nocase(p->value, SLICE("8BITMIME"));
	e->body_binary = slice_eq_nocase(p->value, SLICE("BINARYMIME"));
	if (e->body_binary && !(command_offered(s).bits & CAP_BINARYMIME))
		return false;
	return e->body_8bit || e->body_binary || slice_eq_nocase(p->value, SLICE("7BIT"));
}

static bool take_smtputf8(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s;
	e->smtputf8 = true;
	return !p->has_value;
}

static bool take_requiretls(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	e->requiretls = true;
	return !p->has_value && s->client.tls_version.len > 0; /* RFC 8689 2 */
}

static bool take_prdr(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s;
	e->prdr = true;
	return !p->has_value;
}

static bool take_ret(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s, (void)e;
	return smtp_dsn_ret_ok(p->value);
}

static bool take_envid(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s, (void)e;
	return smtp_dsn_envid_ok(p->value);
}

static bool take_notify(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s, (void)e;
	return smtp_dsn_notify_ok(p->value);
}

static bool take_orcpt(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s, (void)e;
	return smtp_dsn_orcpt_ok(p->value);
}

/* AUTH=: on whose behalf (RFC 4954 5). Passed on only if the client itself has
 * authenticated; else it is a mere claim. */
static bool take_auth(struct session *s, struct envelope *e, const struct smtp_param *p)
{
	(void)s, (void)e;
	return slice_eq(p->value, SLICE("<>")) || (p->value.len > 0 && smtp_is_xtext(p->value));
}

static const struct param_rule mail_params[] = {
	{ "SIZE", 0, take_size },           { "BODY", CAP_8BITMIME, take_body },
	{ "SMTPUTF8", CAP_SMTPUTF8, take_smtputf8 },
	{ "RET", CAP_DSN, take_ret },       { "ENVID", CAP_DSN, take_envid },
	{ "REQUIRETLS", CAP_REQUIRETLS, take_requiretls },
	{ "AUTH", CAP_AUTH, take_auth },    { "PRDR", CAP_PRDR, take_prdr },
};
static const struct param_rule rcpt_params[] = {
	{ "NOTIFY", CAP_DSN, take_notify }, { "ORCPT", CAP_DSN, take_orcpt },
};

static const struct param_rule *rule_for(const struct param_rule *rules, size_t count, struct slice keyword)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq_nocase(keyword, slice_str(rules[i].keyword)))
			return &rules[i];
	return NULL;
}

static bool take_params(struct session *s, struct envelope *e, const struct smtp_params *params,
			const struct param_rule *rules, size_t count)
{
	if (params->count > 0 && !s->client.esmtp) {
		session_error(s, 555, "5.5.4", "Parameters need EHLO");
		return false;
	}
	unsigned bits = params->count > 0 ? command_offered(s).bits & ~(unsigned)CAP_AUTH : 0;
	if (auth_mechanisms(s) != NULL || s->client.login.len > 0)
		bits |= CAP_AUTH;
	for (size_t i = 0; i < params->count; i++) {
		const struct smtp_param *p = &params->list[i];
		const struct param_rule *rule = rule_for(rules, count, p->keyword);
		if (rule == NULL || (rule->cap != 0 && !(bits & rule->cap))) {
			session_error(s, 555, "5.5.4", "Parameter %.*s is not supported", SLICE_ARG(p->keyword));
			return false;
		}
		if (!rule->take(s, e, p)) {
			session_error(s, 501, "5.5.4", "Bad value of parameter %.*s", SLICE_ARG(p->keyword));
			return false;
		}
	}
	return true;
}

static bool size_fits(struct session *s, uint64_t size)
{
	uint64_t most = command_offered(s).size;
	if (size <= most)
		return true;
	session_error(s, 552, "5.3.4", "Message is larger than %llu octets", (unsigned long long)most);
	return false;
}

/* One that needs SMTPUTF8 is not malformed (RFC 6531 3.5). */
static void bad_address(struct session *s, enum address_error wrong, const char *enhanced, const char *whose)
{
	bool utf8 = wrong == ADDRESS_8BIT;
	session_error(s, utf8 ? 553 : 501, utf8 ? "5.6.7" : enhanced, "Bad %s address: %s", whose, address_error_text(wrong));
}

static bool parse_mail(struct session *s, struct arena *arena, struct slice arg, struct envelope *e)
{
	struct smtp_path path;
	enum smtp_syntax_error bad = smtp_mail_parse(arg, &path);
	if (bad != SMTP_SYNTAX_OK) {
		session_error(s, 501, "5.5.4", "%s: MAIL FROM:<user@example.org>", smtp_syntax_error_text(bad));
		return false;
	}
	if (!take_params(s, e, &path.params, mail_params, sizeof(mail_params) / sizeof(*mail_params)))
		return false;
	e->params = path.params_text;
	enum address_error wrong = address_parse(arena, path.path, ADDRESS_MAIL | (e->smtputf8 ? ADDRESS_UTF8 : 0),
						 &e->sender);
	if (wrong != ADDRESS_OK) {
		bad_address(s, wrong, "5.1.7", "sender");
		return false;
	}
	return size_fits(s, e->declared_size);
}

static void mail_proceed(struct session *s, struct slice arg)
{
	struct arena *arena = arena_create();
	struct envelope e = { 0 };
	if (s->messages >= session_limits(s)->messages)
		session_close(s, 421, "4.7.0", "Too many messages in one session, closing");
	else if (parse_mail(s, arena, arg, &e))
		transaction_begin(s, &e);
	arena_destroy(&arena);
}

/* ---- RCPT */

static void refuse_trick(struct session *s)
{
	stats_add(s->worker->stats, s->worker->row, STAT_RCPT_REFUSED, 1);
	stats_add(s->worker->stats, s->worker->row, STAT_RELAY_DENIED, 1);
	session_error(s, 550, "5.7.1", "Relaying denied");
}

static bool parse_rcpt(struct session *s, struct arena *arena, struct slice arg, struct recipient *r)
{
	struct smtp_path path;
	struct envelope ignored = { 0 };
	enum smtp_syntax_error bad = smtp_rcpt_parse(arg, &path);
	if (bad != SMTP_SYNTAX_OK) {
		session_error(s, 501, "5.5.4", "%s: RCPT TO:<user@example.org>", smtp_syntax_error_text(bad));
		return false;
	}
	if (!take_params(s, &ignored, &path.params, rcpt_params, sizeof(rcpt_params) / sizeof(*rcpt_params)))
		return false;
	r->params = path.params_text;
	bool utf8 = s->transaction->scan->envelope.smtputf8;
	enum address_error wrong = address_parse(arena, path.path, ADDRESS_RCPT | (utf8 ? ADDRESS_UTF8 : 0),
						 &r->mailbox);
	if (wrong != ADDRESS_OK && relay_is_trick(path.path) && !client_is_ours(&s->client))
		refuse_trick(s);
	else if (wrong != ADDRESS_OK)
		bad_address(s, wrong, "5.1.3", "recipient");
	return wrong == ADDRESS_OK;
}

/* The chunks that have come were judged for those named before. */
static bool rcpt_check(struct session *s, struct slice arg)
{
	(void)arg;
	if (!s->transaction->in_chunks)
		return true;
	session_error(s, 503, "5.5.1", "Recipients have to come before BDAT"); /* may end the session */
	return false;
}

static void rcpt_proceed(struct session *s, struct slice arg)
{
	struct transaction *t = s->transaction;
	struct recipient r = { 0 };
	if (t->scan->envelope.recipient_count >= (size_t)session_limits(s)->recipients)
		session_error(s, 452, "4.5.3", "Too many recipients; send to the others in another message");
	else if (parse_rcpt(s, t->arena, arg, &r))
		transaction_recipient(s, &r);
}

/* ---- the others */

static bool data_check(struct session *s, struct slice arg)
{
	(void)arg;
	if (s->transaction->in_chunks || s->transaction->scan->envelope.body_binary) {
		session_error(s, 503, "5.5.1", "BDAT has to be used for this message");
		return false;
	}
	if (s->transaction->accepted > 0)
		return true;
	if (s->transaction->scan->envelope.recipient_count > 0)
		session_error(s, 554, "5.5.1", "No valid recipients");
	else
		session_error(s, 503, "5.5.1", "RCPT first");
	return false;
}

/* ---- BDAT: a refused chunk is read to its last octet, or its bytes would be
 * obeyed as commands. */

static bool bdat_check(struct session *s, struct slice arg)
{
	struct transaction *t = s->transaction;
	uint64_t size;
	bool last;
	if (!smtp_bdat_parse(arg, &size, &last)) {
		/* Nobody knows where the chunk ends. */
		session_close(s, 501, "5.5.4", "BDAT size [LAST], closing");
		return false;
	}
	if (t != NULL && t->accepted > 0)
		return true;
	session_skip(s, size);
	session_error(s, t != NULL && t->scan->envelope.recipient_count > 0 ? 554 : 503, "5.5.1", "No valid recipients");
	return false;
}

static void bdat_proceed(struct session *s, struct slice arg)
{
	uint64_t size = 0;
	bool last = false;
	smtp_bdat_parse(arg, &size, &last);
	transaction_chunk(s, size, last);
}

static void data_proceed(struct session *s, struct slice arg)
{
	(void)arg;
	transaction_data(s);
}

static void rset_proceed(struct session *s, struct slice arg)
{
	(void)arg;
	transaction_abort(s, "RSET");
	session_reply(s, 250, "2.0.0", SLICE("Ok"));
}

static void noop_proceed(struct session *s, struct slice arg)
{
	(void)arg;
	session_reply(s, 250, "2.0.0", SLICE("Ok"));
}

static void quit_proceed(struct session *s, struct slice arg)
{
	(void)arg;
	session_close(s, 221, "2.0.0", "Bye");
}

static bool vrfy_check(struct session *s, struct slice arg)
{
	if (arg.len == 0)
		session_error(s, 501, "5.5.4", "VRFY needs an address");
	return arg.len > 0;
}

static void vrfy_proceed(struct session *s, struct slice arg)
{
	(void)arg;
	session_reply(s, 252, "2.5.2", SLICE("Can't verify, but mail to it will be tried"));
}

static void refuse_proceed(struct session *s, struct slice arg)
{
	(void)arg;
	session_error(s, 502, "5.5.1", "Command not implemented");
}

static void unknown_command(struct session *s)
{
	if (++s->unknown > session_limits(s)->unknown_commands)
		session_close(s, 421, "4.7.0", "Too many unknown commands, closing");
	else
		session_error(s, 500, "5.5.1", "Unknown command");
}

/* A web page can make a browser say it, with commands of ours in its body. */
static void http_proceed(struct session *s, struct slice arg)
{
	const struct bots_settings *bots = snapshot_filter(s->snapshot, bots_filter.name);
	(void)arg;
	s->client.manners |= MANNER_HTTP;
	if (bots->http == BOTS_REJECT)
		session_close(s, 421, "4.7.0", "This is a mail server");
	else
		unknown_command(s);
}

/* ---- STARTTLS, AUTH */

static bool starttls_check(struct session *s, struct slice arg)
{
	(void)arg;
	if (!may_start_tls(s))
		session_error(s, s->client.tls_version.len > 0 ? 503 : 502, "5.5.1",
			      s->client.tls_version.len > 0 ? "TLS is on already" : "TLS is not offered");
	else if (stream_input(s->stream).len > 0)
		/* Whoever put it there, it is not the client that TLS will vouch for. */
		session_close(s, 503, "5.5.1", "Nothing may follow STARTTLS in the clear, closing");
	else
		return true;
	return false;
}

static void starttls_proceed(struct session *s, struct slice arg)
{
	(void)arg;
	transaction_abort(s, "STARTTLS");
	if (!session_start_tls(s))
		session_close(s, 421, "4.3.0", "TLS is not available");
}

static bool auth_check(struct session *s, struct slice arg)
{
	(void)arg;
	if (!auth_is_possible(s))
		s->client.manners |= MANNER_AUTH_UNOFFERED;
	if (s->client.login.len > 0)
		session_error(s, 503, "5.5.1", "Already authenticated");
	else if (s->client.tls_version.len == 0 && !s->listen->auth_without_tls)
		session_error(s, 538, "5.7.11", "Authentication needs TLS");
	else if (auth_mechanisms(s) == NULL)
		session_error(s, 502, "5.5.1", "Authentication is not offered");
	else
		return true;
	return false;
}

static void help_proceed(struct session *s, struct slice arg);

static const struct command commands[] = {
	{ "EHLO", LAST, hello_check, ehlo_proceed, "EHLO name: begin; lists what is offered" },
	{ "HELO", LAST, hello_check, helo_proceed, "HELO name: begin" },
	{ "MAIL", NEEDS_HELO | NO_MAIL | NEEDS_LOGIN, NULL, mail_proceed, "MAIL FROM:<address>: begin a message" },
	{ "RCPT", NEEDS_HELO | NEEDS_MAIL, rcpt_check, rcpt_proceed, "RCPT TO:<address>: a recipient" },
	{ "DATA", NEEDS_HELO | NEEDS_MAIL | NO_ARGUMENT | LAST, data_check, data_proceed,
	  "DATA: the message, up to a line with a dot" },
	{ "BDAT", 0, bdat_check, bdat_proceed, "BDAT size [LAST]: a chunk of the message" },
	{ "STARTTLS", NO_ARGUMENT | NEEDS_HELO, starttls_check, starttls_proceed, "STARTTLS: encrypt from here on" },
	{ "AUTH", NEEDS_HELO | NO_MAIL, auth_check, auth_begin, "AUTH mechanism: say who you are" },
	{ "RSET", NO_ARGUMENT, NULL, rset_proceed, "RSET: forget the message" },
	{ "NOOP", 0, NULL, noop_proceed, "NOOP: nothing" },
	{ "VRFY", 0, vrfy_check, vrfy_proceed, "VRFY address: not verified here" },
	{ "HELP", 0, NULL, help_proceed, "HELP: this" },
	{ "QUIT", NO_ARGUMENT, NULL, quit_proceed, "QUIT: end" },
	{ "EXPN", 0, NULL, refuse_proceed, NULL },
	{ "ETRN", 0, NULL, refuse_proceed, NULL },
	{ "TURN", 0, NULL, refuse_proceed, NULL },
	{ "SEND", 0, NULL, refuse_proceed, NULL },
	{ "SOML", 0, NULL, refuse_proceed, NULL },
	{ "SAML", 0, NULL, refuse_proceed, NULL },
	{ "GET", 0, NULL, http_proceed, NULL },
	{ "HEAD", 0, NULL, http_proceed, NULL },
	{ "POST", 0, NULL, http_proceed, NULL },
	{ "PUT", 0, NULL, http_proceed, NULL },
	{ "PATCH", 0, NULL, http_proceed, NULL },
	{ "DELETE", 0, NULL, http_proceed, NULL },
	{ "OPTIONS", 0, NULL, http_proceed, NULL },
	{ "CONNECT", 0, NULL, http_proceed, NULL },
	{ "PRI", 0, NULL, http_proceed, NULL }, /* HTTP/2 begins so */
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

static void help_proceed(struct session *s, struct slice arg)
{
	struct buf text = { 0 };
	(void)arg;
	struct slice set = s->snapshot->config->top->help;
	buf_add_slice(&text, set.len ? set : SLICE("Commands:"));
	for (size_t i = 0; set.len == 0 && i < COMMANDS; i++)
		if (commands[i].help != NULL)
			buf_printf(&text, "\n%s", commands[i].help);
	session_reply(s, 214, "2.0.0", buf_slice(&text));
	buf_free(&text);
}

/* What the flags ask of the session. False: has replied. */
static bool may_come(struct session *s, const struct command *c, struct slice arg)
{
	if ((c->flags & NEEDS_HELO) && s->client.helo.len == 0)
		session_error(s, 503, "5.5.1", "EHLO or HELO first");
	else if ((c->flags & NEEDS_LOGIN) && s->client.submission && s->client.login.len == 0)
		session_error(s, 530, "5.7.0", "Authentication required");
	else if ((c->flags & NEEDS_MAIL) && s->transaction == NULL)
		session_error(s, 503, "5.5.1", "MAIL first");
	else if ((c->flags & NO_MAIL) && s->transaction != NULL)
		session_error(s, 503, "5.5.1", "A message is already begun; RSET takes it back");
	else if ((c->flags & NO_ARGUMENT) && arg.len > 0)
		session_error(s, 501, "5.5.4", "%s takes no argument", c->verb);
	else
		return true;
	return false;
}

static const struct command *find_command(struct slice verb)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (slice_eq_nocase(verb, slice_str(commands[i].verb)))
			return &commands[i];
	return NULL;
}

void command_dispatch(struct session *s, struct slice line)
{
	struct smtp_command parsed;
	if (!smtp_command_parse(line, &parsed)) {
		s->client.manners |= MANNER_UNKNOWN_COMMAND;
		session_error(s, 500, "5.5.2", "Not a command");
		return;
	}
	const struct command *c = find_command(parsed.verb);
	if (c == NULL) {
		s->client.manners |= MANNER_UNKNOWN_COMMAND;
		unknown_command(s);
		return;
	}
	/* PIPELINING holds from the reply to EHLO on. */
	if (stream_input(s->stream).len > 0 && (!s->client.esmtp || (c->flags & LAST)))
		s->client.manners |= MANNER_EARLY_PIPELINING;
	if (may_come(s, c, parsed.arg) && (c->check == NULL || c->check(s, parsed.arg)))
		c->proceed(s, parsed.arg);
}
