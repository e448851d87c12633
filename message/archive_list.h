#ifndef GATEHOUSE_MESSAGE_ARCHIVE_LIST_H
#define GATEHOUSE_MESSAGE_ARCHIVE_LIST_H
/* archive_list: the files in an archive, and in archives in it. Includes libarchive. */
#include "message/attachment.h"

/* What listing a mail's archives may still cost. */
struct archive_budget {
	size_t entries;
	uint64_t bytes;
	unsigned depth;
};

/* Appends to a's entries; container is the entry that bytes were found in, -1: the attachment. Sets
 * archive_broken, cut and encrypted. real_type(arena, bytes) names what a file is. */
void archive_list(struct arena *arena, struct attachment *a, int container, struct slice bytes,
		  struct archive_budget *budget, struct slice (*real_type)(struct arena *arena, struct slice bytes));

/* Opens the locale it works in. */
void archive_list_preload(void);

/* By the first bytes: does libarchive know it as a container? single: a compressed file, not a set of files. */
bool archive_is_one(struct slice bytes, bool *single_r);

#endif
