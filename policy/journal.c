#include "policy/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

#define PATH_LEN 1200

struct journal {
	char path[PATH_LEN], before[PATH_LEN + 2];
	int fd;
	uint64_t size, max_size;
	bool torn;               /* the last entry may be cut off */
	pthread_mutex_t lock;
};

static bool begin(struct journal *j)
{
	struct stat st;
	j->fd = open(j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	j->size = j->fd >= 0 && fstat(j->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	j->torn = j->size > 0;
	return j->fd >= 0;
}

struct journal *journal_open(struct slice folder, unsigned row, uint64_t max_size)
{
	struct journal *j = xcalloc(1, sizeof(*j));
	char dir[PATH_LEN - 40];
	snprintf(dir, sizeof(dir), "%.*s", SLICE_ARG(slice_head(folder, sizeof(dir) - 1)));
	mkdir(dir, 0750);
	snprintf(j->path, sizeof(j->path), "%s/%u.log", dir, row);
	snprintf(j->before, sizeof(j->before), "%s.1", j->path);
	j->max_size = max_size;
	pthread_mutex_init(&j->lock, NULL);
	if (begin(j))
		return j;
	int error = errno;
	pthread_mutex_destroy(&j->lock);
	free(j);
	errno = error;
	return NULL;
}

void journal_close(struct journal **journal)
{
	if (*journal == NULL)
		return;
	if ((*journal)->fd >= 0)
		close((*journal)->fd);
	pthread_mutex_destroy(&(*journal)->lock);
	free(*journal);
	*journal = NULL;
}

static void rotate(struct journal *j)
{
	close(j->fd);
	rename(j->path, j->before);
	begin(j);
}

void journal_append(struct journal *j, struct slice entry)
{
	pthread_mutex_lock(&j->lock);
	if (j->fd < 0)
		begin(j); /* what was in its way may be gone */
	if (j->fd >= 0 && j->size > 0 && j->size + entry.len > j->max_size)
		rotate(j);
	if (j->torn && j->fd >= 0)
		j->torn = write(j->fd, "\n\n", 2) != 2;
	ssize_t n = j->fd >= 0 ? write(j->fd, entry.data, entry.len) : 0;
	j->torn = j->torn || (n >= 0 && (size_t)n < entry.len);
	if (n > 0)
		j->size += (uint64_t)n;
	pthread_mutex_unlock(&j->lock);
}

void journal_add_text(struct buf *out, struct slice s, size_t max)
{
	for (size_t i = 0; i < s.len && i < max; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c < ' ' || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_add_char(out, s.data[i]);
	}
	if (s.len > max)
		buf_add_str(out, "…");
}

/* ---- reading */

static void entries_of(struct slice all, void (*fn)(void *arg, struct slice entry), void *arg)
{
	while (all.len > 0) {
		size_t end = slice_find(all, SLICE("\n\n"));
		struct slice entry = slice_head(all, end == SLICE_NPOS ? all.len : end + 1);
		/* Behind one that was cut off, the next begins in its midst. */
		size_t again;
		while ((again = slice_find(slice_from(entry, 1), SLICE("\n= "))) != SLICE_NPOS)
			entry = slice_from(entry, again + 2);
		if (slice_starts(entry, SLICE("= ")))
			fn(arg, entry);
		all = slice_from(all, end == SLICE_NPOS ? all.len : end + 2);
	}
}

static void read_one(const char *path, void (*fn)(void *arg, struct slice entry), void *arg)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p != MAP_FAILED) {
			entries_of(slice_make(p, (size_t)st.st_size), fn, arg);
			munmap(p, (size_t)st.st_size);
		}
	}
	if (fd >= 0)
		close(fd);
}

static int is_journal(const struct dirent *d)
{
	struct slice name = slice_str(d->d_name);
	return slice_ends(name, SLICE(".log")) || slice_ends(name, SLICE(".log.1"));
}

/* "0.log.1" comes before "0.log". */
static int older_first(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*b)->d_name, (*a)->d_name);
}

void journal_each(const char *folder, void (*fn)(void *arg, struct slice entry), void *arg)
{
	struct dirent **names;
	char path[PATH_LEN + 300];
	int count = scandir(folder, &names, is_journal, older_first);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%.1000s/%s", folder, names[i]->d_name);
		read_one(path, fn, arg);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

struct finding {
	struct slice id;
	struct buf *out;
	size_t count;
};

static void find(void *arg, struct slice entry)
{
	struct finding *f = arg;
	struct slice rest = entry, line = SLICE_EMPTY, second = SLICE_EMPTY;
	slice_split(&rest, '\n', &line);
	slice_split(&rest, '\n', &second);
	line = slice_from(line, 2);
	if (!slice_eq(slice_head(line, slice_chr(line, ' ')), f->id) &&
	    !(slice_starts(second, SLICE(JOURNAL_QUEUE)) && slice_eq(slice_from(second, sizeof(JOURNAL_QUEUE) - 1), f->id)))
		return;
	buf_add_slice(f->out, entry);
	buf_add_char(f->out, '\n');
	f->count++;
}

size_t journal_find(const char *folder, struct slice id, struct buf *out)
{
	struct finding f = { id, out, 0 };
	journal_each(folder, find, &f);
	return f.count;
}
