#include "policy/quarantine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"

#define PATH_LEN 1400
#define ID_MAX 40u
#define HEAD_MAX (4u << 20) /* of the lines in front: recipients are bounded by limits */
#define FOLDER_MODE 0700
#define FILE_MODE 0600

static bool fail(char error[QUARANTINE_ERROR_MAX], const char *what, const char *path)
{
	int e = errno;
	snprintf(error, QUARANTINE_ERROR_MAX, "%.150s: %.40s: %.60s", path, what, strerror(e));
	return false;
}

static bool is_id(struct slice id)
{
	if (id.len == 0 || id.len > ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.data[i]))
			return false;
	return true;
}

static void day_of(int64_t when, char day[16])
{
	time_t t = (time_t)when;
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(day, 16, "%Y-%m-%d", &tm);
}

static bool is_day(const char *name)
{
	return strlen(name) == 10 && name[4] == '-' && name[7] == '-' && strspn(name, "0123456789-") == 10;
}

/* ---- the lines in front */

static void add_value(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c < ' ' || c == 0x7f || c == '\\')
			buf_printf(out, "\\x%02x", c);
		else
			buf_add_char(out, s.data[i]);
	}
}

static void add_line(struct buf *out, const char *key, struct slice value)
{
	buf_printf(out, "%s ", key);
	add_value(out, value);
	buf_add_char(out, '\n');
}

static void add_head(struct buf *out, const struct quarantine_entry *e)
{
	char ip[IP_TEXT_MAX];
	add_line(out, "id", e->id);
	buf_printf(out, "time %lld\nport %u\nscore %.3f\nsize %llu\n8bit %d\nutf8 %d\n", (long long)e->time,
		   e->client.port, e->score, (unsigned long long)e->size, e->body_8bit, e->smtputf8);
	add_line(out, "client", e->client.ip.family ? slice_str(ip_text(&e->client.ip, ip)) : SLICE_EMPTY);
	add_line(out, "helo", e->client.helo);
	add_line(out, "name", e->client.name);
	add_line(out, "login", e->client.login);
	add_line(out, "policy", e->policy);
	add_line(out, "why", e->why);
	add_line(out, "subject", e->subject);
	add_line(out, "sender", e->sender);
	add_line(out, "sender-params", e->sender_params);
	for (size_t i = 0; i < e->recipient_count; i++) {
		add_line(out, "recipient", e->recipients[i]);
		add_line(out, "recipient-params", e->recipient_params ? e->recipient_params[i] : SLICE_EMPTY);
	}
	buf_add_char(out, '\n');
}

static struct slice unescape(struct arena *arena, struct slice s)
{
	char *out = arena_alloc(arena, s.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		bool hex = s.data[i] == '\\' && i + 3 < s.len && s.data[i + 1] == 'x' &&
			   ascii_hex(s.data[i + 2]) >= 0 && ascii_hex(s.data[i + 3]) >= 0;
		out[n++] = hex ? (char)(ascii_hex(s.data[i + 2]) * 16 + ascii_hex(s.data[i + 3])) : s.data[i];
		i += hex ? 3 : 0;
	}
	return slice_make(out, n);
}

static void set_number(struct quarantine_entry *e, struct slice key, struct slice value)
{
	uint64_t n;
	char text[32];
	if (slice_eq(key, SLICE("score"))) {
		snprintf(text, sizeof(text), "%.*s", SLICE_ARG(value));
		e->score = strtod(text, NULL);
	} else if (slice_u64(value, INT64_MAX, &n)) {
		if (slice_eq(key, SLICE("time")))
			e->time = (int64_t)n;
		else if (slice_eq(key, SLICE("port")))
			e->client.port = (uint16_t)n;
		else if (slice_eq(key, SLICE("size")))
			e->size = n;
		else if (slice_eq(key, SLICE("8bit")))
			e->body_8bit = n != 0;
		else if (slice_eq(key, SLICE("utf8")))
			e->smtputf8 = n != 0;
	}
}

static void set_text(struct quarantine_entry *e, struct slice key, struct slice value)
{
	const struct {
		const char *key;
		struct slice *to;
	} texts[] = {
		{ "id", &e->id }, { "helo", &e->client.helo }, { "name", &e->client.name },
		{ "login", &e->client.login }, { "policy", &e->policy }, { "why", &e->why },
		{ "subject", &e->subject }, { "sender", &e->sender }, { "sender-params", &e->sender_params },
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (slice_eq(key, slice_str(texts[i].key)))
			*texts[i].to = value;
	if (slice_eq(key, SLICE("client")))
		ip_parse(value, &e->client.ip);
	else if (slice_eq(key, SLICE("recipient")))
		e->recipients[e->recipient_count++] = value;
	else if (slice_eq(key, SLICE("recipient-params")) && e->recipient_count > 0)
		e->recipient_params[e->recipient_count - 1] = value;
}

/* Offset of the message, or 0: not one of ours. */
static size_t read_head(struct arena *arena, struct slice all, struct quarantine_entry *e)
{
	size_t end = slice_find(slice_head(all, HEAD_MAX), SLICE("\n\n"));
	if (end == SLICE_NPOS)
		return 0;
	struct slice rest = slice_head(all, end), line;
	size_t lines = 1;
	for (size_t i = 0; i < end; i++)
		lines += all.data[i] == '\n';
	*e = (struct quarantine_entry){ 0 };
	e->recipients = arena_array(arena, struct slice, lines);
	e->recipient_params = arena_array(arena, struct slice, lines);
	while (rest.data != NULL && slice_split(&rest, '\n', &line)) {
		size_t space = slice_chr(line, ' ');
		struct slice key = slice_head(line, space);
		struct slice value = unescape(arena, slice_from(line, space == SLICE_NPOS ? line.len : space + 1));
		set_number(e, key, value);
		set_text(e, key, value);
	}
	e->client.esmtp = true;
	return is_id(e->id) && e->recipient_count > 0 ? end + 2 : 0;
}

/* ---- storing */

static bool write_file(const char *path, const struct quarantine_entry *e, struct slice added, struct slice content)
{
	struct buf head = { 0 };
	add_head(&head, e);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	bool ok = fd >= 0 && file_write_all(fd, buf_slice(&head)) && file_write_all(fd, added) && file_write_all(fd, content) &&
		  fsync(fd) == 0;
	int error = errno;
	if (fd >= 0)
		close(fd);
	buf_free(&head);
	errno = error;
	return ok;
}

bool quarantine_store(const char *dir, const struct quarantine_entry *e, struct slice added, struct slice content,
		      char error_r[QUARANTINE_ERROR_MAX])
{
	char tmp[PATH_LEN], folder[PATH_LEN], path[PATH_LEN * 2], day[16];
	day_of(e->time, day);
	snprintf(folder, sizeof(folder), "%s/tmp", dir);
	snprintf(tmp, sizeof(tmp), "%s/tmp/%.*s", dir, SLICE_ARG(e->id));
	mkdir(dir, FOLDER_MODE);
	mkdir(folder, FOLDER_MODE);
	snprintf(folder, sizeof(folder), "%s/%s", dir, day);
	mkdir(folder, FOLDER_MODE);
	snprintf(path, sizeof(path), "%s/%.*s", folder, SLICE_ARG(e->id));
	if (!is_id(e->id)) {
		errno = EINVAL;
		return fail(error_r, "bad id", dir);
	}
	if (!write_file(tmp, e, added, content)) {
		fail(error_r, "can't be written", tmp);
		unlink(tmp);
		return false;
	}
	if (rename(tmp, path) != 0) {
		fail(error_r, "can't be put there", path);
		unlink(tmp);
		return false;
	}
	/* Whoever made the day's folder may have been killed before it synced that. */
	if (!file_sync_folder(folder) || !file_sync_folder(dir))
		return fail(error_r, "can't be synced", folder);
	return true;
}

/* ---- looking */

static bool map_file(int fd, struct slice *all_r)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return false;
	void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	*all_r = slice_make(p, (size_t)st.st_size);
	return true;
}

static void unmap(struct slice all)
{
	munmap((void *)(uintptr_t)all.data, all.len);
}

static bool ends_released(const char *name)
{
	return slice_ends(slice_str(name), SLICE(".released"));
}

/* 1: fn wants more, 0: enough, -1: not readable. */
static int show_file(const char *path, bool (*fn)(void *arg, const struct quarantine_entry *entry), void *arg)
{
	struct quarantine_entry e;
	struct slice all;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), result = -1;
	if (fd >= 0 && map_file(fd, &all)) {
		struct arena *arena = arena_create();
		if (read_head(arena, all, &e) > 0) {
			e.released = ends_released(path);
			result = fn(arg, &e);
		}
		arena_destroy(&arena);
		unmap(all);
	}
	if (fd >= 0)
		close(fd);
	return result;
}

static int only_days(const struct dirent *d)
{
	return is_day(d->d_name);
}

static int only_files(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void free_names(struct dirent **names, int count)
{
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* Calls visit for each file of each day, in order, until it says no. */
static void walk(const char *dir, bool (*visit)(void *arg, const char *path, const char *folder), void *arg)
{
	struct dirent **days, **files;
	char folder[PATH_LEN], path[PATH_LEN * 2];
	int day_count = scandir(dir, &days, only_days, alphasort);
	bool more = true;
	for (int i = 0; more && i < day_count; i++) {
		snprintf(folder, sizeof(folder), "%s/%s", dir, days[i]->d_name);
		int count = scandir(folder, &files, only_files, alphasort);
		for (int k = 0; more && k < count; k++) {
			snprintf(path, sizeof(path), "%s/%s", folder, files[k]->d_name);
			more = visit(arg, path, folder);
		}
		if (count >= 0)
			free_names(files, count);
	}
	if (day_count >= 0)
		free_names(days, day_count);
}

struct showing {
	bool (*fn)(void *arg, const struct quarantine_entry *entry);
	void *arg;
	size_t bad;
};

static bool show(void *arg, const char *path, const char *folder)
{
	struct showing *s = arg;
	(void)folder;
	int result = show_file(path, s->fn, s->arg);
	s->bad += result < 0;
	return result != 0;
}

size_t quarantine_each(const char *dir, bool (*fn)(void *arg, const struct quarantine_entry *entry), void *arg)
{
	struct showing s = { fn, arg, 0 };
	walk(dir, show, &s);
	return s.bad;
}

struct finding {
	struct slice id;
	char path[PATH_LEN * 2], folder[PATH_LEN];
	bool found;
};

static bool find(void *arg, const char *path, const char *folder)
{
	struct finding *f = arg;
	struct slice name = slice_from(slice_str(path), strlen(folder) + 1);
	if (!slice_eq(slice_head(name, slice_chr(name, '.')), f->id))
		return true;
	snprintf(f->path, sizeof(f->path), "%s", path);
	snprintf(f->folder, sizeof(f->folder), "%s", folder);
	f->found = true;
	return false;
}

bool quarantine_open(const char *dir, struct slice id, bool lock, struct quarantine_open *o,
		     char error_r[QUARANTINE_ERROR_MAX])
{
	struct finding f = { .id = id };
	struct slice all;
	*o = (struct quarantine_open){ .fd = -1 };
	walk(dir, find, &f);
	if (!f.found) {
		snprintf(error_r, QUARANTINE_ERROR_MAX, "%.200s: no mail %.*s", dir, SLICE_ARG(slice_head(id, ID_MAX)));
		return false;
	}
	o->fd = open(f.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (o->fd < 0)
		return fail(error_r, "can't be read", f.path);
	if (lock && flock(o->fd, LOCK_EX | LOCK_NB) != 0) {
		fail(error_r, "is being released", f.path);
		quarantine_close(o);
		return false;
	}
	/* Released between look and lock: it has another name now. */
	bool gone = lock && access(f.path, F_OK) != 0;
	o->arena = arena_create();
	bool mapped = !gone && map_file(o->fd, &all);
	size_t at = mapped ? read_head(o->arena, all, &o->entry) : 0;
	if (at == 0) {
		if (mapped)
			unmap(all);
		snprintf(error_r, QUARANTINE_ERROR_MAX, "%.200s: is no mail of the quarantine", f.path);
		quarantine_close(o);
		return false;
	}
	o->mapped = all;
	o->message = slice_from(all, at);
	o->entry.released = ends_released(f.path);
	return true;
}

void quarantine_close(struct quarantine_open *o)
{
	if (o->mapped.data != NULL)
		unmap(o->mapped);
	if (o->fd >= 0)
		close(o->fd);
	arena_destroy(&o->arena);
	*o = (struct quarantine_open){ .fd = -1 };
}

bool quarantine_mark_released(const char *dir, const struct quarantine_open *o, char error_r[QUARANTINE_ERROR_MAX])
{
	char folder[PATH_LEN], from[PATH_LEN * 2], to[PATH_LEN * 2 + 16], day[16];
	if (o->entry.released)
		return true;
	day_of(o->entry.time, day);
	snprintf(folder, sizeof(folder), "%s/%s", dir, day);
	snprintf(from, sizeof(from), "%s/%.*s", folder, SLICE_ARG(o->entry.id));
	snprintf(to, sizeof(to), "%s.released", from);
	if (rename(from, to) != 0)
		return fail(error_r, "can't be marked as released", from);
	return file_sync_folder(folder) || fail(error_r, "can't be synced", folder);
}

/* ---- expiring */

struct expiring {
	int64_t before;
	uint64_t held, max_size;
	size_t left, removed;
	bool summing;
};

/* Nobody has had what goes before it was released. */
static void log_removal(const char *path, bool old)
{
	struct slice name = slice_from(slice_str(path), slice_rchr(slice_str(path), '/') + 1);
	if (!ends_released(path))
		log_info(NULL, "quarantine expired", "%.*s: held, never released, %s", SLICE_ARG(name),
			 old ? "older than quarantine-keep" : "over quarantine-size");
}

static bool expire_one(void *arg, const char *path, const char *folder)
{
	struct expiring *x = arg;
	struct stat st;
	if (lstat(path, &st) != 0)
		return true;
	if (x->summing) {
		x->held += (uint64_t)st.st_size;
		x->left++;
		return true;
	}
	/* The newest stays, however large: its sender is just being told that it is held. */
	bool old = st.st_mtime < x->before, much = x->max_size > 0 && x->held > x->max_size && x->left > 1;
	x->left--;
	if ((old || much) && unlink(path) == 0) {
		x->held -= (uint64_t)st.st_size;
		x->removed++;
		log_removal(path, old);
		rmdir(folder); /* if it is empty now */
	}
	return true;
}

#define ABANDONED 3600 /* seconds: no mail takes that long to be written */

/* What a crash has left behind: its sender was never told that it is here. */
static void remove_abandoned(const char *dir)
{
	char path[PATH_LEN];
	struct stat st;
	snprintf(path, sizeof(path), "%s/tmp", dir);
	DIR *tmp = opendir(path);
	if (tmp == NULL)
		return;
	for (struct dirent *d; (d = readdir(tmp)) != NULL;)
		if (only_files(d) && fstatat(dirfd(tmp), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < time(NULL) - ABANDONED)
			unlinkat(dirfd(tmp), d->d_name, 0);
	closedir(tmp);
}

size_t quarantine_expire(const char *dir, int64_t before, uint64_t max_size)
{
	/* One at a time: two that find it too large would each remove what is too much. */
	int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0)
		return 0;
	while (flock(lock, LOCK_EX) != 0 && errno == EINTR)
		;
	remove_abandoned(dir);
	struct expiring x = { .before = before, .max_size = max_size, .summing = true };
	walk(dir, expire_one, &x);
	x.summing = false;
	walk(dir, expire_one, &x);
	close(lock);
	return x.removed;
}
