#ifndef GATEHOUSE_POLICY_JOURNAL_H
#define GATEHOUSE_POLICY_JOURNAL_H
/*
 * journal: what became of each message, and why: for `gatehouse why`.
 *
 * A folder of text files, two a worker: the one written to, and the one
 * before. When one reaches its share of the size it takes the place of the
 * other. An entry is a paragraph: its first line is "= ID …", no line of it
 * is empty, and an empty line ends it. It is one write(2): a crash cuts off
 * the last one at most. Nothing waits for the disk.
 */
#include "base/buf.h"

struct journal;

/* row: of the worker, one writer each. max_size: of one file. NULL: errno. */
struct journal *journal_open(struct slice folder, unsigned row, uint64_t max_size);
void journal_close(struct journal **journal);
/* entry: a paragraph with its empty line. What can't be written is lost. Thread-safe. */
void journal_append(struct journal *journal, struct slice entry);

/* The second line of an entry may be this and the id that a mail server gave the message. */
#define JOURNAL_QUEUE "queue   "
/* Adds every entry of that id, ours or the server's, to out, those of one file in their order.
 * Returns how many. */
size_t journal_find(const char *folder, struct slice id, struct buf *out);
/* Calls fn for each entry of all files. */
void journal_each(const char *folder, void (*fn)(void *arg, struct slice entry), void *arg);

/* Adds a value so that it stays on its line. */
void journal_add_text(struct buf *out, struct slice s, size_t max);

#endif
