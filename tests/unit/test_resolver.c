/*
 * resolver and dns_packet against tests/lib/dnsserver.py on loopback, which
 * serves a zone and misbehaves as its zone says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/dns_packet.h"
#include "base/resolver.h"
#include "tests/lib/zone_driver.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char zone_head[] =
	"example.org. 300 IN A 192.0.2.1\n"
	"example.org. 60 IN A 192.0.2.2\n"
	"example.org. IN MX 10 mail.example.org.\n"
	"example.org. IN TXT \"v=spf1 -all\" \"second\"\n"
	"1.2.0.192.in-addr.arpa. IN PTR mail.example.org.\n"
	"1.1.168.192.in-addr.arpa. IN PTR lan.example.org.\n"
	"host.test. IN A 192.0.2.3\n"
	"www.example.org. IN CNAME web.example.net.\n"
	"web.example.net. IN A 192.0.2.4\n"
	"dangling.example.org. IN CNAME nowhere.example.net.\n"
	";! bad.example.org SERVFAIL\n"
	";! slow.example.org TIMEOUT\n"
	";@ tc.example.org truncate\n" "tc.example.org. IN A 192.0.2.6\n"
	";@ late.example.org delay 300\n" "late.example.org. IN A 192.0.2.7\n"
	";@ lossy.example.org drop 1\n" "lossy.example.org. IN A 192.0.2.8\n"
	";@ refused.example.org refuse\n" "refused.example.org. IN A 192.0.2.9\n"
	";@ id.example.org wrong-id\n" "id.example.org. IN A 192.0.2.10\n"
	";@ question.example.org wrong-question\n" "question.example.org. IN A 192.0.2.11\n"
	";@ liar.example.org lie victim.example.com 192.0.2.66\n" "liar.example.org. IN A 192.0.2.12\n"
	"victim.example.com. IN A 192.0.2.13\n"
	";@ garbage.example.org garbage\n" "garbage.example.org. IN A 192.0.2.14\n"
	";@ loop.example.org loop pool.example.org\n" ";@ pool.example.org loop loop.example.org\n"
	"l1.example.org. IN CNAME l2.example.org.\n" "l2.example.org. IN CNAME l1.example.org.\n"
	"*.many.example.org. IN A 192.0.2.16\n"
	"good.signed.example. IN A 192.0.2.20\n"
	";@ unsigned.signed.example unsigned\n" "unsigned.signed.example. IN A 192.0.2.21\n";

static char zone_path[] = "/tmp/gatehouse-resolver-XXXXXX";
static char anchor_path[sizeof(zone_path) + 8];
static pid_t server;
static int server_in, server_out;
static char forward_text[32];
static struct event_base *base;

static void write_zone(int fd)
{
	FILE *f = fdopen(fd, "w");
	fputs(zone_head, f);
	/* Nearly what TCP can carry: 250 strings of 250 octets. */
	fputs("huge.example.org. IN TXT", f);
	for (int i = 0; i < 250; i++)
		fprintf(f, " \"%0250d\"", i);
	fputs("\n", f);
	fclose(f);
}

static int start_server(void **state)
{
	int to[2], from[2];
	char line[64] = "";
	(void)state;
	write_zone(mkstemp(zone_path));
	snprintf(anchor_path, sizeof(anchor_path), "%s.key", zone_path);
	assert_int_equal(pipe(to) | pipe(from), 0);
	server = fork();
	if (server == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		execl("/usr/bin/python3", "python3", "tests/lib/dnsserver.py", zone_path, "--sign", "signed.example",
		      "--anchor", anchor_path, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	server_in = to[1];
	server_out = from[0];
	for (size_t n = 0; n < sizeof(line) - 1 && read(server_out, line + n, 1) == 1 && line[n] != '\n'; n++)
		;
	if (strncmp(line, "port ", 5) == 0)
		snprintf(forward_text, sizeof(forward_text), "127.0.0.1@%d", atoi(line + 5));
	else
		printf("# skipped: tests/lib/dnsserver.py does not run (python3-dnslib?)\n");
	base = event_base_new();
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	close(server_in);
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	close(server_out);
	unlink(zone_path);
	unlink(anchor_path);
	event_base_free(base);
	return 0;
}

static struct resolver *make(int64_t timeout, size_t max_questions, bool dnssec)
{
	static struct slice forward;
	char error[RESOLVER_ERROR_MAX] = "";
	if (forward_text[0] == '\0')
		skip();
	forward = slice_str(forward_text);
	const struct resolver_config config = {
		.forward = &forward, .forward_count = 1, .timeout = timeout, .max_questions = max_questions,
		.dnssec = dnssec, .trust_anchor = slice_str(anchor_path),
	};
	struct resolver *r = resolver_create(base, &config, error);
	if (r == NULL)
		fail_msg("%s", error);
	return r;
}

struct result {
	bool came;
	enum answer_status status;
	const char *why;
	size_t count;
	uint8_t first[300];
	size_t first_len;
	uint32_t ttl;
	bool secure;
	int *left;
};

static void on_answer(void *arg, const struct answer *a)
{
	struct result *result = arg;
	assert_false(result->came);
	result->came = true;
	result->status = a->status;
	result->why = a->why;
	result->count = a->count;
	result->ttl = a->ttl;
	result->secure = a->secure;
	if (a->count > 0) {
		result->first_len = a->records[0].len;
		memcpy(result->first, a->records[0].data, result->first_len < 300 ? result->first_len : 300);
	}
	if (--*result->left == 0)
		event_base_loopbreak(base);
}

static struct result ask(struct resolver *r, const char *name, uint16_t type)
{
	int left = 1;
	struct result result = { .left = &left };
	resolver_ask(r, slice_str(name), type, on_answer, &result);
	assert_false(result.came);
	event_base_dispatch(base);
	assert_true(result.came);
	return result;
}

static int64_t ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct expected {
	const char *name;
	uint16_t type;
	enum answer_status status;
	const char *why;
	size_t count;
	uint8_t last; /* octet of an address; 0: not looked at */
};

static void test_answers(void **state)
{
	static const struct expected cases[] = {
		{ "example.org", DNS_A, ANSWER_FOUND, NULL, 2, 0 },
		{ "Example.ORG.", DNS_MX, ANSWER_FOUND, NULL, 1, 0 },
		{ "example.org", DNS_TXT, ANSWER_FOUND, NULL, 1, 0 },
		{ "example.org", DNS_AAAA, ANSWER_NODATA, NULL, 0, 0 },
		{ "org", DNS_A, ANSWER_NODATA, NULL, 0, 0 },
		{ "nope.example.org", DNS_A, ANSWER_NXDOMAIN, NULL, 0, 0 },
		{ "1.2.0.192.in-addr.arpa", DNS_PTR, ANSWER_FOUND, NULL, 1, 0 },
		{ "1.1.168.192.in-addr.arpa", DNS_PTR, ANSWER_FOUND, NULL, 1, 0 },
		{ "host.test", DNS_A, ANSWER_FOUND, NULL, 1, 3 },
		{ "www.example.org", DNS_A, ANSWER_FOUND, NULL, 1, 4 },
		{ "www.example.org", DNS_TXT, ANSWER_NODATA, NULL, 0, 0 },
		{ "dangling.example.org", DNS_A, ANSWER_NXDOMAIN, NULL, 0, 0 },
		{ "sp\\032ace.many.example.org", DNS_A, ANSWER_FOUND, NULL, 1, 16 },
		{ "_dmarc.many.example.org", DNS_A, ANSWER_FOUND, NULL, 1, 16 },
		{ "bad.example.org", DNS_A, ANSWER_TEMPERROR, "SERVFAIL", 0, 0 },
		{ "refused.example.org", DNS_A, ANSWER_TEMPERROR, "SERVFAIL", 0, 0 },
		{ "tc.example.org", DNS_A, ANSWER_FOUND, NULL, 1, 6 },
		{ "late.example.org", DNS_A, ANSWER_FOUND, NULL, 1, 7 },
		{ "lossy.example.org", DNS_A, ANSWER_FOUND, NULL, 1, 8 },
		{ "liar.example.org", DNS_A, ANSWER_FOUND, NULL, 1, 12 },
		{ "victim.example.com", DNS_A, ANSWER_FOUND, NULL, 1, 13 },
		{ "loop.example.org", DNS_A, ANSWER_TEMPERROR, "SERVFAIL", 0, 0 },
		{ "l1.example.org", DNS_A, ANSWER_TEMPERROR, "SERVFAIL", 0, 0 },
		{ "huge.example.org", DNS_TXT, ANSWER_FOUND, NULL, 1, 0 },
		{ "a..b", DNS_A, ANSWER_NXDOMAIN, NULL, 0, 0 },
		{ "nul\\000.example.org", DNS_A, ANSWER_NXDOMAIN, NULL, 0, 0 },
		{ "", DNS_A, ANSWER_NXDOMAIN, NULL, 0, 0 },
	};
	struct resolver *r = make(5000, 0, false);
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct expected *c = &cases[i];
		struct result got = ask(r, c->name, c->type);
		if (got.status != c->status || got.count != c->count)
			fail_msg("%s: status %d (%s), %zu records", c->name, got.status, got.why ? got.why : "",
				 got.count);
		if (c->why != NULL)
			assert_string_equal(got.why, c->why);
		if (c->last != 0 && (got.first_len != 4 || got.first[3] != c->last))
			fail_msg("%s: wrong address", c->name);
		assert_int_equal(resolver_in_flight(r), 0);
	}
	struct result got = ask(r, "example.org", DNS_A);
	assert_in_range(got.ttl, 1, 60);
	assert_int_equal(got.first_len, 4);
	uint32_t ttl = got.ttl;
	sleep(1);
	assert_in_range(ask(r, "example.org", DNS_A).ttl, 1, ttl - 1); /* what is left of it */
	assert_in_range(ask(r, "nope.example.org", DNS_A).ttl, 1, 60);
	got = ask(r, "example.org", DNS_MX);
	assert_int_equal(got.first_len, 20);
	assert_memory_equal(got.first, "\0\12\4mail\7example\3org", 20);
	got = ask(r, "huge.example.org", DNS_TXT);
	assert_int_equal(got.first_len, 250 * 251);
	resolver_destroy(&r);
}

/* Nothing comes that could be believed: our own time-out answers. */
static void test_timeouts(void **state)
{
	static const char *const names[] = {
		"slow.example.org", "id.example.org",
	};
	struct resolver *r = make(400, 0, false);
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		int64_t start = ms();
		struct result got = ask(r, names[i], DNS_A);
		if (got.status != ANSWER_TEMPERROR || strcmp(got.why, "timeout") != 0)
			fail_msg("%s: status %d", names[i], got.status);
		assert_in_range(ms() - start, 390, 2000);
	}
	assert_int_equal(ask(r, "example.org", DNS_A).status, ANSWER_FOUND);
	/* Neither of these is an answer, however libunbound finds that out. */
	assert_int_equal(ask(r, "garbage.example.org", DNS_A).status, ANSWER_TEMPERROR);
	assert_int_equal(ask(r, "question.example.org", DNS_A).status, ANSWER_TEMPERROR);
	resolver_destroy(&r);
}

static void test_many(void **state)
{
	enum { N = 1500 };
	static struct result results[N];
	struct resolver *r = make(20000, 0, false);
	int left = N;
	char name[64];
	(void)state;
	for (int i = 0; i < N; i++) {
		results[i] = (struct result){ .left = &left };
		snprintf(name, sizeof(name), "n%d.many.example.org", i);
		resolver_ask(r, slice_str(name), DNS_A, on_answer, &results[i]);
	}
	assert_int_equal(resolver_in_flight(r), N);
	event_base_dispatch(base);
	for (int i = 0; i < N; i++)
		if (results[i].status != ANSWER_FOUND)
			fail_msg("n%d: %s", i, results[i].why);
	/* The same again comes out of the cache. */
	left = N;
	int64_t start = ms();
	for (int i = 0; i < N; i++) {
		results[i] = (struct result){ .left = &left };
		snprintf(name, sizeof(name), "n%d.many.example.org", i);
		resolver_ask(r, slice_str(name), DNS_A, on_answer, &results[i]);
		assert_false(results[i].came);
	}
	event_base_dispatch(base);
	printf("# count %d cached answers in %d ms\n", N, (int)(ms() - start));
	assert_int_equal(left, 0);
	assert_int_equal(resolver_in_flight(r), 0);
	resolver_destroy(&r);
}

static void test_limit_and_cancel(void **state)
{
	struct resolver *r = make(400, 3, false);
	struct result results[6];
	struct resolver_query *queries[6];
	int left = 4;
	char name[64];
	(void)state;
	assert_int_equal(ask(r, "example.org", DNS_A).status, ANSWER_FOUND);
	for (int i = 0; i < 6; i++) {
		results[i] = (struct result){ .left = &left };
		snprintf(name, sizeof(name), i == 0 ? "slow.example.org" : "x%d.many.example.org", i);
		queries[i] = resolver_ask(r, slice_str(name), DNS_A, on_answer, &results[i]);
	}
	resolver_cancel(r, &queries[1]); /* under way */
	resolver_cancel(r, &queries[4]); /* refused, not yet told */
	assert_null(queries[1]);
	resolver_cancel(r, &queries[1]);
	event_base_dispatch(base);
	assert_string_equal(results[0].why, "timeout");
	assert_false(results[1].came);
	assert_int_equal(results[2].status, ANSWER_FOUND);
	assert_string_equal(results[3].why, "too many questions");
	assert_false(results[4].came);
	assert_string_equal(results[5].why, "too many questions");
	assert_int_equal(resolver_in_flight(r), 0);
	resolver_destroy(&r);
}

/* Questions under way, told and not yet told when the resolver goes. */
static void test_destroy(void **state)
{
	struct resolver *r = make(50, 0, false);
	struct result results[3];
	int left = 1;
	(void)state;
	results[0] = results[1] = results[2] = (struct result){ .left = &left };
	resolver_ask(r, SLICE("slow.example.org"), DNS_A, on_answer, &results[0]);
	event_base_dispatch(base);
	assert_true(results[0].came);
	resolver_ask(r, SLICE("slow.example.org"), DNS_TXT, on_answer, &results[1]);
	resolver_ask(r, SLICE("a..b"), DNS_A, on_answer, &results[2]);
	resolver_destroy(&r);
	assert_null(r);
	resolver_destroy(&r);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_false(results[1].came || results[2].came);
}

static void test_dnssec(void **state)
{
	struct resolver *r = make(5000, 0, true);
	(void)state;
	struct result got = ask(r, "good.signed.example", DNS_A);
	assert_int_equal(got.status, ANSWER_FOUND);
	assert_true(got.secure);
	got = ask(r, "example.org", DNS_A);
	assert_int_equal(got.status, ANSWER_FOUND);
	assert_false(got.secure);
	got = ask(r, "unsigned.signed.example", DNS_A);
	assert_int_equal(got.status, ANSWER_TEMPERROR);
	assert_string_equal(got.why, "bogus");
	assert_false(got.secure);
	resolver_destroy(&r);
}

static void test_bad_settings(void **state)
{
	struct slice forward = SLICE("no address");
	struct resolver_config config = { .forward = &forward, .forward_count = 1 };
	char error[RESOLVER_ERROR_MAX];
	(void)state;
	assert_null(resolver_create(base, &config, error));
	assert_non_null(strstr(error, "forwarding address"));
	config = (struct resolver_config){ .dnssec = true, .trust_anchor = SLICE("/nonexistent") };
	assert_null(resolver_create(base, &config, error));
	assert_non_null(strstr(error, "trust anchor"));
	config.trust_anchor = SLICE("/"); /* a folder */
	assert_null(resolver_create(base, &config, error));
	assert_non_null(strstr(error, "trust anchor"));
	/* The root's own anchors are known, and nothing that isn't signed passes them. */
	forward = slice_str(forward_text);
	config = (struct resolver_config){ .dnssec = true, .forward = &forward, .forward_count = forward.len > 0,
					   .timeout = 5000 };
	struct resolver *r = resolver_create(base, &config, error);
	assert_non_null(r);
	if (forward.len > 0)
		assert_string_equal(ask(r, "example.org", DNS_A).why, "bogus");
	resolver_destroy(&r);
}

/* Nobody listens at the forwarder: an error, soon. */
static void test_dead_forwarder(void **state)
{
	struct slice forward = SLICE("127.0.0.1@1");
	const struct resolver_config config = { .forward = &forward, .forward_count = 1, .timeout = 1500 };
	char error[RESOLVER_ERROR_MAX];
	int64_t start = ms();
	(void)state;
	struct resolver *r = resolver_create(base, &config, error);
	assert_non_null(r);
	assert_int_equal(ask(r, "example.org", DNS_A).status, ANSWER_TEMPERROR);
	assert_in_range(ms() - start, 0, 4000);
	resolver_destroy(&r);
}

/* The forwarder is deaf for a while, with many questions lost: once it hears
 * again, so do we, and soon. */
static void test_forwarder_comes_back(void **state)
{
	struct resolver *r = make(300, 0, false);
	char name[64];
	int64_t start;
	(void)state;
	assert_int_equal(ask(r, "example.org", DNS_A).status, ANSWER_FOUND);
	kill(server, SIGSTOP);
	for (int i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "lost%d.many.example.org", i);
		assert_int_equal(ask(r, name, DNS_A).status, ANSWER_TEMPERROR);
	}
	kill(server, SIGCONT);
	start = ms();
	for (int i = 0;; i++) {
		snprintf(name, sizeof(name), "back%d.many.example.org", i);
		if (ask(r, name, DNS_A).status == ANSWER_FOUND)
			break;
		assert_in_range(ms() - start, 0, 10000);
		usleep(20000);
	}
	printf("# count back after %d ms\n", (int)(ms() - start));
	resolver_destroy(&r);
}

#define NOBODY "no name server answers"

/* Nobody answers at all: that is noticed, and no question waits; nor does anything after it is over. */
static void test_nobody_answers(void **state)
{
	struct resolver *r = make(450, 0, false);
	struct result got;
	char name[64];
	(void)state;
	assert_int_equal(ask(r, "example.org", DNS_A).status, ANSWER_FOUND);
	kill(server, SIGSTOP);
	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "deaf%d.many.example.org", i);
		got = ask(r, name, DNS_A);
		assert_int_equal(got.status, ANSWER_TEMPERROR);
	}
	assert_string_equal(got.why, NOBODY);
	assert_int_equal(ask(r, "example.org", DNS_A).status, ANSWER_FOUND); /* cached */
	int64_t start = ms();
	for (int i = 0; i < 300; i++) { /* more than are asked meanwhile */
		snprintf(name, sizeof(name), "deafer%d.many.example.org", i);
		assert_string_equal(ask(r, name, DNS_A).why, NOBODY);
	}
	assert_in_range(ms() - start, 0, 440);
	kill(server, SIGCONT);
	start = ms();
	while (ask(r, "example.org", DNS_MX).status != ANSWER_FOUND) {
		assert_in_range(ms() - start, 0, 10000);
		usleep(20000);
	}
	printf("# count noticed after %d ms\n", (int)(ms() - start));
	got = ask(r, "late.example.org", DNS_A);
	assert_true(got.why == NULL || strcmp(got.why, NOBODY) != 0); /* is waited for again */
	resolver_destroy(&r);
}

/* Dead names, however many, are not the end of all others. */
static void test_dead_names_alone(void **state)
{
	struct resolver *r = make(450, 0, false);
	(void)state;
	for (uint16_t type = 100; type < 110; type++) {
		struct result got = ask(r, "slow.example.org", type);
		if (got.why == NULL || strcmp(got.why, NOBODY) == 0)
			fail_msg("type %u: %s", type, got.why ? got.why : "answered");
	}
	assert_int_equal(ask(r, "late.example.org", DNS_A).status, ANSWER_FOUND);
	resolver_destroy(&r);
}

/* From a zone alone, one after the other, and asked again from the callback. */
struct again {
	struct resolver *r;
	int left;
};

static void ask_again(void *arg, const struct answer *a)
{
	struct again *again = arg;
	assert_int_equal(a->status, ANSWER_FOUND);
	if (--again->left > 0)
		resolver_ask(again->r, SLICE("example.org"), DNS_A, ask_again, again);
	else
		event_base_loopbreak(base);
}

static void test_zone(void **state)
{
	struct zone *zone = zone_of("example.org A 192.0.2.1\n;! bad SERVFAIL\n;! slow TIMEOUT\n");
	const struct resolver_config config = { .zone = zone };
	char error[RESOLVER_ERROR_MAX];
	struct resolver *r = resolver_create(base, &config, error);
	struct again again = { r, 1000 };
	(void)state;
	assert_int_equal(ask(r, "example.org", DNS_A).count, 1);
	assert_int_equal(ask(r, "example.org", DNS_MX).status, ANSWER_NODATA);
	assert_int_equal(ask(r, "example.net", DNS_MX).status, ANSWER_NXDOMAIN);
	assert_string_equal(ask(r, "bad", DNS_A).why, "SERVFAIL");
	assert_string_equal(ask(r, "slow", DNS_A).why, "timeout");
	resolver_ask(r, SLICE("example.org"), DNS_A, ask_again, &again);
	event_base_dispatch(base);
	assert_int_equal(again.left, 0);
	resolver_destroy(&r);
	zone_destroy(&zone);
}

/* --- messages that no server of the tests sends --- */

struct packet {
	const char *bytes;
	size_t len;
	enum answer_status status;
	const char *why;
	size_t count;
	uint32_t ttl;
};
#define PACKET(s) (s), sizeof(s) - 1
#define QUESTION "\1a\0\0\1\0\1" /* a. IN A, at 12 */

static const struct packet packets[] = {
	{ PACKET(""), ANSWER_TEMPERROR, "malformed answer", 0, 0 },
	{ PACKET("\0\0\1\200\0\1\0\0\0\0\0\0" QUESTION), ANSWER_TEMPERROR, "malformed answer", 0, 0 }, /* no QR */
	{ PACKET("\0\0\201\200\0\0\0\0\0\0\0\0"), ANSWER_TEMPERROR, "malformed answer", 0, 0 },
	{ PACKET("\0\0\201\205\0\1\0\0\0\0\0\0" QUESTION), ANSWER_TEMPERROR, "REFUSED", 0, 0 },
	{ PACKET("\0\0\201\217\0\1\0\0\0\0\0\0" QUESTION), ANSWER_TEMPERROR, "error", 0, 0 },
	{ PACKET("\0\0\201\200\0\1\0\0\0\0\0\0" QUESTION), ANSWER_NODATA, NULL, 0, 0 },
	{ PACKET("\0\0\201\203\0\1\0\0\0\0\0\0" QUESTION), ANSWER_NXDOMAIN, NULL, 0, 0 },
	{ PACKET("\0\0\201\200\0\1\0\0\0\0\0\0\1a\0\0\2\0\1"), ANSWER_TEMPERROR, "malformed answer", 0, 0 },
	{ PACKET("\0\0\201\200\0\1\0\1\0\0\0\0" QUESTION "\300\14\0\1\0\1\0\0\0\11\0\4\1\2\3\4"),
	  ANSWER_FOUND, NULL, 1, 9 },
	/* the owner is another name; class CH; an address of three octets; cut off */
	{ PACKET("\0\0\201\200\0\1\0\1\0\0\0\0" QUESTION "\1b\0\0\1\0\1\0\0\0\11\0\4\1\2\3\4"),
	  ANSWER_NODATA, NULL, 0, 0 },
	{ PACKET("\0\0\201\200\0\1\0\1\0\0\0\0" QUESTION "\300\14\0\1\0\3\0\0\0\11\0\4\1\2\3\4"),
	  ANSWER_NODATA, NULL, 0, 0 },
	{ PACKET("\0\0\201\200\0\1\0\1\0\0\0\0" QUESTION "\300\14\0\1\0\1\0\0\0\11\0\3\1\2\3"),
	  ANSWER_TEMPERROR, "malformed answer", 0, 0 },
	{ PACKET("\0\0\201\200\0\1\0\1\0\0\0\0" QUESTION "\300\14\0\1\0\1\0\0\0\11\0\4\1\2\3"),
	  ANSWER_TEMPERROR, "malformed answer", 0, 0 },
	{ PACKET("\0\0\201\200\0\1\377\377\0\0\0\0" QUESTION), ANSWER_TEMPERROR, "malformed answer", 0, 0 },
	/* a CNAME to itself; to b, which has an address with a lower ttl */
	{ PACKET("\0\0\201\200\0\1\0\1\0\0\0\0" QUESTION "\300\14\0\5\0\1\0\0\0\11\0\2\300\14"),
	  ANSWER_TEMPERROR, "CNAME loop", 0, 0 },
	{ PACKET("\0\0\201\200\0\1\0\2\0\0\0\0" QUESTION "\300\14\0\5\0\1\0\0\0\11\0\3\1b\0"
		 "\1B\0\0\1\0\1\0\0\0\7\0\4\1\2\3\4"), ANSWER_FOUND, NULL, 1, 7 },
	/* a ttl above 2^31 is none; an SOA gives that of "no such name" */
	{ PACKET("\0\0\201\200\0\1\0\1\0\0\0\0" QUESTION "\300\14\0\1\0\1\200\0\0\1\0\4\1\2\3\4"),
	  ANSWER_FOUND, NULL, 1, 0 },
	{ PACKET("\0\0\201\203\0\1\0\0\0\1\0\0" QUESTION "\0\0\6\0\1\0\0\0\11\0\26\0\0"
		 "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"), ANSWER_NXDOMAIN, NULL, 0, 5 },
};

static void test_packets(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(packets); i++) {
		const struct packet *p = &packets[i];
		struct arena *arena = arena_create();
		/* On the heap, so that a read past its end is seen. */
		char *copy = xmalloc(p->len);
		memcpy(copy, p->bytes, p->len);
		struct answer a = dns_packet_read(arena, slice_make(copy, p->len), DNS_A);
		if (a.status != p->status || a.count != p->count || a.ttl != p->ttl)
			fail_msg("packet %zu: status %d, %zu records, ttl %u", i, a.status, a.count, a.ttl);
		if (p->why != NULL)
			assert_string_equal(a.why, p->why);
		free(copy);
		arena_destroy(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_timeouts), cmocka_unit_test(test_many),
		cmocka_unit_test(test_limit_and_cancel), cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_dnssec), cmocka_unit_test(test_bad_settings),
		cmocka_unit_test(test_dead_forwarder), cmocka_unit_test(test_forwarder_comes_back),
		cmocka_unit_test(test_nobody_answers), cmocka_unit_test(test_dead_names_alone),
		cmocka_unit_test(test_zone), cmocka_unit_test(test_packets),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
