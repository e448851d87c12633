/*
 * Delivery into a maildir: written to tmp/, synced, renamed into new/, the
 * folder synced; then it is ours no more and the client gets its 250. The
 * syncs run on the job pool. Lines end in LF there, as mail readers expect.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proxy/delivery_private.h"

struct maildir {
	struct delivery *d;   /* NULL: the transaction has gone, tidy up */
	struct jobs *jobs;
	char dir[1024];
	char name[256];       /* of the file */
	int fd;
	bool running;         /* a job has it */
	bool renamed;
	int error;            /* errno of a job */
};

static bool path_of(const struct maildir *m, const char *sub, char out[1400])
{
	return snprintf(out, 1400, "%s/%s/%s", m->dir, sub, m->name) < 1400;
}

static void forget(struct maildir *m)
{
	char path[1400];
	if (m->fd >= 0)
		close(m->fd);
	if (m->name[0] != '\0' && !m->renamed && path_of(m, "tmp", path))
		unlink(path);
	free(m);
}

static void failed(struct maildir *m, const char *what, int error)
{
	char cause[1200];
	snprintf(cause, sizeof(cause), "%s: %s: %s", m->dir, what, strerror(error));
	struct delivery *d = m->d;
	d->impl = NULL;
	forget(m);
	delivery_trouble(d, "4.3.0", "Mail can't be stored now, please try again later", cause);
}

static void make_dirs(const struct maildir *m)
{
	static const char *const subs[] = { "", "/tmp", "/new", "/cur" };
	char path[1100];
	for (size_t i = 0; i < sizeof(subs) / sizeof(*subs); i++) {
		snprintf(path, sizeof(path), "%s%s", m->dir, subs[i]);
		mkdir(path, 0700);
	}
}

/* Unique by time, process and count, as Maildir asks; the host is our name. */
static void name_file(struct maildir *m, uint64_t size)
{
	static unsigned sequence;
	struct timespec ts;
	const struct config *config = m->d->worker->snapshot->config;
	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(m->name, sizeof(m->name), "%lld.M%06ldP%ldQ%u.%.*s,S=%llu", (long long)ts.tv_sec, ts.tv_nsec / 1000,
		 (long)getpid(), sequence++, (int)(config->top->hostname.len < 128 ? config->top->hostname.len : 128),
		 config->top->hostname.data, (unsigned long long)size);
}

static bool write_all(int fd, const struct buf *b)
{
	size_t done = 0;
	while (done < b->len) {
		ssize_t n = write(fd, b->data + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* CRLF to LF; the bytes are canonical, so every CR has its LF. */
static void add_lf(struct buf *out, struct slice in)
{
	while (in.len > 0) {
		size_t cr = slice_chr(in, '\r');
		bool eol = cr != SLICE_NPOS && cr + 1 < in.len && in.data[cr + 1] == '\n';
		size_t n = cr == SLICE_NPOS ? in.len : eol ? cr : cr + 1;
		buf_add(out, in.data, n);
		in = slice_from(in, eol ? n + 1 : n);
	}
}

static void add_trace(struct buf *out, const struct envelope *e)
{
	buf_printf(out, "Return-Path: <%.*s>\n", SLICE_ARG(e->sender.text));
	for (size_t i = 0; i < e->recipient_count; i++)
		if (e->recipients[i].accepted)
			buf_printf(out, "Delivered-To: %.*s\n", SLICE_ARG(e->recipients[i].mailbox.text));
}

/* Runs on a thread. */
static void sync_file(void *arg)
{
	struct maildir *m = arg;
	m->error = fsync(m->fd) != 0 ? errno : 0;
}

static void sync_dir(void *arg)
{
	struct maildir *m = arg;
	char path[1100];
	snprintf(path, sizeof(path), "%s/new", m->dir);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	m->error = fd < 0 || fsync(fd) != 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
}

static bool gone(struct maildir *m)
{
	m->running = false;
	if (m->d != NULL)
		return false;
	forget(m);
	return true;
}

static void dir_synced(void *arg)
{
	struct maildir *m = arg;
	if (gone(m))
		return;
	if (m->error != 0) {
		failed(m, "sync of new/", m->error);
		return;
	}
	char text[300];
	snprintf(text, sizeof(text), "Stored as %s", m->name);
	const struct outcome outcome = { .positive = true, .code = 250, .enhanced = "2.0.0",
		.text = slice_str(text), .from_backend = true };
	delivery_end(m->d, &outcome);
}

static void file_synced(void *arg)
{
	struct maildir *m = arg;
	char from[1400], to[1400];
	if (gone(m))
		return;
	if (m->error != 0) {
		failed(m, "sync", m->error);
		return;
	}
	if (m->d->still_there != NULL && !m->d->still_there(m->d->arg)) {
		failed(m, "client left before the end", ECANCELED);
		return;
	}
	if (!path_of(m, "tmp", from) || !path_of(m, "new", to) || rename(from, to) != 0) {
		failed(m, "rename", errno);
		return;
	}
	m->renamed = true;
	m->running = true;
	jobs_add(m->jobs, sync_dir, dir_synced, m);
}

static bool write_message(struct maildir *m)
{
	struct delivery *d = m->d;
	struct buf out = { 0 };
	char path[1400];
	add_trace(&out, d->envelope);
	add_lf(&out, d->added);
	add_lf(&out, d->content);
	name_file(m, out.len);
	make_dirs(m);
	m->fd = path_of(m, "tmp", path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	bool ok = m->fd >= 0 && write_all(m->fd, &out);
	int error = errno;
	buf_free(&out);
	errno = error;
	return ok;
}

static void maildir_rcpt(struct delivery *d, size_t recipient)
{
	(void)recipient;
	const struct outcome outcome = { .positive = true, .code = 250, .enhanced = "2.1.5", .text = SLICE("Ok") };
	delivery_end(d, &outcome);
}

static void maildir_content(struct delivery *d)
{
	struct maildir *m = xcalloc(1, sizeof(*m));
	const struct config_backend *config = backend_config(d->backend);
	m->d = d;
	m->jobs = d->worker->jobs;
	m->fd = -1;
	d->impl = m;
	snprintf(m->dir, sizeof(m->dir), "%.*s", SLICE_ARG(config->maildir));
	if (!write_message(m)) {
		failed(m, "write", errno);
		return;
	}
	m->running = true;
	jobs_add(m->jobs, sync_file, file_synced, m);
}

static void maildir_destroy(struct delivery *d)
{
	struct maildir *m = d->impl;
	if (m == NULL)
		return;
	m->d = NULL;
	if (!m->running)
		forget(m);
}

const struct delivery_ops delivery_maildir = { maildir_rcpt, maildir_content, maildir_destroy };
