/* driver_loop: a pipeline of filters made for the test, with DNS from a zone
 * or from a server that never answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/jobs.h"
#include "base/resolver.h"
#include "base/store.h"
#include "proxy/driver_loop.h"
#include "tests/lib/zone_driver.h"

/* --- the filters: what they do is set per test --- */

static struct {
	const char *names[PHASES][4];   /* DNS questions that each phase asks and needs */
	const char *early;              /* asked at MAIL, needed at END */
	unsigned jobs;                  /* at HEADERS */
	bool store;                     /* at RCPT */
	sem_t *gate;          /* jobs wait for it */
} plan;
static atomic_int jobs_running, jobs_most, jobs_ran;

struct job_arg {
	struct arena *arena;
	unsigned char number;
};

struct state {
	struct job_arg jobs[4];
	int seen[PHASES], why_timeout;
	int64_t store_status;
};

static struct state *last_state;

static void heavy(void *arg)
{
	struct job_arg *job = arg;
	int now = atomic_fetch_add(&jobs_running, 1) + 1;
	if (now > atomic_load(&jobs_most))
		atomic_store(&jobs_most, now);
	if (plan.gate != NULL) {
		sem_wait(plan.gate);
		sem_post(plan.gate);
	}
	for (int i = 0; i < 50; i++)
		memset(arena_alloc(job->arena, 1000), job->number, 1000);
	atomic_fetch_sub(&jobs_running, 1);
	atomic_fetch_add(&jobs_ran, 1);
}

static bool note(struct state *st, enum phase phase, const struct answer *a)
{
	if (a == NULL)
		return true;
	st->seen[phase] += a->status == ANSWER_FOUND ? (int)a->count : 1000;
	if (a->status == ANSWER_TEMPERROR && strcmp(a->why, "deadline") == 0)
		st->why_timeout++;
	return false;
}

static enum step step(struct scan *scan, void *state, enum phase phase)
{
	struct state *st = last_state = state;
	bool need = false;
	st->seen[phase] = 0;
	for (size_t i = 0; i < 4 && plan.names[phase][i] != NULL; i++)
		need |= note(st, phase, scan_dns(scan, slice_str(plan.names[phase][i]), DNS_A, phase));
	if (phase == PHASE_MAIL && plan.early != NULL)
		scan_dns(scan, slice_str(plan.early), DNS_A, PHASE_END);
	if (phase == PHASE_END && plan.early != NULL)
		need |= note(st, phase, scan_dns(scan, slice_str(plan.early), DNS_A, PHASE_END));
	for (unsigned i = 0; phase == PHASE_HEADERS && i < plan.jobs; i++) {
		st->jobs[i] = (struct job_arg){ scan->arena, (unsigned char)i };
		need |= note(st, phase, ask_job(scan->questions, heavy, &st->jobs[i], PHASE_HEADERS));
	}
	if (phase == PHASE_RCPT && plan.store) {
		const struct store_request request = {
			.op = STORE_GET_OR_SET, .key = SLICE("k"), .value = SLICE("v"), .ttl = 60 };
		const struct answer *a = ask_store(scan->questions, &request, PHASE_RCPT);
		need |= a == NULL;
		st->store_status = a != NULL ? (int64_t)a->status : -1;
	}
	return need ? STEP_NEED : STEP_DONE;
}

static const struct filter test_filter = {
	.name = "test", .phases = ~0u, .state_size = sizeof(struct state), .step = step, .always = true,
};

const struct filter *const filter_table[] = { &test_filter, NULL };

/* --- the scene --- */

static struct event_base *base;
static struct zone *zone;
static struct resolver *resolver;
static struct jobs *jobs;
static struct driver *driver;
static struct snapshot *snapshot;
static int black_hole = -1;

static const char zone_text[] =
	"one A 192.0.2.1\n" "two A 192.0.2.1\ntwo A 192.0.2.2\n" "*.many A 192.0.2.3\n" ";! bad SERVFAIL\n";

static int set_up_with(const struct resolver_config *config, struct store *store)
{
	char error[RESOLVER_ERROR_MAX];
	struct arena *arena = arena_create();
	struct config *c = arena_new(arena, struct config);
	c->arena = arena;
	snapshot = snapshot_create(c, NULL, 1);
	resolver = resolver_create(base, config, error);
	assert_non_null(resolver);
	jobs = jobs_create(base, 2);
	const struct driver_parts parts = { .base = base, .resolver = resolver, .jobs = jobs, .store = store };
	driver = driver_create(&parts);
	memset(&plan, 0, sizeof(plan));
	jobs_running = jobs_most = jobs_ran = 0;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	base = event_base_new();
	zone = zone_of(zone_text);
	const struct resolver_config config = { .zone = zone };
	return set_up_with(&config, NULL);
}

/* DNS goes to a socket that nobody reads. */
static int set_up_deaf(void **state)
{
	char address[40];
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);
	(void)state;
	base = event_base_new();
	black_hole = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(black_hole, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(black_hole, (struct sockaddr *)&sin, &len), 0);
	snprintf(address, sizeof(address), "127.0.0.1@%u", ntohs(sin.sin_port));
	struct slice forward = slice_str(address);
	const struct resolver_config config = { .forward = &forward, .forward_count = 1, .timeout = 60000 };
	return set_up_with(&config, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	driver_destroy(&driver);
	jobs_destroy(&jobs);
	resolver_destroy(&resolver);
	zone_destroy(&zone);
	snapshot_release(&snapshot);
	event_base_free(base);
	if (black_hole >= 0)
		close(black_hole);
	black_hole = -1;
	return 0;
}

struct mail {
	struct arena *arena;
	struct scan *scan;
	int done;
	struct mail *next; /* to be run from done() */
	bool drop;         /* drop itself from done() */
};

static int left; /* done()s until the loop is to be left */

static struct mail new_mail(void)
{
	struct mail m = { .arena = arena_create() };
	m.scan = scan_create(m.arena, snapshot, 1000);
	driver_add(driver, m.scan);
	pipeline_begin(m.scan);
	return m;
}

static void on_done(void *arg);

static bool go(struct mail *m, enum phase phase, int64_t deadline)
{
	pipeline_enter(m->scan, phase);
	return driver_run(driver, m->scan, phase, deadline, on_done, m);
}

static void on_done(void *arg)
{
	struct mail *m = arg;
	m->done++;
	if (m->next != NULL && go(m->next, PHASE_CONNECT, 5000))
		fail_msg("DONE at once");
	if (m->drop)
		driver_drop_arena(driver, m->scan, &m->arena);
	if (--left <= 0)
		event_base_loopbreak(base);
}

static void wait_done(int count)
{
	left = count;
	event_base_dispatch(base);
	assert_int_equal(left, 0);
}

static int64_t ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- tests --- */

static void test_phases(void **state)
{
	(void)state;
	plan.names[PHASE_MAIL][0] = "one";
	plan.names[PHASE_MAIL][1] = "two";
	plan.names[PHASE_RCPT][0] = "bad";
	plan.early = "a.many";
	struct mail m = new_mail();
	assert_true(go(&m, PHASE_CONNECT, 5000));
	assert_true(go(&m, PHASE_HELO, 5000));
	assert_false(go(&m, PHASE_MAIL, 5000));
	assert_int_equal(m.done, 0);
	wait_done(1);
	assert_int_equal(last_state->seen[PHASE_MAIL], 3);
	assert_false(go(&m, PHASE_RCPT, 5000));
	wait_done(1);
	assert_int_equal(last_state->seen[PHASE_RCPT], 1000);
	assert_true(go(&m, PHASE_HEADERS, 5000));
	assert_true(go(&m, PHASE_END, 5000)); /* answered long ago */
	assert_int_equal(last_state->seen[PHASE_END], 1);
	assert_int_equal(m.done, 2);
	driver_drop_arena(driver, m.scan, &m.arena);
	assert_null(m.arena);
}

static void test_many(void **state)
{
	enum { N = 2000 };
	static struct mail mails[N];
	(void)state;
	plan.names[PHASE_CONNECT][0] = "x.many";
	plan.names[PHASE_CONNECT][1] = "two";
	for (int i = 0; i < N; i++) {
		mails[i] = new_mail();
		mails[i].drop = i % 2 == 0;
		assert_false(go(&mails[i], PHASE_CONNECT, 5000));
	}
	wait_done(N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(mails[i].done, 1);
		if (i % 2 == 1)
			driver_drop_arena(driver, mails[i].scan, &mails[i].arena);
	}
}

static void test_run_from_done(void **state)
{
	(void)state;
	plan.names[PHASE_CONNECT][0] = "one";
	struct mail first = new_mail(), second = new_mail(), third = new_mail();
	first.next = &second;
	second.next = &third;
	first.drop = second.drop = third.drop = true;
	assert_false(go(&first, PHASE_CONNECT, 5000));
	wait_done(3);
	assert_int_equal(first.done + second.done + third.done, 3);
}

static void test_jobs(void **state)
{
	(void)state;
	plan.jobs = 3;
	plan.names[PHASE_HEADERS][0] = "one";
	plan.names[PHASE_HEADERS][1] = "two";
	struct mail m[4] = { new_mail(), new_mail(), new_mail(), new_mail() };
	for (int i = 0; i < 4; i++)
		assert_false(go(&m[i], PHASE_HEADERS, 5000));
	wait_done(4);
	assert_int_equal(jobs_ran, 12);
	assert_in_range(jobs_most, 1, 2);
	assert_int_equal(last_state->seen[PHASE_HEADERS], 3); /* a job's answer has no records */
	for (int i = 0; i < 4; i++)
		driver_drop_arena(driver, m[i].scan, &m[i].arena);
}

/* An answer that comes while a job has the scan is handed in afterwards. */
static void test_answer_during_job(void **state)
{
	sem_t gate;
	(void)state;
	plan.jobs = 1;
	plan.gate = &gate;
	plan.names[PHASE_HEADERS][0] = "two";
	sem_init(&gate, 0, 0);
	struct mail m = new_mail();
	assert_false(go(&m, PHASE_HEADERS, 5000));
	while (jobs_running < 1)
		usleep(1000);
	size_t taken = arena_size(m.arena);
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(resolver_in_flight(resolver), 0); /* it has come */
	assert_int_equal(questions_pending(m.scan->questions), 2);
	assert_int_equal(arena_size(m.arena), taken);
	sem_post(&gate);
	wait_done(1);
	assert_int_equal(last_state->seen[PHASE_HEADERS], 2);
	driver_drop_arena(driver, m.scan, &m.arena);
}

/* Of one scan never two jobs at a time, though there are two threads. */
static void test_jobs_in_turn(void **state)
{
	(void)state;
	plan.jobs = 4;
	struct mail m = new_mail();
	assert_false(go(&m, PHASE_HEADERS, 5000));
	wait_done(1);
	assert_int_equal(jobs_ran, 4);
	assert_int_equal(jobs_most, 1);
	driver_drop_arena(driver, m.scan, &m.arena);
}

static void test_without_parts(void **state)
{
	const struct driver_parts none = { .base = base };
	(void)state;
	driver_destroy(&driver);
	driver = driver_create(&none);
	plan.names[PHASE_HEADERS][0] = "one";
	plan.jobs = 1;
	plan.store = true;
	struct mail m = new_mail();
	assert_true(go(&m, PHASE_RCPT, 5000));
	assert_int_equal(last_state->store_status, ANSWER_TEMPERROR);
	assert_true(go(&m, PHASE_HEADERS, 5000));
	assert_int_equal(last_state->seen[PHASE_HEADERS], 1000);
	assert_int_equal(jobs_ran, 1);
	driver_drop(driver, m.scan);
	driver_drop(driver, m.scan);
	arena_destroy(&m.arena);
}

static void test_store(void **state)
{
	char error[STORE_ERROR_MAX];
	const struct store_config config = { .url = SLICE("memory:") };
	(void)state;
	struct store *store = store_open(base, &config, error);
	const struct driver_parts parts = { .base = base, .resolver = resolver, .jobs = jobs, .store = store };
	driver_destroy(&driver);
	driver = driver_create(&parts);
	plan.store = true;
	struct mail first = new_mail(), second = new_mail(), third = new_mail();
	assert_false(go(&first, PHASE_RCPT, 5000));
	wait_done(1);
	assert_int_equal(last_state->store_status, ANSWER_NODATA);
	assert_false(go(&second, PHASE_RCPT, 5000));
	wait_done(1);
	assert_int_equal(last_state->store_status, ANSWER_FOUND);
	assert_false(go(&third, PHASE_RCPT, 5000)); /* still open when all goes */
	driver_destroy(&driver);
	store_close(&store);
	arena_destroy(&first.arena);
	arena_destroy(&second.arena);
	arena_destroy(&third.arena);
}

static void test_deadline(void **state)
{
	(void)state;
	plan.names[PHASE_MAIL][0] = "never.example";
	plan.names[PHASE_END][0] = "never.example.org";
	plan.early = "early.example";
	struct mail m = new_mail();
	int64_t start = ms();
	assert_false(go(&m, PHASE_MAIL, 150));
	wait_done(1);
	assert_in_range(ms() - start, 140, 1500);
	assert_int_equal(last_state->why_timeout, 1);
	assert_false(go(&m, PHASE_END, 0));
	wait_done(1);
	assert_int_equal(last_state->seen[PHASE_END], 2000);
	assert_int_equal(resolver_in_flight(resolver), 0);
	driver_drop_arena(driver, m.scan, &m.arena);
}

static void test_drop_under_way(void **state)
{
	(void)state;
	plan.names[PHASE_MAIL][0] = "never.example";
	struct mail a = new_mail(), b = new_mail(), c = new_mail();
	assert_false(go(&a, PHASE_MAIL, 50));
	assert_false(go(&b, PHASE_MAIL, 100));
	assert_false(go(&c, PHASE_MAIL, 5000));
	driver_drop_arena(driver, a.scan, &a.arena);
	wait_done(1);
	assert_int_equal(a.done, 0);
	assert_int_equal(b.done, 1);
	driver_destroy(&driver); /* with c under way */
	arena_destroy(&b.arena);
	arena_destroy(&c.arena);
}

static void *open_gate(void *arg)
{
	usleep(200000);
	sem_post(arg);
	return NULL;
}

/* Both threads are held by jobs: a third scan's is dropped at its deadline, the
 * others' are waited for. */
static void test_deadline_and_jobs(void **state)
{
	sem_t gate;
	pthread_t opener;
	(void)state;
	plan.jobs = 1;
	plan.names[PHASE_HEADERS][0] = "never.example";
	plan.gate = &gate;
	struct mail m[3] = { new_mail(), new_mail(), new_mail() };
	sem_init(&gate, 0, 0);
	int64_t start = ms();
	for (int i = 0; i < 3; i++)
		assert_false(go(&m[i], PHASE_HEADERS, 50));
	wait_done(1);
	assert_in_range(ms() - start, 40, 1500);
	assert_int_equal(m[2].done, 1);
	pthread_create(&opener, NULL, open_gate, &gate);
	wait_done(2);
	pthread_join(opener, NULL);
	assert_int_equal(jobs_ran, 2);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(m[i].done, 1);
		driver_drop_arena(driver, m[i].scan, &m[i].arena);
	}
}

/* The client goes while a job works on its mail's memory. */
static void test_drop_and_jobs(void **state)
{
	sem_t gate;
	pthread_t opener;
	(void)state;
	plan.jobs = 2;
	plan.gate = &gate;
	struct mail m[4] = { new_mail(), new_mail(), new_mail(), new_mail() };
	sem_init(&gate, 0, 0);
	for (int i = 0; i < 4; i++)
		assert_false(go(&m[i], PHASE_HEADERS, 50000));
	while (jobs_running < 2)
		usleep(1000);
	assert_true(driver_has_job(driver, m[0].scan));
	driver_drop_arena(driver, m[0].scan, &m[0].arena); /* runs */
	driver_drop_arena(driver, m[3].scan, &m[3].arena); /* waits for a thread */
	assert_null(m[0].arena);
	pthread_create(&opener, NULL, open_gate, &gate);
	driver_drop(driver, m[1].scan); /* runs: this waits */
	arena_destroy(&m[1].arena);
	pthread_join(opener, NULL);
	wait_done(1);
	assert_int_equal(m[2].done, 1);
	assert_int_equal(m[0].done + m[1].done + m[3].done, 0);
	for (int i = 0; i < 10000 && jobs_ran < 4; i++) /* the first one's thread may be the last to wake */
		usleep(1000);
	assert_int_equal(jobs_ran, 4);
	assert_false(driver_has_job(driver, m[2].scan));
	driver_drop_arena(driver, m[2].scan, &m[2].arena);
}

static void test_destroy_and_jobs(void **state)
{
	sem_t gate;
	pthread_t opener;
	(void)state;
	plan.jobs = 1;
	plan.gate = &gate;
	struct mail m[3] = { new_mail(), new_mail(), new_mail() };
	sem_init(&gate, 0, 0);
	for (int i = 0; i < 3; i++)
		assert_false(go(&m[i], PHASE_HEADERS, 50000));
	while (jobs_running < 2)
		usleep(1000);
	driver_drop_arena(driver, m[0].scan, &m[0].arena);
	pthread_create(&opener, NULL, open_gate, &gate);
	driver_destroy(&driver);
	assert_int_equal(jobs_running, 0);
	pthread_join(opener, NULL);
	arena_destroy(&m[1].arena);
	arena_destroy(&m[2].arena);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
#define TEST_DEAF(t) cmocka_unit_test_setup_teardown(t, set_up_deaf, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_phases), TEST(test_many), TEST(test_run_from_done), TEST(test_jobs),
		TEST(test_jobs_in_turn), TEST(test_answer_during_job), TEST(test_without_parts), TEST(test_store),
		TEST_DEAF(test_deadline), TEST_DEAF(test_drop_under_way), TEST_DEAF(test_deadline_and_jobs),
		TEST(test_drop_and_jobs), TEST(test_destroy_and_jobs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
