#include "proxy/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"

#define EX_OSERR_STATUS 71 /* sysexits(3) */

bool identity_find(struct slice user, struct identity *id)
{
	*id = (struct identity){ .uid = geteuid(), .gid = getegid() };
	if (user.len == 0)
		return true;
	if (user.len >= sizeof(id->name))
		return false;
	memcpy(id->name, user.data, user.len);
	const struct passwd *pw = getpwnam(id->name);
	if (pw == NULL)
		return false;
	id->change = geteuid() == 0;
	if (id->change) {
		id->uid = pw->pw_uid;
		id->gid = pw->pw_gid;
	}
	return true;
}

static void die(const char *what)
{
	fprintf(stderr, "fatal: %s: %s\n", what, strerror(errno));
	_exit(EX_OSERR_STATUS);
}

void identity_assume(const struct identity *id)
{
	if (!id->change)
		return;
	if (initgroups(id->name, id->gid) != 0 || setresgid(id->gid, id->gid, id->gid) != 0 ||
	    setresuid(id->uid, id->uid, id->uid) != 0)
		die("giving up privileges");
	if (id->uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		die("privileges could be regained");
	}
}

void limits_assume(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("no-new-privileges");
}

/* Puts fds[i] at 3 + i. They are first moved out of that range. */
static void place_fds(const int *fds, size_t count)
{
	int *high = xcalloc(count, sizeof(*high));
	for (size_t i = 0; i < count; i++)
		if ((high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, (int)count + 3)) < 0)
			die("descriptors");
	for (size_t i = 0; i < count; i++)
		if (dup2(high[i], 3 + (int)i) < 0)
			die("descriptors");
	/* What whoever started us left open is not the child's either. */
	close_range((unsigned)count + 3, ~0u, CLOSE_RANGE_CLOEXEC);
	free(high);
}

static void restore_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		if (s != SIGPIPE)
			signal(s, SIG_DFL);
}

pid_t spawn_self(const struct identity *id, char *const argv[], const int *fds, size_t count)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (self < 0)
		die("/proc/self/exe");
	self = fcntl(self, F_DUPFD_CLOEXEC, (int)count + 8);
	restore_signals();
	limits_assume();
	place_fds(fds, count);
	identity_assume(id);
	extern char **environ;
	execveat(self, "", argv, environ, AT_EMPTY_PATH);
	die("execveat");
	return -1;
}

int sealed_memfd(const char *name, struct slice bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	size_t done = 0;
	while (done < bytes.len) {
		ssize_t n = write(fd, bytes.data + done, bytes.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return fd;
}

bool read_all(int fd, char **data_r, size_t *len_r)
{
	size_t cap = 65536, len = 0;
	char *data = xmalloc(cap);
	for (;;) {
		ssize_t n = pread(fd, data + len, cap - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(data);
			return false;
		}
		if (n == 0)
			break;
		len += (size_t)n;
		if (len == cap)
			data = xrealloc(data, cap *= 2);
	}
	*data_r = data;
	*len_r = len;
	return true;
}
