/*
 * Delivery into a maildir: written to tmp/, synced, renamed into new/, the
 * folder synced; then it is ours no more and the client gets its 250. All that
 * touches the disk runs on the job pool, a piece of the message at a time:
 * who waits for a job that reads the message never waits long. Lines end in LF
 * there, as mail readers expect.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "proxy/delivery_private.h"

#define PIECE (1u << 20)
#define SMALL (256u << 10) /* is copied, so that nobody has to wait for a job that reads it */

struct maildir {
	struct delivery *d;   /* NULL: the transaction has gone, tidy up */
	struct jobs *jobs;
	char dir[1024];
	char name[256];       /* of the file in tmp/ */
	char final[320];      /* and in new/ */
	struct buf head;      /* the fields that delivery adds */
	struct slice parts[3]; /* what is still to be written */
	bool (*run)(struct maildir *m); /* of the job that has it; NULL: none */
	uint64_t size;        /* written */
	int fd;
	bool renamed;
	int error;            /* errno of a job; 0: well */
	const char *what;     /* it did */
};

static bool path_of(const struct maildir *m, const char *sub, const char *name, char out[1400])
{
	return snprintf(out, 1400, "%s/%s/%s", m->dir, sub, name) < 1400;
}

static void forget(struct maildir *m)
{
	char path[1400];
	if (m->fd >= 0)
		close(m->fd);
	if (m->name[0] != '\0' && !m->renamed && path_of(m, "tmp", m->name, path))
		unlink(path);
	buf_free(&m->head);
	free(m);
}

static void failed(struct maildir *m, const char *what, int error)
{
	char cause[1200], path[1400];
	/* The sender keeps it, and comes again. */
	if (m->renamed && path_of(m, "new", m->final, path))
		unlink(path);
	snprintf(cause, sizeof(cause), "%s: %s: %s", m->dir, what, strerror(error));
	struct delivery *d = m->d;
	d->impl = NULL;
	forget(m);
	delivery_trouble(d, "4.3.0", "Mail can't be stored now, please try again later", cause);
}

/* Unique by time, process and count, as Maildir asks; the host is our name. */
static void name_file(struct maildir *m)
{
	static unsigned sequence;
	struct timespec ts;
	const struct config *config = m->d->worker->snapshot->config;
	clock_gettime(CLOCK_REALTIME, &ts);
	snprintf(m->name, sizeof(m->name), "%lld.M%06ldP%ldQ%u.%.*s", (long long)ts.tv_sec, ts.tv_nsec / 1000,
		 (long)getpid(), sequence++, (int)(config->top->hostname.len < 128 ? config->top->hostname.len : 128),
		 config->top->hostname.data);
}

/* ---- what runs on a thread */

static bool sync_parent(const char *dir)
{
	char path[1100];
	snprintf(path, sizeof(path), "%s", dir);
	char *slash = strrchr(path, '/');
	if (slash == NULL)
		return file_sync_folder(".");
	slash[slash == path] = '\0';
	return file_sync_folder(path);
}

/* A folder that a crash can take away holds no mail. */
static bool make_folders(struct maildir *m)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	char path[1100];
	bool made = mkdir(m->dir, 0700) == 0, made_sub = false;
	for (size_t i = 0; i < sizeof(subs) / sizeof(*subs); i++) {
		snprintf(path, sizeof(path), "%s/%s", m->dir, subs[i]);
		made_sub |= mkdir(path, 0700) == 0;
	}
	return (!made || sync_parent(m->dir)) && (!made_sub || file_sync_folder(m->dir));
}

static bool open_file(struct maildir *m)
{
	char path[1400];
	m->what = "open";
	if (!make_folders(m))
		return false;
	m->fd = path_of(m, "tmp", m->name, path) ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	return m->fd >= 0;
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

/* Not between CR and LF. */
static struct slice take_piece(struct slice *part)
{
	size_t n = part->len < PIECE ? part->len : PIECE;
	if (n < part->len && part->data[n - 1] == '\r')
		n++;
	struct slice piece = slice_head(*part, n);
	*part = slice_from(*part, n);
	return piece;
}

static bool all_written(const struct maildir *m)
{
	return m->parts[0].len + m->parts[1].len + m->parts[2].len == 0;
}

static bool write_piece(struct maildir *m)
{
	struct buf out = { 0 };
	m->what = "write";
	for (size_t i = 0; i < 3 && out.len < PIECE / 2; i++)
		add_lf(&out, take_piece(&m->parts[i]));
	bool ok = file_write_all(m->fd, buf_slice(&out));
	int error = errno;
	m->size += out.len;
	buf_free(&out);
	errno = error;
	return ok;
}

static bool sync_file(struct maildir *m)
{
	m->what = "sync";
	return fsync(m->fd) == 0;
}

static bool sync_new(struct maildir *m)
{
	char path[1100];
	m->what = "sync of new/";
	snprintf(path, sizeof(path), "%s/new", m->dir);
	return file_sync_folder(path);
}

/* All of it in one go; it reads nothing of the transaction's. */
static bool store_small(struct maildir *m)
{
	bool ok = open_file(m);
	while (ok && !all_written(m))
		ok = write_piece(m);
	return ok && sync_file(m);
}

/* ---- step by step */

static void run_job(void *arg)
{
	struct maildir *m = arg;
	m->error = m->run(m) ? 0 : errno != 0 ? errno : EIO;
}

static void on_done(void *arg);

static void start(struct maildir *m, bool (*run)(struct maildir *m))
{
	m->run = run;
	jobs_add(m->jobs, run_job, on_done, m);
}

static void deliver(struct maildir *m)
{
	char from[1400], to[1400];
	if (m->d->still_there != NULL && !m->d->still_there(m->d->arg)) {
		failed(m, "client left before the end", ECANCELED);
		return;
	}
	snprintf(m->final, sizeof(m->final), "%s,S=%llu", m->name, (unsigned long long)m->size);
	if (!path_of(m, "tmp", m->name, from) || !path_of(m, "new", m->final, to) || rename(from, to) != 0) {
		failed(m, "rename", errno);
		return;
	}
	m->renamed = true;
	start(m, sync_new);
}

static void tell(struct maildir *m)
{
	char text[400];
	snprintf(text, sizeof(text), "Stored as %s", m->final);
	const struct outcome outcome = { .positive = true, .code = 250, .enhanced = "2.0.0",
		.text = slice_str(text), .from_backend = true };
	delivery_end(m->d, &outcome);
}

static void on_done(void *arg)
{
	struct maildir *m = arg;
	bool (*ran)(struct maildir *m) = m->run;
	m->run = NULL;
	if (m->d == NULL)
		forget(m);
	else if (m->error != 0)
		failed(m, m->what, m->error);
	else if (ran == sync_new)
		tell(m);
	else if (ran == sync_file || ran == store_small)
		deliver(m);
	else
		start(m, all_written(m) ? sync_file : write_piece);
}

static void add_trace(struct buf *out, const struct envelope *e)
{
	buf_printf(out, "Return-Path: <%.*s>\r\n", SLICE_ARG(e->sender.text));
	for (size_t i = 0; i < e->recipient_count; i++)
		if (e->recipients[i].accepted)
			buf_printf(out, "Delivered-To: %.*s\r\n", SLICE_ARG(e->recipients[i].mailbox.text));
}

static void maildir_rcpt(struct delivery *d, size_t recipient)
{
	(void)recipient;
	const struct outcome outcome = { .positive = true, .code = 250, .enhanced = "2.1.5", .text = SLICE("Ok") };
	delivery_end(d, &outcome);
}

/* What an earlier call left. */
static void let_go(struct delivery *d)
{
	struct maildir *m = d->impl;
	d->impl = NULL;
	if (m == NULL)
		return;
	m->d = NULL;
	/* The message goes with its transaction: nobody may be reading it. */
	if (m->run == write_piece) {
		jobs_wait(m->jobs, on_done, m);
		m->run = NULL;
	}
	if (m->run == NULL)
		forget(m);
}

static void maildir_content(struct delivery *d)
{
	let_go(d);
	struct maildir *m = xcalloc(1, sizeof(*m));
	m->d = d;
	m->jobs = d->worker->jobs;
	m->fd = -1;
	d->impl = m;
	snprintf(m->dir, sizeof(m->dir), "%.*s", SLICE_ARG(backend_config(d->backend)->maildir));
	add_trace(&m->head, d->envelope);
	name_file(m);
	bool small = d->added.len + d->content.len <= SMALL;
	if (small) {
		buf_add_slice(&m->head, d->added);
		buf_add_slice(&m->head, d->content);
	} else {
		m->parts[1] = d->added;
		m->parts[2] = d->content;
	}
	m->parts[0] = buf_slice(&m->head);
	start(m, small ? store_small : open_file);
}

static void maildir_destroy(struct delivery *d)
{
	let_go(d);
}

const struct delivery_ops delivery_maildir = { maildir_rcpt, maildir_content, maildir_destroy };
