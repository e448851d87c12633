/* driver_wait: alone and threaded; DNS from a zone, from libunbound's own
 * "localhost", and from a socket that nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <stdlib.h>
#include <string.h>

#include "base/scanner.h"
#include "proxy/driver_wait.h"
#include "tests/lib/zone_driver.h"

/* --- a filter: asks at MAIL, and early what END needs --- */

static const char *mail_name, *end_name; /* NULL: none */
static bool with_store;
static atomic_int jobs_ran;

struct state {
	const struct answer *mail, *end, *store, *job;
	int job_arg;
};

static struct state *state_of[64]; /* by scan->now: the test's number of the scan */

static void job(void *arg)
{
	++*(int *)arg;
	atomic_fetch_add(&jobs_ran, 1);
}

static const struct answer *need(const struct answer *a, bool *missing)
{
	*missing |= a == NULL;
	return a;
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	struct state *st = state_of[scan->now] = state;
	bool missing = false;
	if (end_name != NULL) {
		st->end = scan_dns(scan, slice_str(end_name), DNS_A, PHASE_END);
		missing |= phase == PHASE_END && st->end == NULL;
	}
	if (mail_name != NULL)
		st->mail = need(scan_dns(scan, slice_str(mail_name), DNS_A, PHASE_MAIL), &missing);
	if (with_store) {
		const struct store_request add = { .op = STORE_ADD, .key = SLICE("count"), .amount = 1, .ttl = 3600 };
		st->store = need(ask_store(scan->questions, &add, PHASE_MAIL), &missing);
	}
	st->job = need(ask_job(scan->questions, job, &st->job_arg, PHASE_MAIL), &missing);
	return missing ? STEP_NEED : STEP_DONE;
}

static const struct filter test_filter = {
	.name = "test", .phases = PHASE_BIT(PHASE_MAIL) | PHASE_BIT(PHASE_END),
	.state_size = sizeof(struct state), .step = step, .always = true,
};

const struct filter *const filter_table[] = { &test_filter, NULL };

/* --- the scene --- */

static struct snapshot *snapshot;
static int black_hole;
static char black_hole_address[40];

static int set_up(void **state)
{
	struct arena *arena = arena_create();
	struct config *config = arena_new(arena, struct config);
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	(void)state;
	config->arena = arena;
	snapshot = snapshot_create(config, NULL, 1);
	black_hole = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(black_hole, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(black_hole, (struct sockaddr *)&sin, &len), 0);
	snprintf(black_hole_address, sizeof(black_hole_address), "127.0.0.1@%u", ntohs(sin.sin_port));
	mail_name = end_name = NULL;
	with_store = false;
	jobs_ran = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	snapshot_release(&snapshot);
	close(black_hole);
	return 0;
}

static struct wait_driver *make(bool threaded, const struct zone *zone, bool deaf)
{
	static const struct store_config store = { .url = { "memory:", 7 } };
	struct slice forward = slice_str(black_hole_address);
	const struct wait_driver_config config = {
		.resolver = { .zone = zone, .forward = &forward, .forward_count = deaf, .timeout = 60000 },
		.store = &store, .threaded = threaded,
	};
	char error[WAIT_ERROR_MAX];
	struct wait_driver *d = wait_driver_create(&config, error);
	if (d == NULL)
		fail_msg("%s", error);
	return d;
}

struct mail {
	struct arena *arena;
	struct scan *scan;
	struct wait *wait;
};

static struct mail begin(struct wait_driver *d, int64_t number)
{
	struct mail m = { .arena = arena_create() };
	m.scan = scan_create(m.arena, snapshot, number);
	m.wait = wait_begin(d, m.scan->questions, number);
	pipeline_begin(m.scan);
	return m;
}

static struct state *run(struct mail *m, enum phase phase, int64_t deadline)
{
	pipeline_enter(m->scan, phase);
	wait_run(m->wait, m->scan, phase, deadline);
	if (pipeline_advance(m->scan, phase) != PIPELINE_DONE)
		fail_msg("not DONE");
	return state_of[m->scan->now];
}

static void end(struct mail *m)
{
	wait_end(&m->wait);
	arena_destroy(&m->arena);
}

static int64_t ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- tests --- */

static void test_zone(void **state)
{
	struct zone *zone = zone_of("one A 192.0.2.1\n;! bad SERVFAIL\n");
	(void)state;
	mail_name = "one";
	end_name = "bad";
	for (int threaded = 0; threaded < 2; threaded++) {
		struct wait_driver *d = make(threaded, zone, false);
		struct mail m = begin(d, 1);
		struct state *st = run(&m, PHASE_MAIL, 5000);
		assert_int_equal(st->mail->count, 1);
		assert_int_equal(st->job_arg, 1);
		st = run(&m, PHASE_END, 5000);
		assert_string_equal(st->end->why, "SERVFAIL");
		end(&m);
		wait_driver_destroy(&d);
	}
	zone_destroy(&zone);
}

static void test_loop(void **state)
{
	(void)state;
	mail_name = end_name = "localhost";
	with_store = true;
	for (int threaded = 0; threaded < 2; threaded++) {
		struct wait_driver *d = make(threaded, NULL, false);
		for (int i = 0; i < 20; i++) {
			struct mail m = begin(d, 1);
			struct state *st = run(&m, PHASE_MAIL, 5000);
			assert_memory_equal(st->mail->records[0].data, "\177\0\0\1", 4);
			assert_int_equal(st->store->number, i + 1);
			assert_int_equal(run(&m, PHASE_END, 5000)->end->count, 1);
			end(&m);
		}
		wait_driver_destroy(&d);
	}
}

/* What another has asked before needs no waiting. */
static void test_known(void **state)
{
	struct wait_driver *d = make(true, NULL, false);
	struct mail first = begin(d, 1), second = begin(d, 2);
	(void)state;
	mail_name = end_name = "localhost";
	run(&first, PHASE_MAIL, 5000);
	pipeline_enter(second.scan, PHASE_MAIL);
	assert_true(wait_start(second.wait, second.scan, PHASE_MAIL));
	assert_memory_equal(state_of[2]->mail->records[0].data, "\177\0\0\1", 4);
	end(&first);
	end(&second);
	wait_driver_destroy(&d);
}

/* Not waiting: it says so, and takes up what has come meanwhile. */
static void test_start(void **state)
{
	(void)state;
	mail_name = "localhost";
	struct wait_driver *d = make(true, NULL, false);
	struct mail m = begin(d, 1);
	pipeline_enter(m.scan, PHASE_MAIL);
	for (int64_t start = ms(); !wait_start(m.wait, m.scan, PHASE_MAIL); usleep(1000))
		assert_in_range(ms() - start, 0, 20000);
	assert_int_equal(state_of[1]->mail->count, 1);
	end(&m);
	wait_driver_destroy(&d);
}

static void test_deadline(void **state)
{
	(void)state;
	mail_name = "never.example";
	end_name = "never.example.org";
	for (int threaded = 0; threaded < 2; threaded++) {
		struct wait_driver *d = make(threaded, NULL, true);
		struct mail m = begin(d, 1), left_open;
		int64_t start = ms();
		struct state *st = run(&m, PHASE_MAIL, 150);
		assert_in_range(ms() - start, 140, 1500);
		assert_string_equal(st->mail->why, "deadline");
		assert_int_equal(st->job->status, ANSWER_FOUND);
		assert_string_equal(run(&m, PHASE_END, 0)->end->why, "deadline");
		end(&m);
		left_open = begin(d, 2);
		pipeline_enter(left_open.scan, PHASE_MAIL);
		assert_true(pipeline_advance(left_open.scan, PHASE_MAIL) == PIPELINE_NEED);
		assert_true(wait_answers(left_open.wait, 50)); /* the job's */
		assert_false(wait_answers(left_open.wait, 50));
		end(&left_open);
		wait_driver_destroy(&d);
	}
}

static void count_tell(void *arg)
{
	++*(int *)arg;
}

static void test_telling(void **state)
{
	(void)state;
	end_name = "never.example.org";
	for (int threaded = 0; threaded < 2; threaded++) {
		struct slice forward = slice_str(black_hole_address);
		const struct wait_driver_config config = {
			.resolver = { .forward = &forward, .forward_count = 1, .timeout = 60000 },
			.threaded = threaded, .tell_ms = 30,
		};
		char error[WAIT_ERROR_MAX];
		struct wait_driver *d = wait_driver_create(&config, error);
		struct mail m = begin(d, 1);
		int told = 0;
		run(&m, PHASE_MAIL, 5000);
		pipeline_enter(m.scan, PHASE_END);
		wait_run_telling(m.wait, m.scan, PHASE_END, 400, count_tell, &told);
		assert_in_range(told, 3, 14);
		assert_string_equal(state_of[1]->end->why, "deadline");
		end(&m);
		wait_driver_destroy(&d);
	}
}

/* Questions without a scan, as `gatehouse spf` has them. */
static void test_questions_alone(void **state)
{
	struct wait_driver *d = make(false, NULL, false);
	struct arena *arena = arena_create();
	struct questions *qs = questions_create(arena);
	struct wait *w = wait_begin(d, qs, 0);
	(void)state;
	assert_false(wait_answers(w, 1000)); /* nothing asked */
	assert_null(ask_dns(qs, SLICE("localhost"), DNS_A, PHASE_MAIL));
	assert_true(wait_answers(w, 1000));
	assert_int_equal(ask_dns(qs, SLICE("localhost"), DNS_A, PHASE_MAIL)->count, 1);
	wait_end(&w);
	wait_end(&w);
	arena_destroy(&arena);
	wait_driver_destroy(&d);
}

static void test_nothing_configured(void **state)
{
	const struct wait_driver_config config = { .no_resolver = true };
	char error[WAIT_ERROR_MAX];
	struct wait_driver *d = wait_driver_create(&config, error);
	(void)state;
	mail_name = "one";
	with_store = true;
	struct mail m = begin(d, 1);
	struct state *st = run(&m, PHASE_MAIL, 5000);
	assert_string_equal(st->mail->why, "not configured");
	assert_string_equal(st->store->why, "not configured");
	end(&m);
	wait_driver_destroy(&d);
	const struct store_config bad = { .url = SLICE("nonsense") };
	const struct wait_driver_config bad_config = { .no_resolver = true, .store = &bad, .threaded = true };
	assert_null(wait_driver_create(&bad_config, error));
	assert_non_null(strstr(error, "nonsense"));
}

enum { THREADS = 8, SCANS = 60 };
static atomic_int sums_seen[THREADS * SCANS + 1];

static void *mail_thread(void *arg)
{
	struct wait_driver *d = ((void **)arg)[0];
	int64_t number = (int64_t)(intptr_t)((void **)arg)[1];
	for (int i = 0; i < SCANS; i++) {
		struct mail m = begin(d, number);
		struct state *st = run(&m, PHASE_MAIL, 20000);
		if (st->mail->count == 1 && st->store->number <= THREADS * SCANS)
			atomic_fetch_add(&sums_seen[st->store->number], 1);
		if (i % 3 != 0) /* else its answer is still under way when it ends */
			run(&m, PHASE_END, 20000);
		end(&m);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct wait_driver *d = make(true, NULL, false);
	pthread_t threads[THREADS];
	void *args[THREADS][2];
	(void)state;
	mail_name = end_name = "localhost";
	with_store = true;
	for (int i = 0; i < THREADS; i++) {
		args[i][0] = d;
		args[i][1] = (void *)(intptr_t)(i + 1);
		pthread_create(&threads[i], NULL, mail_thread, args[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i <= THREADS * SCANS; i++)
		assert_int_equal(sums_seen[i], 1);
	assert_int_equal(jobs_ran, THREADS * SCANS);
	wait_driver_destroy(&d);
}

/* --- a scanner that reads and never answers --- */

enum { CONTENT = 3 << 20 };
static int scanner_socket;

static void *read_for_ever(void *arg)
{
	static char bytes[1 << 16];
	int fd = accept(scanner_socket, NULL, NULL);
	(void)arg;
	for (; fd >= 0; fd = accept(scanner_socket, NULL, NULL)) {
		while (read(fd, bytes, sizeof(bytes)) > 0)
			;
		close(fd);
	}
	return NULL;
}

static void ask_and_leave(struct wait_driver *d, int64_t after_ms)
{
	struct arena *arena = arena_create();
	struct questions *qs = questions_create(arena);
	struct wait *w = wait_begin(d, qs, 0);
	char *content = malloc(CONTENT);
	memset(content, 'x', CONTENT);
	ask_scanner(qs, slice_make(content, CONTENT), PHASE_END);
	wait_answers(w, after_ms);
	wait_end(&w);
	memset(content, 0, CONTENT); /* it is ours again */
	free(content);
	arena_destroy(&arena);
}

static void *leaving_thread(void *arg)
{
	for (int i = 0; i < 15; i++)
		ask_and_leave(arg, i % 4);
	return NULL;
}

static void test_scanner_is_called_off(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	struct scanner_config scanner = { .timeout = 60000 };
	struct wait_driver_config config = { .no_resolver = true, .scanner = &scanner };
	char error[WAIT_ERROR_MAX];
	pthread_t reader, threads[4];
	(void)state;
	scanner_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(scanner_socket, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(listen(scanner_socket, 64), 0);
	assert_int_equal(getsockname(scanner_socket, (struct sockaddr *)&sin, &len), 0);
	ip_from_sockaddr((struct sockaddr *)&sin, &scanner.address.ip, &scanner.address.port);
	pthread_create(&reader, NULL, read_for_ever, NULL);
	for (int threaded = 0; threaded < 2; threaded++) {
		config.threaded = threaded;
		struct wait_driver *d = wait_driver_create(&config, error);
		int64_t start = ms();
		ask_and_leave(d, 100);
		assert_in_range(ms() - start, 95, 5000); /* waited for as long as asked, and no longer */
		for (int i = 0; threaded && i < 4; i++)
			pthread_create(&threads[i], NULL, leaving_thread, d);
		for (int i = 0; threaded && i < 4; i++)
			pthread_join(threads[i], NULL);
		wait_driver_destroy(&d);
	}
	shutdown(scanner_socket, SHUT_RDWR);
	pthread_join(reader, NULL);
	close(scanner_socket);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_zone), TEST(test_loop), TEST(test_known), TEST(test_start), TEST(test_deadline), TEST(test_telling),
		TEST(test_questions_alone), TEST(test_nothing_configured), TEST(test_threads), TEST(test_scanner_is_called_off),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
