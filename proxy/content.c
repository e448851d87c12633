#include "proxy/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

struct content {
	struct buf memory;     /* all of it, or what is not yet in the file */
	uint64_t limit;
	uint64_t in_file;
	int fd;                /* -1: no file */
	char *spool;
	void *map;
	size_t map_len;
};

#define FLUSH_AT (256u * 1024)

struct content *content_create(struct slice spool, uint64_t memory)
{
	struct content *c = xcalloc(1, sizeof(*c));
	c->limit = memory;
	c->fd = -1;
	c->spool = xcalloc(1, spool.len + sizeof("/tmp"));
	memcpy(c->spool, spool.len ? spool.data : "/tmp", spool.len ? spool.len : 4);
	return c;
}

static void unmap(struct content *c)
{
	if (c->map != NULL)
		munmap(c->map, c->map_len);
	c->map = NULL;
}

void content_destroy(struct content **content)
{
	struct content *c = *content;
	if (c == NULL)
		return;
	unmap(c);
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->memory);
	free(c->spool);
	free(c);
	*content = NULL;
}

/* An unlinked file: nothing is left of it when the process dies. */
static int open_unlinked(const char *spool)
{
	int fd = open(spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	char path[4096];
	if ((size_t)snprintf(path, sizeof(path), "%s/gatehouse-XXXXXX", spool) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static bool flush(struct content *c)
{
	if (c->memory.len == 0)
		return true;
	if (!file_write_all(c->fd, buf_slice(&c->memory)))
		return false;
	c->in_file += c->memory.len;
	buf_clear(&c->memory);
	return true;
}

bool content_append(struct content *c, struct slice bytes)
{
	unmap(c);
	buf_add_slice(&c->memory, bytes);
	if (c->fd < 0) {
		if (c->memory.len <= c->limit)
			return true;
		c->fd = open_unlinked(c->spool);
		return c->fd >= 0 && flush(c);
	}
	return c->memory.len < FLUSH_AT || flush(c);
}

uint64_t content_size(const struct content *c)
{
	return c->in_file + c->memory.len;
}

bool content_map(struct content *c, struct slice *all_r)
{
	if (c->fd < 0) {
		*all_r = buf_slice(&c->memory);
		return true;
	}
	if (!flush(c))
		return false;
	if (c->map == NULL) {
		c->map_len = (size_t)c->in_file;
		void *p = mmap(NULL, c->map_len, PROT_READ, MAP_PRIVATE, c->fd, 0);
		if (p == MAP_FAILED)
			return false;
		c->map = p;
	}
	*all_r = slice_make(c->map, c->map_len);
	return true;
}
