#ifndef GATEHOUSE_PROXY_MAIL_SOURCE_H
#define GATEHOUSE_PROXY_MAIL_SOURCE_H
/*
 * mail_source: saved mails, one after the other: files, "-" (standard input),
 * folders with all that is below them, maildirs (cur and new), mboxes.
 */
#include "base/buf.h"

struct mail_source;

struct mail_item {
	struct slice name;      /* path; of the nth mail of an mbox with several, "path:n" */
	struct slice bytes;     /* valid until the next call */
};

struct mail_source *mail_source_open(void);
void mail_source_close(struct mail_source **source);
/* Adds a path, and looks what it is. False: error_r says why (static, or of strerror). */
bool mail_source_add(struct mail_source *source, const char *path, const char **error_r);

enum mail_next { MAIL_END, MAIL_ITEM, MAIL_ERROR };
/* MAIL_ERROR: item_r->name could not be read, *error_r says why; the next call goes on. */
enum mail_next mail_source_next(struct mail_source *source, struct mail_item *item_r, const char **error_r);

/* Octets passed and of all that has been added; the latter counts no standard input. */
void mail_source_progress(const struct mail_source *source, uint64_t *done_r, uint64_t *total_r);
/* More than one mail may come: a folder, several paths. */
bool mail_source_many(const struct mail_source *source);

/* Where the mbox mail that begins at offset 0 of s ends, and its separator line's length. */
size_t mbox_mail_length(struct slice s);
/* s begins with an mbox separator: "From " address, date as of asctime(3). */
bool mbox_is_separator(struct slice s);

#endif
