#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* errno stays what it was. */
static void close_quietly(int fd)
{
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
}

bool file_write_all(int fd, struct slice s)
{
	while (s.len > 0) {
		ssize_t n = write(fd, s.data, s.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s = slice_from(s, (size_t)n);
	}
	return true;
}

bool file_sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	close_quietly(fd);
	return ok;
}

bool file_read_fd(struct arena *arena, int fd, uint64_t max, struct slice *all_r)
{
	struct stat st;
	size_t len = 0;
	*all_r = SLICE_EMPTY;
	if (fstat(fd, &st) != 0)
		return false;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > max) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return false;
	}
	size_t size = (size_t)st.st_size;
	char *data = arena_alloc(arena, size + 1);
	while (len < size) {
		ssize_t n = read(fd, data + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
	*all_r = slice_make(data, len);
	return true;
}

bool file_read(struct arena *arena, const char *path, uint64_t max, struct slice *all_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok = fd >= 0 && file_read_fd(arena, fd, max, all_r);
	close_quietly(fd);
	return ok;
}
