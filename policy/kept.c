#include "policy/kept.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define PATH_LEN 1200
#define ID_MAX 40u
#define SHARE 8 /* of the size, that a process may write before it looks */

static bool path_of(struct slice folder, struct slice id, char path[PATH_LEN])
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.data[i]))
			return false;
	return id.len > 0 && id.len <= ID_MAX &&
	       (size_t)snprintf(path, PATH_LEN, "%.*s/%.*s", SLICE_ARG(folder), SLICE_ARG(id)) < PATH_LEN;
}

/* ---- what is too much */

struct file {
	char name[ID_MAX + 8];
	struct timespec time;
	uint64_t size;
};

struct files {
	struct file *list;
	size_t count, cap;
	uint64_t size;
};

static void look(int dir, const char *name, struct files *files)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) || strlen(name) > ID_MAX + 4)
		return;
	if (files->count == files->cap) {
		files->cap = files->cap ? files->cap * 2 : 256;
		files->list = xrealloc(files->list, files->cap * sizeof(*files->list));
	}
	struct file *f = &files->list[files->count++];
	memcpy(f->name, name, strlen(name) + 1); /* its length was looked at above */
	f->time = st.st_mtim;
	f->size = (uint64_t)st.st_size;
	files->size += f->size;
}

static int oldest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct file *)a)->time, *y = &((const struct file *)b)->time;
	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static void expire(struct slice folder, uint64_t max_size)
{
	struct files files = { 0 };
	char path[PATH_LEN];
	snprintf(path, sizeof(path), "%.*s", SLICE_ARG(folder));
	DIR *dir = opendir(path);
	if (dir == NULL)
		return;
	/* Two at once would each remove what is too much. */
	while (flock(dirfd(dir), LOCK_EX) != 0 && errno == EINTR)
		;
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		look(dirfd(dir), d->d_name, &files);
	if (files.size > max_size)
		qsort(files.list, files.count, sizeof(*files.list), oldest_first);
	for (size_t i = 0; files.size > max_size && i < files.count; i++) {
		unlinkat(dirfd(dir), files.list[i].name, 0);
		files.size -= files.list[i].size;
	}
	free(files.list);
	closedir(dir);
}

/* ---- storing */

/* Counts what this process writes; true: it is time to look. */
static bool is_time(uint64_t size, uint64_t max_size)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t written = UINT64_MAX / 2; /* at first */
	pthread_mutex_lock(&lock);
	written += size;
	bool now = written > max_size / SHARE;
	if (now)
		written = 0;
	pthread_mutex_unlock(&lock);
	return now;
}

void kept_store(struct slice folder, const char *id, struct slice mail, uint64_t max_size)
{
	char path[PATH_LEN], part[PATH_LEN + 8];
	if (mail.len > max_size / SHARE || !path_of(folder, slice_str(id), path))
		return;
	if (is_time(mail.len, max_size))
		expire(folder, max_size);
	snprintf(part, sizeof(part), "%.*s", SLICE_ARG(folder));
	mkdir(part, 0700);
	/* No letter or digit: under this name it isn't found. */
	snprintf(part, sizeof(part), "%s.new", path);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	bool ok = file_write_all(fd, mail);
	close(fd);
	if (!ok || rename(part, path) != 0)
		unlink(part);
}

bool kept_read(struct arena *arena, struct slice folder, struct slice id, struct slice *mail_r)
{
	char path[PATH_LEN];
	if (!path_of(folder, id, path))
		return false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool ok = file_read_fd(arena, fd, UINT32_MAX, mail_r) && mail_r->len > 0;
	close(fd);
	return ok;
}
