#include "proxy/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define FOLDER_MAX 1024

/* Those above it that are missing, as anybody's. */
static void make_parents(char *path)
{
	for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
}

/* By its mode: what the workers will find, not what root may do. */
static bool may_write(const struct stat *s, const struct identity *id)
{
	mode_t need = s->st_uid == id->uid ? S_IWUSR | S_IXUSR : s->st_gid == id->gid ? S_IWGRP | S_IXGRP : S_IWOTH | S_IXOTH;
	return id->uid == 0 || (s->st_mode & need) == need;
}

static void prepare(struct slice folder, const struct identity *id, bool theirs)
{
	char path[FOLDER_MAX];
	struct stat s;
	if (folder.len == 0 || folder.data[0] != '/' || folder.len >= sizeof(path))
		return;
	memcpy(path, folder.data, folder.len);
	path[folder.len] = '\0';
	if (stat(path, &s) == 0) {
		if (theirs && id->change && !may_write(&s, id))
			log_warn(NULL, "folder", "%s: user %s can't write there", path, id->name);
		return;
	}
	make_parents(path);
	if (mkdir(path, theirs ? 0750 : 0755) != 0) {
		log_warn(NULL, "folder", "%s: %s", path, strerror(errno));
		return;
	}
	int fd = theirs && id->change ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (fd >= 0 && fchown(fd, id->uid, id->gid) != 0)
		log_warn(NULL, "folder", "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	log_info(NULL, "folder", "%s made", path);
}

void folders_prepare(const struct config *config, const struct identity *identity)
{
	static const struct slice lmdb = SLICE("lmdb:");
	prepare(config->top->runtime, identity, false);
	prepare(config->state->directory, identity, true);
	prepare(config->rules->cache, identity, true);
	if (slice_starts(config->state->store, lmdb))
		prepare(slice_from(config->state->store, lmdb.len), identity, true);
}
