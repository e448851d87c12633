/* milter: sessions as no real server tells of them, through a mail server made of tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/zone.h"
#include "base/zonefile.h"
#include "policy/milter_address.h"
#include "proxy/milter.h"
#include "tests/lib/config_scan.h"

#define CONFIG \
	"hostname = gate.example.org\n" \
	"milter main { address = \"unix:/x/y\" %s }\n" \
	"networks { trusted = {10.0.0.1} internal = {10.0.0.1} }\n" \
	"filter spf { fail = reject on-error = defer }\n" \
	"limits { message-size = 4k end-deadline = 1s }\n" \
	"state { store = \"memory:\" }\n" \
	"%s\n"

struct macro {
	const char *name, *value;
};

struct fake { /* the mail server */
	struct macro macros[8];
	unsigned code;
	char reply[400], edits[4000];
	bool refuses_edits;
	int progress;
};

static const char *get_macro(void *arg, const char *name)
{
	const struct fake *f = arg;
	for (size_t i = 0; i < 8 && f->macros[i].name != NULL; i++)
		if (strcmp(f->macros[i].name, name) == 0)
			return f->macros[i].value;
	return NULL;
}

static void set_reply(void *arg, unsigned code, const char *enhanced, struct slice text)
{
	struct fake *f = arg;
	f->code = code;
	snprintf(f->reply, sizeof(f->reply), "%u %s %.*s", code, enhanced, (int)text.len, text.data);
}

static bool note(struct fake *f, const char *what, const char *name, int index, const char *value)
{
	size_t len = strlen(f->edits);
	snprintf(f->edits + len, sizeof(f->edits) - len, "%s %s %d [%s]|", what, name, index, value ? value : "gone");
	return !f->refuses_edits;
}

static bool insert_header(void *arg, const char *name, const char *value)
{
	return note(arg, "insert", name, 0, value);
}

static bool change_header(void *arg, const char *name, int index, const char *value)
{
	return note(arg, "change", name, index, value);
}

static bool add_recipient(void *arg, const char *path)
{
	return note(arg, "add", path, 0, "");
}

static bool remove_recipient(void *arg, const char *path)
{
	return note(arg, "remove", path, 0, NULL);
}

static bool quarantine(void *arg, const char *reason)
{
	return note(arg, "quarantine", "", 0, reason);
}

static void progress(void *arg)
{
	struct fake *f = arg;
	f->progress++;
}

static const struct milter_mta mta = {
	.macro = get_macro, .set_reply = set_reply, .insert_header = insert_header, .change_header = change_header,
	.add_recipient = add_recipient, .remove_recipient = remove_recipient, .quarantine = quarantine,
	.progress = progress,
};

#define ALL_OFFERS { .add_headers = true, .change_headers = true, .change_recipients = true, .quarantine = true, \
		     .skip = true, .leading_space = true }

struct place {
	struct fake fake;
	struct milter_server server;
	struct snapshot *snapshot;
	struct zone *zone;
	struct milter *milter;
};

static void open_place(struct place *p, const char *milter, const char *more, const struct milter_offers *offers)
{
	static const char records[] =
		"pass.example. 60 IN TXT \"v=spf1 ip4:192.0.2.7 -all\"\n"
		"fail.example. 60 IN TXT \"v=spf1 -all\"\n";
	struct wait_driver_config config = { .threaded = true };
	struct zone_errors errors = { .count = 0 };
	char text[2000], why[WAIT_ERROR_MAX];
	memset(p, 0, sizeof(*p));
	snprintf(text, sizeof(text), CONFIG, milter, more);
	p->snapshot = config_snapshot(text);
	p->zone = zone_create();
	assert_true(zonefile_parse(p->zone, slice_str(records), &errors));
	config.resolver.zone = p->zone;
	p->server.snapshot = p->snapshot;
	p->server.config = &p->snapshot->config->milters[0];
	p->server.spool = SLICE("/tmp");
	p->server.driver = wait_driver_create(&config, why);
	assert_non_null(p->server.driver);
	p->milter = milter_open(&p->server, &mta, &p->fake, offers);
}

static void close_place(struct place *p)
{
	milter_close(&p->milter);
	assert_int_equal(atomic_load(&p->server.sessions), 0);
	assert_int_equal(atomic_load(&p->server.transactions), 0);
	wait_driver_destroy(&p->server.driver);
	zone_destroy(&p->zone);
	snapshot_release(&p->snapshot);
}

static void hello(struct place *p, const char *ip)
{
	struct ip address = { 0 };
	if (ip != NULL)
		assert_true(ip_parse(slice_str(ip), &address));
	milter_connect(p->milter, "unknown", &address, 4321);
	milter_helo(p->milter, "mail.pass.example");
}

static enum milter_reply envelope(struct place *p, const char *sender, const char *recipient)
{
	char from[300], to[300];
	snprintf(from, sizeof(from), "%s", sender);
	snprintf(to, sizeof(to), "%s", recipient);
	char *mail[] = { from, NULL }, *rcpt[] = { to, NULL };
	milter_mail(p->milter, mail);
	return milter_rcpt(p->milter, rcpt);
}

static enum milter_reply content(struct place *p, const char *body)
{
	milter_end_of_header(p->milter);
	enum milter_reply reply = milter_body(p->milter, slice_str(body));
	return reply == MILTER_CONTINUE ? milter_end(p->milter) : reply;
}

static void test_no_macros_no_address(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "", &offers);
	hello(&p, NULL);
	assert_int_equal(envelope(&p, "<>", "<bob@example.org>"), MILTER_CONTINUE);
	assert_int_equal(content(&p, "hi\r\n"), MILTER_CONTINUE);
	assert_non_null(strstr(p.fake.edits, "insert Authentication-Results 0 [ gate.example.org;\n\t"));
	assert_null(strchr(p.fake.edits, '\r'));
	close_place(&p);
}

static void test_addresses_that_cannot_be_parsed(void **state)
{
	(void)state;
	static const char *const odd[] = {
		"", "<", "<>", "bob", "<bob>", "<@>", "<a@b@c>", "<\"x@example.org>", "<a@[nonsense]>", "<\xff@\xff>",
	};
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "relay = on", "relay { domains = {example.org} }", &offers);
	hello(&p, "192.0.2.7");
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		print_message("%s\n", odd[i]);
		/* As recipients of an own relay judgement: none of them is ours. */
		assert_int_equal(envelope(&p, odd[i], odd[i]), MILTER_REJECT);
		assert_int_equal(p.fake.code, 550);
		milter_abort(p.milter);
	}
	close_place(&p);
}

static void test_relay_is_silent_unless_asked(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "relay { domains = {example.org} }", &offers);
	hello(&p, "192.0.2.7");
	assert_int_equal(envelope(&p, "<ann@pass.example>", "<bob@elsewhere.example>"), MILTER_CONTINUE);
	close_place(&p);
}

static void test_refused_recipient_of_the_server_is_none(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "", &offers);
	p.fake.macros[0] = (struct macro){ "{rcpt_mailer}", "error" };
	hello(&p, "198.51.100.1");
	assert_int_equal(envelope(&p, "<eve@fail.example>", "<bob@example.org>"), MILTER_CONTINUE);
	assert_int_equal(p.fake.code, 0);
	close_place(&p);
}

static void test_login_by_macro(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "", &offers);
	hello(&p, "198.51.100.1");
	assert_int_equal(envelope(&p, "<eve@fail.example>", "<bob@example.org>"), MILTER_REJECT);
	assert_int_equal(p.fake.code, 550);
	assert_non_null(strstr(p.fake.reply, "5.7.23"));
	p.fake.macros[0] = (struct macro){ "{auth_authen}", "eve" };
	assert_int_equal(envelope(&p, "<eve@fail.example>", "<bob@example.org>"), MILTER_CONTINUE);
	close_place(&p);
}

static void test_server_that_lets_nothing_be_changed(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers none = { .leading_space = true }, all = ALL_OFFERS;
	open_place(&p, "", "", &none);
	hello(&p, "192.0.2.7");
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	assert_int_equal(content(&p, "hi\r\n"), MILTER_TEMPFAIL);
	assert_int_equal(p.fake.code, 451);
	assert_string_equal(p.fake.edits, "");
	close_place(&p);
	open_place(&p, "", "", &all);
	p.fake.refuses_edits = true;
	hello(&p, "192.0.2.7");
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	assert_int_equal(content(&p, "hi\r\n"), MILTER_TEMPFAIL);
	close_place(&p);
}

static void test_values_without_leading_space(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = { .add_headers = true, .change_headers = true };
	open_place(&p, "", "policy default { tag = 1 scores = {\"DKIM_NONE=2\"} subject-tag = \"[SPAM]\" }", &offers);
	hello(&p, "192.0.2.7");
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	milter_header(p.milter, "Subject", "hello\n\tfolded");
	assert_int_equal(content(&p, "hi\r\n"), MILTER_CONTINUE);
	assert_non_null(strstr(p.fake.edits, "change Subject 1 [[SPAM] hello\n\tfolded]|"));
	assert_non_null(strstr(p.fake.edits, "insert X-Spam-Flag 0 [YES]|"));
	close_place(&p);
}

static void test_value_that_would_be_two_fields(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "", &offers);
	hello(&p, "192.0.2.7");
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	milter_header(p.milter, "Authentication-Results", " other.example;\n none");
	milter_header(p.milter, "Subject", " x\nAuthentication-Results: gate.example.org; spf=pass\r\rY: z");
	milter_header(p.milter, "authentication-results", " gate.example.org; spf=pass");
	assert_int_equal(content(&p, "hi\r\n"), MILTER_CONTINUE);
	/* One field is forged: the second of its name. What hides in the subject is text of the subject. */
	assert_non_null(strstr(p.fake.edits, "change authentication-results 2 [gone]|"));
	assert_null(strstr(p.fake.edits, "results 1 [gone]"));
	close_place(&p);
}

static void test_too_big_is_skipped_then_refused(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	char big[8192];
	memset(big, 'x', sizeof(big));
	for (size_t i = 70; i + 1 < sizeof(big); i += 72)
		memcpy(big + i, "\r\n", 2);
	open_place(&p, "", "", &offers);
	hello(&p, "192.0.2.7");
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	milter_end_of_header(p.milter);
	assert_int_equal(milter_body(p.milter, slice_make(big, 2000)), MILTER_CONTINUE);
	assert_int_equal(milter_body(p.milter, slice_make(big, sizeof(big))), MILTER_SKIP);
	assert_int_equal(milter_end(p.milter), MILTER_REJECT);
	assert_int_equal(p.fake.code, 552);
	close_place(&p);
}

/* A header section that is refused as such: what comes behind it is not read. */
static void test_body_of_a_loop(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "", &offers);
	hello(&p, "192.0.2.7");
	for (int hops = 50; hops <= 51; hops++) {
		envelope(&p, "<ann@pass.example>", "<bob@example.org>");
		for (int i = 0; i < hops; i++)
			milter_header(p.milter, "Received", " from a by b; Sun, 22 Nov 2026 10:00:00 +0000");
		milter_end_of_header(p.milter);
		assert_int_equal(milter_body(p.milter, SLICE("x\r\n")), hops > 50 ? MILTER_SKIP : MILTER_CONTINUE);
		assert_int_equal(milter_end(p.milter), hops > 50 ? MILTER_REJECT : MILTER_CONTINUE);
	}
	assert_non_null(strstr(p.fake.reply, "554 5.4.6 "));
	close_place(&p);
}

/* What the header section asks is waited for at the end alone, where the server hears that we are still at it. */
static void test_slow_answers_to_the_header(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	char forward[40], why[WAIT_ERROR_MAX];
	int deaf = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(deaf, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(deaf, (struct sockaddr *)&sin, &len), 0);
	snprintf(forward, sizeof(forward), "127.0.0.1@%u", ntohs(sin.sin_port));
	const struct slice servers = slice_str(forward);
	const struct wait_driver_config config = {
		.resolver = { .forward = &servers, .forward_count = 1, .timeout = 60000 }, .threaded = true, .tell_ms = 40,
	};
	open_place(&p, "", "", &offers);
	wait_driver_destroy(&p.server.driver);
	p.server.driver = wait_driver_create(&config, why);
	/* A relay of ours: who came to it, its Received field tells. */
	hello(&p, "10.0.0.1");
	assert_int_equal(envelope(&p, "<ann@slow.example>", "<bob@example.org>"), MILTER_CONTINUE);
	milter_header(p.milter, "Received", " from mail.slow.example ([192.0.2.7]) by relay.example.org; "
					    "Sun, 22 Nov 2026 10:00:00 +0000");
	milter_end_of_header(p.milter);
	assert_int_equal(milter_body(p.milter, SLICE("hi\r\n")), MILTER_CONTINUE);
	assert_int_equal(p.fake.progress, 0);
	assert_int_equal(milter_end(p.milter), MILTER_TEMPFAIL); /* filter spf { on-error = defer } */
	assert_true(p.fake.progress > 0);
	close_place(&p);
	close(deaf);
}

static void test_calls_out_of_order(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "", &offers);
	char to[] = "<bob@example.org>", *args[] = { to, NULL };
	/* No sender: nobody has judged it. */
	assert_int_equal(milter_rcpt(p.milter, args), MILTER_TEMPFAIL);
	milter_header(p.milter, "A", "b");
	milter_end_of_header(p.milter);
	assert_int_equal(milter_body(p.milter, SLICE("x")), MILTER_CONTINUE);
	assert_int_equal(milter_end(p.milter), MILTER_TEMPFAIL);
	milter_abort(p.milter);
	hello(&p, "192.0.2.7");
	/* MAIL again without an end; the end without header or body. */
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	assert_int_equal(milter_end(p.milter), MILTER_CONTINUE);
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	milter_header(p.milter, "A", "b");
	close_place(&p); /* amid a header */
}

#define REDIRECT "policy default { redirect = 1 redirect-to = spam@example.org }\n"

static void test_redirect(void **state)
{
	(void)state;
	struct place p;
	struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", REDIRECT, &offers);
	hello(&p, "192.0.2.7");
	char mail[] = "<ann@pass.example>", *from[] = { mail, NULL };
	milter_mail(p.milter, from);
	for (int i = 0; i < 9; i++) {
		char path[60], *to[] = { path, NULL };
		snprintf(path, sizeof(path), "<\"B %d\"@Example.org>", i);
		assert_int_equal(milter_rcpt(p.milter, to), MILTER_CONTINUE);
	}
	assert_int_equal(content(&p, "hi\r\n"), MILTER_CONTINUE);
	for (int i = 0; i < 9; i++) {
		char removed[60];
		snprintf(removed, sizeof(removed), "remove <\"B %d\"@Example.org> 0 [gone]|", i);
		assert_non_null(strstr(p.fake.edits, removed));
	}
	assert_non_null(strstr(p.fake.edits, "|add <spam@example.org> 0 []|"));
	assert_non_null(strstr(p.fake.edits, "insert X-Gatehouse-Original-To 0 [ <\"B 8\"@"));
	/* A server that lets recipients stay gets no mail at all. */
	p.fake.refuses_edits = true;
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	assert_int_equal(content(&p, "hi\r\n"), MILTER_TEMPFAIL);
	close_place(&p);
	offers.change_recipients = false;
	open_place(&p, "", REDIRECT, &offers);
	hello(&p, "192.0.2.7");
	envelope(&p, "<ann@pass.example>", "<bob@example.org>");
	assert_int_equal(content(&p, "hi\r\n"), MILTER_TEMPFAIL);
	close_place(&p);
}

static void test_behind_a_closed_door(void **state)
{
	(void)state;
	struct place p;
	const struct milter_offers offers = ALL_OFFERS;
	open_place(&p, "", "", &offers);
	hello(&p, "192.0.2.7");
	assert_int_equal(envelope(&p, "<ann@pass.example>", "<bob@example.org>"), MILTER_CONTINUE);
	atomic_store(&p.server.closed, true);
	/* What has begun goes on; what begins is deferred, and counts as nothing under way. */
	assert_int_equal(content(&p, "hi\r\n"), MILTER_CONTINUE);
	assert_int_equal(atomic_load(&p.server.transactions), 0);
	assert_int_equal(envelope(&p, "<ann@pass.example>", "<bob@example.org>"), MILTER_TEMPFAIL);
	assert_int_equal(content(&p, "hi\r\n"), MILTER_TEMPFAIL);
	assert_int_equal(atomic_load(&p.server.transactions), 0);
	close_place(&p);
}

static void test_addresses_of_sockets(void **state)
{
	(void)state;
	static const struct {
		const char *text, *path, *ip;
		uint16_t port;
	} cases[] = {
		{ "unix:/run/x", "/run/x", "unknown", 0 },
		{ "local:/run/x", "/run/x", "unknown", 0 },
		{ "inet:8891@127.0.0.1", "", "127.0.0.1", 8891 },
		{ "inet:127.0.0.1:8891", "", "127.0.0.1", 8891 },
		{ "inet:8891@localhost", "", "127.0.0.1", 8891 },
		{ "inet6:8891@::1", "", "::1", 8891 },
		{ "inet6:8891@[::1]", "", "::1", 8891 },
		{ "inet6:[::1]:8891", "", "::1", 8891 },
		{ "inet6:8891@localhost", "", "::1", 8891 },
		{ "inet:8891", "", "0.0.0.0", 8891 },
	};
	static const char *const bad[] = {
		"", "unix:", "unix:x", "/run/x", "inet:", "inet:x@127.0.0.1", "inet:0@127.0.0.1", "inet:70000@127.0.0.1",
		"inet:8891@mail.example.org", "inet:8891@", "fd:3", "inet6:::1",
	};
	struct arena *arena = arena_create();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct endpoint e;
		char ip[IP_TEXT_MAX];
		print_message("%s\n", cases[i].text);
		assert_true(milter_address_parse(arena, slice_str(cases[i].text), &e));
		assert_true(slice_eq(e.path, slice_str(cases[i].path)));
		assert_string_equal(ip_text(&e.ip, ip), cases[i].ip);
		assert_int_equal(e.port, cases[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct endpoint e;
		print_message("%s\n", bad[i]);
		assert_false(milter_address_parse(arena, slice_str(bad[i]), &e));
	}
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_macros_no_address),
		cmocka_unit_test(test_addresses_that_cannot_be_parsed),
		cmocka_unit_test(test_relay_is_silent_unless_asked),
		cmocka_unit_test(test_refused_recipient_of_the_server_is_none),
		cmocka_unit_test(test_login_by_macro),
		cmocka_unit_test(test_server_that_lets_nothing_be_changed),
		cmocka_unit_test(test_values_without_leading_space),
		cmocka_unit_test(test_value_that_would_be_two_fields),
		cmocka_unit_test(test_too_big_is_skipped_then_refused),
		cmocka_unit_test(test_body_of_a_loop),
		cmocka_unit_test(test_slow_answers_to_the_header),
		cmocka_unit_test(test_calls_out_of_order),
		cmocka_unit_test(test_behind_a_closed_door),
		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_addresses_of_sockets),
	};
	return cmocka_run_group_tests_name("milter", tests, NULL, NULL);
}
