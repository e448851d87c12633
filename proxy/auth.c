#include "proxy/auth.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/store.h"
#include "proxy/command.h"
#include "proxy/route.h"
#include "proxy/smtp_syntax.h"

#define RESPONSE_MAX 12288u /* RFC 4954 4 */

struct auth {
	struct session *session;
	struct store_query *asked; /* how often has its address failed? */
	struct backend_wait *wait;
	struct backend_conn *conn;
	struct buf line;        /* AUTH with its argument, until there is a connection */
	struct buf login;
	char mechanism[24];
	bool named;             /* the first response has been looked at */
};

/* ---- who the client says it is */

/* Base64 to bytes in the arena; empty if it isn't. */
static struct slice decode(struct arena *arena, struct slice text)
{
	if (text.len == 0 || text.len % 4 != 0 || text.len > RESPONSE_MAX)
		return SLICE_EMPTY;
	unsigned char *out = arena_alloc(arena, text.len);
	int len = EVP_DecodeBlock(out, (const unsigned char *)text.data, (int)text.len);
	for (size_t i = text.len; len > 0 && i > 0 && text.data[i - 1] == '='; i--)
		len--;
	return len > 0 ? slice_make(out, (size_t)len) : SLICE_EMPTY;
}

/* What stands behind prefix, up to the octet; empty: it doesn't begin so. */
static struct slice value(struct slice s, struct slice prefix, char after)
{
	if (!slice_starts(s, prefix))
		return SLICE_EMPTY;
	s = slice_from(s, prefix.len);
	return slice_head(s, slice_chr(s, after));
}

static struct slice behind(struct slice s, char c)
{
	size_t at = slice_chr(s, c);
	return at == SLICE_NPOS ? SLICE_EMPTY : slice_from(s, at + 1);
}

/* gs2-cbind-flag "," [authzid] "," "n=" saslname "," (RFC 5802 7): the name is not to be taken out of another field. */
static struct slice scram_name(struct arena *arena, struct slice s)
{
	struct slice name = value(behind(behind(s, ','), ','), SLICE("n="), ',');
	char *out = arena_alloc(arena, name.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < name.len; i++) {
		struct slice rest = slice_from(name, i);
		bool comma = slice_starts(rest, SLICE("=2C")), equals = slice_starts(rest, SLICE("=3D"));
		out[len++] = comma ? ',' : equals ? '=' : name.data[i];
		i += comma || equals ? 2 : 0;
	}
	return slice_make(out, len);
}

/* authzid NUL authcid NUL passwd (RFC 4616) */
static struct slice plain_name(struct slice s)
{
	size_t first = slice_chr(s, '\0');
	if (first == SLICE_NPOS)
		return SLICE_EMPTY;
	struct slice rest = slice_from(s, first + 1);
	size_t second = slice_chr(rest, '\0');
	return second == SLICE_NPOS ? SLICE_EMPTY : slice_head(rest, second);
}

struct slice auth_login_name(struct arena *arena, struct slice mechanism, struct slice response)
{
	struct slice s = decode(arena, response);
	if (slice_eq_nocase(mechanism, SLICE("PLAIN")))
		return plain_name(s);
	if (slice_eq_nocase(mechanism, SLICE("LOGIN")))
		return s;
	if (slice_starts_nocase(mechanism, SLICE("SCRAM-")))
		return scram_name(arena, s);
	if (slice_eq_nocase(mechanism, SLICE("XOAUTH2")))
		return value(s, SLICE("user="), '\1');
	if (slice_eq_nocase(mechanism, SLICE("OAUTHBEARER")))
		return value(behind(s, ','), SLICE("a="), ',');
	return SLICE_EMPTY;
}

static void note_name(struct auth *a, struct slice response)
{
	struct arena *arena = arena_create();
	if (!a->named && response.len > 0) {
		a->named = true;
		buf_add_slice(&a->login, auth_login_name(arena, slice_str(a->mechanism), response));
	}
	arena_destroy(&arena);
}

/* ---- what is offered */

/* The first; one that works before one that doesn't. */
static struct backend *auth_backend(const struct session *s)
{
	struct backend *first = NULL;
	for (size_t i = 0; i < s->worker->backend_count; i++) {
		struct backend *b = s->worker->backends[i];
		if (!route_has(s, b) || !(backend_caps(b)->bits & CAP_AUTH) || backend_is_maildir(b))
			continue;
		if (backend_healthy(b))
			return b;
		first = first ? first : b;
	}
	return first;
}

bool auth_is_possible(const struct session *s)
{
	return auth_backend(s) != NULL;
}

const char *auth_mechanisms(const struct session *s)
{
	bool safe = s->client.tls_version.len > 0 || s->listen->auth_without_tls;
	struct backend *b = safe && s->client.login.len == 0 ? auth_backend(s) : NULL;
	return b ? backend_caps(b)->auth : NULL;
}

static bool is_offered(const char *mechanisms, struct slice mechanism)
{
	struct slice word, rest = slice_str(mechanisms);
	while (slice_split(&rest, ' ', &word))
		if (slice_eq_nocase(word, mechanism))
			return true;
	return false;
}

/* ---- the exchange */

void auth_destroy(struct auth **auth)
{
	struct auth *a = *auth;
	*auth = NULL;
	if (a == NULL)
		return;
	if (a->asked != NULL)
		store_cancel(a->session->worker->store, &a->asked);
	backend_connect_cancel(&a->wait);
	backend_conn_drop(&a->conn);
	if (a->line.data != NULL)
		OPENSSL_cleanse(a->line.data, a->line.cap);
	buf_free(&a->line);
	buf_free(&a->login);
	free(a);
}

static void end_auth(struct session *s)
{
	auth_destroy(&s->auth);
	session_resume(s);
}

/* ---- who fails again and again, in however many sessions */

#define FAILURES_SECONDS 3600u

static bool is_counted(const struct session *s)
{
	return session_limits(s)->auth_failures > 0 && s->worker->store != NULL && s->client.ip.family != 0;
}

/* amount 0: asks only. */
static struct store_query *ask_failures(struct session *s, int64_t amount, store_done_fn *done, void *arg)
{
	char ip[IP_TEXT_MAX], key[IP_TEXT_MAX + 8];
	snprintf(key, sizeof(key), "auth:%s", ip_text(&s->client.ip, ip));
	const struct store_request r = { .op = STORE_ADD, .key = slice_str(key), .amount = amount, .ttl = FAILURES_SECONDS };
	return store_ask(s->worker->store, &r, worker_now_unix(s->worker), done, arg);
}

static void nothing(void *arg, const struct answer *answer)
{
	(void)arg, (void)answer;
}

static void count_failure(struct session *s)
{
	if (is_counted(s))
		ask_failures(s, 1, nothing, NULL);
}

static void fail_for_now(struct session *s, const char *why)
{
	log_warn(session_log(s), "auth", "%s", why);
	session_reply(s, 454, "4.7.0", SLICE("Temporary authentication failure"));
	end_auth(s);
}

static void succeed(struct session *s, const struct reply *reply)
{
	struct auth *a = s->auth;
	struct slice name = buf_slice(&a->login);
	s->client.login = session_keep(s, name.len ? name : SLICE("authenticated"));
	s->client.auth_mechanism = session_keep(s, slice_str(a->mechanism));
	backend_conn_bind(a->conn);
	delivery_home_close(&s->home);
	s->home.conn = a->conn;
	s->home.authenticated = true;
	s->home.backend = backend_conn_backend(s->home.conn);
	a->conn = NULL;
	log_info(session_log(s), "auth", "%.*s by %s", SLICE_ARG(s->client.login), a->mechanism);
	struct buf out = { 0 };
	reply_pass_on(&out, reply);
	session_write(s, buf_slice(&out));
	buf_free(&out);
	end_auth(s);
}

/* As it stands: it may be empty, or longer than a line of a reply. */
static void challenge(struct session *s, struct slice text)
{
	struct buf out = { 0 };
	buf_printf(&out, "334 %.*s\r\n", SLICE_ARG(text));
	session_write(s, buf_slice(&out));
	buf_free(&out);
	session_read_auth(s);
}

static void refused(struct session *s, const struct reply *reply)
{
	char enhanced[REPLY_ENHANCED_MAX];
	log_info(session_log(s), "auth", "refused: %u, by %s", reply->code, s->auth->mechanism);
	if (reply->code == 535)
		count_failure(s);
	backend_conn_bind(s->auth->conn);
	backend_conn_release(&s->auth->conn, true);
	session_error(s, reply->code, reply_enhanced(reply, enhanced), "%.*s", SLICE_ARG(reply->text));
	end_auth(s);
}

/* The client's own fault; what else isn't 334 or 235 is between us and the backend. */
static bool is_refusal(unsigned code)
{
	return code == 535 || code == 534 || code == 538 || code == 501 || code == 432 || code == 454;
}

static void on_reply(void *arg, const struct reply *reply, const char *why)
{
	struct session *s = arg;
	if (reply == NULL) {
		fail_for_now(s, why);
		return;
	}
	if (reply->code == 235) {
		succeed(s, reply);
		return;
	}
	if (reply->code == 334 && reply->lines == 1)
		challenge(s, reply->text);
	else if (is_refusal(reply->code))
		refused(s, reply);
	else
		fail_for_now(s, "unexpected reply to AUTH from the backend");
}

static void forward(struct auth *a, struct slice line)
{
	struct session *s = a->session;
	buf_clear(&a->line);
	buf_add_slice(&a->line, line);
	buf_add_str(&a->line, "\r\n");
	session_wait(s);
	backend_send(a->conn, buf_slice(&a->line), backend_config(backend_conn_backend(a->conn))->reply_timeout, on_reply, s);
}

static void on_connected(void *arg, struct backend_conn *conn, const char *why)
{
	struct session *s = arg;
	struct auth *a = s->auth;
	a->wait = NULL;
	a->conn = conn;
	if (conn == NULL) {
		fail_for_now(s, why);
		return;
	}
	struct slice line = buf_slice(&a->line);
	struct buf copy = { 0 };
	buf_add_slice(&copy, line);
	forward(a, buf_slice(&copy));
	OPENSSL_cleanse(copy.data, copy.cap);
	buf_free(&copy);
}

static void connect_now(struct session *s)
{
	struct backend *b = auth_backend(s);
	if (b == NULL)
		fail_for_now(s, "the backend offers AUTH no more");
	else
		s->auth->wait = backend_connect(b, &s->client, true, on_connected, s);
}

static void on_failures(void *arg, const struct answer *answer)
{
	struct session *s = arg;
	s->auth->asked = NULL;
	if (answer->status != ANSWER_TEMPERROR && answer->number >= session_limits(s)->auth_failures) {
		auth_destroy(&s->auth);
		session_close(s, 421, "4.7.0", "Too many failed logins from your address, please try again later");
	} else {
		connect_now(s);
	}
}

void auth_begin(struct session *s, struct slice arg)
{
	const char *mechanisms = auth_mechanisms(s);
	struct smtp_auth parsed;
	if (!smtp_auth_parse(arg, &parsed)) {
		session_error(s, 501, "5.5.4", "AUTH mechanism [response]");
		return;
	}
	if (mechanisms == NULL || !is_offered(mechanisms, parsed.mechanism)) {
		session_error(s, 504, "5.5.4", "Mechanism is not offered");
		return;
	}
	struct auth *a = xcalloc(1, sizeof(*a));
	a->session = s;
	s->auth = a;
	for (size_t i = 0; i < parsed.mechanism.len && i + 1 < sizeof(a->mechanism); i++)
		a->mechanism[i] = ascii_upper(parsed.mechanism.data[i]);
	if (parsed.has_initial)
		note_name(a, parsed.initial);
	buf_printf(&a->line, "AUTH %s%s%.*s", a->mechanism, parsed.has_initial ? " " : "",
		   SLICE_ARG(parsed.has_initial && parsed.initial.len == 0 ? SLICE("=") : parsed.initial));
	session_wait(s);
	if (is_counted(s))
		a->asked = ask_failures(s, 0, on_failures, s);
	else
		connect_now(s);
}

void auth_on_line(struct session *s, struct slice line)
{
	struct auth *a = s->auth;
	bool is_long = line.len > RESPONSE_MAX;
	if (is_long || !smtp_auth_is_response(line)) {
		backend_conn_drop(&a->conn);
		if (is_long)
			session_error(s, 500, "5.5.6", "Response too long");
		else
			session_error(s, 501, "5.5.2", "Not base64");
		end_auth(s);
		return;
	}
	if (!slice_eq(line, SLICE("*")))
		note_name(a, line);
	forward(a, line);
}
