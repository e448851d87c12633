#ifndef GATEHOUSE_PROXY_CONTENT_H
#define GATEHOUSE_PROXY_CONTENT_H
/*
 * content: the bytes of one message, held until its verdict: in memory, and
 * above a size in an unlinked file. Canonical bytes (smtp_data.h).
 */
#include "base/buf.h"

struct content;

/* spool: folder for the file; memory: octets held before it is used. */
struct content *content_create(struct slice spool, uint64_t memory);
void content_destroy(struct content **content);
/* False: the file can't be written (errno): the message must be refused 4xx. */
bool content_append(struct content *content, struct slice bytes);
uint64_t content_size(const struct content *content);
/* All of it in one piece; valid until the next append or destroy. False: errno. */
bool content_map(struct content *content, struct slice *all_r);

#endif
