#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/sandbox.h"

static char inside[] = "/tmp/gatehouse-in-XXXXXX", outside[] = "/tmp/gatehouse-out-XXXXXX";

static bool makes(const char *folder, const char *name)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		return false;
	bool ok = write(fd, "x", 1) == 1;
	close(fd);
	return ok && unlink(path) == 0;
}

/* In a child: the bits of what it could do. */
enum { MADE_INSIDE = 1, MADE_OUTSIDE = 2, EXECUTED = 4, TRACED = 8, BOUND = 16, READ = 32, NOTHING_HELD = 64 };

static int attempts(void)
{
	const struct slice folders[] = { slice_str(inside), SLICE("") };
	const struct sockaddr_in any = { .sin_family = AF_INET };
	char error[200];
	int could = 0;
	if (sandbox_enter(folders, 2, error) != (SANDBOX_CALLS | SANDBOX_FILES))
		return NOTHING_HELD;
	could |= makes(inside, "file") ? MADE_INSIDE : 0;
	could |= makes(outside, "file") ? MADE_OUTSIDE : 0;
	could |= ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? TRACED : 0;
	could |= bind(socket(AF_INET, SOCK_DGRAM, 0), (const struct sockaddr *)&any, sizeof(any)) == 0 ? BOUND : 0;
	could |= open("/etc/passwd", O_RDONLY) >= 0 ? READ : 0;
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(errno == EPERM || errno == EACCES ? 1 : 2);
	}
	int status;
	waitpid(pid, &status, 0);
	could |= WEXITSTATUS(status) == 0 ? EXECUTED : 0;
	return could;
}

static void test_what_is_left(void **unused)
{
	(void)unused;
	assert_non_null(mkdtemp(inside));
	assert_non_null(mkdtemp(outside));
	assert_true(makes(outside, "before"));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(attempts());
	int status;
	waitpid(pid, &status, 0);
	rmdir(inside);
	rmdir(outside);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOTHING_HELD) {
		print_message("skipped: under a sanitizer, or a kernel without Landlock\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), MADE_INSIDE | BOUND | READ);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_what_is_left) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
