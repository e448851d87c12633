#ifndef GATEHOUSE_PROXY_TRACE_H
#define GATEHOUSE_PROXY_TRACE_H
/*
 * trace: the header section as the backend gets it: our Received line and
 * what the filters have to say on top, then the client's fields without those
 * that only we may write. The same through every door.
 */
#include "base/buf.h"
#include "filters/scan.h"
#include "policy/verdict.h"

/* "Received: from … by … with … id …; date" (RFC 5321 4.4, RFC 3848). */
void trace_received(struct buf *out, const struct scan *scan, const char *id);
/* Fields of ours above the message: Authentication-Results, X-Spam-*. */
void trace_added(struct buf *out, const struct scan *scan, const struct verdict *verdict);
/* The value that the first Subject field is to get, with its leading space and
 * folds; empty: it stays as it is. */
struct slice trace_subject(const struct scan *scan, const struct verdict *verdict);
/* A field that no client may bring: X-Spam-*, X-Gatehouse-*, an Authentication-Results of ours. */
bool trace_removes(const struct scan *scan, const struct header *header);
/* All of it: what trace_received and trace_added say, then the header fields
 * that stay. Behind it belongs the message from its blank line on. */
void trace_header_section(struct buf *out, const struct scan *scan, const struct verdict *verdict, const char *id);
/* Received fields the message came with: loops (DESIGN 4). */
size_t trace_hops(const struct message *message);

#endif
