#ifndef GATEHOUSE_BASE_FILE_H
#define GATEHOUSE_BASE_FILE_H
/*
 * file: what all who keep files do with them. Blocks on the disk; a false
 * leaves errno.
 */
#include "base/arena.h"

/* All of it, however the system cuts it up. */
bool file_write_all(int fd, struct slice bytes);
/* What was put into the folder, or renamed there, is there after a crash. */
bool file_sync_folder(const char *path);
/* A regular file, whole, in the arena. Larger than max: EFBIG. */
bool file_read(struct arena *arena, const char *path, uint64_t max, struct slice *all_r);
/* As file_read, of an open file. It may have grown or shrunk meanwhile: shrunk, it is an error. */
bool file_read_fd(struct arena *arena, int fd, uint64_t max, struct slice *all_r);

#endif
