/*
 * store: the same table of requests against memory, LMDB and a Redis of our
 * own (skipped aloud if there is none); then what is special to each.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/store.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct event_base *base;
static char folder[] = "/tmp/gatehouse-store-XXXXXX";
static char url[100];
static pid_t redis = -1;

struct result {
	bool came;
	enum answer_status status;
	char value[64], why[64];
	size_t len;
	int64_t number;
	uint32_t ttl;
};

static int left;

static void on_answer(void *arg, const struct answer *a)
{
	struct result *r = arg;
	assert_false(r->came);
	*r = (struct result){ .came = true, .status = a->status, .len = a->value.len, .number = a->number,
			      .ttl = a->ttl };
	if (a->value.len > 0)
		memcpy(r->value, a->value.data, a->value.len < 64 ? a->value.len : 64);
	if (a->why != NULL)
		snprintf(r->why, sizeof(r->why), "%s", a->why);
	if (--left == 0)
		event_base_loopbreak(base);
}

static struct result ask(struct store *s, const struct store_request *request, int64_t now)
{
	struct result r = { .came = false };
	left = 1;
	store_ask(s, request, now, on_answer, &r);
	assert_false(r.came);
	event_base_dispatch(base);
	assert_true(r.came);
	return r;
}

static struct store *open_url(const char *text, int64_t timeout, uint64_t max_size)
{
	char error[STORE_ERROR_MAX] = "";
	const struct store_config config = { slice_str(text), timeout, max_size };
	struct store *s = store_open(base, &config, error);
	if (s == NULL)
		fail_msg("%s: %s", text, error);
	return s;
}

static int64_t ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the contract --- */

struct step {
	int64_t now;
	enum store_op op;
	const char *key, *value;
	int64_t amount;
	uint32_t ttl;
	bool touch;
	enum answer_status status;
	const char *found;
	int64_t number;
	uint32_t ttl_left;
};

#define T 1700000000 /* near enough to real time for Redis' own expiry not to come first */
#define F ANSWER_FOUND
#define N ANSWER_NODATA

static const struct step steps[] = {
	/* now     op                key  value  amt ttl touch  status found number  left */
	{ T,       STORE_GET,        "a", "",    0,  0,   0,    N, "",    0,         0 },
	{ T,       STORE_GET_OR_SET, "a", "one", 0,  100, 0,    N, "",    T,         100 },
	{ T + 10,  STORE_GET_OR_SET, "a", "two", 0,  100, 0,    F, "one", T,         90 },
	{ T + 10,  STORE_GET,        "a", "",    0,  0,   0,    F, "one", T,         90 },
	{ T + 99,  STORE_GET,        "a", "",    0,  0,   0,    F, "one", T,         1 },
	{ T + 100, STORE_GET,        "a", "",    0,  0,   0,    N, "",    0,         0 },
	{ T + 100, STORE_GET_OR_SET, "a", "two", 0,  100, 0,    N, "",    T + 100,   100 },
	{ T + 150, STORE_GET_OR_SET, "a", "xxx", 0,  100, 1,    F, "two", T + 100,   100 },
	{ T + 240, STORE_GET,        "a", "",    0,  50,  1,    F, "two", T + 100,   50 },
	{ T + 280, STORE_PUT,        "a", "new", 0,  10,  0,    F, "new", T + 100,   10 },
	{ T + 289, STORE_GET,        "a", "",    0,  0,   0,    F, "new", T + 100,   1 },
	{ T + 290, STORE_DELETE,     "a", "",    0,  0,   0,    N, "",    0,         0 },
	{ T,       STORE_PUT,        "b", "x",   0,  0,   0,    F, "x",   T,         0 },
	{ T * 2LL, STORE_GET,        "b", "",    0,  0,   0,    F, "x",   T,         0 },
	{ T,       STORE_DELETE,     "b", "",    0,  0,   0,    F, "",    0,         0 },
	{ T,       STORE_GET,        "b", "",    0,  0,   0,    N, "",    0,         0 },
	{ T,       STORE_DELETE,     "b", "",    0,  0,   0,    N, "",    0,         0 },
	/* counters: the window begins with the first use and is not moved */
	{ T,       STORE_ADD,        "c", "",    0,  60,  0,    F, "",    0,         60 },
	{ T,       STORE_GET,        "c", "",    0,  0,   0,    N, "",    0,         0 },
	{ T,       STORE_ADD,        "c", "",    5,  60,  0,    F, "",    5,         60 },
	{ T + 30,  STORE_ADD,        "c", "",    2,  60,  0,    F, "",    7,         30 },
	{ T + 59,  STORE_ADD,        "c", "",    0,  60,  0,    F, "",    7,         1 },
	{ T + 59,  STORE_ADD,        "c", "",    -9, 60,  0,    F, "",    -2,        1 },
	{ T + 60,  STORE_ADD,        "c", "",    1,  60,  0,    F, "",    1,         60 },
	{ T + 60,  STORE_GET,        "c", "",    0,  0,   0,    F, "",    T + 60,    60 },
	/* an empty value, an empty key */
	{ T,       STORE_GET_OR_SET, "d", "",    0,  60,  0,    N, "",    T,         60 },
	{ T + 1,   STORE_GET_OR_SET, "d", "v",   0,  60,  0,    F, "",    T,         59 },
	{ T,       STORE_PUT,        "e", "",    0,  60,  0,    F, "",    T,         60 },
	{ T,       STORE_PUT,        "e", "more than before", 0, 60, 0, F, "more than before", T, 60 },
	{ T,       STORE_PUT,        "e", "l",   0,  60,  0,    F, "l",   T,         60 },
};

static void check_steps(struct store *s)
{
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct step *t = &steps[i];
		const struct store_request request = { t->op, slice_str(t->key), slice_str(t->value), t->amount,
						       t->ttl, t->touch };
		struct result r = ask(s, &request, t->now);
		if (r.status != t->status || r.number != t->number || r.ttl != t->ttl_left ||
		    r.len != strlen(t->found) || memcmp(r.value, t->found, r.len) != 0)
			fail_msg("step %zu: status %d number %lld ttl %u value \"%.*s\" %s", i, r.status,
				 (long long)r.number, r.ttl, (int)r.len, r.value, r.why);
	}
}

/* Bytes, a key longer than LMDB takes, a long value. */
static void check_bytes(struct store *s)
{
	struct buf key = { 0 };
	for (int i = 0; i < 600; i++)
		buf_add_char(&key, (char)i);
	for (size_t len = 495; len <= 600; len += 7) {
		const struct store_request request = { STORE_GET_OR_SET, slice_head(buf_slice(&key), len),
						       SLICE("a\0b"), 0, 60, false };
		assert_int_equal(ask(s, &request, T).status, N);
		struct result r = ask(s, &request, T);
		assert_int_equal(r.status, F);
		assert_int_equal(r.len, 3);
		assert_memory_equal(r.value, "a\0b", 3);
	}
	key.len = 0;
	for (int i = 0; i < 60000; i++)
		buf_add_char(&key, 'v');
	const struct store_request put = { STORE_PUT, SLICE("long"), buf_slice(&key), 0, 60, false };
	assert_int_equal(ask(s, &put, T).len, 60000);
	buf_free(&key);
}

/* Many at once: each adds one, so each sum is seen once; some are cancelled. */
static void check_many(struct store *s)
{
	enum { M = 3000 };
	static struct result results[M];
	static bool seen[M + 1];
	const struct store_request add = { STORE_ADD, SLICE("many"), SLICE_EMPTY, 1, 600, false };
	struct store_query *q;
	memset(results, 0, sizeof(results));
	memset(seen, 0, sizeof(seen));
	left = 0;
	for (int i = 0; i < M; i++) {
		q = store_ask(s, &add, T, on_answer, &results[i]);
		if (i % 10 == 0)
			store_cancel(s, &q);
		else
			left++;
	}
	event_base_dispatch(base);
	for (int i = 0; i < M; i++) {
		assert_int_equal(results[i].came, i % 10 != 0);
		if (!results[i].came)
			continue;
		if (results[i].status != F || results[i].number < 1 || results[i].number > M ||
		    seen[results[i].number])
			fail_msg("%d: %s %lld", i, results[i].why, (long long)results[i].number);
		seen[results[i].number] = true;
	}
	const struct store_request read = { STORE_ADD, SLICE("many"), SLICE_EMPTY, 0, 600, false };
	assert_int_equal(ask(s, &read, T).number, M);
}

static void check_contract(const char *text)
{
	struct store *s = open_url(text, 20000, 0);
	check_steps(s);
	check_bytes(s);
	check_many(s);
	/* Open requests go with the store. */
	struct result r = { .came = false };
	const struct store_request get = { STORE_GET, SLICE("a"), SLICE_EMPTY, 0, 0, false };
	store_ask(s, &get, T, on_answer, &r);
	store_close(&s);
	assert_null(s);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_false(r.came);
}

static void test_memory(void **state)
{
	(void)state;
	check_contract("memory:");
}

static void test_lmdb(void **state)
{
	(void)state;
	check_contract(url);
}

static void test_bad_urls(void **state)
{
	static const char *const bad[] = {
		"", "memory", "memory:x", "sqlite:/x", "lmdb:/dev/null/folder", "lmdb:", "redis:",
		"redis://127.0.0.1:x", "redis://127.0.0.1:0", "redis://127.0.0.1:70000", "redis://user@h",
		"redis://127.0.0.1/x", "redis://[::1",
	};
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		char error[STORE_ERROR_MAX] = "";
		const struct store_config config = { .url = slice_str(bad[i]) };
		struct store *s = store_open(base, &config, error);
		if (s != NULL || error[0] == '\0')
			fail_msg("%s was taken", bad[i]);
	}
}

/* --- bounds --- */

static void on_nothing(void *arg, const struct answer *a)
{
	(void)arg, (void)a;
}

/* Far more than fits: what expires soonest goes, the newest is there, and the
 * file keeps its bound. */
static void check_bounded(const char *text, uint64_t size)
{
	struct store *s = open_url(text, 20000, size);
	char key[32], value[1000];
	memset(value, 'x', sizeof(value));
	for (int i = 0; i < 12000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		const struct store_request put = { STORE_PUT, slice_str(key), slice_make(value, sizeof(value)), 0,
						   (uint32_t)(1000 + i), false };
		if (i % 100 != 99) {
			store_ask(s, &put, T, on_nothing, NULL);
			continue;
		}
		struct result r = ask(s, &put, T);
		if (r.status != F)
			fail_msg("%d: %s", i, r.why);
	}
	const struct store_request first = { STORE_GET, SLICE("k0"), SLICE_EMPTY, 0, 0, false };
	const struct store_request last = { STORE_GET, SLICE("k11999"), SLICE_EMPTY, 0, 0, false };
	assert_int_equal(ask(s, &first, T).status, N);
	assert_int_equal(ask(s, &last, T).status, F);
	store_close(&s);
}

static void test_memory_bounded(void **state)
{
	(void)state;
	check_bounded("memory:", 4 << 20);
}

static void test_lmdb_bounded(void **state)
{
	char path[120];
	struct stat st;
	(void)state;
	check_bounded(url, 8 << 20);
	snprintf(path, sizeof(path), "%s/data.mdb", url + 5);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1 << 20, 8 << 20);
	/* With half of that it goes on, with what fits. */
	check_bounded(url, 4 << 20);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1 << 20, 8 << 20);
}

/* Large values into a store full of small ones: the hard way to make room. */
static void test_lmdb_recovers(void **state)
{
	enum { SIZE = 60000 };
	struct store *s = open_url(url, 20000, 4 << 20);
	char key[32];
	char *value = calloc(1, SIZE);
	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "small%d", i);
		const struct store_request put = { STORE_PUT, slice_str(key), SLICE("x"), 0, 600, false };
		if (i % 100 != 99)
			store_ask(s, &put, T, on_nothing, NULL);
		else
			assert_int_equal(ask(s, &put, T).status, F);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "large%d", i);
		const struct store_request put = { STORE_PUT, slice_str(key), slice_make(value, SIZE), 0,
						   (uint32_t)(700 + i), false };
		for (int j = 0; j < i % 7; j++)
			store_ask(s, &put, T, on_nothing, NULL);
		struct result r = ask(s, &put, T);
		if (r.status != F)
			fail_msg("large %d: %s", i, r.why);
	}
	store_close(&s);
	free(value);
}

static void test_lmdb_value_too_long(void **state)
{
	struct store *s = open_url(url, 0, 0);
	char *value = calloc(1, 70000);
	const struct store_request put = { STORE_PUT, SLICE("k"), slice_make(value, 70000), 0, 60, false };
	(void)state;
	assert_string_equal(ask(s, &put, T).why, "store: value too long");
	store_close(&s);
	free(value);
}

/* --- several processes, and their deaths --- */

static void child_adds(const char *key, int count)
{
	base = event_base_new();
	struct store *s = open_url(url, 60000, 0);
	const struct store_request add = { STORE_ADD, slice_str(key), SLICE_EMPTY, 1, 6000, false };
	for (int i = 0; i < count || count < 0; i++)
		ask(s, &add, T);
	store_close(&s);
	event_base_free(base);
	_exit(0);
}

static void test_lmdb_processes(void **state)
{
	pid_t pids[4];
	int status;
	(void)state;
	for (int i = 0; i < 4; i++)
		if ((pids[i] = fork()) == 0)
			child_adds("shared", 200);
	for (int i = 0; i < 4; i++) {
		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	struct store *s = open_url(url, 20000, 0);
	const struct store_request read = { STORE_ADD, SLICE("shared"), SLICE_EMPTY, 0, 600, false };
	assert_int_equal(ask(s, &read, T).number, 800);
	store_close(&s);
}

/* Writers are killed at any point while we write: our own sums stay exact. */
static void test_lmdb_kill(void **state)
{
	struct store *s = open_url(url, 20000, 0);
	const struct store_request add = { STORE_ADD, SLICE("ours"), SLICE_EMPTY, 1, 6000, false };
	const struct store_request theirs = { STORE_ADD, SLICE("theirs"), SLICE_EMPTY, 0, 6000, false };
	int64_t sum = 0, before = 0;
	(void)state;
	srand(1);
	for (int round = 0; round < 25; round++) {
		pid_t pid = fork();
		if (pid == 0)
			child_adds("theirs", -1);
		int64_t until = ms() + 10 + rand() % 40;
		do {
			struct result r = ask(s, &add, T);
			if (r.number != ++sum)
				fail_msg("%lld after %lld: %s", (long long)r.number, (long long)sum - 1, r.why);
		} while (ms() < until);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		struct result r = ask(s, &theirs, T);
		assert_int_equal(r.status, F);
		assert_true(r.number >= before);
		before = r.number;
	}
	assert_true(before > 0);
	store_close(&s);
}

/* A process that stops within a transaction keeps the others waiting: they
 * are answered in time all the same. */
static void test_lmdb_stuck(void **state)
{
	struct store *s = open_url(url, 300, 0);
	const struct store_request add = { STORE_ADD, SLICE("stuck"), SLICE_EMPTY, 1, 6000, false };
	bool late = false;
	(void)state;
	for (int round = 0; round < 40 && !late; round++) {
		pid_t pid = fork();
		if (pid == 0)
			child_adds("theirs", -1);
		usleep(20000 + 1000 * (useconds_t)round);
		kill(pid, SIGSTOP);
		waitpid(pid, NULL, WUNTRACED);
		int64_t start = ms();
		struct result r = ask(s, &add, T);
		late = r.status == ANSWER_TEMPERROR;
		if (late) {
			assert_string_equal(r.why, "store: timeout");
			assert_in_range(ms() - start, 290, 3000);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_int_equal(ask(s, &add, T).status, F);
	}
	if (!late)
		printf("# count no process was stopped within a transaction\n");
	store_close(&s);
}

/* --- Redis --- */

static char redis_socket[100];

static bool can_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", redis_socket);
	bool ok = connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0;
	close(fd);
	return ok;
}

static bool start_redis(void)
{
	snprintf(redis_socket, sizeof(redis_socket), "%s/redis", folder);
	unlink(redis_socket);
	redis = fork();
	if (redis == 0) {
		execl("/usr/bin/redis-server", "redis-server", "--port", "0", "--unixsocket", redis_socket,
		      "--save", "", "--appendonly", "no", "--logfile", "/dev/null", "--dir", folder, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500; i++) {
		if (can_connect())
			return true;
		if (waitpid(redis, NULL, WNOHANG) == redis)
			break;
		usleep(10000);
	}
	redis = -1;
	return false;
}

static void stop_redis(void)
{
	if (redis <= 0)
		return;
	kill(redis, SIGKILL);
	waitpid(redis, NULL, 0);
	redis = -1;
}

static const char *redis_url(void)
{
	static char text[120];
	if (redis <= 0 && !start_redis()) {
		printf("# skipped: no redis-server here\n");
		skip();
	}
	snprintf(text, sizeof(text), "redis:%s", redis_socket);
	return text;
}

static void test_redis(void **state)
{
	(void)state;
	check_contract(redis_url());
}

/* Asks until the answer is of that status. Returns how long that took. */
static int64_t ask_until(struct store *s, const struct store_request *request, enum answer_status status)
{
	int64_t start = ms();
	while (ask(s, request, T).status != status) {
		if (ms() - start > 15000)
			fail_msg("no answer %d within 15 s", status);
		usleep(20000);
	}
	return ms() - start;
}

static void test_redis_lost(void **state)
{
	struct store *s = open_url(redis_url(), 400, 0);
	const struct store_request add = { STORE_ADD, SLICE("r"), SLICE_EMPTY, 1, 6000, false };
	(void)state;
	assert_int_equal(ask(s, &add, T).status, F);
	/* It stops answering: one time-out, then errors at once. */
	kill(redis, SIGSTOP);
	int64_t start = ms();
	assert_string_equal(ask(s, &add, T).why, "store: timeout");
	assert_in_range(ms() - start, 390, 2000);
	kill(redis, SIGCONT);
	ask_until(s, &add, F);
	/* It dies, with a request on its way, and comes back empty. */
	kill(redis, SIGSTOP);
	struct result r = { .came = false };
	left = 1;
	store_ask(s, &add, T, on_answer, &r);
	event_base_loop(base, EVLOOP_NONBLOCK);
	stop_redis();
	event_base_dispatch(base);
	assert_int_equal(r.status, ANSWER_TEMPERROR);
	start = ms();
	assert_int_equal(ask(s, &add, T).status, ANSWER_TEMPERROR);
	assert_in_range(ms() - start, 0, 600);
	assert_true(start_redis());
	ask_until(s, &add, F);
	store_close(&s);
}

/* It is not there at first. */
static void test_redis_late(void **state)
{
	const char *text = redis_url();
	const struct store_request add = { STORE_ADD, SLICE("late"), SLICE_EMPTY, 1, 6000, false };
	(void)state;
	stop_redis();
	struct store *s = open_url(text, 400, 0);
	assert_int_equal(ask(s, &add, T).status, ANSWER_TEMPERROR);
	assert_true(start_redis());
	ask_until(s, &add, F);
	store_close(&s);
}

/* Two gateways see the same. */
static void test_redis_shared(void **state)
{
	struct store *a = open_url(redis_url(), 2000, 0), *b = open_url(redis_url(), 2000, 0);
	const struct store_request add = { STORE_ADD, SLICE("both"), SLICE_EMPTY, 1, 6000, false };
	const struct store_request set = { STORE_GET_OR_SET, SLICE("grey"), SLICE("x"), 0, 6000, false };
	(void)state;
	for (int i = 1; i < 100; i += 2) {
		assert_int_equal(ask(a, &add, T).number, i);
		assert_int_equal(ask(b, &add, T).number, i + 1);
	}
	assert_int_equal(ask(a, &set, T).status, N);
	assert_int_equal(ask(b, &set, T + 5).status, F);
	assert_int_equal(ask(b, &set, T + 5).number, T);
	store_close(&a);
	store_close(&b);
}

static int set_up(void **state)
{
	(void)state;
	base = event_base_new();
	if (folder[strlen(folder) - 1] == 'X' && mkdtemp(folder) == NULL)
		return -1;
	snprintf(url, sizeof(url), "lmdb:%s/db", folder);
	return 0;
}

static int tear_down(void **state)
{
	char path[200];
	(void)state;
	event_base_free(base);
	snprintf(path, sizeof(path), "%s/data.mdb", url + 5);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", url + 5);
	unlink(path);
	rmdir(url + 5);
	return 0;
}

static int clean_up(void **state)
{
	(void)state;
	stop_redis();
	unlink(redis_socket);
	rmdir(folder);
	return 0;
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_memory), TEST(test_lmdb), TEST(test_bad_urls), TEST(test_memory_bounded),
		TEST(test_lmdb_bounded), TEST(test_lmdb_recovers), TEST(test_lmdb_value_too_long),
		 TEST(test_lmdb_processes),
		TEST(test_lmdb_kill), TEST(test_lmdb_stuck), TEST(test_redis), TEST(test_redis_lost),
		TEST(test_redis_late), TEST(test_redis_shared),
	};
	return cmocka_run_group_tests(tests, NULL, clean_up);
}
