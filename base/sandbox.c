#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* they trace threads at the end, and write reports where they like */
#else
#define SANITIZED 0
#endif

/* ---- system calls: each with what it would be good for */

static const struct {
	int number;
	const char *good_for;
} forbidden[] = {
	{ SCMP_SYS(execve), "another program" },
	{ SCMP_SYS(execveat), "another program" },
	{ SCMP_SYS(ptrace), "another process's memory" },
	{ SCMP_SYS(process_vm_readv), "another process's memory" },
	{ SCMP_SYS(process_vm_writev), "another process's memory" },
	{ SCMP_SYS(pidfd_getfd), "another process's descriptors" },
	{ SCMP_SYS(kcmp), "another process's descriptors" },
	{ SCMP_SYS(mount), "the file system" },
	{ SCMP_SYS(umount2), "the file system" },
	{ SCMP_SYS(pivot_root), "the file system" },
	{ SCMP_SYS(chroot), "the file system" },
	{ SCMP_SYS(open_by_handle_at), "files by number, past all folders" },
	{ SCMP_SYS(unshare), "name spaces, and kernel code behind them" },
	{ SCMP_SYS(setns), "name spaces" },
	{ SCMP_SYS(bpf), "code in the kernel" },
	{ SCMP_SYS(perf_event_open), "the kernel's counters" },
	{ SCMP_SYS(userfaultfd), "holding the kernel up" },
	{ SCMP_SYS(io_uring_setup), "system calls that no filter sees" },
	{ SCMP_SYS(init_module), "code in the kernel" },
	{ SCMP_SYS(finit_module), "code in the kernel" },
	{ SCMP_SYS(delete_module), "code in the kernel" },
	{ SCMP_SYS(kexec_load), "another kernel" },
	{ SCMP_SYS(kexec_file_load), "another kernel" },
	{ SCMP_SYS(reboot), "the machine" },
	{ SCMP_SYS(swapon), "the machine" },
	{ SCMP_SYS(swapoff), "the machine" },
	{ SCMP_SYS(settimeofday), "the clock" },
	{ SCMP_SYS(clock_settime), "the clock" },
	{ SCMP_SYS(sethostname), "the machine's name" },
	{ SCMP_SYS(add_key), "the kernel's keys" },
	{ SCMP_SYS(request_key), "the kernel's keys" },
	{ SCMP_SYS(keyctl), "the kernel's keys" },
};

static bool forbid_calls(char error[200])
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx == NULL ? -ENOMEM : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; rc == 0 && i < sizeof(forbidden) / sizeof(*forbidden); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), forbidden[i].number, 0);
	if (rc == 0)
		rc = seccomp_load(ctx);
	if (ctx != NULL)
		seccomp_release(ctx);
	if (rc != 0)
		snprintf(error, 200, "seccomp: %s", strerror(-rc));
	return rc == 0;
}

/* ---- files */

#define WRITES                                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |        \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |              \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |           \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)
#define REFER (UINT64_C(1) << 13)    /* from ABI 2 on: link and rename between folders */
#define TRUNCATE (UINT64_C(1) << 14) /* from ABI 3 on */

/* The folder, or the nearest above it that is there. */
static int open_nearest(struct slice folder)
{
	char path[4096];
	if (folder.len == 0 || folder.len >= sizeof(path))
		return -1;
	memcpy(path, folder.data, folder.len);
	path[folder.len] = '\0';
	for (;;) {
		int fd = open(path, O_PATH | O_CLOEXEC);
		char *slash = strrchr(path, '/');
		if (fd >= 0 || slash == path)
			return fd;
		if (slash == NULL)
			return open(".", O_PATH | O_CLOEXEC);
		*slash = '\0';
	}
}

static bool allow_below(int ruleset, int folder, uint64_t access)
{
	const struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = folder };
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool allow_all(int ruleset, const struct slice *writable, size_t count, uint64_t access)
{
	bool ok = true;
	for (size_t i = 0; ok && i < count; i++) {
		int fd = open_nearest(writable[i]);
		if (fd < 0)
			continue; /* it can't be written to anyway */
		ok = allow_below(ruleset, fd, access);
		close(fd);
	}
	int null = open("/dev/null", O_PATH | O_CLOEXEC);
	if (ok && null >= 0)
		ok = allow_below(ruleset, null, access & (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE));
	if (null >= 0)
		close(null);
	return ok;
}

static bool forbid_files(const struct slice *writable, size_t count, char error[200])
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t access = WRITES | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0);
	const struct landlock_ruleset_attr attr = { .handled_access_fs = access | LANDLOCK_ACCESS_FS_EXECUTE };
	int ruleset = abi < 1 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	bool ok = ruleset >= 0 && allow_all(ruleset, writable, count, access) &&
		  syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	if (!ok)
		snprintf(error, 200, "Landlock: %s", strerror(errno));
	if (ruleset >= 0)
		close(ruleset);
	return ok;
}

unsigned sandbox_enter(const struct slice *writable, size_t count, char error[200])
{
	unsigned holds = 0;
	error[0] = '\0';
	if (SANITIZED)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		snprintf(error, 200, "no-new-privileges: %s", strerror(errno));
		return 0;
	}
	if (forbid_files(writable, count, error))
		holds |= SANDBOX_FILES;
	if (forbid_calls(error))
		holds |= SANDBOX_CALLS;
	return holds;
}
